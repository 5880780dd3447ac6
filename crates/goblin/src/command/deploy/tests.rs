use super::*;

const EXAMPLE: &str = include_str!("../../../../../deploy/targets.example.toml");

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// The keys of what is found in the example with `change` made to it, sorted.
fn keys(change: impl FnOnce(&mut Map<String, Value>)) -> Vec<String> {
    let mut settings: Map<String, Value> = toml::from_str(EXAMPLE).unwrap();
    change(&mut settings);
    let found = check(&settings, &folder());
    for one in &found {
        assert!(
            !one.problem.is_empty() && one.fix.ends_with(['.', '?']),
            "{one:?}"
        );
        assert!(
            !one.problem.contains("CANARY") && !one.fix.contains("CANARY"),
            "{one:?}"
        );
    }
    let mut keys: Vec<String> = found.into_iter().map(|one| one.key).collect();
    keys.sort();
    keys
}

fn set(section: &'static str, key: &'static str, value: &'static str) -> impl Fn(&mut Map<String, Value>) {
    move |settings| {
        settings[section][key] = value.into();
    }
}

#[test]
fn the_example_agrees() {
    assert_eq!(keys(|_| ()), Vec::<String>::new());
}

#[test]
fn what_the_backend_alone_would_refuse_is_found_before_it_is_deployed() {
    let cases: [(&str, &str, &str); 21] = [
        (
            "preview_origin_pattern",
            "https://*.vercel.app",
            "preview_origin_pattern",
        ),
        (
            "preview_origin_pattern",
            "http://goblin-*-team.vercel.app",
            "preview_origin_pattern",
        ),
        (
            "preview_origin_pattern",
            "https://goblin-*.vercel.app",
            "preview_origin_pattern",
        ),
        (
            "preview_origin_pattern",
            "https://goblin-*-team.vercel.app/x",
            "preview_origin_pattern",
        ),
        ("jwt_secret_key", "CANARY short", "jwt_secret_key"),
        ("jwt_standby_key", "CANARY short", "jwt_standby_key"),
        ("settings_encryption_key", "CANARY", "settings_encryption_key"),
        ("settings_encryption_key", "k1:CANARY", "settings_encryption_key"),
        ("database_url", "mysql://u:CANARY@db/goblin", "database_url"),
        ("redis_url", "memcached://u:CANARY@cache", "redis_url"),
        ("trusted_proxies", "10.0.0.7/8", "trusted_proxies"),
        ("google_client_id", "id", "google_client_secret"),
        ("google_client_secret", "CANARY", "google_client_id"),
        (
            "google_redirect_uri",
            "https://chat.example.org/auth/google/callback",
            "google_client_id",
        ),
        ("oidc_issuer", "https://id.example.org", "oidc_client_id"),
        ("oidc_client_id", "id", "oidc_issuer"),
        ("oidc_client_secret", "CANARY", "oidc_issuer"),
        ("oidc_issuer", "https://u:CANARY@id.example.org", "oidc_issuer"),
        ("smtp_url", "smtp://u:CANARY@mail.example.org", "mail_from"),
        ("smtp_url", "http://u:CANARY@mail.example.org", "smtp_url"),
        (
            "local_llm_api_key",
            "CANARY one, CANARY two, CANARY three",
            "local_llm_api_key",
        ),
    ];
    for (key, value, wanted) in cases {
        let found = keys(set("backend", key, value));
        let wanted = format!("backend.{wanted}");
        assert!(found.contains(&wanted), "{key}={value}: {found:?}");
    }
}

#[test]
fn a_half_set_google_is_named_whole() {
    let found = keys(set("backend", "google_client_id", "id"));
    assert_eq!(
        found,
        ["backend.google_client_secret", "backend.google_redirect_uri"]
    );
}

#[test]
fn each_setting_is_reported_once_and_nothing_hides_another() {
    let found = keys(|settings| {
        settings["backend"]["frontend_url"] = "https://u:CANARY@chat.example.org, chat".into();
        settings["backend"]["jwt_secret_kye"] = "CANARY".into();
        settings["backend"]["mail_from"] = 7.into();
        settings["page"]["vercel_json"] = "nowhere/vercel.json".into();
        settings["models"]["key"] = json!({"file": "nowhere/key"});
        settings["models"]["allow"] = json!(["0.0.0.0/1", "128.0.0.0/1", "render"]);
    });
    let wanted = [
        "backend.frontend_url",
        "backend.frontend_url",
        "backend.jwt_secret_kye",
        "backend.mail_from",
        "models.allow",
        "models.allow",
        "models.allow",
        "models.key",
        "page.vercel_json",
    ];
    assert_eq!(found, wanted);
}
