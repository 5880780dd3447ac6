//! Rows of `turns` as core words.

use std::collections::HashMap;

use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Problem, Turn, TurnStatus, TurnTiming, TurnUsage};
use goblin_core::owner::Owner;

use crate::attachments::fill_attachments;
use crate::error::StoreError;
use crate::labels::fill_feedback;
use crate::sql::{Link, Query, Row, query};
use crate::traces::fill_traces;

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

/// The turn without what is beside it: siblings, trace, feedback and attachments are rows of their own.
pub(crate) fn turn_from(row: &Row) -> Result<Turn, StoreError> {
    let status: String = row.get("status")?;
    let error: Option<String> = row.get("error_json")?;
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
        id: row.get("id")?,
        chat_id: row.get("chat_id")?,
        parent: row.get("parent")?,
        content: row.get("content_text")?,
        attachments: Vec::new(),
        answer: row.get("answer")?,
        reasoning: row.get("reasoning")?,
        status: TurnStatus::parse(&status)
            .ok_or_else(|| StoreError::Unreadable(format!("turns.status: {status}")))?,
        finish_reason: row.get("finish_reason")?,
        model: row.get("model")?,
        local: row.get("local")?,
        error: error.as_deref().map(problem_from).transpose()?,
        usage,
        left_out: count(row, "left_out")?.unwrap_or(0),
        timing,
        trace: None,
        feedback: None,
        siblings: Vec::new(),
        created_at: Timestamp(row.get("created_at")?),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Timestamp),
    })
}

/// How many turns are above this row.
pub(crate) fn depth_from(row: &Row) -> Result<u32, StoreError> {
    Ok(count(row, "depth")?.unwrap_or(0))
}

fn count(row: &Row, column: &str) -> Result<Option<u32>, StoreError> {
    Ok(row
        .get::<Option<i64>>(column)?
        .map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX)))
}

fn millis(row: &Row, column: &str) -> Result<Option<u64>, StoreError> {
    Ok(row
        .get::<Option<i64>>(column)?
        .map(|n| u64::try_from(n).unwrap_or(0)))
}

fn problem_from(json: &str) -> Result<Problem, StoreError> {
    serde_json::from_str(json).map_err(|e| StoreError::Unreadable(format!("turns.error_json: {e}")))
}

/// The turn with what is beside it, unless its chat is deleted or another owner's.
pub(crate) async fn fetch_turn(link: &mut Link, owner: &Owner, id: &str) -> Result<Option<Turn>, StoreError> {
    let row = query(concat!(
        "SELECT ",
        turn_columns!(),
        " FROM turns JOIN chats ON chats.id = turns.chat_id
         WHERE turns.id = $1 AND turns.tenant_id = $2 AND turns.user_id = $3 AND chats.deleted_at IS NULL"
    ))
    .bind(id)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .fetch_optional(link)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut turn = turn_from(&row)?;
    fill_beside(link, std::slice::from_mut(&mut turn)).await?;
    Ok(Some(turn))
}

/// Fills in what stands in other rows, of turns of one chat: siblings, traces, what was said of them, and files.
pub(crate) async fn fill_beside(link: &mut Link, turns: &mut [Turn]) -> Result<(), StoreError> {
    fill_siblings(link, turns).await?;
    fill_traces(link, turns).await?;
    fill_feedback(link, turns).await?;
    fill_attachments(link, turns).await
}

/// Fills in the siblings of turns of one chat, oldest first.
pub(crate) async fn fill_siblings(link: &mut Link, turns: &mut [Turn]) -> Result<(), StoreError> {
    let Some(first) = turns.first() else { return Ok(()) };
    let parents: Vec<&String> = turns.iter().filter_map(|t| t.parent.as_ref()).collect();
    let with_roots = turns.iter().any(|t| t.parent.is_none());
    let mut which = Vec::new();
    if !parents.is_empty() {
        let places: Vec<String> = (2..parents.len() + 2).map(|n| format!("${n}")).collect();
        which.push(format!("parent IN ({})", places.join(", ")));
    }
    if with_roots {
        which.push("parent IS NULL".to_owned());
    }
    let mut query = Query::made(format!(
        "SELECT id, parent FROM turns WHERE chat_id = $1 AND ({}) ORDER BY created_at, id",
        which.join(" OR ")
    ))
    .bind(first.chat_id.clone());
    for parent in parents {
        query = query.bind(parent.clone());
    }
    let mut children: HashMap<Option<String>, Vec<String>> = HashMap::new();
    for row in query.fetch_all(link).await? {
        children
            .entry(row.get("parent")?)
            .or_default()
            .push(row.get("id")?);
    }
    for turn in turns {
        turn.siblings = children.get(&turn.parent).cloned().unwrap_or_default();
    }
    Ok(())
}
