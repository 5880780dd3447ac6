//! Files that are no backup, not a whole one, or not one of this release: refused, each with its reason, and the database
//! is as it was.

use std::io::Write;
use std::path::Path;

use goblin_store::backup::file::BackupFile;
use goblin_store::backup::sealed::Seal;
use goblin_store::backup::{BackupError, Contents};
use goblin_store::schema::NEWEST;
use goblin_store::turns::Parent;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::backup::{Shelf, back_up, everything, open, put_back, seal, silent};
use crate::content::fill;
use crate::desk::{Desk, on_both_kept};

on_both_kept! {
    a_restore_that_fails_in_the_middle_changes_nothing,
    a_file_that_is_not_whole_is_refused_before_anything_is_changed,
    a_file_of_a_newer_release_is_refused,
}

/// The lines of a backup.
fn unsealed(file: &Path) -> String {
    open(file).unwrap().lines().unwrap()
}

/// A sealed file with these lines, but the last, which is made to fit.
fn sealed(file: &Path, lines: &str) {
    let (body, rows) = (format!("{lines}\n"), lines.lines().count() - 1);
    let sha256 = hex::encode(Sha256::digest(&body));
    sealed_as_it_is(
        file,
        &format!("{body}{{\"end\":{{\"rows\":{rows},\"sha256\":\"{sha256}\"}}}}\n"),
    );
}

fn sealed_as_it_is(file: &Path, text: &str) {
    let mut sealing = seal().close(std::fs::File::create(file).unwrap()).unwrap();
    sealing.write_all(text.as_bytes()).unwrap();
    sealing.finish().unwrap();
}

/// The same backup with its lines changed.
fn forged(file: &Path, to: &Path, change: impl Fn(&mut Vec<String>)) {
    let mut lines: Vec<String> = unsealed(file).lines().map(str::to_owned).collect();
    lines.pop();
    change(&mut lines);
    sealed(to, &lines.join("\n"));
}

async fn a_restore_that_fails_in_the_middle_changes_nothing(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    desk.ask(&desk.chat().await, Parent::Head, "later").await;
    desk.store.close().await;
    let database = desk.store.database();
    let before = everything(database).await;
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change); 2] = [
        ("a user of no tenant", |lines| {
            for line in lines {
                *line = line.replace("\"someone\",\"others\"", "\"someone\",\"nobody\"");
            }
        }),
        ("a row that is there twice", |lines| {
            let at = lines
                .iter()
                .position(|line| line.starts_with("[\"t-1\""))
                .unwrap();
            lines.insert(at, lines[at].clone());
            let (before, traces) = lines[0].split_once("{\"name\":\"traces\"").unwrap();
            let traces = traces.replacen("\"rows\":1}", "\"rows\":2}", 1);
            lines[0] = format!("{before}{{\"name\":\"traces\"{traces}");
        }),
    ];
    for (what, change) in changes {
        let bad = shelf.place("bad.age");
        forged(&file, &bad, change);
        open(&bad).unwrap_or_else(|e| panic!("{what} is seen only by a database: {e}"));
        let refused = put_back(&bad, database, true).await;
        assert!(
            matches!(refused, Err(BackupError::Store(_))),
            "{what}: {refused:?}"
        );
        assert_eq!(everything(database).await, before, "{what}");
    }
    assert_eq!(shelf.names(), ["b.age", "bad.age"]);
}

async fn a_file_that_is_not_whole_is_refused_before_anything_is_changed(desk: &Desk) {
    fill(desk).await;
    let shelf = Shelf::new();
    let file = shelf.place("b.age");
    back_up(&desk.store, &file).await;
    desk.store.close().await;
    let database = desk.store.database();
    let before = everything(database).await;
    let whole = std::fs::read(&file).unwrap();
    let bad = shelf.place("bad.age");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&bad, bytes).unwrap();
        match open(&bad) {
            Err(error) => error,
            Ok(_) => panic!("{} bytes of {} are taken for whole", bytes.len(), whole.len()),
        }
    };
    for end in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let error = refusal(&whole[..end]);
        assert!(
            matches!(
                error,
                BackupError::Damaged { .. } | BackupError::NotABackup { .. }
            ),
            "{end}: {error:?}"
        );
    }
    for at in (0..whole.len()).step_by(5).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        let error = refusal(&changed);
        assert!(
            !matches!(error, BackupError::Store(_)) && error.to_string().contains("bad.age"),
            "{at}: {error:?}"
        );
    }
    let longer = [&whole[..], b"more"].concat();
    assert!(matches!(refusal(&longer), BackupError::Damaged { .. }));
    assert!(matches!(refusal(b"my diary"), BackupError::NotABackup { .. }));
    assert!(matches!(refusal(b""), BackupError::NotABackup { .. }));

    let other = Seal::new(SecretString::from("another passphrase")).with_work(2);
    let error = BackupFile::open(&file, &other, &silent).err().unwrap();
    assert!(matches!(error, BackupError::WrongPassphrase(_)), "{error:?}");
    assert!(
        error.to_string().contains("The passphrase does not open"),
        "{error}"
    );
    let missing = open(&shelf.place("none.age")).err().unwrap();
    assert!(matches!(missing, BackupError::Unreadable { .. }), "{missing:?}");

    // Sealed well, but not what `goblin backup` seals.
    sealed_as_it_is(&bad, "a letter\n");
    assert!(matches!(
        open(&bad).err().unwrap(),
        BackupError::NotABackup { .. }
    ));
    sealed_as_it_is(&bad, &(unsealed(&file) + "\n"));
    assert!(matches!(open(&bad).err().unwrap(), BackupError::Damaged { .. }));
    assert_eq!(everything(database).await, before);
}

async fn a_file_of_a_newer_release_is_refused(desk: &Desk) {
    let shelf = Shelf::new();
    let (file, newer) = (shelf.place("b.age"), shelf.place("newer.age"));
    back_up(&desk.store, &file).await;
    desk.store.close().await;
    let database = desk.store.database();
    let before = everything(database).await;
    let first = |from: String, to: String| {
        forged(&file, &newer, |lines| {
            assert!(lines[0].contains(&from), "{from}");
            lines[0] = lines[0].replacen(&from, &to, 1);
        });
    };
    first("\"format\":1".into(), "\"format\":2".into());
    let error = open(&newer).err().unwrap();
    assert!(
        matches!(
            error,
            BackupError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );

    first(
        format!("\"schema\":{NEWEST}"),
        format!("\"schema\":{}", NEWEST + 1),
    );
    let contents: Contents = open(&newer).unwrap().contents().clone();
    assert_eq!(contents.schema, NEWEST + 1, "what is in it can be looked at");
    let error = put_back(&newer, database, true).await.expect_err("refused");
    assert!(error.to_string().contains("newer release"), "{error}");

    for (from, to, says) in [
        (
            "\"name\":\"chats\"",
            "\"name\":\"cats\"",
            "table chats is not in it",
        ),
        (
            "\"name\":\"folder\"",
            "\"name\":\"folded\"",
            "column chats.folder is not in it",
        ),
        (
            "\"name\":\"folder\",\"kind\":\"text\"",
            "\"name\":\"folder\",\"kind\":\"bytes\"",
            "column chats.folder is not in it",
        ),
        (
            "\"name\":\"turns\"",
            "\"name\":\"traces\"",
            "table turns is not in it",
        ),
    ] {
        first(from.into(), to.into());
        let error = put_back(&newer, database, true).await.expect_err("refused");
        assert!(matches!(error, BackupError::OtherTables { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(everything(database).await, before);
}
