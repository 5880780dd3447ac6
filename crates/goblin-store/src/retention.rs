//! What is too old goes, for all owners, once a day, a piece at a time. Of several copies on one database one does it.

use goblin_core::clock::Timestamp;

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

const DAY_MS: i64 = 86_400_000;
/// How long a copy that does a chore has for it before another one may begin.
const LEASE_MS: i64 = 30 * 60_000;
/// How long it is kept what was spent of budgets in periods that are over; what was used stays in the usage.
const SPENDING_DAYS: u32 = 100;
/// Most rows removed by one statement.
const PIECE: i64 = 500;
/// Most chats removed one after the other before others are looked at.
const CHATS: i64 = 50;
/// Most pieces of one sweep; the next one goes on.
const PIECES: u32 = 200;

/// How long things are kept, in days; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Chats nobody has written in.
    pub chats: Option<u32>,
    /// What was used.
    pub usage: Option<u32>,
    /// What was done to accounts.
    pub audit: Option<u32>,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Chats.
    pub chats: u64,
    /// Rows of usage.
    pub usage: u64,
    /// Audit events.
    pub audit: u64,
    /// Is something left that the next sweep has to remove?
    pub more: bool,
}

impl Store {
    /// Is this copy to do a chore now? It is when the chore is due and no other copy has just begun it; then none of them
    /// begins it for half an hour.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn take_chore(&self, name: &'static str) -> Result<bool, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        query("INSERT INTO chores (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        let taken = query("UPDATE chores SET due_at = $3 WHERE name = $1 AND due_at <= $2")
            .bind(name)
            .bind(now.0)
            .bind(now.plus_ms(LEASE_MS).0)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(taken > 0)
    }

    /// Says in how many milliseconds a chore is due again.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn finish_chore(&self, name: &'static str, wait_ms: i64) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("UPDATE chores SET due_at = $2 WHERE name = $1")
            .bind(name)
            .bind(self.now().plus_ms(wait_ms).0)
            .execute(&mut link)
            .await?;
        link.commit().await
    }

    /// Removes, of all owners, what is older than it is kept.
    ///
    /// # Errors
    /// When it cannot be saved; what was removed before stays removed.
    pub async fn remove_old(&self, keep: Retention) -> Result<Swept, StoreError> {
        let before = |days: u32| self.now().plus_ms(-i64::from(days) * DAY_MS);
        let mut swept = Swept::default();
        self.remove_old_spending(before(SPENDING_DAYS)).await?;
        if let Some(days) = keep.chats {
            self.remove_old_chats(before(days), &mut swept).await?;
        }
        if let Some(days) = keep.usage {
            self.remove_old_usage(before(days), &mut swept).await?;
        }
        if let Some(days) = keep.audit {
            self.remove_old_audit(before(days), &mut swept).await?;
        }
        Ok(swept)
    }

    async fn remove_old_chats(&self, before: Timestamp, swept: &mut Swept) -> Result<(), StoreError> {
        for _ in 0..PIECES {
            // One whose answer is still being written is not old, whatever its time says.
            let rows = query(
                "SELECT id FROM chats WHERE updated_at < $1
                 AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.chat_id = chats.id AND turns.status = 'streaming')
                 LIMIT $2",
            )
            .bind(before.0)
            .bind(CHATS)
            .fetch_all(&mut self.read().await?)
            .await?;
            for row in &rows {
                self.remove_chat(row.get("id")?).await?;
            }
            swept.chats += rows.len() as u64;
            if rows.len() < CHATS.unsigned_abs() as usize {
                return Ok(());
            }
        }
        swept.more = true;
        Ok(())
    }

    async fn remove_old_spending(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("DELETE FROM spending WHERE period <> 'total' AND since < $1")
            .bind(before.0)
            .execute(&mut link)
            .await?;
        link.commit().await
    }

    async fn remove_old_usage(&self, before: Timestamp, swept: &mut Swept) -> Result<(), StoreError> {
        let (removed, more) = self
            .sweep(
                "DELETE FROM usage WHERE id IN (SELECT id FROM usage WHERE at < $1 ORDER BY at LIMIT $2)",
                before,
                (PIECE, PIECES),
            )
            .await?;
        swept.usage += removed;
        swept.more |= more;
        Ok(())
    }

    /// Runs a statement that removes what is older than `$1`, at most `$2` rows, again and again: `rows` each time, `times`
    /// at most. How many were removed, and whether there may be more.
    pub(crate) async fn sweep(
        &self,
        statement: &'static str,
        before: Timestamp,
        (rows, times): (i64, u32),
    ) -> Result<(u64, bool), StoreError> {
        let mut removed = 0;
        for _ in 0..times {
            let mut link = self.write().await?;
            let done = query(statement)
                .bind(before.0)
                .bind(rows)
                .execute(&mut link)
                .await?;
            link.commit().await?;
            removed += done;
            if done < rows.unsigned_abs() {
                return Ok((removed, false));
            }
        }
        Ok((removed, true))
    }

    async fn remove_old_audit(&self, before: Timestamp, swept: &mut Swept) -> Result<(), StoreError> {
        let tenants = query("SELECT id FROM tenants ORDER BY id")
            .fetch_all(&mut self.read().await?)
            .await?;
        for tenant in &tenants {
            let tenant: String = tenant.get("id")?;
            for piece in 1..=PIECES {
                let done = self.remove_audit_before(&tenant, before, PIECE).await?;
                swept.audit += done;
                if done < PIECE.unsigned_abs() {
                    break;
                }
                swept.more |= piece == PIECES;
            }
        }
        Ok(())
    }
}
