//! Trees of turns, and lists that change while they are read.

use goblin_core::conversation::Turn;
use goblin_store::chats::ChatPatch;
use goblin_store::error::StoreError;
use goblin_store::turns::{MAX_SIBLINGS, NewTurn, Parent};

use crate::desk::{Desk, complete, on_both};

on_both! {
    editing_makes_siblings_and_the_head_says_which_branch_is_shown,
    a_long_branch_is_read_from_its_end_page_by_page,
    a_chat_without_turns_has_an_empty_branch,
    pages_of_enormous_answers_stay_bounded,
    a_chat_a_thousand_turns_deep_can_be_removed,
    branches_of_one_turn_are_bounded,
    paging_through_chats_misses_and_repeats_nothing_while_new_ones_arrive,
}

fn ids(turns: &[Turn]) -> Vec<&str> {
    turns.iter().map(|t| t.id.as_str()).collect()
}

fn below(turn: &Turn) -> Parent {
    Parent::Turn(turn.id.clone())
}

async fn editing_makes_siblings_and_the_head_says_which_branch_is_shown(desk: &Desk) {
    let chat = desk.chat().await;
    let root = desk.ask(&chat, Parent::Head, "root").await;
    let old = desk.ask(&chat, Parent::Head, "old").await;
    let old_leaf = desk.ask(&chat, Parent::Head, "old leaf").await;
    let new = desk.ask(&chat, Parent::beside(&old), "new").await;
    let other_root = desk.ask(&chat, Parent::beside(&root), "other root").await;

    assert_eq!(new.siblings, [old.id.clone(), new.id.clone()]);
    assert_eq!(other_root.siblings, [root.id.clone(), other_root.id.clone()]);
    let page = desk
        .store
        .list_branch(&desk.owner, &chat.id, None, 10)
        .await
        .unwrap();
    assert_eq!(ids(&page.items), [&*other_root.id]);

    for (chosen, shown) in [
        (&root, vec![&root, &new]),
        (&old, vec![&root, &old, &old_leaf]),
        (&new, vec![&root, &new]),
        (&old_leaf, vec![&root, &old, &old_leaf]),
    ] {
        let patch = ChatPatch {
            head: Some(chosen.id.clone()),
            ..ChatPatch::default()
        };
        let before = desk
            .store
            .find_chat(&desk.owner, &chat.id)
            .await
            .unwrap()
            .unwrap();
        let after = desk
            .store
            .update_chat(&desk.owner, &chat.id, patch)
            .await
            .unwrap();
        assert_eq!(
            after.updated_at, before.updated_at,
            "looking at a branch is not a change"
        );
        let page = desk
            .store
            .list_branch(&desk.owner, &chat.id, None, 10)
            .await
            .unwrap();
        assert_eq!(
            ids(&page.items),
            shown.iter().map(|t| t.id.as_str()).collect::<Vec<_>>()
        );
        for turn in &page.items {
            let alone = desk
                .store
                .find_turn(&desk.owner, &turn.id)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(turn, &alone);
            assert!(turn.siblings.contains(&turn.id) && turn.siblings.is_sorted());
        }
    }
}

async fn a_long_branch_is_read_from_its_end_page_by_page(desk: &Desk) {
    let chat = desk.chat().await;
    let mut asked = Vec::new();
    for n in 0..7 {
        asked.push(desk.ask(&chat, Parent::Head, &format!("question {n}")).await.id);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = desk
            .store
            .list_branch(&desk.owner, &chat.id, before.as_deref(), 3)
            .await
            .unwrap();
        before = page.items.first().map(|t| t.id.clone());
        seen.splice(0..0, page.items.into_iter().map(|t| t.id));
        assert_eq!(page.has_more, seen.len() < 7);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, asked);
    let top = desk
        .store
        .list_branch(&desk.owner, &chat.id, before.as_deref(), 3)
        .await
        .unwrap();
    assert!(top.items.is_empty() && !top.has_more);
    let unknown = desk
        .store
        .list_branch(&desk.owner, &chat.id, Some("nothing"), 3)
        .await;
    assert!(
        matches!(unknown, Err(StoreError::NotInChat("before"))),
        "{unknown:?}"
    );
    let path = desk.store.list_path(&desk.owner, &asked[6]).await.unwrap();
    assert_eq!(
        ids(&path.turns),
        asked[..6].iter().map(String::as_str).collect::<Vec<_>>()
    );
}

