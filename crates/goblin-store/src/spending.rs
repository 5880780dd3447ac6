//! What is being spent: reserved before a model is asked, written down once a second while it answers, booked at its end.
//!
//! The rule for a process that is no more (see [`crate::processes`]): what it had written down of a request counts as
//! spent, and has a row in the usage with the outcome `interrupted`; the rest of what was reserved is free again.

use goblin_core::budget::{Bound, Reached, Scope};
use goblin_core::clock::Timestamp;
use goblin_core::event::Usage;
use goblin_core::money::NanoUsd;
use goblin_core::owner::Owner;

use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;
use crate::usage::{from_sql, to_sql};

/// A request under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUsage {
    /// The id its row in the usage will have.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// The id of the key of the API it came with.
    pub key: Option<String>,
    /// Finds the log lines.
    pub request_id: String,
    /// Which door it came in by.
    pub door: String,
    /// The turn, for chats.
    pub turn: Option<String>,
    /// The model that was asked last, and its provider.
    pub model: Option<String>,
    /// The provider of that model.
    pub provider: Option<String>,
    /// Is that model on the operator's machines?
    pub local: Option<bool>,
    /// Tokens so far.
    pub tokens: Usage,
    /// What they cost; `None`: not known.
    pub cost: Option<NanoUsd>,
    /// When this was so.
    pub at: Timestamp,
    /// What of it each budget counts.
    pub spent: Vec<(Scope, NanoUsd)>,
}

/// What is to be reserved of one budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The budget.
    pub bound: Bound,
    /// The most the request may cost, in all.
    pub nano: NanoUsd,
}

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It fits every budget, and is held.
    Held,
    /// It does not fit this one; nothing was changed.
    Reached(Box<Reached>),
}

/// What a request spent, to be booked with its row in the usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booking {
    /// The id the request was opened with; empty: it was not, and nothing was reserved.
    pub id: String,
    /// What each budget is to count.
    pub spent: Vec<Spent>,
}

/// What one budget is to count of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The budget.
    pub scope: Scope,
    /// What it cost.
    pub nano: NanoUsd,
    /// What was last written down of it while it ran.
    pub written: NanoUsd,
}

