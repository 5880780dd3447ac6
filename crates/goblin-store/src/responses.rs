//! Responses their caller asked to keep: by id, as conversations that go on from one another, until they are too old or
//! their owner has too many.

use goblin_core::owner::Owner;
use serde_json::Value;

use crate::error::StoreError;
use crate::sql::{Row, query};
use crate::store::Store;
use crate::traces::{from_json, to_json};

const DAY_MS: i64 = 86_400_000;
/// Most responses removed by one statement: a long sweep must not hold up those who write.
const SWEEP_BATCH: i64 = 200;
/// Most statements of one sweep; the next one goes on.
const SWEEP_BATCHES: u32 = 40;
/// Most responses of one conversation.
const LONGEST: usize = 1_000;

/// How long responses are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepResponses {
    /// Days.
    pub days: u32,
    /// Most of one user; the oldest make room.
    pub most: u32,
    /// Most bytes of one user's; the oldest make room, the newest stays whatever its size.
    pub bytes: u64,
}

impl Default for KeepResponses {
    fn default() -> Self {
        Self {
            days: 30,
            most: 1_000,
            bytes: 256 * 1024 * 1024,
        }
    }
}

/// A response with its input.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResponse {
    /// Its name.
    pub id: String,
    /// The response it goes on from.
    pub previous: Option<String>,
    /// The items of its own input, as `GET /v1/responses/{id}/input_items` shows them.
    pub input: Vec<Value>,
    /// The response as it was given.
    pub response: Value,
}

impl Store {
    /// Keeps a response; what `keep` has no room for any more goes.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_response(
        &self,
        owner: &Owner,
        new: &StoredResponse,
        keep: KeepResponses,
    ) -> Result<(), StoreError> {
        let (input, response) = (to_json(&new.input)?, to_json(&new.response)?);
        let now = self.now();
        let mut tx = self.begin_write().await?;
        query(
            "INSERT INTO responses (id, tenant_id, user_id, previous, input_json, response_json, bytes, created_at,
                                    expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&new.id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&new.previous)
        .bind(&input)
        .bind(&response)
        .bind(whole(input.len() as u64 + response.len() as u64))
        .bind(now.0)
        .bind(now.plus_ms(i64::from(keep.days) * DAY_MS).0)
        .execute(&mut tx)
        .await?;
        query(
            "DELETE FROM responses WHERE id IN
                 (SELECT id FROM
                     (SELECT id, ROW_NUMBER() OVER newest AS place, SUM(bytes) OVER newest AS size FROM responses
                      WHERE tenant_id = $1 AND user_id = $2
                      WINDOW newest AS (ORDER BY created_at DESC, id DESC)) AS kept
                  WHERE place > 1 AND (place > $3 OR size > $4))",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(i64::from(keep.most))
        .bind(whole(keep.bytes))
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// The response, unless it is another owner's or too old.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_response(&self, owner: &Owner, id: &str) -> Result<Option<StoredResponse>, StoreError> {
        let row = query(
            "SELECT id, previous, input_json, response_json FROM responses
             WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND expires_at > $4",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(response_from).transpose()
    }

    /// The conversation that ends with a response: all it goes on from, oldest first, then itself. Nothing when it is
    /// another owner's or too old.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one on the way is gone: what was said there is not left out without a word.
    /// [`StoreError::TooLong`] when all together have more than `most_bytes`.
    pub async fn list_conversation(
        &self,
        owner: &Owner,
        id: &str,
        most_bytes: u64,
    ) -> Result<Vec<StoredResponse>, StoreError> {
        // What it comes to is looked at first, before anything of it is read.
        let chain = "WITH RECURSIVE chain (id, previous, bytes, depth) AS
                 (SELECT id, previous, bytes, 1 FROM responses
                  WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND expires_at > $4
                  UNION ALL
                  SELECT r.id, r.previous, r.bytes, chain.depth + 1 FROM responses r, chain
                  WHERE r.id = chain.previous AND r.tenant_id = $2 AND r.user_id = $3 AND r.expires_at > $4
                    AND chain.depth < $5)
             SELECT id, previous, bytes FROM chain ORDER BY depth DESC";
        let mut link = self.begin_read().await?;
        let rows = query(chain)
            .bind(id)
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(self.now().0)
            .bind(whole(LONGEST as u64))
            .fetch_all(&mut link)
            .await?;
        let (mut size, mut all) = (0, Vec::new());
        for row in &rows {
            size += row.get::<i64>("bytes")?.unsigned_abs();
        }
        let oldest: Option<String> = rows.first().map(|row| row.get("previous")).transpose()?.flatten();
        if size > most_bytes || rows.len() >= LONGEST {
            return Err(StoreError::TooLong("conversation"));
        }
        if oldest.is_some() {
            return Err(StoreError::NotFound("earlier response"));
        }
        for row in &rows {
            let one = query("SELECT id, previous, input_json, response_json FROM responses WHERE id = $1")
                .bind(row.get::<String>("id")?)
                .fetch_one(&mut link)
                .await?;
            all.push(response_from(&one)?);
        }
        link.rollback().await?;
        Ok(all)
    }

    /// Removes a response. False when there is none of the owner's.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_response(&self, owner: &Owner, id: &str) -> Result<bool, StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "DELETE FROM responses WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND expires_at > $4",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        Ok(done > 0)
    }

    /// Removes, of all owners, the responses that are too old, in small pieces. Returns how many; what is more than one
    /// sweep takes is left for the next, and is not there for anybody meanwhile.
    ///
    /// # Errors
    /// When it cannot be saved; what was removed before stays removed.
    pub async fn delete_old_responses(&self) -> Result<u64, StoreError> {
        let (removed, _more) = self
            .sweep(
                "DELETE FROM responses WHERE id IN
                 (SELECT id FROM responses WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
                self.now(),
                (SWEEP_BATCH, SWEEP_BATCHES),
            )
            .await?;
        Ok(removed)
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn response_from(row: &Row) -> Result<StoredResponse, StoreError> {
    Ok(StoredResponse {
        id: row.get("id")?,
        previous: row.get("previous")?,
        input: from_json(row, "responses", "input_json")?,
        response: from_json(row, "responses", "response_json")?,
    })
}
