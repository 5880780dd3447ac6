//! Servers that speak OpenAI Chat Completions: llama.cpp's server, vLLM, clouds. What is more than that has a file of
//! its own beside this one.
//!
//! The adapter starts answers and reports what went wrong with them, before the first content or after; whether
//! another provider is tried then is not decided here.

pub(crate) mod answer;
pub(crate) mod discovery;
mod plain;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::maker::Maker;
use goblin_core::origin::Origin;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::wire::Dialect;
use goblin_core::wire::cloud_errors::{Refusal, cloud_error};
use goblin_core::wire::llama_cpp::upstream_error;
use goblin_core::wire::openai::{
    StreamDecoder, encode_for, encode_request, provider_error, rewrite_for_upstream,
};
use goblin_net::{HttpClient, NetError, Request, Response, Url, Waiting};
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};

use answer::{Answer, Framing, Words};

use crate::cloud;
use crate::goblin_tier;
use crate::llama_cpp;
use crate::ollama::{self, OllamaSpec};
use crate::origin;
use crate::transport::{BuildError, Refused, bearer, secret};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How a server differs from the plain dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Nothing special: vLLM, LM Studio, a cloud. What it claims to do is tried before it is believed.
    #[default]
    Plain,
    /// A model tier of our own ([`crate::goblin_tier`]): it can do more, says more of its models, and is told which
    /// requests belong together.
    GoblinTier,
    /// Ollama: reached through its own API ([`crate::ollama`]); models that run in its cloud are left out unless
    /// [`UpstreamSpec::allow_cloud`] says otherwise.
    Ollama,
    /// llama.cpp's server, also through its own doors ([`crate::llama_cpp`]).
    LlamaCpp,
    /// A cloud known by name, in its own words.
    Cloud(Maker),
}

/// By which of its APIs OpenAI is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// Chat Completions.
    #[default]
    Chat,
    /// Responses. Chats are translated then, and none is forwarded untouched.
    Responses,
}

/// A server to reach.
#[derive(Clone, Debug)]
pub struct UpstreamSpec {
    /// Its name in `provider/model`.
    pub id: String,
    /// Its address, with or without `/v1`.
    pub base_url: Url,
    /// The key it wants.
    pub key: Option<SecretString>,
    /// Does it stay on the operator's machines?
    pub local: bool,
    /// Of an Ollama: may models be used that run in Ollama's cloud? What they are asked leaves the operator's machines,
    /// and they say so of themselves.
    pub allow_cloud: bool,
    /// What it is.
    pub kind: Kind,
    /// Of OpenAI: by which of its APIs it is asked.
    pub api: Api,
    /// How long its state is believed before it is asked again.
    pub status_ttl: Duration,
    /// Most time for each question about its state.
    pub status_timeout: Duration,
}

impl UpstreamSpec {
    /// A server `id` at `base_url` with the usual limits: no cloud models, state believed for 2 s, asked for within 2 s.
    pub fn new(id: impl Into<String>, base_url: Url, kind: Kind) -> Self {
        Self {
            id: id.into(),
            base_url,
            key: None,
            local: true,
            allow_cloud: false,
            kind,
            api: Api::Chat,
            status_ttl: Duration::from_secs(2),
            status_timeout: Duration::from_secs(2),
        }
    }

    /// Ollama at `base_url` (`OLLAMA_HOST`; see [`ollama_url`]), named `ollama`.
    pub fn ollama(base_url: Url) -> Self {
        Self::new("ollama", base_url, Kind::Ollama)
    }

    /// llama.cpp's server at `base_url` (`LLAMACPP_URL`), named `llamacpp`.
    pub fn llama_cpp(base_url: Url) -> Self {
        Self::new("llamacpp", base_url, Kind::LlamaCpp)
    }

    /// A cloud at `base_url`, named as its maker: its models are asked for every five minutes.
    pub fn cloud(maker: Maker, base_url: Url, key: Option<SecretString>) -> Self {
        Self {
            key,
            local: false,
            status_ttl: Duration::from_secs(300),
            status_timeout: Duration::from_secs(5),
            ..Self::new(maker.id(), base_url, Kind::Cloud(maker))
        }
    }