impl Store {
    /// Reserves what a request may cost at most, of every budget that bounds it, or of none: `holds` in the order of
    /// their scopes. What was reserved for it before is replaced. Of several at once, on any number of copies, only as many
    /// are let through as fit.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reserve(&self, open: &OpenUsage, holds: &[Hold]) -> Result<Reserved, StoreError> {
        let mut tx = self.begin_write().await?;
        let tenant = &open.owner.tenant;
        put_open(&mut tx, open, self.process()).await?;
        for hold in holds {
            let scope = &hold.bound.scope;
            let spent = lock_spending(&mut tx, tenant, scope).await?;
            let reserved = others_hold(&mut tx, tenant, scope, &open.id).await?;
            let all = spent.saturating_add(reserved).saturating_add(hold.nano);
            if all > hold.bound.limit {
                tx.rollback().await?;
                return Ok(Reserved::Reached(Box::new(Reached {
                    bound: hold.bound.clone(),
                    spent,
                    reserved,
                    needed: hold.nano,
                })));
            }
            query(
                "INSERT INTO budget_holds (usage_id, tenant_id, kind, subject, period, since, held_nano_usd,
                                           spent_nano_usd)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
                 ON CONFLICT (usage_id, kind, subject, period, since) DO UPDATE SET
                     held_nano_usd = excluded.held_nano_usd",
            )
            .bind(&open.id)
            .bind(tenant)
            .bind(scope.kind.as_str())
            .bind(&scope.subject)
            .bind(scope.period)
            .bind(scope.since.0)
            .bind(to_sql(hold.nano))
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Reserved::Held)
    }

    /// Writes down how requests under way stand, all in one transaction. One that has ended meanwhile stays ended.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing is.
    pub async fn checkpoint_usage(&self, open: &[OpenUsage]) -> Result<(), StoreError> {
        if open.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_write().await?;
        for one in open {
            put_open(&mut tx, one, self.process()).await?;
            for (scope, nano) in &one.spent {
                query(
                    "UPDATE budget_holds SET spent_nano_usd = $6
                     WHERE usage_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5",
                )
                .bind(&one.id)
                .bind(scope.kind.as_str())
                .bind(&scope.subject)
                .bind(scope.period)
                .bind(scope.since.0)
                .bind(to_sql(*nano))
                .execute(&mut tx)
                .await?;
            }
        }
        tx.commit().await
    }

    /// What was spent of a budget, and what is reserved of it for requests under way.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_spending(&self, tenant: &str, scope: &Scope) -> Result<(NanoUsd, NanoUsd), StoreError> {
        let mut tx = self.begin_read().await?;
        let row = of_scope(
            query(
                "SELECT spent_nano_usd FROM spending
                 WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5",
            ),
            tenant,
            scope,
        )
        .fetch_optional(&mut tx)
        .await?;
        let spent = match row {
            Some(row) => from_sql(row.get("spent_nano_usd")?),
            None => spent_before(&mut tx, tenant, scope).await?,
        };
        let reserved = others_hold(&mut tx, tenant, scope, "").await?;
        tx.rollback().await?;
        Ok((spent, reserved))
    }

    /// Books what processes that are no more had written down, and lets go of what they had reserved.
    pub(crate) async fn book_interrupted(&self, tx: &mut Link, alive_since: i64) -> Result<(), StoreError> {
        let rows = query(
            "SELECT id, tenant_id, user_id FROM usage_open
             WHERE process <> $1 AND process NOT IN (SELECT id FROM processes WHERE seen_at >= $2)",
        )
        .bind(self.process())
        .bind(alive_since)
        .locking()
        .fetch_all(tx)
        .await?;
        for row in &rows {
            let (id, tenant): (String, String) = (row.get("id")?, row.get("tenant_id")?);
            query(
                "INSERT INTO usage (id, tenant_id, user_id, request_id, door, turn_id, model, provider, local,
                                    prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, outcome,
                                    at, key_id, cost_nano_usd, estimated)
                 SELECT id, tenant_id, user_id, request_id, door, turn_id, model, provider, local, prompt_tokens,
                        completion_tokens, cached_tokens, reasoning_tokens, 'interrupted', at, key_id,
                        cost_nano_usd, TRUE
                 FROM usage_open WHERE id = $1
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(&id)
            .execute(tx)
            .await?;
            let holds = query(
                "SELECT kind, subject, period, since, spent_nano_usd FROM budget_holds WHERE usage_id = $1
                 ORDER BY kind, subject, period, since",
            )
            .bind(&id)
            .fetch_all(tx)
            .await?;
            for hold in &holds {
                query(
                    "UPDATE spending SET spent_nano_usd = spent_nano_usd + $6
                     WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5",
                )
                .bind(&tenant)
                .bind(hold.get::<String>("kind")?)
                .bind(hold.get::<String>("subject")?)
                .bind(hold.get::<String>("period")?)
                .bind(hold.get::<i64>("since")?)
                .bind(hold.get::<i64>("spent_nano_usd")?)
                .execute(tx)
                .await?;
            }
            close(tx, &id).await?;
        }
        Ok(())
    }
}

/// What a request spent is counted, and what was reserved for it is free again.
pub(crate) async fn book_spent(link: &mut Link, owner: &Owner, booking: &Booking) -> Result<(), StoreError> {
    for spent in &booking.spent {
        let scope = &spent.scope;
        let held = query(
            "DELETE FROM budget_holds
             WHERE usage_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5",
        )
        .bind(&booking.id)
        .bind(scope.kind.as_str())
        .bind(&scope.subject)
        .bind(scope.period)
        .bind(scope.since.0)
        .execute(link)
        .await?;
        // Whoever took this process for dead has counted what was written down.
        let nano = match held {
            0 => spent.nano.saturating_sub(spent.written),
            _ => spent.nano,
        };
        of_scope(
            query(
                "UPDATE spending SET spent_nano_usd = spent_nano_usd + $6
                 WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5",
            ),
            &owner.tenant,
            scope,
        )
        .bind(to_sql(nano))
        .execute(link)
        .await?;
    }
    close(link, &booking.id).await
}

async fn close(link: &mut Link, id: &str) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM budget_holds WHERE usage_id = $1",
        "DELETE FROM usage_open WHERE id = $1",
    ] {
        query(statement).bind(id).execute(link).await?;
    }
    Ok(())
}

