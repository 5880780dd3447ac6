//! The real binary as a process of its own, with a home of its own, and HTTP by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use goblin_store::limits::READS_PER_MINUTE;

/// Nothing takes this long unless it hangs.
const HANG: Duration = Duration::from_secs(120);
/// How far apart the looks of [`until`] are at least. Two thirds of the looks a model tier allows a key, so that no
/// wait reaches that limit, however long it takes; the rest is for a backend that looks with the same key.
const PACE: Duration = Duration::from_millis(60_000 * 3 / (READS_PER_MINUTE as u64 * 2));

/// The binary with an empty environment and its home in `home`.
pub(crate) fn goblin(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goblin"));
    command
        .env_clear()
        .env("HOME", home)
        // An Ollama installed on this machine is none of a test's business.
        .env("OLLAMA_MODELS", home.join("no-ollama"))
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    goblin(home)
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command that ended well printed.
pub(crate) fn printed_well(output: &Output, arguments: &[&str]) -> String {
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(output));
    stdout(output)
}

/// A server that runs until dropped.
pub(crate) struct Running {
    child: Child,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    logs: PathBuf,
}

impl Running {
    /// Starts it and waits for the line with its address.
    pub(crate) fn start(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let logs = home.join(format!("{}.log", arguments.join("-").replace(['/', '='], "_")));
        let stderr = Stdio::from(std::fs::File::create(&logs).unwrap());
        Self::start_with(home, arguments, environment, (logs, stderr))
    }

    /// With a log that goes into a pipe nobody reads.
    pub(crate) fn start_unread(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_with(
            home,
            arguments,
            environment,
            (home.join("no.log"), Stdio::piped()),
        )
    }

    fn start_with(
        home: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (logs, stderr): (PathBuf, Stdio),
    ) -> Self {
        let mut child = goblin(home)
            .args(arguments)
            .args(["--set", "upstream.discover=false"])
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let told = || std::fs::read_to_string(&logs).unwrap_or_default();
        let address = first
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let Some(address) = address.and_then(|a| a.parse().ok()) else {
            let _ = child.kill();
            panic!("no address in {first:?}; it said: {}", told());
        };
        Self { child, address, logs }
    }

    pub(crate) fn logs(&self) -> String {
        std::fs::read_to_string(&self.logs).unwrap_or_default()
    }

    /// Sends a request and reads the whole answer: status and body (that of a stream with its chunk sizes).
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let (status, mut stream) = self.begin(method, path, headers, body);
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        (status, rest)
    }

    /// Sends a request and reads the answer's head; the body is left to the caller.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, BufReader<TcpStream>) {
        let mut reader = self.send(method, path, headers, body);
        let head = read_head(&mut reader);
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or_else(|| panic!("{head:?}"));
        (status, reader)
    }

    /// Sends a request and waits for nothing.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status line and the headers of an answer.
pub(crate) fn read_head(reader: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap() > 2 {}
    head
}

/// Tries again until `attempt` gives something; a hang fails.
///
/// For what another process does in its own time and tells nobody: all that can be done is to look again. Between
/// two looks this thread is parked for [`PACE`], so that it does not take the core which the other process needs.
/// What ends the wait is always what `attempt` saw, never the time that passed.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < HANG {
        if let Some(found) = attempt() {
            return found;
        }
        std::thread::park_timeout(PACE);
    }
    panic!("hangs: {what}");
}

/// The starter model in the cache that `make models` fills.
#[allow(
    clippy::disallowed_methods,
    reason = "tests find the cache as the script that fills it does"
)]
#[cfg_attr(
    not(feature = "engine"),
    allow(dead_code, reason = "without an engine nothing loads it")
)]
pub(crate) fn starter_model() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let path = cache.join("goblin/models/SmolLM2-135M-Instruct-Q4_1.gguf");
    assert!(path.is_file(), "{} is missing: run `make models`", path.display());
    path
}
