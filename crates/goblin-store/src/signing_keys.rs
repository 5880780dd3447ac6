//! What access tokens are signed with, sealed, where no key comes from the environment: standby → current → previous →
//! revoked.

use goblin_core::clock::Timestamp;

use crate::error::StoreError;
use crate::provider_keys::{Envelope, envelope_from};
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// How far a signing key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Signs next; its tokens are accepted already.
    Standby,
    /// Signs.
    Current,
    /// Signed until a rotation; its tokens are accepted until they end.
    Previous,
    /// Taken back: its tokens are refused.
    Revoked,
}

impl KeyState {
    /// The SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Revoked => "revoked",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Standby, Self::Current, Self::Previous, Self::Revoked]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// A signing key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its `kid`.
    pub id: String,
    /// How far it has come.
    pub state: KeyState,
    /// The key, sealed.
    pub envelope: Envelope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came into this state.
    pub changed_at: Timestamp,
}

/// A signing key to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigningKey {
    /// Its `kid`.
    pub id: String,
    /// The key, sealed.
    pub envelope: Envelope,
}

impl Store {
    /// Every signing key, the one that signs first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_signing_keys(&self) -> Result<Vec<SigningKeyRow>, StoreError> {
        list(&mut self.read().await?).await
    }

    /// Keeps the first signing keys, unless there are some: of several copies that start together one does.
    ///
    /// # Errors
    /// When they cannot be saved.
    pub async fn insert_first_signing_keys(
        &self,
        current: &NewSigningKey,
        standby: &NewSigningKey,
    ) -> Result<Vec<SigningKeyRow>, StoreError> {
        let mut tx = self.begin_write().await?;
        lock(&mut tx).await?;
        if list(&mut tx).await?.is_empty() {
            self.insert(&mut tx, current, KeyState::Current).await?;
            self.insert(&mut tx, standby, KeyState::Standby).await?;
        }
        let all = list(&mut tx).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// The standby key signs from now on, `standby` waits in its place, and the one that signed until now is previous.
    /// Previous ones from before `forget_before` are removed: no token of theirs is good any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when none waits.
    pub async fn rotate_signing_keys(
        &self,
        standby: &NewSigningKey,
        forget_before: Timestamp,
    ) -> Result<Vec<SigningKeyRow>, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        lock(&mut tx).await?;
        if !list(&mut tx)
            .await?
            .iter()
            .any(|row| row.state == KeyState::Standby)
        {
            return Err(StoreError::NotFound("standby key"));
        }
        query("DELETE FROM signing_keys WHERE state IN ('previous', 'revoked') AND changed_at < $1")
            .bind(forget_before.0)
            .execute(&mut tx)
            .await?;
        for (from, to) in [("current", "previous"), ("standby", "current")] {
            query("UPDATE signing_keys SET state = $2, changed_at = $3 WHERE state = $1")
                .bind(from)
                .bind(to)
                .bind(now.0)
                .execute(&mut tx)
                .await?;
        }
        self.insert(&mut tx, standby, KeyState::Standby).await?;
        let all = list(&mut tx).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// Removes every signing key: no token is good any more.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_signing_keys(&self) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("DELETE FROM signing_keys").execute(&mut link).await?;
        link.commit().await
    }

    /// Takes a previous key back: its tokens are refused from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no previous key of that id.
    pub async fn revoke_signing_key(&self, id: &str) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "UPDATE signing_keys SET state = 'revoked', changed_at = $2 WHERE id = $1 AND state = 'previous'",
        )
        .bind(id)
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        if done == 0 {
            return Err(StoreError::NotFound("previous signing key of this id"));
        }
        Ok(())
    }

    async fn insert(&self, tx: &mut Link, new: &NewSigningKey, state: KeyState) -> Result<(), StoreError> {
        query(
            "INSERT INTO signing_keys (id, state, sealed, sealed_key, master_id, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(&new.id)
        .bind(state.as_str())
        .bind(new.envelope.sealed.clone())
        .bind(new.envelope.sealed_key.clone())
        .bind(&new.envelope.master_id)
        .bind(self.now().0)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Of several that change signing keys, one after the other does: all change the local tenant's row first.
async fn lock(tx: &mut Link) -> Result<(), StoreError> {
    query("SELECT id FROM tenants WHERE id = 'local'")
        .locking()
        .fetch_optional(tx)
        .await?;
    Ok(())
}

pub(crate) async fn list(link: &mut Link) -> Result<Vec<SigningKeyRow>, StoreError> {
    let rows =
        query("SELECT id, state, sealed, sealed_key, master_id, created_at, changed_at FROM signing_keys")
            .fetch_all(link)
            .await?;
    let mut all = rows.iter().map(row_from).collect::<Result<Vec<_>, _>>()?;
    let place = |state: KeyState| match state {
        KeyState::Current => 0,
        KeyState::Standby => 1,
        KeyState::Previous => 2,
        KeyState::Revoked => 3,
    };
    all.sort_by(|a, b| (place(a.state), b.changed_at, &a.id).cmp(&(place(b.state), a.changed_at, &b.id)));
    Ok(all)
}

fn row_from(row: &Row) -> Result<SigningKeyRow, StoreError> {
    let state: String = row.get("state")?;
    Ok(SigningKeyRow {
        id: row.get("id")?,
        state: KeyState::parse(&state)
            .ok_or_else(|| StoreError::Unreadable(format!("signing_keys.state: {state}")))?,
        envelope: envelope_from(row)?,
        created_at: Timestamp(row.get("created_at")?),
        changed_at: Timestamp(row.get("changed_at")?),
    })
}