    /// A model tier of our own at `base_url` (`LOCAL_LLM_PROXY_URL`) with its key.
    pub fn goblin_tier(id: impl Into<String>, base_url: Url, key: Option<SecretString>) -> Self {
        Self {
            key,
            ..Self::new(id, base_url, Kind::GoblinTier)
        }
    }
}

/// Reads `OLLAMA_HOST` as Ollama does: scheme and port may be missing, `0.0.0.0` means this machine.
///
/// # Errors
/// What is wrong with the text.
pub fn ollama_url(text: &str) -> Result<Url, goblin_net::UrlError> {
    let text = text.trim().trim_end_matches('/');
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, ""), |(host, path)| (host, path));
    let after_brackets = host.rsplit(']').next().unwrap_or(host);
    let port = after_brackets
        .rsplit_once(':')
        .map(|(_, port)| port)
        .filter(|p| !p.is_empty());
    let name = match port {
        Some(port) => &host[..host.len() - port.len() - 1],
        None => host.trim_end_matches(':'),
    };
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1",
        "[::]" => "[::1]",
        name => name,
    };
    let default_port = match text.contains("://") {
        true if scheme == "https" => "443",
        true => "80",
        false => "11434",
    };
    Url::parse(&format!(
        "{scheme}://{name}:{}/{path}",
        port.unwrap_or(default_port)
    ))
}

/// What an adapter needs for every request.
pub(crate) struct Upstream {
    pub(crate) id: Arc<str>,
    kind: Kind,
    /// The address with its API version: `http://h/v1`.
    pub(crate) base: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) net: HttpClient,
    /// Is it one of the operator's machines?
    pub(crate) own: bool,
    pub(crate) status_timeout: Duration,
}

/// A handle for a server. Nothing is connected yet and nothing runs in the background: the server's state is asked for
/// when it is wanted, at most once in [`UpstreamSpec::status_ttl`], by one question at a time.
///
/// # Errors
/// [`BuildError::Key`].
pub fn build(spec: UpstreamSpec, net: HttpClient) -> Result<ProviderHandle, BuildError> {
    match spec.kind {
        Kind::LlamaCpp => llama_cpp::build(spec, net),
        Kind::Plain => plain::build(spec, net),
        Kind::GoblinTier => goblin_tier::build(&spec, net),
        Kind::Cloud(maker) => cloud::build(maker, &spec, net),
        Kind::Ollama => {
            let ollama = OllamaSpec {
                key: spec.key,
                local: spec.local,
                allow_cloud: spec.allow_cloud,
                status_ttl: spec.status_ttl,
                status_timeout: spec.status_timeout,
                ..OllamaSpec::new(spec.id, spec.base_url)
            };
            ollama::build(ollama, net)
        }
    }
}

/// `http://h`, `http://h/` and `http://h/v1` all give `http://h/v1`. Another path is taken as the API's own
/// (`https://h/v1beta/openai`).
fn api_base(url: &Url, kind: Kind) -> Url {
    let version = match kind {
        Kind::Cloud(maker) => maker.api_path(),
        _ => "v1",
    };
    match url.path().trim_end_matches('/') {
        "" => url.join(version),
        _ => url.clone(),
    }
}

fn key_headers(spec: &UpstreamSpec) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    if spec.kind == Kind::Cloud(Maker::Anthropic) {
        let version = HeaderValue::from_static(goblin_core::wire::anthropic::VERSION);
        headers.insert("anthropic-version", version);
    }
    let Some(key) = &spec.key else { return Ok(headers) };
    match spec.kind {
        Kind::Cloud(Maker::Anthropic) => {
            headers.insert("x-api-key", secret(key.expose_secret(), &spec.id)?);
            return Ok(headers);
        }
        Kind::Cloud(Maker::Gemini) => {
            headers.insert("x-goog-api-key", secret(key.expose_secret(), &spec.id)?);
            return Ok(headers);
        }
        _ => headers.insert(AUTHORIZATION, bearer(key, &spec.id)?),
    };
    if spec.kind == Kind::GoblinTier {
        headers.insert("x-api-key", secret(key.expose_secret(), &spec.id)?);
    }
    Ok(headers)
}

impl Upstream {
    /// # Errors
    /// [`BuildError::Key`].
    pub(crate) fn new(spec: &UpstreamSpec, net: HttpClient) -> Result<Self, BuildError> {
        Ok(Self {
            id: spec.id.as_str().into(),
            kind: spec.kind,
            base: api_base(&spec.base_url, spec.kind),
            headers: key_headers(spec)?,
            net,
            own: spec.local,
            status_timeout: spec.status_timeout,
        })
    }

