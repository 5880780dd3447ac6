//! `goblin backup`, `goblin restore` and `goblin migrate verify` as an operator meets them.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::cluster::PASSWORD;
use crate::postgres::{Place, place};
use crate::process::{Running, goblin, printed_well, run, stderr, stdout, until};

const PASSPHRASE: &str = "correct horse battery staple";
const SEALED: (&str, &str) = ("GOBLIN_BACKUP_PASSPHRASE", PASSPHRASE);

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn here(home: &Path, arguments: &[&str]) -> Output {
    run(home, arguments, &[SEALED])
}

fn done(home: &Path, arguments: &[&str]) -> String {
    printed_well(&here(home, arguments), arguments)
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(home, arguments)).unwrap()
}

/// Why a command was refused: one sentence, without the passphrase.
fn refusal(output: &Output) -> String {
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}{}",
        stdout(output),
        stderr(output)
    );
    let said = stderr(output);
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert!(!said.contains(PASSPHRASE) && !said.contains(PASSWORD), "{said}");
    said
}

fn serve(home: &Path) -> Running {
    Running::start(home, &["serve", "--port", "0"], &[])
}

fn add_chat(running: &Running, title: &str) {
    let (status, body) = running.ask("POST", "/api/chats", &[], &format!("{{\"title\": \"{title}\"}}"));
    assert_eq!(status, 201, "{body}");
}

fn chats(running: &Running) -> String {
    running.ask("GET", "/api/chats", &[], "").1
}

fn rows(about: &Value, table: &str) -> u64 {
    let tables = about["tables"].as_array().unwrap();
    let table = tables.iter().find(|t| t["name"] == table).unwrap();
    table["rows"].as_u64().unwrap()
}

