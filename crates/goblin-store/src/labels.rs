//! What readers said of answers: one label for each turn and reader.

use std::collections::HashMap;

use goblin_core::clock::Timestamp;
use goblin_core::conversation::Turn;
use goblin_core::feedback::{Feedback, FeedbackChange, Rating};
use goblin_core::owner::Owner;

use crate::chat_rows::storable;
use crate::error::StoreError;
use crate::sql::{Link, Query, Row, query};
use crate::store::Store;
use crate::traces::places;
use crate::turn_rows::fetch_turn;

impl Store {
    /// Changes what the reader says of a turn, beginning with nothing said. Returns it as it then is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the turn, [`StoreError::NotSibling`] for another answer that answers another
    /// question.
    pub async fn update_label(
        &self,
        owner: &Owner,
        turn: &str,
        change: FeedbackChange,
    ) -> Result<Feedback, StoreError> {
        let (id, now) = (self.next_id(), self.now());
        let mut tx = self.begin_write().await?;
        // Two changes at once: the second sees the first.
        query("SELECT id FROM turns WHERE id = $1 AND tenant_id = $2 AND user_id = $3")
            .bind(turn)
            .bind(&owner.tenant)
            .bind(&owner.user)
            .locking()
            .fetch_optional(&mut tx)
            .await?;
        let turn = fetch_turn(&mut tx, owner, turn)
            .await?
            .ok_or(StoreError::NotFound("turn"))?;
        let named = [
            ("better_turn", &change.better_turn),
            ("second_opinion", &change.second_opinion),
        ];
        for (field, other) in named {
            if let Some(Some(other)) = other
                && !answers_the_same(&mut tx, owner, &turn, other).await?
            {
                return Err(StoreError::NotSibling(field));
            }
        }
        let old = turn.feedback.unwrap_or_default();
        let new = Feedback {
            rating: change.rating.unwrap_or(old.rating),
            better_turn: change.better_turn.unwrap_or(old.better_turn),
            better_than: old.better_than,
            second_opinion: change.second_opinion.unwrap_or(old.second_opinion),
            comment: change
                .comment
                .unwrap_or(old.comment)
                .map(|text| storable(&text).into_owned()),
            updated_at: now,
        };
        query(
            "INSERT INTO labels (id, tenant_id, user_id, turn_id, trace_id, rating, better_turn, second_opinion,
                                 comment_text, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
             ON CONFLICT (turn_id, tenant_id, user_id) DO UPDATE SET
                 trace_id = excluded.trace_id, rating = excluded.rating, better_turn = excluded.better_turn,
                 second_opinion = excluded.second_opinion, comment_text = excluded.comment_text,
                 updated_at = excluded.updated_at",
        )
        .bind(id)
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(&turn.id)
        .bind(turn.trace.map(|line| line.trace_id))
        .bind(new.rating.map(Rating::as_str))
        .bind(&new.better_turn)
        .bind(&new.second_opinion)
        .bind(&new.comment)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(new)
    }
}

/// Is `other` another answer to the question of `turn`?
async fn answers_the_same(
    link: &mut Link,
    owner: &Owner,
    turn: &Turn,
    other: &str,
) -> Result<bool, StoreError> {
    if other == turn.id || !turn.siblings.iter().any(|sibling| sibling == other) {
        return Ok(false);
    }
    let other = fetch_turn(link, owner, other).await?;
    // A question that was edited is a sibling as well, and another question.
    Ok(other.is_some_and(|other| other.content == turn.content && other.attachments == turn.attachments))
}

/// Fills in what the owner of these turns said of them.
pub(crate) async fn fill_feedback(link: &mut Link, turns: &mut [Turn]) -> Result<(), StoreError> {
    if turns.is_empty() {
        return Ok(());
    }
    let places = places(turns.len());
    let mut query = Query::made(format!(
        "SELECT turn_id, rating, better_turn, second_opinion, comment_text, updated_at
         FROM labels WHERE turn_id IN ({places}) OR better_turn IN ({places}) ORDER BY created_at, id"
    ));
    for turn in turns.iter() {
        query = query.bind(turn.id.clone());
    }
    let mut said: HashMap<String, Feedback> = HashMap::new();
    let mut better_than: HashMap<String, Vec<String>> = HashMap::new();
    for row in query.fetch_all(link).await? {
        let (turn, one): (String, Feedback) = (row.get("turn_id")?, feedback_from(&row)?);
        if let Some(better) = one.better_turn.clone() {
            better_than.entry(better).or_default().push(turn.clone());
        }
        said.insert(turn, one);
    }
    for turn in turns {
        turn.feedback = said.remove(&turn.id);
        if let Some(others) = better_than.remove(&turn.id) {
            turn.feedback.get_or_insert_default().better_than = others;
        }
    }
    Ok(())
}

fn feedback_from(row: &Row) -> Result<Feedback, StoreError> {
    let rating: Option<String> = row.get("rating")?;
    let rating = rating.map(|word| {
        Rating::parse(&word).ok_or_else(|| StoreError::Unreadable(format!("labels.rating: {word}")))
    });
    Ok(Feedback {
        rating: rating.transpose()?,
        better_turn: row.get("better_turn")?,
        better_than: Vec::new(),
        second_opinion: row.get("second_opinion")?,
        comment: row.get("comment_text")?,
        updated_at: Timestamp(row.get("updated_at")?),
    })
}
