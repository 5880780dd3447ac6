//! What was used, added up: by day, model, key, user or provider, within a bounded range.

use goblin_core::clock::Timestamp;
use goblin_core::money::{UsageBy, UsageGroup};

use crate::error::StoreError;
use crate::sql::{Query, Row};
use crate::store::Store;
use crate::usage::from_sql;

const DAY_MS: i64 = 86_400_000;
/// Most groups of one report; those that cost most, or of equal cost were asked most.
pub const MAX_GROUPS: usize = 1_000;
/// Most days of one report.
pub const MAX_DAYS: i64 = 400;

/// What a group is known by, what it is called, and what tells groups apart. All of it is SQL of our own.
fn columns(by: UsageBy) -> (&'static str, &'static str, &'static str) {
    const NONE: &str = "CAST(NULL AS TEXT)";
    match by {
        UsageBy::Day => (
            "CAST(usage.at / 86400000 AS BIGINT)",
            NONE,
            "CAST(usage.at / 86400000 AS BIGINT)",
        ),
        UsageBy::Model => (
            "COALESCE(usage.provider, '') || '/' || COALESCE(usage.model, '')",
            NONE,
            "usage.provider, usage.model",
        ),
        UsageBy::Key => (
            "COALESCE(usage.key_id, '')",
            "(SELECT api_keys.name FROM api_keys WHERE api_keys.id = usage.key_id)",
            "usage.key_id",
        ),
        UsageBy::User => (
            "usage.user_id",
            "(SELECT COALESCE(users.name, users.email_typed) FROM users
              WHERE users.tenant_id = usage.tenant_id AND users.id = usage.user_id)",
            "usage.tenant_id, usage.user_id",
        ),
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct UsageQuery<'a> {
    /// Whose usage; `None`: everybody's of the tenant.
    pub user: Option<&'a str>,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this one, which does not belong to it.
    pub to: Timestamp,
    /// How it is added up.
    pub by: UsageBy,
}

impl Store {
    /// What a tenant, or one user of it, used. By day in order; else what cost most comes first. At most [`MAX_GROUPS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn report_usage(
        &self,
        tenant: &str,
        asked: UsageQuery<'_>,
    ) -> Result<Vec<UsageGroup>, StoreError> {
        let rows = Query::made(statement(asked.by, asked.user))
            .bind(tenant)
            .bind(asked.from.0)
            .bind(asked.to.0)
            .bind(asked.user.unwrap_or_default())
            .fetch_all(&mut self.read().await?)
            .await?;
        rows.iter().map(|row| group_from(row, asked.by)).collect()
    }
}

/// `$1`: the tenant; `$2`, `$3`: from when, up to when; `$4`: the user, or nothing.
pub(crate) fn statement(by: UsageBy, user: Option<&str>) -> String {
    let (group, name, apart) = columns(by);
    let order = match by {
        UsageBy::Day => "id",
        UsageBy::Model | UsageBy::Key | UsageBy::User => "cost DESC, requests DESC, id",
    };
    let mine = match user {
        Some(_) => "AND usage.user_id = $4",
        None => "AND $4 = ''",
    };
    format!(
        "SELECT {group} AS id, {name} AS name, COUNT(*) AS requests,
                CAST(SUM(prompt_tokens) AS BIGINT) AS prompt, CAST(SUM(completion_tokens) AS BIGINT) AS completion,
                CAST(SUM(cached_tokens) AS BIGINT) AS cached, CAST(SUM(reasoning_tokens) AS BIGINT) AS reasoning,
                CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS cost,
                CAST(SUM(CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS no_price,
                CAST(SUM(CASE WHEN estimated THEN 1 ELSE 0 END) AS BIGINT) AS estimated_requests,
                CAST(SUM(CASE WHEN local THEN 1 ELSE 0 END) AS BIGINT) AS local_requests,
                CAST(COALESCE(SUM(would_have_cost_nano_usd), 0) AS BIGINT) AS would_have
         FROM usage WHERE usage.tenant_id = $1 AND usage.at >= $2 AND usage.at < $3 {mine}
         GROUP BY {apart} ORDER BY {order} LIMIT {MAX_GROUPS}"
    )
}

fn group_from(row: &Row, by: UsageBy) -> Result<UsageGroup, StoreError> {
    let count =
        |column: &str| -> Result<u64, StoreError> { Ok(u64::try_from(row.get::<i64>(column)?).unwrap_or(0)) };
    let id = match by {
        UsageBy::Day => {
            let day = Timestamp(row.get::<i64>("id")?.saturating_mul(DAY_MS));
            day.to_rfc3339().chars().take(10).collect()
        }
        UsageBy::Model => {
            let id: String = row.get("id")?;
            if id == "/" { String::new() } else { id }
        }
        UsageBy::Key | UsageBy::User => row.get("id")?,
    };
    Ok(UsageGroup {
        id,
        name: row.get("name")?,
        requests: count("requests")?,
        prompt_tokens: count("prompt")?,
        completion_tokens: count("completion")?,
        cached_tokens: count("cached")?,
        reasoning_tokens: count("reasoning")?,
        cost: from_sql(row.get("cost")?),
        unknown: count("no_price")?,
        estimated: count("estimated_requests")?,
        local: count("local_requests")?,
        would_have_cost: count("would_have")?,
    })
}
