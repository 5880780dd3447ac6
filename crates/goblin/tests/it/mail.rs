//! Mail through a real mail server: what is sent, to whom, where it leads, and what nobody learns from it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::accounts::post;
use crate::process::{Running, printed_well, run, stderr};

const PASSWORD: &str = "a few words in a row";
const PAGE: &str = "https://chat.example.org";

/// A mail server that says what it is given.
struct Sink {
    child: Child,
    said: BufReader<ChildStdout>,
    port: u16,
}

impl Sink {
    fn start(arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail_sink.py");
        // Debian's module belongs to Debian's Python, whichever other comes first.
        let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
            let asked = Command::new(python).args(["-c", "import aiosmtpd"]).output();
            asked.is_ok_and(|output| output.status.success())
        });
        let python = python.expect("aiosmtpd is missing: run `scripts/setup.sh --tests`");
        let mut child = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        Self {
            child,
            said,
            port: port.trim().parse().unwrap(),
        }
    }

    /// The next letter.
    fn letter(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn environment(url: &str) -> [(&str, &str); 3] {
    [
        ("FRONTEND_URL", PAGE),
        ("MAIL_FROM", "Goblin <goblin@example.org>"),
        ("SMTP_URL", url),
    ]
}

/// A server with its owner; the headers of a request of theirs.
fn with_owner(home: &Path, environment: &[(&str, &str)]) -> (Running, String) {
    let goblin = Running::start(home, &["serve", "--port", "0"], environment);
    let link = std::fs::read_to_string(home.join(".local/share/goblin/first-link")).unwrap();
    let secret = link.trim().split_once('#').unwrap().1;
    let body = json!({"token": secret, "email": "Owner@example.org", "name": "Ada", "password": PASSWORD});
    let (status, answer) = post(&goblin, "/auth/setup", &body);
    assert_eq!(status, 200, "{answer}");
    (
        goblin,
        format!("Bearer {}", answer["access_token"].as_str().unwrap()),
    )
}

/// The link of a letter, which both of its forms hold and which leads to our page.
fn link_of(letter: &Value, page: &str) -> String {
    let text = letter["text"].as_str().unwrap();
    let link = text
        .lines()
        .find(|line| line.contains("://"))
        .unwrap()
        .trim()
        .to_owned();
    assert!(link.starts_with(&format!("{PAGE}/{page}#")), "{link}");
    assert_eq!(text.matches("://").count(), 1, "{text}");
    let html = letter["html"].as_str().unwrap();
    assert_eq!(html.matches("href=").count(), 1, "{html}");
    assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
    link
}

fn secret_of(link: &str) -> &str {
    link.split_once('#').unwrap().1
}

#[test]
fn a_forgotten_password_is_set_by_a_letter_and_nobody_learns_who_has_an_account() {
    let home = tempfile::tempdir().unwrap();
    let mut sink = Sink::start(&[]);
    let url = format!("smtp://127.0.0.1:{}?tls=none", sink.port);
    let (goblin, _) = with_owner(home.path(), &environment(&url));
    let (_, state) = goblin.ask("GET", "/auth/state", &[], "");
    assert!(state.contains(r#""sends_mail":true"#), "{state}");

    let unknown = post(&goblin, "/auth/forgot", &json!({"email": "nobody@example.org"}));
    let known = post(&goblin, "/auth/forgot", &json!({"email": "OWNER@example.org"}));
    assert_eq!(unknown, known, "the same answer");
    assert_eq!(known.0, 202);
    let letter = sink.letter();
    assert_eq!(
        letter["to"],
        json!(["Owner@example.org"]),
        "and no other: it came first"
    );
    assert_eq!(letter["from"], "goblin@example.org");
    let headers = &letter["headers"];
    assert_eq!(
        (headers["From"].as_str(), headers["Subject"].as_str()),
        (Some("Goblin <goblin@example.org>"), Some("Another password"))
    );
    // Asked for again at once, no other letter: the link just sent stays good.
    assert_eq!(
        post(&goblin, "/auth/forgot", &json!({"email": "owner@example.org"})),
        known
    );
    let link = link_of(&letter, "reset");
    let set = json!({"token": secret_of(&link), "password": "another good one"});
    assert_eq!(post(&goblin, "/auth/reset", &set).0, 200);
    assert_eq!(post(&goblin, "/auth/reset", &set).0, 403, "good once");
    let login = json!({"email": "owner@example.org", "password": "another good one"});
    assert_eq!(post(&goblin, "/auth/login", &login).0, 200);

    for bad in [
        json!({"email": "owner@example.org\r\nBcc: all@example.org"}),
        json!({"email": "owner@example.org, all@example.org"}),
        json!({"email": ""}),
        json!({}),
        json!({"email": "owner@example.org", "redirect": "https://evil.example"}),
    ] {
        assert_eq!(post(&goblin, "/auth/forgot", &bad).0, 422, "{bad}");
    }
    let logs = goblin.logs();
    assert!(logs.contains("a letter was sent"), "{logs}");
    assert!(
        !logs.contains("@example.org") && !logs.contains(secret_of(&link)),
        "{logs}"
    );
}

#[test]
fn a_server_that_wants_starttls_is_given_invitations_encrypted() {
    let home = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let made = made.self_signed(&key).unwrap();
    let (certificate, private) = (home.path().join("mail.pem"), home.path().join("mail.key"));
    std::fs::write(&certificate, made.pem()).unwrap();
    std::fs::write(&private, key.serialize_pem()).unwrap();
    let (certificate, private) = (certificate.display().to_string(), private.display().to_string());
    let mut sink = Sink::start(&["--certificate", &certificate, "--key", &private]);
    let url = format!("smtp://localhost:{}", sink.port);
    let mut environment = environment(&url).to_vec();
    environment.push(("GOBLIN_MAIL__CA_FILE", &certificate));
    let (goblin, bearer) = with_owner(home.path(), &environment);
    let headers = [("Authorization", bearer.as_str())];
    let body = json!({"email": "Guest@example.org", "role": "viewer"}).to_string();
    let (status, made) = goblin.ask("POST", "/api/invitations", &headers, &body);
    assert_eq!(status, 201, "{made}");
    let letter = sink.letter();
    assert_eq!(
        (&letter["encrypted"], &letter["to"]),
        (&json!(true), &json!(["Guest@example.org"]))
    );
    assert!(
        letter["text"]
            .as_str()
            .unwrap()
            .starts_with("Ada invited you to goblin as viewer.")
    );
    let link = link_of(&letter, "invitation");
    let accept = json!({"token": secret_of(&link), "password": PASSWORD});
    assert_eq!(post(&goblin, "/auth/invitation", &accept).0, 200);

    let arguments = ["users", "invite", "next@example.org", "--role", "admin"];
    let printed = printed_well(&run(home.path(), &arguments, &environment), &arguments);
    let letter = sink.letter();
    assert_eq!(link_of(&letter, "invitation"), printed.trim());
    let taken = run(
        home.path(),
        &["users", "invite", "guest@example.org"],
        &environment,
    );
    assert!(stderr(&taken).contains("has an account"), "{}", stderr(&taken));

    // Whoever does not trust the certificate sends nothing, and says that the link was not sent.
    let untrusting = &environment[..3];
    let refused = run(home.path(), &["users", "invite", "third@example.org"], untrusting);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("not sent") && stderr(&refused).contains("TLS"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_letter_that_is_not_taken_now_comes_again_and_the_answer_never_depends_on_it() {
    let home = tempfile::tempdir().unwrap();
    let mut sink = Sink::start(&["--later", "1"]);
    let url = format!("smtp://127.0.0.1:{}?tls=none", sink.port);
    let mut environment = environment(&url).to_vec();
    environment.push(("GOBLIN_AUTH__REGISTRATION_OPEN", "true"));
    let (goblin, _) = with_owner(home.path(), &environment);
    let who = json!({"email": "ada@example.org", "password": PASSWORD});
    let (status, made) = post(&goblin, "/auth/register", &who);
    assert_eq!(status, 200, "{made}");
    let first = sink.letter();
    assert_eq!(first["later"], true);
    let again = sink.letter();
    assert_eq!((&again["later"], &again["text"]), (&json!(false), &first["text"]));
    let link = link_of(&again, "verify");
    let token = json!({"token": secret_of(&link)});
    assert_eq!(post(&goblin, "/auth/verification", &token).0, 200);
    assert_eq!(post(&goblin, "/auth/verification", &token).0, 403, "good once");
    let reset = json!({"token": secret_of(&link), "password": "another good one"});
    assert_eq!(
        post(&goblin, "/auth/reset", &reset).0,
        403,
        "and for nothing else"
    );
}

#[test]
fn a_mail_server_that_refuses_or_is_away_changes_no_answer() {
    let refusing = Sink::start(&["--refuse"]);
    let away = "smtp://127.0.0.1:1?tls=none".to_owned();
    for url in [format!("smtp://127.0.0.1:{}?tls=none", refusing.port), away] {
        let home = tempfile::tempdir().unwrap();
        let (goblin, bearer) = with_owner(home.path(), &environment(&url));
        assert_eq!(
            post(&goblin, "/auth/forgot", &json!({"email": "owner@example.org"})).0,
            202
        );
        let headers = [("Authorization", bearer.as_str())];
        let body = json!({"email": "guest@example.org"}).to_string();
        assert_eq!(goblin.ask("POST", "/api/invitations", &headers, &body).0, 201);
        crate::process::until("the log tells", || {
            let logs = goblin.logs();
            (logs.contains("a letter was dropped") || logs.contains("waits for another try")).then_some(())
        });
        assert!(!goblin.logs().contains("@example.org"), "{}", goblin.logs());
    }
}

#[test]
fn without_mail_the_page_knows_and_a_wrong_set_up_is_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let (goblin, _) = with_owner(home.path(), &[("FRONTEND_URL", PAGE)]);
    let (_, state) = goblin.ask("GET", "/auth/state", &[], "");
    assert!(state.contains(r#""sends_mail":false"#), "{state}");
    for email in ["owner@example.org", "nobody@example.org"] {
        assert_eq!(post(&goblin, "/auth/forgot", &json!({"email": email})).0, 409);
    }
    let arguments = ["users", "invite", "guest@example.org"];
    let printed = run(home.path(), &arguments, &[("FRONTEND_URL", PAGE)]);
    assert!(printed_well(&printed, &arguments).starts_with(&format!("{PAGE}/invitation#")));
    assert!(
        stderr(&printed).contains("not sent to anybody"),
        "{}",
        stderr(&printed)
    );
    drop(goblin);
    for (given, said) in [
        (
            &[
                ("SMTP_URL", "smtp://u:hunter2@mail.example.org"),
                ("MAIL_FROM", "a@example.org"),
            ][..],
            "FRONTEND_URL",
        ),
        (
            &[
                ("SMTP_URL", "smtp://u:hunter2@mail.example.org"),
                ("FRONTEND_URL", PAGE),
            ],
            "MAIL_FROM",
        ),
        (
            &[
                ("SMTP_URL", "http://u:hunter2@mail.example.org"),
                ("FRONTEND_URL", PAGE),
            ],
            "smtps://",
        ),
        (
            &[
                ("SMTP_URL", "smtp://u:hunter2@mail.example.org?tls=none"),
                ("FRONTEND_URL", PAGE),
                ("MAIL_FROM", "a@example.org"),
            ],
            "password would travel",
        ),
    ] {
        let refused = run(home.path(), &["config", "check"], given);
        assert_ne!(refused.status.code(), Some(0), "{given:?}");
        let text = stderr(&refused) + &crate::process::stdout(&refused);
        assert!(text.contains(said) && !text.contains("hunter2"), "{text}");
    }
}
