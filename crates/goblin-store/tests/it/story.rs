//! One life of a chat, touching every public method of the database, on every backend.

use goblin_core::conversation::{Parameters, Problem, TurnStatus, TurnTiming, TurnUsage};
use goblin_core::event::Usage;
use goblin_core::feedback::{FeedbackChange, Rating};
use goblin_core::owner::Owner;
use goblin_store::chats::{ChatPatch, NewChat, RESTORE_MS};
use goblin_store::error::StoreError;
use goblin_store::schema::NEWEST;
use goblin_store::store::Database;
use goblin_store::traces::NewTrace;
use goblin_store::turns::{Checkpoint, FinishedTurn, NewTurn, Parent};
use goblin_store::usage::NewUsage;

use crate::desk::{Desk, cluster};

#[tokio::test]
async fn a_chat_lives_its_whole_life_in_a_file() {
    whole_life(&Desk::in_a_file().await).await;
}

#[tokio::test]
async fn a_chat_lives_its_whole_life_in_memory() {
    whole_life(&Desk::in_memory().await).await;
}

#[tokio::test]
async fn a_chat_lives_its_whole_life_on_postgres() {
    whole_life(&Desk::on_postgres().await).await;
}

#[tokio::test]
async fn a_chat_lives_its_whole_life_behind_a_proxy_that_pools_transactions() {
    let cluster = cluster();
    let pooler = cluster.pooler();
    let address = format!("{}?pgbouncer=true", pooler.address(&cluster.new_database()));
    whole_life(&Desk::open(Database::parse(&address).unwrap()).await).await;
}

async fn whole_life(desk: &Desk) {
    desk.store.ping().await.unwrap();
    assert!(
        desk.store
            .migration_status()
            .await
            .unwrap()
            .iter()
            .all(|m| m.applied && m.known)
    );
    let chat = making_and_changing(desk).await;
    let turn = asking_and_answering(desk, &chat).await;
    explaining(desk, &turn).await;
    failing(desk, &chat, &turn).await;
    stranger_sees_nothing(desk, &chat, &turn).await;
    deleting(desk, &chat, &turn).await;
    booking(desk).await;
    crate::accounts::letting_people_in(desk).await;
    crate::keys::keeping_keys(desk).await;
    crate::money::keeping_budgets(desk).await;
    migrating(desk).await;
    desk.store.close().await;
    assert!(desk.store.ping().await.is_err());
}

async fn making_and_changing(desk: &Desk) -> String {
    let (store, owner) = (&desk.store, &desk.owner);
    let parameters = Parameters {
        temperature: Some(0.3),
        seed: Some(u64::MAX),
        stop: vec!["\n".into()],
        ..Parameters::default()
    };
    let new = NewChat {
        title: Some("T".into()),
        model: Some("engine/a".into()),
        system: Some("Be brief".into()),
        parameters: parameters.clone(),
        folder: Some("work".into()),
    };
    let chat = store.insert_chat(owner, new).await.unwrap();
    assert_eq!(chat.parameters, parameters);
    assert_eq!(
        store.find_chat(owner, &chat.id).await.unwrap(),
        Some(chat.clone())
    );

    desk.clock.advance_ms(1);
    let untouched = store
        .update_chat(owner, &chat.id, ChatPatch::default())
        .await
        .unwrap();
    assert_eq!(
        untouched, chat,
        "an empty patch changes nothing, not even the time"
    );
    let patch = ChatPatch {
        title: Some(None),
        model: Some(Some("engine/b".into())),
        system: Some(None),
        parameters: Some(None),
        ..ChatPatch::default()
    };
    let patched = store.update_chat(owner, &chat.id, patch).await.unwrap();
    assert_eq!(
        (patched.title.as_deref(), patched.model.as_deref()),
        (None, Some("engine/b"))
    );
    assert_eq!(
        (patched.system.as_deref(), patched.folder.as_deref()),
        (None, Some("work"))
    );
    assert_eq!(patched.parameters, Parameters::default());
    assert!(patched.updated_at > chat.updated_at && patched.created_at == chat.created_at);
    assert_eq!(store.list_chats(owner, None, 10).await.unwrap().items, [patched]);
    chat.id
}

