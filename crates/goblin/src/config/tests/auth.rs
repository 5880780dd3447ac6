//! Accounts: how long things are good, what hashing costs, keys.

use super::*;

const KEY: &str = "a key of more than thirty-two bytes";

#[test]
fn accounts_have_their_defaults_and_no_key_unless_one_is_given() {
    let auth = load(&home(&[]), &Request::default()).unwrap().config.auth;
    assert!(auth.keys.is_none() && !auth.settings.registration_open);
    assert_eq!(auth.settings.session_idle.as_secs(), 7 * 86_400);
    assert_eq!(auth.settings.session_lifetime.as_secs(), 30 * 86_400);
    assert_eq!(auth.settings.token_lifetime.as_secs(), 600);
    assert_eq!(
        (auth.settings.hash_cost.memory_kib, auth.settings.hash_cost.passes),
        (19_456, 2)
    );
}

#[test]
fn keys_are_honoured_by_their_names_and_short_or_stray_ones_refused() {
    for given in [
        &[("JWT_SECRET_KEY", KEY)][..],
        &[("JWT_CURRENT_KEY", KEY)],
        &[("JWT_CURRENT_KEY", KEY), ("JWT_STANDBY_KEY", KEY)],
        &[("JWT_SECRET_KEY", KEY), ("JWT_CURRENT_KEY", KEY)],
    ] {
        let loaded = load(&home(given), &Request::default()).unwrap();
        assert!(
            loaded.config.auth.keys.is_some() && loaded.notices.is_empty(),
            "{given:?}"
        );
    }
    for (given, key) in [
        (&[("JWT_SECRET_KEY", "short")][..], "auth.jwt_secret_key"),
        (
            &[("JWT_CURRENT_KEY", KEY), ("JWT_STANDBY_KEY", "short")],
            "auth.jwt_standby_key",
        ),
        (&[("JWT_STANDBY_KEY", KEY)], "auth.jwt_standby_key"),
    ] {
        let all = problems("", &home(given));
        assert!(
            all.len() == 1 && all[0].contains(key) && !all[0].contains("short)"),
            "{all:?}"
        );
    }
}

#[test]
fn hashing_that_is_too_cheap_and_a_pattern_that_is_too_wide_are_refused() {
    let all = problems(
        "[server]\npreview_origin_pattern = \"https://*.vercel.app\"\n[auth]\nhash_memory_kib = 8192\nhash_passes = 1\n",
        &home(&[]),
    );
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(
        all.iter()
            .any(|p| p.contains("auth.hash_passes") && p.contains("36864")),
        "{all:?}"
    );
    assert!(
        all.iter().any(|p| p.contains("server.preview_origin_pattern")),
        "{all:?}"
    );
    let cheaper = load(
        &home(&[
            ("GOBLIN_AUTH__HASH_MEMORY_KIB", "12288"),
            ("GOBLIN_AUTH__HASH_PASSES", "3"),
        ]),
        &Request::default(),
    );
    assert!(cheaper.is_ok());
    let proxies = problems(
        "[server]\ntrusted_proxies = [\"10.0.0.5/8\", \"render\"]\n",
        &home(&[]),
    );
    assert_eq!(proxies.len(), 2, "{proxies:?}");
}
