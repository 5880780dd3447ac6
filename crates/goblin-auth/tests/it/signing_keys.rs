//! Signing keys in a real database: what a token signed before a change is worth after it, on this copy and another.

use std::time::Duration;

use goblin_auth::access_token::SigningKeys;
use goblin_auth::sealing::KeyRing;
use goblin_auth::signing_keys::{SigningKeysError, load_or_make, reload, rotate};
use goblin_auth::vault;
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::signing_keys::KeyState;
use goblin_store::store::{Database, Store, StoreOptions};
use secrecy::{ExposeSecret, SecretString};

const TOKEN: Duration = Duration::from_secs(600);

async fn store(clock: &Clock) -> Store {
    let options = StoreOptions {
        database: Database::Memory,
        clock: clock.clone(),
        ids: Ids::Random,
    };
    Store::open(options).await.unwrap()
}

fn ring() -> KeyRing {
    KeyRing::parse(&KeyRing::make("m").unwrap()).unwrap()
}

fn issue(keys: &SigningKeys, clock: &Clock) -> SecretString {
    keys.issue(&Owner::local(), "session", clock.now(), TOKEN)
        .unwrap()
}

fn is_good(keys: &SigningKeys, token: &SecretString, clock: &Clock) -> bool {
    keys.check(token.expose_secret(), clock.now()).is_some()
}

#[tokio::test]
async fn a_token_signed_just_before_a_rotation_works_until_it_expires_on_every_copy() {
    let clock = Clock::manual(Timestamp(1_795_471_200_000));
    let (store, ring) = (store(&clock).await, ring());
    let here = load_or_make(&store, &ring, None).await.unwrap();
    let elsewhere = load_or_make(&store, &ring, None).await.unwrap();
    let before = issue(&here, &clock);
    assert!(is_good(&elsewhere, &before, &clock), "both have the same keys");

    let rows = rotate(&store, &ring, &clock, TOKEN).await.unwrap();
    let states: Vec<KeyState> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [KeyState::Current, KeyState::Standby, KeyState::Previous]);
    reload(&store, &ring, &here).await.unwrap();
    let after = issue(&here, &clock);
    assert!(
        is_good(&elsewhere, &after, &clock),
        "it has not noticed, and knew the key that waited"
    );
    assert!(is_good(&here, &before, &clock));
    reload(&store, &ring, &elsewhere).await.unwrap();
    assert!(is_good(&elsewhere, &before, &clock));

    clock.advance_ms(599_000);
    assert!(is_good(&here, &before, &clock), "until it expires");
    // Another rotation keeps a key of which a token may still be good, and one much later forgets it.
    rotate(&store, &ring, &clock, TOKEN).await.unwrap();
    reload(&store, &ring, &here).await.unwrap();
    assert!(is_good(&here, &before, &clock));
    clock.advance_ms(3_600_000);
    let rows = rotate(&store, &ring, &clock, TOKEN).await.unwrap();
    assert_eq!(rows.len(), 3, "{rows:?}");
}

#[tokio::test]
async fn a_key_that_was_taken_back_signs_for_nobody_and_one_of_before_is_taken_over() {
    let clock = Clock::manual(Timestamp(1_795_471_200_000));
    let (store, ring) = (store(&clock).await, ring());
    let old = SigningKeys::make().unwrap();
    let of_before = issue(&SigningKeys::new(&old, &[]).unwrap(), &clock);
    let keys = load_or_make(&store, &ring, Some(old)).await.unwrap();
    assert!(
        is_good(&keys, &of_before, &clock),
        "of the file a release before kept it in"
    );
    let rows = rotate(&store, &ring, &clock, TOKEN).await.unwrap();
    let previous = &rows[2].id;
    store.revoke_signing_key(previous).await.unwrap();
    reload(&store, &ring, &keys).await.unwrap();
    assert!(!is_good(&keys, &of_before, &clock));
    assert!(is_good(&keys, &issue(&keys, &clock), &clock));
    let short = load_or_make(&store, &ring, Some("short".to_owned().into())).await;
    assert!(short.is_ok(), "there are keys already");
}

#[tokio::test]
async fn signing_keys_are_sealed_and_go_on_under_another_master_key() {
    let clock = Clock::manual(Timestamp(1_795_471_200_000));
    let (store, old) = (store(&clock).await, KeyRing::make("old").unwrap());
    let new = KeyRing::make("new").unwrap();
    let both: SecretString = format!("{},{}", new.expose_secret(), old.expose_secret()).into();
    let (old, both, new) = (
        KeyRing::parse(&old).unwrap(),
        KeyRing::parse(&both).unwrap(),
        KeyRing::parse(&new).unwrap(),
    );
    let keys = load_or_make(&store, &old, None).await.unwrap();
    let token = issue(&keys, &clock);
    let other = load_or_make(&store, &new, None).await.unwrap_err();
    assert!(matches!(other, SigningKeysError::Unopened(..)), "{other}");
    assert!(other.to_string().contains("`old`"), "{other}");
    assert_eq!(vault::rotate(&store, &both).await.unwrap(), 2);
    assert_eq!(vault::rotate(&store, &both).await.unwrap(), 0, "once is enough");
    let keys = load_or_make(&store, &new, None).await.unwrap();
    assert!(is_good(&keys, &token, &clock));
    let lost = vault::rotate(&store, &old).await;
    assert!(
        lost.is_err(),
        "under a ring that does not open them nothing is changed"
    );
    reload(&store, &new, &keys).await.unwrap();
    let none = rotate(&self::store(&clock).await, &new, &clock, TOKEN).await;
    assert!(matches!(none, Err(SigningKeysError::None)));
}
