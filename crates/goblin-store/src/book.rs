//! What requests leave behind, written down many at a time: one transaction of a few statements, however many there are.

use goblin_core::clock::Timestamp;
use goblin_core::owner::Owner;

use crate::error::StoreError;
use crate::spending::book_spent;
use crate::store::Store;
use crate::traces::{NewTrace, put_traces};
use crate::usage::{NewUsage, UsageEntry, put_rows};

/// Most rows of one statement: with 19 arguments each it stays below what either database takes (32 766 and 65 535).
const ROWS: usize = 64;

/// A part of what a request leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// That it was answered, and what that used.
    Usage(Box<NewUsage>),
    /// Why the answer came from where it came from.
    Trace(Box<NewTrace>),
}

/// An [`Entry`] of somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Booked {
    /// Whose.
    pub owner: Owner,
    /// When it was.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
}

impl Store {
    /// Writes all of it, or nothing. Nothing at all is fine.
    ///
    /// # Errors
    /// When one of them cannot be saved.
    pub async fn book(&self, entries: &[Booked]) -> Result<(), StoreError> {
        let (mut usage, mut traces) = (Vec::new(), Vec::new());
        for booked in entries {
            match &booked.entry {
                Entry::Usage(row) => usage.push((self.id_of(row), booked, &**row)),
                Entry::Trace(new) => traces.push((&booked.owner, &**new)),
            }
        }
        if usage.is_empty() && traces.is_empty() {
            return Ok(());
        }
        let rows: Vec<UsageEntry<'_>> = usage
            .iter()
            .map(|(id, booked, row)| UsageEntry {
                id,
                owner: &booked.owner,
                at: booked.at,
                turn: None,
                usage: row,
            })
            .collect();
        let mut link = self.begin_write().await?;
        for rows in runs(&rows) {
            put_rows(&mut link, rows).await?;
        }
        for (_, booked, row) in usage.iter().filter(|(_, _, row)| !row.booking.id.is_empty()) {
            book_spent(&mut link, &booked.owner, &row.booking).await?;
        }
        for traces in runs(&traces) {
            put_traces(&mut link, traces).await?;
        }
        link.commit().await
    }

    /// The id a request was opened with, else a new one.
    fn id_of(&self, row: &NewUsage) -> String {
        match row.booking.id.as_str() {
            "" => self.next_id(),
            id => id.to_owned(),
        }
    }
}

/// Pieces of [`ROWS`], then halves of that: so there are few different statements, which the connection keeps prepared.
fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut most = ROWS;
    std::iter::from_fn(move || {
        while most > rows.len() {
            most /= 2;
        }
        let (run, rest) = rows.split_at_checked(most).filter(|(run, _)| !run.is_empty())?;
        rows = rest;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_run_and_runs_have_few_lengths() {
        let rows: Vec<u32> = (0..1_000).collect();
        for count in [0, 1, 2, 3, 63, 64, 65, 127, 1_000] {
            let runs: Vec<&[u32]> = runs(&rows[..count]).collect();
            assert_eq!(runs.concat(), rows[..count], "{count}");
            assert!(
                runs.iter()
                    .all(|run| run.len() <= ROWS && run.len().is_power_of_two())
            );
        }
    }
}
