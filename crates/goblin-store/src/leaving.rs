//! Identities at a provider of the operator's own that are to be removed there, because their account here is gone.

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

/// Most identities looked up at once.
const AT_ONCE: i64 = 50;

impl Store {
    /// Who is still to be removed at `issuer`, those that were tried least first. Whoever came back meanwhile is not among
    /// them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_leaving(&self, issuer: &str) -> Result<Vec<String>, StoreError> {
        let rows = query(
            "SELECT subject FROM leaving_elsewhere WHERE issuer = $1 AND NOT EXISTS
                 (SELECT 1 FROM identities
                  WHERE identities.issuer = leaving_elsewhere.issuer AND identities.subject = leaving_elsewhere.subject)
             ORDER BY tries, asked_at, subject LIMIT $2",
        )
        .bind(issuer)
        .bind(AT_ONCE)
        .fetch_all(&mut self.read().await?)
        .await?;
        rows.iter().map(|row| row.get("subject")).collect()
    }

    /// Writes down what came of asking `issuer` to remove `subject`: it is done, or is tried again later.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn note_leaving(&self, issuer: &str, subject: &str, is_done: bool) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        let statement = if is_done {
            "DELETE FROM leaving_elsewhere WHERE issuer = $1 AND subject = $2"
        } else {
            "UPDATE leaving_elsewhere SET tries = tries + 1 WHERE issuer = $1 AND subject = $2"
        };
        query(statement)
            .bind(issuer)
            .bind(subject)
            .execute(&mut link)
            .await?;
        link.commit().await
    }
}
