//! What was done to accounts: rows that are only ever added, chained so that a later change shows.
//!
//! Each row holds the SHA-256 of its own content and of the hash of the row before. The tenant's row holds the end of
//! the chain, which also makes those who append wait for each other.

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
    /// all is as it was written. Reads every row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_broken_audit(&self, tenant: &str) -> Result<Option<i64>, StoreError> {
        let mut link = self.begin_read().await?;
        let end = query("SELECT audit_count, audit_hash FROM tenants WHERE id = $1")
            .bind(tenant)
            .fetch_one(&mut link)
            .await?;
        let rows = query(
            "SELECT id, tenant_id, position, user_id, action, target, detail, address, device, at, previous_hash, hash
             FROM audit WHERE tenant_id = $1 ORDER BY position",
        )
        .bind(tenant)
        .fetch_all(&mut link)
        .await?;
        link.rollback().await?;
        let (mut position, mut hash) = (0, String::new());
        for row in &rows {
            position += 1;
            let event = event_from(row)?;
            let content = content_of(&hash, tenant, &event);
            let is_sound = event.position == position
                && row.get::<String>("previous_hash")? == hash
                && row.get::<String>("hash")? == content;
            if !is_sound {
                return Ok(Some(position));
            }
            hash = content;
        }
        let is_whole = end.get::<i64>("audit_count")? == position && end.get::<String>("audit_hash")? == hash;
        Ok((!is_whole).then_some(position))
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
        let hash = content_of(&previous, tenant, &event);
        query(
            "INSERT INTO audit (id, tenant_id, user_id, position, action, target, detail, address, device, at,
                                previous_hash, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
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

/// SHA-256, as hex, of a row and of the hash before it. Each part is preceded by its length, so that no two rows have
/// the same content.
fn content_of(previous: &str, tenant: &str, event: &AuditEvent) -> String {
    let mut hasher = Sha256::new();
    let mut add = |part: Option<&str>| {
        let length = part.map_or(u64::MAX, |p| p.len() as u64);
        hasher.update(length.to_be_bytes());
        hasher.update(part.unwrap_or_default());
    };
    add(Some(previous));
    add(Some(tenant));
    add(Some(&event.id));
    add(Some(&event.position.to_string()));
    add(Some(&event.user));
    add(Some(&event.action));
    add(event.target.as_deref());
    add(event.detail.as_deref());
    add(event.address.as_deref());
    add(event.device.as_deref());
    add(Some(&event.at.0.to_string()));
    hex::encode(hasher.finalize())
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
