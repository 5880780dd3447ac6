//! Who works on the database: processes say that they are alive, so that turns of those that are not can be ended.
//!
//! SQLite belongs to one process at a time (the data directory's lock says so); several may share a PostgreSQL.

use goblin_core::clock::Timestamp;
use goblin_core::id::made_at;

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

/// A process that has not said for so long that it is alive, in milliseconds, counts as ended.
pub const SILENT_MS: i64 = 60_000;

impl Store {
    /// Says that this process is alive; on a shared database at least four times in [`SILENT_MS`].
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn say_alive(&self) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query(
            "INSERT INTO processes (id, seen_at) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at",
        )
        .bind(self.process())
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        self.set_known(true);
        Ok(())
    }

    /// A process that ends well need not be waited for.
    pub(crate) async fn say_goodbye(&self) {
        if !self.set_known(false) {
            return;
        }
        let Ok(mut link) = self.write().await else { return };
        let gone = query("DELETE FROM processes WHERE id = $1")
            .bind(self.process())
            .execute(&mut link)
            .await;
        // Where it cannot be said, silence says it.
        if gone.is_ok() {
            let _ = link.commit().await;
        }
    }

    /// Every turn still `streaming`, of any owner, whose process is no more becomes `incomplete` and keeps what was
    /// checkpointed; what such processes had spent is booked (see [`crate::spending`]). Returns how many turns. A process that was only cut off from the database for a while still saves
    /// its whole answer when it finishes.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn mark_interrupted(&self) -> Result<u64, StoreError> {
        let now = self.now();
        // Nobody else can be alive on a database of one process.
        let alive_since = if self.database().is_shared() {
            now.0.saturating_sub(SILENT_MS)
        } else {
            i64::MAX
        };
        let mut tx = self.begin_write().await?;
        let marked = query(
            "UPDATE turns SET status = 'incomplete', finished_at = $1
             WHERE status = 'streaming' AND (process IS NULL OR process <> $2 AND process NOT IN
                   (SELECT id FROM processes WHERE seen_at >= $3))",
        )
        .bind(now.0)
        .bind(self.process())
        .bind(alive_since)
        .execute(&mut tx)
        .await?;
        self.book_interrupted(&mut tx, alive_since).await?;
        query("DELETE FROM processes WHERE seen_at < $1 AND id <> $2")
            .bind(alive_since)
            .bind(self.process())
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// How many other processes say that they work on this database now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_others(&self) -> Result<u64, StoreError> {
        let row = query("SELECT COUNT(*) AS found FROM processes WHERE seen_at >= $1 AND id <> $2")
            .bind(self.now().0.saturating_sub(SILENT_MS))
            .bind(self.process())
            .fetch_one(&mut self.read().await?)
            .await?;
        Ok(u64::try_from(row.get::<i64>("found")?).unwrap_or(0))
    }

    /// When each process that says it works on this database now has begun, the oldest first; of one whose id does not
    /// say so, when it was last seen.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_processes(&self) -> Result<Vec<Timestamp>, StoreError> {
        let rows = query("SELECT id, seen_at FROM processes WHERE seen_at >= $1")
            .bind(self.now().0.saturating_sub(SILENT_MS))
            .fetch_all(&mut self.read().await?)
            .await?;
        let mut begun = Vec::with_capacity(rows.len());
        for row in &rows {
            let seen_at = Timestamp(row.get("seen_at")?);
            begun.push(made_at(&row.get::<String>("id")?).unwrap_or(seen_at));
        }
        begun.sort_unstable();
        Ok(begun)
    }
}
