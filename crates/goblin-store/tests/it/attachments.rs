//! Files attached to questions: kept, shared by questions, removed with the last of them, and never anybody else's.

use goblin_core::account::Role;
use goblin_core::attachment::{Attachment, AttachmentKind};
use goblin_core::conversation::{Chat, Turn};
use goblin_core::owner::Owner;
use goblin_store::attachments::NewAttachment;
use goblin_store::error::StoreError;
use goblin_store::turns::{NewTurn, Parent};

use crate::accounts::{another, first};
use crate::content::AWKWARD_ID;
use crate::desk::{Desk, on_both};

const PLENTY: u64 = 1 << 30;
const DAY_MS: i64 = 86_400_000;

on_both! {
    a_question_keeps_its_files_in_order_and_so_does_one_asked_in_its_place,
    a_file_that_is_not_there_or_of_another_is_no_file,
    nobody_keeps_more_than_they_may,
    files_go_with_their_last_chat_and_unused_ones_after_a_while,
}

fn file(name: &str, content: &[u8]) -> NewAttachment {
    NewAttachment {
        name: name.into(),
        kind: AttachmentKind::Text,
        media_type: "text/plain".into(),
        content: content.into(),
    }
}

async fn keep(desk: &Desk, owner: &Owner, name: &str, content: &[u8]) -> Attachment {
    desk.store
        .insert_attachment(owner, file(name, content), PLENTY)
        .await
        .unwrap()
}

async fn ask(desk: &Desk, chat: &Chat, parent: Parent, ids: &[&str]) -> Result<Turn, StoreError> {
    let new = NewTurn {
        chat: chat.id.clone(),
        parent,
        content: "look".into(),
        attachments: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..NewTurn::default()
    };
    Ok(desk.store.insert_turn(&desk.owner, new).await?.0)
}

/// A question with a file, for those who want something in every table.
pub(crate) async fn ask_with_file(desk: &Desk, chat: &Chat) {
    let image = NewAttachment {
        kind: AttachmentKind::Image,
        media_type: "image/png".into(),
        ..file(AWKWARD_ID, b"\x89PNG\r\n\x1a\n\0\xff")
    };
    let kept = desk
        .store
        .insert_attachment(&desk.owner, image, PLENTY)
        .await
        .unwrap();
    ask(desk, chat, Parent::Head, &[&kept.id]).await.unwrap();
}

async fn a_question_keeps_its_files_in_order_and_so_does_one_asked_in_its_place(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let one = keep(desk, owner, "one.txt", b"1").await;
    let two = keep(desk, owner, "two.txt", b"\0\xff two").await;
    assert_eq!((two.name.as_str(), two.bytes), ("two.txt", 6));
    assert_eq!(
        store.find_attachment(owner, &two.id).await.unwrap(),
        Some((two.clone(), b"\0\xff two".to_vec()))
    );
    let both = [two.clone(), one.clone()];
    let chat = desk.chat().await;
    let turn = ask(desk, &chat, Parent::Head, &[&two.id, &one.id]).await.unwrap();
    assert_eq!(turn.attachments, both);
    let again = ask(desk, &chat, Parent::beside(&turn), &[&two.id, &one.id])
        .await
        .unwrap();
    let next = ask(desk, &chat, Parent::Turn(turn.id.clone()), &[])
        .await
        .unwrap();
    assert!(next.attachments.is_empty());

    let found = store.find_turn(owner, &again.id).await.unwrap().unwrap();
    assert_eq!(found.attachments, both);
    let page = store.list_branch(owner, &chat.id, None, 10).await.unwrap().items;
    let shown: Vec<usize> = page.iter().map(|turn| turn.attachments.len()).collect();
    assert_eq!(shown, [2, 0]);
    let path = store.list_path(owner, &next.id).await.unwrap().turns;
    assert_eq!(path[0].attachments, both);
    let listed = store
        .list_attachments(owner, &[one.id.clone(), two.id.clone()])
        .await;
    assert_eq!(listed.unwrap(), [one, two]);
    assert!(store.list_attachments(owner, &[]).await.unwrap().is_empty());
}

async fn a_file_that_is_not_there_or_of_another_is_no_file(desk: &Desk) {
    let store = &desk.store;
    first(desk).await;
    let ada = another(desk, "ada@example.org", Role::Member).await.owner;
    let hers = keep(desk, &ada, "hers.txt", b"secret").await;
    let chat = desk.chat().await;
    for id in [hers.id.as_str(), "0197-nowhere"] {
        assert_eq!(store.find_attachment(&desk.owner, id).await.unwrap(), None);
        let listed = store.list_attachments(&desk.owner, &[id.to_owned()]).await;
        assert!(matches!(listed, Err(StoreError::NotFound("attachment"))));
        let asked = ask(desk, &chat, Parent::Head, &[id]).await;
        assert!(matches!(asked, Err(StoreError::NotFound("attachment"))));
    }
    let page = store.list_branch(&desk.owner, &chat.id, None, 10).await.unwrap();
    assert!(page.items.is_empty(), "nothing is stored half-way");
}

async fn nobody_keeps_more_than_they_may(desk: &Desk) {
    let store = &desk.store;
    first(desk).await;
    let ada = another(desk, "ada@example.org", Role::Member).await.owner;
    for owner in [&desk.owner, &ada] {
        store
            .insert_attachment(owner, file("a", b"12345"), 8)
            .await
            .unwrap();
        let full = store.insert_attachment(owner, file("b", b"1234"), 8).await;
        assert!(
            matches!(full, Err(StoreError::FilesFull(8))),
            "each has a bound of their own"
        );
        store
            .insert_attachment(owner, file("c", b"123"), 8)
            .await
            .unwrap();
    }
}

async fn files_go_with_their_last_chat_and_unused_ones_after_a_while(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let shared = keep(desk, owner, "shared.txt", b"s").await;
    let own = keep(desk, owner, "own.txt", b"o").await;
    let unused = keep(desk, owner, "unused.txt", b"u").await;
    let (first, second) = (desk.chat().await, desk.chat().await);
    ask(desk, &first, Parent::Head, &[&shared.id, &own.id])
        .await
        .unwrap();
    ask(desk, &second, Parent::Head, &[&shared.id]).await.unwrap();
    let there = async |one: &Attachment| store.find_attachment(owner, &one.id).await.unwrap().is_some();

    store.delete_chat(owner, &first.id).await.unwrap();
    assert!(there(&own).await, "it may be restored");
    desk.clock.advance_ms(60_000);
    assert_eq!(store.purge_deleted().await.unwrap(), 1);
    assert_eq!((there(&own).await, there(&shared).await), (false, true));

    assert_eq!(store.delete_unused_attachments(DAY_MS).await.unwrap(), 0);
    desk.clock.advance_ms(DAY_MS);
    assert_eq!(store.delete_unused_attachments(DAY_MS).await.unwrap(), 1);
    assert_eq!((there(&unused).await, there(&shared).await), (false, true));
    store.delete_chat(owner, &second.id).await.unwrap();
    desk.clock.advance_ms(60_000);
    store.purge_deleted().await.unwrap();
    assert!(!there(&shared).await);
}
