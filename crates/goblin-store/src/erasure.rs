//! Somebody goes: their account at once, everything else of them a piece at a time.
//!
//! The account's row stays as an empty one: a random id on which tokens and times are booked, and which the audit log
//! names. Nothing is left that says whose it was. What other requests still write for that id (an answer that was
//! running, a trace on its way) is removed when [`Store::erase_gone`] comes by again.

use goblin_core::account::Account;
use goblin_core::owner::Owner;

use crate::accounts::lock_with_owners;
use crate::attachments::delete_attachments_of;
use crate::audit::NewAudit;
use crate::error::StoreError;
use crate::personal::{Fate, PERSONAL, Personal};
use crate::sql::{Link, Query, query};
use crate::store::Store;

/// Most rows removed by one statement.
const PIECE: i64 = 500;
/// Most chats looked up at once.
const CHATS: i64 = 20;
/// For how long after somebody went late rows are looked for, in milliseconds.
const LATE_MS: i64 = 2 * 86_400_000;

impl Store {
    /// Ends an account: nobody signs in as them any more, their sign-ins and links are gone, and so is their place in
    /// teams. Everything else of them is erased by [`Self::erase`]. What they were linked with at `elsewhere`, an issuer that
    /// belongs to the operator, is written down to be removed there. Returns the account as it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::LastOwner`] when nobody would be left who may do everything.
    pub async fn delete_account(
        &self,
        owner: &Owner,
        elsewhere: Option<&str>,
        audit: &NewAudit,
    ) -> Result<Account, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let (old, is_last_owner) = lock_with_owners(&mut tx, owner).await?;
        if is_last_owner {
            return Err(StoreError::LastOwner);
        }
        if let Some(issuer) = elsewhere {
            query(
                "INSERT INTO leaving_elsewhere (issuer, subject, asked_at, tries)
                 SELECT issuer, subject, $4, 0 FROM identities WHERE tenant_id = $1 AND user_id = $2 AND issuer = $3
                 ON CONFLICT (issuer, subject) DO NOTHING",
            )
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(issuer)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        }
        for one in PERSONAL.iter().filter(|one| one.fate == Fate::AtOnce) {
            remove(&mut tx, one, owner, i64::MAX).await?;
        }
        query("DELETE FROM links WHERE tenant_id = $1 AND email = $2")
            .bind(&owner.tenant)
            .bind(&old.email)
            .execute(&mut tx)
            .await?;
        query(
            "UPDATE users SET name = NULL, email = NULL, email_typed = NULL, email_verified_at = NULL,
                              password_hash = NULL, password_changed_at = NULL, role = NULL, disabled_at = $3,
                              deleted_at = $3
             WHERE tenant_id = $1 AND id = $2",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(old.account)
    }

    /// Erases everything of somebody whose account was ended, in small pieces. Begun again it goes on where it was.
    ///
    /// # Errors
    /// When it cannot be saved; what was erased before stays erased.
    pub async fn erase(&self, owner: &Owner) -> Result<(), StoreError> {
        self.erase_chats(owner).await?;
        for one in PERSONAL.iter().filter(|one| one.fate != Fate::Anonymised) {
            // Chats and turns are gone by then, but for what came meanwhile.
            if matches!(one.table, "chats" | "turns") {
                continue;
            }
            let mut done = PIECE.unsigned_abs();
            while done >= PIECE.unsigned_abs() {
                let mut link = self.write().await?;
                done = remove(&mut link, one, owner, PIECE).await?;
                link.commit().await?;
            }
        }
        while self.anonymise_usage(owner).await? > 0 {}
        while self.erase_audit_of(owner, PIECE).await? > 0 {}
        let mut link = self.write().await?;
        query(
            "UPDATE users SET erased_at = $3
             WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NOT NULL AND erased_at IS NULL",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .execute(&mut link)
        .await?;
        link.commit().await
    }

    /// Erases what is left of all who have gone: where it was given up in the middle, and what was written late.
    /// Returns of how many.
    ///
    /// # Errors
    /// As [`Self::erase`].
    pub async fn erase_gone(&self) -> Result<u64, StoreError> {
        let rows = query(
            "SELECT tenant_id, id FROM users
             WHERE deleted_at IS NOT NULL AND (erased_at IS NULL OR deleted_at >= $1) ORDER BY tenant_id, id",
        )
        .bind(self.now().plus_ms(-LATE_MS).0)
        .fetch_all(&mut self.read().await?)
        .await?;
        for row in &rows {
            let owner = Owner {
                tenant: row.get("tenant_id")?,
                user: row.get("id")?,
            };
            self.erase(&owner).await?;
        }
        Ok(rows.len() as u64)
    }

    async fn erase_chats(&self, owner: &Owner) -> Result<(), StoreError> {
        loop {
            let rows = query("SELECT id FROM chats WHERE tenant_id = $1 AND user_id = $2 LIMIT $3")
                .bind(&owner.tenant)
                .bind(&owner.user)
                .bind(CHATS)
                .fetch_all(&mut self.read().await?)
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.remove_chat(row.get("id")?).await?;
            }
        }
    }

    /// Removes a chat for good, with its turns, their files and what was said of them.
    pub(crate) async fn remove_chat(&self, id: String) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        delete_attachments_of(&mut tx, id.clone()).await?;
        query("DELETE FROM turns WHERE chat_id = $1")
            .bind(&id)
            .execute(&mut tx)
            .await?;
        query("DELETE FROM chats WHERE id = $1")
            .bind(&id)
            .execute(&mut tx)
            .await?;
        tx.commit().await
    }

    /// What was used stays booked, on an id that is nobody's any more; a request's id may have been chosen by whoever
    /// sent it.
    async fn anonymise_usage(&self, owner: &Owner) -> Result<u64, StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "UPDATE usage SET request_id = '', turn_id = NULL
             WHERE id IN (SELECT id FROM usage WHERE tenant_id = $1 AND user_id = $2
                          AND (request_id <> '' OR turn_id IS NOT NULL) LIMIT $3)",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(PIECE)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        Ok(done)
    }
}

/// Removes at most `limit` rows of somebody from a table. Names are the list's, never a caller's.
async fn remove(link: &mut Link, one: &Personal, owner: &Owner, limit: i64) -> Result<u64, StoreError> {
    let Personal { table, id, .. } = one;
    Query::made(format!(
        "DELETE FROM {table} WHERE tenant_id = $1 AND user_id = $2
         AND {id} IN (SELECT {id} FROM {table} WHERE tenant_id = $1 AND user_id = $2 LIMIT $3)"
    ))
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(limit)
    .execute(link)
    .await
}