#[test]
fn a_running_goblin_is_backed_up_and_its_chats_come_back_elsewhere() {
    let home = home();
    let mut running = serve(home.path());
    add_chat(&running, "kept");
    let made = json(home.path(), &["backup", "--to", "b.age", "--json"]);
    assert_eq!(
        (rows(&made, "chats"), made["database"].as_str()),
        (1, Some("sqlite"))
    );
    let file = home.path().join("b.age");
    assert_eq!(made["bytes"], std::fs::metadata(&file).unwrap().len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    add_chat(&running, "later");
    assert!(chats(&running).contains("later"), "it went on");

    let looked = json(home.path(), &["restore", "b.age", "--dry-run", "--json"]);
    assert_eq!(looked["sha256"], made["sha256"]);
    assert_eq!(rows(&looked, "chats"), 1);
    let table = done(home.path(), &["restore", "b.age", "--dry-run"]);
    assert!(table.contains("chats") && table.contains("is whole"), "{table}");

    for arguments in [&["restore", "b.age"][..], &["restore", "b.age", "--replace"]] {
        let said = refusal(&here(home.path(), arguments));
        assert!(
            said.contains(&format!("in use by another goblin (process {})", running.id())),
            "{said}"
        );
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("data");
    let other = other.to_str().unwrap();
    let printed = done(home.path(), &["restore", "b.age", "--data-dir", other]);
    assert!(
        printed.contains("rows of") && printed.contains("restored"),
        "{printed}"
    );
    let copy = Running::start(home.path(), &["serve", "--port", "0", "--data-dir", other], &[]);
    assert!(chats(&copy).contains("kept") && !chats(&copy).contains("later"));

    running.signal("TERM");
    running.wait();
    let said = refusal(&here(home.path(), &["restore", "b.age"]));
    assert!(
        said.contains("is not empty") && said.contains("--replace"),
        "{said}"
    );
    let restored = json(home.path(), &["restore", "b.age", "--replace", "--json"]);
    let kept = restored["kept"].as_str().unwrap();
    assert!(kept.contains("goblin.db.before-restore-"), "{kept}");
    assert!(Path::new(kept).is_file());
    let again = serve(home.path());
    assert!(chats(&again).contains("kept") && !chats(&again).contains("later"));
}

#[test]
fn a_file_moves_to_a_server_and_back() {
    let place = place();
    let home = home();
    let mut running = serve(home.path());
    add_chat(&running, "moving");
    done(home.path(), &["backup", "--to", "file.age"]);
    running.signal("TERM");
    running.wait();
    let on_server = |arguments: &[&str]| {
        let environment = [("DATABASE_URL", place.url.as_str()), SEALED];
        run(home.path(), arguments, &environment)
    };
    printed_well(&on_server(&["restore", "file.age"]), &[]);
    printed_well(&on_server(&["migrate", "verify"]), &[]);

    let mut serving = place.serve();
    assert!(chats(&serving).contains("moving"));
    add_chat(&serving, "on the server");
    for arguments in [
        &["restore", "file.age"][..],
        &["restore", "file.age", "--replace"],
    ] {
        let said = refusal(&on_server(arguments));
        assert!(said.contains("1 running goblin(s), last seen"), "{said}");
    }
    printed_well(&on_server(&["backup", "--to", "server.age"]), &[]);
    serving.signal("TERM");
    serving.wait();
    let said = refusal(&on_server(&["restore", "file.age"]));
    assert!(said.contains("chats: 2") && said.contains("--replace"), "{said}");
    printed_well(&on_server(&["restore", "file.age", "--replace"]), &[]);
    assert_eq!(place.sql("SELECT COUNT(*) FROM chats"), "1");

    let printed = done(home.path(), &["restore", "server.age", "--replace"]);
    assert!(printed.contains("before-restore"), "{printed}");
    let back = serve(home.path());
    assert!(chats(&back).contains("moving") && chats(&back).contains("on the server"));
}

#[test]
fn without_a_good_passphrase_nothing_is_made_or_opened() {
    let home = home();
    done(home.path(), &["migrate", "up"]);
    let nobody = refusal(&run(home.path(), &["backup", "--to", "b.age"], &[]));
    assert!(
        nobody.contains("GOBLIN_BACKUP_PASSPHRASE") && nobody.contains("--passphrase-file"),
        "{nobody}"
    );
    let short = [("GOBLIN_BACKUP_PASSPHRASE", "too short")];
    let said = refusal(&run(home.path(), &["backup", "--to", "b.age"], &short));
    assert!(said.contains("12 are the least"), "{said}");
    assert!(!home.path().join("b.age").exists());

    std::fs::write(home.path().join("secret"), format!("{PASSPHRASE}\n")).unwrap();
    let by_file = ["backup", "--to", "b.age", "--passphrase-file", "secret"];
    printed_well(&run(home.path(), &by_file, &[]), &by_file);
    let variable = [("GOBLIN_BACKUP_PASSPHRASE_FILE", "secret")];
    let look = ["restore", "b.age", "--dry-run"];
    printed_well(&run(home.path(), &look, &variable), &look);
    let other = [("GOBLIN_BACKUP_PASSPHRASE", "another passphrase")];
    let said = refusal(&run(home.path(), &look, &other));
    assert!(said.contains("The passphrase does not open b.age"), "{said}");
    let printed = run(home.path(), &["config", "print"], &[SEALED]);
    assert!(!stdout(&printed).contains(PASSPHRASE));
}

#[test]
fn files_that_are_there_or_not_whole_are_refused_with_a_sentence() {
    let home = home();
    let said = refusal(&here(home.path(), &["backup", "--to", "b.age"]));
    assert!(said.contains("no database at"), "{said}");
    done(home.path(), &["migrate", "up"]);
    done(home.path(), &["backup", "--to", "b.age"]);
    let said = refusal(&here(home.path(), &["backup", "--to", "b.age"]));
    assert!(said.contains("b.age is there already"), "{said}");
    let folder = done(home.path(), &["backup", "--to", "."]);
    assert!(folder.contains("goblin-backup-"), "{folder}");

    let whole = std::fs::read(home.path().join("b.age")).unwrap();
    std::fs::write(home.path().join("cut.age"), &whole[..whole.len() - 1]).unwrap();
    std::fs::write(home.path().join("letter.age"), "Dear Jane").unwrap();
    for (file, says) in [
        ("cut.age", "cut.age is damaged"),
        ("letter.age", "letter.age is no backup"),
        ("none.age", "none.age is no file"),
    ] {
        for more in [&["--dry-run"][..], &["--replace"]] {
            let arguments = [&["restore", file][..], more].concat();
            let said = refusal(&here(home.path(), &arguments));
            assert!(said.contains(says), "{said}");
        }
    }
    let usage = here(home.path(), &["restore"]);
    assert_eq!(usage.status.code(), Some(2));
    let help = stdout(&here(home.path(), &["restore", "--help"]));
    assert!(help.contains("Examples:") && help.contains("--dry-run"), "{help}");
}

/// A limit on the size of files stands for a disk that is full: a write ends with an error in the middle.
#[cfg(unix)]
#[test]
fn a_backup_that_finds_no_space_leaves_no_file() {
    let home = home();
    let running = serve(home.path());
    for n in 0..200 {
        // What does not repeat is not compressed away.
        add_chat(
            &running,
            &format!("{n} {:x}", n * 7_919_u64 * 104_729 * 1_299_709),
        );
    }
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" backup --to b.age";
    let goblin = goblin(home.path());
    let cut = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(goblin.get_program())
        .env_clear()
        .envs([("HOME", home.path().to_str().unwrap()), SEALED])
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = refusal(&cut);
    assert!(said.contains("b.age cannot be written"), "{said}");
    let left = std::fs::read_dir(home.path()).unwrap();
    let left: Vec<String> = left
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.iter().any(|name| name.contains("b.age")), "{left:?}");
    add_chat(&running, "and on it goes");
}

#[test]
fn a_stopped_backup_ends_with_130_and_leaves_no_file() {
    let place: Place = place();
    place.done(&["migrate", "up"]);
    // Its rows cannot be read while this lock is held.
    let (mut holder, input) = place.lock("chats");
    let mut stopped = goblin(place.home.path())
        .args(["backup", "--to", "b.age"])
        .envs([("DATABASE_URL", place.url.as_str()), SEALED])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    place.until_one_waits();
    let id = stopped.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(stopped.wait().unwrap().code(), Some(130));
    drop(input);
    holder.wait().unwrap();
    let left = std::fs::read_dir(place.home.path()).unwrap();
    assert_eq!(
        left.filter(|e| e
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("b.age"))
            .count(),
        0
    );
}

#[test]
fn a_restore_killed_in_the_middle_leaves_the_server_as_it_was() {
    let place = place();
    let mut serving = place.serve();
    add_chat(&serving, "in the backup");
    let sealed = |arguments: &[&str]| {
        let output = run(
            place.home.path(),
            arguments,
            &[("DATABASE_URL", place.url.as_str()), SEALED],
        );
        printed_well(&output, arguments)
    };
    sealed(&["backup", "--to", "b.age"]);
    add_chat(&serving, "later");
    serving.signal("TERM");
    serving.wait();
    // The tables are taken away newest first, so it is in the middle when it comes to this one.
    let (mut holder, input) = place.lock("chats");
    let mut cut = goblin(place.home.path())
        .args(["restore", "b.age", "--replace"])
        .envs([("DATABASE_URL", place.url.as_str()), SEALED])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    place.until_one_waits();
    cut.kill().unwrap();
    cut.wait().unwrap();
    drop(input);
    holder.wait().unwrap();
    assert_eq!(place.sql("SELECT COUNT(*) FROM chats"), "2");
    place.done(&["migrate", "verify"]);
    sealed(&["restore", "b.age", "--replace"]);
    assert_eq!(place.sql("SELECT COUNT(*) FROM chats"), "1");
}

/// Whenever it comes: what is there afterwards is the old file or the new one, and a start works.
#[test]
fn a_restore_or_a_migration_of_a_file_killed_at_any_moment_is_done_or_not() {
    let home = home();
    done(home.path(), &["migrate", "up"]);
    done(home.path(), &["backup", "--to", "b.age"]);
    let data = home.path().join(".local/share/goblin");
    for (round, arguments) in [
        &["restore", "b.age", "--replace"][..],
        &["migrate", "up"],
        &["migrate", "down", "--to", "0", "--yes"],
    ]
    .into_iter()
    .cycle()
    .take(9)
    .enumerate()
    {
        let mut cut = goblin(home.path())
            .args(arguments)
            .env(SEALED.0, SEALED.1)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The moment it writes its log, or when it has ended before.
        until("it writes or ends", || {
            let writes = ["goblin.db-wal", "goblin.db.restoring-wal"]
                .iter()
                .any(|name| std::fs::metadata(data.join(name)).is_ok_and(|m| m.len() > 0));
            (writes || cut.try_wait().unwrap().is_some()).then_some(())
        });
        // It may have ended meanwhile.
        let _ = cut.kill();
        cut.wait().unwrap();
        let running = serve(home.path());
        assert_eq!(running.ask("GET", "/health", &[], "").0, 200, "round {round}");
        add_chat(&running, "works");
        drop(running);
        done(home.path(), &["migrate", "verify"]);
    }
    done(home.path(), &["restore", "b.age", "--replace"]);
    let left: Vec<_> = std::fs::read_dir(&data)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains("restoring")),
        "{left:?}"
    );
}

#[test]
fn verify_names_what_differs_and_ends_with_1() {
    let place = place();
    place.done(&["migrate", "up"]);
    assert!(
        place
            .done(&["migrate", "verify"])
            .contains("as the migrations make them")
    );
    place.sql("DROP INDEX chats_newest; ALTER TABLE usage ADD COLUMN by_hand TEXT");
    let found = place.run(&["migrate", "verify"]);
    assert_eq!(found.status.code(), Some(1));
    let said = stdout(&found);
    for part in [
        "Index `chats_newest` of `chats`",
        "Column `usage.by_hand`",
        "2 difference(s)",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let found = place.run(&["migrate", "verify", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let about: Value = serde_json::from_str(&stdout(&found)).unwrap();
    assert_eq!(about["sound"], false);
    assert_eq!(about["differences"][0]["table"], "chats");
    assert!(
        about["migrations"]
            .as_array()
            .unwrap()
            .iter()
            .all(|m| m["applied"] == true)
    );
}
