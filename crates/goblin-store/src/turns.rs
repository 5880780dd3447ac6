//! Turns as they are written: begun in one transaction, checkpointed together once in a while, finished in one.

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Problem, Turn, TurnStatus, TurnTiming, TurnUsage, title_from};
use goblin_core::owner::Owner;

use crate::chat_rows::{chat_columns, chat_from, fetch_chat_to_change, storable};
use crate::error::StoreError;
use crate::sql::{Link, query};
use crate::store::Store;
use crate::turn_rows::{depth_from, fetch_turn, fill_beside, fill_siblings, turn_columns, turn_from};
use crate::usage::NewUsage;

/// Most turns with the same parent.
pub const MAX_SIBLINGS: u32 = 1000;

/// Where a new turn goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// Below the chat's head, whatever it is when the turn is saved.
    #[default]
    Head,
    /// Beside the first turn.
    Root,
    /// Below this turn of the chat.
    Turn(String),
}

impl Parent {
    /// The place beside `turn`: the same parent.
    pub fn beside(turn: &Turn) -> Self {
        turn.parent.clone().map_or(Self::Root, Self::Turn)
    }
}

/// A turn to be begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTurn {
    /// The chat.
    pub chat: String,
    /// Where it goes.
    pub parent: Parent,
    /// The question.
    pub content: String,
    /// Ids of the files attached to it, in order.
    pub attachments: Vec<String>,
    /// Who is going to answer (`provider/model`), when known already.
    pub model: Option<String>,
    /// Older turns left out of the prompt.
    pub left_out: u32,
}

/// The answer of a turn so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The turn.
    pub turn: String,
    /// The whole answer so far.
    pub answer: String,
    /// The whole reasoning so far.
    pub reasoning: Option<String>,
    /// Who answers (`provider/model`), and whether it stays on the operator's machines, once that is known.
    pub model: Option<(String, bool)>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedTurn {
    /// The turn.
    pub turn: String,
    /// The whole answer.
    pub answer: String,
    /// The whole reasoning.
    pub reasoning: Option<String>,
    /// Anything but [`TurnStatus::Streaming`], which would be kept as [`TurnStatus::Incomplete`].
    pub status: TurnStatus,
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    pub finish_reason: Option<String>,
    /// Who answered, `provider/model`.
    pub model: Option<String>,
    /// Did it stay on the operator's machines?
    pub local: Option<bool>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// Tokens.
    pub usage: Option<TurnUsage>,
    /// Older turns left out of the prompt.
    pub left_out: u32,
    /// Times.
    pub timing: Option<TurnTiming>,
}

impl Store {
    /// Begins a turn (status `streaming`): it becomes the chat's head, and its question the title of a chat
    /// that has none. Returns both as they then are. One write transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the chat and for attachments, [`StoreError::NotInChat`] for the parent,
    /// [`StoreError::TooManyBranches`] beyond [`MAX_SIBLINGS`].
    pub async fn insert_turn(&self, owner: &Owner, new: NewTurn) -> Result<(Turn, Chat), StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        let chat = fetch_chat_to_change(&mut tx, owner, &new.chat)
            .await?
            .ok_or(StoreError::NotFound("chat"))?;
        let parent = match new.parent {
            Parent::Head => chat.head,
            Parent::Root => None,
            Parent::Turn(id) => Some(id),
        };
        let depth = depth_below(&mut tx, &chat.id, parent.as_deref()).await?;
        let row = query(concat!(
            "INSERT INTO turns (id, tenant_id, user_id, chat_id, parent, depth, content_text, answer, status,
                                model, left_out, created_at, process)
             VALUES ($1, $2, $3, $4, $5, $6, $7, '', 'streaming', $8, $9, $10, $11) RETURNING ",
            turn_columns!()
        ))
        .bind(&id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&chat.id)
        .bind(parent)
        .bind(i64::from(depth))
        .bind(storable(&new.content))
        .bind(new.model)
        .bind(i64::from(new.left_out))
        .bind(now.0)
        .bind(self.process())
        .fetch_one(&mut tx)
        .await?;
        let mut turn = turn_from(&row)?;
        fill_siblings(&mut tx, std::slice::from_mut(&mut turn)).await?;
        if turn.siblings.len() > MAX_SIBLINGS as usize {
            return Err(StoreError::TooManyBranches(MAX_SIBLINGS));
        }
        turn.attachments = self
            .link_attachments(&mut tx, owner, &turn.id, &new.attachments)
            .await?;
        let chat = set_head(&mut tx, &turn, now).await?;
        tx.commit().await?;
        Ok((turn, chat))
    }

    /// The turn, unless its chat is deleted or another owner's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_turn(&self, owner: &Owner, id: &str) -> Result<Option<Turn>, StoreError> {
        let mut tx = self.begin_read().await?;
        let turn = fetch_turn(&mut tx, owner, id).await?;
        tx.rollback().await?;
        Ok(turn)
    }

    /// Saves what running turns, of any owners, have answered so far: one write transaction for all of them.
    /// A turn that has finished meanwhile is left as it is.
    ///
    /// # Errors
    /// When it cannot be saved; then none of them is.
    pub async fn checkpoint_turns(&self, open: &[Checkpoint]) -> Result<(), StoreError> {
        if open.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_write().await?;
        for turn in open {
            let (model, local) = turn.model.as_ref().map(|(m, l)| (m.as_str(), *l)).unzip();
            query(
                "UPDATE turns SET answer = $2, reasoning = $3, model = COALESCE($4, model), local = COALESCE($5, local)
                 WHERE id = $1 AND status = 'streaming'",
            )
            .bind(&turn.turn)
            .bind(storable(&turn.answer))
            .bind(turn.reasoning.as_deref().map(storable))
            .bind(model)
            .bind(local)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a turn and books what it used, in one write transaction. A turn that has ended before is returned
    /// as it is, and nothing is booked again. Also works while its chat is deleted, so that a restored chat
    /// has the answer. Of a turn that was removed with its chat, what it used is booked all the same.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the turn is another owner's or was removed with its chat.
    pub async fn finish_turn(
        &self,
        owner: &Owner,
        end: FinishedTurn,
        usage: Option<NewUsage>,
    ) -> Result<Turn, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let ended = set_end(&mut tx, owner, &end, now, self.process()).await?;
        let row = query(concat!(
            "SELECT ",
            turn_columns!(),
            " FROM turns WHERE id = $1 AND tenant_id = $2 AND user_id = $3"
        ))
        .bind(&end.turn)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_optional(&mut tx)
        .await?;
        if let Some(usage) = usage
            && (ended || is_gone(&mut tx, &end.turn).await?)
        {
            self.insert_usage_row(&mut tx, owner, now, Some(&end.turn), &usage)
                .await?;
        }
        let Some(row) = row else {
            tx.commit().await?;
            return Err(StoreError::NotFound("turn"));
        };
        let mut turn = turn_from(&row)?;
        fill_beside(&mut tx, std::slice::from_mut(&mut turn)).await?;
        tx.commit().await?;
        Ok(turn)
    }
}

