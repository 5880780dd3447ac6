//! Keys of the model tier.

use std::net::IpAddr;
use std::time::Duration;

use goblin_auth::keys::{
    KeyHolder, NewKey, NewKeyOptions, RefusedKey, TierKeys, TierKeysError, write_first_key,
};
use goblin_auth::principal::{Principal, PrincipalKind, Scope};
use goblin_core::clock::{Clock, Timestamp};
use goblin_store::key_file::{KeyFile, KeyFileError, KeyLimits};
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

/// The moment `clock` tells.
const NOW: Timestamp = Timestamp(1);

fn ask(keys: &TierKeys, key: &str) -> Option<Principal> {
    let holder = keys.authenticate(&headers(&[("x-api-key", key)]), NOW, None);
    holder.ok().map(|holder| holder.principal)
}

/// What happens to `key` at `now` from `address`.
fn attempt(
    keys: &TierKeys,
    key: &str,
    now: Timestamp,
    address: &str,
) -> Result<KeyHolder, (RefusedKey, u16)> {
    let address: Option<IpAddr> = address.parse().ok();
    keys.authenticate(&headers(&[("x-api-key", key)]), now, address)
        .map_err(|refusal| (refusal.reason, refusal.error.status(false)))
}

fn infer() -> NewKeyOptions {
    NewKeyOptions::with_scopes([Scope::Infer])
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
    assert!(principal.may(Scope::Infer) && principal.may(Scope::Embed) && !principal.may(Scope::Admin));

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
        .make(
            "laptop",
            NewKeyOptions::with_scopes([Scope::Admin]),
            &clock(),
            &mut gate.rng,
        )
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
            keys.make(&format!("k{n}"), infer(), &clock(), &mut gate.rng)
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

/// Why these headers are refused; `None` when a key was read (and is nobody's).
fn unread(keys: &TierKeys, map: &HeaderMap) -> Option<RefusedKey> {
    let refusal = keys.authenticate(map, NOW, None).unwrap_err();
    assert_eq!(refusal.error.status(false), 401, "{map:?}");
    Some(refusal.reason).filter(|reason| *reason != RefusedKey::Unknown)
}

#[test]
fn keys_are_read_from_either_header_and_only_when_clear() {
    let keys = Gate::new().open(Some("chosen-by-the-operator")).unwrap().0;
    let good = [
        headers(&[("x-api-key", "k")]),
        headers(&[("authorization", "Bearer k")]),
        headers(&[("authorization", "bEARER   k ")]),
        headers(&[("x-api-key", "k"), ("authorization", "Bearer k")]),
        headers(&[("x-api-key", "k"), ("authorization", "Basic azpr")]),
    ];
    for map in good {
        assert_eq!(unread(&keys, &map), None, "{map:?}");
    }
    assert_eq!(unread(&keys, &HeaderMap::new()), Some(RefusedKey::Missing));
    let two = headers(&[("x-api-key", "k"), ("authorization", "Bearer other")]);
    assert_eq!(unread(&keys, &two), Some(RefusedKey::Conflicting));
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
        assert_eq!(unread(&keys, &map), Some(RefusedKey::Malformed), "{map:?}");
    }
    let mut latin = HeaderMap::new();
    latin.insert("x-api-key", HeaderValue::from_bytes(b"k\xe9").unwrap());
    assert_eq!(unread(&keys, &latin), Some(RefusedKey::Malformed));
}

#[test]
fn a_key_ends_when_it_expires_or_is_revoked_and_says_which() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    let options = NewKeyOptions {
        expires_at: Some(Timestamp(1_000)),
        ..infer()
    };
    let made = keys.make("guest", options, &clock(), &mut gate.rng).unwrap();
    let key = made.key.expose_secret();
    assert!(attempt(&keys, key, Timestamp(999), "").is_ok());
    let expired = attempt(&keys, key, Timestamp(1_000), "").unwrap_err();
    assert_eq!(expired, (RefusedKey::Expired, 401));
    let at = keys.revoke("guest", &clock()).unwrap();
    assert_eq!(at, NOW);
    let later = Clock::manual(Timestamp(500));
    assert_eq!(keys.revoke("guest", &later).unwrap(), at, "the first time counts");
    let revoked = attempt(&keys, key, NOW, "").unwrap_err();
    assert_eq!(revoked, (RefusedKey::Revoked, 401));
    assert!(matches!(
        keys.revoke("guets", &clock()),
        Err(TierKeysError::NotFound(_))
    ));
    let refused = keys.rotate("guest", Duration::ZERO, &clock(), &mut gate.rng);
    assert!(matches!(refused, Err(TierKeysError::Over(_, "revoked"))));
}

