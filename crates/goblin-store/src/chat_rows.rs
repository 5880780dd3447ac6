//! Rows of `chats` as core words.

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Parameters};
use goblin_core::owner::Owner;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::error::StoreError;

/// The columns [`chat_from`] reads.
macro_rules! chat_columns {
    () => {
        "id, title, model, system_prompt, parameters_json, folder, head, created_at, updated_at"
    };
}
pub(crate) use chat_columns;

pub(crate) fn chat_from(row: &SqliteRow) -> Result<Chat, StoreError> {
    let parameters: String = row.try_get("parameters_json")?;
    Ok(Chat {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        model: row.try_get("model")?,
        system: row.try_get("system_prompt")?,
        parameters: serde_json::from_str(&parameters)
            .map_err(|e| StoreError::Unreadable(format!("chats.parameters_json: {e}")))?,
        folder: row.try_get("folder")?,
        head: row.try_get("head")?,
        created_at: Timestamp(row.try_get("created_at")?),
        updated_at: Timestamp(row.try_get("updated_at")?),
    })
}

pub(crate) fn parameters_json(parameters: &Parameters) -> Result<String, StoreError> {
    serde_json::to_string(parameters).map_err(|e| StoreError::Unreadable(format!("parameters: {e}")))
}

/// The chat, unless it is deleted or another owner's.
pub(crate) async fn fetch_chat(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: &str,
) -> Result<Option<Chat>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        chat_columns!(),
        " FROM chats WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND deleted_at IS NULL"
    ))
    .bind(id)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(chat_from).transpose()
}

/// Text as both databases take it: PostgreSQL has no NUL in text, so it becomes U+FFFD.
pub(crate) fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}
