//! `goblin users list | invite | export | delete | reset`: for whoever may read the database, also while a goblin runs on it.

use std::path::Path;
use std::pin::pin;

use anyhow::{Context, bail};
use futures_util::{Stream, StreamExt};
use goblin_auth::email::Email;
use goblin_auth::identity::{Identity, Parts};
use goblin_auth::throttle::Throttle;
use goblin_auth::visit::Premises;
use goblin_core::account::Role;
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::id::Ids;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;
use goblin_store::error::StoreError;
use goblin_store::store::{Database, Store, StoreOptions};
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;

use crate::accounts::{self, page_url};
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
        Users::Export { email, out } => export(&store, config, email, out, output).await,
        Users::Delete { email, yes } => delete(&store, config, email, *yes, output).await,
        Users::Invite { email, role } => invite(&store, config, email, (*role).into(), output).await,
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
///
/// # Errors
///
/// When a client for providers cannot be set up.
pub(crate) fn identity(store: &Store, config: &Config) -> anyhow::Result<Identity> {
    Ok(Identity::new(Parts {
        store: store.clone(),
        clock: Clock::System,
        keys: None,
        premises: Premises::default(),
        page_url: page_url(config, config.server.address),
        relying_party: None,
        settings: config.auth.settings.clone(),
        federation: accounts::federation(config, config.server.address, &Clock::System)?,
        post: None,
        throttle: Throttle::memory(Clock::System),
    }))
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

async fn export(
    store: &Store,
    config: &Config,
    email: &str,
    out: &Path,
    output: Output,
) -> anyhow::Result<()> {
    let owner = identity(store, config)?
        .owner_of(&parsed(email)?)
        .await
        .map_err(said)?;
    let shown = out.display();
    let mut file = new_private(out)
        .await
        .with_context(|| format!("{shown} cannot be made"))?;
    let written = write_pieces(&mut file, pin!(store.export(&owner))).await;
    if let Err(error) = written {
        // Half an archive is of no use to anybody.
        let _ = tokio::fs::remove_file(out).await;
        return Err(error).with_context(|| format!("{shown} cannot be written"));
    }
    output.line(format_args!("Everything kept of {email} is in {shown}."));
    Ok(())
}

/// A new file that only its owner can read. One that is there is not touched.
async fn new_private(path: &Path) -> std::io::Result<tokio::fs::File> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await
}

async fn write_pieces(
    file: &mut tokio::fs::File,
    mut pieces: impl Stream<Item = Result<Vec<u8>, StoreError>> + Unpin,
) -> anyhow::Result<()> {
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece?).await?;
    }
    file.sync_all().await?;
    Ok(())
}

async fn delete(
    store: &Store,
    config: &Config,
    email: &str,
    yes: bool,
    output: Output,
) -> anyhow::Result<()> {
    let email = parsed(email)?;
    let identity = identity(store, config)?;
    identity.owner_of(&email).await.map_err(said)?;
    if !yes {
        bail!(
            "This ends the account of {} and erases its chats, traces and sign-ins for good. `goblin users export` takes \
             them along first. Add --yes to do it.",
            email.typed()
        );
    }
    let was = identity.delete_here(&email).await.map_err(said)?;
    output.line(format_args!(
        "The account of {} is gone, with everything of it.",
        was.email
    ));
    Ok(())
}

fn parsed(email: &str) -> anyhow::Result<Email> {
    Email::parse(email).map_err(said)
}

fn said(error: ApiError) -> anyhow::Error {
    anyhow::anyhow!("{}", error.message)
}

async fn invite(
    store: &Store,
    config: &Config,
    email: &str,
    role: Role,
    output: Output,
) -> anyhow::Result<()> {
    let (made, letter) = identity(store, config)?
        .invite_here(&parsed(email)?, role)
        .await
        .map_err(said)?;
    output.line(made.url.expose_secret());
    let until = made.expires_at.to_rfc3339();
    match &config.mail {
        None => complain(format_args!(
            "The link is good once, until {until}. It is not sent to anybody: no mail server is set (SMTP_URL)."
        )),
        Some(mailer) => match mailer.send(&letter).await {
            Ok(()) => complain(format_args!(
                "It was sent to {email} as well. It is good once, until {until}."
            )),
            Err(error) => bail!("The link above is good once, until {until}, but it was not sent: {error}"),
        },
    }
    Ok(())
}

async fn reset(store: &Store, config: &Config, email: &str, output: Output) -> anyhow::Result<()> {
    let made = identity(store, config)?
        .make_reset_link_here(&parsed(email)?)
        .await
        .map_err(said)?;
    output.line(made.url.expose_secret());
    complain(format_args!(
        "The link is good once, until {}. It is not sent to anybody.",
        made.expires_at.to_rfc3339()
    ));
    Ok(())
}
