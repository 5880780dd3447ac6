//! `goblin models keys create | list | revoke | rotate`.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_auth::keys::{ENVIRONMENT_KEY, NewKey, NewKeyOptions, TierKeys, TierKeysError};
use goblin_auth::principal::Scope;
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::model::nearest;
use goblin_store::data_dir::DataPaths;
use goblin_store::key_file::{KeyEntry, KeyFile, KeyLimits};
use goblin_store::limits::KeyMeter;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::cli::{CreateKey, Expiry, Keys};
use crate::config::Config;
use crate::output::{Output, complain};

/// Runs the command.
///
/// # Errors
///
/// Sentences of the key file, and what is wrong with a name or a date.
pub(crate) fn run(command: &Keys, config: &Config, output: Output) -> anyhow::Result<()> {
    let paths = DataPaths::new(&config.data_dir);
    let path = config.tier.keys_file.clone().unwrap_or_else(|| paths.tier_keys());
    if let (Keys::Create(_), Some(folder)) = (command, path.parent()) {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let keys = TierKeys::of_file(KeyFile::open(path)?);
    match command {
        Keys::Create(new) => create(&keys, new, output),
        Keys::List { json } => list(&keys, &paths, *json, output),
        Keys::Revoke { name, forget, json } => revoke(&keys, name, *forget, *json, output),
        Keys::Rotate { name, overlap, json } => rotate(&keys, name, *overlap, *json, output),
    }
}

fn create(keys: &TierKeys, new: &CreateKey, output: Output) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let expires_at = new.expires.map(|expiry| match expiry {
        Expiry::After(time) => now.plus_ms(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        Expiry::At(moment) => moment,
    });
    if let Some(end) = expires_at.filter(|end| *end <= now) {
        bail!(
            "The key would have ended at {}. Choose a later end.",
            end.to_rfc3339()
        );
    }
    let scopes = if new.scope.is_empty() {
        vec![Scope::Infer, Scope::Embed]
    } else {
        new.scope.clone()
    };
    let options = NewKeyOptions {
        scopes,
        limits: KeyLimits {
            requests_per_minute: new.requests_per_minute,
            concurrent: new.concurrent,
            tokens_per_day: new.tokens_per_day,
        },
        expires_at,
        from: new.from.clone(),
    };
    let made = keys.make(&new.name, options, &Clock::System, &mut rand::rngs::OsRng)?;
    hand_over(keys, &made, new.json, "made", output);
    Ok(())
}

fn rotate(keys: &TierKeys, name: &str, overlap: Duration, json: bool, output: Output) -> anyhow::Result<()> {
    let made = keys
        .rotate(name, overlap, &Clock::System, &mut rand::rngs::OsRng)
        .map_err(|error| explain(keys, error))?;
    hand_over(keys, &made, json, "rotated", output);
    if !json {
        let earlier = find(keys, name).and_then(|key| key.previous.last().map(|p| p.until));
        complain(match earlier {
            Some(until) => format!("The old secret is good until {}.", until.to_rfc3339()),
            None => "No older secret is good any more.".to_owned(),
        });
    }
    Ok(())
}

/// Prints the key, the only time its text is known. What surrounds it goes to standard error, so that a script
/// gets the key and nothing else.
fn hand_over(keys: &TierKeys, made: &NewKey, as_json: bool, done: &str, output: Output) {
    if as_json {
        let mut row = find(keys, &made.name).map_or(Value::Null, |entry| describe(&entry, None));
        row["key"] = made.key.expose_secret().into();
        output.json(&row);
        return;
    }
    let name = &made.name;
    complain(format_args!("{done} `{name}`; the key is shown this once:"));
    output.line(made.key.expose_secret());
    if std::io::stdout().is_terminal() {
        complain(
            "A client sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`; a `goblin serve` takes it as \
             LOCAL_LLM_API_KEY.",
        );
    }
}

fn revoke(keys: &TierKeys, name: &str, forget: bool, as_json: bool, output: Output) -> anyhow::Result<()> {
    let at = keys
        .revoke(name, &Clock::System)
        .map_err(|error| explain(keys, error))?;
    if forget {
        keys.file().delete_key(name)?;
    }
    if as_json {
        output.json(&json!({"name": name, "revoked_at": at, "forgotten": forget}));
    } else if forget {
        output.line(format_args!("revoked `{name}` and removed it from the list"));
    } else {
        output.line(format_args!("revoked `{name}` (since {})", at.to_rfc3339()));
    }
    Ok(())
}

/// Adds the nearest name to a name that is not there.
fn explain(keys: &TierKeys, error: TierKeysError) -> anyhow::Error {
    let TierKeysError::NotFound(name) = &error else {
        return error.into();
    };
    if name == ENVIRONMENT_KEY {
        return anyhow::anyhow!(
            "The key `{name}` is the one given as LOCAL_LLM_API_KEY. Change it where that is set, and restart."
        );
    }
    let all = keys.file().keys();
    let hint = nearest(name, all.iter().map(|k| k.name.as_str())).map_or_else(
        || "`goblin models keys list` shows all.".to_owned(),
        |near| format!("Did you mean `{near}`?"),
    );
    anyhow::anyhow!("{error} {hint}")
}

fn find(keys: &TierKeys, name: &str) -> Option<KeyEntry> {
    keys.file().keys().iter().find(|k| k.name == name).cloned()
}

fn list(keys: &TierKeys, paths: &DataPaths, as_json: bool, output: Output) -> anyhow::Result<()> {
    let meter = KeyMeter::open(paths.tier_usage(), Clock::System)?;
    let all = keys.file().keys();
    if as_json {
        let rows: Vec<Value> = all
            .iter()
            .map(|key| describe(key, Some(meter.tokens_today(&key.name))))
            .collect();
        output.json(&rows);
        return Ok(());
    }
    if all.is_empty() {
        output.line("There is no key yet. `goblin models keys create NAME` makes one, as does the tier's first start.");
        return Ok(());
    }
    let now = Clock::System.now();
    let rows = all.iter().map(|key| {
        vec![
            key.name.clone(),
            key.id.clone(),
            key.scopes.join(","),
            limits(&key.limits, meter.tokens_today(&key.name)),
            joined(key.from.iter().map(ToString::to_string), "anywhere"),
            key.expires_at.map_or_else(|| "never".to_owned(), until_minute),
            state_in_words(key, now),
        ]
    });
    output.table(
        &["NAME", "ID", "SCOPES", "LIMITS", "FROM", "EXPIRES", "STATE"],
        rows.collect(),
    );
    Ok(())
}

/// Everything about a key but the key.
fn describe(key: &KeyEntry, tokens_today: Option<u64>) -> Value {
    let now = Clock::System.now();
    let previous = key.previous.iter().filter(|p| p.until > now);
    let previous: Vec<Value> = previous.map(|p| json!({"id": p.id, "until": p.until})).collect();
    json!({
        "name": key.name, "id": key.id, "scopes": key.scopes, "state": state(key, now),
        "limits": key.limits, "from": key.from, "created_at": key.created_at, "expires_at": key.expires_at,
        "revoked_at": key.revoked_at, "previous": previous, "tokens_today": tokens_today,
    })
}

fn state(key: &KeyEntry, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "good"
    }
}

fn state_in_words(key: &KeyEntry, now: Timestamp) -> String {
    let word = state(key, now);
    match key
        .previous
        .iter()
        .map(|p| p.until)
        .max()
        .filter(|until| *until > now)
    {
        Some(until) if word == "good" => format!("good, old secret until {}", until_minute(until)),
        _ => word.to_owned(),
    }
}

fn limits(limits: &KeyLimits, tokens_today: u64) -> String {
    let parts = [
        limits.requests_per_minute.map(|n| format!("{n}/min")),
        limits.concurrent.map(|n| format!("{n} at once")),
        limits
            .tokens_per_day
            .map(|n| format!("{tokens_today} of {n} tokens/day")),
    ];
    joined(parts.into_iter().flatten(), "none")
}

fn joined(parts: impl Iterator<Item = String>, none: &str) -> String {
    let text = parts.collect::<Vec<_>>().join(", ");
    if text.is_empty() { none.to_owned() } else { text }
}

/// `2027-01-31 12:00Z`.
fn until_minute(moment: Timestamp) -> String {
    let text: String = moment.to_rfc3339().chars().take(16).collect();
    format!("{}Z", text.replace('T', " "))
}