    pub(crate) async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        Ok(self.start(request).await?.into_stream())
    }

    /// Starts an answer that is yet to be made a stream.
    pub(crate) async fn start(&self, request: ChatRequest) -> Result<Answer, ProviderError> {
        let body = match (&request.raw, self.kind) {
            (Some((Dialect::OpenAi, raw)), _) => rewrite_for_upstream(raw, &request.model, true),
            (_, Kind::Cloud(maker)) => encode_for(maker, &request)?,
            _ => encode_request(&request),
        };
        self.start_with(&request, body, None).await
    }

    /// A request with a JSON body, that says where it comes from.
    pub(crate) fn carrying(&self, url: Url, body: Bytes, origin: &Origin, purpose: Purpose) -> Request {
        let mut outgoing = Request::new(Method::POST, url);
        outgoing.headers = self.headers.clone();
        outgoing.headers.insert(CONTENT_TYPE, JSON);
        origin::put(&mut outgoing.headers, origin, purpose, self.own);
        outgoing.body = body;
        outgoing
    }

    /// As [`Self::start`] with a body of the caller's making; its headers come within `first_byte` (else the client's
    /// limit) where it is a stream.
    ///
    /// # Errors
    /// What failed before the answer began.
    pub(crate) async fn start_with(
        &self,
        request: &ChatRequest,
        body: Bytes,
        first_byte: Option<Duration>,
    ) -> Result<Answer, ProviderError> {
        let pass_through = matches!(&request.raw, Some((Dialect::OpenAi, _)));
        // Only a request that is passed through may ask for an answer in one piece.
        let streams = request.stream || !pass_through;
        let url = self.base.join("chat/completions");
        let mut outgoing = self.carrying(url, body, &request.origin, request.purpose);
        outgoing.first_byte_timeout = first_byte.filter(|_| streams);
        if streams {
            self.used_up(&mut outgoing);
        }
        let accept = if streams {
            "text/event-stream"
        } else {
            "application/json"
        };
        outgoing.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let response = self.net.send(outgoing).await.map_err(|e| before_answer(&e))?;
        if response.status != http::StatusCode::OK {
            return Err(self.refusal(response, &request.model).await);
        }
        let framing = self.framing(&response.headers, streams, pass_through)?;
        let mut words = StreamDecoder::new(pass_through).for_model(&request.model);
        // A tier of ours has taken them out already; a cloud's text is what it says.
        if self.own && self.kind != Kind::GoblinTier {
            words = words.without_leaks(request);
        }
        if let Kind::Cloud(maker) = self.kind {
            words = words.of_maker(maker);
        }
        let words = Words::Chat(words);
        Ok(Answer::new(response.body, framing, words))
    }

    /// Says something to another door of the server.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`].
    pub(crate) async fn post(
        &self,
        url: Url,
        body: Bytes,
        origin: &Origin,
        purpose: Purpose,
    ) -> Result<Response, ProviderError> {
        let outgoing = self.carrying(url, body, origin, purpose);
        self.net.send(outgoing).await.map_err(|e| before_answer(&e))
    }

    /// As [`Self::post`], for an answer that is streamed.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub(crate) async fn post_for_stream(
        &self,
        url: Url,
        body: Bytes,
        origin: &Origin,
        purpose: Purpose,
    ) -> Result<Response, ProviderError> {
        let mut outgoing = self.carrying(url, body, origin, purpose);
        self.used_up(&mut outgoing);
        self.net.send(outgoing).await.map_err(|e| before_answer(&e))
    }

    /// llama-server offers to keep a connection it streamed on and closes it all the same when the stream is over
    /// (b11434): the next request on it would fail.
    fn used_up(&self, outgoing: &mut Request) {
        if self.kind == Kind::LlamaCpp {
            let close = HeaderValue::from_static("close");
            outgoing.headers.insert(CONNECTION, close);
        }
    }

    /// As [`Self::post`], for an answer in one piece.
    ///
    /// # Errors
    /// What a refusal says; [`ProviderError::Interrupted`] for a body that is cut.
    pub(crate) async fn post_whole(
        &self,
        url: Url,
        body: Bytes,
        model: &str,
        origin: &Origin,
        purpose: Purpose,
    ) -> Result<Bytes, ProviderError> {
        let outgoing = self.carrying(url, body, origin, purpose);
        self.whole(outgoing, model).await
    }

    /// Asks for an answer in one piece.
    ///
    /// # Errors
    /// As [`Self::post_whole`].
    pub(crate) async fn whole(&self, outgoing: Request, model: &str) -> Result<Bytes, ProviderError> {
        let response = self.net.send(outgoing).await.map_err(|e| before_answer(&e))?;
        if response.status != http::StatusCode::OK {
            return Err(self.refusal(response, model).await);
        }
        response.body.collect().await.map_err(|e| in_answer(&e))
    }

    /// Reads what a refusal says.
    pub(crate) async fn refusal(&self, response: Response, model: &str) -> ProviderError {
        let Refused {
            status,
            retry_after,
            body,
        } = Refused::read(response).await;
        match self.kind {
            Kind::LlamaCpp => upstream_error(status, &body, model, retry_after),
            Kind::Cloud(maker) => cloud_error(
                maker,
                &Refusal {
                    status,
                    body: &body,
                    retry_after,
                    model,
                },
            ),
            _ => provider_error(status, &body, model, retry_after),
        }
    }

    /// How the answer is framed, by its content type. Without one it is what was asked for.
    ///
    /// # Errors
    /// [`ProviderError::Broken`] for anything else.
    pub(crate) fn framing(
        &self,
        headers: &HeaderMap,
        streams: bool,
        pass_through: bool,
    ) -> Result<Framing, ProviderError> {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Ok(Framing::Events),
            "" if streams => Ok(Framing::Events),
            "" | "application/json" => Ok(Framing::Whole {
                keep_body: pass_through && !streams,
            }),
            other => Err(ProviderError::Broken {
                reason: format!(
                    "{} answered with `{}` where an answer of a model was expected",
                    self.base.address(),
                    other.chars().take(60).collect::<String>()
                ),
            }),
        }
    }
}