#[test]
fn a_key_is_good_only_from_its_networks_and_keeps_its_limits() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    let limits = KeyLimits {
        requests_per_minute: Some(60),
        concurrent: None,
        tokens_per_day: Some(5),
    };
    let options = NewKeyOptions {
        from: vec!["10.0.0.0/8".parse().unwrap(), "fd00::7".parse().unwrap()],
        limits,
        ..infer()
    };
    let made = keys.make("office", options, &clock(), &mut gate.rng).unwrap();
    let key = made.key.expose_secret();
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"] {
        let holder = attempt(&keys, key, NOW, inside).unwrap();
        assert_eq!(
            (holder.name.as_str(), holder.limits),
            ("office", limits),
            "{inside}"
        );
    }
    for outside in ["11.0.0.1", "127.0.0.1", "fd00::8", ""] {
        let refused = attempt(&keys, key, NOW, outside).unwrap_err();
        assert_eq!(refused, (RefusedKey::Address, 403), "{outside}");
    }
}

#[test]
fn a_rotated_key_is_good_beside_the_new_one_until_the_overlap_ends() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    let clock = Clock::manual(Timestamp(0));
    let good = |key: &NewKey, at: i64| attempt(&keys, key.key.expose_secret(), Timestamp(at), "").is_ok();
    let one = keys.make("backend", infer(), &clock, &mut gate.rng).unwrap();
    let two = keys
        .rotate("backend", Duration::from_millis(100), &clock, &mut gate.rng)
        .unwrap();
    assert_ne!(
        (&one.id, one.key.expose_secret()),
        (&two.id, two.key.expose_secret())
    );
    assert!(good(&one, 99) && good(&two, 99));
    assert!(!good(&one, 100) && good(&two, 100));
    let ended = attempt(&keys, one.key.expose_secret(), Timestamp(100), "").unwrap_err();
    assert_eq!(ended, (RefusedKey::Revoked, 401));

    let three = keys
        .rotate("backend", Duration::from_millis(50), &clock, &mut gate.rng)
        .unwrap();
    assert!(
        good(&one, 49) && !good(&one, 50),
        "a shorter overlap shortens the ones before"
    );
    assert!(good(&two, 49) && !good(&two, 50) && good(&three, 50));
    let four = keys
        .rotate("backend", Duration::ZERO, &clock, &mut gate.rng)
        .unwrap();
    assert!(!good(&one, 0) && !good(&two, 0) && !good(&three, 0) && good(&four, 0));
    assert_eq!(keys.file().keys()[1].previous, [], "what has ended is forgotten");
    assert!(matches!(
        keys.rotate("backed", Duration::ZERO, &clock, &mut gate.rng),
        Err(TierKeysError::NotFound(_))
    ));
}

#[test]
fn overlapping_rotations_are_bounded_and_a_refused_one_changes_nothing() {
    let mut gate = Gate::new();
    let (keys, _) = gate.open(None).unwrap();
    let mut last = keys.make("k", infer(), &clock(), &mut gate.rng).unwrap();
    let day = Duration::from_secs(86_400);
    for _ in 0..4 {
        last = keys.rotate("k", day, &clock(), &mut gate.rng).unwrap();
    }
    let refused = keys.rotate("k", day, &clock(), &mut gate.rng);
    assert!(matches!(refused, Err(TierKeysError::TooManyPrevious(_))));
    assert!(ask(&keys, last.key.expose_secret()).is_some());
    assert!(keys.rotate("k", Duration::ZERO, &clock(), &mut gate.rng).is_ok());
    assert!(ask(&keys, last.key.expose_secret()).is_none());
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
        let error = keys.authenticate(&map, NOW, None).unwrap_err().error;
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
        let refused = keys.make(bad, infer(), &clock(), &mut gate.rng);
        assert!(matches!(refused, Err(TierKeysError::BadName)), "{bad:?}");
    }
    let taken = keys.make("first", infer(), &clock(), &mut gate.rng);
    assert!(matches!(
        taken,
        Err(TierKeysError::File(KeyFileError::NameTaken(_)))
    ));
}
