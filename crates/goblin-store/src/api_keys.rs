//! Keys of the API: rows that are good until they end or are taken back. Of a key itself only the hash is kept.

use goblin_core::account::Role;
use goblin_core::api_key::{ApiKey, Budget, BudgetPeriod, MAX_KEYS_OF_USER};
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// The columns [`key_from`] reads.
macro_rules! key_columns {
    () => {
        "api_keys.id, api_keys.tenant_id, api_keys.user_id, api_keys.public_id, api_keys.secret_hash, api_keys.name,
         api_keys.scopes, api_keys.models_json, api_keys.networks_json, api_keys.budget_nano_usd,
         api_keys.budget_period, api_keys.requests_per_minute, api_keys.concurrent, api_keys.created_at,
         api_keys.expires_at, api_keys.last_used_at, api_keys.revoked_at"
    };
}

/// A key to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewApiKey {
    /// The part that names it in public.
    pub public_id: String,
    /// SHA-256 of the whole key, as hex.
    pub secret_hash: String,
    /// Who or what uses it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The models it may ask; `None`: every one.
    pub models: Option<Vec<String>>,
    /// Where it may be used from; `None`: anywhere.
    pub networks: Option<Vec<String>>,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// Most requests in any minute.
    pub requests_per_minute: Option<u32>,
    /// Most requests at once.
    pub concurrent: Option<u32>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A key, and who it acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Whose rows it sees.
    pub owner: Owner,
    /// What is shown of it.
    pub key: ApiKey,
    /// SHA-256 of the whole key, as hex.
    pub secret_hash: String,
    /// What its user may do.
    pub role: Role,
    /// When its user was shut out.
    pub disabled_at: Option<Timestamp>,
    /// The ids of the teams its user is in.
    pub teams: Vec<String>,
}

impl Store {
    /// Keeps a key.
    ///
    /// # Errors
    /// [`StoreError::TooManyKeys`] for a user who has many that are good, [`StoreError::NotFound`] for one who is not
    /// there.
    pub async fn insert_api_key(
        &self,
        owner: &Owner,
        new: &NewApiKey,
        audit: &NewAudit,
    ) -> Result<ApiKey, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        // Of two requests at once the second waits here, and then counts the first one's key.
        query("SELECT id FROM users WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .locking()
            .fetch_optional(&mut tx)
            .await?
            .ok_or(StoreError::NotFound("user"))?;
        let good = query(
            "SELECT COUNT(*) AS found FROM api_keys
             WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(now.0)
        .fetch_one(&mut tx)
        .await?;
        if good.get::<i64>("found")? >= i64::from(MAX_KEYS_OF_USER) {
            return Err(StoreError::TooManyKeys(MAX_KEYS_OF_USER));
        }
        let key = ApiKey {
            id: self.next_id(),
            public_id: new.public_id.clone(),
            name: storable(&new.name).into_owned(),
            user: owner.user.clone(),
            scopes: new.scopes.clone(),
            models: new.models.clone(),
            networks: new.networks.clone(),
            budget: new.budget,
            requests_per_minute: new.requests_per_minute,
            concurrent: new.concurrent,
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        query(
            "INSERT INTO api_keys (id, tenant_id, user_id, public_id, secret_hash, name, scopes, models_json,
                                   networks_json, budget_nano_usd, budget_period, requests_per_minute, concurrent,
                                   created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(&key.id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&key.public_id)
        .bind(&new.secret_hash)
        .bind(&key.name)
        .bind(key.scopes.join(","))
        .bind(list_json(key.models.as_deref())?)
        .bind(list_json(key.networks.as_deref())?)
        .bind(key.budget.map(|b| b.nano_usd))
        .bind(key.budget.map(|b| b.period.as_str()))
        .bind(key.requests_per_minute.map(i64::from))
        .bind(key.concurrent.map(i64::from))
        .bind(now.0)
        .bind(key.expires_at.map(|end| end.0))
        .execute(&mut tx)
        .await?;
        let audit = NewAudit {
            target: Some(key.id.clone()),
            ..audit.clone()
        };
        self.append_audit(&mut tx, &audit).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The key of a public id, good or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_api_key(&self, public_id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            key_columns!(),
            ", users.role, users.disabled_at, ",
            crate::accounts::team_column!(),
            "
             FROM api_keys JOIN users ON users.tenant_id = api_keys.tenant_id AND users.id = api_keys.user_id
             WHERE api_keys.public_id = $1 AND users.email IS NOT NULL"
        ))
        .bind(public_id)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(row_from).transpose()
    }

    /// Keys of a tenant, of one user or of all, newest first, those that are over too; at most `limit` (1 to
    /// [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_api_keys(
        &self,
        tenant: &str,
        user: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<ApiKey>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let query = match user {
            Some(user) => query(concat!(
                "SELECT ",
                key_columns!(),
                " FROM api_keys WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) AND user_id = $5
                 ORDER BY created_at DESC, id DESC LIMIT $4"
            ))
            .bind(tenant)
            .bind(after.at.0)
            .bind(&after.id)
            .bind(i64::from(limit) + 1)
            .bind(user),
            None => query(concat!(
                "SELECT ",
                key_columns!(),
                " FROM api_keys WHERE tenant_id = $1 AND (created_at, id) < ($2, $3)
                 ORDER BY created_at DESC, id DESC LIMIT $4"
            ))
            .bind(tenant)
            .bind(after.at.0)
            .bind(&after.id)
            .bind(i64::from(limit) + 1),
        };
        let rows = query.fetch_all(&mut self.read().await?).await?;
        let items = rows.iter().map(key_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |key| Cursor {
            at: key.created_at,
            id: key.id.clone(),
        }))
    }

