//! `goblin signing-keys` and `goblin secrets` beside a goblin that runs.

use serde_json::{Value, json};

use crate::accounts::{get, post};
use crate::process::{Running, printed_well, run, stderr, until};

const ELSEWHERE: &[(&str, &str)] = &[
    ("FRONTEND_URL", "https://chat.example.org"),
    // A test that waits for a change signs in again and again.
    ("GOBLIN_LIMITS__SIGN_INS_PER_MINUTE", "0"),
];
const PASSWORD: &str = "a few words in a row";

/// A goblin with an owner, and the owner's token.
fn begun(home: &tempfile::TempDir, environment: &[(&str, &str)]) -> (Running, Value) {
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], environment);
    let link = std::fs::read_to_string(home.path().join(".local/share/goblin/first-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = json!({"token": secret, "email": "owner@example.org", "password": PASSWORD});
    let (status, signed_in) = post(&goblin, "/auth/setup", &body);
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["access_token"].clone();
    (goblin, token)
}

fn kid(token: &Value) -> String {
    use base64::Engine as _;
    let header = token.as_str().unwrap().split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn done(home: &tempfile::TempDir, arguments: &[&str]) -> String {
    printed_well(&run(home.path(), arguments, ELSEWHERE), arguments)
}

#[test]
fn a_rotation_ends_nobody_s_sign_in_and_a_goblin_that_runs_notices_it() {
    let home = tempfile::tempdir().unwrap();
    let (goblin, before) = begun(&home, ELSEWHERE);
    let listed: Value = serde_json::from_str(&done(&home, &["signing-keys", "list", "--json"])).unwrap();
    let states: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|k| k["state"].as_str())
        .collect();
    assert_eq!(states, ["current", "standby"]);
    assert_eq!(listed[0]["id"], kid(&before).as_str());
    let waiting = listed[1]["id"].as_str().unwrap().to_owned();

    done(&home, &["signing-keys", "rotate"]);
    let login = json!({"email": "owner@example.org", "password": PASSWORD});
    let after = until("it signs with the key that waited", || {
        let (status, signed_in) = post(&goblin, "/auth/login", &login);
        assert_eq!(status, 200, "{signed_in}");
        let token = signed_in["access_token"].clone();
        (kid(&token) == waiting).then_some(token)
    });
    assert_eq!(get(&goblin, "/api/chats", &before), 200, "signed just before");
    assert_eq!(get(&goblin, "/api/chats", &after), 200);

    // Another master key: what is sealed goes on, in this process too.
    let said = done(&home, &["secrets", "rotate"]);
    assert!(said.starts_with("3 secrets"), "{said}");
    assert_eq!(get(&goblin, "/api/chats", &before), 200);

    let refused = run(home.path(), &["signing-keys", "revoke", &waiting], ELSEWHERE);
    assert!(
        stderr(&refused).contains("no previous signing key"),
        "{}",
        stderr(&refused)
    );
    done(&home, &["signing-keys", "revoke", &kid(&before)]);
    until("it is refused", || {
        (get(&goblin, "/api/chats", &before) == 401).then_some(())
    });
    assert_eq!(get(&goblin, "/api/chats", &after), 200);
    drop(goblin);

    let again = Running::start(home.path(), &["serve", "--port", "0"], ELSEWHERE);
    assert_eq!(
        get(&again, "/api/chats", &after),
        200,
        "kept, under the new master key"
    );
}

#[test]
fn keys_of_the_environment_are_not_ours_to_change_and_the_values_to_set_are_printed() {
    let home = tempfile::tempdir().unwrap();
    let (current, standby) = ("c".repeat(40), "s".repeat(40));
    let environment = [
        ELSEWHERE[0],
        ("JWT_CURRENT_KEY", current.as_str()),
        ("JWT_STANDBY_KEY", standby.as_str()),
    ];
    let (goblin, before) = begun(&home, &environment);
    let arguments = ["signing-keys", "rotate"];
    let printed = printed_well(&run(home.path(), &arguments, &environment), &arguments);
    let set: Vec<(&str, &str)> = printed.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(set[0], ("JWT_CURRENT_KEY", standby.as_str()));
    assert_eq!(set[2], ("JWT_SECRET_KEY", current.as_str()));
    assert!(set[1].0 == "JWT_STANDBY_KEY" && set[1].1.len() >= 32, "{printed}");
    assert_eq!(get(&goblin, "/api/chats", &before), 200, "nothing was changed");
    drop(goblin);
    let next: Vec<(&str, &str)> = std::iter::once(ELSEWHERE[0]).chain(set.iter().copied()).collect();
    let again = Running::start(home.path(), &["serve", "--port", "0"], &next);
    assert_eq!(
        get(&again, "/api/chats", &before),
        200,
        "signed before the restart"
    );
}

#[test]
fn master_keys_that_do_not_serve_are_refused_at_the_start_without_being_shown() {
    let home = tempfile::tempdir().unwrap();
    for (given, said) in [
        ("hunter2", "ID:BASE64"),
        ("a:aHVudGVyMg==", "32 random bytes"),
        (",", "no key"),
    ] {
        let output = run(
            home.path(),
            &["serve", "--port", "0"],
            &[("SETTINGS_ENCRYPTION_KEY", given)],
        );
        assert_eq!(output.status.code(), Some(2), "{given}");
        let text = stderr(&output);
        assert!(
            text.contains("SETTINGS_ENCRYPTION_KEY") && text.contains(said),
            "{given}: {text}"
        );
        assert!(
            !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
            "{text}"
        );
    }
}
