//! Sign-ins: rows that end by themselves, are ended, or go on being used. Secrets are kept as hashes only.

use goblin_core::account::{Account, Session, SessionKind};
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;

use crate::accounts::{account_columns, account_from};
use crate::audit::NewAudit;
use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// The columns [`session_from`] reads, of `sessions`.
macro_rules! session_columns {
    () => {
        "sessions.id AS session_id, sessions.kind, sessions.signed_in_by, sessions.address, sessions.device,
         sessions.created_at AS begun_at, sessions.seen_at, sessions.idle_until, sessions.expires_at,
         sessions.revoked_at"
    };
}

/// A sign-in to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// A browser or another program.
    pub kind: SessionKind,
    /// SHA-256, as hex, of a browser's cookie, or of a program's first refresh token.
    pub secret_hash: String,
    /// How they signed in.
    pub signed_in_by: &'static str,
    /// The network address.
    pub address: Option<String>,
    /// What the client calls itself.
    pub device: Option<String>,
    /// When it ends unless used.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// The session this one takes the place of, by its secret's hash.
    pub replaces: Option<String>,
}

/// A sign-in, and who it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose rows they see.
    pub owner: Owner,
    /// The account.
    pub account: Account,
    /// The sign-in.
    pub session: Session,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    /// The ids of the teams they are in.
    pub teams: Vec<String>,
}

impl SessionRow {
    /// Does it let in at `now`?
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none()
            && self.account.disabled_at.is_none()
            && now < self.session.idle_until
            && now < self.session.expires_at
    }
}

/// What came of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It was exchanged for another one.
    Fresh(Box<SessionRow>),
    /// It had been exchanged before: two have it, so its session has been ended.
    Replayed,
    /// It is nobody's, or its session is over.
    Unknown,
}

impl Store {
    /// Keeps a sign-in, which may take the place of another one.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_session(
        &self,
        owner: &Owner,
        new: &NewSession,
        audit: &NewAudit,
    ) -> Result<Session, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        if let Some(replaced) = &new.replaces {
            query("UPDATE sessions SET revoked_at = $2 WHERE secret_hash = $1 AND revoked_at IS NULL")
                .bind(replaced)
                .bind(now.0)
                .execute(&mut tx)
                .await?;
        }
        let text = |given: &Option<String>| given.as_deref().map(|t| storable(t).into_owned());
        let session = Session {
            id: self.next_id(),
            kind: new.kind,
            signed_in_by: new.signed_in_by.to_owned(),
            address: text(&new.address),
            device: text(&new.device),
            created_at: now,
            seen_at: now,
            idle_until: new.idle_until,
            expires_at: new.expires_at,
        };
        query(
            "INSERT INTO sessions (id, tenant_id, user_id, kind, secret_hash, signed_in_by, address, device,
                                   created_at, seen_at, idle_until, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)",
        )
        .bind(&session.id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(session.kind.as_str())
        .bind((new.kind == SessionKind::Browser).then_some(new.secret_hash.as_str()))
        .bind(&session.signed_in_by)
        .bind(&session.address)
        .bind(&session.device)
        .bind(now.0)
        .bind(session.idle_until.0)
        .bind(session.expires_at.0)
        .execute(&mut tx)
        .await?;
        if new.kind == SessionKind::Tokens {
            insert_refresh(&mut tx, owner, &session.id, &new.secret_hash, now).await?;
        }
        let audit = NewAudit {
            target: Some(session.id.clone()),
            ..audit.clone()
        };
        self.append_audit(&mut tx, &audit).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// The sign-in of a browser's cookie, good or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_session_by_secret(&self, secret_hash: &str) -> Result<Option<SessionRow>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            session_columns!(),
            ", ",
            account_columns!(),
            " FROM sessions JOIN users ON users.tenant_id = sessions.tenant_id AND users.id = sessions.user_id
             WHERE sessions.secret_hash = $1 AND users.email IS NOT NULL"
        ))
        .bind(secret_hash)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(row_from).transpose()
    }

    /// A sign-in, good or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_session(&self, id: &str) -> Result<Option<SessionRow>, StoreError> {
        fetch_session(&mut self.read().await?, id).await
    }

    /// Has this user signed in from this address before, as far as is kept?
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_signed_in_from(&self, owner: &Owner, address: &str) -> Result<bool, StoreError> {
        let row = query(
            "SELECT COUNT(*) AS found FROM
                 (SELECT 1 FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND address = $3 LIMIT 1) AS one",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(address)
        .fetch_one(&mut self.read().await?)
        .await?;
        Ok(row.get::<i64>("found")? > 0)
    }

    /// The user's sign-ins that let in now, last used first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_sessions(
        &self,
        owner: &Owner,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(concat!(
            "SELECT ",
            session_columns!(),
            " FROM sessions
             WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL AND idle_until > $3 AND expires_at > $3
               AND (seen_at, id) < ($4, $5)
             ORDER BY seen_at DESC, id DESC LIMIT $6"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .bind(after.at.0)
        .bind(&after.id)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(session_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |session| Cursor {
            at: session.seen_at,
            id: session.id.clone(),
        }))
    }

    /// Notes that a sign-in is used now, and until when it may be unused from now on.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn update_session_seen(&self, id: &str, idle_until: Timestamp) -> Result<(), StoreError> {
        let mut link = self.write().await?;
        query("UPDATE sessions SET seen_at = $2, idle_until = $3 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(self.now().0)
            .bind(idle_until.0)
            .execute(&mut link)
            .await?;
        link.commit().await
    }

    /// Ends one of the user's sign-ins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of them that lets in.
    pub async fn end_session(&self, owner: &Owner, id: &str, audit: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        let done = query(
            "UPDATE sessions SET revoked_at = $4
             WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND revoked_at IS NULL AND idle_until > $4
               AND expires_at > $4",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(self.now().0)
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::NotFound("session"));
        }
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await
    }

    /// Ends all of the user's sign-ins but one. Returns how many let in until now.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn end_sessions(
        &self,
        owner: &Owner,
        except: Option<&str>,
        audit: &NewAudit,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let ended = end_sessions_of(&mut tx, owner, except, self.now()).await?;
        self.append_audit(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Exchanges a refresh token for another one, once. One presented again ends its session, and that is written down
    /// as what `replayed` says.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn exchange_refresh(
        &self,
        secret_hash: &str,
        next_hash: &str,
        idle_until: Timestamp,
        replayed: &NewAudit,
    ) -> Result<Exchange, StoreError> {
        let now = self.now();
        let mut tx = self.begin_write().await?;
        let found = query("SELECT session_id, used_at FROM refresh_tokens WHERE secret_hash = $1")
            .bind(secret_hash)
            .locking()
            .fetch_optional(&mut tx)
            .await?;
        let Some(found) = found else {
            tx.rollback().await?;
            return Ok(Exchange::Unknown);
        };
        let session_id: String = found.get("session_id")?;
        let row = fetch_session(&mut tx, &session_id).await?;
        let Some(row) = row.filter(|row| row.is_good(now)) else {
            tx.rollback().await?;
            return Ok(Exchange::Unknown);
        };
        if found.get::<Option<i64>>("used_at")?.is_some() {
            query("UPDATE sessions SET revoked_at = $2 WHERE id = $1")
                .bind(&session_id)
                .bind(now.0)
                .execute(&mut tx)
                .await?;
            let audit = NewAudit {
                owner: row.owner,
                target: Some(session_id),
                ..replayed.clone()
            };
            self.append_audit(&mut tx, &audit).await?;
            tx.commit().await?;
            return Ok(Exchange::Replayed);
        }
        query("UPDATE refresh_tokens SET used_at = $2 WHERE secret_hash = $1")
            .bind(secret_hash)
            .bind(now.0)
            .execute(&mut tx)
            .await?;
        insert_refresh(&mut tx, &row.owner, &session_id, next_hash, now).await?;
        query("UPDATE sessions SET seen_at = $2, idle_until = $3 WHERE id = $1")
            .bind(&session_id)
            .bind(now.0)
            .bind(idle_until.0)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(Exchange::Fresh(Box::new(row)))
    }

    /// Removes sign-ins that ended more than `keep_ms` milliseconds ago, of all users. Returns how many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_ended_sessions(&self, keep_ms: i64) -> Result<u64, StoreError> {
        let before = self.now().plus_ms(-keep_ms);
        let mut link = self.write().await?;
        let done = query("DELETE FROM sessions WHERE expires_at < $1 OR idle_until < $1 OR revoked_at < $1")
            .bind(before.0)
            .execute(&mut link)
            .await?;
        link.commit().await?;
        Ok(done)
    }
}

