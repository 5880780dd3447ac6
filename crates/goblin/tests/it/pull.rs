//! Models pulled from a registry of our own, through everything that can happen to a connection and to the program.
#![cfg(feature = "engine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Running, goblin, printed_well, run, starter_model, stderr, stdout, until};
use crate::registry_server::{Dice, RegistryServer, Trouble, blob, sha256};

const LICENCE: &str = "Test Licence 1.0\n\nDo what you like.";

/// A small file that is a GGUF to its last byte: a header, and a tensor of random numbers.
fn gguf(seed: u64) -> Vec<u8> {
    const VALUES: usize = 250_000;
    let mut bytes = b"GGUF".to_vec();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(3_u64.to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "llama");
    text(&mut bytes, "llama.block_count");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    // An array of one text.
    text(&mut bytes, "tokenizer.ggml.tokens");
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    text(&mut bytes, "a");
    text(&mut bytes, "token_embd.weight");
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((VALUES as u64).to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    let mut dice = Dice(seed);
    bytes.extend((0..VALUES * 4).map(|_| u8::try_from(dice.below(256)).unwrap()));
    bytes
}

struct Machine {
    home: tempfile::TempDir,
    server: RegistryServer,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("a home with spaces ")
            .tempdir()
            .unwrap();
        Self {
            home,
            server: RegistryServer::start(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = goblin(self.home.path());
        command
            .args(arguments)
            .env("GOBLIN_REGISTRY__OLLAMA_URL", &self.server.url)
            .env("HF_ENDPOINT", &self.server.url);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn well(&self, arguments: &[&str]) -> String {
        printed_well(&self.run(arguments), arguments)
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            stdout(&output)
        );
        stderr(&output)
    }

    fn list(&self) -> Vec<Value> {
        serde_json::from_str(&self.well(&["models", "list", "--json"])).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(".local/share/goblin/models")
    }

    /// Names in the models folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The one part that is there, and its length.
    fn part(&self) -> Option<u64> {
        let name = self.files().into_iter().find(|n| n.ends_with(".part"))?;
        Some(fs::metadata(self.folder().join(name)).ok()?.len())
    }
}

/// A limit on the size of a file stands for a disk that is full: a write fails in the middle of the download.
#[test]
fn a_disk_that_fills_up_during_a_pull_is_told_and_the_next_pull_goes_on() {
    let machine = Machine::new();
    let weights = gguf(7);
    machine
        .server
        .put_ollama("library/gemma", "2b", &weights, LICENCE);
    let pull = machine.command(&["models", "pull", "gemma:2b"]);
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""])
        .arg(pull.get_program())
        .args(pull.get_args())
        .env_clear()
        .envs(pull.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .current_dir(machine.home.path());
    let output = full.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    let part = machine.part().expect("what came stays");
    assert!(part > 0 && part < weights.len() as u64, "{part}");
    assert!(machine.list().is_empty(), "half a model is none");
    machine.well(&["models", "pull", "gemma:2b"]);
    assert_eq!(machine.list()[0]["name"], "gemma:2b");
}

#[test]
fn a_pull_through_a_connection_that_breaks_again_and_again_ends_with_a_checked_listed_model() {
    let machine = Machine::new();
    let weights = gguf(1);
    machine
        .server
        .put_ollama("library/gemma", "2b", &weights, LICENCE);
    for seed in 1..=5 {
        let mut dice = Dice(seed);
        let cuts: Vec<Trouble> = (0..6).map(|_| Trouble::Cut(1 + dice.below(150_000))).collect();
        machine.server.trouble(cuts);
        let said = machine.well(&["models", "pull", "gemma:2b"]);
        assert!(
            said.contains("100 %") && said.contains("licence: Test Licence 1.0"),
            "{said}"
        );
        assert!(
            !said.contains('\x1b') && !said.contains('\r'),
            "plain lines into a pipe: {said}"
        );
        let listed = machine.list();
        assert_eq!(listed[0]["name"], "gemma:2b");
        assert_eq!(
            (&listed[0]["source"], &listed[0]["licence"]),
            (&"pulled".into(), &"Test Licence 1.0".into())
        );
        let path = PathBuf::from(listed[0]["path"].as_str().unwrap());
        assert_eq!(fs::read(&path).unwrap(), weights, "seed {seed}");
        let digest = &sha256(&weights)[..12];
        assert_eq!(
            machine.files(),
            [
                format!("gemma-2b-{digest}.gguf"),
                format!("gemma-2b-{digest}.licence.txt")
            ]
        );
        assert_eq!(
            fs::read_to_string(path.with_extension("licence.txt")).unwrap(),
            LICENCE
        );
        machine.well(&["models", "rm", "gemma:2b"]);
        assert!(machine.files().is_empty(), "{:?}", machine.files());
    }
}

#[test]
fn killed_or_interrupted_in_the_middle_it_goes_on_where_it_was() {
    for signal in ["KILL", "INT"] {
        let machine = Machine::new();
        let weights = gguf(2);
        machine
            .server
            .put_ollama("library/m", "latest", &weights, LICENCE);
        machine.server.trouble([Trouble::Stall(700_000)]);
        let child = machine
            .command(&["models", "pull", "m"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let there = until("half has come", || machine.part().filter(|n| *n >= 262_144));
        let sent = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        if signal == "INT" {
            assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
            assert!(stderr(&output).contains("goes on there"), "{}", stderr(&output));
        }
        assert!(machine.part().unwrap() >= there, "{signal}: the part is kept");
        assert!(machine.list().is_empty(), "{signal}: a part is no model");
        machine.well(&["models", "pull", "m"]);
        let last = machine.server.asked().last().cloned().unwrap();
        assert!(last.contains("range: bytes="), "{signal}: {last}");
        let path = machine.list()[0]["path"].as_str().unwrap().to_owned();
        assert_eq!(fs::read(path).unwrap(), weights, "{signal}");
    }
}

#[test]
fn what_is_altered_or_no_model_is_thrown_away_and_said() {
    let machine = Machine::new();
    let weights = gguf(3);
    machine
        .server
        .put_ollama("library/m", "latest", &weights, LICENCE);
    machine.server.trouble([Trouble::Altered]);
    let said = machine.fails(&["models", "pull", "m"]);
    assert!(
        said.contains("SHA-256") && said.contains(&sha256(&weights)),
        "{said}"
    );
    assert!(machine.files().is_empty(), "{:?}", machine.files());
    machine.server.trouble([Trouble::Length(900_000)]);
    let said = machine.fails(&["models", "pull", "m"]);
    assert!(said.contains("sends 900000 bytes"), "{said}");
    let mut notes = b"These are notes. ".repeat(1000);
    machine
        .server
        .put_ollama("library/notes", "latest", &notes, LICENCE);
    let said = machine.fails(&["models", "pull", "notes"]);
    assert!(
        said.contains("not a GGUF file") && said.contains("thrown away"),
        "{said}"
    );
    notes.truncate(0);
    assert!(machine.list().is_empty());
    machine.well(&["models", "pull", "m"]);
}

#[test]
fn a_server_without_ranges_is_fetched_from_anew() {
    let machine = Machine::new();
    let weights = gguf(4);
    machine
        .server
        .put_ollama("library/m", "latest", &weights, LICENCE);
    machine.server.trouble([Trouble::Cut(600_000), Trouble::NoRange]);
    let said = machine.well(&["models", "pull", "m"]);
    assert!(said.contains("beginning anew"), "{said}");
    let path = machine.list()[0]["path"].as_str().unwrap().to_owned();
    assert_eq!(fs::read(path).unwrap(), weights);
}

#[test]
fn a_source_that_cannot_be_reached_says_what_was_tried_and_what_to_do() {
    let machine = Machine::new();
    let said = machine.fails(&["models", "pull", "gemma:2b", "--registry", "http://127.0.0.1:1"]);
    for part in [
        "`gemma:2b` was not pulled",
        "127.0.0.1:1 refused the connection",
        "Tried http://127.0.0.1:1/v2/library/gemma/manifests/2b",
        "--registry URL",
        "registry.ollama_url",
        "goblin models add FILE",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    machine
        .server
        .put("/v2/library/gemma/tags/list", br#"{"tags":["2b","7b"]}"#);
    let said = machine.fails(&["models", "pull", "gemma:2"]);
    assert!(said.contains("Did you mean `gemma:2b`?"), "{said}");
    machine.server.say_once(
        "/v2/library/gemma/manifests/2b",
        "200 OK",
        "content-type: text/html\r\n",
        "<html>Welcome to the hotel</html>",
    );
    let said = machine.fails(&["models", "pull", "gemma:2b"]);
    assert!(
        said.contains("web page") && said.contains("network sign-in"),
        "{said}"
    );
    let wrong = machine.run(&["models", "pull", "../etc/passwd"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("hf.co/ORGANISATION/REPOSITORY"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn a_busy_registry_is_asked_again_when_it_says_and_not_for_ever() {
    let machine = Machine::new();
    let weights = gguf(5);
    machine
        .server
        .put_ollama("library/m", "latest", &weights, LICENCE);
    let (manifest, file) = ("/v2/library/m/manifests/latest", blob("library/m", &weights));
    machine
        .server
        .say_once(manifest, "503 Service Unavailable", "retry-after: 0\r\n", "");
    machine
        .server
        .say_once(&file, "429 Too Many Requests", "retry-after: 0\r\n", "");
    machine
        .server
        .say_once(&file, "502 Bad Gateway", "retry-after: 0\r\n", "");
    machine.well(&["models", "pull", "m"]);
    machine
        .server
        .say_once(manifest, "429 Too Many Requests", "retry-after: 3600\r\n", "");
    let said = machine.fails(&["models", "pull", "m"]);
    assert!(said.contains("3600 s"), "{said}");
    for _ in 0..4 {
        machine
            .server
            .say_once(manifest, "503 Service Unavailable", "retry-after: 0\r\n", "");
    }
    let said = machine.fails(&["models", "pull", "m"]);
    assert!(said.contains("busy (status 503)"), "{said}");
}

#[test]
fn what_is_there_is_not_fetched_again_and_names_are_not_taken_over() {
    let machine = Machine::new();
    let weights = gguf(6);
    machine
        .server
        .put_ollama("library/m", "latest", &weights, LICENCE);
    machine.well(&["models", "pull", "m"]);
    let blobs = || {
        machine
            .server
            .asked()
            .iter()
            .filter(|a| a.contains(&sha256(&weights)))
            .count()
    };
    assert_eq!(blobs(), 1);
    assert!(machine.well(&["models", "pull", "m"]).contains("already there"));
    assert_eq!(blobs(), 1);
    let mine = machine.home.path().join("mine.gguf");
    fs::write(&mine, gguf(7)).unwrap();
    machine.well(&["models", "add", "mine.gguf", "--name", "taken"]);
    machine
        .server
        .put_ollama("library/taken", "latest", &gguf(8), LICENCE);
    let said = machine.fails(&["models", "pull", "taken"]);
    assert!(
        said.contains("another model named `taken`") && said.contains("--name"),
        "{said}"
    );
    machine.well(&["models", "pull", "taken", "--name", "given"]);
    let names: Vec<String> = machine.list().iter().map(|m| m["name"].to_string()).collect();
    assert_eq!(names, ["\"m\"", "\"taken\"", "\"given\""]);
}

#[test]
fn progress_is_json_on_request_and_hugging_face_gets_its_token() {
    let machine = Machine::new();
    let weights = gguf(9);
    machine.server.put_huggingface(
        "Org/Repo-GGUF",
        &[("Repo-Q4_K_M.gguf", &weights), ("Repo-Q8_0.gguf", b"x")],
    );
    let output = machine
        .command(&["models", "pull", "hf.co/Org/Repo-GGUF:q4_k_m", "--json"])
        .env("HF_TOKEN", "hf_secret")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let pulling: Vec<u64> = lines
        .iter()
        .filter(|l| l["status"] == "pulling")
        .map(|l| l["completed"].as_u64().unwrap())
        .collect();
    assert!(pulling.len() > 2 && pulling.is_sorted(), "{pulling:?}");
    assert_eq!(*pulling.last().unwrap(), weights.len() as u64);
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["status"], &last["name"]),
        (&"success".into(), &"repo-q4_k_m".into())
    );
    assert_eq!(
        (&last["licence"], &last["reference"]),
        (&"apache-2.0".into(), &"hf.co/Org/Repo-GGUF:q4_k_m".into())
    );
    let asked = machine.server.asked();
    assert!(
        asked
            .iter()
            .all(|a| a.contains("authorization: bearer hf_secret")),
        "{asked:?}"
    );
    assert!(!stdout(&output).contains("hf_secret") && !stderr(&output).contains("hf_secret"));
}

#[test]
fn the_roster_is_fetched_as_far_as_it_is_missing() {
    let machine = Machine::new();
    let (guard, top) = (gguf(10), gguf(11));
    machine.server.put_ollama("library/guard", "2b", &guard, LICENCE);
    machine.server.put_ollama("library/best", "latest", &top, LICENCE);
    let settings = "[tier.models]\nsafety.model = 'guard:2b'\nconfidence.model = 'guard:2b'\ntop.model = 'best'\n\
                    reasoning.model = ''\ncode.model = ''\n";
    fs::write(machine.home.path().join("goblin.toml"), settings).unwrap();
    let with = |arguments: &[&'static str]| [arguments, &["--config", "goblin.toml"]].concat();
    let roles = |machine: &Machine| -> Vec<String> {
        let rows: Vec<Value> =
            serde_json::from_str(&machine.well(&with(&["models", "roster", "--json"]))).unwrap();
        rows.iter()
            .map(|r| format!("{} {}", r["role"], r["state"]))
            .collect()
    };
    assert_eq!(
        roles(&machine),
        [
            r#""safety" "missing""#,
            r#""confidence" "missing""#,
            r#""top" "missing""#
        ]
    );
    let said = machine.well(&with(&["models", "pull", "--roster"]));
    assert!(said.contains("2 models, 1.9 MiB in all"), "{said}");
    assert!(roles(&machine).iter().all(|r| r.ends_with("\"here\"")));
    let said = machine.well(&with(&["models", "pull", "--roster"]));
    assert!(said.contains("Nothing of the roster is missing"), "{said}");
    machine.well(&["models", "rm", "best"]);
    machine
        .server
        .say_once("/v2/library/best/manifests/latest", "404 Not Found", "", "");
    let said = machine.fails(&with(&["models", "pull", "--roster"]));
    assert!(said.contains("`best:latest` was not pulled"), "{said}");
    let both = machine.run(&["models", "pull", "--roster", "m"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn what_a_registry_has_newer_is_shown_and_fetched_in_place_of_the_old() {
    let machine = Machine::new();
    let (old, new) = (gguf(12), gguf(13));
    machine.server.put_ollama("library/m", "latest", &old, LICENCE);
    machine.well(&["models", "pull", "m"]);
    let state = || -> Value {
        let rows: Value = serde_json::from_str(&machine.well(&["models", "outdated", "--json"])).unwrap();
        rows[0]["state"].clone()
    };
    assert_eq!(state(), "current");
    machine.well(&["models", "update"]);
    machine.server.put_ollama("library/m", "latest", &new, LICENCE);
    assert_eq!(state(), "outdated");
    let shown = machine.well(&["models", "outdated"]);
    assert!(
        shown.contains(&sha256(&new)[..12]) && shown.contains("goblin models update"),
        "{shown}"
    );
    let wrong = machine.fails(&["models", "update", "n"]);
    assert!(wrong.contains("no model that was pulled"), "{wrong}");
    machine.well(&["models", "update", "m"]);
    assert_eq!(state(), "current");
    let listed = machine.list();
    assert_eq!(listed.len(), 1);
    assert_eq!(fs::read(listed[0]["path"].as_str().unwrap()).unwrap(), new);
    assert_eq!(
        machine.files().len(),
        2,
        "the old file and its licence are gone: {:?}",
        machine.files()
    );
    let unknown = machine.run(&["models", "outdated", "--registry", "http://127.0.0.1:1"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stdout(&unknown).contains("unknown"), "{}", stdout(&unknown));
}

/// A model in the store of an Ollama.
fn ollama_holds(store: &Path, name: &str, tag: &str, weights: &[u8]) -> PathBuf {
    let manifests = store.join("manifests/registry.ollama.ai/library").join(name);
    fs::create_dir_all(&manifests).unwrap();
    fs::create_dir_all(store.join("blobs")).unwrap();
    let manifest = format!(
        r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{}","size":{}}}]}}"#,
        sha256(weights),
        weights.len()
    );
    fs::write(manifests.join(tag), manifest).unwrap();
    let blob = store.join("blobs").join(format!("sha256-{}", sha256(weights)));
    fs::write(&blob, weights).unwrap();
    blob
}

#[test]
fn what_an_ollama_holds_is_used_where_it_lies() {
    let machine = Machine::new();
    let (first, second) = (gguf(14), gguf(15));
    let store = machine.home.path().join("ollama store");
    let blob = ollama_holds(&store, "qwen2.5", "3b", &first);
    ollama_holds(&store, "held", "latest", &second);
    let in_store = |arguments: &[&str]| {
        let mut command = machine.command(arguments);
        let output = command.env("OLLAMA_MODELS", &store).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        stdout(&output)
    };
    let list = || -> Vec<Value> { serde_json::from_str(&in_store(&["models", "list", "--json"])).unwrap() };
    let before = list();
    assert_eq!(before.len(), 2);
    assert!(
        before
            .iter()
            .all(|m| m["source"] == "ollama-store" && m["listed"] == false)
    );
    assert!(in_store(&["models", "list"]).contains("goblin models add ollama:qwen2.5:3b"));
    in_store(&["models", "add", "ollama:qwen2.5:3b"]);
    let listed = list();
    let added = listed.iter().find(|m| m["listed"] == true).unwrap();
    assert_eq!(
        (&added["name"], &added["source"]),
        (&"qwen2.5:3b".into(), &"ollama-store".into())
    );
    assert_eq!(
        (&added["path"], &added["used"]),
        (&blob.to_str().unwrap().into(), &true.into())
    );
    machine
        .server
        .put_ollama("library/held", "latest", &second, LICENCE);
    let said = in_store(&["models", "pull", "held"]);
    assert!(said.contains("used where it lies"), "{said}");
    assert!(
        machine.files().is_empty(),
        "nothing was copied: {:?}",
        machine.files()
    );
    in_store(&["models", "rm", "qwen2.5:3b"]);
    assert!(blob.exists(), "it is Ollama's file");
}

#[test]
fn what_no_ollama_holds_is_refused_and_what_one_holds_is_not_missing() {
    let machine = Machine::new();
    let store = machine.home.path().join("ollama store");
    ollama_holds(&store, "qwen2.5", "3b", &gguf(16));
    let wrong = machine.fails(&["models", "add", "ollama:qwen"]);
    assert!(
        wrong.contains("No Ollama of this machine") && wrong.contains("OLLAMA_MODELS"),
        "{wrong}"
    );
    let roster = run(
        machine.home.path(),
        &[
            "models",
            "roster",
            "--json",
            "--set",
            "tier.models.top.model=qwen2.5:3b",
        ],
        &[("OLLAMA_MODELS", store.to_str().unwrap())],
    );
    let rows: Vec<Value> = serde_json::from_slice(&roster.stdout).unwrap();
    assert!(
        rows.iter().any(|r| r["role"] == "top" && r["state"] == "ollama"),
        "{rows:?}"
    );
}

#[test]
fn the_engine_answers_with_a_model_that_stays_in_an_ollamas_store() {
    let machine = Machine::new();
    let store = machine.home.path().join("ollama store");
    let digest = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
    let manifests = store.join("manifests/registry.ollama.ai/library/smollm2");
    fs::create_dir_all(&manifests).unwrap();
    fs::create_dir_all(store.join("blobs")).unwrap();
    let layer = format!(
        r#"{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{digest}","size":98362432}}"#
    );
    fs::write(manifests.join("135m"), format!(r#"{{"layers":[{layer}]}}"#)).unwrap();
    std::os::unix::fs::symlink(starter_model(), store.join(format!("blobs/sha256-{digest}"))).unwrap();
    let environment = [("OLLAMA_MODELS", store.to_str().unwrap())];
    let added = run(
        machine.home.path(),
        &["models", "add", "ollama:smollm2:135m"],
        &environment,
    );
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    let small = ["--set", "engine.threads=1", "--set", "engine.context_tokens=512"];
    let arguments = [&["up", "--port", "0"][..], &small].concat();
    let server = Running::start(machine.home.path(), &arguments, &environment);
    let question =
        r#"{"model":"engine/smollm2:135m","max_tokens":4,"messages":[{"role":"user","content":"Hello"}]}"#;
    let answer = until("the model is loaded", || {
        let (status, answer) = server.ask("POST", "/v1/chat/completions", &[], question);
        assert!(
            status == 200 || status == 503,
            "{status}: {answer} {}",
            server.logs()
        );
        (status == 200).then_some(answer)
    });
    assert!(answer.contains("\"completion_tokens\""), "{answer}");
    assert!(machine.files().is_empty(), "nothing was copied");
}
