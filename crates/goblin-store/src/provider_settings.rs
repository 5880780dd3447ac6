//! What admins set about providers while goblin runs. Keys, and where they are sent, are in [`crate::provider_keys`].

use goblin_core::clock::Timestamp;

use crate::api_keys::{list_from, list_json};
use crate::audit::NewAudit;
use crate::error::StoreError;
use crate::sql::{Row, query};
use crate::store::Store;

/// What is set about a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettingsRow {
    /// Whose it is.
    pub tenant: String,
    /// The provider's id.
    pub provider: String,
    /// May it be asked?
    pub enabled: bool,
    /// The models that are offered, by their names there; `None`: all.
    pub models: Option<Vec<String>>,
    /// The id of who set it.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

impl Store {
    /// Keeps what is set about a provider, in the place of what was.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_provider_settings(
        &self,
        row: &ProviderSettingsRow,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        query(
            "INSERT INTO provider_settings (tenant_id, provider, enabled, models_json, updated_by, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant_id, provider) DO UPDATE SET enabled = excluded.enabled,
                 models_json = excluded.models_json, updated_by = excluded.updated_by,
                 updated_at = excluded.updated_at",
        )
        .bind(&row.tenant)
        .bind(&row.provider)
        .bind(Some(row.enabled))
        .bind(list_json(row.models.as_deref())?)
        .bind(&row.updated_by)
        .bind(row.updated_at.0)
        .execute(&mut tx)
        .await?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// What is set about a tenant's providers, by provider. There are as many as there are providers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_settings(&self, tenant: &str) -> Result<Vec<ProviderSettingsRow>, StoreError> {
        query(
            "SELECT tenant_id, provider, enabled, models_json, updated_by, updated_at
             FROM provider_settings WHERE tenant_id = $1 ORDER BY provider",
        )
        .bind(tenant)
        .fetch_all(&mut self.read().await?)
        .await?
        .iter()
        .map(row_from)
        .collect()
    }

    /// Forgets what is set about a provider.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_provider_settings(
        &self,
        tenant: &str,
        provider: &str,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("DELETE FROM provider_settings WHERE tenant_id = $1 AND provider = $2")
            .bind(tenant)
            .bind(provider)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("provider"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }
}

fn row_from(row: &Row) -> Result<ProviderSettingsRow, StoreError> {
    Ok(ProviderSettingsRow {
        tenant: row.get("tenant_id")?,
        provider: row.get("provider")?,
        enabled: row.get("enabled")?,
        models: list_from(row, "models_json")?,
        updated_by: row.get("updated_by")?,
        updated_at: Timestamp(row.get("updated_at")?),
    })
}
