//! What nobody finds in a log, and accounts that are taken along and ended from the command line.

use serde_json::{Value, json};

use crate::accounts::{get, post};
use crate::model_server;
use crate::process::{Running, printed_well, run, stderr};

const PASSWORD: &str = "canary-password words";
const ANSWER: &str = "canary-answer";

/// A server with its owner, signed in.
fn signed_in(home: &tempfile::TempDir, environment: &[(&str, &str)]) -> (Running, Value) {
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], environment);
    let link = home.path().join(".local/share/goblin/first-link");
    let link = std::fs::read_to_string(link).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = json!({
        "token": secret, "email": "canary-owner@example.org", "name": "canary-name", "password": PASSWORD,
    });
    let (status, answer) = post(&goblin, "/auth/setup", &body);
    assert_eq!(status, 200, "{answer}");
    (goblin, answer)
}

#[test]
fn no_log_holds_a_question_an_answer_a_key_an_address_or_a_password_at_any_level() {
    let home = tempfile::tempdir().unwrap();
    let ollama = format!("http://{}", model_server::start_saying(ANSWER));
    let (goblin, owner) = signed_in(
        &home,
        &[
            ("FRONTEND_URL", "https://chat.example.org"),
            ("OLLAMA_HOST", &ollama),
            ("LOG_LEVEL", "trace"),
            ("JWT_SECRET_KEY", "canary-signing-key of more than 32 bytes"),
        ],
    );
    let token = owner["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, path: &str, body: &Value| {
        let headers = [("Authorization", bearer.as_str())];
        goblin.ask(method, path, &headers, &body.to_string())
    };
    let (status, chat) = ask(
        "POST",
        "/api/chats",
        &json!({"title": "canary-title", "system": "canary-system", "model": "ollama/m:latest"}),
    );
    assert_eq!(status, 201, "{chat}");
    let chat = serde_json::from_str::<Value>(&chat).unwrap()["id"].clone();
    let turns = format!("/api/chats/{}/turns", chat.as_str().unwrap());
    let (status, events) = ask("POST", &turns, &json!({"content": "canary-question"}));
    assert_eq!(status, 200, "{events}");
    assert!(events.contains(ANSWER), "{events}");
    let question =
        |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "canary-question"}]});
    for model in ["ollama/m:latest", "goblin"] {
        assert_eq!(
            ask("POST", "/v1/chat/completions", &question(model)).0,
            200,
            "{model}"
        );
    }
    // What is refused is not told either.
    ask("POST", "/v1/chat/completions", &question("canary-model"));
    ask(
        "POST",
        "/v1/chat/completions",
        &json!({"model": 7, "messages": "canary-question"}),
    );
    for body in [
        json!({"email": "canary-nobody@example.org", "password": "canary-wrong words"}),
        json!({"email": "canary-owner@example.org", "password": "canary-wrong words"}),
        json!({"email": "canary not an address", "password": "canary-wrong words"}),
    ] {
        assert_ne!(post(&goblin, "/auth/login", &body).0, 200);
    }
    let key = [("Authorization", "Bearer gbl_canarykey_0123456789abcdef0123456789")];
    assert_eq!(goblin.ask("GET", "/api/chats", &key, "").0, 401);
    let (status, _) = ask(
        "POST",
        "/api/account/password",
        &json!({"current_password": PASSWORD, "new_password": "canary-password anew"}),
    );
    assert_eq!(status, 204);
    let invited = ask(
        "POST",
        "/api/invitations",
        &json!({"email": "canary-guest@example.org"}),
    );
    assert_eq!(invited.0, 201, "{}", invited.1);
    let exported = [("Authorization", bearer.as_str())];
    assert_eq!(goblin.begin("GET", "/api/account/export", &exported, "").0, 200);

    let logs = goblin.logs();
    assert!(
        logs.contains("TRACE") || logs.contains("DEBUG"),
        "it is told everything: {logs}"
    );
    assert!(logs.lines().count() > 20, "{logs}");
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains("canary")).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert!(!logs.contains(&token) && !logs.contains(owner["refresh_token"].as_str().unwrap()));
}

#[test]
fn an_account_is_taken_along_and_ended_from_the_command_line_while_goblin_runs() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = [("FRONTEND_URL", "https://chat.example.org")];
    let (goblin, owner) = signed_in(&home, &elsewhere);
    let bearer = format!("Bearer {}", owner["access_token"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    let invitation = json!({"email": "ada@example.org"}).to_string();
    let (_, made) = goblin.ask("POST", "/api/invitations", &headers, &invitation);
    let made: Value = serde_json::from_str(&made).unwrap();
    let secret = made["url"]
        .as_str()
        .unwrap()
        .split_once('#')
        .unwrap()
        .1
        .to_owned();
    let (status, ada) = post(
        &goblin,
        "/auth/invitation",
        &json!({"token": secret, "password": PASSWORD}),
    );
    assert_eq!(status, 200, "{ada}");

    let out = home.path().join("ada.zip");
    let shown = out.display().to_string();
    let arguments = ["users", "export", "ADA@example.org", "--out", &shown];
    printed_well(&run(home.path(), &arguments, &elsewhere), &arguments);
    let bytes = std::fs::read(&out).unwrap();
    assert!(bytes.starts_with(b"PK\x03\x04"));
    let again = run(home.path(), &arguments, &elsewhere);
    assert_eq!(
        again.status.code(),
        Some(1),
        "a file that is there is not touched"
    );
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o077, 0);
    }

    let asked = run(home.path(), &["users", "delete", "ada@example.org"], &elsewhere);
    assert_eq!(asked.status.code(), Some(1));
    assert!(stderr(&asked).contains("--yes"), "{}", stderr(&asked));
    assert_eq!(
        get(&goblin, "/api/chats", &ada["access_token"]),
        200,
        "nothing was done"
    );
    let arguments = ["users", "delete", "ada@example.org", "--yes"];
    let printed = printed_well(&run(home.path(), &arguments, &elsewhere), &arguments);
    assert!(printed.contains("is gone"), "{printed}");
    assert_eq!(
        get(&goblin, "/api/chats", &ada["access_token"]),
        401,
        "in the running goblin too"
    );
    for arguments in [
        &["users", "delete", "ada@example.org", "--yes"][..],
        &["users", "export", "nobody@example.org", "--out", "x.zip"],
    ] {
        let refused = run(home.path(), arguments, &elsewhere);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            stderr(&refused).contains("no such account"),
            "{}",
            stderr(&refused)
        );
    }
    let arguments = ["users", "delete", "canary-owner@example.org", "--yes"];
    let last = run(home.path(), &arguments, &elsewhere);
    assert_eq!(last.status.code(), Some(1));
    assert!(stderr(&last).contains("last owner"), "{}", stderr(&last));
}
