//! What was done to accounts: rows that are only ever added, chained so that a later change shows.
//!
//! Each row holds the SHA-256 of its own content and of the hash of the row before. The tenant's row holds the end of
//! the chain, which also makes those who append wait for each other. Of what a person could be known by (detail, network
//! address, device) a row's hash holds only a salted hash, so that it can be erased and the chain still holds. Who did
//! it and to whom are random ids, which say nothing once the account is gone.

use std::collections::HashSet;

use futures_util::StreamExt;
use goblin_core::account::AuditEvent;
use goblin_core::clock::Timestamp;
use goblin_core::limits::MAX_PAGE;
use goblin_core::owner::Owner;
use sha2::{Digest, Sha256};

use crate::chat_rows::storable;
use crate::chats::Page;
use crate::cursor::Cursor;
use crate::error::StoreError;
use crate::sql::{Link, Row, query};
use crate::store::Store;

/// The deed after which something of a person may be missing: its target is who has gone.
pub const DELETED: &str = "account.deleted";

/// Something done, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    /// Who did it, or whom it is about when nobody is signed in.
    pub owner: Owner,
    /// What, as `thing.done`.
    pub action: &'static str,
    /// What it was done to: an id.
    pub target: Option<String>,
    /// More about it. Never a secret.
    pub detail: Option<String>,
    /// The network address it came from.
    pub address: Option<String>,
    /// What the client calls itself.
    pub device: Option<String>,
}

