//! Accounts: the users who may sign in. The first one takes over the row of local mode's owner.

use goblin_core::account::{Account, LinkKind, Role};
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sessions::{end_sessions_of, fresh_secret};
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// The columns [`account_from`] reads, of `users`.
macro_rules! account_columns {
    () => {
        concat!(
            "users.tenant_id, users.id, users.email, users.email_typed, users.name, users.role, users.disabled_at,
             users.password_hash, users.created_at, ",
            crate::accounts::team_column!()
        )
    };
}
pub(crate) use account_columns;

/// The column [`teams_from`] reads: the ids of the teams somebody of `users` is in.
macro_rules! team_column {
    () => {
        "(SELECT STRING_AGG(team_members.team_id, ',') FROM team_members
          WHERE team_members.tenant_id = users.tenant_id AND team_members.user_id = users.id) AS teams"
    };
}
pub(crate) use team_column;

/// An account, with what only signing in needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Whose rows they see.
    pub owner: Owner,
    /// What is shown of it.
    pub account: Account,
    /// The address as addresses are compared.
    pub email: String,
    /// argon2id, as PHC text; `None`: no password signs in.
    pub password_hash: Option<String>,
    /// The ids of the teams they are in.
    pub teams: Vec<String>,
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The address as addresses are compared.
    pub email: String,
    /// The address as it was typed.
    pub email_typed: String,
    /// What they are called.
    pub name: Option<String>,
    /// argon2id, as PHC text; `None`: no password signs in.
    pub password_hash: Option<String>,
}

/// Changes to an account. `None` leaves as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// What they may do from now on.
    pub role: Option<Role>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

/// A password to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword<'a> {
    /// argon2id, as PHC text.
    pub hash: &'a str,
    /// The session that stays, and the hash of its secret from now on (`None`: it stays).
    pub keep: Option<(&'a str, Option<&'a str>)>,
}

