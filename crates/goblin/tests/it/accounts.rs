//! Accounts from the first start on, with the real binary.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::process::{Running, printed_well, run, stderr};

const PASSWORD: &str = "a few words in a row";
const ELSEWHERE: &[(&str, &str)] = &[("FRONTEND_URL", "https://chat.example.org")];

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn file(home: &tempfile::TempDir, name: &str) -> PathBuf {
    home.path().join(".local/share/goblin").join(name)
}

fn serve(home: &tempfile::TempDir, environment: &[(&str, &str)]) -> Running {
    Running::start(home.path(), &["serve", "--port", "0"], environment)
}

pub(crate) fn post(goblin: &Running, path: &str, body: &Value) -> (u16, Value) {
    let (status, text) = goblin.ask("POST", path, &[], &body.to_string());
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")),
    )
}

pub(crate) fn get(goblin: &Running, path: &str, token: &Value) -> u16 {
    let bearer = format!("Bearer {}", token.as_str().unwrap_or("none"));
    goblin.ask("GET", path, &[("Authorization", &bearer)], "").0
}

#[cfg(unix)]
fn is_private(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0
}

#[test]
fn the_first_start_elsewhere_leaves_a_link_and_accounts_outlive_a_restart() {
    let home = home();
    let goblin = serve(&home, ELSEWHERE);
    assert_eq!(goblin.ask("GET", "/health", &[], "").0, 200);
    assert_eq!(goblin.ask("GET", "/api/chats", &[], "").0, 403);
    let link = std::fs::read_to_string(file(&home, "first-link")).unwrap();
    assert!(is_private(&file(&home, "first-link")) && is_private(&file(&home, "master-keys")));
    let secret = link
        .trim()
        .strip_prefix("https://chat.example.org/setup#")
        .unwrap();
    let logs = goblin.logs();
    assert!(logs.contains("first-link") && !logs.contains(secret), "{logs}");

    let body = json!({"token": secret, "email": "owner@example.org", "password": PASSWORD});
    let (status, signed_in) = post(&goblin, "/auth/setup", &body);
    assert_eq!(status, 200, "{signed_in}");
    let token = &signed_in["access_token"];
    assert_eq!(get(&goblin, "/api/chats", token), 200);
    assert!(!goblin.logs().contains(PASSWORD) && !goblin.logs().contains(token.as_str().unwrap()));
    drop(goblin);

    let again = serve(&home, ELSEWHERE);
    assert!(!file(&home, "first-link").exists(), "of no use any more");
    assert_eq!(get(&again, "/api/chats", token), 200, "the key was kept");
    let login = json!({"email": "OWNER@example.org", "password": PASSWORD});
    assert_eq!(post(&again, "/auth/login", &login).0, 200);
    assert_eq!(post(&again, "/auth/setup", &body).0, 403);
}

#[test]
fn an_account_made_at_the_machine_ends_local_mode_also_after_a_restart() {
    let home = home();
    let goblin = serve(&home, &[]);
    assert_eq!(goblin.ask("GET", "/api/chats", &[], "").0, 200);
    assert!(!file(&home, "first-link").exists());
    let body = json!({"email": "owner@example.org", "password": PASSWORD});
    assert_eq!(post(&goblin, "/auth/setup", &body).0, 200);
    assert_eq!(goblin.ask("GET", "/api/chats", &[], "").0, 401);
    drop(goblin);
    let again = serve(&home, &[]);
    assert_eq!(again.ask("GET", "/api/chats", &[], "").0, 401);
    let url = format!("http://{}", again.address);
    let status = run(home.path(), &["status", "--url", &url], &[]);
    assert!(stderr(&status).contains("People sign in"), "{}", stderr(&status));
}

