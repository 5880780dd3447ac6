use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::super::testing::{NOW, RSA_N, ec, foreign, key_set, rsa, signed, with};
use super::*;

const URL: &str = "https://project.supabase.co/";
const SECRET: &str = "the old shared secret of a project";

async fn project(with_secret: bool) -> Supabase {
    let settings = SupabaseSettings {
        url: URL.into(),
        public_key: None,
        jwt_secret: with_secret.then(|| SECRET.to_owned().into()),
        admin_key: None,
    };
    let supabase = Supabase::build(&settings, Clock::manual(NOW)).unwrap();
    supabase.keys.get(async { Ok(key_set()) }).await.unwrap();
    supabase
}

fn claims() -> Value {
    let now = NOW.unix_seconds();
    json!({"iss": "https://project.supabase.co/auth/v1", "sub": "0197-s", "aud": "authenticated",
           "role": "authenticated", "exp": now + 3_600, "iat": now, "email": "me@example.org",
           "is_anonymous": false, "user_metadata": {"email_verified": true}})
}

fn by_ec(changes: &[(&str, Value)]) -> String {
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "ec"});
    signed(&header, &with(claims(), changes), &ec(), Algorithm::ES256)
}

fn by_secret(secret: &[u8], changes: &[(&str, Value)]) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let key = EncodingKey::from_secret(secret);
    signed(&header, &with(claims(), changes), &key, Algorithm::HS256)
}

fn why(result: Result<(String, Option<String>), Fault>) -> Option<BadToken> {
    match result {
        Ok(_) => None,
        Err(Fault::Token(why)) => Some(why),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tokens_of_people_are_taken_by_the_projects_keys_and_by_its_old_secret_only_when_configured() {
    let (plain, legacy) = (project(false).await, project(true).await);
    for project in [&plain, &legacy] {
        let (subject, email) = project.check(&by_ec(&[])).await.unwrap();
        assert_eq!(
            (subject.as_str(), email.as_deref()),
            ("0197-s", Some("me@example.org"))
        );
        let by_rsa = signed(
            &json!({"alg": "RS256", "kid": "rsa"}),
            &claims(),
            &rsa(),
            Algorithm::RS256,
        );
        assert!(project.check(&by_rsa).await.is_ok());
    }
    let old = by_secret(SECRET.as_bytes(), &[]);
    assert!(legacy.check(&old).await.is_ok());
    assert_eq!(why(plain.check(&old).await), Some(BadToken::Algorithm));
}

#[tokio::test]
async fn keys_of_programs_strangers_and_anybody_elses_tokens_are_refused() {
    let project = project(true).await;
    let now = NOW.unix_seconds();
    let cases: &[(&str, Value, BadToken)] = &[
        ("role", json!("anon"), BadToken::Role),
        ("role", json!("service_role"), BadToken::Role),
        ("role", json!("supabase_admin"), BadToken::Role),
        ("role", json!(""), BadToken::Role),
        ("role", Value::Null, BadToken::Claims),
        ("is_anonymous", json!(true), BadToken::Role),
        ("iss", json!("supabase"), BadToken::Issuer),
        (
            "iss",
            json!("https://other.supabase.co/auth/v1"),
            BadToken::Issuer,
        ),
        (
            "iss",
            json!("https://project.supabase.co/auth/v1/"),
            BadToken::Issuer,
        ),
        ("aud", json!("anon"), BadToken::Audience),
        ("aud", json!(["authenticated", "other"]), BadToken::Audience),
        ("aud", Value::Null, BadToken::Claims),
        ("exp", json!(now - 61), BadToken::Over),
        ("iat", json!(now + 600), BadToken::Future),
        ("sub", json!(""), BadToken::Claims),
        ("sub", Value::Null, BadToken::Claims),
    ];
    for (name, value, expected) in cases {
        for token in [
            by_ec(&[(*name, value.clone())]),
            by_secret(SECRET.as_bytes(), &[(*name, value.clone())]),
        ] {
            assert_eq!(
                why(project.check(&token).await),
                Some(*expected),
                "{name}: {value}"
            );
        }
    }
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_the_secret_nor_the_secret_for_a_key() {
    let project = project(true).await;
    for secret in [RSA_N.as_bytes(), b"", b"another secret"] {
        let token = by_secret(secret, &[]);
        assert_eq!(why(project.check(&token).await), Some(BadToken::Signature));
    }
    let header = json!({"alg": "ES256", "kid": "ec"});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let crossed = signed(&header, &claims(), &key, Algorithm::HS256);
    assert_eq!(why(project.check(&crossed).await), Some(BadToken::Signature));
    let foreign = signed(
        &json!({"alg": "RS256", "kid": "rsa"}),
        &claims(),
        &foreign(),
        Algorithm::RS256,
    );
    assert_eq!(why(project.check(&foreign).await), Some(BadToken::Signature));
    for none in ["none", "None", ""] {
        let header = json!({"alg": none});
        let token = signed(&header, &claims(), &key, Algorithm::HS256);
        assert_eq!(why(project.check(&token).await), Some(BadToken::Algorithm));
    }
    let long = format!("sb_secret_{}", "x".repeat(100_000));
    for no_token in ["sb_secret_abc", "sb_publishable_abc", "", "a.b.c", long.as_str()] {
        assert!(project.check(no_token).await.is_err(), "{no_token}");
        assert!(!project.is_named_by(no_token));
    }
    assert!(project.is_named_by(&by_ec(&[])));
    assert!(!project.is_named_by(&by_ec(&[("iss", json!("goblin"))])));
    assert!(!format!("{project:?}").contains(SECRET));
}

#[test]
fn old_and_new_keys_are_told_apart_by_what_they_may() {
    let old = |role: &str| by_secret(b"x", &[("role", json!(role)), ("iss", json!("supabase"))]);
    for public in ["sb_publishable_abc".to_owned(), old("anon")] {
        assert!(is_public_key(&public) && !is_admin_key(&public), "{public}");
    }
    for admin in ["sb_secret_abc".to_owned(), old("service_role")] {
        assert!(is_admin_key(&admin) && !is_public_key(&admin), "{admin}");
    }
    for neither in ["", "abc", "a.b.c", "sb_other_abc"] {
        assert!(!is_admin_key(neither) && !is_public_key(neither), "{neither}");
    }
}
