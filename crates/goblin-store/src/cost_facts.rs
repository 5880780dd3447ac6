//! What the database knows of a month's costs: usage added up, and what findings are read from.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use goblin_core::clock::Timestamp;
use goblin_core::costs::month::Month;
use goblin_core::costs::{Chosen, CostFacts, MONTHS};
use goblin_core::intent::Intent;
use goblin_core::money::{UsageBy, UsageGroup};
use goblin_core::trace::{StepOutcome, Trace};

use crate::error::StoreError;
use crate::processes::SILENT_MS;
use crate::sql::query;
use crate::store::Store;
use crate::traces::{from_json, nano_usd};
use crate::usage::from_sql;
use crate::usage_report::UsageQuery;

/// Most traces that are looked at, the newest first.
const MOST_TRACES: i64 = 1_000;
/// Most first questions that are looked at, the newest first.
const MOST_QUESTIONS: i64 = 10_000;
/// Longest question that is held against others, in characters.
const SHORT_QUESTION: i64 = 300;

const FIRST_USE: &str = "SELECT MIN(at) AS first_at FROM usage WHERE tenant_id = $1";
const LOST: &str = "SELECT COUNT(*) AS requests, CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS cost
     FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND cost_nano_usd > 0
     AND outcome IN ('failed', 'cancelled', 'interrupted')";
/// The literal 0 is what the index `turns_first` holds rows of.
const REPEATED_QUESTIONS: &str = "SELECT COUNT(*) AS questions, COUNT(DISTINCT question) AS differ
     FROM (SELECT DISTINCT chat_id, LOWER(TRIM(content_text)) AS question
           FROM (SELECT chat_id, content_text FROM turns
                 WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 AND depth = 0
                 ORDER BY created_at DESC LIMIT $4) AS newest
           WHERE LENGTH(content_text) <= $5) AS asked";
const CHOICES_MADE: &str =
    "SELECT trace_json FROM traces WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3
     ORDER BY created_at DESC LIMIT $4";

impl Store {
    /// Everything known of a tenant's month. It costs what is used: the rows of `usage` of [`MONTHS`] months are read once
    /// and those of the month three times more, each found by its time. On SQLite a million of them take about a second,
    /// two when all are of one month (`bench/store.sh`). The rest is bounded: the newest 10,000 first questions and 1,000
    /// traces of the month. Whoever shows it often keeps it for a while, as `GET /api/costs` does.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_cost_facts(&self, tenant: &str, month: Month) -> Result<CostFacts, StoreError> {
        let (lost, lost_cost) = self.lost_spending(tenant, month).await?;
        let (first_questions, repeated) = self.repeated_questions(tenant, month).await?;
        let (traces, chosen) = self.choices_made(tenant, month).await?;
        let since = month.plus(1 - MONTHS).begins();
        Ok(CostFacts {
            first_use: self.first_use(tenant).await?,
            days: self.used_by(tenant, since, month, UsageBy::Day).await?,
            models: self
                .used_by(tenant, month.begins(), month, UsageBy::Model)
                .await?,
            users: self.used_by(tenant, month.begins(), month, UsageBy::User).await?,
            copies: self.copies_at_work().await?,
            budgets: self.list_budgets(tenant).await?.len(),
            lost,
            lost_cost,
            first_questions,
            repeated,
            traces,
            chosen,
        })
    }

    async fn used_by(
        &self,
        tenant: &str,
        from: Timestamp,
        month: Month,
        by: UsageBy,
    ) -> Result<Vec<UsageGroup>, StoreError> {
        let asked = UsageQuery {
            user: None,
            from,
            to: month.ends(),
            by,
        };
        self.report_usage(tenant, asked).await
    }

    async fn first_use(&self, tenant: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = query(FIRST_USE)
            .bind(tenant)
            .fetch_one(&mut self.read().await?)
            .await?;
        Ok(row.get::<Option<i64>>("first_at")?.map(Timestamp))
    }

    /// Copies that said lately that they are alive. A database of one process has one.
    async fn copies_at_work(&self) -> Result<Option<u64>, StoreError> {
        if !self.database().is_shared() {
            return Ok(Some(1));
        }
        let row = query("SELECT COUNT(*) AS copies FROM processes WHERE seen_at >= $1")
            .bind(self.now().0.saturating_sub(SILENT_MS))
            .fetch_one(&mut self.read().await?)
            .await?;
        Ok(u64::try_from(row.get::<i64>("copies")?)
            .ok()
            .filter(|copies| *copies > 0))
    }

    /// Requests that cost something and gave no answer, and what they cost.
    async fn lost_spending(&self, tenant: &str, month: Month) -> Result<(u64, u64), StoreError> {
        let row = query(LOST)
            .bind(tenant)
            .bind(month.begins().0)
            .bind(month.ends().0)
            .fetch_one(&mut self.read().await?)
            .await?;
        let requests = u64::try_from(row.get::<i64>("requests")?).unwrap_or(0);
        Ok((requests, from_sql(row.get("cost")?)))
    }

    /// Short questions that began a chat, and how many of them were there before. One asked again in its own chat counts once.
    async fn repeated_questions(&self, tenant: &str, month: Month) -> Result<(u64, u64), StoreError> {
        let row = query(REPEATED_QUESTIONS)
            .bind(tenant)
            .bind(month.begins().0)
            .bind(month.ends().0)
            .bind(MOST_QUESTIONS)
            .bind(SHORT_QUESTION)
            .fetch_one(&mut self.read().await?)
            .await?;
        let count = |column: &str| -> Result<u64, StoreError> {
            Ok(u64::try_from(row.get::<i64>(column)?).unwrap_or(0))
        };
        let all = count("questions")?;
        Ok((all, all.saturating_sub(count("differ")?)))
    }

    /// Who was chosen to answer first, by subject, and how that went; how many traces say so.
    async fn choices_made(&self, tenant: &str, month: Month) -> Result<(u64, Vec<Chosen>), StoreError> {
        let mut link = self.read().await?;
        let mut rows = query(CHOICES_MADE)
            .bind(tenant)
            .bind(month.begins().0)
            .bind(month.ends().0)
            .bind(MOST_TRACES)
            .fetch(&mut link);
        let mut chosen = BTreeMap::new();
        let mut seen = 0;
        // One at a time: a thousand of them whole would be much to hold.
        while let Some(row) = rows.next().await {
            let trace: Trace = from_json(&row?, "traces", "trace_json")?;
            seen += 1;
            look_at(&mut chosen, &trace);
        }
        Ok((seen, chosen.into_values().collect()))
    }
}

