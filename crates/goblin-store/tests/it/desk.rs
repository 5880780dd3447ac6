//! What the tests work at: a store whose time stands still until moved.

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::conversation::{Chat, Turn, TurnStatus};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::chats::NewChat;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turns::{FinishedTurn, NewTurn, Parent};

pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) owner: Owner,
    ids: Ids,
}

impl Desk {
    pub(crate) async fn open(database: Database) -> Self {
        let (clock, ids) = (Clock::manual(Timestamp(1_795_471_200_000)), Ids::counting());
        let options = StoreOptions {
            database,
            clock: clock.clone(),
            ids: ids.clone(),
        };
        Self {
            store: Store::open(options).await.unwrap(),
            clock,
            owner: Owner::local(),
            ids,
        }
    }

    pub(crate) async fn in_memory() -> Self {
        Self::open(Database::Memory).await
    }

    /// The same file, as the next process would open it.
    pub(crate) async fn reopened(&self) -> Self {
        let database = self.store.database().clone();
        let options = StoreOptions {
            database,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        };
        let store = Store::open(options).await.unwrap();
        Self {
            store,
            clock: self.clock.clone(),
            owner: self.owner.clone(),
            ids: self.ids.clone(),
        }
    }

    pub(crate) async fn chat(&self) -> Chat {
        self.store
            .insert_chat(&self.owner, NewChat::default())
            .await
            .unwrap()
    }

    /// Asks `content` a millisecond later.
    pub(crate) async fn ask(&self, chat: &Chat, parent: Parent, content: &str) -> Turn {
        self.clock.advance_ms(1);
        let new = NewTurn {
            chat: chat.id.clone(),
            parent,
            content: content.into(),
            model: None,
            ..Default::default()
        };
        self.store.insert_turn(&self.owner, new).await.unwrap().0
    }
}

pub(crate) fn complete(turn: &Turn, answer: &str) -> FinishedTurn {
    FinishedTurn {
        turn: turn.id.clone(),
        answer: answer.into(),
        reasoning: None,
        status: TurnStatus::Complete,
        finish_reason: Some("stop".into()),
        model: Some("engine/tiny".into()),
        local: Some(true),
        error: None,
        usage: None,
        left_out: 0,
        timing: None,
    }
}
