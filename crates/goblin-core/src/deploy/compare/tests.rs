use super::*;

fn check(targets: &Targets) -> Vec<Mismatch> {
    super::check(targets, None)
}

fn secret(text: &str) -> Secret {
    Secret::Value(text.into())
}

/// Three targets that agree.
fn agreeing() -> Targets {
    let shared = secret("0123456789abcdef0123456789abcdef");
    let key = secret("a key of the models' machine that is long enough");
    Targets {
        page: Page {
            url: "https://chat.example.org".into(),
            backend: "https://goblin-backend.onrender.com".into(),
            origin_secret: shared.clone(),
            ..Page::default()
        },
        backend: Backend {
            url: "https://goblin-backend.onrender.com".into(),
            plan: "Starter".into(),
            frontend_url: "https://chat.example.org".into(),
            origin_secret: shared.clone(),
            database_url: secret("postgres://db"),
            redis_url: secret("redis://cache"),
            copies: 2,
            jwt_secret_key: shared.clone(),
            settings_encryption_key: secret("k1:AAAA"),
            local_llm_proxy_url: "https://models.example.org".into(),
            local_llm_api_key: key.clone(),
            google_client_id: "id".into(),
            google_redirect_uri: "https://chat.example.org/auth/google/callback".into(),
            ..Backend::default()
        },
        models: Models {
            domain: "models.example.org".into(),
            listen: String::new(),
            key,
            allow: vec!["203.0.113.0/24".into()],
            memory_gib: 8.0,
            roster_gib: [("phi3:3.8b".to_owned(), 2.4), ("gemma:2b".to_owned(), 1.7)].into(),
        },
    }
}

#[test]
fn targets_that_agree_have_no_mismatch() {
    assert_eq!(check(&agreeing()), []);
    let mut private = agreeing();
    private.models.domain = String::new();
    private.models.listen = "10.0.0.2".into();
    private.backend.local_llm_proxy_url = "http://10.0.0.2:8002".into();
    assert_eq!(check(&private), []);
    let mut direct = agreeing();
    direct.page.backend = String::new();
    direct.page.vite_api_url = "https://goblin-backend.onrender.com".into();
    assert_eq!(check(&direct), []);
    (direct.page.origin_secret, direct.backend.origin_secret) = (Secret::None, Secret::None);
    assert_eq!(
        check(&direct),
        [],
        "nobody is between the browser and the backend"
    );
    let mut near = agreeing();
    near.models.domain = String::new();
    near.models.listen = "::1".into();
    near.backend.local_llm_proxy_url = "http://[::1]:8002/".into();
    assert_eq!(check(&near), []);
    let mut several = agreeing();
    several.backend.local_llm_proxy_url = "https://other.example.org, https://models.example.org".into();
    let own = several.models.key.value().unwrap().to_owned();
    several.backend.local_llm_api_key = secret(&format!("the key of the other one, {own}"));
    assert_eq!(check(&several), []);
    let mut sealed = agreeing();
    sealed.backend.jwt_secret_key = Secret::None;
    assert_eq!(
        check(&sealed),
        [],
        "signing keys are kept under SETTINGS_ENCRYPTION_KEY"
    );
}

#[test]
fn the_routes_of_the_page_are_held_against_the_backend() {
    let mut targets = agreeing();
    targets.page.vercel_json = "web/vercel.json".into();
    targets.page.backend = String::new();
    let shipped = include_str!("../../../../../web/vercel.json");
    assert_eq!(super::check(&targets, Some(shipped)), []);
    let stale = shipped.replace("goblin-backend.onrender", "goblin-before.onrender");
    let found = super::check(&targets, Some(&stale));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].key, "page.vercel_json");
    assert!(
        found[0]
            .fix
            .contains("set_backend.py https://goblin-backend.onrender.com"),
        "{found:?}"
    );
    targets.page.vercel_json = String::new();
    assert_eq!(
        check(&targets)[0].key,
        "page.vercel_json",
        "nothing says where they lead"
    );
}

