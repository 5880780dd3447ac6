//! Files attached to questions: kept with their bytes, shared by the questions that name them, removed with the last of
//! those, or after a while when none does.

use std::collections::HashMap;

use goblin_core::attachment::{Attachment, AttachmentKind};
use goblin_core::conversation::Turn;
use goblin_core::owner::Owner;

use crate::error::StoreError;
use crate::sql::{Link, Query, Row, query};
use crate::store::Store;
use crate::traces::places;

/// The columns [`attachment_from`] reads, each of table `attachments`.
macro_rules! attachment_columns {
    () => {
        "attachments.id, attachments.name, attachments.kind, attachments.media_type, attachments.byte_count"
    };
}

/// A file to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// Its name, without a path.
    pub name: String,
    /// What it is to a model.
    pub kind: AttachmentKind,
    /// Its media type, told from its bytes.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Store {
    /// Keeps a file, which belongs to no question yet. `most_bytes`: what all files of one person may have together.
    ///
    /// # Errors
    /// [`StoreError::FilesFull`] when it would be more.
    pub async fn insert_attachment(
        &self,
        owner: &Owner,
        new: NewAttachment,
        most_bytes: u64,
    ) -> Result<Attachment, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let bytes = i64::try_from(new.content.len()).unwrap_or(i64::MAX);
        let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
        let mut tx = self.begin_write().await?;
        // Two at once: the second sees the first.
        query("SELECT id FROM users WHERE tenant_id = $1 AND id = $2")
            .bind(&owner.tenant)
            .bind(&owner.user)
            .locking()
            .fetch_optional(&mut tx)
            .await?;
        let used: Option<i64> = query(
            "SELECT CAST(SUM(byte_count) AS BIGINT) AS used FROM attachments WHERE tenant_id = $1 AND user_id = $2",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_one(&mut tx)
        .await?
        .get("used")?;
        if used.unwrap_or(0).saturating_add(bytes) > most {
            return Err(StoreError::FilesFull(most_bytes));
        }
        let row = query(concat!(
            "INSERT INTO attachments (id, tenant_id, user_id, name, kind, media_type, byte_count, created_at, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ",
            attachment_columns!()
        ))
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(new.name)
        .bind(new.kind.as_str())
        .bind(new.media_type)
        .bind(bytes)
        .bind(now.0)
        .bind(new.content)
        .fetch_one(&mut tx)
        .await?;
        tx.commit().await?;
        attachment_from(&row)
    }

    /// A file with its bytes, unless it is another owner's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_attachment(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<Option<(Attachment, Vec<u8>)>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            attachment_columns!(),
            ", attachments.content FROM attachments WHERE id = $1 AND tenant_id = $2 AND user_id = $3"
        ))
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.map(|row| Ok((attachment_from(&row)?, row.get("content")?)))
            .transpose()
    }

    /// What these files are, in this order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one is not there, or another owner's.
    pub async fn list_attachments(
        &self,
        owner: &Owner,
        ids: &[String],
    ) -> Result<Vec<Attachment>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        fetch_attachments(&mut self.read().await?, owner, ids).await
    }

    /// Removes, of all owners, files that belong to no question and are older than `keep_ms` milliseconds. Returns how
    /// many.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn delete_unused_attachments(&self, keep_ms: i64) -> Result<u64, StoreError> {
        let mut link = self.write().await?;
        let done = query(
            "DELETE FROM attachments WHERE created_at < $1
             AND NOT EXISTS (SELECT 1 FROM turn_attachments WHERE turn_attachments.attachment_id = attachments.id)",
        )
        .bind(self.now().plus_ms(-keep_ms).0)
        .execute(&mut link)
        .await?;
        link.commit().await?;
        Ok(done)
    }

    /// Says within a transaction which files a new turn has, and returns what they are.
    pub(crate) async fn link_attachments(
        &self,
        link: &mut Link,
        owner: &Owner,
        turn: &str,
        ids: &[String],
    ) -> Result<Vec<Attachment>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = fetch_attachments(link, owner, ids).await?;
        for (position, attachment) in (0_i64..).zip(&found) {
            query(
                "INSERT INTO turn_attachments (id, tenant_id, user_id, turn_id, attachment_id, position)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.next_id())
            .bind(&owner.tenant)
            .bind(&owner.user)
            .bind(turn)
            .bind(&attachment.id)
            .bind(position)
            .execute(link)
            .await?;
        }
        Ok(found)
    }
}

async fn fetch_attachments(
    link: &mut Link,
    owner: &Owner,
    ids: &[String],
) -> Result<Vec<Attachment>, StoreError> {
    let mut made = Query::made(format!(
        concat!(
            "SELECT ",
            attachment_columns!(),
            " FROM attachments WHERE id IN ({}) AND tenant_id = ${} AND user_id = ${}"
        ),
        places(ids.len()),
        ids.len() + 1,
        ids.len() + 2
    ));
    for id in ids {
        made = made.bind(id);
    }
    let rows = made.bind(&owner.tenant).bind(&owner.user).fetch_all(link).await?;
    let found: Vec<Attachment> = rows.iter().map(attachment_from).collect::<Result<_, _>>()?;
    let named = ids
        .iter()
        .map(|id| found.iter().find(|one| one.id == *id).cloned());
    named
        .collect::<Option<_>>()
        .ok_or(StoreError::NotFound("attachment"))
}

fn attachment_from(row: &Row) -> Result<Attachment, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(Attachment {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: AttachmentKind::parse(&kind)
            .ok_or_else(|| StoreError::Unreadable(format!("attachments.kind: {kind}")))?,
        media_type: row.get("media_type")?,
        bytes: u64::try_from(row.get::<i64>("byte_count")?).unwrap_or(0),
    })
}

/// Fills in the files of turns.
pub(crate) async fn fill_attachments(link: &mut Link, turns: &mut [Turn]) -> Result<(), StoreError> {
    if turns.is_empty() {
        return Ok(());
    }
    let mut made = Query::made(format!(
        concat!(
            "SELECT turn_attachments.turn_id AS turn_id, ",
            attachment_columns!(),
            " FROM turn_attachments JOIN attachments ON attachments.id = turn_attachments.attachment_id
             WHERE turn_attachments.turn_id IN ({}) ORDER BY turn_attachments.position"
        ),
        places(turns.len())
    ));
    for turn in turns.iter() {
        made = made.bind(turn.id.clone());
    }
    let mut of_turns: HashMap<String, Vec<Attachment>> = HashMap::new();
    for row in made.fetch_all(link).await? {
        of_turns
            .entry(row.get("turn_id")?)
            .or_default()
            .push(attachment_from(&row)?);
    }
    for turn in turns {
        turn.attachments = of_turns.remove(&turn.id).unwrap_or_default();
    }
    Ok(())
}

/// Removes the files of a chat that no other chat has, within a transaction that removes the chat.
pub(crate) async fn delete_attachments_of(link: &mut Link, chat: String) -> Result<(), StoreError> {
    query(
        "DELETE FROM attachments WHERE id IN (
             SELECT used.attachment_id FROM turn_attachments used JOIN turns ON turns.id = used.turn_id
             WHERE turns.chat_id = $1)
         AND NOT EXISTS (
             SELECT 1 FROM turn_attachments used JOIN turns ON turns.id = used.turn_id
             WHERE used.attachment_id = attachments.id AND turns.chat_id <> $1)",
    )
    .bind(chat)
    .execute(link)
    .await?;
    Ok(())
}
