//! The cookie of a browser's sign-in (RFC 6265bis): out of reach of scripts, not sent along by other sites' forms, and
//! where the way is encrypted bound to this host by its name.

use std::time::Duration;

use goblin_core::error::ApiError;
use http::HeaderMap;
use http::header::COOKIE;

use crate::visit::Way;

/// Its name where the way is encrypted. Browsers take `__Host-` only with Secure, from the host itself, for all paths.
pub const SECURE_NAME: &str = "__Host-goblin-sid";
/// Its name over plain HTTP on this machine and in private networks.
pub const PLAIN_NAME: &str = "goblin-sid";

/// The cookie that binds a sign-in at a provider to this browser, named by the same rules.
const SECURE_FLOW: &str = "__Host-goblin-oauth";
const PLAIN_FLOW: &str = "goblin-oauth";

/// Refuses to sign in where others can read along.
///
/// # Errors
/// 403 with what to do.
pub fn check_way(way: Way) -> Result<(), ApiError> {
    match way {
        Way::Secure | Way::Near => Ok(()),
        Way::Far => Err(ApiError::forbidden(
            "A password would travel unencrypted here: plain HTTP is answered on this machine and in private networks \
             only. Use https. Where a proxy has the certificate, name it in TRUSTED_PROXIES and let it send \
             X-Forwarded-Proto.",
        )),
    }
}

/// The value of `Set-Cookie` for a new sign-in.
///
/// # Errors
/// 403 where others can read along.
pub fn set(way: Way, secret: &str, lifetime: Duration) -> Result<String, ApiError> {
    written(way, [SECURE_NAME, PLAIN_NAME], secret, lifetime)
}

/// The value of `Set-Cookie` for a sign-in that is on its way to a provider.
///
/// # Errors
/// 403 where others can read along.
pub fn set_flow(way: Way, secret: &str, lifetime: Duration) -> Result<String, ApiError> {
    written(way, [SECURE_FLOW, PLAIN_FLOW], secret, lifetime)
}

fn written(
    way: Way,
    [secure, plain]: [&str; 2],
    secret: &str,
    lifetime: Duration,
) -> Result<String, ApiError> {
    check_way(way)?;
    let age = lifetime.as_secs();
    Ok(match way {
        Way::Secure => {
            format!("{secure}={secret}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax")
        }
        Way::Near | Way::Far => {
            format!("{plain}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax")
        }
    })
}

/// The values of `Set-Cookie` that take both cookies away.
pub fn clear() -> [String; 2] {
    cleared([SECURE_NAME, PLAIN_NAME])
}

/// The same for the cookies of a sign-in on its way.
pub fn clear_flow() -> [String; 2] {
    cleared([SECURE_FLOW, PLAIN_FLOW])
}

fn cleared([secure, plain]: [&str; 2]) -> [String; 2] {
    [
        format!("{secure}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
        format!("{plain}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    ]
}

/// Does the request carry either cookie?
pub fn is_there(headers: &HeaderMap) -> bool {
    pairs(headers).any(|(name, _)| name == SECURE_NAME || name == PLAIN_NAME)
}

/// The secret of the request's cookie. The plain one counts only where it may be set, and one that is there twice not
/// at all: somebody has put a second one beside ours.
pub fn read(headers: &HeaderMap, way: Way) -> Option<&str> {
    found(headers, way, [SECURE_NAME, PLAIN_NAME])
}

/// The same of a sign-in on its way.
pub fn read_flow(headers: &HeaderMap, way: Way) -> Option<&str> {
    found(headers, way, [SECURE_FLOW, PLAIN_FLOW])
}

fn found<'a>(headers: &'a HeaderMap, way: Way, [secure, plain]: [&str; 2]) -> Option<&'a str> {
    let only = |wanted: &str| {
        let mut found = pairs(headers)
            .filter(|(name, _)| *name == wanted)
            .map(|(_, value)| value);
        (found.next(), found.next())
    };
    match (only(secure), way) {
        ((Some(secret), None), _) => Some(secret),
        ((None, _), Way::Near) => match only(plain) {
            (Some(secret), None) => Some(secret),
            _ => None,
        },
        _ => None,
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(all: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in all {
            headers.append(COOKIE, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_cookie_is_bound_to_the_host_where_the_way_is_encrypted_and_never_set_where_others_read_along() {
        let month = Duration::from_secs(2_592_000);
        assert_eq!(
            set(Way::Secure, "S", month).unwrap(),
            "__Host-goblin-sid=S; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            set(Way::Near, "S", month).unwrap(),
            "goblin-sid=S; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        );
        let refused = set(Way::Far, "S", month).unwrap_err();
        assert_eq!(refused.status(true), 403);
        assert!(refused.message.contains("TRUSTED_PROXIES"));
    }

    #[test]
    fn the_plain_cookie_counts_only_where_it_may_be_set() {
        let both = cookies(&["a=1; goblin-sid=plain; __Host-goblin-sid=secure"]);
        assert_eq!(read(&both, Way::Near), Some("secure"));
        let plain = cookies(&["a=1", "goblin-sid=plain"]);
        assert_eq!(read(&plain, Way::Near), Some("plain"));
        assert_eq!(
            read(&plain, Way::Secure),
            None,
            "a page without TLS may have set it"
        );
        assert_eq!(read(&plain, Way::Far), None);
        assert!(is_there(&plain) && is_there(&both) && !is_there(&cookies(&["a=1; sid=2"])));
    }

    #[test]
    fn the_cookie_of_a_sign_in_on_its_way_follows_the_same_rules() {
        let ten_minutes = Duration::from_secs(600);
        assert_eq!(
            set_flow(Way::Secure, "S", ten_minutes).unwrap(),
            "__Host-goblin-oauth=S; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"
        );
        assert!(set_flow(Way::Far, "S", ten_minutes).is_err());
        let both = cookies(&["goblin-sid=session; goblin-oauth=flow"]);
        assert_eq!(read_flow(&both, Way::Near), Some("flow"));
        assert_eq!(read_flow(&both, Way::Secure), None);
        assert_eq!(read(&both, Way::Near), Some("session"));
        let twice = cookies(&["goblin-oauth=flow; goblin-oauth=planted"]);
        assert_eq!(read_flow(&twice, Way::Near), None);
        assert!(
            clear_flow()
                .iter()
                .all(|c| c.contains("Max-Age=0") && c.contains("goblin-oauth=;"))
        );
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        for twice in [
            &["goblin-sid=mine; goblin-sid=planted"][..],
            &["goblin-sid=planted", "goblin-sid=mine"],
            &["__Host-goblin-sid=a; __Host-goblin-sid=b"],
        ] {
            assert_eq!(read(&cookies(twice), Way::Near), None, "{twice:?}");
        }
    }
}
