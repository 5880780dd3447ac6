use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::super::testing::{NOW, RSA_N, ec, foreign, key_set, rsa, signed, with};
use super::*;

const CLIENT: &str = "client-1";

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"})
}

fn claims() -> Value {
    let now = NOW.unix_seconds();
    json!({"iss": "https://id.example.org", "sub": "s-1", "aud": CLIENT, "exp": now + 600, "iat": now,
           "nonce": "n-1", "email": "me@example.org", "email_verified": true, "name": "Me"})
}

/// What comes of a token that answers a sign-in begun ten seconds ago.
fn judged(token: &str) -> Result<Proven, BadToken> {
    judged_at(token, NOW)
}

fn judged_at(token: &str, now: Timestamp) -> Result<Proven, BadToken> {
    let issuers = ["https://id.example.org".to_owned()];
    let expected = Expected {
        issuers: &issuers,
        client_id: CLIENT,
        answers: Some(("n-1", now.plus_ms(-10_000))),
        now,
    };
    check(token, &key_set(), &expected)
}

fn brought(token: &str, now: Timestamp) -> Result<Proven, BadToken> {
    let issuers = ["https://id.example.org".to_owned()];
    let expected = Expected {
        issuers: &issuers,
        client_id: CLIENT,
        answers: None,
        now,
    };
    check(token, &key_set(), &expected)
}

fn token_of(changes: &[(&str, Value)]) -> String {
    signed(&header(), &with(claims(), changes), &rsa(), Algorithm::RS256)
}

#[test]
fn a_good_token_says_who_by_any_key_and_algorithm_that_is_allowed() {
    let proven = judged(&token_of(&[])).unwrap();
    assert_eq!(proven.subject, "s-1");
    assert_eq!(proven.email.as_deref(), Some("me@example.org"));
    assert!(proven.email_verified);
    assert_eq!(proven.name.as_deref(), Some("Me"));
    assert_eq!(proven.expires_at, NOW.plus_ms(600_000));
    for (alg, kid, key, algorithm) in [
        ("RS512", "rsa", rsa(), Algorithm::RS512),
        ("PS256", "rsa", rsa(), Algorithm::PS256),
        ("ES256", "ec", ec(), Algorithm::ES256),
    ] {
        let header = with(header(), &[("alg", json!(alg)), ("kid", json!(kid))]);
        assert!(
            judged(&signed(&header, &claims(), &key, algorithm)).is_ok(),
            "{alg}"
        );
    }
    let nameless = with(header(), &[("kid", Value::Null), ("typ", Value::Null)]);
    assert!(
        judged(&signed(&nameless, &claims(), &rsa(), Algorithm::RS256)).is_ok(),
        "one key of that kind"
    );
    for good in [
        ("aud", json!([CLIENT])),
        ("azp", json!(CLIENT)),
        ("exp", json!(NOW.unix_seconds() as f64 + 10.5)),
        ("email_verified", json!("true")),
    ] {
        assert!(
            judged(&token_of(std::slice::from_ref(&good)))
                .unwrap()
                .email_verified,
            "{good:?}"
        );
    }
}

#[test]
fn an_address_that_is_not_said_to_be_theirs_is_not_theirs() {
    for said in [
        json!(false),
        json!("false"),
        json!("TRUE"),
        json!(1),
        json!([true]),
        Value::Null,
    ] {
        let proven = judged(&token_of(&[("email_verified", said.clone())])).unwrap();
        assert!(!proven.email_verified, "{said}");
    }
}

#[test]
fn what_a_token_must_say_is_refused_one_by_one() {
    let now = NOW.unix_seconds();
    let cases: &[(&str, Value, BadToken)] = &[
        ("iss", json!("https://evil.example"), BadToken::Issuer),
        ("iss", json!("https://id.example.org/"), BadToken::Issuer),
        ("iss", json!("id.example.org"), BadToken::Issuer),
        ("iss", Value::Null, BadToken::Claims),
        ("aud", json!("client-2"), BadToken::Audience),
        ("aud", json!(["client-2", CLIENT]), BadToken::Audience),
        ("aud", json!([]), BadToken::Audience),
        ("aud", json!(""), BadToken::Audience),
        ("aud", Value::Null, BadToken::Claims),
        ("azp", json!("client-2"), BadToken::Party),
        ("exp", json!(now - 61), BadToken::Over),
        ("exp", json!("never"), BadToken::Claims),
        ("exp", json!(1e300), BadToken::Claims),
        ("exp", Value::Null, BadToken::Claims),
        ("iat", json!(now + 600), BadToken::Future),
        ("iat", json!(now - 600), BadToken::Old),
        ("iat", Value::Null, BadToken::Claims),
        ("nbf", json!(now + 600), BadToken::Future),
        ("nonce", json!("n-2"), BadToken::Nonce),
        ("nonce", json!(""), BadToken::Nonce),
        ("nonce", Value::Null, BadToken::Nonce),
        ("sub", json!(""), BadToken::Claims),
        ("sub", json!("a\u{0}b"), BadToken::Claims),
        ("sub", json!("x".repeat(256)), BadToken::Claims),
        ("sub", json!(7), BadToken::Claims),
        ("sub", Value::Null, BadToken::Claims),
    ];
    for (name, value, why) in cases {
        assert_eq!(
            judged(&token_of(&[(*name, value.clone())])),
            Err(*why),
            "{name}: {value}"
        );
    }
}

