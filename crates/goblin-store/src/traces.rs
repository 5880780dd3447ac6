//! Why answers came from where they came from: one row for each answer, only ever added to, removed when too old.

use std::collections::HashMap;

use goblin_core::clock::Timestamp;
use goblin_core::conversation::Turn;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;
use goblin_core::trace::Trace;
use goblin_core::trace::summary::TraceSummary;
use serde::de::DeserializeOwned;

use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Query, Row, query};
use crate::store::Store;

/// Most traces removed by one statement: a long sweep must not hold up those who write.
const SWEEP_BATCH: i64 = 500;
/// Most statements of one sweep; the next one goes on.
const SWEEP_BATCHES: u32 = 40;
const DAY_MS: i64 = 86_400_000;
/// Where they are.
const TABLE: &str = "traces";

/// A trace to be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTrace {
    /// Finds the log lines, and the row of `usage`.
    pub request_id: String,
    /// The turn, for chats.
    pub turn: Option<String>,
    /// The trace; its id is the row's.
    pub trace: Trace,
}

impl Store {
    /// Keeps a trace. One that is there already stays as it is.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_trace(&self, owner: &Owner, new: &NewTrace) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        put_traces(&mut link, &[(owner, new)]).await?;
        link.commit().await
    }

    /// The trace, unless it is another owner's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_trace(&self, owner: &Owner, id: &str) -> Result<Option<Trace>, StoreError> {
        let row = query("SELECT trace_json FROM traces WHERE id = $1 AND tenant_id = $2 AND user_id = $3")
            .bind(id)
            .bind(&owner.tenant)
            .bind(&owner.user)
            .fetch_optional(&mut self.read().await?)
            .await?;
        row.map(|row| from_json(&row, TABLE, "trace_json")).transpose()
    }

    /// The trace of a turn's answer, unless it is another owner's. Of several, the newest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_trace_of_turn(&self, owner: &Owner, turn: &str) -> Result<Option<Trace>, StoreError> {
        let row = query(
            "SELECT trace_json FROM traces WHERE turn_id = $1 AND tenant_id = $2 AND user_id = $3
             ORDER BY created_at DESC, id DESC LIMIT 1",
        )
        .bind(turn)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.map(|row| from_json(&row, TABLE, "trace_json")).transpose()
    }

    /// The owner's traces in one line each, newest first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_traces(
        &self,
        owner: &Owner,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<TraceSummary>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(
            "SELECT summary_json FROM traces
             WHERE tenant_id = $1 AND user_id = $2 AND (created_at, id) < ($3, $4)
             ORDER BY created_at DESC, id DESC LIMIT $5",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items: Vec<TraceSummary> = rows
            .iter()
            .map(|row| from_json(row, TABLE, "summary_json"))
            .collect::<Result<_, _>>()?;
        Ok(Page::cut(items, limit, |line| Cursor {
            at: Timestamp(line.created_at_ms),
            id: line.trace_id.clone(),
        }))
    }

    /// Removes, of all owners, the traces that are more than `keep_days` days old, in small pieces. Returns how many;
    /// what is more than one sweep takes is left for the next.
    ///
    /// # Errors
    /// When it cannot be saved; what was removed before stays removed.
    pub async fn delete_old_traces(&self, keep_days: u32) -> Result<u64, StoreError> {
        let before = self.now().plus_ms(-i64::from(keep_days) * DAY_MS);
        let (removed, _more) = self
            .sweep(
                "DELETE FROM traces WHERE id IN
                 (SELECT id FROM traces WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
                before,
                (SWEEP_BATCH, SWEEP_BATCHES),
            )
            .await?;
        Ok(removed)
    }
}

/// Billionths of a dollar. What is out of reach is kept at the edge.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast of a float stops at the edge"
)]
pub(crate) fn nano_usd(usd: f64) -> i64 {
    (usd * 1e9).round() as i64
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable(format!("a value as JSON: {e}")))
}

/// What a column holds as JSON; an error names the table too.
pub(crate) fn from_json<T: DeserializeOwned>(row: &Row, table: &str, column: &str) -> Result<T, StoreError> {
    let json: String = row.get(column)?;
    serde_json::from_str(&json).map_err(|e| StoreError::Unreadable(format!("{table}.{column}: {e}")))
}

/// Writes traces, but for those that are there already. Any number but none.
pub(crate) async fn put_traces(link: &mut Link, traces: &[(&Owner, &NewTrace)]) -> Result<(), StoreError> {
    let mut query = Query::rows(
        link,
        "INSERT INTO traces (id, tenant_id, user_id, request_id, turn_id, model, answered_by, outcome,
                             left_machine, cost_nano_usd, summary_json, trace_json, created_at)",
        (traces.len(), 13),
        "ON CONFLICT (id) DO NOTHING",
    );
    for (owner, new) in traces {
        let trace = &new.trace;
        let summary = trace.summary();
        query = query
            .bind(&trace.trace_id)
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(storable(&new.request_id))
            .bind(&new.turn)
            .bind(storable(&trace.model))
            .bind(summary.model.as_deref().map(|model| storable(model).into_owned()))
            .bind(summary.outcome.as_str())
            .bind(Some(trace.left_machine))
            .bind(trace.cost_usd.map(nano_usd))
            .bind(to_json(&summary)?)
            .bind(to_json(trace)?)
            .bind(trace.created_at_ms);
    }
    query.execute(link).await?;
    Ok(())
}

/// Fills in the traces of turns of one owner, in one line each.
pub(crate) async fn fill_traces(link: &mut Link, turns: &mut [Turn]) -> Result<(), StoreError> {
    if turns.is_empty() {
        return Ok(());
    }
    let places = places(turns.len());
    let mut query = Query::made(format!(
        "SELECT turn_id, summary_json FROM traces WHERE turn_id IN ({places}) ORDER BY created_at, id"
    ));
    for turn in turns.iter() {
        query = query.bind(turn.id.clone());
    }
    let mut lines: HashMap<String, TraceSummary> = HashMap::new();
    for row in query.fetch_all(link).await? {
        match from_json(&row, TABLE, "summary_json") {
            Ok(line) => _ = lines.insert(row.get("turn_id")?, line),
            // A line under an answer is not worth an unreadable chat.
            Err(error) => tracing::warn!(%error, "a trace is not shown"),
        }
    }
    for turn in turns {
        turn.trace = lines.remove(&turn.id);
    }
    Ok(())
}

/// `$1, $2 …`
pub(crate) fn places(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    places.join(", ")
}