async fn insert_refresh(
    tx: &mut Link,
    owner: &Owner,
    session: &str,
    secret_hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO refresh_tokens (secret_hash, tenant_id, user_id, session_id, created_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(secret_hash)
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(session)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends every sign-in of a user but one, within a transaction. Returns how many let in until now.
pub(crate) async fn end_sessions_of(
    tx: &mut Link,
    owner: &Owner,
    except: Option<&str>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    query(
        "UPDATE sessions SET revoked_at = $4
         WHERE tenant_id = $1 AND user_id = $2 AND id <> $3 AND revoked_at IS NULL AND idle_until > $4
           AND expires_at > $4",
    )
    .bind(&owner.tenant)
    .bind(&owner.user)
    .bind(except.unwrap_or_default())
    .bind(now.0)
    .execute(tx)
    .await
}

/// Gives a browser's sign-in another secret: the one before lets nobody in any more.
pub(crate) async fn fresh_secret(tx: &mut Link, id: &str, secret_hash: &str) -> Result<(), StoreError> {
    query("UPDATE sessions SET secret_hash = $2 WHERE id = $1 AND kind = 'browser'")
        .bind(id)
        .bind(secret_hash)
        .execute(tx)
        .await?;
    Ok(())
}

async fn fetch_session(link: &mut Link, id: &str) -> Result<Option<SessionRow>, StoreError> {
    let row = query(concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        account_columns!(),
        " FROM sessions JOIN users ON users.tenant_id = sessions.tenant_id AND users.id = sessions.user_id
         WHERE sessions.id = $1 AND users.email IS NOT NULL"
    ))
    .bind(id)
    .fetch_optional(link)
    .await?;
    row.as_ref().map(row_from).transpose()
}

fn row_from(row: &Row) -> Result<SessionRow, StoreError> {
    let found = account_from(row)?;
    Ok(SessionRow {
        owner: found.owner,
        account: found.account,
        session: session_from(row)?,
        revoked_at: row.get::<Option<i64>>("revoked_at")?.map(Timestamp),
        teams: found.teams,
    })
}

fn session_from(row: &Row) -> Result<Session, StoreError> {
    let kind: String = row.get("kind")?;
    let time = |column| -> Result<Timestamp, StoreError> { Ok(Timestamp(row.get(column)?)) };
    Ok(Session {
        id: row.get("session_id")?,
        kind: SessionKind::parse(&kind)
            .ok_or_else(|| StoreError::Unreadable(format!("sessions.kind: {kind}")))?,
        signed_in_by: row.get("signed_in_by")?,
        address: row.get("address")?,
        device: row.get("device")?,
        created_at: time("begun_at")?,
        seen_at: time("seen_at")?,
        idle_until: time("idle_until")?,
        expires_at: time("expires_at")?,
    })
}
