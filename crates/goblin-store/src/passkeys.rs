//! Passkeys, and the ceremonies under way by which they are made and used. What a credential holds is `goblin-auth`'s to
//! say; here it is a text.

use goblin_core::account::Passkey;
use goblin_core::clock::Timestamp;
use goblin_core::owner::Owner;

use crate::accounts::{AccountRow, account_columns, account_from};
use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::error::StoreError;
use crate::identities::{lock_account, ways_into};
use crate::sql::{Row, query};
use crate::store::Store;

/// Most passkeys of one account.
pub const MAX_PASSKEYS: i64 = 20;
/// Most ceremonies under way at once, of everybody.
const MAX_CEREMONIES: i64 = 10_000;

/// The columns [`passkey_from`] reads, of `passkeys`.
macro_rules! passkey_columns {
    () => {
        "passkeys.id AS passkey_id, passkeys.credential_id, passkeys.user_handle, passkeys.host,
         passkeys.name AS passkey_name, passkeys.credential_json, passkeys.created_at AS made_at, passkeys.used_at,
         passkeys.copied_at"
    };
}

/// A passkey to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// The credential's id, as base64url.
    pub credential_id: String,
    /// What the authenticator knows the account by.
    pub user_handle: String,
    /// The host it is bound to.
    pub host: String,
    /// What its owner calls it.
    pub name: String,
    /// Public key, counter and flags.
    pub credential_json: String,
}

/// A passkey as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// What its owner sees of it.
    pub passkey: Passkey,
    /// The credential's id, as base64url.
    pub credential_id: String,
    /// What the authenticator knows the account by.
    pub user_handle: String,
    /// Public key, counter and flags.
    pub credential_json: String,
}

