//! `goblin models status`: what the models of a running tier are doing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_net::{HttpClient, NetOptions, Request, Url};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::client::base_url;
use crate::config::Config;
use crate::output::{Output, bytes, complain};

/// Largest status that is read, in bytes.
const MAX_STATUS_BYTES: usize = 4 << 20;
/// Largest key file that is read, in bytes.
const MAX_KEY_BYTES: u64 = 4 << 10;
/// Longest wait for the tier.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is shown of `/v1/goblin/status`. A tier may say more, or not know something.
#[derive(Deserialize)]
struct TierStatus {
    #[serde(alias = "instances")]
    models: Vec<Row>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default)]
struct Row {
    provider: String,
    model: String,
    state: String,
    running: u64,
    queued: u64,
    slots: Option<u64>,
    predicted_wait_ms: Option<f64>,
    predicted_first_token_ms: Option<f64>,
    decode_tokens_per_second: Option<f64>,
    prefill_tokens_per_second: Option<f64>,
    context_window: Option<u64>,
    memory_bytes: Option<u64>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            provider: String::new(),
            model: String::new(),
            state: "unknown".to_owned(),
            running: 0,
            queued: 0,
            slots: None,
            predicted_wait_ms: None,
            predicted_first_token_ms: None,
            decode_tokens_per_second: None,
            prefill_tokens_per_second: None,
            context_window: None,
            memory_bytes: None,
        }
    }
}

/// Asks and prints.
///
/// # Errors
///
/// That nobody answers, that the key is refused, or that what answers is no model tier; each with what to do.
pub(crate) async fn run(
    config: &Config,
    url: Option<&Url>,
    key_file: Option<&Path>,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let base = match url {
        Some(url) => url.clone(),
        None => Url::parse(&base_url(config.tier.address))?,
    };
    let key = match key_file {
        Some(path) => Some(read_key(path)?),
        None => config.upstream.tier_key().or(config.tier.key.as_ref()).cloned(),
    };
    let whole = ask(&base, key.as_ref()).await?;
    if as_json {
        output.json(&whole);
        return Ok(true);
    }
    let status: TierStatus = serde_json::from_value(whole)
        .with_context(|| format!("what answers at {base} is no model tier of this version"))?;
    for warning in &status.warnings {
        complain(format_args!("warning: {warning}"));
    }
    if status.models.is_empty() {
        output.line("The tier has no model.");
        return Ok(true);
    }
    output.table(
        &[
            "MODEL",
            "STATE",
            "RUNNING",
            "QUEUED",
            "MEMORY",
            "CONTEXT",
            "TOK/S",
            "PREFILL",
            "WAIT",
            "FIRST TOKEN",
        ],
        status.models.into_iter().map(row).collect(),
    );
    Ok(true)
}

fn row(model: Row) -> Vec<String> {
    let dash = || "-".to_owned();
    let rate = |n: Option<f64>| n.map_or_else(dash, |n| format!("{n:.1}"));
    let ms = |n: Option<f64>| n.map_or_else(dash, |n| format!("{n:.0} ms"));
    let running = model
        .slots
        .map_or_else(|| model.running.to_string(), |s| format!("{}/{s}", model.running));
    vec![
        format!("{}/{}", model.provider, model.model),
        model.state,
        running,
        model.queued.to_string(),
        model.memory_bytes.map_or_else(dash, bytes),
        model.context_window.map_or_else(dash, |n| n.to_string()),
        rate(model.decode_tokens_per_second),
        rate(model.prefill_tokens_per_second),
        ms(model.predicted_wait_ms),
        ms(model.predicted_first_token_ms),
    ]
}

fn read_key(path: &Path) -> anyhow::Result<SecretString> {
    let shown = || format!("the key file {}", path.display());
    let size = std::fs::metadata(path).with_context(shown)?.len();
    if size > MAX_KEY_BYTES {
        bail!(
            "{} has {size} bytes; a key is shorter than {MAX_KEY_BYTES}",
            shown()
        );
    }
    let text = std::fs::read_to_string(path).with_context(shown)?;
    let key = text.trim();
    if key.is_empty() {
        bail!("{} is empty. Write the key into it.", shown());
    }
    Ok(SecretString::from(key.to_owned()))
}

async fn ask(base: &Url, key: Option<&SecretString>) -> anyhow::Result<Value> {
    let mut request = Request {
        max_body_bytes: Some(MAX_STATUS_BYTES),
        ..Request::new(Method::GET, base.join("v1/goblin/status"))
    };
    if let Some(key) = key {
        let value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()));
        let mut value =
            value.map_err(|_| anyhow::anyhow!("The key has characters no key has. Copy it again."))?;
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
    }
    let client = HttpClient::build(NetOptions {
        connect_timeout: PATIENCE,
        first_byte_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        ..NetOptions::default()
    })?;
    let response = client.send(request).await.with_context(|| {
        format!(
            "No model tier answers at {base}. Start it with `goblin models serve`, or name another address with --url"
        )
    })?;
    match (response.status.as_u16(), key) {
        (200, _) => {}
        (401, None) => bail!("{base} wants a key: set LOCAL_LLM_API_KEY, or give --key-file FILE."),
        (401, Some(_)) => {
            bail!("{base} refuses the key. Is it a key of that tier, and has it been revoked or expired?")
        }
        (403, _) => bail!("{base} does not let this key see the status: it needs the scope `read`."),
        (404, _) => bail!("{base} answers, but has no status: it is no model tier, or an older one."),
        (status, _) => bail!("{base} answers with status {status} instead of its own."),
    }
    let body = response.body.collect().await?;
    serde_json::from_slice(&body).with_context(|| format!("what answers at {base} is no model tier"))
}
