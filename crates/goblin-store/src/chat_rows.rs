//! Rows of `chats` as core words.

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Parameters};
use goblin_core::owner::Owner;

use crate::error::StoreError;
use crate::sql::{Link, Query, Row, query};

/// The columns [`chat_from`] reads.
macro_rules! chat_columns {
    () => {
        "id, title, model, system_prompt, parameters_json, folder, head, created_at, updated_at"
    };
}
pub(crate) use chat_columns;

pub(crate) fn chat_from(row: &Row) -> Result<Chat, StoreError> {
    let parameters: String = row.get("parameters_json")?;
    Ok(Chat {
        id: row.get("id")?,
        title: row.get("title")?,
        model: row.get("model")?,
        system: row.get("system_prompt")?,
        parameters: serde_json::from_str(&parameters)
            .map_err(|e| StoreError::Unreadable(format!("chats.parameters_json: {e}")))?,
        folder: row.get("folder")?,
        head: row.get("head")?,
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
    })
}

pub(crate) fn parameters_json(parameters: &Parameters) -> Result<String, StoreError> {
    serde_json::to_string(parameters).map_err(|e| StoreError::Unreadable(format!("parameters: {e}")))
}

/// The chat, unless it is deleted or another owner's.
pub(crate) async fn fetch_chat(link: &mut Link, owner: &Owner, id: &str) -> Result<Option<Chat>, StoreError> {
    let row = select_chat(owner, id).fetch_optional(link).await?;
    row.as_ref().map(chat_from).transpose()
}

/// The same, for a transaction that is going to change it: nobody else does meanwhile.
pub(crate) async fn fetch_chat_to_change(
    link: &mut Link,
    owner: &Owner,
    id: &str,
) -> Result<Option<Chat>, StoreError> {
    let row = select_chat(owner, id).locking().fetch_optional(link).await?;
    row.as_ref().map(chat_from).transpose()
}

fn select_chat<'q>(owner: &'q Owner, id: &'q str) -> Query<'q> {
    query(concat!(
        "SELECT ",
        chat_columns!(),
        " FROM chats WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND deleted_at IS NULL"
    ))
    .bind(id)
    .bind(&owner.tenant)
    .bind(&owner.user)
}

/// Text as both databases take it: PostgreSQL has no NUL in text, so it becomes U+FFFD.
pub(crate) fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}
