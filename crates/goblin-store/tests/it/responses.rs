//! Responses that are kept: found by their owner only, read as conversations, gone when they are old, too many or too long.

use goblin_core::owner::Owner;
use goblin_store::error::StoreError;
use goblin_store::responses::{KeepResponses, StoredResponse};
use serde_json::json;

use crate::desk::{Desk, on_both};

const DAY_MS: i64 = 86_400_000;
const PLENTY: u64 = 1 << 20;

on_both! {
    a_response_is_kept_whole_and_its_conversation_read_oldest_first,
    a_conversation_of_which_something_is_gone_is_not_read_without_it,
    the_oldest_make_room_and_what_is_too_old_is_not_there,
    another_owner_finds_nothing_and_goes_on_from_nothing,
}

/// A response that says this.
pub(crate) fn response(id: &str, previous: Option<&str>, text: &str) -> StoredResponse {
    StoredResponse {
        id: id.into(),
        previous: previous.map(str::to_owned),
        input: vec![json!({"type": "message", "role": "user", "id": format!("msg_{id}"), "content": text})],
        response: json!({"z": 1, "id": id, "a": [1.5, null], "output": [{"text": text}]}),
    }
}

async fn keep(desk: &Desk, id: &str, previous: Option<&str>, rule: KeepResponses) {
    desk.clock.advance_ms(1);
    let new = response(id, previous, "said");
    desk.store.insert_response(&desk.owner, &new, rule).await.unwrap();
}

async fn ids(desk: &Desk, of: &str) -> Vec<String> {
    let all = desk
        .store
        .list_conversation(&desk.owner, of, PLENTY)
        .await
        .unwrap();
    all.into_iter().map(|one| one.id).collect()
}

async fn a_response_is_kept_whole_and_its_conversation_read_oldest_first(desk: &Desk) {
    let (store, owner, rule) = (&desk.store, &desk.owner, KeepResponses::default());
    let text = "it's \"so\" \u{0} ü 漢字";
    let first = response("resp_a", None, text);
    store.insert_response(owner, &first, rule).await.unwrap();
    let found = store.find_response(owner, "resp_a").await.unwrap().unwrap();
    assert_eq!(found, first);
    let order: Vec<&String> = found.response.as_object().unwrap().keys().collect();
    assert_eq!(order, ["z", "id", "a", "output"], "as it was given");
    keep(desk, "resp_b", Some("resp_a"), rule).await;
    keep(desk, "resp_c", Some("resp_b"), rule).await;
    // Another branch.
    keep(desk, "resp_d", Some("resp_a"), rule).await;
    assert_eq!(ids(desk, "resp_c").await, ["resp_a", "resp_b", "resp_c"]);
    assert_eq!(ids(desk, "resp_d").await, ["resp_a", "resp_d"]);
    assert!(ids(desk, "resp_e").await.is_empty());
    let long = store.list_conversation(owner, "resp_c", 100).await;
    assert!(matches!(long, Err(StoreError::TooLong("conversation"))));
}

async fn a_conversation_of_which_something_is_gone_is_not_read_without_it(desk: &Desk) {
    let (store, owner, rule) = (&desk.store, &desk.owner, KeepResponses::default());
    keep(desk, "resp_a", None, rule).await;
    keep(desk, "resp_b", Some("resp_a"), rule).await;
    keep(desk, "resp_c", Some("resp_b"), rule).await;
    assert!(store.delete_response(owner, "resp_b").await.unwrap());
    assert!(!store.delete_response(owner, "resp_b").await.unwrap());
    let gone = store.list_conversation(owner, "resp_c", PLENTY).await;
    assert!(matches!(gone, Err(StoreError::NotFound("earlier response"))));
    assert!(store.find_response(owner, "resp_c").await.unwrap().is_some());
    assert_eq!(ids(desk, "resp_a").await, ["resp_a"]);
}

async fn the_oldest_make_room_and_what_is_too_old_is_not_there(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let rule = |days, most, bytes| KeepResponses { days, most, bytes };
    for id in ["resp_a", "resp_b", "resp_c"] {
        keep(desk, id, None, rule(1, 2, PLENTY)).await;
    }
    assert_eq!(store.find_response(owner, "resp_a").await.unwrap(), None);
    assert!(store.find_response(owner, "resp_b").await.unwrap().is_some());
    // The newest stays, whatever its size.
    keep(desk, "resp_d", None, rule(3, 2, 10)).await;
    assert_eq!(store.find_response(owner, "resp_c").await.unwrap(), None);
    assert!(store.find_response(owner, "resp_d").await.unwrap().is_some());
    keep(desk, "resp_e", None, rule(1, 2, PLENTY)).await;
    desk.clock.advance_ms(DAY_MS);
    assert_eq!(store.find_response(owner, "resp_e").await.unwrap(), None);
    assert!(ids(desk, "resp_e").await.is_empty());
    assert!(!store.delete_response(owner, "resp_e").await.unwrap());
    assert_eq!(store.delete_old_responses().await.unwrap(), 1);
    assert_eq!(store.delete_old_responses().await.unwrap(), 0);
    assert!(store.find_response(owner, "resp_d").await.unwrap().is_some());
}

async fn another_owner_finds_nothing_and_goes_on_from_nothing(desk: &Desk) {
    let (store, rule) = (&desk.store, KeepResponses::default());
    let other = Owner {
        tenant: desk.owner.tenant.clone(),
        user: "other".into(),
    };
    store.insert_owner(&other, None).await.unwrap();
    keep(desk, "resp_a", None, rule).await;
    assert_eq!(store.find_response(&other, "resp_a").await.unwrap(), None);
    let none = store.list_conversation(&other, "resp_a", PLENTY).await.unwrap();
    assert!(none.is_empty());
    assert!(!store.delete_response(&other, "resp_a").await.unwrap());
    // One that names another's as the one before it has nothing before it.
    let sly = response("resp_b", Some("resp_a"), "mine");
    store.insert_response(&other, &sly, rule).await.unwrap();
    let cut = store.list_conversation(&other, "resp_b", PLENTY).await;
    assert!(matches!(cut, Err(StoreError::NotFound("earlier response"))));
    // One's own bound takes nothing of another's.
    let one = KeepResponses { most: 1, ..rule };
    store
        .insert_response(&other, &response("resp_c", None, "x"), one)
        .await
        .unwrap();
    assert!(
        store
            .find_response(&desk.owner, "resp_a")
            .await
            .unwrap()
            .is_some()
    );
}