#[test]
fn each_mismatch_is_found_alone_and_named_by_its_key() {
    type Change = fn(&mut Targets);
    let cases: [(&str, Change); 30] = [
        ("page.url", |t| t.page.url = String::new()),
        ("page.url", |t| t.page.url = "chat.example.org".into()),
        ("page.backend", |t| {
            t.page.backend = "https://goblin-backend-old.onrender.com".into()
        }),
        ("page.backend", |t| {
            t.page.backend = "https://goblin-backend.onrender.com/api".into()
        }),
        ("page.vite_api_url", |t| {
            t.page.vite_api_url = "https://elsewhere.example.org".into()
        }),
        ("backend.frontend_url", |t| {
            t.backend.frontend_url = "https://chat.example.org/".into()
        }),
        ("backend.frontend_url", |t| {
            t.backend.frontend_url = "https://www.example.org".into()
        }),
        ("backend.frontend_url", |t| {
            t.backend.frontend_url = "https://x.vercel.app, https://chat.example.org".into()
        }),
        ("backend.frontend_url", |t| t.backend.frontend_url = String::new()),
        ("backend.google_redirect_uri", |t| {
            t.backend.google_redirect_uri = String::new()
        }),
        ("backend.google_redirect_uri", |t| {
            t.backend.google_redirect_uri = "https://goblin-backend.onrender.com/auth/google/callback".into();
        }),
        ("backend.origin_secret", |t| t.page.origin_secret = Secret::None),
        ("backend.origin_secret", |t| {
            t.backend.origin_secret = secret("another secret of thirty-two bytes and more")
        }),
        ("backend.origin_secret", |t| {
            (t.page.origin_secret, t.backend.origin_secret) = (Secret::None, Secret::None)
        }),
        ("backend.settings_encryption_key", |t| {
            t.backend.settings_encryption_key = secret(" ")
        }),
        ("backend.database_url", |t| t.backend.database_url = Secret::None),
        ("backend.database_url", |t| {
            t.backend.database_url = secret("sqlite:/data/goblin.db")
        }),
        ("backend.redis_url", |t| t.backend.redis_url = Secret::None),
        ("backend.plan", |t| t.backend.plan = "Tiny".into()),
        ("backend.plan", |t| t.backend.plan = "free".into()),
        ("backend.local_llm_proxy_url", |t| {
            t.backend.local_llm_proxy_url = "https://model.example.org".into()
        }),
        ("backend.local_llm_proxy_url", |t| {
            t.backend.local_llm_proxy_url = "http://models.example.org".into()
        }),
        ("backend.local_llm_proxy_url", |t| {
            t.backend.local_llm_proxy_url = "https://models.example.org/v1".into()
        }),
        ("backend.local_llm_proxy_url", |t| {
            t.backend.local_llm_proxy_url = "https://models.example.org?key=1".into()
        }),
        ("backend.local_llm_api_key", |t| {
            t.backend.local_llm_api_key = secret("another key that is long enough as well")
        }),
        ("models.key", |t| t.models.key = Secret::None),
        ("models.allow", |t| t.models.allow = vec!["0.0.0.0/1".into()]),
        ("models.allow", |t| t.models.allow = vec!["render".into()]),
        ("models.key", |t| {
            (t.models.key, t.backend.local_llm_api_key) = (secret("short"), secret("short"))
        }),
        ("models.memory_gib", |t| t.models.memory_gib = 4.0),
    ];
    for (key, change) in cases {
        let mut targets = agreeing();
        change(&mut targets);
        let found = check(&targets);
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert_eq!(found[0].key, key, "{found:?}");
        assert!(
            !found[0].problem.is_empty() && found[0].fix.ends_with('.'),
            "{found:?}"
        );
    }
}

#[test]
fn everything_is_said_at_once_and_no_secret_of_it() {
    let mut targets = agreeing();
    targets.page.origin_secret = secret("the page's own, which nobody may see");
    targets.backend.settings_encryption_key = Secret::None;
    targets.models.key = secret("the key nobody may see");
    targets.models.allow.clear();
    let found = check(&targets);
    assert_eq!(found.len(), 4, "{found:?}");
    let said = format!("{found:?} {targets:?}");
    for hidden in ["nobody may see", "long enough"] {
        assert!(!said.contains(hidden), "{said}");
    }
}
