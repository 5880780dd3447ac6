//! What was used: one row for each request of any door, only ever added to.

use goblin_core::clock::Timestamp;
use goblin_core::event::Usage;
use goblin_core::limits::MAX_PAGE;
use goblin_core::money::NanoUsd;
use goblin_core::owner::Owner;

use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::spending::{Booking, book_spent};
use crate::sql::{Link, Query, Row, query};
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
    /// The id of the key of the API it came with.
    pub key: Option<String>,
    /// What it cost, every model that was asked for it included; `None`: not known.
    pub cost: Option<NanoUsd>,
    /// Was a part of it not counted by its model's server?
    pub estimated: bool,
    /// Of an answer of the operator's machines: what the baseline model would have cost.
    pub would_have_cost: Option<NanoUsd>,
    /// Which budgets it spent from; nothing in what was booked already.
    pub booking: Booking,
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
        let at = self.now();
        // Without anything reserved it is one statement.
        let mut link = match usage.booking.id.as_str() {
            "" => self.write().await?,
            _ => self.begin_write().await?,
        };
        let id = self.insert_usage_row(&mut link, owner, at, None, &usage).await?;
        link.commit().await?;
        Ok(UsageRow {
            id,
            turn: None,
            at,
            usage: NewUsage {
                booking: Booking::default(),
                ..usage
            },
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
                    cached_tokens, reasoning_tokens, outcome, at, key_id, cost_nano_usd, estimated,
                    would_have_cost_nano_usd
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

impl Store {
    /// Books a request, in the place of what was booked when its process was taken for dead. Gives the row's id.
    pub(crate) async fn insert_usage_row(
        &self,
        link: &mut Link,
        owner: &Owner,
        at: Timestamp,
        turn: Option<&str>,
        usage: &NewUsage,
    ) -> Result<String, StoreError> {
        let given = &usage.booking.id;
        let id = if given.is_empty() {
            self.next_id()
        } else {
            given.clone()
        };
        let row = UsageEntry {
            id: &id,
            owner,
            at,
            turn,
            usage,
        };
        put_rows(link, &[row]).await?;
        if !given.is_empty() {
            book_spent(link, owner, &usage.booking).await?;
        }
        Ok(id)
    }
}

/// A row of the usage, before it has one.
pub(crate) struct UsageEntry<'a> {
    pub(crate) id: &'a str,
    pub(crate) owner: &'a Owner,
    pub(crate) at: Timestamp,
    pub(crate) turn: Option<&'a str>,
    pub(crate) usage: &'a NewUsage,
}

/// Writes rows, each in the place of what was booked when its process was taken for dead. Any number but none.
pub(crate) async fn put_rows(link: &mut Link, rows: &[UsageEntry<'_>]) -> Result<(), StoreError> {
    let mut query = Query::rows(
        link,
        "INSERT INTO usage (id, tenant_id, user_id, request_id, door, turn_id, model, provider, local,
                            prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, outcome, at,
                            key_id, cost_nano_usd, estimated, would_have_cost_nano_usd)",
        (rows.len(), 19),
        "ON CONFLICT (id) DO UPDATE SET model = excluded.model, provider = excluded.provider,
             local = excluded.local, prompt_tokens = excluded.prompt_tokens,
             completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
             reasoning_tokens = excluded.reasoning_tokens, outcome = excluded.outcome, at = excluded.at,
             cost_nano_usd = excluded.cost_nano_usd, estimated = excluded.estimated,
             would_have_cost_nano_usd = excluded.would_have_cost_nano_usd",
    );
    for row in rows {
        let usage = row.usage;
        query = query
            .bind(row.id)
            .bind(&row.owner.tenant)
            .bind(&row.owner.user)
            .bind(&usage.request_id)
            .bind(&usage.door)
            .bind(row.turn)
            .bind(&usage.model)
            .bind(&usage.provider)
            .bind(usage.local)
            .bind(i64::from(usage.tokens.prompt_tokens))
            .bind(i64::from(usage.tokens.completion_tokens))
            .bind(i64::from(usage.tokens.cached_tokens))
            .bind(i64::from(usage.tokens.reasoning_tokens))
            .bind(&usage.outcome)
            .bind(row.at.0)
            .bind(&usage.key)
            .bind(usage.cost.map(to_sql))
            .bind(Some(usage.estimated))
            .bind(usage.would_have_cost.map(to_sql));
    }
    query.execute(link).await?;
    Ok(())
}

/// Nano-dollars as a column has them: nine thousand million dollars are the most.
pub(crate) fn to_sql(nano: NanoUsd) -> i64 {
    i64::try_from(nano).unwrap_or(i64::MAX)
}

/// The same the other way.
pub(crate) fn from_sql(nano: i64) -> NanoUsd {
    NanoUsd::try_from(nano).unwrap_or(0)
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
            key: row.get("key_id")?,
            cost: row.get::<Option<i64>>("cost_nano_usd")?.map(from_sql),
            estimated: row.get("estimated")?,
            would_have_cost: row.get::<Option<i64>>("would_have_cost_nano_usd")?.map(from_sql),
            booking: Booking::default(),
        },
    })
}
