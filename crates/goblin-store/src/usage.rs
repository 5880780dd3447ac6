//! What was used: one row for each request of any door, only ever added to.

use goblin_core::clock::Timestamp;
use goblin_core::event::Usage;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// A request to be booked. Never holds text of question or answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUsage {
    /// Finds the log lines.
    pub request_id: String,
    /// Which door it came in by (`openai`, `chats` …).
    pub door: String,
    /// The model that answered.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// Did it stay on the operator's machines?
    pub local: Option<bool>,
    /// Tokens.
    pub tokens: Usage,
    /// How it ended (`complete`, `stopped`, `failed`, `cancelled` …).
    pub outcome: String,
}

/// A request as it was booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// UUIDv7.
    pub id: String,
    /// The turn, for chats.
    pub turn: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub usage: NewUsage,
}

impl Store {
    /// Books a request that belongs to no turn.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_usage(&self, owner: &Owner, usage: NewUsage) -> Result<UsageRow, StoreError> {
        let (id, at) = (self.next_id(), self.now());
        let mut link = self.write().await?;
        insert_usage_row(&mut link, owner, &id, at, None, &usage).await?;
        link.commit().await?;
        Ok(UsageRow {
            id,
            turn: None,
            at,
            usage,
        })
    }

    /// The owner's requests, newest first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_usage(
        &self,
        owner: &Owner,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<UsageRow>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(
            "SELECT id, request_id, door, turn_id, model, provider, local, prompt_tokens, completion_tokens,
                    cached_tokens, reasoning_tokens, outcome, at
             FROM usage WHERE tenant_id = $1 AND user_id = $2 AND (at, id) < ($3, $4)
             ORDER BY at DESC, id DESC LIMIT $5",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(usage_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |row| Cursor {
            at: row.at,
            id: row.id.clone(),
        }))
    }
}

pub(crate) async fn insert_usage_row(
    link: &mut Link,
    owner: &Owner,
    id: &str,
    at: Timestamp,
    turn: Option<&str>,
    usage: &NewUsage,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO usage (id, tenant_id, user_id, request_id, door, turn_id, model, provider, local,
                            prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, outcome, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(id)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(&usage.request_id)
    .bind(&usage.door)
    .bind(turn)
    .bind(&usage.model)
    .bind(&usage.provider)
    .bind(usage.local)
    .bind(i64::from(usage.tokens.prompt_tokens))
    .bind(i64::from(usage.tokens.completion_tokens))
    .bind(i64::from(usage.tokens.cached_tokens))
    .bind(i64::from(usage.tokens.reasoning_tokens))
    .bind(&usage.outcome)
    .bind(at.0)
    .execute(link)
    .await?;
    Ok(())
}

fn usage_from(row: &Row) -> Result<UsageRow, StoreError> {
    let tokens = |column: &str| -> Result<u32, StoreError> {
        Ok(u32::try_from(row.get::<i64>(column)?.max(0)).unwrap_or(u32::MAX))
    };
    Ok(UsageRow {
        id: row.get("id")?,
        turn: row.get("turn_id")?,
        at: Timestamp(row.get("at")?),
        usage: NewUsage {
            request_id: row.get("request_id")?,
            door: row.get("door")?,
            model: row.get("model")?,
            provider: row.get("provider")?,
            local: row.get("local")?,
            tokens: Usage {
                prompt_tokens: tokens("prompt_tokens")?,
                completion_tokens: tokens("completion_tokens")?,
                cached_tokens: tokens("cached_tokens")?,
                reasoning_tokens: tokens("reasoning_tokens")?,
            },
            outcome: row.get("outcome")?,
        },
    })
}
