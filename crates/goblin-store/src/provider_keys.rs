//! What providers are called with, sealed: this room keeps the bytes and cannot open them.

use goblin_core::clock::Timestamp;

use crate::audit::NewAudit;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// A secret under a key of its own, and that key under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// The key it is sealed with, sealed itself.
    pub sealed_key: Vec<u8>,
    /// Which master key that took.
    pub master_id: String,
}

/// A provider's key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderKeyRow {
    /// Whose it is.
    pub tenant: String,
    /// The provider's id.
    pub provider: String,
    /// Counts the changes, from 1; part of what the seal is bound to.
    pub version: i64,
    /// The key, sealed.
    pub envelope: Envelope,
    /// Its last four characters.
    pub last_four: String,
    /// Where it is sent; `None`: where the configuration says.
    pub base_url: Option<String>,
    /// The id of who set it.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

const ALL: &str =
    "SELECT tenant_id, provider, version, sealed, sealed_key, master_id, last_four, base_url, updated_by,
                          updated_at
                   FROM provider_keys";

impl Store {
    /// Keeps a provider's key, in the place of the one before. Its version, which the seal is bound to, is one more than
    /// that one's.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when somebody else has just set it.
    pub async fn put_provider_key(&self, row: &ProviderKeyRow, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query(
            "INSERT INTO provider_keys (tenant_id, provider, version, sealed, sealed_key, master_id, last_four,
                                        updated_by, updated_at, base_url)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (tenant_id, provider) DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
                 sealed_key = excluded.sealed_key, master_id = excluded.master_id, last_four = excluded.last_four,
                 updated_by = excluded.updated_by, updated_at = excluded.updated_at, base_url = excluded.base_url
             WHERE provider_keys.version = excluded.version - 1",
        )
        .bind(&row.tenant)
        .bind(&row.provider)
        .bind(row.version)
        .bind(row.envelope.sealed.clone())
        .bind(row.envelope.sealed_key.clone())
        .bind(&row.envelope.master_id)
        .bind(&row.last_four)
        .bind(&row.updated_by)
        .bind(row.updated_at.0)
        .bind(&row.base_url)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Busy);
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// A provider's key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_provider_key(
        &self,
        tenant: &str,
        provider: &str,
    ) -> Result<Option<ProviderKeyRow>, StoreError> {
        let row = query(
            "SELECT tenant_id, provider, version, sealed, sealed_key, master_id, last_four, base_url, updated_by,
                    updated_at
             FROM provider_keys WHERE tenant_id = $1 AND provider = $2",
        )
        .bind(tenant)
        .bind(provider)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(row_from).transpose()
    }

    /// Every provider's key, of every tenant, by provider. There are as many as there are providers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_keys(&self) -> Result<Vec<ProviderKeyRow>, StoreError> {
        list(&mut self.read().await?).await
    }

    /// Forgets a provider's key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_provider_key(
        &self,
        tenant: &str,
        provider: &str,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("DELETE FROM provider_keys WHERE tenant_id = $1 AND provider = $2")
            .bind(tenant)
            .bind(provider)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("key"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Puts the keys that secrets are sealed with under another master key; the secrets themselves stay sealed as they
    /// are. `rewrap` is given each row's binding (its table and what names the row) and its envelope, and returns the
    /// sealed key and the master key's id, or `None` to leave it. All in one transaction. Returns how many were changed.
    ///
    /// # Errors
    /// What `rewrap` says; then nothing is changed.
    pub async fn rewrap_secrets<E: From<StoreError>>(
        &self,
        mut rewrap: impl FnMut(&Sealed, &Envelope) -> Result<Option<(Vec<u8>, String)>, E> + Send,
    ) -> Result<u64, E> {
        let mut tx = self.begin_write().await?;
        let mut changed = 0;
        for row in list(&mut tx).await? {
            let place = Sealed::provider_key(&row.tenant, &row.provider, row.version);
            if let Some((sealed_key, master_id)) = rewrap(&place, &row.envelope)? {
                query(
                    "UPDATE provider_keys SET sealed_key = $4, master_id = $5
                     WHERE tenant_id = $1 AND provider = $2 AND version = $3",
                )
                .bind(&row.tenant)
                .bind(&row.provider)
                .bind(row.version)
                .bind(sealed_key)
                .bind(master_id)
                .execute(&mut tx)
                .await?;
                changed += 1;
            }
        }
        for row in crate::signing_keys::list(&mut tx).await? {
            let place = Sealed::signing_key(&row.id);
            if let Some((sealed_key, master_id)) = rewrap(&place, &row.envelope)? {
                query("UPDATE signing_keys SET sealed_key = $2, master_id = $3 WHERE id = $1")
                    .bind(&row.id)
                    .bind(sealed_key)
                    .bind(master_id)
                    .execute(&mut tx)
                    .await?;
                changed += 1;
            }
        }
        tx.commit().await?;
        Ok(changed)
    }
}

/// The row a secret belongs to: what its seal is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// A provider's key.
    pub fn provider_key(tenant: &str, provider: &str, version: i64) -> Self {
        Self::new(&["provider_keys", tenant, provider, &version.to_string()])
    }

    /// A key tokens are signed with.
    pub fn signing_key(id: &str) -> Self {
        Self::new(&["signing_keys", id])
    }

    /// Each part is preceded by its length, so that no two rows are bound alike.
    fn new(parts: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        Self(bytes)
    }

    /// As associated data.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

async fn list(link: &mut Link) -> Result<Vec<ProviderKeyRow>, StoreError> {
    let mut rows = query(ALL)
        .fetch_all(link)
        .await?
        .iter()
        .map(row_from)
        .collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|a, b| (&a.tenant, &a.provider).cmp(&(&b.tenant, &b.provider)));
    Ok(rows)
}

fn row_from(row: &Row) -> Result<ProviderKeyRow, StoreError> {
    Ok(ProviderKeyRow {
        tenant: row.get("tenant_id")?,
        provider: row.get("provider")?,
        version: row.get("version")?,
        envelope: envelope_from(row)?,
        last_four: row.get("last_four")?,
        base_url: row.get("base_url")?,
        updated_by: row.get("updated_by")?,
        updated_at: Timestamp(row.get("updated_at")?),
    })
}

pub(crate) fn envelope_from(row: &Row) -> Result<Envelope, StoreError> {
    Ok(Envelope {
        sealed: row.get("sealed")?,
        sealed_key: row.get("sealed_key")?,
        master_id: row.get("master_id")?,
    })
}