impl Store {
    /// Writes down what was done where nothing else is saved for it.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn insert_audit(&self, event: &NewAudit) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        self.append_audit(&mut tx, event).await?;
        tx.commit().await
    }

    /// Everything done in a tenant, newest first; at most `limit` (1 to [`MAX_PAGE`]).
    ///
    /// # Errors
    /// [`StoreError::InvalidCursor`].
    pub async fn list_audit(
        &self,
        tenant: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let after = Cursor::decode(cursor)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let rows = query(
            "SELECT id, position, user_id, action, target, detail, address, device, at
             FROM audit WHERE tenant_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3",
        )
        .bind(tenant)
        .bind(after.at.0)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut self.read().await?)
        .await?;
        let items = rows.iter().map(event_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(items, limit, |event| Cursor {
            at: Timestamp(event.position),
            id: event.id.clone(),
        }))
    }

    /// The place of the first row of a tenant's chain that was changed, or after which one is missing; `None` when
    /// all is as it was written. Reads every row. A row whose person has gone is sound without what was erased of it,
    /// and rows that were removed as too old are not missed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_broken_audit(&self, tenant: &str) -> Result<Option<i64>, StoreError> {
        let mut link = self.begin_read().await?;
        let ends = query(
            "SELECT audit_count, audit_hash, audit_removed, audit_removed_hash FROM tenants WHERE id = $1",
        )
        .bind(tenant)
        .fetch_one(&mut link)
        .await?;
        let (mut position, mut hash) = (ends.get("audit_removed")?, ends.get("audit_removed_hash")?);
        let mut erased: Vec<(i64, AuditEvent)> = Vec::new();
        let rows =
            query("SELECT target FROM audit WHERE tenant_id = $1 AND action = $2 AND target IS NOT NULL")
                .bind(tenant)
                .bind(DELETED)
                .fetch_all(&mut link)
                .await?;
        let gone = rows.iter().map(|row| row.get::<String>("target"));
        let gone: HashSet<String> = gone.collect::<Result<_, _>>()?;
        let mut broken = None;
        {
            let mut rows = query(
                "SELECT id, tenant_id, position, user_id, action, target, detail, address, device, at, previous_hash,
                        hash, person_hash, person_salt
                 FROM audit WHERE tenant_id = $1 ORDER BY position",
            )
            .bind(tenant)
            .fetch(&mut link);
            while let Some(row) = rows.next().await {
                let row = row?;
                position += 1;
                let event = event_from(&row)?;
                let kept: String = row.get("hash")?;
                let is_linked = event.position == position && row.get::<String>("previous_hash")? == hash;
                let state = state_of(&row, tenant, &event)?;
                if !is_linked || state == State::Changed {
                    broken = Some(position);
                    break;
                }
                if state == State::Erased {
                    erased.push((position, event));
                }
                hash = kept;
            }
        }
        link.rollback().await?;
        // Only of somebody who has gone may something be missing.
        let unexplained = erased.iter().find(|(_, event)| {
            !gone.contains(&event.user) && !event.target.as_ref().is_some_and(|target| gone.contains(target))
        });
        let unexplained = unexplained.map(|(position, _)| *position);
        if let Some(first) = [broken, unexplained].into_iter().flatten().min() {
            return Ok(Some(first));
        }
        let is_whole =
            ends.get::<i64>("audit_count")? == position && ends.get::<String>("audit_hash")? == hash;
        Ok((!is_whole).then_some(position))
    }

    /// Takes out of the rows about somebody who has gone what they could be known by; at most `limit` rows. Returns how
    /// many. The chain holds.
    pub(crate) async fn erase_audit_of(&self, owner: &Owner, limit: i64) -> Result<u64, StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "UPDATE audit SET detail = NULL, address = NULL, device = NULL, person_salt = NULL,
                              person_hash = COALESCE(person_hash, '')
             WHERE id IN (SELECT id FROM audit
                          WHERE tenant_id = $1 AND (user_id = $2 OR target = $2) AND action <> $3
                            AND (person_salt IS NOT NULL OR person_hash IS NULL)
                          LIMIT $4)",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(DELETED)
        .bind(limit)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        Ok(done)
    }

    /// Removes a tenant's oldest rows that were written before `before`, at most `limit`. Returns how many. What is left
    /// begins with the hash of the last one removed.
    pub(crate) async fn remove_audit_before(
        &self,
        tenant: &str,
        before: Timestamp,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let removed = query("SELECT audit_removed FROM tenants WHERE id = $1")
            .bind(tenant)
            .locking()
            .fetch_optional(&mut tx)
            .await?;
        let Some(removed) = removed else { return Ok(0) };
        let removed: i64 = removed.get("audit_removed")?;
        // Only from the beginning on: a row in the middle would be missed.
        let kept = query("SELECT MIN(position) AS first FROM audit WHERE tenant_id = $1 AND at >= $2")
            .bind(tenant)
            .bind(before.0)
            .fetch_one(&mut tx)
            .await?;
        let first_kept: i64 = kept.get::<Option<i64>>("first")?.unwrap_or(i64::MAX);
        let last = query(
            "SELECT position, hash FROM audit WHERE tenant_id = $1 AND position < $2 AND position <= $3
             ORDER BY position DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(first_kept)
        .bind(removed.saturating_add(limit))
        .fetch_optional(&mut tx)
        .await?;
        let Some(last) = last else { return Ok(0) };
        let up_to: i64 = last.get("position")?;
        let done = query("DELETE FROM audit WHERE tenant_id = $1 AND position <= $2")
            .bind(tenant)
            .bind(up_to)
            .execute(&mut tx)
            .await?;
        query("UPDATE tenants SET audit_removed = $2, audit_removed_hash = $3 WHERE id = $1")
            .bind(tenant)
            .bind(up_to)
            .bind(last.get::<String>("hash")?)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Appends a row to its tenant's chain, within a transaction that does what it says.
    pub(crate) async fn append_audit(&self, link: &mut Link, new: &NewAudit) -> Result<(), StoreError> {
        let tenant = &new.owner.tenant;
        // Whoever comes second waits here until the first has committed, and then sees its hash.
        let end = query(
            "UPDATE tenants SET audit_count = audit_count + 1 WHERE id = $1 RETURNING audit_count, audit_hash",
        )
        .bind(tenant)
        .fetch_optional(link)
        .await?
        .ok_or(StoreError::NotFound("tenant"))?;
        let text = |given: &Option<String>| given.as_deref().map(|t| storable(t).into_owned());
        let event = AuditEvent {
            id: self.next_id(),
            position: end.get("audit_count")?,
            user: new.owner.user.clone(),
            action: new.action.to_owned(),
            target: text(&new.target),
            detail: text(&new.detail),
            address: text(&new.address),
            device: text(&new.device),
            at: self.now(),
        };
        let previous: String = end.get("audit_hash")?;
        let salt = salt()?;
        let person = person_hash(&salt, &event);
        let hash = content_of(&previous, tenant, &event, &person);
        query(
            "INSERT INTO audit (id, tenant_id, user_id, position, action, target, detail, address, device, at,
                                previous_hash, hash, person_hash, person_salt)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&event.id)
        .bind(tenant)
        .bind(&event.user)
        .bind(event.position)
        .bind(&event.action)
        .bind(&event.target)
        .bind(&event.detail)
        .bind(&event.address)
        .bind(&event.device)
        .bind(event.at.0)
        .bind(&previous)
        .bind(&hash)
        .bind(&person)
        .bind(&salt)
        .execute(link)
        .await?;
        query("UPDATE tenants SET audit_hash = $2 WHERE id = $1")
            .bind(tenant)
            .bind(&hash)
            .execute(link)
            .await?;
        Ok(())
    }
}