/// The row of a request under way; of one that is booked, none.
async fn put_open(link: &mut Link, open: &OpenUsage, process: &str) -> Result<(), StoreError> {
    query(
        "INSERT INTO usage_open (id, tenant_id, user_id, key_id, request_id, door, turn_id, model, provider, local,
                                 prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost_nano_usd,
                                 process, at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
         WHERE NOT EXISTS (SELECT 1 FROM usage WHERE id = $1)
         ON CONFLICT (id) DO UPDATE SET model = excluded.model, provider = excluded.provider,
             local = excluded.local, prompt_tokens = excluded.prompt_tokens,
             completion_tokens = excluded.completion_tokens, cached_tokens = excluded.cached_tokens,
             reasoning_tokens = excluded.reasoning_tokens, cost_nano_usd = excluded.cost_nano_usd,
             at = excluded.at",
    )
    .bind(&open.id)
    .bind(&open.owner.tenant)
    .bind(&open.owner.user)
    .bind(&open.key)
    .bind(&open.request_id)
    .bind(&open.door)
    .bind(&open.turn)
    .bind(&open.model)
    .bind(&open.provider)
    .bind(open.local)
    .bind(i64::from(open.tokens.prompt_tokens))
    .bind(i64::from(open.tokens.completion_tokens))
    .bind(i64::from(open.tokens.cached_tokens))
    .bind(i64::from(open.tokens.reasoning_tokens))
    .bind(open.cost.map(to_sql))
    .bind(process)
    .bind(open.at.0)
    .execute(link)
    .await?;
    Ok(())
}

fn of_scope<'q>(query: crate::sql::Query<'q>, tenant: &'q str, scope: &'q Scope) -> crate::sql::Query<'q> {
    query
        .bind(tenant)
        .bind(scope.kind.as_str())
        .bind(&scope.subject)
        .bind(scope.period)
        .bind(scope.since.0)
}

/// What was spent of a budget; nobody else changes it until the transaction ends.
async fn lock_spending(tx: &mut Link, tenant: &str, scope: &Scope) -> Result<NanoUsd, StoreError> {
    const LOOK: &str = "SELECT spent_nano_usd FROM spending
                        WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5";
    let look = || of_scope(query(LOOK), tenant, scope).locking();
    if let Some(row) = look().fetch_optional(tx).await? {
        return spent_in(&row);
    }
    // The first of the period: what was spent before there was this budget counts.
    let before = spent_before(tx, tenant, scope).await?;
    of_scope(
        query(
            "INSERT INTO spending (tenant_id, kind, subject, period, since, spent_nano_usd)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        ),
        tenant,
        scope,
    )
    .bind(to_sql(before))
    .execute(tx)
    .await?;
    spent_in(&look().fetch_one(tx).await?)
}

fn spent_in(row: &Row) -> Result<NanoUsd, StoreError> {
    Ok(from_sql(row.get("spent_nano_usd")?))
}

/// What is reserved of a budget for requests other than this one.
async fn others_hold(link: &mut Link, tenant: &str, scope: &Scope, but: &str) -> Result<NanoUsd, StoreError> {
    let row = of_scope(
        query(
            "SELECT CAST(COALESCE(SUM(held_nano_usd), 0) AS BIGINT) AS held FROM budget_holds
             WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND period = $4 AND since = $5
             AND usage_id <> $6",
        ),
        tenant,
        scope,
    )
    .bind(but)
    .fetch_one(link)
    .await?;
    Ok(from_sql(row.get("held")?))
}

/// What the usage says was spent in a budget's period so far.
async fn spent_before(link: &mut Link, tenant: &str, scope: &Scope) -> Result<NanoUsd, StoreError> {
    use goblin_core::budget::BudgetKind as Kind;
    const EVERYBODY: &str = "SELECT provider, model, CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS spent
                             FROM usage WHERE tenant_id = $1 AND at >= $2 AND $3 = $3
                             GROUP BY provider, model";
    const USER: &str = "SELECT provider, model, CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS spent
                        FROM usage WHERE tenant_id = $1 AND at >= $2 AND user_id = $3
                        GROUP BY provider, model";
    const KEY: &str = "SELECT provider, model, CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS spent
                       FROM usage WHERE tenant_id = $1 AND at >= $2 AND key_id = $3
                       GROUP BY provider, model";
    const TEAM: &str = "SELECT provider, model, CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS spent
                        FROM usage WHERE tenant_id = $1 AND at >= $2 AND user_id IN
                             (SELECT user_id FROM team_members WHERE tenant_id = $1 AND team_id = $3)
                        GROUP BY provider, model";
    let statement = match scope.kind {
        Kind::Everybody | Kind::Model => EVERYBODY,
        Kind::User => USER,
        Kind::Key => KEY,
        Kind::Team => TEAM,
    };
    let rows = query(statement)
        .bind(tenant)
        .bind(scope.since.0)
        .bind(&scope.subject)
        .fetch_all(link)
        .await?;
    let mut sum: NanoUsd = 0;
    for row in &rows {
        let (provider, model): (Option<String>, Option<String>) = (row.get("provider")?, row.get("model")?);
        let id = format!("{}/{}", provider.unwrap_or_default(), model.unwrap_or_default());
        if scope.counts(&id) {
            sum = sum.saturating_add(from_sql(row.get("spent")?));
        }
    }
    Ok(sum)
}
