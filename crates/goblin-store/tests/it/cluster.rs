//! A real PostgreSQL of the tests' own: made in a temporary folder, on a free port of 127.0.0.1, gone at the end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// With every character that an address must write differently.
pub(crate) const PASSWORD: &str = "p@ss/w:rd%&?#";
const PASSWORD_IN_ADDRESS: &str = "p%40ss%2Fw%3Ard%25%26%3F%23";

/// A server that runs until the process ends.
pub(crate) struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    account: Option<Account>,
    /// Where it listens.
    pub(crate) port: u16,
    /// Waits for our end, however it comes, and then stops the server and removes the folder.
    _warden: Mutex<Child>,
    databases: AtomicU32,
}

/// PostgreSQL refuses to run as root.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

/// A certificate and its key, PEM.
pub(crate) struct Tls<'a> {
    pub(crate) certificate: &'a str,
    pub(crate) key: &'a str,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) fn start(tls: Option<Tls<'_>>) -> Self {
        // Where every account may go, which a temporary folder of root's need not be.
        let folder = tempfile::Builder::new()
            .prefix("goblin-pg-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        let account = account(&folder);
        if let Some(Account { user, group }) = account {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let programs = programs();
        let mut cluster = Self {
            _warden: Mutex::new(warden(&folder, &programs, account)),
            folder,
            programs,
            account,
            port: 0,
            databases: AtomicU32::new(0),
        };
        cluster.make(tls);
        cluster.run();
        cluster
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of PostgreSQL, as the account that may run it.
    fn program(&self, name: &str) -> Command {
        as_account(Command::new(self.programs.join(name)), &self.folder, self.account)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some(Account { user, group }) = self.account {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).unwrap();
        }
        path
    }

    fn make(&self, tls: Option<Tls<'_>>) {
        let password = self.write("password", PASSWORD);
        let made = self
            .program("initdb")
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let folder = self.folder.display();
        let mut settings = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\nmax_connections = 200\n\
             shared_buffers = 32MB\nfsync = off\nfull_page_writes = off\nautovacuum = off\n"
        );
        if let Some(tls) = tls {
            let certificate = self.write("server.crt", tls.certificate);
            let key = self.write("server.key", tls.key);
            settings += &format!(
                "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
                certificate.display(),
                key.display()
            );
        }
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.data().join("postgresql.conf"))
            .unwrap();
        file.write_all(settings.as_bytes()).unwrap();
    }

    /// Stops the server, as the end of its machine would.
    pub(crate) fn stop(&self) {
        let stopped = self
            .program("pg_ctl")
            .arg("--pgdata")
            .arg(self.data())
            .args(["--mode=immediate", "--wait", "stop"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(stopped.success());
    }

    /// Starts it on its port; true when that works.
    pub(crate) fn start_again(&self) -> bool {
        let started = self
            .program("pg_ctl")
            .arg("--pgdata")
            .arg(self.data())
            .arg(format!("--log={}", self.folder.join("log").display()))
            .arg(format!("--options=-p {}", self.port))
            .args(["--wait", "--timeout=60", "start"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        started.success()
    }

    /// Starts it on a free port; another program may take that port first.
    fn run(&mut self) {
        for _ in 0..5 {
            self.port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            if self.start_again() {
                return;
            }
        }
        panic!(
            "PostgreSQL does not start: {}",
            fs::read_to_string(self.folder.join("log")).unwrap_or_default()
        );
    }

    /// A new, empty database, whose letters are not in the order of their bytes.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("goblin_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"),
        );
        name
    }

    /// The address of a database.
    pub(crate) fn address(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{PASSWORD_IN_ADDRESS}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// What a statement answers, by PostgreSQL's own client.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let answer = self
            .psql(database)
            .args(["--command", statement])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    }

    /// PostgreSQL's own client, connected to a database.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = self.program("psql");
        psql.env("PGPASSWORD", PASSWORD)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--host=127.0.0.1", "--username=postgres"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--dbname={database}"));
        psql
    }

    /// A PgBouncer in front of it that gives each transaction any of its two connections; where it listens.
    pub(crate) fn pooler(&self) -> Pooler {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let settings = self.write(
            &format!("pgbouncer-{port}.ini"),
            &format!(
                "[databases]\n* = host=127.0.0.1 port={} user=postgres password='{PASSWORD}'\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n",
                self.port
            ),
        );
        let program = found("pgbouncer", &["/usr/sbin".into(), "/opt/homebrew/bin".into()])
            .unwrap_or_else(|| panic!("PgBouncer is missing: run scripts/setup.sh --tests"));
        let mut child = as_account(Command::new(program), &self.folder, self.account)
            .arg(settings)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("process up") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "PgBouncer ended: {said}");
        }
        Pooler {
            port,
            child,
            _lines: lines,
        }
    }
}

/// A pooling proxy that runs until dropped.
pub(crate) struct Pooler {
    port: u16,
    child: Child,
    _lines: BufReader<std::process::ChildStderr>,
}

impl Pooler {
    /// The address of a database behind it.
    pub(crate) fn address(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the pipe to us is closed, which the end of this process does, whatever it is.
fn warden(folder: &Path, programs: &Path, account: Option<Account>) -> Child {
    let script = "cat >/dev/null; \"$1/pg_ctl\" --pgdata=\"$2/data\" --mode=immediate stop >/dev/null 2>&1; rm -rf \"$2\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "warden"]).arg(programs).arg(folder);
    as_account(shell, Path::new("/"), account)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn as_account(mut command: Command, folder: &Path, account: Option<Account>) -> Command {
    use std::os::unix::process::CommandExt;
    command.current_dir(folder).stdin(Stdio::null());
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    command
}

/// Whom to be: nobody else, unless we are root (whose files are root's).
fn account(ours: &Path) -> Option<Account> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(ours).unwrap().uid() != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = accounts.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(Account {
            user: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    };
    Some(
        of("postgres")
            .or_else(|| of("nobody"))
            .expect("an account that is not root's"),
    )
}

/// The folder of PostgreSQL's programs: that of PATH, or of the newest version Debian has installed.
fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|all| all.filter_map(|e| Some(e.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    folders.push("/opt/homebrew/opt/postgresql@16/bin".into());
    let initdb = found("initdb", &folders)
        .unwrap_or_else(|| panic!("PostgreSQL is missing: run scripts/setup.sh --tests"));
    // Not a link beside others: the programs find each other in their own folder.
    initdb.canonicalize().unwrap().parent().unwrap().to_owned()
}

#[allow(
    clippy::disallowed_methods,
    reason = "programs are found as a shell finds them"
)]
fn found(name: &str, further: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut all = further.iter().chain(&on_path).map(|folder| folder.join(name));
    all.find(|file| file.is_file())
}