async fn asking_and_answering(desk: &Desk, chat: &str) -> String {
    let (store, owner) = (&desk.store, &desk.owner);
    let new = NewTurn {
        chat: chat.into(),
        parent: Parent::Head,
        content: "What is a goblin?\nTell \0 me".into(),
        model: Some("engine/b".into()),
        ..Default::default()
    };
    let (turn, chat) = store.insert_turn(owner, new).await.unwrap();
    assert_eq!(
        (turn.status, turn.siblings.as_slice()),
        (TurnStatus::Streaming, [turn.id.clone()].as_slice())
    );
    assert_eq!(
        turn.content, "What is a goblin?\nTell \u{fffd} me",
        "no database but SQLite takes NUL"
    );
    assert_eq!(
        (chat.title.as_deref(), chat.head.as_deref()),
        (Some("What is a goblin?"), Some(&*turn.id))
    );

    store.checkpoint_turns(&[]).await.unwrap();
    let so_far = Checkpoint {
        turn: turn.id.clone(),
        answer: "A small".into(),
        reasoning: Some("hm".into()),
        ..Default::default()
    };
    store.checkpoint_turns(&[so_far]).await.unwrap();
    let seen = store.find_turn(owner, &turn.id).await.unwrap().unwrap();
    assert_eq!(
        (seen.answer.as_str(), seen.reasoning.as_deref()),
        ("A small", Some("hm"))
    );

    desk.clock.advance_ms(500);
    let end = FinishedTurn {
        turn: turn.id.clone(),
        answer: "A small creature.".into(),
        reasoning: Some("hm.".into()),
        status: TurnStatus::Complete,
        finish_reason: Some("stop".into()),
        model: Some("engine/b".into()),
        local: Some(true),
        error: None,
        usage: Some(TurnUsage {
            prompt_tokens: 20,
            completion_tokens: 5,
            total_tokens: 25,
            cached_tokens: 7,
        }),
        left_out: 3,
        timing: Some(TurnTiming {
            first_token_ms: 40,
            total_ms: 500,
        }),
    };
    let saved = store
        .finish_turn(owner, end.clone(), Some(booked("complete")))
        .await
        .unwrap();
    assert_eq!(saved.answer, end.answer);
    assert_eq!(
        (saved.usage, saved.timing, saved.left_out),
        (end.usage, end.timing, 3)
    );
    assert_eq!(
        (saved.status, saved.local, &saved.finish_reason),
        (end.status, end.local, &end.finish_reason)
    );
    assert_eq!(saved.finished_at, Some(desk.clock.now()));

    let again = FinishedTurn {
        answer: "other".into(),
        status: TurnStatus::Failed,
        ..end
    };
    assert_eq!(
        store
            .finish_turn(owner, again, Some(booked("failed")))
            .await
            .unwrap(),
        saved
    );
    let late = Checkpoint {
        turn: turn.id.clone(),
        answer: "A sm".into(),
        reasoning: None,
        ..Default::default()
    };
    store.checkpoint_turns(&[late]).await.unwrap();
    assert_eq!(store.find_turn(owner, &turn.id).await.unwrap(), Some(saved));
    turn.id
}

async fn explaining(desk: &Desk, turn: &str) {
    let (store, owner) = (&desk.store, &desk.owner);
    let trace = crate::traces::trace(desk, "t-1");
    let new = NewTrace {
        request_id: "r-1".into(),
        turn: Some(turn.into()),
        trace: trace.clone(),
    };
    store.insert_trace(owner, &new).await.unwrap();
    assert_eq!(store.find_trace(owner, "t-1").await.unwrap(), Some(trace.clone()));
    assert_eq!(
        store.find_trace_of_turn(owner, turn).await.unwrap(),
        Some(trace.clone())
    );
    let lines = store.list_traces(owner, None, 10).await.unwrap().items;
    assert_eq!(lines, [trace.summary()]);
    let down = FeedbackChange {
        rating: Some(Some(Rating::Down)),
        ..FeedbackChange::default()
    };
    let said = store.update_label(owner, turn, down).await.unwrap();
    let seen = a_turn(desk, turn).await;
    assert_eq!((seen.trace, seen.feedback), (Some(trace.summary()), Some(said)));
    assert_eq!(store.delete_old_traces(1).await.unwrap(), 0);
}

