//! `goblin users list | reset`: for whoever may read the database, also while a goblin runs on it.

use anyhow::bail;
use goblin_auth::email::Email;
use goblin_auth::identity::{Identity, Parts};
use goblin_auth::oidc::Federation;
use goblin_auth::visit::Premises;
use goblin_core::clock::Clock;
use goblin_core::id::Ids;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;
use goblin_store::store::{Database, Store, StoreOptions};
use secrecy::ExposeSecret;

use crate::accounts::page_url;
use crate::cli::Users;
use crate::config::Config;
use crate::output::{Output, complain};

/// Runs the command.
///
/// # Errors
///
/// When there is no database or no such account, and sentences of the store.
pub(crate) async fn run(command: &Users, config: &Config, output: Output) -> anyhow::Result<bool> {
    let store = open(config).await?;
    let outcome = match command {
        Users::List { json } => list(&store, *json, output).await,
        Users::Reset { email } => reset(&store, config, email, output).await,
    };
    store.close().await;
    outcome.map(|()| true)
}

/// The database as this release knows it.
///
/// # Errors
///
/// When there is none yet, or it is older.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Store> {
    if let Database::File(path) = &config.database
        && !path.exists()
    {
        bail!(
            "There is no database at {} yet. The first start makes it.",
            path.display()
        );
    }
    let options = StoreOptions {
        database: config.database.clone(),
        clock: Clock::System,
        ids: Ids::Random,
    };
    let store = Store::open_as_it_is(options).await?;
    if store.migration_status().await?.iter().any(|m| !m.applied) {
        bail!("The database is older than this release. Start goblin, or run `goblin migrate up`, first.");
    }
    Ok(store)
}

/// Accounts for commands, which sign nobody in.
pub(crate) fn identity(store: &Store, config: &Config) -> Identity {
    Identity::new(Parts {
        store: store.clone(),
        clock: Clock::System,
        keys: None,
        premises: Premises::default(),
        page_url: page_url(config, config.server.address),
        relying_party: None,
        settings: config.auth.settings.clone(),
        federation: Federation::default(),
    })
}

async fn list(store: &Store, as_json: bool, output: Output) -> anyhow::Result<()> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store
            .list_accounts(Owner::LOCAL_TENANT, cursor.as_deref(), MAX_PAGE)
            .await?;
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if as_json {
        output.json(&all);
        return Ok(());
    }
    if all.is_empty() {
        output.line("There is no account yet. The first one is made by the set-up link, or in the page.");
        return Ok(());
    }
    let rows = all.into_iter().map(|account| {
        let state = if account.disabled_at.is_some() {
            "shut out"
        } else {
            "good"
        };
        let name = account.name.unwrap_or_default();
        vec![
            account.email,
            name,
            account.role.as_str().to_owned(),
            state.to_owned(),
        ]
    });
    output.table(&["E-MAIL", "NAME", "ROLE", "STATE"], rows.collect());
    Ok(())
}

async fn reset(store: &Store, config: &Config, email: &str, output: Output) -> anyhow::Result<()> {
    let email = Email::parse(email).map_err(|error| anyhow::anyhow!("{}", error.message))?;
    let identity = identity(store, config);
    let made = identity
        .make_reset_link_here(&email)
        .await
        .map_err(|error| anyhow::anyhow!("{}", error.message))?;
    output.line(made.url.expose_secret());
    complain(format_args!(
        "The link is good once, until {}. It is not sent to anybody.",
        made.expires_at.to_rfc3339()
    ));
    Ok(())
}
