//! Looking for an Ollama at the first start: small ones of a few lines, and a real one.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use super::*;
use crate::config::{Environment, Request, load};

#[path = "../../tests/it/model_server.rs"]
mod model_server;
#[allow(
    dead_code,
    reason = "the tests of goblin-providers, whose file it is, use more of it"
)]
#[path = "../../../goblin-providers/tests/it/process.rs"]
mod process;

use process::{Process, from_script, listening, starter_file, variable, within};

/// What is configured, by `--set` and by the environment.
fn config(set: &[(&str, &str)], environment: &[(&str, &str)]) -> Config {
    let flag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned(), "--set".to_owned());
    let request = Request {
        flags: set.iter().map(flag).collect(),
        ..Request::default()
    };
    let environment = [&[("HOME", "/h")][..], environment].concat();
    load(&Environment::of(&environment), &request).unwrap().config
}

/// Looks at `address`: what is used, and what the log says.
async fn look(address: &str, config: &Config) -> (Option<ProviderHandle>, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Mutex::new(log.reopen().unwrap()));
    let found = {
        let _listening = tracing::subscriber::set_default(lines.finish());
        within(discover_at(address, config)).await.unwrap()
    };
    (found, std::fs::read_to_string(log.path()).unwrap())
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn an_ollama_with_a_model_is_used_and_one_without_is_named_with_what_to_run() {
    let address = format!("http://{}", model_server::start());
    let (found, said) = look(&address, &config(&[], &[])).await;
    let status = (found.expect("it is used").status)().await;
    assert_eq!(status.models.len(), 1, "{status:?}");
    assert!(
        said.contains("found an Ollama") && said.contains(&address),
        "{said}"
    );

    let address = format!("http://{}", model_server::start_with(r#"{"models":[]}"#));
    let (found, said) = look(&address, &config(&[], &[])).await;
    assert!(found.is_none(), "{said}");
    assert!(
        said.contains("has no model yet") && said.contains("ollama pull") && said.contains(&address),
        "{said}"
    );
}

#[tokio::test]
async fn where_no_ollama_answers_it_is_said_why() {
    let address = nobody();
    let (found, said) = look(&address, &config(&[], &[])).await;
    assert!(found.is_none(), "{said}");
    assert!(
        said.contains("no Ollama on this machine that can be used") && said.contains("refused"),
        "{said}"
    );
    assert!(!said.contains("no model"), "the server is not there: {said}");

    let stranger = format!("http://{}", model_server::start_with("<html>"));
    let (found, said) = look(&stranger, &config(&[], &[])).await;
    assert!(found.is_none(), "{said}");
    assert!(
        said.contains("no Ollama on this machine that can be used"),
        "{said}"
    );
}

#[tokio::test]
async fn nobody_looks_when_a_server_is_named_or_looking_is_switched_off() {
    let address = format!("http://{}", model_server::start());
    for config in [
        config(&[("upstream.discover", "false")], &[]),
        config(&[], &[("OLLAMA_HOST", "127.0.0.1:1")]),
    ] {
        let (found, said) = look(&address, &config).await;
        assert!(found.is_none() && said.is_empty(), "{said}");
    }
}

#[tokio::test]
async fn a_real_ollama_is_used_as_soon_as_it_has_a_model() {
    let home = tempfile::tempdir().unwrap();
    let (log, models) = (home.path().join("serve.log"), home.path().join("models"));
    let program = variable("GOBLIN_TEST_OLLAMA").unwrap_or_else(|| from_script("scripts/ollama.sh"));
    let settings = [
        ("HOME", home.path()),
        ("OLLAMA_HOST", Path::new("127.0.0.1:0")),
        ("OLLAMA_MODELS", &models),
    ];
    let _ollama = Process::start(&program, &[OsStr::new("serve")], &settings, &log);
    let address = format!("http://{}", within(listening(&log, "Listening on ")).await);
    let (found, said) = look(&address, &config(&[], &[])).await;
    assert!(found.is_none() && said.contains("has no model yet"), "{said}");

    let recipe = home.path().join("Modelfile");
    std::fs::write(&recipe, format!("FROM {}\n", starter_file().display())).unwrap();
    let made = Command::new(&program)
        .args([
            OsStr::new("create"),
            OsStr::new("starter"),
            OsStr::new("-f"),
            recipe.as_os_str(),
        ])
        .envs([("HOME", home.path()), ("OLLAMA_HOST", Path::new(&address))])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let (found, said) = look(&address, &config(&[], &[])).await;
    let status = (found.expect("it is used").status)().await;
    assert_eq!(&*status.models[0].name, "starter:latest", "{status:?}");
    assert!(said.contains("found an Ollama"), "{said}");
}