/// How a row is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it was written.
    Whole,
    /// Without detail, address and device; the rest as it was written.
    Erased,
    Changed,
}

fn state_of(row: &Row, tenant: &str, event: &AuditEvent) -> Result<State, StoreError> {
    let (previous, kept): (String, String) = (row.get("previous_hash")?, row.get("hash")?);
    let person: Option<String> = row.get("person_hash")?;
    let salt: Option<String> = row.get("person_salt")?;
    let is_bare = event.detail.is_none() && event.address.is_none() && event.device.is_none();
    Ok(match (person.as_deref(), salt.as_deref()) {
        (None, None) if kept == old_content_of(&previous, tenant, event) => State::Whole,
        // Erased of an older row, whose hash nobody can compute any more.
        (Some(""), None) if is_bare => State::Erased,
        (Some(person), _) if kept != content_of(&previous, tenant, event, person) => State::Changed,
        (Some(person), Some(salt)) if person == person_hash(salt, event) => State::Whole,
        (Some(_), None) if is_bare => State::Erased,
        _ => State::Changed,
    })
}

/// 128 random bits, as hex: without them nobody can try out which address a hash is of.
fn salt() -> Result<String, StoreError> {
    let mut salt = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut salt)
        .map_err(|_| StoreError::Unreadable("the system gives no random numbers".to_owned()))?;
    Ok(hex::encode(salt))
}

/// SHA-256 of parts, each preceded by its length, so that no two lists of parts have the same.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(mut self, part: Option<&str>) -> Self {
        let length = part.map_or(u64::MAX, |p| p.len() as u64);
        self.0.update(length.to_be_bytes());
        self.0.update(part.unwrap_or_default());
        self
    }

    fn hash(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// What a person could be known by.
fn person_hash(salt: &str, event: &AuditEvent) -> String {
    Parts::default()
        .add(Some(salt))
        .add(event.detail.as_deref())
        .add(event.address.as_deref())
        .add(event.device.as_deref())
        .hash()
}

/// A row, with what stands for its person, and the hash before it.
fn content_of(previous: &str, tenant: &str, event: &AuditEvent, person: &str) -> String {
    Parts::default()
        .add(Some(previous))
        .add(Some(tenant))
        .add(Some(&event.id))
        .add(Some(&event.position.to_string()))
        .add(Some(&event.user))
        .add(Some(&event.action))
        .add(event.target.as_deref())
        .add(Some(person))
        .add(Some(&event.at.0.to_string()))
        .hash()
}

/// The same of rows from before migration 10.
fn old_content_of(previous: &str, tenant: &str, event: &AuditEvent) -> String {
    Parts::default()
        .add(Some(previous))
        .add(Some(tenant))
        .add(Some(&event.id))
        .add(Some(&event.position.to_string()))
        .add(Some(&event.user))
        .add(Some(&event.action))
        .add(event.target.as_deref())
        .add(event.detail.as_deref())
        .add(event.address.as_deref())
        .add(event.device.as_deref())
        .add(Some(&event.at.0.to_string()))
        .hash()
}

fn event_from(row: &Row) -> Result<AuditEvent, StoreError> {
    Ok(AuditEvent {
        id: row.get("id")?,
        position: row.get("position")?,
        user: row.get("user_id")?,
        action: row.get("action")?,
        target: row.get("target")?,
        detail: row.get("detail")?,
        address: row.get("address")?,
        device: row.get("device")?,
        at: Timestamp(row.get("at")?),
    })
}