/// Was the turn removed, with its chat? (Another owner's is there.)
async fn is_gone(link: &mut Link, turn: &str) -> Result<bool, StoreError> {
    let row = query("SELECT 1 FROM turns WHERE id = $1")
        .bind(turn)
        .fetch_optional(link)
        .await?;
    Ok(row.is_none())
}

/// The depth of a child of `parent`, which must be a turn of this chat.
async fn depth_below(link: &mut Link, chat: &str, parent: Option<&str>) -> Result<u32, StoreError> {
    let Some(parent) = parent else { return Ok(0) };
    let row = query("SELECT depth FROM turns WHERE id = $1 AND chat_id = $2")
        .bind(parent)
        .bind(chat)
        .fetch_optional(link)
        .await?;
    Ok(depth_from(&row.ok_or(StoreError::NotInChat("parent"))?)? + 1)
}

async fn set_head(link: &mut Link, turn: &Turn, now: Timestamp) -> Result<Chat, StoreError> {
    let row = query(concat!(
        "UPDATE chats SET head = $2, updated_at = $3, title = COALESCE(title, $4) WHERE id = $1 RETURNING ",
        chat_columns!()
    ))
    .bind(&turn.chat_id)
    .bind(&turn.id)
    .bind(now.0)
    .bind(title_from(&turn.content))
    .fetch_one(link)
    .await?;
    chat_from(&row)
}

/// True when the turn was running until now.
async fn set_end(
    link: &mut Link,
    owner: &Owner,
    end: &FinishedTurn,
    now: Timestamp,
    process: &str,
) -> Result<bool, StoreError> {
    let status = if end.status == TurnStatus::Streaming {
        TurnStatus::Incomplete
    } else {
        end.status
    };
    let error = end.error.as_ref().map(serde_json::to_string).transpose();
    let millis = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let done = query(
        "UPDATE turns SET answer = $4, reasoning = $5, status = $6, finish_reason = $7, model = $8, local = $9,
                          error_json = $10, prompt_tokens = $11, completion_tokens = $12, cached_tokens = $13,
                          left_out = $14, first_token_ms = $15, total_ms = $16, finished_at = $17, process = NULL
         WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND (status = 'streaming' OR process = $18)",
    )
    .bind(&end.turn)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(storable(&end.answer))
    .bind(end.reasoning.as_deref().map(storable))
    .bind(status.as_str())
    .bind(&end.finish_reason)
    .bind(&end.model)
    .bind(end.local)
    .bind(error.map_err(|e| StoreError::Unreadable(format!("error: {e}")))?)
    .bind(end.usage.map(|u| i64::from(u.prompt_tokens)))
    .bind(end.usage.map(|u| i64::from(u.completion_tokens)))
    .bind(end.usage.map(|u| i64::from(u.cached_tokens)))
    .bind(i64::from(end.left_out))
    .bind(end.timing.map(|t| millis(t.first_token_ms)))
    .bind(end.timing.map(|t| millis(t.total_ms)))
    .bind(now.0)
    .bind(process)
    .execute(link)
    .await?;
    Ok(done > 0)
}
