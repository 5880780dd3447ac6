//! Chats: making, finding, listing, changing, deleting with a way back.

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Parameters};
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::attachments::delete_attachments_of;
use crate::branches::newest_leaf_below;
use crate::chat_rows::{
    chat_columns, chat_from, fetch_chat, fetch_chat_to_change, parameters_json, storable,
};
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

/// How long a deleted chat can be restored, in milliseconds.
pub const RESTORE_MS: i64 = 10_000;

/// Part of a list, and where the next part begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it back for the rows that follow; `None` at the end.
    pub next_cursor: Option<String>,
}

/// A chat to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewChat {
    /// Made from the first question when absent.
    pub title: Option<String>,
    /// The model to ask.
    pub model: Option<String>,
    /// System prompt.
    pub system: Option<String>,
    /// Sampling settings.
    pub parameters: Parameters,
    /// A name to group chats by.
    pub folder: Option<String>,
}

/// Changes to a chat. `None` leaves a field alone, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatPatch {
    /// The title; cleared, the next question makes one.
    pub title: Option<Option<String>>,
    /// The model to ask.
    pub model: Option<Option<String>>,
    /// System prompt.
    pub system: Option<Option<String>>,
    /// Sampling settings; replaced as a whole.
    pub parameters: Option<Option<Parameters>>,
    /// A name to group chats by.
    pub folder: Option<Option<String>>,
    /// Any turn of this chat: the newest leaf below it becomes the head. Alone it does not count as a change
    /// of the chat, so that looking at a branch does not move the chat to the top of the list.
    pub head: Option<String>,
}

impl ChatPatch {
    fn changes_settings(&self) -> bool {
        *self
            != Self {
                head: self.head.clone(),
                ..Self::default()
            }
    }
}

impl Store {
    /// Makes a chat.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_chat(&self, owner: &Owner, new: NewChat) -> Result<Chat, StoreError> {
        let now = self.now();
        let mut link = self.write().await?;
        let row = query(concat!(
            "INSERT INTO chats (id, tenant_id, user_id, title, model, system_prompt, parameters_json, folder,
                                created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING ",
            chat_columns!()
        ))
        .bind(self.next_id())
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(new.title.as_deref().map(storable))
        .bind(new.model.as_deref().map(storable))
        .bind(new.system.as_deref().map(storable))
        .bind(parameters_json(&new.parameters)?)
        .bind(new.folder.as_deref().map(storable))
        .bind(now.0)
        .fetch_one(&mut link)
        .await?;
        link.commit().await?;
        chat_from(&row)
    }

    /// The chat, unless it is deleted or another owner's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_chat(&self, owner: &Owner, id: &str) -> Result<Option<Chat>, StoreError> {
        fetch_chat(&mut self.read().await?, owner, id).await
    }

    /// The owner's chats, newest `updated_at` first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_chats(
        &self,
        owner: &Owner,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Chat>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(concat!(
            "SELECT ",
            chat_columns!(),
            " FROM chats
             WHERE tenant_id = $1 AND user_id = $2 AND deleted_at IS NULL AND (updated_at, id) < ($3, $4)
             ORDER BY updated_at DESC, id DESC LIMIT $5"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(chat_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |chat| Cursor {
            at: chat.updated_at,
            id: chat.id.clone(),
        }))
    }

    /// Changes a chat and returns it as it then is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::NotInChat`] when `head` is no turn of it.
    pub async fn update_chat(&self, owner: &Owner, id: &str, patch: ChatPatch) -> Result<Chat, StoreError> {
        let mut tx = self.begin_write().await?;
        let old = fetch_chat_to_change(&mut tx, owner, id)
            .await?
            .ok_or(StoreError::NotFound("chat"))?;
        let head = match &patch.head {
            Some(turn) => {
                let leaf = newest_leaf_below(&mut tx, id, turn).await?;
                Some(leaf.ok_or(StoreError::NotInChat("head"))?)
            }
            None => old.head.clone(),
        };
        let updated_at = if patch.changes_settings() {
            self.now()
        } else {
            old.updated_at
        };
        let text = |new: Option<Option<String>>, old: Option<String>| {
            new.unwrap_or(old).map(|t| storable(&t).into_owned())
        };
        let parameters = patch.parameters.map_or(old.parameters, Option::unwrap_or_default);
        let row = query(concat!(
            "UPDATE chats SET title = $2, model = $3, system_prompt = $4, parameters_json = $5, folder = $6,
                              head = $7, updated_at = $8
             WHERE id = $1 RETURNING ",
            chat_columns!()
        ))
        .bind(id)
        .bind(text(patch.title, old.title))
        .bind(text(patch.model, old.model))
        .bind(text(patch.system, old.system))
        .bind(parameters_json(&parameters)?)
        .bind(text(patch.folder, old.folder))
        .bind(head)
        .bind(updated_at.0)
        .fetch_one(&mut tx)
        .await?;
        tx.commit().await?;
        chat_from(&row)
    }

    /// Deletes a chat: it is gone from every read at once, and for [`RESTORE_MS`] it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_chat(&self, owner: &Owner, id: &str) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "UPDATE chats SET deleted_at = $4
             WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND deleted_at IS NULL",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        if done == 0 {
            Err(StoreError::NotFound("chat"))
        } else {
            Ok(())
        }
    }

    /// Takes a deletion back, within [`RESTORE_MS`] of it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] afterwards, and for a chat that is not deleted.
    pub async fn restore_chat(&self, owner: &Owner, id: &str) -> Result<Chat, StoreError> {
        let mut link = self.write().await?;
        let row = query(concat!(
            "UPDATE chats SET deleted_at = NULL
             WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND deleted_at >= $4 RETURNING ",
            chat_columns!()
        ))
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.restorable_since().0)
        .fetch_optional(&mut link)
        .await?;
        link.commit().await?;
        chat_from(&row.ok_or(StoreError::NotFound("chat"))?)
    }

    /// Removes for good, of all owners, the chats that can no longer be restored, with their files. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn purge_deleted(&self) -> Result<u64, StoreError> {
        let since = self.restorable_since();
        let mut tx = self.begin_write().await?;
        for row in query("SELECT id FROM chats WHERE deleted_at < $1")
            .bind(since.0)
            .fetch_all(&mut tx)
            .await?
        {
            delete_attachments_of(&mut tx, row.get("id")?).await?;
        }
        query("DELETE FROM turns WHERE chat_id IN (SELECT id FROM chats WHERE deleted_at < $1)")
            .bind(since.0)
            .execute(&mut tx)
            .await?;
        let done = query("DELETE FROM chats WHERE deleted_at < $1")
            .bind(since.0)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(done)
    }

    fn restorable_since(&self) -> Timestamp {
        self.now().plus_ms(-RESTORE_MS)
    }
}

impl<T> Page<T> {
    /// `items` holds one row more than `limit` when there is a next page.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32, place: impl Fn(&T) -> Cursor) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| place(last).encode());
        Self { items, next_cursor }
    }
}
