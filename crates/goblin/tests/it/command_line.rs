//! The command line as a person or a script meets it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Running, goblin, run, stderr, stdout, until};

fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("a home with spaces ")
        .tempdir()
        .unwrap()
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    let home = home();
    let output = run(home.path(), &["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    for part in ["goblin up", "goblin doctor", "Exit codes", "--config"] {
        assert!(stdout(&output).contains(part), "{part}");
    }
    let nothing = run(home.path(), &[], &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(stderr(&nothing).contains("Usage"));
}

#[test]
fn every_command_explains_itself() {
    let home = home();
    for command in [
        "up",
        "serve",
        "models",
        "models serve",
        "models add",
        "models pull",
        "models status",
        "config",
        "migrate",
        "trace",
        "trace show",
        "status",
        "doctor",
        "deploy check",
        "version",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let output = run(home.path(), &arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(stdout(&output).contains("Usage: goblin"), "{command}");
    }
}

#[test]
fn a_good_configuration_is_called_good() {
    let home = home();
    let output = run(home.path(), &["config", "check"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("good"));
}

#[test]
fn config_check_reports_every_problem_and_ends_with_2() {
    let home = home();
    let file = home.path().join("goblin.toml");
    std::fs::write(&file, "[server]\nprot = 1\n[queue]\nmax_waiting = -1\n").unwrap();
    let environment = [("PORT", "seventy"), ("DATABASE_URL", "mysql://u:hidden@h/d")];
    let output = run(
        home.path(),
        &["config", "check", "--config", file.to_str().unwrap()],
        &environment,
    );
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in [
        "goblin.toml:2",
        "`server.port`",
        "goblin.toml:4",
        "environment PORT",
        "postgres:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        text.lines().filter(|l| l.starts_with("error: ")).count(),
        4,
        "{text}"
    );
    assert!(!text.contains("hidden"));
}

#[test]
fn a_broken_configuration_stops_every_command_with_2() {
    let home = home();
    for command in [
        &["up"][..],
        &["doctor"],
        &["models", "list"],
        &["migrate", "status"],
    ] {
        let output = run(home.path(), command, &[("GOBLIN_ENGINE__THREDS", "1")]);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(
            stderr(&output).contains("GOBLIN_ENGINE__THREADS"),
            "{command:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn settings_are_printed_with_their_sources_and_without_secrets() {
    let home = home();
    let environment = [("LOCAL_LLM_API_KEY", "gbl_hidden"), ("PORT", "9001")];
    let output = run(
        home.path(),
        &["config", "print", "--json", "--sources"],
        &environment,
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["server"]["port"]["value"], 9001);
    assert_eq!(printed["server"]["port"]["source"], "environment PORT");
    assert_eq!(printed["upstream"]["proxy_key"]["value"], "(hidden)");
    assert!(!stdout(&output).contains("gbl_hidden"));
}

#[test]
fn variables_of_later_versions_are_mentioned_not_ignored() {
    let home = home();
    let output = run(
        home.path(),
        &["config", "check"],
        &[
            ("REDIS_HOST", "cache"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "hidden-hidden"),
        ],
    );
    assert_eq!(output.status.code(), Some(0));
    let text = stderr(&output);
    assert!(
        text.contains("REDIS_URL") && text.contains("OTEL_EXPORTER_OTLP_CLIENT_KEY is set but not used"),
        "{text}"
    );
    assert!(!text.contains("hidden"));
}

#[test]
fn the_schema_is_json() {
    let home = home();
    let output = run(home.path(), &["config", "schema"], &[]);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        schema["properties"]["server"]["properties"]["port"]["default"],
        8001
    );
}

#[test]
fn status_says_where_it_looked_when_nobody_answers() {
    let home = home();
    let output = run(home.path(), &["status", "--url", "http://127.0.0.1:1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("No goblin answers at http://127.0.0.1:1") && text.contains("goblin up"),
        "{text}"
    );
}

#[test]
fn the_doctor_prints_plain_text_into_a_pipe_and_json_on_request() {
    let home = home();
    let output = run(
        home.path(),
        &["doctor", "--set", "server.port=0"],
        &[("NO_COLOR", "1")],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    for part in [
        "data_directory",
        "disk",
        "memory",
        "clock",
        "database",
        "port",
        "tier_port",
        "engine",
        "models",
        "verdicts",
        "judges",
    ] {
        assert!(stdout(&output).contains(part), "{part}");
    }
    assert!(!stdout(&output).contains('\x1b'));
    let output = run(
        home.path(),
        &["doctor", "--json"],
        &[("LOCAL_LLM_PROXY_URL", "http://127.0.0.1:1")],
    );
    assert_eq!(output.status.code(), Some(1), "a tier that is away is down");
    let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let tier = results.iter().find(|r| r["name"] == "model_tier").unwrap();
    assert_eq!(tier["state"], "down");
    assert!(tier["cause"].as_str().unwrap().contains("127.0.0.1:1"), "{tier}");
    assert!(tier["fix"].is_string());
}

#[test]
fn the_doctor_names_each_of_several_tiers_and_blames_a_proxy_for_its_own_failures() {
    let home = home();
    let output = run(
        home.path(),
        &["doctor", "--json"],
        &[
            ("LOCAL_LLM_PROXY_URL", "http://127.0.0.1:1,http://127.0.0.1:2"),
            (
                "GOBLIN_UPSTREAM__SERVERS__TIER_2__PROXY",
                "socks5h://u:s3same@127.0.0.1:3",
            ),
        ],
    );
    let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| results.iter().find(|r| r["name"] == name).unwrap();
    let cause = |check: &Value| check["cause"].as_str().unwrap().to_owned();
    let (first, second) = (of("model_tier"), of("model_tier:tier-2"));
    assert!(cause(first).contains("127.0.0.1:1 refused"), "{first}");
    assert!(
        cause(second).contains("the proxy 127.0.0.1:3 cannot be used") && !cause(second).contains("s3same"),
        "{second}"
    );
    let fix = second["fix"].as_str().unwrap();
    assert!(fix.contains("upstream.servers.tier-2.proxy"), "{second}");
}

#[test]
fn migrations_go_up_and_down_and_tell_where_they_are() {
    let home = home();
    let missing = run(home.path(), &["migrate", "status"], &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no database"), "{}", stderr(&missing));
    let up = run(home.path(), &["migrate", "up"], &[]);
    assert_eq!(up.status.code(), Some(0), "{}", stderr(&up));
    assert!(stdout(&up).contains("applied") && !stdout(&up).contains("missing"));
    let verified = run(home.path(), &["migrate", "verify"], &[]);
    assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
    let one = run(home.path(), &["migrate", "down", "--yes"], &[]);
    assert_eq!(one.status.code(), Some(0), "{}", stderr(&one));
    assert_eq!(stdout(&one).matches("missing").count(), 1, "{}", stdout(&one));
    let verified = run(home.path(), &["migrate", "verify"], &[]);
    assert_eq!(verified.status.code(), Some(1), "{}", stdout(&verified));
    let careful = run(home.path(), &["migrate", "down", "--to", "0"], &[]);
    assert_eq!(careful.status.code(), Some(1));
    assert!(stderr(&careful).contains("--yes"));
    let down = run(home.path(), &["migrate", "down", "--to", "0", "--yes"], &[]);
    assert_eq!(down.status.code(), Some(0), "{}", stderr(&down));
    let status = run(home.path(), &["migrate", "status", "--json"], &[]);
    let rows: Vec<Value> = serde_json::from_slice(&status.stdout).unwrap();
    assert!(
        !rows.is_empty() && rows.iter().all(|r| r["applied"] == false),
        "{rows:?}"
    );
}

#[test]
fn without_models_the_list_says_what_to_run() {
    let home = home();
    let output = run(home.path(), &["models", "list"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("make models") && stdout(&output).contains("goblin models add"));
    let json = run(home.path(), &["models", "list", "--json"], &[]);
    assert_eq!(stdout(&json).trim(), "[]");
}

#[test]
fn an_unknown_model_is_not_removed_but_corrected() {
    let home = home();
    let models = home.path().join(".local/share/goblin/models");
    std::fs::create_dir_all(&models).unwrap();
    std::fs::write(models.join("qwen2.5-3b.gguf"), b"GGUF").unwrap();
    let output = run(home.path(), &["models", "rm", "qwen2.5-3"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("Did you mean `qwen2.5-3b`?"),
        "{}",
        stderr(&output)
    );
    let output = run(home.path(), &["models", "rm", "qwen2.5-3b"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!models.join("qwen2.5-3b.gguf").exists());
}

#[test]
fn the_suggestion_comes_with_commands_that_can_be_pasted() {
    let home = home();
    let output = run(home.path(), &["models", "suggest", "--json"], &[]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["memory_bytes"].as_u64().unwrap() > 0);
    if let Some(commands) = answer["suggestion"]["commands"].as_array() {
        assert!(
            commands[0].as_str().unwrap().contains("curl -L")
                && commands[0].as_str().unwrap().contains("/resolve/main/")
        );
        assert!(commands[1].as_str().unwrap().starts_with("goblin models add "));
    }
}

#[cfg(feature = "engine")]
#[test]
fn a_file_that_is_no_model_is_refused_with_the_reason() {
    let home = home();
    let file = home.path().join("notes.gguf");
    std::fs::write(&file, b"These are notes.").unwrap();
    let output = run(home.path(), &["models", "add", "notes.gguf"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not a GGUF file"), "{}", stderr(&output));
    let list = run(home.path(), &["models", "list", "--json"], &[]);
    assert_eq!(stdout(&list).trim(), "[]");
}

#[test]
fn a_stop_is_graceful_and_the_data_directory_is_free_again() {
    let home = home();
    let mut first = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    assert_eq!(first.ask("GET", "/health", &[], "").0, 200);
    let second = run(home.path(), &["serve", "--port", "0"], &[]);
    assert_eq!(second.status.code(), Some(1));
    assert!(
        stderr(&second).contains("in use by another goblin"),
        "{}",
        stderr(&second)
    );
    let elsewhere = home.path().join("other data");
    let port = first.address.port().to_string();
    let taken = run(
        home.path(),
        &[
            "serve",
            "--port",
            &port,
            "--data-dir",
            elsewhere.to_str().unwrap(),
        ],
        &[],
    );
    assert_eq!(taken.status.code(), Some(1));
    assert!(
        stderr(&taken).contains(&format!("Port {port} is taken")),
        "{}",
        stderr(&taken)
    );
    first.signal("TERM");
    assert_eq!(first.wait(), Some(0), "{}", first.logs());
    let mut again = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    again.signal("INT");
    assert_eq!(again.wait(), Some(0), "{}", again.logs());
}

#[test]
fn a_damaged_database_is_named_and_left_as_it_is() {
    let home = home();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("goblin.db");
    let damaged = b"this is no database, whatever its name says".repeat(100);
    std::fs::write(&file, &damaged).unwrap();
    let out = run(
        home.path(),
        &["serve", "--port", "0", "--data-dir", data.to_str().unwrap()],
        &[],
    );
    assert_eq!(out.status.code(), Some(1));
    let said = stderr(&out);
    assert!(
        said.contains("goblin.db is not a readable database") && said.contains("backup"),
        "{said}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), damaged);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let home = home();
    // Not even root can write there.
    for folder in ["/proc/goblin", "/sys/kernel/goblin"] {
        let out = run(home.path(), &["serve", "--port", "0", "--data-dir", folder], &[]);
        assert_eq!(out.status.code(), Some(1));
        assert!(stderr(&out).contains(folder), "{}", stderr(&out));
    }
}

#[test]
fn a_running_goblin_is_described_by_status() {
    let home = home();
    let running = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let url = format!("http://{}", running.address);
    let output = run(home.path(), &["status", "--url", &url, "--json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["mode"], "local");
    assert!(
        status["no_model_help"]
            .as_str()
            .unwrap()
            .contains("LOCAL_LLM_PROXY_URL"),
        "it runs no models itself: {status}"
    );
    let table = run(home.path(), &["status", "--url", &url], &[]);
    assert!(stdout(&table).contains("database") && stdout(&table).contains("LOCAL_LLM_PROXY_URL"));
    until("the schema was compared", || {
        let measured = running.ask("GET", "/metrics", &[], "").1;
        measured.contains("goblin_schema_differences 0").then_some(())
    });
}

#[test]
fn status_looks_again_until_it_is_stopped_also_while_nobody_answers() {
    let home = home();
    let running = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let url = format!("http://{}", running.address);
    let arguments = ["status", "--watch", "--interval", "1", "--json", "--url", &url];
    let watching = goblin(home.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watching = watching.unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let status: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(status["mode"], "local");
    }
    drop(running);
    let mut said = BufReader::new(watching.stderr.take().unwrap()).lines();
    assert!(
        said.next().unwrap().unwrap().contains(&url),
        "nobody answers, and it goes on"
    );
    let stop = std::process::Command::new("kill")
        .args(["-INT", &watching.id().to_string()])
        .status();
    assert!(stop.unwrap().success());
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    let wrong = run(home.path(), &["status", "--watch", "--interval", "0"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn three_hosts_are_held_against_each_other() {
    let home = home();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = root.join("deploy/targets.example.toml");
    let check = |file: &std::path::Path, more: &[&str]| {
        let arguments = [&["deploy", "check", file.to_str().unwrap()], more].concat();
        run(home.path(), &arguments, &[])
    };
    let good = check(&example, &[]);
    assert_eq!(good.status.code(), Some(0), "{}{}", stdout(&good), stderr(&good));
    assert!(stdout(&good).contains("agree"));

    let routes = root.join("web/vercel.json").canonicalize().unwrap();
    let text = std::fs::read_to_string(&example)
        .unwrap()
        .replace("../web/vercel.json", routes.to_str().unwrap());
    std::fs::write(home.path().join("key"), "another key, hidden in a file\n").unwrap();
    let bad = text
        .replace(
            "frontend_url = \"https://chat.example.org\"",
            "frontend_url = \"https://www.example.org\"",
        )
        .replace("plan = \"starter\"", "plan = \"free\"")
        .replace(
            "key = \"an example of what is in /etc/goblin/tier-key\"\n# install",
            "key = { file = \"key\" }\n# install",
        );
    let file = home.path().join("bad.toml");
    std::fs::write(&file, &bad).unwrap();
    let refused = check(&file, &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    let said = stdout(&refused);
    for key in [
        "backend.frontend_url",
        "backend.plan",
        "backend.local_llm_api_key",
        "3 of the settings",
    ] {
        assert!(said.contains(key), "{key}: {said}");
    }
    let as_json = stdout(&check(&file, &["--json"]));
    let told: Value = serde_json::from_str(&as_json).unwrap();
    assert_eq!(
        (&told["agree"], told["mismatches"].as_array().unwrap().len()),
        (&Value::Bool(false), 3)
    );
    for hidden in ["hidden in a file", "/etc/goblin/tier-key\"", "thirty-two bytes"] {
        assert!(!said.contains(hidden) && !as_json.contains(hidden), "{hidden}");
    }

    std::fs::write(&file, bad.replace("mail_from", "mail_form")).unwrap();
    let unknown = check(&file, &[]);
    assert_eq!(unknown.status.code(), Some(1));
    let said = stdout(&unknown);
    for part in ["mail_form", "mail_from", "backend.plan", "4 of the settings"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for leaking in [
        bad.replace("jwt_secret_key = \"an", "jwt_secret_kye = \"CANARY an"),
        bad.replace(
            "jwt_secret_key = \"an example of at least thirty-two bytes\"",
            "jwt_secret_key = \"CANARY",
        ),
        bad.replace("copies = 1", "copies = \"CANARY\""),
        bad.replace("url = \"https://chat", "url = \"https://u:CANARY@chat"),
    ] {
        assert!(leaking.contains("CANARY"));
        std::fs::write(&file, leaking).unwrap();
        let refused = check(&file, &[]);
        assert_eq!(refused.status.code(), Some(1));
        let said = stdout(&refused) + &stderr(&refused);
        assert!(!said.contains("CANARY"), "{said}");
    }
    let nowhere = check(&home.path().join("nowhere.toml"), &[]);
    assert!(stderr(&nowhere).contains("nowhere.toml"), "{}", stderr(&nowhere));
}
