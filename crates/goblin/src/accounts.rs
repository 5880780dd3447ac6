//! Accounts put together: from the configuration and the data directory to an [`Identity`], and the link for the first
//! account.

use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_auth::access_token::SigningKeys;
use goblin_auth::identity::{Identity, Parts};
use goblin_auth::local::{LocalMode, Surroundings};
use goblin_auth::post::{self, Patience};
use goblin_auth::visit::Premises;
use goblin_server::people::People;
use goblin_store::data_dir::DataPaths;
use goblin_store::error::StoreError;
use goblin_store::private_file::write_private;
use goblin_store::retention::Retention;
use goblin_store::store::Store;
use secrecy::{ExposeSecret, SecretString};

use crate::client;
use crate::config::Config;
use crate::output::Output;
use crate::wiring::{self, Process};

/// How often what is over is removed.
const SWEEP_PERIOD: Duration = Duration::from_secs(600);
/// How long a sign-in that is over is kept, so that it can still be told from one that never was.
const KEEP_SESSIONS_MS: i64 = 7 * 86_400_000;
/// The same for links.
const KEEP_LINKS_MS: i64 = 30 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Largest key file that is read, in bytes.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// Who may come in at `address`: people with accounts and, until there is one and nobody else can reach this machine,
/// whoever sits at it.
///
/// # Errors
///
/// When the database cannot be read, or keys are missing that every copy must know.
pub(crate) async fn people(
    process: &Process,
    store: &Store,
    paths: &DataPaths,
    address: SocketAddr,
) -> anyhow::Result<People> {
    let config = &process.config;
    let has_account = store.has_account().await?;
    let local = local_mode(config, has_account, address.port());
    let keys = match &config.auth.keys {
        Some(given) => Some(given.clone()),
        None if !store.database().is_shared() => Some(kept_keys(paths).await?),
        None if local.is_ok() => None,
        None => bail!(
            "Accounts on PostgreSQL need a signing key that every copy knows. Set JWT_SECRET_KEY to at least 32 random \
             bytes; `openssl rand -base64 48` makes some"
        ),
    };
    let (letter_box, carrier) = config.mail.as_ref().map(|_| post::open()).unzip();
    let identity = Identity::new(Parts {
        store: store.clone(),
        clock: process.clock.clone(),
        keys,
        premises: Premises {
            proxies: config.server.trusted_proxies.clone(),
            origins: config.server.frontend_url.clone(),
            preview: config.server.preview.clone(),
        },
        page_url: page_url(config, address),
        settings: config.auth.settings.clone(),
        post: letter_box,
    });
    if let (Some(mailer), Some(carrier)) = (config.mail.clone(), carrier) {
        let carried = carrier.carry(identity.clone(), mailer, Patience::default());
        let draining = process.draining.clone();
        process
            .tracker
            .spawn(async move { draining.run_until_cancelled(carried).await });
    }
    sweep(process, store);
    match &local {
        Ok(_) => {}
        Err(reasons) if has_account => tracing::info!(reasons = reasons.join(" "), "people sign in"),
        Err(reasons) => tracing::info!(
            reasons = reasons.join(" "),
            "local mode is off, so the first account has to be made"
        ),
    }
    Ok(People {
        identity,
        local: local.ok(),
    })
}

fn local_mode(config: &Config, has_account: bool, port: u16) -> Result<LocalMode, Vec<String>> {
    let surroundings = Surroundings {
        bind: config.server.address.ip(),
        has_account,
        frontend_url: !config.server.frontend_url.is_empty(),
        trusted_proxies: !config.server.trusted_proxies.is_empty(),
        origin_secret: config.server.origin_secret.is_some(),
    };
    LocalMode::decide(&surroundings, port)
}

/// Where people find the page.
pub(crate) fn page_url(config: &Config, address: SocketAddr) -> String {
    let elsewhere = config.server.frontend_url.first();
    elsewhere.cloned().unwrap_or_else(|| client::base_url(address))
}

