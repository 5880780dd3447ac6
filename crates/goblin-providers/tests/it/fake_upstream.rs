//! An upstream on a real socket that says exactly what a test wants, and tells what it was asked.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, Role};
use goblin_core::event::{ChatEvent, Parsed};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_net::{HttpClient, NetOptions, Url};
use goblin_providers::openai_compat::{Kind, UpstreamSpec, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// Far above anything that happens; a test that takes this long hangs.
pub(crate) const HANG_GUARD: Duration = Duration::from_secs(20);
/// The limits where an upstream stalls: short enough to wait for, long enough for a busy machine to say the rest.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// Awaits under the hang guard.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG_GUARD, what).await.expect("hangs")
}

/// One thing the upstream does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Says these bytes.
    Say(String),
    /// Says nothing more, and keeps the connection.
    Stall,
    /// Breaks the connection with a TCP reset.
    Reset,
}

pub(crate) fn say(text: impl Into<String>) -> Step {
    Step::Say(text.into())
}

/// A whole response with a body of known length.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<Step> {
    vec![say(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    ))]
}

pub(crate) fn json(status: &str, body: &str) -> Vec<Step> {
    response(status, "content-type: application/json\r\n", body)
}

/// The head of a stream whose end is the connection's.
pub(crate) fn sse_head() -> Step {
    say(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
    )
}

/// One event, as a chunk of the transfer encoding.
pub(crate) fn frame(data: &str) -> Step {
    let event = format!("data: {data}\n\n");
    say(format!("{:x}\r\n{event}\r\n", event.len()))
}

/// The end of the transfer encoding: the stream is whole.
pub(crate) fn end() -> Step {
    say("0\r\n\r\n")
}

pub(crate) const START: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
pub(crate) const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// A chunk of text.
pub(crate) fn text(text: &str) -> String {
    format!(
        r#"{{"choices":[{{"index":0,"delta":{{"content":{}}},"finish_reason":null}}]}}"#,
        serde_json::Value::from(text)
    )
}

/// A whole good stream that says `words`.
pub(crate) fn good_stream(words: &[&str]) -> Vec<Step> {
    let mut steps = vec![sse_head(), frame(START)];
    steps.extend(words.iter().map(|w| frame(&text(w))));
    steps.extend([frame(STOP), frame("[DONE]"), end()]);
    steps
}

/// What the upstream was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Request line and headers, lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Asked {
    /// Its path with the query.
    pub(crate) fn path(&self) -> &str {
        self.head.split_whitespace().nth(1).unwrap_or_default()
    }
}

/// What is done for a request: the how-manieth it is, and what it asks.
type Script = dyn Fn(usize, &Asked) -> Vec<Step> + Send + Sync;

/// An upstream that plays its scripts in order, one for each request, and the last one for every further request.
pub(crate) struct FakeUpstream {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    limit: Duration,
}

impl FakeUpstream {
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let stalls = scripts.iter().flatten().any(|step| matches!(step, Step::Stall));
        let limit = if stalls { SHORT } else { HANG_GUARD };
        let last = scripts.len() - 1;
        Self::serve(limit, move |turn, _| scripts[turn.min(last)].clone()).await
    }

    /// An upstream that answers each request by what it asks.
    pub(crate) async fn answering(answer: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::serve(HANG_GUARD, move |_, asked| answer(asked)).await
    }

    async fn serve(
        limit: Duration,
        script: impl Fn(usize, &Asked) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = Url::parse(&format!("http://{}", listener.local_addr().expect("address"))).expect("url");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(play(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self { url, asked, limit }
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    /// A handle on it, with limits that only a stalling script meets.
    pub(crate) fn handle(&self, kind: Kind) -> ProviderHandle {
        self.handle_with(UpstreamSpec::new("up", self.url.clone(), kind))
    }

    pub(crate) fn handle_with(&self, spec: UpstreamSpec) -> ProviderHandle {
        build(
            UpstreamSpec {
                status_timeout: self.limit,
                ..spec
            },
            net(self.limit),
        )
        .expect("handle")
    }
}

/// A client that waits no longer than `limit` for an answer to begin or to go on.
pub(crate) fn net(limit: Duration) -> HttpClient {
    let options = NetOptions {
        connect_timeout: HANG_GUARD,
        first_byte_timeout: limit,
        idle_timeout: limit,
        ..NetOptions::default()
    };
    HttpClient::build(options).expect("client")
}

async fn play(mut stream: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Vec<Asked>>>) {
    while let Some(asked) = read_request(&mut stream).await {
        let turn = {
            let mut seen = seen.lock().expect("lock");
            seen.push(asked.clone());
            seen.len() - 1
        };
        let mut whole = false;
        for step in script(turn, &asked) {
            match step {
                Step::Say(text) => {
                    whole = text.ends_with("0\r\n\r\n") || text.contains("content-length:");
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Step::Stall => {
                    let mut byte = [0];
                    let _closed = stream.read(&mut byte).await;
                    return;
                }
                Step::Reset => {
                    stream.set_zero_linger().expect("linger");
                    return;
                }
            }
        }
        if !whole {
            return;
        }
    }
}

/// `None` when the client has closed the connection.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        head,
        body: String::from_utf8(body).ok()?,
    })
}

pub(crate) fn question() -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        messages: vec![Message::text(Role::User, "Hello")],
        stream: true,
        ..ChatRequest::default()
    }
}

/// Everything an answer says, and how it ended.
pub(crate) async fn answer(
    handle: &ProviderHandle,
    request: ChatRequest,
) -> (Vec<ChatEvent>, Result<(), ProviderError>) {
    let mut stream = match soon((handle.chat)(request)).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut events = Vec::new();
    while let Some(item) = soon(stream.next()).await {
        match item {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(soon(stream.next()).await.is_none(), "an error is the last item");
                return (events, Err(error));
            }
        }
    }
    (events, Ok(()))
}

/// The text of an answer.
pub(crate) fn said(events: &[ChatEvent]) -> String {
    events
        .iter()
        .filter_map(|e| match &e.parsed {
            Parsed::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