/// A failure before the answer's headers: nothing was said yet.
pub(crate) fn before_answer(error: &NetError) -> ProviderError {
    ProviderError::Unavailable {
        reason: error.to_string(),
    }
}

/// A failure in the middle of an answer's body.
pub(crate) fn in_answer(error: &NetError) -> ProviderError {
    let reason = match error {
        NetError::Timeout {
            what: Waiting::Body, ..
        } => format!("{error}; the answer stalled"),
        other => other.to_string(),
    };
    ProviderError::Interrupted { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_version_mean_the_same() {
        for text in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
            let base = api_base(&Url::parse(text).unwrap(), Kind::Plain);
            assert_eq!(base.join("models").to_string(), "http://h:1/v1/models", "{text}");
        }
        let gemini = api_base(&Url::parse("https://h").unwrap(), Kind::Cloud(Maker::Gemini));
        assert_eq!(gemini.join("models").to_string(), "https://h/v1beta/models");
        let base = api_base(&Url::parse("https://h/v1beta/openai").unwrap(), Kind::Plain);
        assert_eq!(base.join("models").to_string(), "https://h/v1beta/openai/models");
    }

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        for (text, expected) in [
            ("127.0.0.1", "http://127.0.0.1:11434/"),
            ("0.0.0.0:9999", "http://127.0.0.1:9999/"),
            (":9999", "http://127.0.0.1:9999/"),
            ("", "http://127.0.0.1:11434/"),
            ("nas.lan", "http://nas.lan:11434/"),
            ("http://nas.lan", "http://nas.lan/"),
            ("https://nas.lan/", "https://nas.lan/"),
            ("http://nas.lan:11434/", "http://nas.lan:11434/"),
            ("[::1]:11434", "http://[::1]:11434/"),
            ("[::]", "http://[::1]:11434/"),
        ] {
            assert_eq!(
                ollama_url(text).map(|u| u.to_string()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        assert!(ollama_url("user:secret@host").is_err());
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_when_building() {
        let spec = UpstreamSpec {
            key: Some("se\ncret".to_owned().into()),
            ..UpstreamSpec::new("x", Url::parse("http://h").unwrap(), Kind::Plain)
        };
        let error = key_headers(&spec).unwrap_err();
        assert!(!error.to_string().contains("cret"), "{error}");
    }
}
