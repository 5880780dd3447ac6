//! Real servers as processes of our own: gone when the tests are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// No test takes a fraction of this; a hang must end.
pub(crate) const HANG: Duration = Duration::from_secs(300);

/// Awaits under the hang guard.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, what).await.expect("hangs")
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests find real programs by the environment"
)]
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// The path a script of the repository prints.
pub(crate) fn from_script(script: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(script);
    let out = Command::new("bash").arg(path).stderr(Stdio::inherit()).output();
    let out = out.unwrap_or_else(|e| panic!("{script}: {e}"));
    assert!(out.status.success(), "{script} gave no program; see above");
    PathBuf::from(String::from_utf8(out.stdout).expect("a path").trim())
}

/// The folder `make models` fetches to.
pub(crate) fn models_folder() -> PathBuf {
    let cache = variable("XDG_CACHE_HOME");
    let cache = cache.unwrap_or_else(|| variable("HOME").unwrap_or_default().join(".cache"));
    cache.join("goblin/models")
}

pub(crate) fn starter_file() -> PathBuf {
    let path = variable("GOBLIN_STARTER_GGUF")
        .unwrap_or_else(|| models_folder().join("SmolLM2-135M-Instruct-Q4_1.gguf"));
    assert!(
        path.is_file(),
        "{} is missing. Fetch the test models: make models",
        path.display()
    );
    path
}

/// Starts a program in a process group of its own, says its id, and kills the group when nobody holds our end any more;
/// a signal to all of the tests does not end it before that.
const WATCHER: &str = r#"set -m
log=$1
shift
"$0" "$@" >"$log" 2>&1 </dev/null &
group=$!
trap '' HUP INT TERM
echo "$group"
cat >/dev/null
kill -KILL -- "-$group"
"#;

/// A running program. Dropping it, or the end of this process however it comes, kills it and what it started.
pub(crate) struct Process {
    group: String,
    /// Waits for the end of its standard input, which this process holds.
    watcher: Child,
}

impl Process {
    /// Starts `program` with `arguments` and these variables; what it says goes to `log`.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&OsStr],
        variables: &[(&str, &Path)],
        log: &Path,
    ) -> Self {
        let mut watcher = Command::new("bash")
            .args(["-c", WATCHER])
            .arg(program)
            .arg(log)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let mut said = std::io::BufReader::new(watcher.stdout.take().expect("its output"));
        let mut group = String::new();
        std::io::BufRead::read_line(&mut said, &mut group).expect("its id");
        Self {
            group: group.trim().to_owned(),
            watcher,
        }
    }

    /// `kill -9`, what it started too.
    pub(crate) fn kill(&self) {
        let group = format!("-{}", self.group);
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ended = self.watcher.wait();
    }
}

/// The address a program says it listens on, after `words` in its log.
pub(crate) async fn listening(log: &Path, words: &str) -> String {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if let Some((_, after)) = said.split_once(words) {
            let address = after.split([' ', '"', '\n']).next().unwrap_or_default();
            if after.len() > address.len() {
                return address.to_owned();
            }
        }
    }
}
