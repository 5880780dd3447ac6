//! Accounts put together: from the configuration and the data directory to an [`Identity`], and the link for the first
//! account.

use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_auth::access_token::SigningKeys;
use goblin_auth::identity::{Identity, Parts};
use goblin_auth::local::{LocalMode, Surroundings};
use goblin_auth::oidc::{Federation, Kind, Provider, ProviderSettings, Supabase};
use goblin_auth::passkey::RelyingParty;
use goblin_auth::post::{self, Patience};
use goblin_auth::sealing::KeyRing;
use goblin_auth::signing_keys::{self, SigningKeysError};
use goblin_auth::throttle::Throttle;
use goblin_auth::vault::Vault;
use goblin_auth::visit::Premises;
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_server::people::People;
use goblin_server::rate::Limits;
use goblin_store::data_dir::DataPaths;
use goblin_store::error::StoreError;
use goblin_store::private_file::write_private;
use goblin_store::rate_limits::{RateLimiter, RedisLimiter};
use goblin_store::retention::Retention;
use goblin_store::store::Store;
use secrecy::{ExposeSecret, SecretString};

use crate::client;
use crate::config::{Config, GOOGLE_CALLBACK};
use crate::output::Output;
use crate::wiring::{self, Process};

/// How often it is looked whether another process has changed keys.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
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
    let ring = master_keys(process, store, paths).await?;
    let keys = match (&config.auth.keys, &ring) {
        (Some(given), _) => Some(given.clone()),
        (None, Some(ring)) => Some(sealed_keys(process, store, paths, ring).await?),
        (None, None) if local.is_ok() => None,
        (None, None) => bail!(
            "Accounts on PostgreSQL need a signing key that every copy knows. Set JWT_SECRET_KEY to at least 32 random \
             bytes (`openssl rand -base64 48` makes some), or SETTINGS_ENCRYPTION_KEY, under which goblin keeps keys of its \
             own in the database"
        ),
    };
    let limiter = limiter(process)?;
    let (letter_box, carrier) = config.mail.as_ref().map(|_| post::open()).unzip();
    let identity = Identity::new(Parts {
        store: store.clone(),
        clock: process.clock.clone(),
        keys,
        premises: Premises {
            proxies: config.server.trusted_proxies.clone(),
            origins: config.server.frontend_url.clone(),
            preview: config.server.preview.clone(),
            origin_secret: config.server.origin_secret.clone(),
        },
        page_url: page_url(config, address),
        settings: config.auth.settings.clone(),
        federation: federation(config, address, &process.clock)?,
        relying_party: relying_party(config, address),
        post: letter_box,
        throttle: Throttle::new(
            limiter.clone(),
            process.clock.clone(),
            config.limits.settings.sign_ins_without_redis,
        ),
    });
    if let (Some(mailer), Some(carrier)) = (config.mail.clone(), carrier) {
        let carried = carrier.carry(identity.clone(), mailer, Patience::default());
        let draining = process.draining.clone();
        process
            .tracker
            .spawn(async move { draining.run_until_cancelled(carried).await });
    }
    sweep(process, store, &identity);
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
        limits: Some(Limits::new(
            config.limits.settings,
            limiter,
            process.clock.clone(),
        )),
        vault: Vault::new(store.clone(), process.clock.clone(), ring),
    })
}

/// Where it is counted how often people may ask, and try.
fn limiter(process: &Process) -> anyhow::Result<RateLimiter> {
    Ok(match &process.config.limits.redis {
        Some(address) => RateLimiter::Redis(RedisLimiter::new(address.clone())?),
        None => RateLimiter::memory(process.clock.clone()),
    })
}

/// The master keys: those that were given, or on one box those of the data directory, made when absent.
async fn master_keys(process: &Process, store: &Store, paths: &DataPaths) -> anyhow::Result<Option<KeyRing>> {
    if let Some(given) = &process.config.auth.ring {
        return Ok(Some(given.clone()));
    }
    if store.database().is_shared() {
        return Ok(None);
    }
    let path = paths.master_keys();
    let ring = kept_ring(&path).await?;
    let shared = ring.clone();
    wiring::repeat(process, LOOK_PERIOD, move || {
        let (path, shared) = (path.clone(), shared.clone());
        async move {
            match kept_ring(&path).await {
                Ok(found) => shared.replace(&found),
                Err(error) => tracing::warn!(%error, "the master keys stay as they were"),
            }
        }
    });
    Ok(Some(ring))
}

/// The master keys of a file, made when absent.
///
/// # Errors
///
/// When it cannot be read or made, or holds something else.
pub(crate) async fn kept_ring(path: &Path) -> anyhow::Result<KeyRing> {
    let (shown, path) = (path.display().to_string(), path.to_owned());
    let text = tokio::task::spawn_blocking(move || read_or_make(&path, || KeyRing::make("first"))).await?;
    let text = text.with_context(|| format!("the master keys {shown}"))?;
    KeyRing::parse(&text).with_context(|| format!("the master keys {shown}"))
}

