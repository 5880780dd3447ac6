//! Sign-ins on their way to a provider and back, each taken once, and tokens of others that are good once.

use goblin_core::clock::Timestamp;
use goblin_core::owner::Owner;

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

/// Most sign-ins on their way at once, of everybody.
const MAX_OPEN: i64 = 10_000;

/// A sign-in on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// SHA-256, as hex, of `state`.
    pub state_hash: String,
    /// SHA-256, as hex, of the browser's cookie.
    pub browser_hash: String,
    /// The provider's name here.
    pub provider: String,
    /// Who links; of a sign-in the local owner.
    pub owner: Owner,
    /// The sign-in by which somebody links; `None`: somebody signs in.
    pub session: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a sign-in that begins. Those that are over are removed.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too many are on their way.
    pub async fn insert_flow(&self, flow: &Flow) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        query("DELETE FROM sign_in_flows WHERE expires_at <= $1")
            .bind(self.now().0)
            .execute(&mut tx)
            .await?;
        let open = query("SELECT COUNT(*) AS found FROM sign_in_flows")
            .fetch_one(&mut tx)
            .await?;
        if open.get::<i64>("found")? >= MAX_OPEN {
            return Err(StoreError::Busy);
        }
        query(
            "INSERT INTO sign_in_flows (state_hash, tenant_id, user_id, browser_hash, provider, session_id,
                                        created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&flow.state_hash)
        .bind(&flow.owner.tenant)
        .bind(&flow.owner.user)
        .bind(&flow.browser_hash)
        .bind(&flow.provider)
        .bind(&flow.session)
        .bind(flow.created_at.0)
        .bind(flow.expires_at.0)
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// Takes a sign-in that comes back: of several that try at once, one gets it. `None` when it never began, is over,
    /// was taken, or began in another browser; the last leaves it for the right one.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn take_flow(&self, state_hash: &str, browser_hash: &str) -> Result<Option<Flow>, StoreError> {
        let mut link = self.write().await?;
        let row = query(
            "DELETE FROM sign_in_flows WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > $3
             RETURNING tenant_id, user_id, provider, session_id, created_at, expires_at",
        )
        .bind(state_hash)
        .bind(browser_hash)
        .bind(self.now().0)
        .fetch_optional(&mut link)
        .await?;
        link.commit().await?;
        row.map(|row| {
            Ok(Flow {
                state_hash: state_hash.to_owned(),
                browser_hash: browser_hash.to_owned(),
                provider: row.get("provider")?,
                owner: Owner {
                    tenant: row.get("tenant_id")?,
                    user: row.get("user_id")?,
                },
                session: row.get("session_id")?,
                created_at: Timestamp(row.get("created_at")?),
                expires_at: Timestamp(row.get("expires_at")?),
            })
        })
        .transpose()
    }

    /// Notes that a token was presented which is good once. Returns whether this was the first time.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_presented_token(
        &self,
        token_hash: &str,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner = Owner::local();
        let mut tx = self.begin_write().await?;
        let done = query(
            "INSERT INTO presented_tokens (token_hash, tenant_id, user_id, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (token_hash) DO NOTHING",
        )
        .bind(token_hash)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(expires_at.0)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// Removes what is over: sign-ins that did not come back, and tokens that have ended by themselves. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_ended_flows(&self) -> Result<u64, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let flows = query("DELETE FROM sign_in_flows WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        let tokens = query("DELETE FROM presented_tokens WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(flows + tokens)
    }
}
