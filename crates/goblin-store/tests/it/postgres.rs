//! What only a server can do: be away, refuse, speak TLS, end connections.

use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_store::error::StoreError;
use goblin_store::postgres::Postgres;
use goblin_store::store::{Database, Store, StoreOptions};

use crate::cluster::PASSWORD;
use crate::desk::{Desk, authority, cluster, new_authority};

async fn open(address: &str) -> Result<Store, StoreError> {
    Store::open(StoreOptions {
        database: Database::parse(address)?,
        clock: Clock::System,
        ids: Ids::Random,
    })
    .await
}

/// Why an address does not work: a sentence of the operator's, without the password.
async fn refusal(address: &str) -> String {
    let error = open(address).await.expect_err("refused");
    assert!(matches!(error, StoreError::CannotConnect { .. }), "{error:?}");
    let sentence = error.to_string();
    assert!(
        sentence.contains("DATABASE_URL") || sentence.contains("database"),
        "{sentence}"
    );
    for secret in [PASSWORD, "hunter2"] {
        assert!(
            !sentence.contains(secret) && !format!("{error:?}").contains(secret),
            "{sentence}"
        );
    }
    assert!(!ApiError::from(error).message.contains("127.0.0.1"));
    sentence
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let sentence = refusal(&format!("postgres://u:hunter2@{free}/d")).await;
    assert!(
        sentence.contains(&format!("{free}/d")) && sentence.contains("Start the server"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let cluster = cluster();
    let wrong = format!("postgres://postgres:hunter2@127.0.0.1:{}/postgres", cluster.port);
    let sentence = refusal(&wrong).await;
    assert!(
        sentence.contains("password") && sentence.contains("Correct user"),
        "{sentence}"
    );
    let sentence = refusal(&cluster.address("nothing_here")).await;
    assert!(
        sentence.contains("nothing_here") && sentence.contains("createdb"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_is_told_the_right_it_lacks() {
    let cluster = cluster();
    let database = cluster.new_database();
    cluster.sql(
        &database,
        "CREATE ROLE guest LOGIN PASSWORD 'hunter2'; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    let address = format!("postgres://guest:hunter2@127.0.0.1:{}/{database}", cluster.port);
    let error = open(&address).await.expect_err("refused").to_string();
    assert!(error.contains("GRANT CREATE"), "{error}");
}

#[tokio::test]
async fn a_certificate_is_checked_as_far_as_the_address_says() {
    let cluster = cluster();
    let database = cluster.new_database();
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.pem");
    let other = folder.path().join("other.pem");
    std::fs::write(&ours, &authority().root).unwrap();
    std::fs::write(&other, new_authority().root).unwrap();
    // The certificate is for `localhost`.
    let by_address = cluster.address(&database);
    let by_name = by_address.replace("127.0.0.1", "localhost");
    for (address, mode, encrypted) in [
        (&by_address, "sslmode=disable".to_owned(), "f"),
        (&by_address, "sslmode=prefer".to_owned(), "t"),
        (&by_address, "sslmode=require".to_owned(), "t"),
        (
            &by_address,
            format!("sslmode=verify-ca&sslrootcert={}", ours.display()),
            "t",
        ),
        (
            &by_name,
            format!("sslmode=verify-full&sslrootcert={}", ours.display()),
            "t",
        ),
    ] {
        let name = format!(
            "goblin-{}",
            mode.chars().filter(char::is_ascii_lowercase).collect::<String>()
        );
        let name: String = name.chars().take(40).collect();
        let store = open(&format!("{address}?{mode}&application_name={name}"))
            .await
            .unwrap();
        store.ping().await.unwrap();
        let seen = cluster.sql(
            "postgres",
            &format!(
                "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '{name}'"
            ),
        );
        assert_eq!(seen, encrypted, "{mode}");
        store.close().await;
    }
    for (address, mode) in [
        (
            &by_address,
            format!("sslmode=verify-full&sslrootcert={}", ours.display()),
        ),
        (
            &by_name,
            format!("sslmode=verify-full&sslrootcert={}", other.display()),
        ),
        (
            &by_name,
            format!("sslmode=verify-ca&sslrootcert={}", other.display()),
        ),
        (&by_name, "sslmode=verify-full".to_owned()),
    ] {
        let sentence = refusal(&format!("{address}?{mode}")).await;
        assert!(sentence.contains("sslrootcert"), "{mode}: {sentence}");
    }
}

#[tokio::test]
async fn migrations_go_past_the_proxy_where_a_way_is_given() {
    let cluster = cluster();
    let pooler = cluster.pooler();
    let name = cluster.new_database();
    let database = |direct: &str| {
        let pooled = Postgres::parse(&format!("{}?pgbouncer=true", pooler.address(&name))).unwrap();
        let mut pooled = pooled.with_direct(direct).unwrap();
        pooled.patience = std::time::Duration::from_millis(500);
        StoreOptions {
            database: Database::Postgres(Box::new(pooled)),
            clock: Clock::System,
            ids: Ids::Random,
        }
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nowhere = format!("postgres://u:hunter2@{free}/{name}");
    let said = Store::open(database(&nowhere))
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        said.contains("DATABASE_DIRECT_URL") && said.contains(&free.to_string()) && !said.contains("hunter2"),
        "{said}"
    );
    Store::open(database(&cluster.address(&name)))
        .await
        .unwrap()
        .ping()
        .await
        .unwrap();
    let up_to_date = Store::open(database(&nowhere)).await.unwrap();
    up_to_date.ping().await.unwrap();
}

#[tokio::test]
async fn connections_that_the_server_ends_are_made_again() {
    let desk = Desk::on_postgres().await;
    let chat = desk.chat().await;
    let place = desk.store.database().to_string();
    let name = place.rsplit('/').next().unwrap();
    let end_all = format!(
        "SELECT COUNT(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    assert_ne!(cluster().sql("postgres", &end_all), "0");
    assert!(
        desk.store
            .find_chat(&desk.owner, &chat.id)
            .await
            .unwrap()
            .is_some()
    );
    desk.chat().await;
}

#[tokio::test]
async fn a_lock_held_too_long_is_answered_with_try_again() {
    use std::io::{BufRead, Write};
    let desk = Desk::on_postgres().await;
    let chat = desk.chat().await;
    let place = desk.store.database().to_string();
    let name = place.rsplit('/').next().unwrap();
    let mut holder = cluster()
        .psql(name)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = holder.stdin.take().unwrap();
    writeln!(input, "BEGIN; SELECT id FROM chats FOR UPDATE;").unwrap();
    let mut said = String::new();
    std::io::BufReader::new(holder.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert_eq!(said.trim(), chat.id, "the row is locked");

    let Database::Postgres(postgres) = desk.store.database() else {
        unreachable!()
    };
    let mut hasty = postgres.clone();
    hasty.patience = std::time::Duration::from_millis(300);
    let store = Store::open(StoreOptions {
        database: Database::Postgres(hasty),
        clock: desk.clock.clone(),
        ids: Ids::Random,
    })
    .await
    .unwrap();
    let error = store
        .delete_chat(&desk.owner, &chat.id)
        .await
        .expect_err("locked");
    assert!(matches!(error, StoreError::Busy), "{error:?}");
    drop(input);
    holder.wait().unwrap();
    store.delete_chat(&desk.owner, &chat.id).await.unwrap();
}