fn look_at(chosen: &mut BTreeMap<Intent, Chosen>, trace: &Trace) {
    let (Some(intent), Some(first)) = (trace.route.intent, trace.steps.first()) else {
        return;
    };
    let of = chosen.entry(intent).or_insert(Chosen {
        intent,
        checked: 0,
        accepted: 0,
        away: 0,
        away_cost: 0,
    });
    if first.local {
        // Without anybody's verdict an answer is accepted because nobody looked.
        let judged = trace.confidence.is_some() || first.outcome == StepOutcome::Escalated;
        of.checked += u64::from(judged);
        of.accepted += u64::from(judged && first.outcome == StepOutcome::Accepted);
    } else {
        of.away += 1;
        let cost = trace
            .cost_usd
            .map_or(0, |usd| u64::try_from(nano_usd(usd)).unwrap_or(0));
        of.away_cost = of.away_cost.saturating_add(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::NEWEST;
    use crate::shape::fresh;
    use crate::sql::Query;
    use crate::usage_report::statement;

    /// How SQLite goes about a statement with so many numbers, line by line.
    async fn plan(statement: &str, numbers: usize) -> String {
        let store = fresh(NEWEST).await.unwrap();
        let mut query = Query::made(format!("EXPLAIN QUERY PLAN {statement}")).bind("local");
        for _ in 0..numbers {
            query = query.bind(1_i64);
        }
        let rows = query.fetch_all(&mut store.read().await.unwrap()).await.unwrap();
        let lines: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        lines.join("\n")
    }

    #[tokio::test]
    async fn only_what_is_of_the_month_is_looked_at() {
        let used = "usage_by_time (tenant_id=? AND at>? AND at<?)";
        let made = "(tenant_id=? AND created_at>? AND created_at<?)";
        let by = |by| statement(by, None);
        for (statement, numbers, index) in [
            (FIRST_USE.to_owned(), 0, "usage_by_time (tenant_id=?)"),
            (LOST.to_owned(), 2, used),
            (by(UsageBy::Day), 2, used),
            (by(UsageBy::Model), 2, used),
            (by(UsageBy::User), 2, used),
            (REPEATED_QUESTIONS.to_owned(), 4, &format!("turns_first {made}")),
            (CHOICES_MADE.to_owned(), 3, &format!("traces_by_time {made}")),
        ] {
            let plan = plan(&statement, numbers).await;
            assert!(plan.contains(index), "{plan}");
            // An order that the index has not would mean that all of them are read.
            let sorted = plan.contains("FOR ORDER BY") && statement.contains("created_at DESC");
            assert!(!sorted, "{plan}");
        }
    }
}