async fn a_chat_without_turns_has_an_empty_branch(desk: &Desk) {
    let chat = desk.chat().await;
    let page = desk
        .store
        .list_branch(&desk.owner, &chat.id, None, 10)
        .await
        .unwrap();
    assert!(page.items.is_empty() && !page.has_more);
    assert_eq!(chat.title, None);
}

async fn pages_of_enormous_answers_stay_bounded(desk: &Desk) {
    let chat = desk.chat().await;
    let answer = "x".repeat(12 * 1024 * 1024);
    let mut last = None;
    for n in 0..4 {
        let turn = desk.ask(&chat, Parent::Head, &n.to_string()).await;
        desk.store
            .finish_turn(&desk.owner, complete(&turn, &answer), None)
            .await
            .unwrap();
        last = Some(turn);
    }
    let page = desk
        .store
        .list_branch(&desk.owner, &chat.id, None, 10)
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.has_more), (2, true));
    let path = desk
        .store
        .list_path(&desk.owner, &last.unwrap().id)
        .await
        .unwrap();
    assert_eq!(
        (path.turns.len(), path.older),
        (2, 1),
        "what was not read is counted"
    );
}

async fn a_chat_a_thousand_turns_deep_can_be_removed(desk: &Desk) {
    let chat = desk.chat().await;
    for _ in 0..1200 {
        desk.ask(&chat, Parent::Head, "more").await;
    }
    desk.store.delete_chat(&desk.owner, &chat.id).await.unwrap();
    desk.clock.advance_ms(60_000);
    assert_eq!(desk.store.purge_deleted().await.unwrap(), 1);
}

async fn branches_of_one_turn_are_bounded(desk: &Desk) {
    let chat = desk.chat().await;
    let root = desk.ask(&chat, Parent::Head, "root").await;
    for _ in 0..MAX_SIBLINGS {
        desk.ask(&chat, below(&root), "again").await;
    }
    let head = desk
        .store
        .find_chat(&desk.owner, &chat.id)
        .await
        .unwrap()
        .unwrap()
        .head;
    let new = NewTurn {
        chat: chat.id.clone(),
        parent: below(&root),
        ..NewTurn::default()
    };
    let refused = desk.store.insert_turn(&desk.owner, new).await;
    assert!(
        matches!(refused, Err(StoreError::TooManyBranches(_))),
        "{refused:?}"
    );
    let after = desk
        .store
        .find_chat(&desk.owner, &chat.id)
        .await
        .unwrap()
        .unwrap()
        .head;
    assert_eq!(head, after, "a refused turn leaves nothing behind");
}

async fn paging_through_chats_misses_and_repeats_nothing_while_new_ones_arrive(desk: &Desk) {
    let mut made = Vec::new();
    for n in 0..9 {
        // Three share each millisecond, so that the order needs the id.
        desk.clock.advance_ms(i64::from(n % 3 == 0));
        made.push(desk.chat().await.id);
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = desk
            .store
            .list_chats(&desk.owner, cursor.as_deref(), 2)
            .await
            .unwrap();
        seen.extend(page.items.into_iter().map(|c| c.id));
        desk.clock.advance_ms(1);
        desk.chat().await;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    made.reverse();
    assert_eq!(seen, made);
    let bad = desk.store.list_chats(&desk.owner, Some("zz"), 2).await;
    assert!(matches!(bad, Err(StoreError::InvalidCursor)), "{bad:?}");
}
