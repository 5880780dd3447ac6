//! A real `ollama serve` of our own: on a free port, with a home and models of its own, gone when the tests are.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// No test takes a fraction of this; a hang must end.
pub(crate) const HANG: Duration = Duration::from_secs(300);
/// The starter's name there.
pub(crate) const MODEL: &str = "starter";

/// Awaits under the hang guard.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, what).await.expect("hangs")
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests find real programs by the environment"
)]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// `GOBLIN_TEST_OLLAMA`, else what `scripts/ollama.sh` finds or builds.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        variable("GOBLIN_TEST_OLLAMA").unwrap_or_else(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/ollama.sh");
            let out = Command::new("bash").arg(script).stderr(Stdio::inherit()).output();
            let out = out.expect("scripts/ollama.sh runs");
            assert!(
                out.status.success(),
                "scripts/ollama.sh gave no Ollama; see above"
            );
            PathBuf::from(String::from_utf8(out.stdout).expect("a path").trim())
        })
    })
}

fn starter_file() -> PathBuf {
    let path = variable("GOBLIN_STARTER_GGUF").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME");
        let cache = cache.unwrap_or_else(|| variable("HOME").unwrap_or_default().join(".cache"));
        cache.join("goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf")
    });
    assert!(
        path.is_file(),
        "{} is missing. Fetch the test models: make models",
        path.display()
    );
    path
}

/// A running server. Dropping it, or the end of this process however it comes, kills it and its runners.
pub(crate) struct Ollama {
    pub(crate) url: Url,
    pub(crate) home: PathBuf,
    process_group: String,
    /// Waits for the end of its standard input, which this process holds.
    watcher: Child,
    _home: Option<tempfile::TempDir>,
}

/// Starts the server in a process group of its own, says its id, and kills the group when nobody holds our end any more;
/// a signal to all of the tests does not end it before that.
const WATCHER: &str = r#"set -m
"$0" serve >"$1" 2>&1 </dev/null &
group=$!
trap '' HUP INT TERM
echo "$group"
cat >/dev/null
kill -KILL -- "-$group"
"#;

impl Ollama {
    /// Starts a server; with `models` it uses the models of another one.
    pub(crate) async fn start(models: Option<&Path>) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let home = temporary.path().to_owned();
        let log = home.join("serve.log");
        let mut watcher = Command::new("bash")
            .args(["-c", WATCHER])
            .arg(program())
            .arg(&log)
            .env("HOME", &home)
            .env("OLLAMA_HOST", "127.0.0.1:0")
            .env(
                "OLLAMA_MODELS",
                models.map_or_else(|| home.join("models"), Path::to_owned),
            )
            .env("OLLAMA_NUM_PARALLEL", "2")
            .env("OLLAMA_NOPRUNE", "1")
            .env("OLLAMA_KEEP_ALIVE", "30m")
            .env("OLLAMA_CONTEXT_LENGTH", "4096")
            .env("OLLAMA_DEBUG", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let mut said = std::io::BufReader::new(watcher.stdout.take().expect("its output"));
        let mut process_group = String::new();
        std::io::BufRead::read_line(&mut said, &mut process_group).expect("its id");
        let address = within(listening(&log)).await;
        Self {
            url: Url::parse(&format!("http://{address}")).expect("an address"),
            home,
            process_group: process_group.trim().to_owned(),
            watcher,
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
        let group = format!("-{}", self.process_group);
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.expect("kill runs").success());
    }
}

impl Drop for Ollama {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ended = self.watcher.wait();
    }
}

pub(crate) fn handle(spec: OllamaSpec) -> ProviderHandle {
    build(spec, net(HANG)).expect("a handle")
}

/// The address a server says it listens on.
async fn listening(log: &Path) -> String {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((_, after)) = said.split_once("Listening on ") {
            let address = after.split([' ', '"']).next().unwrap_or_default();
            if after.len() > address.len() {
                return address.to_owned();
            }
        }
    }
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