/// Where local mode is off and there is no account: makes the link for the first one, prints it to a terminal or leaves
/// it in a private file.
///
/// # Errors
///
/// When it cannot be kept or written.
pub(crate) async fn offer_setup(people: &People, paths: &DataPaths, output: Output) -> anyhow::Result<()> {
    let path = paths.first_link();
    if people.local.is_some() || people.identity.has_account().await {
        // A link left there is of no use any more.
        let _ = tokio::fs::remove_file(&path).await;
        return Ok(());
    }
    let link = people.identity.make_setup_link().await?;
    if std::io::stdout().is_terminal() {
        output.line(format_args!(
            "Make the owner's account here, within a day (the link is good once):\n  {}",
            link.expose_secret()
        ));
        return Ok(());
    }
    let shown = path.display().to_string();
    tokio::task::spawn_blocking(move || {
        write_private(&path, format!("{}\n", link.expose_secret()).as_bytes())
    })
    .await?
    .with_context(|| format!("{shown} cannot be written"))?;
    tracing::warn!(
        path = shown,
        "made the link for the owner's account; read it there, within a day"
    );
    Ok(())
}

/// What was left of people who have gone, and what was written of them late; one copy for all.
async fn erase_gone(store: &Store) -> Result<(), StoreError> {
    if store.take_chore("erasure").await? {
        store.erase_gone().await?;
        store.finish_chore("erasure", HOUR_MS).await?;
    }
    Ok(())
}

/// What is older than it is to be kept, once a day; one copy for all.
async fn remove_old(store: &Store, retention: Retention) -> Result<(), StoreError> {
    if retention == Retention::default() || !store.take_chore("retention").await? {
        return Ok(());
    }
    let swept = store.remove_old(retention).await?;
    let (chats, usage, audit) = (swept.chats, swept.usage, swept.audit);
    if chats + usage + audit > 0 {
        tracing::info!(chats, usage, audit, "removed what was older than it is kept");
    }
    store
        .finish_chore("retention", if swept.more { 0 } else { DAY_MS })
        .await
}

/// The keys of the data directory, made when absent.
async fn kept_keys(paths: &DataPaths) -> anyhow::Result<SigningKeys> {
    let path = paths.signing_key();
    let shown = path.display().to_string();
    let secret = tokio::task::spawn_blocking(move || read_or_make(&path)).await?;
    let secret = secret.with_context(|| format!("the signing key {shown}"))?;
    SigningKeys::new(&secret, &[]).with_context(|| format!("the signing key {shown}"))
}

fn read_or_make(path: &Path) -> anyhow::Result<SecretString> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_KEY_FILE_BYTES => bail!("it is too large to be one of ours"),
        Ok(_) => return Ok(std::fs::read_to_string(path)?.trim().to_owned().into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let made = SigningKeys::make()?;
    write_private(path, format!("{}\n", made.expose_secret()).as_bytes())?;
    Ok(made)
}

/// Removes now and then what is over, what is too old, and what is left of those who have gone.
fn sweep(process: &Process, store: &Store) {
    let store = store.clone();
    let retention = process.config.retention;
    wiring::repeat(process, SWEEP_PERIOD, move || {
        let store = store.clone();
        async move {
            if let Err(error) = erase_gone(&store).await {
                tracing::warn!(%error, "what is left of people who have gone could not be erased");
            }
            if let Err(error) = remove_old(&store, retention).await {
                tracing::warn!(%error, "what is older than it is to be kept could not be removed");
            }
            if let Err(error) = store.delete_ended_sessions(KEEP_SESSIONS_MS).await {
                tracing::warn!(%error, "sign-ins that are over could not be removed");
            }
            if let Err(error) = store.delete_ended_links(KEEP_LINKS_MS).await {
                tracing::warn!(%error, "links that are over could not be removed");
            }
        }
    });
}
