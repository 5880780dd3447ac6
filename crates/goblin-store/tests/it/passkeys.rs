//! Passkeys and their ceremonies: their part of the story, and several at once.

use goblin_core::account::Role;
use goblin_core::owner::Owner;
use goblin_store::error::StoreError;
use goblin_store::passkeys::{Ceremony, MAX_PASSKEYS, NewPasskey};

use crate::accounts::{HOUR_MS, another, deed, first};
use crate::content::tamper;
use crate::desk::{Desk, on_both_kept};

on_both_kept! {
    of_ten_who_answer_a_ceremony_at_once_one_gets_it,
    of_two_who_use_a_passkey_with_one_counter_one_comes_in,
    the_only_way_left_is_removed_only_when_that_is_said,
    an_account_has_a_bounded_number_of_passkeys,
}

pub(crate) fn passkey(credential: &str) -> NewPasskey {
    NewPasskey {
        credential_id: credential.into(),
        user_handle: "01234567-89ab-4def-8123-456789abcdef".into(),
        host: "localhost".into(),
        name: "Telephone".into(),
        credential_json: r#"{"counter":1}"#.into(),
    }
}

pub(crate) fn ceremony(desk: &Desk, owner: &Owner, session: Option<&str>) -> Ceremony {
    Ceremony {
        owner: owner.clone(),
        session: session.map(str::to_owned),
        user_handle: session.map(|_| "01234567-89ab-4def-8123-456789abcdef".into()),
        state_json: r#"{"challenge":"x"}"#.into(),
        expires_at: desk.clock.now().plus_ms(HOUR_MS),
    }
}

