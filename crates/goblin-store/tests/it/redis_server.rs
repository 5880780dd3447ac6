//! A real Redis on a port of its own, which ends with the test.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use goblin_store::rate_limits::RedisAddress;

pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl RedisServer {
    /// A fresh one that takes connections.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = Self {
            child: begin(port, folder.path()),
            port,
            folder,
        };
        server.ready().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn address(&self) -> RedisAddress {
        RedisAddress::parse(&self.url().into()).unwrap()
    }

    /// Ends it; its counts are gone.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port.
    pub(crate) async fn again(&mut self) {
        self.child = begin(self.port, self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..1_000 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port))
                .await
                .is_ok()
            {
                return;
            }
            ticks.tick().await;
        }
        panic!("redis-server does not take connections");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn begin(port: u16, folder: &std::path::Path) -> Child {
    let arguments = [
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--port",
    ];
    for program in ["redis-server", "valkey-server"] {
        let started = Command::new(program)
            .args(arguments)
            .arg(port.to_string())
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(child) = started {
            return child;
        }
    }
    panic!("redis-server is not installed; `scripts/setup.sh --tests` installs it");
}
