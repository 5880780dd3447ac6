//! Where chats are stored.

use goblin_store::store::Database;
use std::time::Duration;

use super::*;

const URL: (&str, &str) = ("DATABASE_URL", "postgres://u:hunter2@h:6432/d?sslmode=require");
const DIRECT: (&str, &str) = ("DATABASE_DIRECT_URL", "postgres://u:hunter3@h:5432/d");

#[test]
fn an_address_of_postgres_selects_it_with_its_limits() {
    let environment = home(&[
        URL,
        DIRECT,
        ("GOBLIN_DATABASE__CONNECTIONS", "3"),
        ("GOBLIN_DATABASE__TRANSACTION_POOLING", "true"),
        ("GOBLIN_DATABASE__WAIT_SECONDS", "7"),
    ]);
    let loaded = load(&environment, &Request::default()).unwrap();
    let Database::Postgres(postgres) = &loaded.config.database else {
        panic!("{}", loaded.config.database);
    };
    assert_eq!(postgres.to_string(), "h:6432/d");
    assert!(postgres.pooled);
    assert_eq!(
        (postgres.connections, postgres.patience),
        (3, Duration::from_secs(7))
    );
    assert!(loaded.notices.is_empty(), "{:?}", loaded.notices);
    assert!(!format!("{:?}", loaded.config).contains("hunter"));
}

#[test]
fn both_addresses_can_come_from_files_and_are_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("url");
    std::fs::write(&secret, format!("{}\n", URL.1)).unwrap();
    let environment = home(&[("DATABASE_URL_FILE", secret.to_str().unwrap()), DIRECT]);
    let mut written = Written::read(&environment, &Request::default());
    let config = check(&mut written, &environment).unwrap();
    assert!(config.database.is_shared());
    for as_json in [false, true] {
        let shown = print(&written, as_json, true);
        assert!(!shown.contains("hunter") && !shown.contains("6432"), "{shown}");
        assert_eq!(shown.matches("(hidden)").count(), 2, "{shown}");
    }
}

#[test]
fn a_direct_address_without_postgres_or_of_another_kind_is_refused() {
    for (url, direct, says) in [
        ("", DIRECT.1, "names no PostgreSQL"),
        ("sqlite:/d/g.db", DIRECT.1, "names no PostgreSQL"),
        (URL.1, "postgres://u:hunter3@h", "no database"),
    ] {
        let environment = home(&[("DATABASE_URL", url), ("DATABASE_DIRECT_URL", direct)]);
        let all = problems("", &environment);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(
            all[0].contains("database.direct_url") && all[0].contains(says),
            "{all:?}"
        );
        assert!(!all[0].contains("hunter"), "{all:?}");
    }
}