#[test]
fn headers_that_ask_for_another_key_or_kind_are_refused() {
    let cases: &[(&str, Value, BadToken)] = &[
        ("alg", json!("none"), BadToken::Algorithm),
        ("alg", json!("NONE"), BadToken::Algorithm),
        ("alg", json!("HS256"), BadToken::Algorithm),
        ("alg", json!("ES256"), BadToken::Key),
        ("alg", json!("RS384"), BadToken::Signature),
        ("alg", Value::Null, BadToken::Algorithm),
        ("alg", json!(["RS256"]), BadToken::Algorithm),
        ("kid", json!("other"), BadToken::Key),
        ("kid", json!("ec"), BadToken::Key),
        ("kid", json!("shared"), BadToken::Key),
        ("kid", json!("../../dev/null"), BadToken::Key),
        ("kid", json!(1), BadToken::Header),
        ("typ", json!("at+jwt"), BadToken::Header),
        ("typ", json!("logout+jwt"), BadToken::Header),
        ("typ", json!(1), BadToken::Header),
        ("crit", json!(["exp"]), BadToken::Header),
        ("jku", json!("https://evil.example/keys"), BadToken::Header),
        (
            "jwk",
            json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
            BadToken::Header,
        ),
        ("x5u", json!("https://evil.example/cert"), BadToken::Header),
        ("x5c", json!(["MII"]), BadToken::Header),
    ];
    for (name, value, why) in cases {
        let header = with(header(), &[(*name, value.clone())]);
        let token = signed(&header, &claims(), &rsa(), Algorithm::RS256);
        assert_eq!(judged(&token), Err(*why), "{name}: {value}");
    }
}

#[test]
fn no_signature_but_the_issuers_own_counts() {
    let own = token_of(&[]);
    let by_foreign = signed(&header(), &claims(), &foreign(), Algorithm::RS256);
    assert_eq!(judged(&by_foreign), Err(BadToken::Signature));
    // The public key, taken for a shared secret.
    for alg in ["HS256", "RS256"] {
        let header = with(header(), &[("alg", json!(alg))]);
        for secret in [RSA_N.as_bytes(), b"", CLIENT.as_bytes()] {
            let token = signed(
                &header,
                &claims(),
                &EncodingKey::from_secret(secret),
                Algorithm::HS256,
            );
            assert!(judged(&token).is_err(), "{alg}");
        }
    }
    let (signed_part, signature) = own.rsplit_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "JWT"}).to_string());
    let body = signed_part.split_once('.').unwrap().1;
    let other = token_of(&[("sub", json!("s-2"))]);
    for bad in [
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{signed_part}."),
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0),
        signed_part.to_owned(),
        own[1..].to_owned(),
        own[..own.len() - 4].to_owned(),
        format!("{own}."),
        format!("{own}.{signature}"),
        format!(" {own}"),
        own.replace('.', ".."),
        String::new(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(1_000_000),
        token_of(&[("pad", json!("x".repeat(20_000)))]),
    ] {
        let shown: String = bad.chars().take(60).collect();
        assert!(judged(&bad).is_err(), "{shown}");
    }
    for at in (0..own.len()).step_by(7) {
        let mut changed = own.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(changed == own || judged(&changed).is_err(), "{at}");
    }
}

#[test]
fn clocks_may_differ_by_a_minute_and_not_by_ten() {
    let token = token_of(&[]);
    for seconds in [-60, -30, 0, 30, 60] {
        assert!(
            judged_at(&token, NOW.plus_ms(seconds * 1_000)).is_ok(),
            "{seconds}"
        );
    }
    assert_eq!(judged_at(&token, NOW.plus_ms(-600_000)), Err(BadToken::Future));
    assert_eq!(
        judged_at(&token, NOW.plus_ms(600_000)),
        Err(BadToken::Old),
        "made before this sign-in began"
    );
    assert_eq!(judged_at(&token, NOW.plus_ms(660_000)), Err(BadToken::Over));
}

#[test]
fn a_token_that_is_brought_along_needs_no_nonce_and_must_be_young() {
    let token = token_of(&[("nonce", Value::Null), ("exp", json!(NOW.unix_seconds() + 3_600))]);
    assert!(brought(&token, NOW).is_ok());
    assert!(brought(&token, NOW.plus_ms(600_000)).is_ok());
    assert_eq!(brought(&token, NOW.plus_ms(700_000)), Err(BadToken::Old));
    assert_eq!(brought(&token, NOW.plus_ms(-600_000)), Err(BadToken::Future));
}

#[test]
fn names_of_people_are_shown_without_tricks() {
    let name = |name: Value| judged(&token_of(&[("name", name)])).unwrap().name;
    assert_eq!(name(json!(" A\u{0}n\r\na ")).as_deref(), Some("Ana"));
    assert_eq!(name(json!("   ")), None);
    assert_eq!(name(json!("x".repeat(500))).unwrap().len(), 200);
}