impl Store {
    /// Is there an account at all?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_account(&self) -> Result<bool, StoreError> {
        let row = query(
            "SELECT COUNT(*) AS found FROM (SELECT 1 FROM users WHERE email IS NOT NULL LIMIT 1) AS one",
        )
        .fetch_one(&mut self.read().await?)
        .await?;
        Ok(row.get::<i64>("found")? > 0)
    }

    /// The account of an address, as addresses are compared.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_account_by_email(&self, email: &str) -> Result<Option<AccountRow>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            account_columns!(),
            " FROM users WHERE email = $1"
        ))
        .bind(email)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(account_from).transpose()
    }

    /// The account of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_account(&self, owner: &Owner) -> Result<Option<AccountRow>, StoreError> {
        fetch_account(&mut self.read().await?, owner).await
    }

    /// The owner who has been there longest and is not shut out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_first_owner(&self, tenant: &str) -> Result<Option<AccountRow>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            account_columns!(),
            " FROM users
             WHERE tenant_id = $1 AND email IS NOT NULL AND role = 'owner' AND disabled_at IS NULL
             ORDER BY created_at, id LIMIT 1"
        ))
        .bind(tenant)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(account_from).transpose()
    }

    /// A tenant's accounts, newest first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_accounts(
        &self,
        tenant: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Account>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(concat!(
            "SELECT ",
            account_columns!(),
            " FROM users
             WHERE tenant_id = $1 AND email IS NOT NULL AND (created_at, id) < ($2, $3)
             ORDER BY created_at DESC, id DESC LIMIT $4"
        ))
        .bind(tenant)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows
            .iter()
            .map(|row| account_from(row).map(|found| found.account))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |account| Cursor {
            at: account.created_at,
            id: account.id.clone(),
        }))
    }

    /// Makes the first account, an owner's: the row of local mode's owner becomes theirs, with everything made before.
    /// Every set-up link ends. Of several that try at once, one succeeds.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when there is an account.
    pub async fn insert_first_account(
        &self,
        new: &NewAccount,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let (owner, now) = (Owner::local(), self.now());
        let mut tx = self.begin_write().await?;
        let done = query(
            "UPDATE users SET email = $3, email_typed = $4, name = $5, password_hash = $6, password_changed_at = $7,
                              role = 'owner', created_at = $7
             WHERE tenant_id = $1 AND id = $2 AND email IS NULL
               AND NOT EXISTS (SELECT 1 FROM users AS other WHERE other.email IS NOT NULL)",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&new.email)
        .bind(&new.email_typed)
        .bind(new.name.as_deref().map(storable))
        .bind(&new.password_hash)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Taken("first account"));
        }
        query("UPDATE links SET revoked_at = $1 WHERE kind = 'setup' AND used_at IS NULL AND revoked_at IS NULL")
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        self.append_audit(&mut tx, audit).await?;
        let made = fetch_account(&mut tx, &owner)
            .await?
            .ok_or(StoreError::NotFound("user"))?;
        tx.commit().await?;
        Ok(made)
    }

    /// Makes an account in a tenant, with a role.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the address has an account.
    pub async fn insert_account(
        &self,
        tenant: &str,
        role: Role,
        new: &NewAccount,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let mut tx = self.begin_write().await?;
        let owner = self.insert_account_row(&mut tx, tenant, role, new).await?;
        let made = self.noted(&mut tx, &owner, audit).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Makes the account an invitation is for: its link is used up, its role and tenant hold, and where it names an
    /// address, so does that.
    ///
    /// # Errors
    /// [`StoreError::LinkOver`] when the link is not good, [`StoreError::Taken`] when the address has an account: then
    /// the link is not used up.
    pub async fn insert_invited_account(
        &self,
        secret_hash: &str,
        new: &NewAccount,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let used = use_link(&mut tx, LinkKind::Invitation, secret_hash, now)
            .await?
            .ok_or(StoreError::LinkOver)?;
        let role = used.role.ok_or(StoreError::LinkOver)?;
        if used.email.is_some_and(|email| email != new.email) {
            return Err(StoreError::LinkOver);
        }
        let owner = self
            .insert_account_row(&mut tx, &used.owner.tenant, role, new)
            .await?;
        let made = self.noted(&mut tx, &owner, audit).await?;
        tx.commit().await?;
        Ok(made)
    }

    pub(crate) async fn insert_account_row(
        &self,
        tx: &mut Link,
        tenant: &str,
        role: Role,
        new: &NewAccount,
    ) -> Result<Owner, StoreError> {
        let owner = Owner {
            tenant: tenant.to_owned(),
            user: self.next_id(),
        };
        let done = query(
            "INSERT INTO users (id, tenant_id, email, email_typed, name, password_hash, password_changed_at, role,
                                created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7) ON CONFLICT (email) DO NOTHING",
        )
        .bind(&owner.user)
        .bind(&owner.tenant)
        .bind(&new.email)
        .bind(&new.email_typed)
        .bind(new.name.as_deref().map(storable))
        .bind(&new.password_hash)
        .bind(self.now().0)
        .bind(role.as_str())
        .execute(tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Taken("e-mail address"));
        }
        Ok(owner)
    }

    /// The account as it now is, and its making written down as its own doing.
    pub(crate) async fn noted(
        &self,
        tx: &mut Link,
        owner: &Owner,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let audit = NewAudit {
            owner: owner.clone(),
            ..audit.clone()
        };
        self.append_audit(tx, &audit).await?;
        fetch_account(tx, owner)
            .await?
            .ok_or(StoreError::NotFound("user"))
    }

    /// Changes what an account may do. Its sessions end, and when it may do less, or nothing, so do the invitations it
    /// made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::LastOwner`] when nobody would be left who may do everything.
    pub async fn update_account(
        &self,
        owner: &Owner,
        change: AccountChange,
        audit: &NewAudit,
    ) -> Result<Account, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let (old, is_last_owner) = lock_with_owners(&mut tx, owner).await?;
        let old = old.account;
        let role = change.role.unwrap_or(old.role);
        let disabled_at = match change.disabled {
            None => old.disabled_at,
            Some(false) => None,
            Some(true) => old.disabled_at.or(Some(now)),
        };
        let stays_owner = role == Role::Owner && disabled_at.is_none();
        if is_last_owner && !stays_owner {
            return Err(StoreError::LastOwner);
        }
        if (role, disabled_at) == (old.role, old.disabled_at) {
            tx.rollback().await?;
            return Ok(old);
        }
        query("UPDATE users SET role = $3, disabled_at = $4 WHERE tenant_id = $1 AND id = $2")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(role.as_str())
            .bind(disabled_at.map(|at| at.0))
            .execute(&mut tx)
            .await?;
        end_sessions_of(&mut tx, owner, None, now).await?;
        if role < old.role || disabled_at.is_some() {
            query(
                "UPDATE links SET revoked_at = $3
                 WHERE tenant_id = $1 AND user_id = $2 AND used_at IS NULL AND revoked_at IS NULL",
            )
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(Account {
            role,
            disabled_at,
            ..old
        })
    }

    /// Changes what somebody is called; `None`: nothing but their address.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_account_name(
        &self,
        owner: &Owner,
        name: Option<&str>,
        audit: &NewAudit,
    ) -> Result<Account, StoreError> {
        let mut tx = self.begin_write().await?;
        query("UPDATE users SET name = $3 WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(name.map(storable).as_deref())
            .execute(&mut tx)
            .await?;
        let row = fetch_account(&mut tx, owner).await?;
        let row = row.ok_or(StoreError::NotFound("user"))?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(row.account)
    }

    /// Sets another password; every session but the one that stays ends, and so do open links to set another one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_password(
        &self,
        owner: &Owner,
        new: &NewPassword<'_>,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        set_password(&mut tx, owner, new.hash, now).await?;
        end_sessions_of(&mut tx, owner, new.keep.map(|(id, _)| id), now).await?;
        if let Some((id, Some(secret_hash))) = new.keep {
            fresh_secret(&mut tx, id, secret_hash).await?;
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Sets another password by a link, which is used up; every session ends. Returns whose it is.
    ///
    /// # Errors
    /// [`StoreError::LinkOver`] when the link is not good, or the account is shut out.
    pub async fn update_password_by_link(
        &self,
        secret_hash: &str,
        hash: &str,
        audit: &NewAudit,
    ) -> Result<AccountRow, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let used = use_link(&mut tx, LinkKind::Reset, secret_hash, now)
            .await?
            .ok_or(StoreError::LinkOver)?;
        let owner = used.owner;
        let found = fetch_account(&mut tx, &owner).await?;
        if found.is_none_or(|found| found.account.disabled_at.is_some()) {
            return Err(StoreError::LinkOver);
        }
        set_password(&mut tx, &owner, hash, now).await?;
        end_sessions_of(&mut tx, &owner, None, now).await?;
        let found = self.noted(&mut tx, &owner, audit).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Notes that an address is its owner's, by a link that was sent there, which is used up.
    ///
    /// # Errors
    /// [`StoreError::LinkOver`] when the link is not good, the account is shut out, or has another address now.
    pub async fn verify_email_by_link(&self, secret_hash: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let used = use_link(&mut tx, LinkKind::Verification, secret_hash, now)
            .await?
            .ok_or(StoreError::LinkOver)?;
        let done = query(
            "UPDATE users SET email_verified_at = $4
             WHERE tenant_id = $1 AND id = $2 AND email = $3 AND disabled_at IS NULL",
        )
        .bind(&used.owner.tenant)
        .bind(&used.owner.user)
        .bind(&used.email)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::LinkOver);
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Keeps the same password hashed anew, unless another one was set meanwhile.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_password_hash(&self, owner: &Owner, old: &str, new: &str) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("UPDATE users SET password_hash = $4 WHERE tenant_id = $1 AND id = $2 AND password_hash = $3")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(old)
            .bind(new)
            .execute(&mut link)
            .await?;
        link.commit().await
    }
}

