//! Asking a goblin that runs, over its own API.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use goblin_core::status::SystemStatus;
use goblin_net::{HttpClient, NetOptions, Request, Response, Url};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::checks::{PATIENCE, reachable};
use crate::config::Config;

/// Largest status that is read, in bytes.
const MAX_STATUS_BYTES: usize = 4 << 20;

/// A goblin answers, and lets only people in who are signed in.
#[derive(Debug)]
pub(crate) struct SignInNeeded(String);

impl std::fmt::Display for SignInNeeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "People sign in at {}, which this command cannot do yet. The page shows the same to an owner or admin",
            self.0
        )
    }
}

impl std::error::Error for SignInNeeded {}

/// The address of the goblin a command asks: the one that was named, else the configured one.
pub(crate) fn base(config: &Config, url: Option<&str>) -> String {
    url.map_or_else(
        || base_url(config.server.address),
        |url| url.trim_end_matches('/').to_owned(),
    )
}

/// What to do when nothing answers there.
pub(crate) fn nobody(base: &str) -> String {
    format!("No goblin answers at {base}. Start one with `goblin up`, or name another address with --url")
}

/// The address a goblin that listens on `address` answers at.
pub(crate) fn base_url(address: SocketAddr) -> String {
    format!("http://{}", reachable(address))
}

/// What the goblin at `base` says of itself.
///
/// # Errors
///
/// When nothing answers there, or what answers is no goblin.
pub(crate) async fn system_status(base: &str) -> anyhow::Result<SystemStatus> {
    let response = get(base, "api/status").await?;
    if response.status == StatusCode::UNAUTHORIZED {
        return Err(SignInNeeded(base.to_owned()).into());
    }
    if !response.status.is_success() {
        bail!(
            "{base} answers with status {}, so it is no goblin, or it refuses us",
            response.status.as_u16()
        );
    }
    let body = response.body.collect().await?;
    serde_json::from_slice(&body).with_context(|| format!("what answers at {base} is no goblin"))
}

/// Says the goblin at `base` that it can take requests? `Err` with its sentence when it cannot.
///
/// # Errors
///
/// Also when nothing answers there.
pub(crate) async fn health(base: &str) -> anyhow::Result<()> {
    let response = get(base, "health").await?;
    let status = response.status;
    if status.is_success() {
        return Ok(());
    }
    let said: Value = serde_json::from_slice(&response.body.collect().await?).unwrap_or_default();
    let sentence = said["error"]["message"].as_str().or(said["detail"].as_str());
    bail!(
        "{base} answers with status {}: {}",
        status.as_u16(),
        sentence.unwrap_or("no reason given")
    )
}

/// Is what answers at `base` a goblin model tier? No key is shown: it may be anybody, and only a tier wants one there.
///
/// # Errors
///
/// When nothing answers there.
pub(crate) async fn is_tier(base: &str) -> anyhow::Result<bool> {
    let response = get(base, "v1/goblin/status").await?;
    if response.status != StatusCode::UNAUTHORIZED {
        return Ok(false);
    }
    let said: Value = serde_json::from_slice(&response.body.collect().await?).unwrap_or_default();
    Ok(said["error"]["code"] == "unauthorized")
}

/// Posts `body` to the goblin at `base` and reads its JSON answer.
///
/// # Errors
///
/// When nothing answers there, or it refuses: then with its sentence.
pub(crate) async fn ask(base: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let request = |url| Request {
        headers: [(CONTENT_TYPE, HeaderValue::from_static("application/json"))]
            .into_iter()
            .collect(),
        body: body.to_string().into(),
        ..Request::new(Method::POST, url)
    };
    let response = send(base, path, request).await?;
    let status = response.status;
    let told: Value = serde_json::from_slice(&response.body.collect().await?).unwrap_or_default();
    if !status.is_success() {
        match told["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => bail!("{base} answers with status {}", status.as_u16()),
        }
    }
    Ok(told)
}

/// What the goblin at `base` answers at `path`; `None` when there is no such thing.
///
/// # Errors
///
/// When nothing answers there, or what answers refuses, with its sentence, or is no goblin.
pub(crate) async fn find<T: serde::de::DeserializeOwned>(
    base: &str,
    path: &str,
) -> anyhow::Result<Option<T>> {
    let response = get(base, path).await?;
    let status = response.status;
    let body = response.body.collect().await?;
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !status.is_success() {
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let sentence = said["error"]["message"].as_str().or(said["detail"].as_str());
        bail!(
            "{base} answers with status {}: {}",
            status.as_u16(),
            sentence.unwrap_or("no reason given")
        );
    }
    let found = serde_json::from_slice(&body)
        .with_context(|| format!("what answers at {base} is no goblin of this version"))?;
    Ok(Some(found))
}

async fn get(base: &str, path: &str) -> anyhow::Result<Response> {
    send(base, path, |url| Request::new(Method::GET, url)).await
}

async fn send(base: &str, path: &str, request: impl FnOnce(Url) -> Request) -> anyhow::Result<Response> {
    let url = Url::parse(base)
        .map_err(|e| anyhow::anyhow!("{base}: {e}"))?
        .join(path);
    let options = NetOptions {
        connect_timeout: PATIENCE,
        first_byte_timeout: PATIENCE,
        ..NetOptions::default()
    };
    let client = HttpClient::build(options)?;
    let request = Request {
        max_body_bytes: Some(MAX_STATUS_BYTES),
        ..request(url)
    };
    Ok(client.send(request).await?)
}
