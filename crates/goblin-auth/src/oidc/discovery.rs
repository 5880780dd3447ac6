//! What a provider says of itself (OpenID Connect Discovery 1.0). Pure.

use serde::Deserialize;
use url::{Host, Url};

use super::Fault;

/// How a client shows at the token endpoint that it is itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientProof {
    /// `client_secret_basic`.
    Header,
    /// `client_secret_post`.
    Body,
    /// `none`: it asks for no secret, and is sent none.
    Nothing,
}

/// What of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Discovery {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) userinfo: Option<Url>,
    /// Does it say who it is when it sends people back (RFC 9207)?
    pub(super) names_itself: bool,
    pub(super) client_proof: ClientProof,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Discovery {
    /// Where a provider says it.
    pub(super) fn place(issuer: &str) -> String {
        format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        )
    }

    /// Reads what the provider says that was asked as `issuer`.
    pub(super) fn parse(bytes: &[u8], issuer: &str) -> Result<Self, Fault> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|e| Fault::Unusable(format!("its discovery document cannot be read: {e}")))?;
        // Letter by letter (§4.3): whoever answers in the place of another would be believed as that one.
        if document.issuer != issuer {
            let shown: String = document.issuer.chars().take(200).collect();
            return Err(Fault::Unusable(format!(
                "its discovery document is of `{shown}`, not of `{issuer}`; write the issuer letter by letter as it does"
            )));
        }
        let is_secure = issuer.starts_with("https://");
        let place = |name: &str, text: &str| endpoint(name, text, is_secure);
        Ok(Self {
            authorization: place("authorization_endpoint", &document.authorization_endpoint)?,
            token: place("token_endpoint", &document.token_endpoint)?,
            keys: place("jwks_uri", &document.jwks_uri)?,
            userinfo: document
                .userinfo_endpoint
                .as_deref()
                .map(|text| place("userinfo_endpoint", text))
                .transpose()?,
            names_itself: document.authorization_response_iss_parameter_supported,
            client_proof: client_proof(document.token_endpoint_auth_methods_supported.as_deref())?,
        })
    }
}

/// §3: without a list it is `client_secret_basic`.
fn client_proof(methods: Option<&[String]>) -> Result<ClientProof, Fault> {
    let Some(methods) = methods else {
        return Ok(ClientProof::Header);
    };
    let has = |name: &str| methods.iter().any(|method| method == name);
    if has("client_secret_basic") {
        Ok(ClientProof::Header)
    } else if has("client_secret_post") {
        Ok(ClientProof::Body)
    } else if has("none") {
        Ok(ClientProof::Nothing)
    } else {
        Err(Fault::Unusable(
            "its token endpoint takes neither client_secret_basic nor client_secret_post".to_owned(),
        ))
    }
}

fn endpoint(name: &str, text: &str, must_be_secure: bool) -> Result<Url, Fault> {
    let refused = |why: &str| Err(Fault::Unusable(format!("its {name} {why}")));
    let Ok(url) = Url::parse(text) else {
        return refused("is no address");
    };
    if !matches!(url.scheme(), "https" | "http") || (must_be_secure && url.scheme() != "https") {
        return refused("is not https");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.fragment().is_some()
        || url.host().is_none()
    {
        return refused("is not a plain address");
    }
    Ok(url)
}

/// Is the host this machine, or of a private network, by its name or number?
pub(super) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(name)) => {
            let zones = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
            !name.contains('.') || zones.iter().any(|zone| name.ends_with(zone))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://id.example.org";

    fn document() -> Value {
        json!({"issuer": ISSUER, "authorization_endpoint": "https://id.example.org/auth?p=1",
               "token_endpoint": "https://id.example.org/token", "jwks_uri": "https://keys.example.org/jwks"})
    }

    fn parsed(changes: &[(&str, Value)]) -> Result<Discovery, Fault> {
        let mut document = document();
        for (name, value) in changes {
            document[*name] = value.clone();
        }
        Discovery::parse(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn a_document_is_read_and_what_is_not_said_is_as_the_standard_has_it() {
        let found = parsed(&[]).unwrap();
        assert_eq!(found.authorization.as_str(), "https://id.example.org/auth?p=1");
        assert_eq!(
            (found.client_proof, found.names_itself),
            (ClientProof::Header, false)
        );
        let post = parsed(&[(
            "token_endpoint_auth_methods_supported",
            json!(["private_key_jwt", "client_secret_post"]),
        )]);
        assert_eq!(post.unwrap().client_proof, ClientProof::Body);
        let open = parsed(&[("token_endpoint_auth_methods_supported", json!(["none"]))]);
        assert_eq!(open.unwrap().client_proof, ClientProof::Nothing);
        assert_eq!(
            Discovery::place("https://id.example.org/realms/a/"),
            "https://id.example.org/realms/a/.well-known/openid-configuration"
        );
    }

    #[test]
    fn a_document_of_another_issuer_or_with_places_that_are_not_safe_is_refused() {
        for (name, value) in [
            ("issuer", json!("https://id.example.org/")),
            ("issuer", json!("https://evil.example")),
            ("issuer", json!(null)),
            ("token_endpoint", json!("http://id.example.org/token")),
            ("token_endpoint", json!("https://user:pass@id.example.org/token")),
            ("token_endpoint", json!("file:///etc/passwd")),
            ("jwks_uri", json!("javascript:alert(1)")),
            ("jwks_uri", json!("/jwks")),
            ("authorization_endpoint", json!("https://id.example.org/auth#x")),
            ("userinfo_endpoint", json!("http://169.254.169.254/")),
            (
                "token_endpoint_auth_methods_supported",
                json!(["private_key_jwt"]),
            ),
        ] {
            let refused = parsed(&[(name, value.clone())]);
            assert!(
                matches!(refused, Err(Fault::Unusable(_))),
                "{name} {value}: {refused:?}"
            );
        }
        for bytes in ["", "[]", "<html>", "{\"issuer\":1}"] {
            assert!(Discovery::parse(bytes.as_bytes(), ISSUER).is_err(), "{bytes}");
        }
    }

    #[test]
    fn near_is_this_machine_and_private_networks() {
        let near = |text: &str| is_near(&Url::parse(text).unwrap());
        for yes in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://10.1.2.3",
            "http://keycloak:8080",
            "http://[::1]",
        ] {
            assert!(near(yes), "{yes}");
        }
        for no in [
            "http://id.example.org",
            "http://8.8.8.8",
            "http://169.254.169.254",
            "http://localhost.evil.example",
        ] {
            assert!(!near(no), "{no}");
        }
    }
}
