//! A backup: everything a database holds, in one sealed file, from which either kind of database can be made again.
//!
//! Inside the file (see `format`) are lines of JSON: what the backup is, each row of each table, and a checksum.
//! They are compressed by gzip and sealed with a passphrase in age's format ([`sealed`], `age`), both of which other
//! programs read too: `age --decrypt FILE | gunzip` shows a backup without goblin.
//!
//! Which tables there are is not written down here: they are those that the migrations make, so a new one is carried
//! without a word. Only [`NOT_CARRIED`] is left out.

mod age;
mod aside;
mod format;
mod load;

pub mod file;
pub mod restore;
pub mod sealed;
pub mod take;

use std::path::PathBuf;

use goblin_core::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Who works on a database now is no part of what it holds.
const NOT_CARRIED: &[&str] = &["processes", crate::shape::RECORD];

/// Called with the rows done so far and the rows in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// What a backup says of itself. It is sealed with the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The version of the file's format.
    pub format: u32,
    /// The release that made it.
    pub goblin: String,
    /// As of when it is.
    pub made_at: Timestamp,
    /// The kind of database it was made of: `sqlite` or `postgresql`.
    pub database: String,
    /// The newest migration that was applied.
    pub schema: i64,
    /// Its tables, in the order of their rows.
    pub tables: Vec<TableContents>,
}

/// One table of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContents {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of a row's values.
    pub columns: Vec<ColumnContents>,
    /// How many rows there are.
    pub rows: u64,
}

/// One column of a table of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnContents {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of a column are, whichever database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text.
    Text,
    /// A 64-bit whole number.
    Number,
    /// A 64-bit floating-point number.
    Real,
    /// True or false.
    Switch,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// The kind of a column that a migration makes with this type, on SQLite or PostgreSQL.
    pub(crate) fn of_type(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "TEXT" => Some(Self::Text),
            "BIGINT" => Some(Self::Number),
            "REAL" | "DOUBLE PRECISION" => Some(Self::Real),
            "BOOLEAN" => Some(Self::Switch),
            "BLOB" | "BYTEA" => Some(Self::Bytes),
            _ => None,
        }
    }
}

impl Contents {
    /// Rows of all tables together.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|t| t.rows).sum()
    }
}

/// Why there is no backup, or nothing was restored. Whatever it is, the database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file to be written is there.
    #[error("{} is there already and was not touched. Name another file.", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{} cannot be written: {reason}. Nothing of it was kept.", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {reason}.", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is something else.
    #[error("{} is no backup made by `goblin backup`: {reason}.", file.display())]
    NotABackup {
        /// The file.
        file: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// The passphrase is another one.
    #[error(
        "The passphrase does not open {}. It was sealed with another one, or its first lines were altered.",
        .0.display()
    )]
    WrongPassphrase(PathBuf),
    /// It was altered or cut off.
    #[error(
        "{} is damaged: it was cut off or altered after it was made ({reason}). Nothing was restored from it. Take \
         another copy of it, or another backup.", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where that was seen.
        reason: String,
    },
    /// It was made by a newer release.
    #[error(
        "{} was made by a newer release ({what} {found}, this release knows up to {known}). Restore it with that \
         release.", file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// `format` or `schema`.
        what: &'static str,
        /// What it has.
        found: i64,
        /// What is known here.
        known: i64,
    },
    /// Its tables are not those that the migrations make.
    #[error("The tables in {} are not those of schema {schema} as this release knows it: {reason}.", file.display())]
    OtherTables {
        /// The file.
        file: PathBuf,
        /// The schema it names.
        schema: i64,
        /// The first difference.
        reason: String,
    },
    /// The database is not empty.
    #[error(
        "{database} is not empty ({what}), and nothing was changed. Restore into an empty one, or add --replace to put \
         the backup in the place of what is there."
    )]
    NotEmpty {
        /// Which database.
        database: String,
        /// Tables and their rows.
        what: String,
    },
    /// Another process works with the database.
    #[error("{database} is in use: {who}. Nothing was changed. Stop it first.")]
    InUse {
        /// Which database.
        database: String,
        /// Who uses it.
        who: String,
    },
    /// A database that is gone when it is closed.
    #[error(
        "A database in memory has no backups: it is gone when its goblin ends. Name a file or a server in DATABASE_URL."
    )]
    InMemory,
    /// A column holds what a backup cannot carry.
    #[error(
        "Column `{column}` cannot be backed up: its type is {type_name}. `goblin migrate verify` says what differs \
         from this release's schema."
    )]
    UnknownType {
        /// `table.column`.
        column: String,
        /// Its type.
        type_name: String,
    },
    /// A row is larger than a restore reads.
    #[error("A row of table `{table}` is larger than {limit} bytes, which is the limit of a backup.")]
    RowTooLarge {
        /// The table.
        table: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The fault of a task that did not end by itself, which is a fault of the program.
fn broken(error: tokio::task::JoinError) -> BackupError {
    BackupError::Store(StoreError::Unreadable(format!("a task broke off: {error}")))
}
