//! Budgets as owners and admins set them. What was spent of each is in [`crate::spending`].

use goblin_core::api_key::BudgetPeriod;
use goblin_core::budget::{BudgetKind, MAX_BUDGETS, OnReached, Rule};
use goblin_core::clock::Timestamp;

use crate::audit::NewAudit;
use crate::error::StoreError;
use crate::sql::{Row, query};
use crate::store::Store;
use crate::usage::{from_sql, to_sql};

/// A budget as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRow {
    /// UUIDv7.
    pub id: String,
    /// What is set.
    pub rule: Rule,
    /// The id of who set it.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

impl Store {
    /// Keeps a budget, in the place of the one for the same spending and period.
    ///
    /// # Errors
    /// [`StoreError::TooManyBudgets`].
    pub async fn put_budget(
        &self,
        tenant: &str,
        rule: &Rule,
        by: &str,
        audit: &NewAudit,
    ) -> Result<BudgetRow, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        let found = query("SELECT COUNT(*) AS found FROM budgets WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut tx)
            .await?;
        if usize::try_from(found.get::<i64>("found")?).unwrap_or(0) >= MAX_BUDGETS {
            return Err(StoreError::TooManyBudgets(MAX_BUDGETS));
        }
        query(
            "INSERT INTO budgets (id, tenant_id, kind, subject, period, limit_nano_usd, on_reached, updated_by,
                                  updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (tenant_id, kind, subject, period) DO UPDATE SET limit_nano_usd = excluded.limit_nano_usd,
                 on_reached = excluded.on_reached, updated_by = excluded.updated_by,
                 updated_at = excluded.updated_at",
        )
        .bind(&id)
        .bind(tenant)
        .bind(rule.kind.as_str())
        .bind(&rule.subject)
        .bind(rule.period.as_str())
        .bind(to_sql(rule.limit))
        .bind(rule.on_reached.as_str())
        .bind(by)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        let row = query(
            "SELECT id, kind, subject, period, limit_nano_usd, on_reached, updated_by, updated_at FROM budgets
             WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4",
        )
        .bind(tenant)
        .bind(rule.kind.as_str())
        .bind(&rule.subject)
        .bind(rule.period.as_str())
        .fetch_one(&mut tx)
        .await?;
        let kept = budget_from(&row)?;
        let audit = NewAudit {
            target: Some(kept.id.clone()),
            ..audit.clone()
        };
        self.append_audit(&mut tx, &audit).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// A tenant's budgets, by whose they are; there are at most [`MAX_BUDGETS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_budgets(&self, tenant: &str) -> Result<Vec<BudgetRow>, StoreError> {
        query(
            "SELECT id, kind, subject, period, limit_nano_usd, on_reached, updated_by, updated_at FROM budgets
             WHERE tenant_id = $1 ORDER BY kind, subject, period",
        )
        .bind(tenant)
        .fetch_all(&mut self.read().await?)
        .await?
        .iter()
        .map(budget_from)
        .collect()
    }

    /// Forgets a budget. What was spent stays counted, should there be such a budget again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_budget(&self, tenant: &str, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("DELETE FROM budgets WHERE tenant_id = $1 AND id = $2")
            .bind(tenant)
            .bind(id)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("budget"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// The ids of the teams somebody is in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_team_ids(&self, tenant: &str, user: &str) -> Result<Vec<String>, StoreError> {
        query("SELECT team_id FROM team_members WHERE tenant_id = $1 AND user_id = $2 ORDER BY team_id")
            .bind(tenant)
            .bind(user)
            .fetch_all(&mut self.read().await?)
            .await?
            .iter()
            .map(|row| row.get("team_id"))
            .collect()
    }
}

fn budget_from(row: &Row) -> Result<BudgetRow, StoreError> {
    let word = |column: &str| row.get::<String>(column);
    let unreadable = |what: &str| StoreError::Unreadable(format!("a budget's {what}"));
    Ok(BudgetRow {
        id: word("id")?,
        rule: Rule {
            kind: BudgetKind::parse(&word("kind")?).ok_or_else(|| unreadable("kind"))?,
            subject: word("subject")?,
            limit: from_sql(row.get("limit_nano_usd")?),
            period: BudgetPeriod::parse(&word("period")?).ok_or_else(|| unreadable("period"))?,
            on_reached: OnReached::parse(&word("on_reached")?).ok_or_else(|| unreadable("on_reached"))?,
        },
        updated_by: word("updated_by")?,
        updated_at: Timestamp(row.get("updated_at")?),
    })
}
