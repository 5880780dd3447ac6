//! A real `ollama serve` of our own: on a free port, with a home and models of its own, gone when the tests are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::manage::{Action, ByteStream, Outcome};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_net::Url;
use goblin_providers::ollama::{OllamaSpec, build};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::fake_upstream::net;
use crate::process::{HANG, Process, from_script, listening, starter_file, variable, within};

/// The starter's name there.
pub(crate) const MODEL: &str = "starter";

/// `GOBLIN_TEST_OLLAMA`, else what `scripts/ollama.sh` finds or builds.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| variable("GOBLIN_TEST_OLLAMA").unwrap_or_else(|| from_script("scripts/ollama.sh")))
}

/// A running server. Dropping it, or the end of this process however it comes, kills it and its runners.
pub(crate) struct Ollama {
    pub(crate) url: Url,
    pub(crate) home: PathBuf,
    process: Process,
    _home: Option<tempfile::TempDir>,
}

impl Ollama {
    /// Starts a server; with `models` it uses the models of another one.
    pub(crate) async fn start(models: Option<&Path>) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let home = temporary.path().to_owned();
        let log = home.join("serve.log");
        let models = models.map_or_else(|| home.join("models"), Path::to_owned);
        let settings = [
            ("HOME", home.as_path()),
            ("OLLAMA_HOST", Path::new("127.0.0.1:0")),
            ("OLLAMA_MODELS", &models),
            ("OLLAMA_NUM_PARALLEL", Path::new("2")),
            ("OLLAMA_NOPRUNE", Path::new("1")),
            ("OLLAMA_KEEP_ALIVE", Path::new("30m")),
            ("OLLAMA_CONTEXT_LENGTH", Path::new("4096")),
            ("OLLAMA_DEBUG", Path::new("1")),
        ];
        let process = Process::start(program(), &[OsStr::new("serve")], &settings, &log);
        let address = within(listening(&log, "Listening on ")).await;
        Self {
            url: Url::parse(&format!("http://{address}")).expect("an address"),
            home,
            process,
            _home: Some(temporary),
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("serve.log")).unwrap_or_default()
    }

    pub(crate) fn spec(&self) -> OllamaSpec {
        OllamaSpec {
            status_ttl: Duration::ZERO,
            status_timeout: HANG,
            ..OllamaSpec::new("ollama", self.url.clone())
        }
    }

    pub(crate) fn handle(&self) -> ProviderHandle {
        handle(self.spec())
    }

    /// `kill -9`, the runners too.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }
}

pub(crate) fn handle(spec: OllamaSpec) -> ProviderHandle {
    build(spec, net(HANG)).expect("a handle")
}

/// A server with the starter model, shared by the tests that change nothing of it.
pub(crate) async fn shared() -> &'static Ollama {
    static SHARED: OnceCell<Ollama> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let ollama = Ollama::start(None).await;
            within(create(&ollama.handle())).await;
            ollama
        })
        .await
}

/// A server of its own with the starter model.
pub(crate) async fn own() -> Ollama {
    let models = shared().await.home.join("models");
    Ollama::start(Some(&models)).await
}

/// Does something to the models; what is under way is awaited.
pub(crate) async fn done(handle: &ProviderHandle, action: Action) -> Result<Outcome, ProviderError> {
    let manage = handle.manage.as_ref().expect("it can");
    let mut outcome = within(manage(action)).await?;
    if let Outcome::Progress(progress) = &mut outcome {
        while let Some(step) = within(progress.next()).await {
            step?;
        }
    }
    Ok(outcome)
}

/// Gives the server the starter model, bit by bit.
async fn create(handle: &ProviderHandle) {
    let bytes = std::fs::read(starter_file()).expect("the starter");
    let digest = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
    let has = || Action::HasBlob {
        digest: digest.clone(),
    };
    assert!(matches!(done(handle, has()).await, Ok(Outcome::Absent)));
    let pieces: Vec<_> = bytes
        .chunks(1 << 20)
        .map(|piece| Ok(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    let body: ByteStream = Box::pin(futures_util::stream::iter(pieces));
    let put = Action::PutBlob {
        digest: digest.clone(),
        body,
    };
    assert!(matches!(done(handle, put).await, Ok(Outcome::Done)));
    assert!(matches!(done(handle, has()).await, Ok(Outcome::Done)));
    let fields = serde_json::json!({"model": MODEL, "files": {"starter.gguf": digest}});
    let fields = fields.as_object().expect("an object").clone();
    let made = done(handle, Action::Create { fields }).await;
    assert!(matches!(made, Ok(Outcome::Progress(_))), "{:?}", made.err());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
