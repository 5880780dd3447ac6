//! Rows of `turns` as core words.

use std::collections::HashMap;

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Problem, Turn, TurnStatus, TurnTiming, TurnUsage};
use goblin_core::owner::Owner;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::error::StoreError;

/// The columns [`turn_from`] reads, each of table `turns`.
macro_rules! turn_columns {
    () => {
        "turns.id, turns.chat_id, turns.parent, turns.depth, turns.content_text, turns.answer, turns.reasoning,
         turns.status, turns.finish_reason, turns.model, turns.local, turns.error_json, turns.prompt_tokens,
         turns.completion_tokens, turns.cached_tokens, turns.left_out, turns.first_token_ms, turns.total_ms,
         turns.created_at, turns.finished_at"
    };
}
pub(crate) use turn_columns;

/// The turn without its siblings, which are rows of their own.
pub(crate) fn turn_from(row: &SqliteRow) -> Result<Turn, StoreError> {
    let status: String = row.try_get("status")?;
    let error: Option<String> = row.try_get("error_json")?;
    let usage = match (count(row, "prompt_tokens")?, count(row, "completion_tokens")?) {
        (Some(prompt_tokens), Some(completion_tokens)) => Some(TurnUsage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            cached_tokens: count(row, "cached_tokens")?.unwrap_or(0),
        }),
        _ => None,
    };
    let timing = match (millis(row, "first_token_ms")?, millis(row, "total_ms")?) {
        (Some(first_token_ms), Some(total_ms)) => Some(TurnTiming {
            first_token_ms,
            total_ms,
        }),
        _ => None,
    };
    Ok(Turn {
        id: row.try_get("id")?,
        chat_id: row.try_get("chat_id")?,
        parent: row.try_get("parent")?,
        content: row.try_get("content_text")?,
        answer: row.try_get("answer")?,
        reasoning: row.try_get("reasoning")?,
        status: TurnStatus::parse(&status)
            .ok_or_else(|| StoreError::Unreadable(format!("turns.status: {status}")))?,
        finish_reason: row.try_get("finish_reason")?,
        model: row.try_get("model")?,
        local: row.try_get("local")?,
        error: error.as_deref().map(problem_from).transpose()?,
        usage,
        left_out: count(row, "left_out")?.unwrap_or(0),
        timing,
        siblings: Vec::new(),
        created_at: Timestamp(row.try_get("created_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Timestamp),
    })
}

/// How many turns are above this row.
pub(crate) fn depth_from(row: &SqliteRow) -> Result<u32, StoreError> {
    Ok(count(row, "depth")?.unwrap_or(0))
}

fn count(row: &SqliteRow, column: &str) -> Result<Option<u32>, StoreError> {
    Ok(row
        .try_get::<Option<i64>, _>(column)?
        .map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX)))
}

fn millis(row: &SqliteRow, column: &str) -> Result<Option<u64>, StoreError> {
    Ok(row
        .try_get::<Option<i64>, _>(column)?
        .map(|n| u64::try_from(n).unwrap_or(0)))
}

fn problem_from(json: &str) -> Result<Problem, StoreError> {
    serde_json::from_str(json).map_err(|e| StoreError::Unreadable(format!("turns.error_json: {e}")))
}

/// The turn with its siblings, unless its chat is deleted or another owner's.
pub(crate) async fn fetch_turn(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: &str,
) -> Result<Option<Turn>, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        turn_columns!(),
        " FROM turns JOIN chats ON chats.id = turns.chat_id
         WHERE turns.id = $1 AND turns.tenant_id = $2 AND turns.user_id = $3 AND chats.deleted_at IS NULL"
    ))
    .bind(id)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut turn = turn_from(&row)?;
    fill_siblings(connection, std::slice::from_mut(&mut turn)).await?;
    Ok(Some(turn))
}

/// Fills in the siblings of turns of one chat, oldest first.
pub(crate) async fn fill_siblings(
    connection: &mut SqliteConnection,
    turns: &mut [Turn],
) -> Result<(), StoreError> {
    let Some(first) = turns.first() else { return Ok(()) };
    let parents: Vec<&String> = turns.iter().filter_map(|t| t.parent.as_ref()).collect();
    let with_roots = turns.iter().any(|t| t.parent.is_none());
    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("SELECT id, parent FROM turns WHERE chat_id = ");
    query.push_bind(first.chat_id.clone()).push(" AND (");
    if !parents.is_empty() {
        let mut list = query.push("parent IN (").separated(", ");
        for parent in &parents {
            list.push_bind((*parent).clone());
        }
        query.push(")");
    }
    query.push(match (parents.is_empty(), with_roots) {
        (true, _) => "parent IS NULL",
        (false, true) => " OR parent IS NULL",
        (false, false) => "",
    });
    query.push(") ORDER BY created_at, id");
    let rows: Vec<(String, Option<String>)> = query.build_query_as().fetch_all(connection).await?;
    let mut children: HashMap<Option<String>, Vec<String>> = HashMap::new();
    for (id, parent) in rows {
        children.entry(parent).or_default().push(id);
    }
    for turn in turns {
        turn.siblings = children.get(&turn.parent).cloned().unwrap_or_default();
    }
    Ok(())
}
