//! A database with something in every table, and everything that is in one, as text, read past the store.

use std::collections::BTreeMap;

use goblin_core::account::{LinkKind, Role};
use goblin_core::clock::Clock;
use goblin_core::event::Usage;
use goblin_core::feedback::{FeedbackChange, Rating};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::api_keys::NewApiKey;
use goblin_store::responses::KeepResponses;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::traces::NewTrace;
use goblin_store::turns::Parent;
use goblin_store::usage::NewUsage;
use sqlx::Row;
use sqlx::sqlite::SqlitePool;

use crate::accounts::{self, deed};
use crate::desk::{Desk, cluster, complete};
use crate::identities;
use crate::keys;
use crate::passkeys;
use crate::traces::trace;

/// The columns of each table, with their types as SQLite writes them.
pub(crate) type Columns = BTreeMap<String, Vec<(String, String)>>;
/// The rows of each table, each as one text, sorted.
pub(crate) type Content = BTreeMap<String, Vec<String>>;

pub(crate) fn options(database: &Database) -> StoreOptions {
    StoreOptions {
        database: database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    }
}

/// Text that needs care: quotes, line ends, other alphabets, what SQL and JSON and COPY treat in a way of their own.
pub(crate) const AWKWARD: &str =
    "it's \"quoted\"\r\n\t\\N \\ {\"a\":[null]} $1 ?1 -- ü 漢字 👩‍👩‍👧 \u{202e}\u{0}\u{7f}";

/// The same without what PostgreSQL has no text for.
pub(crate) const AWKWARD_ID: &str = "it's a \\N $1 -- 漢字";

/// Puts something into every table. The turn that runs has a process; the others have ended.
pub(crate) async fn fill(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let other = Owner {
        tenant: "others".into(),
        user: "someone".into(),
    };
    store.insert_owner(&other, Some("Émile")).await.unwrap();
    let chat = desk.chat().await;
    let first = desk.ask(&chat, Parent::Head, AWKWARD).await;
    let usage = || NewUsage {
        request_id: "r".into(),
        door: "chats".into(),
        tokens: Usage::default(),
        ..NewUsage::default()
    };
    store
        .finish_turn(owner, complete(&first, AWKWARD), Some(usage()))
        .await
        .unwrap();
    let again = desk.ask(&chat, Parent::beside(&first), AWKWARD).await;
    // A child, and one more below it: rows that point at rows of their own table.
    for question in ["deeper", "deeper still", "running"] {
        desk.ask(&chat, Parent::Head, question).await;
    }
    crate::attachments::ask_with_file(desk, &chat).await;
    store.insert_usage(&other, usage()).await.unwrap();
    crate::money::spend(desk).await;
    let kept = NewTrace {
        request_id: "r".into(),
        turn: Some(first.id.clone()),
        trace: trace(desk, "t-1"),
    };
    store.insert_trace(owner, &kept).await.unwrap();
    let response = crate::responses::response("resp_1", None, AWKWARD);
    store
        .insert_response(owner, &response, KeepResponses::default())
        .await
        .unwrap();
    let said = FeedbackChange {
        rating: Some(Some(Rating::Down)),
        better_turn: Some(Some(again.id)),
        comment: Some(Some(AWKWARD.into())),
        ..FeedbackChange::default()
    };
    store.update_label(owner, &first.id, said).await.unwrap();
    let account = accounts::first(desk).await.owner;
    let invited = accounts::link(desk, LinkKind::Invitation, "invitation");
    store
        .insert_link(&account, &invited, &deed("invitation.made"))
        .await
        .unwrap();
    store
        .insert_team(&account.tenant, "Reds", Some(&account), &deed("team.made"))
        .await
        .unwrap();
    store.take_chore("sweep").await.unwrap();
    for session in [
        accounts::browser(desk, "cookie"),
        accounts::program(desk, "refresh"),
    ] {
        store
            .insert_session(&account, &session, &deed("session.begun"))
            .await
            .unwrap();
    }
    store
        .insert_identity(&account, &identities::identity("s-1"), &deed("identity.linked"))
        .await
        .unwrap();
    let gone = accounts::another(desk, "gone@example.org", Role::Viewer)
        .await
        .owner;
    let there = identities::identity("s-gone");
    store
        .insert_identity(&gone, &there, &deed("identity.linked"))
        .await
        .unwrap();
    store
        .delete_account(&gone, Some(&there.issuer), &deed("account.deleted"))
        .await
        .unwrap();
    store.insert_flow(&identities::flow(desk, "state")).await.unwrap();
    let ends = desk.clock.now().plus_ms(accounts::HOUR_MS);
    assert!(store.insert_presented_token("token", ends).await.unwrap());
    let key = passkeys::passkey("credential");
    store
        .insert_passkey(&account, &key, &deed("passkey.made"))
        .await
        .unwrap();
    let begun = passkeys::ceremony(desk, &account, Some("session"));
    store.insert_ceremony("ceremony", &begun).await.unwrap();
    for (id, expires_at) in [("aaaaaaaa", None), ("bbbbbbbb", Some(desk.clock.now()))] {
        let key = NewApiKey {
            expires_at,
            ..keys::api_key(id)
        };
        store
            .insert_api_key(&account, &key, &deed("key.made"))
            .await
            .unwrap();
    }
    store
        .put_provider_key(
            &keys::provider_key(desk, AWKWARD_ID, 1),
            &deed("provider_key.set"),
        )
        .await
        .unwrap();
    store
        .put_provider_settings(
            &keys::provider_settings(desk, AWKWARD_ID),
            &deed("provider.changed"),
        )
        .await
        .unwrap();
    store
        .insert_first_signing_keys(&keys::signing_key("k1"), &keys::signing_key("k2"))
        .await
        .unwrap();
}

