//! `goblin keys create | list | revoke`: for whoever may read the database, also while a goblin runs on it.

use std::io::IsTerminal;

use anyhow::bail;
use goblin_auth::email::Email;
use goblin_auth::identity::{Identity, KeyWish};
use goblin_core::account::{Account, Role};
use goblin_core::api_key::{ApiKey, Budget};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::error::ApiError;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;
use goblin_store::store::Store;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::cli::{ApiKeys, CreateApiKey, Expiry};
use crate::command::users;
use crate::config::Config;
use crate::output::{Output, complain};

/// Runs the command.
///
/// # Errors
///
/// When there is no database, account or key of that name, and sentences of the store.
pub(crate) async fn run(command: &ApiKeys, config: &Config, output: Output) -> anyhow::Result<bool> {
    let store = users::open(config).await?;
    let identity = users::identity(&store, config)?;
    let outcome = match command {
        ApiKeys::Create(new) => create(&store, &identity, new, output).await,
        ApiKeys::List { json } => list(&store, *json, output).await,
        ApiKeys::Revoke { id, json } => revoke(&store, &identity, id, *json, output).await,
    };
    store.close().await;
    outcome.map(|()| true)
}

fn said(error: ApiError) -> anyhow::Error {
    anyhow::anyhow!("{}", error.message)
}

async fn create(
    store: &Store,
    identity: &Identity,
    new: &CreateApiKey,
    output: Output,
) -> anyhow::Result<()> {
    let owner = owner(store, new.user.as_deref()).await?;
    let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    #[allow(
        clippy::cast_possible_truncation,
        reason = "saturates, and is bounded where it is checked"
    )]
    let budget = new.budget.map(|usd| Budget {
        nano_usd: (usd * 1e9).round() as i64,
        period: new.budget_period,
    });
    let wish = KeyWish {
        name: new.name.clone(),
        scopes: new.scope.clone(),
        models: some(new.model.clone()),
        networks: some(new.from.iter().map(ToString::to_string).collect()),
        budget,
        requests_per_minute: new.requests_per_minute,
        concurrent: new.concurrent,
        expires_at: new.expires.map(|expiry| match expiry {
            Expiry::After(time) => {
                let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                Clock::System.now().plus_ms(ms)
            }
            Expiry::At(moment) => moment,
        }),
    };
    let made = identity.make_api_key_here(&owner, wish).await.map_err(said)?;
    let key = made.secret.expose_secret();
    if new.json {
        output.json(&json!({"key": key, "api_key": made.key}));
        return Ok(());
    }
    complain(format_args!(
        "made `{}`; the key is shown this once:",
        made.key.name
    ));
    output.line(key);
    if std::io::stdout().is_terminal() {
        complain("A client sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`.");
    }
    Ok(())
}

/// Whose key it is to be.
async fn owner(store: &Store, email: Option<&str>) -> anyhow::Result<Owner> {
    if let Some(email) = email {
        let email = Email::parse(email).map_err(said)?;
        let found = store.find_account_by_email(email.canonical()).await?;
        return match found {
            Some(row) => Ok(row.owner),
            None => bail!("There is no account of that address. `goblin users list` shows all."),
        };
    }
    let accounts = all_accounts(store).await?;
    let oldest = accounts
        .iter()
        .filter(|a| a.role == Role::Owner && a.disabled_at.is_none());
    match oldest.min_by_key(|a| a.created_at) {
        Some(account) => Ok(Owner {
            tenant: Owner::LOCAL_TENANT.to_owned(),
            user: account.id.clone(),
        }),
        None => bail!(
            "There is no account yet, so nobody a key could act for; whoever sits at this machine needs none. The first \
             account is made by the set-up link, or in the page."
        ),
    }
}

async fn all_accounts(store: &Store) -> anyhow::Result<Vec<Account>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = store
            .list_accounts(Owner::LOCAL_TENANT, cursor.as_deref(), MAX_PAGE)
            .await?;
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn all_keys(store: &Store) -> anyhow::Result<Vec<ApiKey>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = store
            .list_api_keys(Owner::LOCAL_TENANT, None, cursor.as_deref(), MAX_PAGE)
            .await?;
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn list(store: &Store, as_json: bool, output: Output) -> anyhow::Result<()> {
    let keys = all_keys(store).await?;
    if as_json {
        output.json(&keys);
        return Ok(());
    }
    if keys.is_empty() {
        output.line("There is no key yet. `goblin keys create NAME` makes one, as does the page.");
        return Ok(());
    }
    let accounts = all_accounts(store).await?;
    let now = Clock::System.now();
    let rows = keys.iter().map(|key| {
        let account = accounts.iter().find(|a| a.id == key.user);
        vec![
            key.public_id.clone(),
            key.name.clone(),
            account.map_or_else(|| key.user.clone(), |a| a.email.clone()),
            key.scopes.join(","),
            key.models
                .as_ref()
                .map_or_else(|| "every one".to_owned(), |m| m.join(", ")),
            key.networks
                .as_ref()
                .map_or_else(|| "anywhere".to_owned(), |n| n.join(", ")),
            key.expires_at.map_or_else(|| "never".to_owned(), until_minute),
            key.last_used_at.map_or_else(|| "never".to_owned(), until_minute),
            state(key, now).to_owned(),
        ]
    });
    output.table(
        &[
            "ID",
            "NAME",
            "USER",
            "SCOPES",
            "MODELS",
            "FROM",
            "EXPIRES",
            "LAST USED",
            "STATE",
        ],
        rows.collect(),
    );
    Ok(())
}

async fn revoke(
    store: &Store,
    identity: &Identity,
    id: &str,
    as_json: bool,
    output: Output,
) -> anyhow::Result<()> {
    let keys = all_keys(store).await?;
    let Some(key) = keys.iter().find(|key| key.public_id == id || key.id == id) else {
        bail!("There is no key `{id}`. `goblin keys list` shows all.");
    };
    let revoked = identity
        .revoke_api_key_here(Owner::LOCAL_TENANT, &key.id)
        .await
        .map_err(said)?;
    let at = revoked.revoked_at.unwrap_or_default();
    if as_json {
        output.json(&revoked);
    } else {
        output.line(format_args!(
            "revoked `{}` (since {})",
            revoked.name,
            at.to_rfc3339()
        ));
    }
    Ok(())
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_over(now) => "expired",
        None => "good",
    }
}

/// `2027-01-31 12:00Z`.
fn until_minute(moment: Timestamp) -> String {
    let text: String = moment.to_rfc3339().chars().take(16).collect();
    format!("{}Z", text.replace('T', " "))
}