async fn set_password(tx: &mut Link, owner: &Owner, hash: &str, now: Timestamp) -> Result<(), StoreError> {
    let done = query(
        "UPDATE users SET password_hash = $3, password_changed_at = $4
         WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL",
    )
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(hash)
    .bind(now.0)
    .execute(tx)
    .await?;
    if done == 0 {
        return Err(StoreError::NotFound("user"));
    }
    query(
        "UPDATE links SET revoked_at = $3
         WHERE tenant_id = $1 AND user_id = $2 AND kind = 'reset' AND used_at IS NULL AND revoked_at IS NULL",
    )
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// A link just used up.
pub(crate) struct UsedLink {
    /// Whose it was; of an invitation, who invites.
    pub(crate) owner: Owner,
    /// For whom.
    pub(crate) email: Option<String>,
    /// As what.
    pub(crate) role: Option<Role>,
}

impl UsedLink {
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            owner: Owner {
                tenant: row.get("tenant_id")?,
                user: row.get("user_id")?,
            },
            email: row.get("email")?,
            role: row
                .get::<Option<String>>("role")?
                .as_deref()
                .and_then(Role::parse),
        })
    }
}

/// Uses a link up, when it is good; of several that try at once, one succeeds.
async fn use_link(
    tx: &mut Link,
    kind: LinkKind,
    secret_hash: &str,
    now: Timestamp,
) -> Result<Option<UsedLink>, StoreError> {
    let row = query(
        "UPDATE links SET used_at = $3
         WHERE secret_hash = $1 AND kind = $2 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3
         RETURNING tenant_id, user_id, email, role",
    )
    .bind(secret_hash)
    .bind(kind.as_str())
    .bind(now.0)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(UsedLink::from_row).transpose()
}

