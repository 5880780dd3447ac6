//! Reading the tree of turns: a page of the branch shown, and the path a prompt is built from.

use futures_util::TryStreamExt;
use goblin_core::conversation::Turn;
use goblin_core::limits::{MAX_ANSWER_BYTES, MAX_MESSAGES, MAX_PAGE};
use goblin_core::owner::Owner;

use crate::attachments::fill_attachments;
use crate::chat_rows::fetch_chat;
use crate::error::StoreError;
use crate::sql::{Link, query};
use crate::store::Store;
use crate::turn_rows::{depth_from, fill_beside, turn_columns, turn_from};

/// A read ends early when its turns hold more text than this (32 MiB), after at least one turn.
const MAX_READ_BYTES: usize = 8 * MAX_ANSWER_BYTES;
/// Most turns of a path: a prompt takes two messages for each.
const MAX_PATH: u32 = (MAX_MESSAGES / 2) as u32;

/// A page of one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchPage {
    /// Oldest first.
    pub items: Vec<Turn>,
    /// Are there older ones? Ask again with `before` = the first item.
    pub has_more: bool,
}

/// What came before a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnPath {
    /// From the root down to the parent, with their attachments and without siblings.
    pub turns: Vec<Turn>,
    /// Turns above the first of `turns` that were not read, because no prompt could hold them.
    pub older: u32,
}

impl Store {
    /// A page of the branch shown (the path from the root to the head): the newest `limit` (1 to [`MAX_PAGE`])
    /// turns of it, or of those above turn `before`. Pages hold fewer when their texts are very long.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the chat, [`StoreError::NotInChat`] for `before`.
    pub async fn list_branch(
        &self,
        owner: &Owner,
        chat: &str,
        before: Option<&str>,
        limit: u32,
    ) -> Result<BranchPage, StoreError> {
        // One transaction, so that the page is of one moment.
        let mut tx = self.begin_read().await?;
        let found = fetch_chat(&mut tx, owner, chat)
            .await?
            .ok_or(StoreError::NotFound("chat"))?;
        let from = match before {
            Some(turn) => parent_in_chat(&mut tx, chat, turn)
                .await?
                .ok_or(StoreError::NotInChat("before"))?,
            None => found.head,
        };
        let Some(from) = from else {
            return Ok(BranchPage {
                items: Vec::new(),
                has_more: false,
            });
        };
        let (mut items, older) = walk_up(&mut tx, owner, chat, &from, limit.clamp(1, MAX_PAGE)).await?;
        fill_beside(&mut tx, &mut items).await?;
        tx.rollback().await?;
        Ok(BranchPage {
            items,
            has_more: older > 0,
        })
    }

    /// The turns above turn `id`, to build its prompt from.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the turn.
    pub async fn list_path(&self, owner: &Owner, id: &str) -> Result<TurnPath, StoreError> {
        let mut tx = self.begin_read().await?;
        let place = query(
            "SELECT turns.chat_id, turns.parent FROM turns JOIN chats ON chats.id = turns.chat_id
             WHERE turns.id = $1 AND turns.tenant_id = $2 AND turns.user_id = $3 AND chats.deleted_at IS NULL",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_optional(&mut tx)
        .await?
        .ok_or(StoreError::NotFound("turn"))?;
        let chat: String = place.get("chat_id")?;
        let (mut turns, older) = match place.get::<Option<String>>("parent")? {
            Some(parent) => walk_up(&mut tx, owner, &chat, &parent, MAX_PATH).await?,
            None => (Vec::new(), 0),
        };
        fill_attachments(&mut tx, &mut turns).await?;
        tx.rollback().await?;
        Ok(TurnPath { turns, older })
    }
}

/// The turn's parent, when the turn is of this chat.
async fn parent_in_chat(
    link: &mut Link,
    chat: &str,
    turn: &str,
) -> Result<Option<Option<String>>, StoreError> {
    let row = query("SELECT parent FROM turns WHERE id = $1 AND chat_id = $2")
        .bind(turn)
        .bind(chat)
        .fetch_optional(link)
        .await?;
    row.map(|row| row.get("parent")).transpose()
}

/// At most `limit` turns from `from` upwards, oldest first, and how many there are above them.
async fn walk_up(
    link: &mut Link,
    owner: &Owner,
    chat: &str,
    from: &str,
    limit: u32,
) -> Result<(Vec<Turn>, u32), StoreError> {
    let mut rows = query(concat!(
        "WITH RECURSIVE path (id, parent, steps) AS (
             SELECT id, parent, 1 FROM turns
             WHERE id = $1 AND chat_id = $2 AND tenant_id = $3 AND user_id = $4
             UNION ALL
             SELECT above.id, above.parent, path.steps + 1
             FROM path JOIN turns above ON above.id = path.parent WHERE path.steps < $5
         )
         SELECT ",
        turn_columns!(),
        " FROM path JOIN turns ON turns.id = path.id ORDER BY turns.depth DESC"
    ))
    .bind(from)
    .bind(chat)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(i64::from(limit))
    .fetch(link);
    let (mut turns, mut older, mut bytes) = (Vec::new(), 0, 0);
    while let Some(row) = rows.try_next().await? {
        let turn = turn_from(&row)?;
        bytes += turn.content.len() + turn.answer.len() + turn.reasoning.as_ref().map_or(0, String::len);
        if bytes > MAX_READ_BYTES && !turns.is_empty() {
            break;
        }
        older = depth_from(&row)?;
        turns.push(turn);
    }
    turns.reverse();
    Ok((turns, older))
}

/// The newest turn without children at or below `turn`; `None` when the turn is not of this chat.
pub(crate) async fn newest_leaf_below(
    link: &mut Link,
    chat: &str,
    turn: &str,
) -> Result<Option<String>, StoreError> {
    let row = query(
        "WITH RECURSIVE below (id, created_at) AS (
             SELECT id, created_at FROM turns WHERE id = $1 AND chat_id = $2
             UNION ALL
             SELECT child.id, child.created_at FROM below JOIN turns child ON child.parent = below.id
         )
         SELECT below.id FROM below
         WHERE NOT EXISTS (SELECT 1 FROM turns child WHERE child.parent = below.id)
         ORDER BY below.created_at DESC, below.id DESC LIMIT 1",
    )
    .bind(turn)
    .bind(chat)
    .fetch_optional(link)
    .await?;
    row.map(|row| row.get("id")).transpose()
}
