//! What the service manager is told by the real binary.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::process::{Running, run, stderr};

/// What comes until `last` has come.
fn told_until(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let mut told = Vec::new();
    while told.last().is_none_or(|said| said != last) {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        told.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    told
}

fn is_told(arguments: &[&str], variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut environment = vec![
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "100000"),
    ];
    environment.extend(variables);
    let mut goblin = Running::start(home.path(), arguments, &environment);
    let told = told_until(&socket, "READY=1");
    assert!(
        told.iter().all(|said| said == "READY=1" || said == "WATCHDOG=1"),
        "{told:?}"
    );
    let (status, body) = goblin.ask("GET", "/health", &[], "");
    assert!(
        status == 200 || body.contains("No model server"),
        "ready means that it answers: {body}"
    );
    let told = told_until(&socket, "WATCHDOG=1");
    assert!(!told.iter().any(|said| said == "STOPPING=1"), "{told:?}");
    goblin.signal("TERM");
    told_until(&socket, "STOPPING=1");
    assert_eq!(goblin.wait(), Some(0));
}

#[test]
fn the_backend_tells_that_it_is_ready_alive_and_stopping() {
    is_told(&["serve", "--port", "0"], &[]);
}

#[test]
fn the_model_tier_tells_that_it_is_ready_alive_and_stopping() {
    let key = [("LOCAL_LLM_API_KEY", "a-key-for-this-test-0123456789abcdef")];
    is_told(&["models", "serve", "--port", "0"], &key);
}

#[test]
fn healthcheck_is_silent_when_all_is_well_and_says_why_not() {
    let home = tempfile::tempdir().unwrap();
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let url = format!("http://{}", goblin.address);
    let well = run(home.path(), &["healthcheck", "--url", &url], &[]);
    assert_eq!(well.status.code(), Some(0), "{}", stderr(&well));
    assert!(
        well.stdout.is_empty() && well.stderr.is_empty(),
        "{}",
        stderr(&well)
    );
    let port = goblin.address.port().to_string();
    let configured = run(home.path(), &["healthcheck"], &[("PORT", &port)]);
    assert_eq!(configured.status.code(), Some(0), "{}", stderr(&configured));
    let tier = run(home.path(), &["healthcheck", "--tier"], &[("PORT", &port)]);
    assert_eq!(
        tier.status.code(),
        Some(0),
        "the same variable is the tier's: {}",
        stderr(&tier)
    );
    drop(goblin);
    let away = run(home.path(), &["healthcheck", "--url", &url], &[]);
    assert_eq!(away.status.code(), Some(1));
    assert!(!stderr(&away).is_empty());
}