/// A ceremony under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceremony {
    /// Who makes a passkey; of a sign-in the local owner.
    pub owner: Owner,
    /// The sign-in by which somebody makes a passkey; `None`: somebody signs in.
    pub session: Option<String>,
    /// Of a passkey to be made: what the authenticator is to know the account by.
    pub user_handle: Option<String>,
    /// The challenge, and what else the answer is held against.
    pub state_json: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Store {
    /// Keeps a ceremony that begins. Those that are over are removed.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when too many are under way.
    pub async fn insert_ceremony(&self, secret_hash: &str, ceremony: &Ceremony) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        query("DELETE FROM passkey_ceremonies WHERE expires_at <= $1")
            .bind(self.now().0)
            .execute(&mut tx)
            .await?;
        let open = query("SELECT COUNT(*) AS found FROM passkey_ceremonies")
            .fetch_one(&mut tx)
            .await?;
        if open.get::<i64>("found")? >= MAX_CEREMONIES {
            return Err(StoreError::Busy);
        }
        query(
            "INSERT INTO passkey_ceremonies (secret_hash, tenant_id, user_id, session_id, user_handle, state_json,
                                             expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(secret_hash)
        .bind(&ceremony.owner.tenant)
        .bind(&ceremony.owner.user)
        .bind(&ceremony.session)
        .bind(&ceremony.user_handle)
        .bind(&ceremony.state_json)
        .bind(ceremony.expires_at.0)
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// Takes a ceremony that is answered: of several that try at once, one gets it. `None` when it never began, is over
    /// or was taken.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn take_ceremony(&self, secret_hash: &str) -> Result<Option<Ceremony>, StoreError> {
        let mut link = self.write().await?;
        let row = query(
            "DELETE FROM passkey_ceremonies WHERE secret_hash = $1 AND expires_at > $2
             RETURNING tenant_id, user_id, session_id, user_handle, state_json, expires_at",
        )
        .bind(secret_hash)
        .bind(self.now().0)
        .fetch_optional(&mut link)
        .await?;
        link.commit().await?;
        row.map(|row| {
            Ok(Ceremony {
                owner: owner_from(&row)?,
                session: row.get("session_id")?,
                user_handle: row.get("user_handle")?,
                state_json: row.get("state_json")?,
                expires_at: Timestamp(row.get("expires_at")?),
            })
        })
        .transpose()
    }

    /// Removes ceremonies nobody answered in time. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_ended_ceremonies(&self) -> Result<u64, StoreError> {
        let mut link = self.write().await?;
        let done = query("DELETE FROM passkey_ceremonies WHERE expires_at <= $1")
            .bind(self.now().0)
            .execute(&mut link)
            .await?;
        link.commit().await?;
        Ok(done)
    }

    /// The passkeys of an account, newest first; at most [`MAX_PASSKEYS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_passkeys(&self, owner: &Owner) -> Result<Vec<PasskeyRow>, StoreError> {
        let rows = query(concat!(
            "SELECT ",
            passkey_columns!(),
            " FROM passkeys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(MAX_PASSKEYS)
        .fetch_all(&mut self.read().await?)
        .await?;
        rows.iter().map(passkey_from).collect()
    }

    /// The passkey of a credential's id, and whose it is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_passkey(
        &self,
        credential_id: &str,
    ) -> Result<Option<(PasskeyRow, AccountRow)>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            passkey_columns!(),
            ", ",
            account_columns!(),
            " FROM passkeys JOIN users ON users.tenant_id = passkeys.tenant_id AND users.id = passkeys.user_id
             WHERE passkeys.credential_id = $1 AND users.email IS NOT NULL"
        ))
        .bind(credential_id)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.map(|row| Ok((passkey_from(&row)?, account_from(&row)?)))
            .transpose()
    }

    /// Keeps a passkey of an account.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when it is there already, whoever's; [`StoreError::TooManyPasskeys`].
    pub async fn insert_passkey(
        &self,
        owner: &Owner,
        new: &NewPasskey,
        audit: &NewAudit,
    ) -> Result<Passkey, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        lock_account(&mut tx, owner).await?;
        let kept = query("SELECT COUNT(*) AS found FROM passkeys WHERE tenant_id = $1 AND user_id = $2")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .fetch_one(&mut tx)
            .await?;
        if kept.get::<i64>("found")? >= MAX_PASSKEYS {
            return Err(StoreError::TooManyPasskeys(MAX_PASSKEYS));
        }
        let name = storable(&new.name);
        let done = query(
            "INSERT INTO passkeys (id, tenant_id, user_id, credential_id, user_handle, host, name, credential_json,
                                   created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (credential_id) DO NOTHING",
        )
        .bind(&id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&new.credential_id)
        .bind(&new.user_handle)
        .bind(&new.host)
        .bind(name.as_ref())
        .bind(&new.credential_json)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::Taken("passkey"));
        }
        let audit = NewAudit {
            target: Some(id.clone()),
            ..audit.clone()
        };
        self.append_audit(&mut tx, &audit).await?;
        tx.commit().await?;
        Ok(Passkey {
            id,
            name: name.into_owned(),
            host: new.host.clone(),
            created_at: now,
            used_at: None,
            copied_at: None,
        })
    }

    /// Notes that a passkey was used now, and its counter and flags from now on. Returns whether it was still as in
    /// `before`: of two that are used at once with one counter, one is.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_passkey_used(
        &self,
        before: &PasskeyRow,
        credential_json: &str,
    ) -> Result<bool, StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "UPDATE passkeys SET credential_json = $3, used_at = $4
             WHERE id = $1 AND credential_json = $2 AND copied_at IS NULL",
        )
        .bind(&before.passkey.id)
        .bind(&before.credential_json)
        .bind(credential_json)
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        Ok(done > 0)
    }

    /// Notes that two must have a passkey: it signs nobody in any more. The first time is written down.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_passkey_copied(&self, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query("UPDATE passkeys SET copied_at = $2 WHERE id = $1 AND copied_at IS NULL")
            .bind(id)
            .bind(self.now().0)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return tx.rollback().await;
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Calls a passkey of an account something else.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_passkey_name(
        &self,
        owner: &Owner,
        id: &str,
        name: &str,
        audit: &NewAudit,
    ) -> Result<Passkey, StoreError> {
        let mut tx = self.begin_write().await?;
        query("UPDATE passkeys SET name = $4 WHERE tenant_id = $1 AND user_id = $2 AND id = $3")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(id)
            .bind(storable(name))
            .execute(&mut tx)
            .await?;
        let row = query(concat!(
            "SELECT ",
            passkey_columns!(),
            " FROM passkeys WHERE tenant_id = $1 AND user_id = $2 AND id = $3"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(id)
        .fetch_optional(&mut tx)
        .await?;
        let row = row.ok_or(StoreError::NotFound("passkey"))?;
        let changed = passkey_from(&row)?.passkey;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Takes a passkey away from an account. The last way in goes only when `even_the_last` says so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::LastWayIn`] when nothing would be left to sign in with.
    pub async fn delete_passkey(
        &self,
        owner: &Owner,
        id: &str,
        even_the_last: bool,
        audit: &NewAudit,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let before = ways_into(&mut tx, owner).await?;
        let done = query("DELETE FROM passkeys WHERE tenant_id = $1 AND user_id = $2 AND id = $3")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(id)
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::NotFound("passkey"));
        }
        let is_last = before > 0 && ways_into(&mut tx, owner).await? == 0;
        if is_last && !even_the_last {
            return Err(StoreError::LastWayIn);
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }
}

fn owner_from(row: &Row) -> Result<Owner, StoreError> {
    Ok(Owner {
        tenant: row.get("tenant_id")?,
        user: row.get("user_id")?,
    })
}

fn passkey_from(row: &Row) -> Result<PasskeyRow, StoreError> {
    let time = |column| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.map(Timestamp))
    };
    Ok(PasskeyRow {
        passkey: Passkey {
            id: row.get("passkey_id")?,
            name: row.get("passkey_name")?,
            host: row.get("host")?,
            created_at: Timestamp(row.get("made_at")?),
            used_at: time("used_at")?,
            copied_at: time("copied_at")?,
        },
        credential_id: row.get("credential_id")?,
        user_handle: row.get("user_handle")?,
        credential_json: row.get("credential_json")?,
    })
}