/// What the migrations up to `version` make, without the record of them.
pub(crate) async fn columns_at(version: i64) -> Columns {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::File(folder.path().join("columns.db"));
    let store = Store::open_as_it_is(options(&database)).await.unwrap();
    store.migrate_up(Some(version)).await.unwrap();
    store.close().await;
    let file = SqlitePool::connect(&format!("sqlite:{database}")).await.unwrap();
    let rows = sqlx::query(
        "SELECT m.name AS place, c.name AS name, c.type AS kind FROM sqlite_master m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE '\\_%' ESCAPE '\\'",
    )
    .fetch_all(&file)
    .await
    .unwrap();
    file.close().await;
    let mut columns = Columns::new();
    for row in rows {
        let column = (row.get("name"), row.get("kind"));
        columns.entry(row.get("place")).or_default().push(column);
    }
    columns
}

/// Everything in these columns.
pub(crate) async fn content(database: &Database, columns: &Columns) -> Content {
    let mut all = Content::new();
    for (table, columns) in columns {
        let mut rows = match database {
            Database::Postgres(_) => of_server(database, table, columns),
            file => of_file(&file.to_string(), table, columns).await,
        };
        rows.sort();
        all.insert(table.clone(), rows);
    }
    all
}

async fn of_file(file: &str, table: &str, columns: &[(String, String)]) -> Vec<String> {
    let texts = columns.iter().map(|(name, kind)| match kind.as_str() {
        "BOOLEAN" => format!("COALESCE(CASE \"{name}\" WHEN 1 THEN 'true' WHEN 0 THEN 'false' END, 'NULL')"),
        "BLOB" => format!("COALESCE(lower(hex(\"{name}\")), 'NULL')"),
        _ => format!("COALESCE(CAST(\"{name}\" AS TEXT), 'NULL')"),
    });
    let line = texts.collect::<Vec<_>>().join(" || '|' || ");
    let open = SqlitePool::connect(&format!("sqlite:{file}")).await.unwrap();
    let query = sqlx::AssertSqlSafe(format!("SELECT lower(hex({line})) FROM \"{table}\""));
    let rows = sqlx::query_scalar(query).fetch_all(&open).await.unwrap();
    open.close().await;
    rows
}

fn of_server(database: &Database, table: &str, columns: &[(String, String)]) -> Vec<String> {
    let texts = columns.iter().map(|(name, kind)| match kind.as_str() {
        "BLOB" => format!("COALESCE(encode(\"{name}\", 'hex'), 'NULL')"),
        _ => format!("COALESCE(\"{name}\"::TEXT, 'NULL')"),
    });
    let line = texts.collect::<Vec<_>>().join(" || '|' || ");
    let statement = format!("SELECT encode(convert_to({line}, 'UTF8'), 'hex') FROM \"{table}\"");
    let said = cluster().sql(&name_of(database), &statement);
    said.lines().map(str::to_owned).collect()
}

/// The name of a server's database.
pub(crate) fn name_of(database: &Database) -> String {
    let place = database.to_string();
    place.rsplit('/').next().unwrap().to_owned()
}

/// Runs a statement past the store.
pub(crate) async fn tamper(database: &Database, statement: &'static str) {
    match database {
        Database::Postgres(_) => {
            cluster().sql(&name_of(database), statement);
        }
        other => {
            let file = SqlitePool::connect(&format!("sqlite:{other}")).await.unwrap();
            sqlx::raw_sql(statement).execute(&file).await.unwrap();
            file.close().await;
        }
    }
}