    /// A key of a tenant by its id, and who it acts for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_api_key_by_id(&self, tenant: &str, id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        fetch_by_id(&mut self.read().await?, tenant, id).await
    }

    /// Notes that a key is used now, unless that was noted since `before`.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_api_key_used(&self, id: &str, before: Timestamp) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)")
            .bind(id)
            .bind(self.now().0)
            .bind(before.0)
            .execute(&mut link)
            .await?;
        link.commit().await
    }

    /// Takes a key back, for good. One that was taken back before keeps its time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_api_key(
        &self,
        tenant: &str,
        id: &str,
        audit: &NewAudit,
    ) -> Result<ApiKey, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let done = query(
            "UPDATE api_keys SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL",
        )
        .bind(tenant)
        .bind(id)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        let row = fetch_by_id(&mut tx, tenant, id).await?;
        let row = row.ok_or(StoreError::NotFound("key"))?;
        if done > 0 {
            self.append_audit(&mut tx, audit).await?;
        }
        tx.commit().await?;
        Ok(row.key)
    }
}

async fn fetch_by_id(link: &mut Link, tenant: &str, id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
    let row = query(concat!(
        "SELECT ",
        key_columns!(),
        ", users.role, users.disabled_at, ",
        crate::accounts::team_column!(),
        "
         FROM api_keys JOIN users ON users.tenant_id = api_keys.tenant_id AND users.id = api_keys.user_id
         WHERE api_keys.tenant_id = $1 AND api_keys.id = $2"
    ))
    .bind(tenant)
    .bind(id)
    .fetch_optional(link)
    .await?;
    row.as_ref().map(row_from).transpose()
}

/// A list as a column keeps it.
pub(crate) fn list_json(list: Option<&[String]>) -> Result<Option<String>, StoreError> {
    list.map(serde_json::to_string)
        .transpose()
        .map_err(|e| StoreError::Unreadable(format!("a list: {e}")))
}

/// The list that a column keeps.
pub(crate) fn list_from(row: &Row, column: &str) -> Result<Option<Vec<String>>, StoreError> {
    row.get::<Option<String>>(column)?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|e| StoreError::Unreadable(format!("{column}: {e}")))
}

fn row_from(row: &Row) -> Result<ApiKeyRow, StoreError> {
    let role: Option<String> = row.get("role")?;
    Ok(ApiKeyRow {
        owner: Owner {
            tenant: row.get("tenant_id")?,
            user: row.get("user_id")?,
        },
        key: key_from(row)?,
        secret_hash: row.get("secret_hash")?,
        // Who has no role may do least.
        role: role.as_deref().and_then(Role::parse).unwrap_or(Role::Viewer),
        disabled_at: row.get::<Option<i64>>("disabled_at")?.map(Timestamp),
        teams: crate::accounts::teams_from(row)?,
    })
}

fn key_from(row: &Row) -> Result<ApiKey, StoreError> {
    let scopes: String = row.get("scopes")?;
    let period: Option<String> = row.get("budget_period")?;
    let nano_usd: Option<i64> = row.get("budget_nano_usd")?;
    let small = |column: &str| -> Result<Option<u32>, StoreError> {
        Ok(row
            .get::<Option<i64>>(column)?
            .and_then(|n| u32::try_from(n).ok()))
    };
    let moment = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.map(Timestamp))
    };
    Ok(ApiKey {
        id: row.get("id")?,
        public_id: row.get("public_id")?,
        name: row.get("name")?,
        user: row.get("user_id")?,
        scopes: scopes
            .split(',')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect(),
        models: list_from(row, "models_json")?,
        networks: list_from(row, "networks_json")?,
        budget: nano_usd
            .zip(period.as_deref().and_then(BudgetPeriod::parse))
            .map(|(nano_usd, period)| Budget { nano_usd, period }),
        requests_per_minute: small("requests_per_minute")?,
        concurrent: small("concurrent")?,
        created_at: Timestamp(row.get("created_at")?),
        expires_at: moment("expires_at")?,
        last_used_at: moment("last_used_at")?,
        revoked_at: moment("revoked_at")?,
    })
}
