//! Tells the service manager how this process is: ready, alive, stopping. Without one nothing is told.
//!
//! The protocol is that of sd_notify(3): datagrams of `NAME=VALUE` lines to the socket in `NOTIFY_SOCKET`.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Environment;

/// The service manager, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<Arc<Socket>>,
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Socket {
    from: UnixDatagram,
    to: SocketAddr,
}

impl ServiceManager {
    /// The one this process was started by. One that cannot be reached is none: it will say so itself.
    pub(crate) fn of(environment: &Environment) -> Self {
        let Some(name) = environment.notify_socket() else {
            return Self::default();
        };
        match Socket::open(name) {
            Ok(socket) => Self {
                socket: Some(Arc::new(socket)),
                watchdog: environment.watchdog(std::process::id()),
            },
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET names no socket");
                Self::default()
            }
        }
    }

    /// Requests are answered from now on.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// A sign of life.
    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// What is under way is finished, nothing new is begun. From here on no sign of life is waited for.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// How often a sign of life is to be given: twice in the time after which the process is ended, as
    /// sd_watchdog_enabled(3) recommends. `None`: nobody waits for one.
    pub(crate) fn alive_every(&self) -> Option<Duration> {
        let period = self.watchdog? / 2;
        (self.socket.is_some() && !period.is_zero()).then_some(period)
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.from.send_to_addr(state.as_bytes(), &socket.to) {
            tracing::debug!(%error, state, "the service manager was not told");
        }
    }
}

impl Socket {
    fn open(name: &str) -> io::Result<Self> {
        let from = UnixDatagram::unbound()?;
        // A manager that does not read must not hold anybody up.
        from.set_nonblocking(true)?;
        Ok(Self {
            from,
            to: address(name)?,
        })
    }
}

/// A path, or with `@` before it a name in Linux's abstract namespace.
fn address(name: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(hidden) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(hidden);
    }
    if name.starts_with('/') {
        return SocketAddr::from_pathname(name);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "an absolute path, or a name after `@`, is expected",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn it_is_told_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let variables = [
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "4000000"),
        ];
        let manager = ServiceManager::of(&Environment::of(&variables));
        assert_eq!(manager.alive_every(), Some(Duration::from_secs(2)));
        manager.ready();
        manager.alive();
        manager.stopping();
        let told: Vec<_> = (0..3).map(|_| received(&socket)).collect();
        assert_eq!(told, ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_told_by_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("goblin-notify-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let named = format!("@{name}");
        ServiceManager::of(&Environment::of(&[("NOTIFY_SOCKET", named.as_str())])).ready();
        assert_eq!(received(&socket), "READY=1");
    }

    #[test]
    fn without_one_nothing_is_told_and_nothing_fails() {
        for variables in [
            &[][..],
            &[("NOTIFY_SOCKET", "relative")],
            &[("WATCHDOG_USEC", "4000000")],
        ] {
            let manager = ServiceManager::of(&Environment::of(variables));
            assert_eq!(manager.alive_every(), None, "{variables:?}");
            manager.ready();
        }
        // Nobody listens there.
        let manager = ServiceManager::of(&Environment::of(&[("NOTIFY_SOCKET", "/nowhere/notify")]));
        manager.ready();
        assert!(manager.socket.is_some());
    }
}