/// The signing keys of the database, made when there are none; looked at again now and then, because another process
/// may change them.
async fn sealed_keys(
    process: &Process,
    store: &Store,
    paths: &DataPaths,
    ring: &KeyRing,
) -> anyhow::Result<SigningKeys> {
    // Where a release before this one kept its key.
    let old = paths.signing_key();
    let before = kept_key(&old).await?;
    let loaded = signing_keys::load_or_make(store, ring, before.clone()).await;
    let keys = match loaded {
        Err(SigningKeysError::Unopened(..)) if !store.database().is_shared() => {
            // A database put back from a backup, without the master keys it was sealed with.
            tracing::warn!(
                "the signing keys do not open with this machine's master keys; made others, so programs sign in again"
            );
            store.delete_signing_keys().await?;
            signing_keys::load_or_make(store, ring, None).await?
        }
        Err(SigningKeysError::Short(short)) => {
            return Err(short).with_context(|| format!("the signing key {}", old.display()));
        }
        other => other?,
    };
    if before.is_some() {
        // It is in the database now.
        let _ = tokio::fs::remove_file(&old).await;
    }
    let (store, ring, shared) = (store.clone(), ring.clone(), keys.clone());
    wiring::repeat(process, LOOK_PERIOD, move || {
        let (store, ring, shared) = (store.clone(), ring.clone(), shared.clone());
        async move {
            if let Err(error) = signing_keys::reload(&store, &ring, &shared).await {
                tracing::warn!(%error, "the signing keys stay as they were");
            }
        }
    });
    Ok(keys)
}

/// The key a release before this one left in the data directory.
async fn kept_key(path: &Path) -> anyhow::Result<Option<SecretString>> {
    let (shown, path) = (path.display().to_string(), path.to_owned());
    let read = tokio::task::spawn_blocking(move || read_secret(&path)).await?;
    read.with_context(|| format!("the signing key {shown}"))
}

/// Who else vouches for people. `address` is where this goblin listens; nobody is asked yet.
///
/// # Errors
///
/// When a client for them cannot be set up.
pub(crate) fn federation(config: &Config, address: SocketAddr, clock: &Clock) -> anyhow::Result<Federation> {
    let page = page_url(config, address);
    let page = page.trim_end_matches('/');
    let named = &config.auth.federation;
    let google = named.google.iter().map(|google| ProviderSettings {
        id: "google".to_owned(),
        name: "Google".to_owned(),
        kind: Kind::Google,
        issuer: ProviderSettings::GOOGLE.to_owned(),
        client_id: google.client_id.clone(),
        client_secret: google.client_secret.clone(),
        redirect_uri: google
            .redirect_uri
            .clone()
            .unwrap_or_else(|| format!("{page}{GOOGLE_CALLBACK}")),
    });
    let others = named.oidc.iter().map(|other| ProviderSettings {
        id: other.id.clone(),
        name: other.name.clone(),
        kind: Kind::Other,
        issuer: other.issuer.clone(),
        client_id: other.client_id.clone(),
        client_secret: other.client_secret.clone(),
        redirect_uri: format!("{page}{}", other.callback()),
    });
    let providers = google
        .chain(others)
        .map(|settings| Ok(Arc::new(Provider::build(settings, clock.clone())?)))
        .collect::<anyhow::Result<_>>()?;
    let supabase = named.supabase.as_ref();
    let supabase = supabase.map(|settings| Supabase::build(settings, clock.clone()).map(Arc::new));
    Ok(Federation {
        providers,
        supabase: supabase.transpose().context("Supabase")?,
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

/// Who asks for passkeys, where browsers have them.
fn relying_party(config: &Config, address: SocketAddr) -> Option<RelyingParty> {
    RelyingParty::of(&config.server.frontend_url, address.port())
        .inspect_err(|reason| tracing::info!(reason, "there are no passkeys"))
        .ok()
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
async fn erase_gone(store: &Store, identity: &Identity) -> Result<(), StoreError> {
    if store.take_chore("erasure").await? {
        store.erase_gone().await?;
        identity.remove_elsewhere().await?;
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

/// A secret in a file; `None`: there is no such file.
fn read_secret(path: &Path) -> anyhow::Result<Option<SecretString>> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_KEY_FILE_BYTES => bail!("it is too large to be one of ours"),
        Ok(_) => Ok(Some(std::fs::read_to_string(path)?.trim().to_owned().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_or_make(
    path: &Path,
    make: impl Fn() -> Result<SecretString, ApiError>,
) -> anyhow::Result<SecretString> {
    if let Some(found) = read_secret(path)? {
        return Ok(found);
    }
    let made = make()?;
    write_private(path, format!("{}\n", made.expose_secret()).as_bytes())?;
    Ok(made)
}

/// Removes now and then what is over, what is too old, and what is left of those who have gone.
fn sweep(process: &Process, store: &Store, identity: &Identity) {
    let (store, identity) = (store.clone(), identity.clone());
    let retention = process.config.retention;
    wiring::repeat(process, SWEEP_PERIOD, move || {
        let (store, identity) = (store.clone(), identity.clone());
        async move {
            if let Err(error) = erase_gone(&store, &identity).await {
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
            if let Err(error) = store.delete_unused_attachments(DAY_MS).await {
                tracing::warn!(%error, "files that no question names could not be removed");
            }
            if let Err(error) = store.delete_ended_flows().await {
                tracing::warn!(%error, "sign-ins that did not come back could not be removed");
            }
            if let Err(error) = store.delete_ended_ceremonies().await {
                tracing::warn!(%error, "passkeys nobody showed in time could not be removed");
            }
        }
    });
}