/// Part of the story.
pub(crate) async fn passing_by_key(desk: &Desk, owner: &Owner, member: &Owner) {
    let store = &desk.store;
    let begun = ceremony(desk, owner, Some("session"));
    store.insert_ceremony("one", &begun).await.unwrap();
    store
        .insert_ceremony("two", &ceremony(desk, &Owner::local(), None))
        .await
        .unwrap();
    assert_eq!(store.take_ceremony("one").await.unwrap(), Some(begun));
    assert_eq!(store.take_ceremony("one").await.unwrap(), None, "good once");
    assert_eq!(store.delete_ended_ceremonies().await.unwrap(), 0);
    desk.clock.advance_ms(HOUR_MS);
    assert_eq!(store.take_ceremony("two").await.unwrap(), None, "over");
    assert_eq!(store.delete_ended_ceremonies().await.unwrap(), 1);

    let kept = store
        .insert_passkey(owner, &passkey("a"), &deed("passkey.made"))
        .await
        .unwrap();
    desk.clock.advance_ms(1);
    let newer = store
        .insert_passkey(owner, &passkey("b"), &deed("passkey.made"))
        .await
        .unwrap();
    for somebody in [owner, member] {
        let taken = store
            .insert_passkey(somebody, &passkey("a"), &deed("passkey.made"))
            .await;
        assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    }
    let listed = store.list_passkeys(owner).await.unwrap();
    assert_eq!(
        listed.iter().map(|row| &row.passkey).collect::<Vec<_>>(),
        [&newer, &kept],
        "newest first"
    );
    assert_eq!(store.list_passkeys(member).await.unwrap(), []);
    let (row, account) = store.find_passkey("a").await.unwrap().unwrap();
    assert_eq!((&row.passkey, &account.owner), (&kept, owner));
    assert_eq!(
        store.find_passkey("A").await.unwrap(),
        None,
        "compared as it is written"
    );

    assert!(store.update_passkey_used(&row, r#"{"counter":2}"#).await.unwrap());
    let (used, _) = store.find_passkey("a").await.unwrap().unwrap();
    assert_eq!(
        (used.credential_json.as_str(), used.passkey.used_at),
        (r#"{"counter":2}"#, Some(desk.clock.now()))
    );
    let copied = deed("passkey.copied");
    store.update_passkey_copied(&kept.id, &copied).await.unwrap();
    store.update_passkey_copied(&kept.id, &copied).await.unwrap();
    assert!(
        !store
            .update_passkey_used(&used, r#"{"counter":3}"#)
            .await
            .unwrap()
    );
    let audit = store.list_audit(&owner.tenant, None, 200).await.unwrap().items;
    assert_eq!(
        audit
            .iter()
            .filter(|event| event.action == "passkey.copied")
            .count(),
        1
    );

    let renamed = store
        .update_passkey_name(owner, &kept.id, "Old", &deed("passkey.renamed"))
        .await;
    assert_eq!(renamed.unwrap().name, "Old");
    for gone in [
        store
            .update_passkey_name(member, &kept.id, "mine", &deed("passkey.renamed"))
            .await
            .map(|_| ()),
        store
            .delete_passkey(member, &kept.id, true, &deed("passkey.removed"))
            .await,
        store
            .delete_passkey(owner, "nothing", true, &deed("passkey.removed"))
            .await,
    ] {
        assert!(matches!(gone, Err(StoreError::NotFound("passkey"))), "{gone:?}");
    }
    store
        .delete_passkey(owner, &kept.id, false, &deed("passkey.removed"))
        .await
        .unwrap();
    assert_eq!(store.find_passkey("a").await.unwrap(), None);
}

async fn of_ten_who_answer_a_ceremony_at_once_one_gets_it(desk: &Desk) {
    let begun = ceremony(desk, &Owner::local(), None);
    desk.store.insert_ceremony("one", &begun).await.unwrap();
    let takers = (0..10).map(|_| {
        let store = desk.store.clone();
        async move { store.take_ceremony("one").await.unwrap().is_some() }
    });
    let taken = futures_util::future::join_all(takers).await;
    assert_eq!(taken.into_iter().filter(|got| *got).count(), 1);
}

async fn of_two_who_use_a_passkey_with_one_counter_one_comes_in(desk: &Desk) {
    let owner = first(desk).await.owner;
    desk.store
        .insert_passkey(&owner, &passkey("a"), &deed("passkey.made"))
        .await
        .unwrap();
    let (row, _) = desk.store.find_passkey("a").await.unwrap().unwrap();
    let uses = (0..2).map(|_| desk.store.update_passkey_used(&row, r#"{"counter":2}"#));
    let let_in = futures_util::future::join_all(uses).await;
    assert_eq!(
        let_in.into_iter().filter(|used| *used.as_ref().unwrap()).count(),
        1
    );
}

async fn the_only_way_left_is_removed_only_when_that_is_said(desk: &Desk) {
    let owner = first(desk).await.owner;
    let insert = async |credential: &str| {
        let made = desk
            .store
            .insert_passkey(&owner, &passkey(credential), &deed("passkey.made"))
            .await;
        made.unwrap().id
    };
    let remove = async |id: &str, even_the_last: bool| {
        let audit = deed("passkey.removed");
        desk.store.delete_passkey(&owner, id, even_the_last, &audit).await
    };
    let (a, b) = (insert("a").await, insert("b").await);
    remove(&b, false).await.unwrap();
    tamper(desk.store.database(), "UPDATE users SET password_hash = NULL").await;
    let refused = remove(&a, false).await;
    assert!(matches!(refused, Err(StoreError::LastWayIn)), "{refused:?}");
    assert!(desk.store.find_passkey("a").await.unwrap().is_some(), "it stays");
    // One that was copied lets nobody in: it is no way, and goes without a word.
    let c = insert("c").await;
    desk.store
        .update_passkey_copied(&c, &deed("passkey.copied"))
        .await
        .unwrap();
    let refused = remove(&a, false).await;
    assert!(matches!(refused, Err(StoreError::LastWayIn)), "{refused:?}");
    remove(&c, false).await.unwrap();
    remove(&a, true).await.unwrap();
    let none = desk.store.list_passkeys(&owner).await.unwrap();
    assert_eq!(none, []);
}

async fn an_account_has_a_bounded_number_of_passkeys(desk: &Desk) {
    let owner = first(desk).await.owner;
    let member = another(desk, "member@example.org", Role::Member).await.owner;
    let insert = async |owner: &Owner, credential: &str| {
        desk.store
            .insert_passkey(owner, &passkey(credential), &deed("passkey.made"))
            .await
    };
    for n in 0..MAX_PASSKEYS {
        insert(&owner, &n.to_string()).await.unwrap();
    }
    let more = insert(&owner, "more").await;
    assert!(
        matches!(more, Err(StoreError::TooManyPasskeys(MAX_PASSKEYS))),
        "{more:?}"
    );
    insert(&member, "more").await.unwrap();
}