#[test]
fn listening_for_others_starts_and_lets_nobody_in_without_an_account() {
    let home = home();
    let goblin = serve(&home, &[("HOST", "0.0.0.0")]);
    let (status, state) = goblin.ask("GET", "/auth/state", &[], "");
    assert_eq!(status, 200);
    assert!(state.contains(r#""mode":"setup""#), "{state}");
    assert_eq!(goblin.ask("GET", "/v1/models", &[], "").0, 403);
    assert!(goblin.logs().contains("without TLS"), "{}", goblin.logs());
    assert!(file(&home, "first-link").exists());
}

#[test]
fn a_signing_key_that_is_too_short_or_broken_is_refused_without_being_shown() {
    let home = home();
    let output = run(
        home.path(),
        &["serve", "--port", "0"],
        &[("JWT_SECRET_KEY", "hunter2hunter2")],
    );
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.contains("JWT_SECRET_KEY") && text.contains("at least 32 bytes"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    std::fs::create_dir_all(file(&home, "")).unwrap();
    std::fs::write(file(&home, "signing-key"), "short\n").unwrap();
    let output = run(home.path(), &["serve", "--port", "0"], ELSEWHERE);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("signing-key"), "{}", stderr(&output));
}

#[test]
fn an_owner_who_has_forgotten_the_password_gets_a_link_from_the_command_line_while_goblin_runs() {
    let home = home();
    let none = run(home.path(), &["users", "list"], ELSEWHERE);
    assert!(stderr(&none).contains("no database"), "{}", stderr(&none));
    let goblin = serve(&home, ELSEWHERE);
    let link = std::fs::read_to_string(file(&home, "first-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = json!({"token": secret, "email": "owner@example.org", "password": PASSWORD});
    assert_eq!(post(&goblin, "/auth/setup", &body).0, 200);

    let unknown = run(home.path(), &["users", "reset", "nobody@example.org"], ELSEWHERE);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("no such account"),
        "{}",
        stderr(&unknown)
    );
    let arguments = ["users", "reset", "OWNER@example.org"];
    let printed = printed_well(&run(home.path(), &arguments, ELSEWHERE), &arguments);
    let secret = printed
        .trim()
        .strip_prefix("https://chat.example.org/reset#")
        .unwrap_or_else(|| panic!("{printed}"));
    let reset = json!({"token": secret, "password": "another good one"});
    assert_eq!(post(&goblin, "/auth/reset", &reset).0, 200);
    let login = json!({"email": "owner@example.org", "password": "another good one"});
    assert_eq!(post(&goblin, "/auth/login", &login).0, 200);
    let arguments = ["users", "list", "--json"];
    let listed = printed_well(&run(home.path(), &arguments, ELSEWHERE), &arguments);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["email"], &listed[0]["role"]),
        (&json!("owner@example.org"), &json!("owner"))
    );
}

#[test]
fn a_key_made_on_the_command_line_works_at_a_goblin_that_runs_until_it_is_revoked_there() {
    let home = home();
    let goblin = serve(&home, ELSEWHERE);
    let early = run(home.path(), &["keys", "create", "ci"], ELSEWHERE);
    assert_eq!(early.status.code(), Some(1));
    assert!(stderr(&early).contains("no account yet"), "{}", stderr(&early));
    let link = std::fs::read_to_string(file(&home, "first-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = json!({"token": secret, "email": "owner@example.org", "password": PASSWORD});
    assert_eq!(post(&goblin, "/auth/setup", &body).0, 200);

    let arguments = ["keys", "create", "ci", "--scope", "read", "--expires", "30d"];
    let key = printed_well(&run(home.path(), &arguments, ELSEWHERE), &arguments);
    let key = json!(key.trim());
    assert!(
        key.as_str().unwrap().starts_with("gbl_live_"),
        "the key and nothing else: {key}"
    );
    assert_eq!(get(&goblin, "/v1/models", &key), 200);
    let arguments = ["keys", "list"];
    let listed = printed_well(&run(home.path(), &arguments, ELSEWHERE), &arguments);
    assert!(
        listed.contains("owner@example.org") && listed.contains("good"),
        "{listed}"
    );
    let id = &key.as_str().unwrap()[9..17];
    let arguments = ["keys", "revoke", id];
    printed_well(&run(home.path(), &arguments, ELSEWHERE), &arguments);
    crate::process::until("the goblin notices", || {
        (get(&goblin, "/v1/models", &key) == 401).then_some(())
    });
    let unknown = run(home.path(), &["keys", "revoke", "zzzzzzzz"], ELSEWHERE);
    assert!(
        stderr(&unknown).contains("no key `zzzzzzzz`"),
        "{}",
        stderr(&unknown)
    );
    assert!(!goblin.logs().contains(key.as_str().unwrap()));
}
