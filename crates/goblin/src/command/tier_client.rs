//! Asking a model tier that runs, with a key.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_net::{HttpClient, NetOptions, Request, Url};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::client::base_url;
use crate::config::Config;

/// Largest status that is read, in bytes.
const MAX_STATUS_BYTES: usize = 4 << 20;
/// Largest key file that is read, in bytes.
const MAX_KEY_BYTES: u64 = 4 << 10;
/// Longest wait for a tier to say how it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A tier and the key for it.
pub(crate) struct TierClient {
    pub(crate) base: Url,
    pub(crate) key: Option<SecretString>,
    net: HttpClient,
}

impl TierClient {
    /// The tier at `url`, else the configured one, with the key in `key_file`, else the configured one.
    ///
    /// # Errors
    ///
    /// When the key file cannot be read.
    pub(crate) fn new(config: &Config, url: Option<&Url>, key_file: Option<&Path>) -> anyhow::Result<Self> {
        let base = match url {
            Some(url) => url.clone(),
            None => Url::parse(&base_url(config.tier.address))?,
        };
        let key = match key_file {
            Some(path) => Some(read_key(path)?),
            None => config.upstream.tier_key().or(config.tier.key.as_ref()).cloned(),
        };
        let net = HttpClient::build(NetOptions {
            connect_timeout: PATIENCE,
            first_byte_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            ..NetOptions::default()
        })?;
        Ok(Self { base, key, net })
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<Request> {
        let mut request = Request {
            max_body_bytes: Some(MAX_STATUS_BYTES),
            ..Request::new(method, self.base.join(path))
        };
        if let Some(key) = &self.key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()));
            let mut value =
                value.map_err(|_| anyhow::anyhow!("The key has characters no key has. Copy it again."))?;
            value.set_sensitive(true);
            request.headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// What the tier says of its models.
    ///
    /// # Errors
    ///
    /// That nobody answers (then a [`goblin_net::NetError`] is in it), that the key is refused, or that what answers is
    /// no model tier; each with what to do.
    pub(crate) async fn status(&self) -> anyhow::Result<Value> {
        let base = &self.base;
        let request = self.request(Method::GET, "v1/goblin/status")?;
        let response = self.net.send(request).await.with_context(|| {
            format!(
                "No model tier answers at {base}. Start it with `goblin models serve`, or name another address with \
                 --url"
            )
        })?;
        match (response.status.as_u16(), &self.key) {
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

    /// Says something to Ollama's door and waits for the whole answer, at most `patience`.
    ///
    /// # Errors
    ///
    /// That it was refused, with the status.
    pub(crate) async fn tell(&self, path: &str, body: &Value, patience: Duration) -> anyhow::Result<()> {
        let mut request = self.request(Method::POST, path)?;
        request
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = body.to_string().into();
        request.first_byte_timeout = Some(patience);
        let response = self.net.send(request).await?;
        let status = response.status.as_u16();
        if status != 200 {
            bail!("the tier answered with status {status}");
        }
        response.body.collect().await?;
        Ok(())
    }
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
