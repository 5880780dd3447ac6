//! Who else vouches for people: all of it set or none, and nothing half.

use secrecy::ExposeSecret;

use super::*;

fn federation(given: &[(&str, &str)]) -> crate::config::check::FederationConfig {
    let loaded = load(&home(given), &Request::default()).unwrap();
    assert!(loaded.notices.is_empty(), "{:?}", loaded.notices);
    loaded.config.auth.federation
}

#[test]
fn nobody_vouches_unless_somebody_is_named() {
    let none = federation(&[]);
    assert!(none.google.is_none() && none.oidc.is_empty() && none.supabase.is_none());
}

#[test]
fn google_and_several_providers_are_taken_by_their_names() {
    let all = federation(&[
        ("GOOGLE_CLIENT_ID", "g-id"),
        ("GOOGLE_CLIENT_SECRET", "g-secret"),
        (
            "GOOGLE_REDIRECT_URI",
            "https://chat.example.org/auth/google/callback",
        ),
        (
            "OIDC_ISSUER",
            "https://id.example.org, http://127.0.0.1:9000/realm",
        ),
        ("OIDC_CLIENT_ID", "a,b"),
        ("OIDC_CLIENT_SECRET", "s,t"),
        ("GOBLIN_AUTH__OIDC_NAME", "Example"),
    ]);
    assert_eq!(all.google.unwrap().client_id, "g-id");
    let found: Vec<_> = all
        .oidc
        .iter()
        .map(|one| {
            (
                one.id.as_str(),
                one.name.as_str(),
                one.client_secret.expose_secret(),
            )
        })
        .collect();
    assert_eq!(found, [("oidc", "Example", "s"), ("oidc-2", "127.0.0.1", "t")]);
    assert_eq!(all.oidc[1].callback(), "/auth/oidc/oidc-2/callback");
}

#[test]
fn variables_that_are_set_by_half_are_named_at_once() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (&[("GOOGLE_CLIENT_ID", "x")], &["auth.google_client_secret"]),
        (&[("GOOGLE_CLIENT_SECRET", "x")], &["auth.google_client_id"]),
        (
            &[(
                "GOOGLE_REDIRECT_URI",
                "https://c.example.org/auth/google/callback",
            )],
            &["auth.google_client_id", "auth.google_client_secret"],
        ),
        (
            &[("OIDC_ISSUER", "https://id.example.org")],
            &["auth.oidc_client_id", "auth.oidc_client_secret"],
        ),
        (
            &[("OIDC_CLIENT_SECRET", "x")],
            &["auth.oidc_issuer", "auth.oidc_client_id"],
        ),
        (
            &[
                ("OIDC_ISSUER", "https://a.example.org,https://b.example.org"),
                ("OIDC_CLIENT_ID", "a,b"),
                ("OIDC_CLIENT_SECRET", "s"),
            ],
            &["auth.oidc_client_secret"],
        ),
        (
            &[("SUPABASE_ANON_KEY", "sb_publishable_x")],
            &["auth.supabase_anon_key"],
        ),
        (
            &[("SUPABASE_JWT_SECRET", "a secret of at least thirty-two bytes")],
            &["auth.supabase_jwt_secret"],
        ),
        (
            &[("SUPABASE_SERVICE_ROLE_KEY", "sb_secret_x")],
            &["auth.supabase_service_role_key"],
        ),
    ];
    for (given, expected) in cases {
        let all = problems("", &home(given));
        assert_eq!(all.len(), expected.len(), "{given:?}: {all:?}");
        for key in *expected {
            assert!(all.iter().any(|p| p.starts_with(key)), "{key}: {all:?}");
        }
    }
}

#[test]
fn addresses_and_keys_that_do_not_serve_are_refused_by_name() {
    const GOOGLE: [(&str, &str); 2] = [("GOOGLE_CLIENT_ID", "x"), ("GOOGLE_CLIENT_SECRET", "y")];
    let oidc = |issuer: &'static str| {
        vec![
            ("OIDC_ISSUER", issuer),
            ("OIDC_CLIENT_ID", "x"),
            ("OIDC_CLIENT_SECRET", "y"),
        ]
    };
    let with = |mut all: Vec<(&'static str, &'static str)>, one| {
        all.push(one);
        all
    };
    let cases = [
        (
            with(
                GOOGLE.to_vec(),
                ("GOOGLE_REDIRECT_URI", "https://c.example.org/callback"),
            ),
            "auth.google_redirect_uri",
        ),
        (
            with(
                GOOGLE.to_vec(),
                ("GOOGLE_REDIRECT_URI", "http://c.example.org/auth/google/callback"),
            ),
            "auth.google_redirect_uri",
        ),
        (
            with(GOOGLE.to_vec(), ("FRONTEND_URL", "http://chat.example.org")),
            "auth.google_client_id",
        ),
        (oidc("http://id.example.org"), "auth.oidc_issuer"),
        (oidc("id.example.org"), "auth.oidc_issuer"),
        (oidc("https://id.example.org?tenant=1"), "auth.oidc_issuer"),
        (
            vec![
                ("SUPABASE_URL", "https://p.supabase.co"),
                ("SUPABASE_ANON_KEY", "sb_secret_x"),
            ],
            "auth.supabase_anon_key",
        ),
        (
            vec![
                ("SUPABASE_URL", "https://p.supabase.co"),
                ("SUPABASE_ANON_KEY", "x"),
            ],
            "auth.supabase_anon_key",
        ),
        (
            vec![
                ("SUPABASE_URL", "https://p.supabase.co"),
                ("SUPABASE_JWT_SECRET", "short"),
            ],
            "auth.supabase_jwt_secret",
        ),
        (
            vec![
                ("SUPABASE_URL", "https://p.supabase.co"),
                ("SUPABASE_SERVICE_ROLE_KEY", "sb_publishable_x"),
            ],
            "auth.supabase_service_role_key",
        ),
        (
            vec![("SUPABASE_URL", "http://p.supabase.co")],
            "auth.supabase_url",
        ),
    ];
    for (given, key) in cases {
        let all = problems("", &home(&given));
        assert!(all.len() == 1 && all[0].starts_with(key), "{given:?}: {all:?}");
        assert!(!all[0].contains("sb_secret_x"), "{all:?}");
    }
    let old = federation(&[
        ("SUPABASE_URL", "https://p.supabase.co"),
        // {"role":"anon"}
        ("SUPABASE_ANON_KEY", "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.x"),
    ]);
    assert!(old.supabase.is_some());
}