/// An account, locked together with its tenant's owners, so that of two owners who let each other out at once one stays;
/// and whether it is the last of them.
///
/// # Errors
/// [`StoreError::NotFound`].
pub(crate) async fn lock_with_owners(tx: &mut Link, owner: &Owner) -> Result<(AccountRow, bool), StoreError> {
    let owners = query(
        "SELECT id FROM users WHERE tenant_id = $1 AND role = 'owner' AND disabled_at IS NULL ORDER BY id",
    )
    .bind(&owner.tenant)
    .locking()
    .fetch_all(tx)
    .await?;
    let row = query(concat!(
        "SELECT ",
        account_columns!(),
        " FROM users WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL"
    ))
    .bind(&owner.tenant)
    .bind(&owner.user)
    .locking()
    .fetch_optional(tx)
    .await?;
    let row = account_from(&row.ok_or(StoreError::NotFound("user"))?)?;
    let is_owner = row.account.role == Role::Owner && row.account.disabled_at.is_none();
    Ok((row, is_owner && owners.len() < 2))
}

async fn fetch_account(link: &mut Link, owner: &Owner) -> Result<Option<AccountRow>, StoreError> {
    let row = query(concat!(
        "SELECT ",
        account_columns!(),
        " FROM users WHERE tenant_id = $1 AND id = $2 AND email IS NOT NULL"
    ))
    .bind(&owner.tenant)
    .bind(&owner.user)
    .fetch_optional(link)
    .await?;
    row.as_ref().map(account_from).transpose()
}

pub(crate) fn account_from(row: &Row) -> Result<AccountRow, StoreError> {
    let id: String = row.get("id")?;
    let role: Option<String> = row.get("role")?;
    let role = role
        .as_deref()
        .and_then(Role::parse)
        .ok_or_else(|| StoreError::Unreadable("users.role".to_owned()))?;
    let password_hash: Option<String> = row.get("password_hash")?;
    Ok(AccountRow {
        owner: Owner {
            tenant: row.get("tenant_id")?,
            user: id.clone(),
        },
        email: row.get("email")?,
        account: Account {
            id,
            email: row.get("email_typed")?,
            name: row.get("name")?,
            role,
            disabled_at: row.get::<Option<i64>>("disabled_at")?.map(Timestamp),
            has_password: password_hash.is_some(),
            created_at: Timestamp(row.get("created_at")?),
        },
        password_hash,
        teams: teams_from(row)?,
    })
}

pub(crate) fn teams_from(row: &Row) -> Result<Vec<String>, StoreError> {
    let all: Option<String> = row.get("teams")?;
    Ok(all
        .map(|all| all.split(',').map(str::to_owned).collect())
        .unwrap_or_default())
}
