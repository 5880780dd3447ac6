//! `goblin prices`: what models of clouds cost, and from where that is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_core::catalogue::{Catalogue, Entry};
use goblin_core::clock::Clock;
use goblin_net::{HttpClient, NetOptions, Request, Url};
use goblin_store::private_file::write_private;
use serde_json::json;

use crate::cli::PricesCommand;
use crate::config::Config;
use crate::output::Output;

/// Where LiteLLM keeps its list (MIT).
const SOURCE: &str =
    "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json";
/// Largest list that is taken: several times what it is now.
const MAX_BYTES: usize = 32 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// `goblin prices`.
///
/// # Errors
///
/// When the list cannot be fetched, read or kept: what to do.
pub(crate) async fn run(command: &PricesCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        PricesCommand::List { part, json } => {
            list(config, part.as_deref().unwrap_or_default(), *json, output)
        }
        PricesCommand::Update { file, url } => {
            let bytes = match file {
                Some(file) => {
                    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?
                }
                None => fetch(url.as_deref().unwrap_or(SOURCE)).await?,
            };
            update(&config.data_dir, &bytes, output)?;
        }
        PricesCommand::Reset => match std::fs::remove_file(path(&config.data_dir)) {
            Ok(()) => output.line("From the next start on the built-in list is used."),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                output.line("There is no newer list; the built-in one is used.");
            }
            Err(error) => return Err(error).context("the newer list cannot be removed"),
        },
    }
    Ok(true)
}

/// Where a newer list is kept.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("prices.json")
}

/// The list in force: the newer one of the data directory, else the built-in one.
///
/// # Errors
///
/// A sentence when there is a newer one that cannot be used.
pub(crate) fn in_force(data_dir: &Path) -> Result<Arc<Catalogue>, String> {
    let path = path(data_dir);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Arc::clone(Catalogue::embedded()));
        }
        Err(error) => return Err(format!("{} cannot be read: {error}.", path.display())),
    };
    Catalogue::read(&bytes).map(Arc::new).map_err(|why| {
        format!(
            "{} cannot be used: {why}. `goblin prices reset` goes back to the built-in list.",
            path.display()
        )
    })
}

async fn fetch(url: &str) -> anyhow::Result<Vec<u8>> {
    let url = Url::parse(url).context("that is no address")?;
    let net = HttpClient::build(NetOptions::default())?;
    let mut request = Request::new(http::Method::GET, url.clone());
    request.first_byte_timeout = Some(PATIENCE);
    request.max_body_bytes = Some(MAX_BYTES);
    let elsewhere = "With --file a list that was fetched elsewhere is taken.";
    let response = net
        .send(request)
        .await
        .with_context(|| format!("the list cannot be fetched. {elsewhere}"))?;
    if response.status != http::StatusCode::OK {
        bail!(
            "{} answered HTTP {}. {elsewhere}",
            url.address(),
            response.status.as_u16()
        );
    }
    let body = response
        .body
        .collect()
        .await
        .context("the list did not come whole")?;
    Ok(body.to_vec())
}

fn update(data_dir: &Path, bytes: &[u8], output: Output) -> anyhow::Result<()> {
    let day: String = Clock::System.now().to_rfc3339().chars().take(10).collect();
    let new = match Catalogue::read(bytes) {
        Ok(ours) => ours,
        Err(_) => Catalogue::of_litellm(bytes, &day).map_err(anyhow::Error::msg)?,
    };
    let old = in_force(data_dir).unwrap_or_else(|_| Arc::clone(Catalogue::embedded()));
    std::fs::create_dir_all(data_dir).context("the data directory cannot be made")?;
    let path = path(data_dir);
    write_private(&path, new.to_text().as_bytes())
        .with_context(|| format!("{} cannot be written", path.display()))?;
    let changed = new
        .all()
        .iter()
        .filter(|e| old.find_id(&e.id).is_some_and(|o| !same_price(o, e)))
        .count();
    let added = new.all().iter().filter(|e| old.find_id(&e.id).is_none()).count();
    output.line(format_args!(
        "{} models of {}: {added} new, {changed} at another price. A goblin that runs takes them at its next start.",
        new.all().len(),
        new.as_of
    ));
    Ok(())
}

fn same_price(a: &Entry, b: &Entry) -> bool {
    (a.input, a.cached, a.output, a.above) == (b.input, b.cached, b.output, b.above)
}

fn list(config: &Config, part: &str, as_json: bool, output: Output) {
    let policy = &config.policy;
    let wanted = |id: &str| id.to_lowercase().contains(&part.to_lowercase());
    let own = policy.prices.iter().filter(|price| wanted(&price.model));
    let all = policy.catalogue.all();
    let listed = all
        .iter()
        .filter(|e| wanted(&e.id) && !policy.prices.iter().any(|own| own.model == e.id));
    let listed: Vec<&&Entry> = listed.collect();
    if as_json {
        let own: Vec<_> = own.collect();
        output.json(&json!({
            "as_of": policy.catalogue.as_of,
            "from": policy.catalogue.from,
            "own": own,
            "models": listed,
            "unit": "`own`: US dollars, `models`: nano-dollars, of a million tokens",
        }));
        return;
    }
    let dollars = |nanos: u64| format!("{}", nanos as f64 / 1e9);
    let mut rows: Vec<Vec<String>> = own
        .map(|p| {
            vec![
                p.model.clone(),
                p.input.to_string(),
                String::new(),
                p.output.to_string(),
                "[prices]".to_owned(),
            ]
        })
        .collect();
    rows.extend(listed.iter().map(|e| {
        let more = e.above.map(|a| {
            format!(
                "over {}: {} and {}",
                a.tokens,
                dollars(a.input),
                dollars(a.output)
            )
        });
        let until = e.until.as_ref().map(|day| format!("until {day}"));
        let notes: Vec<String> = more.into_iter().chain(until).collect();
        let cached = e.cached.map(dollars).unwrap_or_default();
        vec![
            e.id.clone(),
            dollars(e.input),
            cached,
            dollars(e.output),
            notes.join("; "),
        ]
    }));
    output.table(&["Model", "Prompt", "Cached", "Answer", ""], rows);
    output.line(format_args!(
        "US dollars of a million tokens, as of {}. [prices] in goblin.toml goes before them.",
        policy.catalogue.as_of
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_list_takes_the_place_of_the_built_in_one_until_it_is_reset() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_force(dir.path()).unwrap().as_of, Catalogue::embedded().as_of);
        let list = r#"{"gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
            "output_cost_per_token": 2e-06}}"#;
        update(dir.path(), list.as_bytes(), Output::plain()).unwrap();
        let now = in_force(dir.path()).unwrap();
        assert_eq!(now.find("openai", "gpt-x").map(|e| e.input), Some(1_000_000_000));
        assert!(update(dir.path(), b"<html>", Output::plain()).is_err());
        assert_eq!(
            in_force(dir.path()).unwrap(),
            now,
            "what is no list changes nothing"
        );
        std::fs::write(path(dir.path()), "{").unwrap();
        assert!(in_force(dir.path()).unwrap_err().contains("goblin prices reset"));
    }
}
