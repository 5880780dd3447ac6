//! Keys of the model tier.

use goblin_auth::keys::{NewKey, Presented, TierKeys, TierKeysError, write_first_key};
use goblin_auth::principal::{Principal, PrincipalKind, Scope};
use goblin_core::clock::{Clock, Timestamp};
use goblin_store::key_file::{KeyFile, KeyFileError};
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::SeedableRng;
use rand::rngs::StdRng;
use secrecy::{ExposeSecret, SecretString};

struct Gate {
    dir: tempfile::TempDir,
    rng: StdRng,
}

impl Gate {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            rng: StdRng::seed_from_u64(7),
        }
    }

    fn open(&mut self, environment: Option<&str>) -> Result<(TierKeys, Option<NewKey>), TierKeysError> {
        let file = KeyFile::open(self.dir.path().join("tier-keys.toml")).unwrap();
        let environment = environment.map(SecretString::from);
        TierKeys::open(file, environment.as_ref(), &clock(), &mut self.rng)
    }
}

fn clock() -> Clock {
    Clock::manual(Timestamp(1))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    map
}

fn ask(keys: &TierKeys, key: &str) -> Option<Principal> {
    keys.authenticate(&headers(&[("x-api-key", key)])).ok()
}

#[test]
fn the_first_start_makes_one_key_and_keeps_only_its_hash() {
    let mut gate = Gate::new();
    let (keys, first) = gate.open(None).unwrap();
    let first = first.unwrap();
    let text = first.key.expose_secret().to_owned();
    assert!(
        text.starts_with(&format!("gbl_tier_{}", first.id)) && text.len() == 66,
        "{text}"
    );
    assert!(
        !format!("{first:?}").contains(&text),
        "a key is not printed by accident"
    );
    let kept = std::fs::read_to_string(keys.file().path()).unwrap();
    assert!(
        kept.contains(&first.id) && !kept.contains(&text) && !kept.contains(&text[17..60]),
        "{kept}"
    );
    let principal = ask(&keys, &text).unwrap();
    assert_eq!(principal.kind, PrincipalKind::TierKey { name: "first".into() });
    assert!(principal.may(Scope::Infer) && !principal.may(Scope::Admin));

    let (again, none) = gate.open(None).unwrap();
    assert!(
        none.is_none() && ask(&again, &text).is_some(),
        "the next start makes none"
    );
}

#[cfg(unix)]
#[test]
fn the_first_key_can_be_left_in_a_file_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut gate = Gate::new();
    let first = gate.open(None).unwrap().1.unwrap();
    let path = gate.dir.path().join("first-key");
    write_first_key(&path, &first).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        std::fs::read_to_string(&path).unwrap().trim(),
        first.key.expose_secret()
    );
}

#[test]
fn the_environments_key_is_accepted_beside_the_files_and_makes_a_first_one_needless() {
    let mut gate = Gate::new();
    let (keys, first) = gate.open(Some("chosen-by-the-operator")).unwrap();
    assert!(first.is_none());
    let made = keys
        .make("laptop", &[Scope::Infer, Scope::Admin], &clock(), &mut gate.rng)
        .unwrap();
    let by_file = ask(&keys, made.key.expose_secret()).unwrap();
    assert!(by_file.may(Scope::Admin));
    let by_environment = ask(&keys, "chosen-by-the-operator").unwrap();
    assert_eq!(
        by_environment.kind,
        PrincipalKind::TierKey {
            name: "environment".into()
        }
    );
    assert!(!by_environment.may(Scope::Admin));
    for bad in ["", " ", "has space", "tab\tkey", "ünïcode", &"x".repeat(513)] {
        assert!(
            matches!(gate.open(Some(bad)), Err(TierKeysError::BadEnvironmentKey)),
            "{bad:?}"
        );
    }
}

#[test]
fn every_one_of_many_keys_opens_and_nothing_else_does() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    let made: Vec<_> = (0..20)
        .map(|n| {
            keys.make(&format!("k{n}"), &[Scope::Infer], &clock(), &mut gate.rng)
                .unwrap()
        })
        .collect();
    for (n, key) in made.iter().enumerate() {
        let principal = ask(&keys, key.key.expose_secret()).unwrap();
        assert_eq!(
            principal.kind,
            PrincipalKind::TierKey {
                name: format!("k{n}")
            }
        );
    }
    let real = made[3].key.expose_secret();
    for wrong in [
        &real[..65],
        &real[9..],
        &real.to_lowercase(),
        "x",
        "gbl_tier_",
        &made[3].id,
        &"0".repeat(64),
    ] {
        assert!(ask(&keys, wrong).is_none(), "{wrong}");
    }
    assert!(ask(&keys, "").is_none());
    keys.file().delete_key("k3").unwrap();
    assert!(ask(&keys, real).is_none(), "a removed key is over at once");
    assert!(ask(&keys, made[4].key.expose_secret()).is_some());
}

#[test]
fn keys_are_read_from_either_header_and_only_when_clear() {
    let good = [
        headers(&[("x-api-key", "k")]),
        headers(&[("authorization", "Bearer k")]),
        headers(&[("authorization", "bEARER   k ")]),
        headers(&[("x-api-key", "k"), ("authorization", "Bearer other")]),
    ];
    for map in good {
        assert!(matches!(Presented::from_headers(&map), Ok(Some(_))), "{map:?}");
    }
    assert!(matches!(Presented::from_headers(&HeaderMap::new()), Ok(None)));
    let long = format!("Bearer {}", "k".repeat(513));
    let bad = [
        headers(&[("x-api-key", "")]),
        headers(&[("x-api-key", "a"), ("x-api-key", "b")]),
        headers(&[("authorization", "k")]),
        headers(&[("authorization", "Bearer ")]),
        headers(&[("authorization", "Basic azpr")]),
        headers(&[("authorization", "Bearer two words")]),
        headers(&[("authorization", &long)]),
    ];
    for map in bad {
        let error = Presented::from_headers(&map).unwrap_err();
        assert_eq!(error.status(false), 401, "{map:?}");
    }
    let mut latin = HeaderMap::new();
    latin.insert("x-api-key", HeaderValue::from_bytes(b"k\xe9").unwrap());
    assert!(Presented::from_headers(&latin).is_err());
}

#[test]
fn refusals_say_what_is_missing_and_never_repeat_the_key() {
    let mut gate = Gate::new();
    let (keys, first) = gate.open(None).unwrap();
    let real = first.unwrap().key.expose_secret().to_owned();
    let mistyped = format!("{}!", &real[..65]);
    let cases = [
        (HeaderMap::new(), "needs a key"),
        (headers(&[("x-api-key", &mistyped)]), "checksum"),
        (headers(&[("x-api-key", "sk-someone-elses")]), "not known"),
    ];
    for (map, says) in cases {
        let error = keys.authenticate(&map).unwrap_err();
        assert_eq!(error.status(false), 401);
        assert!(error.message.contains(says), "{}", error.message);
        assert!(
            !error.message.contains("sk-") && !error.message.contains(&real[17..40]),
            "{}",
            error.message
        );
    }
}

#[test]
fn names_are_checked_and_unique() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    for bad in ["", "environment", "new\nline", &"n".repeat(101)] {
        let refused = keys.make(bad, &[], &clock(), &mut gate.rng);
        assert!(matches!(refused, Err(TierKeysError::BadName)), "{bad:?}");
    }
    let taken = keys.make("first", &[], &clock(), &mut gate.rng);
    assert!(matches!(
        taken,
        Err(TierKeysError::File(KeyFileError::NameTaken(_)))
    ));
}
