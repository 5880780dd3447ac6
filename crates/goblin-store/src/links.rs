//! Links good for one use: for the first account, invitations, another password. Secrets are kept as hashes only.

use goblin_core::account::{Invitation, LinkKind, Role};
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::audit::NewAudit;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Row, query};
use crate::store::Store;

/// A link to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// What it is good for.
    pub kind: LinkKind,
    /// SHA-256, as hex, of its secret.
    pub secret_hash: String,
    /// Of an invitation: for whom, as addresses are compared; `None`: for whoever has it.
    pub email: Option<String>,
    /// Of an invitation: as what.
    pub role: Option<Role>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A link that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodLink {
    /// Whose account it is about; of an invitation, who invites.
    pub owner: Owner,
    /// What it is good for.
    pub kind: LinkKind,
    /// Of an invitation: for whom.
    pub email: Option<String>,
    /// Of an invitation: as what.
    pub role: Option<Role>,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a link of the owner's account and returns its id. Of other kinds than invitations there is one at a time:
    /// those before end.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_link(
        &self,
        owner: &Owner,
        new: &NewLink,
        audit: &NewAudit,
    ) -> Result<String, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        if new.kind != LinkKind::Invitation {
            query(
                "UPDATE links SET revoked_at = $4
                 WHERE tenant_id = $1 AND user_id = $2 AND kind = $3 AND used_at IS NULL AND revoked_at IS NULL",
            )
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(new.kind.as_str())
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        }
        query(
            "INSERT INTO links (id, tenant_id, user_id, kind, secret_hash, email, role, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(new.kind.as_str())
        .bind(&new.secret_hash)
        .bind(&new.email)
        .bind(new.role.map(Role::as_str))
        .bind(now.0)
        .bind(new.expires_at.0)
        .execute(&mut tx)
        .await?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The link of a secret, when it is good.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_link(&self, secret_hash: &str) -> Result<Option<GoodLink>, StoreError> {
        let row = query(
            "SELECT tenant_id, user_id, kind, email, role, expires_at FROM links
             WHERE secret_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
        )
        .bind(secret_hash)
        .bind(self.now().0)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(link_from).transpose()
    }

    /// Was a link of a kind made for the owner's account since then, good or not?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_link_since(
        &self,
        owner: &Owner,
        kind: LinkKind,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = query(
            "SELECT COUNT(*) AS found FROM
                 (SELECT 1 FROM links
                  WHERE tenant_id = $1 AND kind = $3 AND user_id = $2 AND created_at > $4 LIMIT 1) AS one",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(kind.as_str())
        .bind(since.0)
        .fetch_one(&mut self.read().await?)
        .await?;
        Ok(row.get::<i64>("found")? > 0)
    }

    /// A tenant's invitations that are good, newest first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_invitations(
        &self,
        tenant: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Invitation>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(
            "SELECT id, user_id, email, role, created_at, expires_at FROM links
             WHERE tenant_id = $1 AND kind = 'invitation' AND used_at IS NULL AND revoked_at IS NULL
               AND expires_at > $2 AND (created_at, id) < ($3, $4)
             ORDER BY created_at DESC, id DESC LIMIT $5",
        )
        .bind(tenant)
        .bind(self.now().0)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(invitation_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |invitation| Cursor {
            at: invitation.created_at,
            id: invitation.id.clone(),
        }))
    }

    /// An invitation of a tenant that is good.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_invitation(&self, tenant: &str, id: &str) -> Result<Option<Invitation>, StoreError> {
        let row = query(
            "SELECT id, user_id, email, role, created_at, expires_at FROM links
             WHERE tenant_id = $1 AND id = $2 AND kind = 'invitation' AND used_at IS NULL AND revoked_at IS NULL
               AND expires_at > $3",
        )
        .bind(tenant)
        .bind(id)
        .bind(self.now().0)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(invitation_from).transpose()
    }

    /// Takes an invitation of a tenant back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id that is good.
    pub async fn end_invitation(&self, tenant: &str, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query(
            "UPDATE links SET revoked_at = $3
             WHERE tenant_id = $1 AND id = $2 AND kind = 'invitation' AND used_at IS NULL AND revoked_at IS NULL
               AND expires_at > $3",
        )
        .bind(tenant)
        .bind(id)
        .bind(self.now().0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::NotFound("invitation"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Removes links that ended more than `keep_ms` milliseconds ago, used or not. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_ended_links(&self, keep_ms: i64) -> Result<u64, StoreError> {
        let mut link = self.write().await?;
        let done = query("DELETE FROM links WHERE expires_at < $1")
            .bind(self.now().plus_ms(-keep_ms).0)
            .execute(&mut link)
            .await?;
        link.commit().await?;
        Ok(done)
    }
}

fn role_of(row: &Row) -> Result<Option<Role>, StoreError> {
    Ok(row
        .get::<Option<String>>("role")?
        .as_deref()
        .and_then(Role::parse))
}

fn link_from(row: &Row) -> Result<GoodLink, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(GoodLink {
        owner: Owner {
            tenant: row.get("tenant_id")?,
            user: row.get("user_id")?,
        },
        kind: LinkKind::parse(&kind).ok_or_else(|| StoreError::Unreadable(format!("links.kind: {kind}")))?,
        email: row.get("email")?,
        role: role_of(row)?,
        expires_at: Timestamp(row.get("expires_at")?),
    })
}

fn invitation_from(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        id: row.get("id")?,
        email: row.get("email")?,
        role: role_of(row)?.ok_or_else(|| StoreError::Unreadable("links.role".to_owned()))?,
        invited_by: row.get("user_id")?,
        created_at: Timestamp(row.get("created_at")?),
        expires_at: Timestamp(row.get("expires_at")?),
    })
}
