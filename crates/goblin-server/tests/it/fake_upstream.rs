//! A model server on a real socket: it says honestly which models it has, answers questions as a test wants, and
//! tells what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use goblin_core::provider::ProviderHandle;
use goblin_net::{HttpClient, NetOptions, Url};
use goblin_providers::openai_compat::{Kind, UpstreamSpec, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::client::guard;

/// The model it has; it looks at images as well.
pub(crate) const MODEL: &str = "m:latest";

const FACTS: [(&str, &str); 6] = [
    (
        "/api/tags",
        r#"{"models":[{"name":"m:latest","digest":"d","details":{"family":"llama"}},
            {"name":"far:120b-cloud","digest":"e","remote_host":"https://ollama.com:443"}]}"#,
    ),
    ("/api/ps", r#"{"models":[]}"#),
    ("/api/version", r#"{"version":"0.17.4"}"#),
    (
        "/api/show",
        r#"{"capabilities":["completion","vision","embedding"],"model_info":{"llama.context_length":4096}}"#,
    ),
    (
        "/v1/models",
        r#"{"data":[{"id":"m:latest","goblin":{"capabilities":["chat","vision"]}}]}"#,
    ),
    ("/v1/goblin/status", r#"{"instances":[],"warnings":[]}"#),
];

/// Of an Ollama: a model that it has from Ollama's cloud.
pub(crate) const CLOUD_MODEL: &str = "far:120b-cloud";

/// What it does when it is asked a question.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Says these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Breaks the connection with a TCP reset.
    Reset,
    /// Says nothing, and keeps the connection.
    Silence,
    /// Says these bytes and then nothing more, and keeps the connection.
    Stall(Vec<u8>),
}

/// Decides by the request's body.
type Script = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Request line and headers, lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn fact(&self) -> Option<&'static str> {
        let fact = FACTS.iter().find(|(path, _)| *path == self.path());
        fact.map(|(_, body)| *body)
    }
}

pub(crate) struct FakeUpstream {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepted: Arc<AtomicUsize>,
    serving: JoinSet<()>,
}

impl FakeUpstream {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, script): (_, Script) = (Arc::clone(&asked), Arc::new(script));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self {
            url,
            asked,
            accepted,
            serving,
        }
    }

    /// A handle on it that believes its state for the rest of the test.
    pub(crate) fn handle(&self, kind: Kind) -> ProviderHandle {
        handle_on(UpstreamSpec::new("up", self.url.clone(), kind))
    }

    /// The questions it was asked so far: everything but how it is.
    pub(crate) fn questions(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|a| a.fact().is_none()).cloned().collect()
    }

    /// Connections it accepted and requests it read so far, of whatever kind.
    pub(crate) fn touched(&self) -> (usize, usize) {
        let accepted = self.accepted.load(Ordering::SeqCst);
        (accepted, self.asked.lock().unwrap().len())
    }

    /// The server dies: its port refuses, its connections are closed.
    pub(crate) async fn die(&mut self) {
        guard(self.serving.shutdown()).await;
    }

    /// What only operators may see of it.
    pub(crate) fn port(&self) -> String {
        self.url
            .address()
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

/// A handle on a server whose state is believed for the rest of the test.
pub(crate) fn handle_on(spec: UpstreamSpec) -> ProviderHandle {
    let spec = UpstreamSpec {
        status_ttl: std::time::Duration::from_secs(3600),
        ..spec
    };
    build(spec, HttpClient::build(NetOptions::default()).unwrap()).unwrap()
}

async fn serve(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Vec<Asked>>>) {
    while let Some(asked) = read_request(&mut stream).await {
        seen.lock().unwrap().push(asked.clone());
        let reply = match asked.fact() {
            Some(body) => {
                let fact = answer("200 OK", "application/json", body);
                if stream.write_all(&fact).await.is_err() {
                    return;
                }
                continue;
            }
            None => script(&asked),
        };
        match reply {
            Reply::Reset => stream.set_zero_linger().unwrap(),
            Reply::Silence => until_left(&mut stream).await,
            Reply::Stall(bytes) => {
                let _left_early = stream.write_all(&bytes).await;
                until_left(&mut stream).await;
            }
            Reply::Bytes(bytes) => {
                let _left_early = stream.write_all(&bytes).await;
                let _left_early = stream.shutdown().await;
            }
        }
        return;
    }
}

/// Waits until the other side has hung up.
async fn until_left(stream: &mut TcpStream) {
    let mut byte = [0];
    while matches!(stream.read(&mut byte).await, Ok(read) if read > 0) {}
}

/// A whole answer.
pub(crate) fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// An answer whose end is the end of the connection: it may be cut anywhere.
pub(crate) fn cut(kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body.as_ref());
    bytes
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
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
    let body = String::from_utf8(body).ok()?;
    Some(Asked { head, body })
}