async fn failing(desk: &Desk, chat: &str, first: &str) {
    let (store, owner) = (&desk.store, &desk.owner);
    desk.clock.advance_ms(1);
    let new = NewTurn {
        chat: chat.into(),
        content: "And a troll?".into(),
        ..NewTurn::default()
    };
    let (turn, _) = store.insert_turn(owner, new).await.unwrap();
    assert_eq!(turn.parent.as_deref(), Some(first));
    let problem = Problem {
        kind: "about:blank".into(),
        title: "Bad Gateway".into(),
        status: 502,
        code: "upstream_failed".into(),
        detail: "It stopped in the middle.".into(),
        param: None,
        request_id: Some("r-2".into()),
        retry_after_seconds: Some(3),
    };
    let mut end = crate::desk::complete(&turn, "A la");
    (end.status, end.error, end.finish_reason) = (TurnStatus::Failed, Some(problem.clone()), None);
    assert_eq!(
        store.finish_turn(owner, end, None).await.unwrap().error,
        Some(problem)
    );

    let path = store.list_path(owner, &turn.id).await.unwrap();
    assert_eq!(
        path.turns.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(),
        [first]
    );
    assert_eq!(path.older, 0);
    let page = store.list_branch(owner, chat, None, 10).await.unwrap();
    assert_eq!(
        page.items.iter().map(|t| &*t.id).collect::<Vec<_>>(),
        [first, &*turn.id]
    );
    assert!(!page.has_more);

    desk.clock.advance_ms(1);
    let new = NewTurn {
        chat: chat.into(),
        content: "Hello?".into(),
        ..NewTurn::default()
    };
    let (running, _) = store.insert_turn(owner, new).await.unwrap();
    assert_eq!(store.mark_interrupted().await.unwrap(), 0, "its process is alive");
    store.say_alive().await.unwrap();
    assert_eq!(store.count_others().await.unwrap(), 0);
    store
        .finish_turn(owner, crate::desk::complete(&running, "Yes."), None)
        .await
        .unwrap();
}

