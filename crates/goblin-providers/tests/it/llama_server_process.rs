//! A real llama-server of our own: on a free port, gone when the tests are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use goblin_core::provider::ProviderHandle;
use goblin_net::Url;
use goblin_providers::openai_compat::{UpstreamSpec, build};
use tokio::sync::OnceCell;

use crate::fake_upstream::net;
use crate::process::{HANG, Process, from_script, listening, starter_file, variable, within};

/// The starter's name there.
pub(crate) const MODEL: &str = "starter";

/// `GOBLIN_TEST_LLAMA_SERVER`, else what `scripts/llama_server.sh` finds or builds.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        variable("GOBLIN_TEST_LLAMA_SERVER").unwrap_or_else(|| from_script("scripts/llama_server.sh"))
    })
}

/// A running server. Dropping it kills it.
pub(crate) struct LlamaServer {
    pub(crate) url: Url,
    process: Process,
    home: tempfile::TempDir,
}

impl LlamaServer {
    /// Starts a server on any free port, on one thread, with `arguments`.
    pub(crate) async fn start(arguments: &[&OsStr]) -> Self {
        Self::start_on("0", arguments).await
    }

    async fn start_on(port: &str, arguments: &[&OsStr]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let log = home.path().join("server.log");
        let fixed = [
            "--host",
            "127.0.0.1",
            "--port",
            port,
            "--threads",
            "1",
            "--threads-batch",
            "1",
        ];
        let fixed = fixed
            .iter()
            .chain(&["--no-webui", "--log-colors", "off"])
            .map(OsStr::new);
        let arguments: Vec<&OsStr> = fixed.chain(arguments.iter().copied()).collect();
        let process = Process::start(program(), &arguments, &[("HOME", home.path())], &log);
        let address = within(listening(&log, "listening on ")).await;
        Self {
            url: Url::parse(&address).expect("an address"),
            process,
            home,
        }
    }

    /// A server of its own with the starter: two slots of 512 tokens each.
    pub(crate) async fn own(more: &[&str]) -> Self {
        Self::with_model(&starter_file(), more).await
    }

    /// A server with a model: two slots of 512 tokens each.
    pub(crate) async fn with_model(model: &Path, more: &[&str]) -> Self {
        Self::start(&arguments(model, more)).await
    }

    /// Started again at the same address, after it was killed.
    pub(crate) async fn back(self, more: &[&str]) -> Self {
        let address = self.url.address();
        drop(self.process);
        let port = address.rsplit(':').next().expect("a port").to_owned();
        Self::start_on(&port, &arguments(&starter_file(), more)).await
    }

    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("server.log")).unwrap_or_default()
    }

    pub(crate) fn spec(&self) -> UpstreamSpec {
        UpstreamSpec {
            status_ttl: Duration::ZERO,
            status_timeout: HANG,
            ..UpstreamSpec::llama_cpp(self.url.clone())
        }
    }

    pub(crate) fn handle(&self) -> ProviderHandle {
        build(self.spec(), net(HANG)).expect("a handle")
    }
}

fn arguments<'a>(model: &'a Path, more: &[&'a str]) -> Vec<&'a OsStr> {
    let mut arguments: Vec<&OsStr> = vec![OsStr::new("--model"), model.as_os_str()];
    let usual: [&'a str; 7] = [
        "--alias",
        MODEL,
        "--parallel",
        "2",
        "--ctx-size",
        "1024",
        "--metrics",
    ];
    arguments.extend(usual.into_iter().chain(more.iter().copied()).map(OsStr::new));
    arguments
}

/// A server with the starter, shared by the tests that do not mind each other.
pub(crate) async fn shared() -> &'static LlamaServer {
    static SHARED: OnceCell<LlamaServer> = OnceCell::const_new();
    SHARED.get_or_init(|| LlamaServer::own(&[])).await
}
