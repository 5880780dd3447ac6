//! Sign-ins by others: whose account an issuer's subject is, and accounts made for somebody an issuer vouches for.

use goblin_core::account::{LinkKind, LinkedIdentity, Role};
use goblin_core::clock::Timestamp;
use goblin_core::owner::Owner;

use crate::accounts::{AccountRow, NewAccount, UsedLink, account_columns, account_from};
use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// Most identities of one account.
pub const MAX_IDENTITIES: i64 = 20;

/// Somebody, as an issuer knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// Who vouches, as it writes itself.
    pub issuer: String,
    /// Whom it means.
    pub subject: String,
    /// The address it says they have.
    pub email: Option<String>,
}

/// By what somebody is taken in who has no account yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn<'a> {
    /// By an invitation for their address: it is used up, and its role and tenant hold.
    ByInvitation,
    /// Everybody is: into this tenant, as this.
    Openly {
        /// The tenant.
        tenant: &'a str,
        /// What they may do.
        role: Role,
    },
}

impl Store {
    /// The account of an issuer's subject.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_account_by_identity(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<AccountRow>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            account_columns!(),
            " FROM identities
             JOIN users ON users.tenant_id = identities.tenant_id AND users.id = identities.user_id
             WHERE identities.issuer = $1 AND identities.subject = $2 AND users.email IS NOT NULL"
        ))
        .bind(issuer)
        .bind(subject)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(account_from).transpose()
    }

    /// Notes that an identity was used now, and the address its issuer says it has.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_identity_used(&self, seen: &NewIdentity) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("UPDATE identities SET used_at = $3, email = $4 WHERE issuer = $1 AND subject = $2")
            .bind(&seen.issuer)
            .bind(&seen.subject)
            .bind(self.now().0)
            .bind(seen.email.as_deref().map(storable))
            .execute(&mut link)
            .await?;
        link.commit().await
    }

    /// The identities of an account, newest first; at most [`MAX_IDENTITIES`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_identities(&self, owner: &Owner) -> Result<Vec<LinkedIdentity>, StoreError> {
        let rows = query(
            "SELECT id, issuer, email, created_at, used_at FROM identities
             WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(MAX_IDENTITIES)
        .fetch_all(&mut self.read().await?)
        .await?;
        rows.iter().map(identity_from).collect()
    }

    /// Links an identity to an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when it is somebody's already, this account's or another's;
    /// [`StoreError::TooManyIdentities`].
    pub async fn insert_identity(
        &self,
        owner: &Owner,
        new: &NewIdentity,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        lock_account(&mut tx, owner).await?;
        if count_identities(&mut tx, owner).await? >= MAX_IDENTITIES {
            return Err(StoreError::TooManyIdentities(MAX_IDENTITIES));
        }
        self.insert_identity_row(&mut tx, owner, new).await?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Takes an identity away from an account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::LastWayIn`] when no password and no other identity would be left.
    pub async fn delete_identity(&self, owner: &Owner, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let has_password = lock_account(&mut tx, owner).await?;
        if !has_password && count_identities(&mut tx, owner).await? < 2 {
            return Err(StoreError::LastWayIn);
        }
        let done = query("DELETE FROM identities WHERE tenant_id = $1 AND user_id = $2 AND id = $3")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(id)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("identity"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Makes an account for an identity whose issuer says that the address of `new` is theirs.
    ///
    /// # Errors
    /// [`StoreError::LinkOver`] when there is no invitation for it that is good, [`StoreError::Taken`] when the address
    /// or the identity has an account.
    pub async fn insert_vouched_account(
        &self,
        taken_in: TakenIn<'_>,
        new: &NewAccount,
        identity: &NewIdentity,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let (tenant, role) = match taken_in {
            TakenIn::Openly { tenant, role } => (tenant.to_owned(), role),
            TakenIn::ByInvitation => {
                let used = use_invitation_for(&mut tx, &new.email, now).await?;
                let used = used.ok_or(StoreError::LinkOver)?;
                (used.owner.tenant, used.role.ok_or(StoreError::LinkOver)?)
            }
        };
        let owner = self.insert_account_row(&mut tx, &tenant, role, new).await?;
        query("UPDATE users SET email_verified_at = $3 WHERE tenant_id = $1 AND id = $2")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        self.insert_identity_row(&mut tx, &owner, identity).await?;
        let made = self.noted(&mut tx, &owner, audit).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn insert_identity_row(
        &self,
        tx: &mut Link,
        owner: &Owner,
        new: &NewIdentity,
    ) -> Result<(), StoreError> {
        let done = query(
            "INSERT INTO identities (id, tenant_id, user_id, issuer, subject, email, created_at, used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(self.next_id())
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&new.issuer)
        .bind(&new.subject)
        .bind(new.email.as_deref().map(storable))
        .bind(self.now().0)
        .execute(tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Taken("identity"));
        }
        Ok(())
    }
}

/// Makes whoever changes the ways into an account wait for each other. Says whether it has a password.
async fn lock_account(tx: &mut Link, owner: &Owner) -> Result<bool, StoreError> {
    let row = query("SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL")
        .bind(&owner.tenant)
        .bind(&owner.user)
        .locking()
        .fetch_optional(tx)
        .await?
        .ok_or(StoreError::NotFound("user"))?;
    Ok(row.get::<Option<String>>("password_hash")?.is_some())
}

async fn count_identities(tx: &mut Link, owner: &Owner) -> Result<i64, StoreError> {
    let row = query("SELECT COUNT(*) AS found FROM identities WHERE tenant_id = $1 AND user_id = $2")
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_one(tx)
        .await?;
    row.get("found")
}

/// Uses up the newest invitation for an address that is good; of several that try at once, one succeeds.
async fn use_invitation_for(
    tx: &mut Link,
    email: &str,
    now: Timestamp,
) -> Result<Option<UsedLink>, StoreError> {
    let row = query(
        "UPDATE links SET used_at = $3
         WHERE used_at IS NULL AND revoked_at IS NULL AND id =
               (SELECT id FROM links
                WHERE kind = $1 AND email = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
                ORDER BY created_at DESC, id DESC LIMIT 1)
         RETURNING tenant_id, user_id, email, role",
    )
    .bind(LinkKind::Invitation.as_str())
    .bind(email)
    .bind(now.0)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(UsedLink::from_row).transpose()
}

fn identity_from(row: &Row) -> Result<LinkedIdentity, StoreError> {
    Ok(LinkedIdentity {
        id: row.get("id")?,
        issuer: row.get("issuer")?,
        email: row.get("email")?,
        created_at: Timestamp(row.get("created_at")?),
        used_at: Timestamp(row.get("used_at")?),
    })
}