async fn stranger_sees_nothing(desk: &Desk, chat: &str, turn: &str) {
    let store = &desk.store;
    let same_tenant = Owner {
        user: "other".into(),
        ..Owner::local()
    };
    let same_name = Owner {
        tenant: "elsewhere".into(),
        ..Owner::local()
    };
    for stranger in [same_tenant, same_name] {
        assert!(
            store.insert_chat(&stranger, NewChat::default()).await.is_err(),
            "unknown owners own nothing"
        );
        store.insert_owner(&stranger, Some("S")).await.unwrap();
        store.insert_owner(&stranger, None).await.unwrap();
        assert_eq!(store.find_chat(&stranger, chat).await.unwrap(), None);
        assert_eq!(store.find_turn(&stranger, turn).await.unwrap(), None);
        assert!(
            store
                .list_chats(&stranger, None, 10)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        assert!(
            store
                .list_usage(&stranger, None, 10)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        let new = NewTurn {
            chat: chat.into(),
            content: "mine".into(),
            ..NewTurn::default()
        };
        let end = FinishedTurn {
            turn: turn.into(),
            ..crate::desk::complete(&a_turn(desk, turn).await, "x")
        };
        let refusals = [
            store
                .update_chat(&stranger, chat, ChatPatch::default())
                .await
                .err(),
            store.delete_chat(&stranger, chat).await.err(),
            store.restore_chat(&stranger, chat).await.err(),
            store.list_branch(&stranger, chat, None, 10).await.err(),
            store.list_path(&stranger, turn).await.err(),
            store.insert_turn(&stranger, new).await.err(),
            store.finish_turn(&stranger, end, Some(booked("x"))).await.err(),
        ];
        for refusal in refusals {
            assert!(matches!(refusal, Some(StoreError::NotFound(_))), "{refusal:?}");
        }
        let own = store.insert_chat(&stranger, NewChat::default()).await.unwrap();
        let head = ChatPatch {
            head: Some(turn.into()),
            ..ChatPatch::default()
        };
        let stolen = store.update_chat(&stranger, &own.id, head).await;
        assert!(matches!(stolen, Err(StoreError::NotInChat("head"))), "{stolen:?}");
        let new = NewTurn {
            chat: own.id,
            parent: Parent::Turn(turn.into()),
            ..NewTurn::default()
        };
        let stolen = store.insert_turn(&stranger, new).await;
        assert!(
            matches!(stolen, Err(StoreError::NotInChat("parent"))),
            "{stolen:?}"
        );
    }
}

async fn a_turn(desk: &Desk, id: &str) -> goblin_core::conversation::Turn {
    desk.store.find_turn(&desk.owner, id).await.unwrap().unwrap()
}

async fn deleting(desk: &Desk, chat: &str, turn: &str) {
    let (store, owner) = (&desk.store, &desk.owner);
    let running = store
        .insert_turn(
            owner,
            NewTurn {
                chat: chat.into(),
                content: "q".into(),
                ..NewTurn::default()
            },
        )
        .await
        .unwrap()
        .0;
    let before = store.find_chat(owner, chat).await.unwrap();
    assert!(matches!(
        store.restore_chat(owner, chat).await,
        Err(StoreError::NotFound("chat"))
    ));
    store.delete_chat(owner, chat).await.unwrap();
    assert_eq!(store.find_chat(owner, chat).await.unwrap(), None);
    assert_eq!(store.find_turn(owner, turn).await.unwrap(), None);
    assert!(store.list_chats(owner, None, 10).await.unwrap().items.is_empty());
    assert!(store.list_branch(owner, chat, None, 10).await.is_err());
    assert!(store.list_path(owner, turn).await.is_err());
    assert!(matches!(
        store.delete_chat(owner, chat).await,
        Err(StoreError::NotFound("chat"))
    ));
    store
        .finish_turn(owner, crate::desk::complete(&running, "late"), None)
        .await
        .unwrap();

    desk.clock.advance_ms(RESTORE_MS);
    assert_eq!(
        store.purge_deleted().await.unwrap(),
        0,
        "it can be restored still"
    );
    assert_eq!(Some(store.restore_chat(owner, chat).await.unwrap()), before);
    assert_eq!(a_turn(desk, &running.id).await.answer, "late");

    store.delete_chat(owner, chat).await.unwrap();
    desk.clock.advance_ms(RESTORE_MS + 1);
    assert!(matches!(
        store.restore_chat(owner, chat).await,
        Err(StoreError::NotFound("chat"))
    ));
    assert_eq!(store.purge_deleted().await.unwrap(), 1);
    assert_eq!(store.purge_deleted().await.unwrap(), 0);
}

async fn booking(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    desk.clock.advance_ms(1);
    let made = store.insert_usage(owner, booked("cancelled")).await.unwrap();
    let page = store.list_usage(owner, None, 1).await.unwrap();
    assert_eq!(page.items, [made]);
    let rest = store
        .list_usage(owner, page.next_cursor.as_deref(), 10)
        .await
        .unwrap();
    assert_eq!(
        rest.items.len(),
        1,
        "the turn was booked once, and outlives its chat"
    );
    assert!(rest.items[0].turn.is_some() && rest.next_cursor.is_none());
    assert_eq!(rest.items[0].usage, booked("complete"));
}

fn booked(outcome: &str) -> NewUsage {
    NewUsage {
        request_id: "r-1".into(),
        door: "chats".into(),
        model: Some("engine/b".into()),
        provider: Some("engine".into()),
        local: Some(true),
        tokens: Usage {
            prompt_tokens: 20,
            completion_tokens: 5,
            cached_tokens: 7,
            reasoning_tokens: 1,
        },
        outcome: outcome.into(),
        cost: Some(0),
        estimated: outcome == "cancelled",
        would_have_cost: Some(u64::from(u32::MAX)),
        ..NewUsage::default()
    }
}

async fn migrating(desk: &Desk) {
    let store = &desk.store;
    let kept = store.insert_chat(&desk.owner, NewChat::default()).await.unwrap();
    store.migrate_down(2).await.unwrap();
    let applied = store
        .migration_status()
        .await
        .unwrap()
        .iter()
        .filter(|m| m.applied)
        .count();
    assert_eq!(applied, 2);
    assert!(
        store.find_chat(&desk.owner, &kept.id).await.unwrap().is_some(),
        "older tables keep their rows"
    );
    assert!(store.insert_usage(&desk.owner, booked("x")).await.is_err());
    store.migrate_up(None).await.unwrap();
    assert!(store.find_chat(&desk.owner, &kept.id).await.unwrap().is_some());

    store.migrate_down(0).await.unwrap();
    assert!(store.ping().await.is_err());
    assert!(store.migration_status().await.unwrap().iter().all(|m| !m.applied));
    store.migrate_up(Some(1)).await.unwrap();
    store.ping().await.unwrap();
    store.migrate_up(Some(NEWEST)).await.unwrap();
    store.migrate_up(None).await.unwrap();
    store.insert_chat(&desk.owner, NewChat::default()).await.unwrap();
    store.insert_usage(&desk.owner, booked("x")).await.unwrap();
}
