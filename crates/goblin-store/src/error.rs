//! What can go wrong with the database, in sentences for the operator and, through [`ApiError`], for the public.

use goblin_core::error::ApiError;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// A failure of the database, or a request it cannot fulfil.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not a database, or is one no longer. It was left as it is.
    #[error(
        "{file} is not a readable database: {reason}. It was not touched. Restore a backup in its place, or move \
         it away to start with an empty one."
    )]
    Corrupt {
        /// The file.
        file: String,
        /// What the database engine found.
        reason: String,
    },
    /// The file is a sound database, but of another program.
    #[error(
        "{file} is a database of another program. It was not touched. Name another file for goblin's own database."
    )]
    NotOurs {
        /// The file.
        file: String,
    },
    /// The file cannot be opened, made or written.
    #[error("The database {file} cannot be opened for writing: {reason}. {fix}")]
    CannotOpen {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// The server cannot be reached, or refuses.
    #[error("The database at {place} cannot be used: {reason}. {fix}")]
    CannotConnect {
        /// Host, port and database.
        place: String,
        /// What the system or the server said.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A database address that this build cannot use.
    #[error("The database address is not usable: {0}")]
    Address(String),
    /// A newer release has changed the schema in a way this one cannot work with.
    #[error(
        "{file} was made by a newer release (its schema is at {found}, this release knows up to {known}). Start \
         the newer release, or run its `goblin migrate down --to {known}` first."
    )]
    NewerSchema {
        /// The file.
        file: String,
        /// Newest migration applied.
        found: i64,
        /// Newest migration known here.
        known: i64,
    },
    /// A migration failed; it was rolled back as a whole.
    #[error("The database could not be migrated: {0}")]
    Migration(String),
    /// No such thing, or not this owner's.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// The field names a turn that is not in this chat.
    #[error("`{0}` must name a turn of this chat.")]
    NotInChat(&'static str),
    /// The field names a turn that answers another question.
    #[error("`{0}` must name another answer to the same question.")]
    NotSibling(&'static str),
    /// The user's files would be more than one person's may be, in bytes.
    #[error(
        "Your files would have more than the {0} bytes one person's may have (`attachments.bytes_each_person`). Delete \
         chats whose files are not needed any more."
    )]
    FilesFull(u64),
    /// The user has as many good keys of the API as one may have.
    #[error(
        "There are {0} good keys already, as many as one may have. Revoke one that is not used any more."
    )]
    TooManyKeys(u32),
    /// A tenant has as many budgets as it may have.
    #[error("There are {0} budgets, as many as there may be. Take one away first.")]
    TooManyBudgets(usize),
    /// Something there can be only one of is there.
    #[error("The {0} is taken.")]
    Taken(&'static str),
    /// A team has as many members as it may have.
    #[error("This team has its limit of {0} members. Take somebody out first, or make another team.")]
    TeamFull(usize),
    /// Nobody would be left who may do everything.
    #[error("This is the last owner. Make another account an owner first.")]
    LastOwner,
    /// Nobody could sign in to the account any more.
    #[error(
        "This is the only way left to sign in to the account. Set a password, or link another one, first."
    )]
    LastWayIn,
    /// The account has as many identities as are kept.
    #[error("This account already has {0} linked sign-ins, which is the limit. Unlink one first.")]
    TooManyIdentities(i64),
    /// The account has as many passkeys as are kept.
    #[error("This account already has {0} passkeys, which is the limit. Remove one first.")]
    TooManyPasskeys(i64),
    /// The link was used, taken back, or its time is over; or it never was one.
    #[error("This link is not good: it was used, taken back, or its time is over. Ask for a new one.")]
    LinkOver,
    /// The cursor was not made by this server.
    #[error("The cursor is not one of ours.")]
    InvalidCursor,
    /// One question has as many branches as are kept.
    #[error("This turn already has {0} branches, which is the limit. Start a new chat.")]
    TooManyBranches(u32),
    /// More than may be read at once.
    #[error("This {0} is too long. Begin a new one.")]
    TooLong(&'static str),
    /// The database was busy for longer than we wait.
    #[error("The database was busy for too long.")]
    Busy,
    /// The connection to the server was lost.
    #[error("The database does not answer: {0}")]
    Away(String),
    /// No space is left where the database lives.
    #[error("No space is left on the disk of the database. Free some, then try again.")]
    Full,
    /// Nothing can be written there: the file or its disk, or a server that only repeats another one.
    #[error(
        "The database can only be read now ({0}). Give this user the right to write there, or name the server that \
         may be written."
    )]
    ReadOnly(String),
    /// A row holds what no release ever wrote.
    #[error("The database holds a value that cannot be read: {0}")]
    Unreadable(String),
    /// Anything else the database said.
    #[error("The database failed: {0}")]
    Database(#[source] sqlx::Error),
}

/// SQLite's primary result code of an error (<https://www.sqlite.org/rescode.html>).
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let code: i32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// PostgreSQL's code of an error (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn postgres_code(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code())
}

/// What PostgreSQL's codes mean here; the rest says nothing a caller could act upon.
fn of_postgres(code: &str, error: &sqlx::Error) -> Option<StoreError> {
    match code {
        // Could not be serialised, deadlock, a lock or a statement took too long, too many connections.
        "40001" | "40P01" | "55P03" | "57014" | "53300" => Some(StoreError::Busy),
        "53100" => Some(StoreError::Full),
        // As a server answers that only repeats another one.
        "25006" => Some(StoreError::ReadOnly(error.to_string())),
        // The server ends connections: told to, crashed, starting.
        "57P01" | "57P02" | "57P03" => Some(StoreError::Away(error.to_string())),
        _ => None,
    }
}

pub(crate) const SQLITE_CORRUPT: i32 = 11;
pub(crate) const SQLITE_NOTADB: i32 = 26;
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
pub(crate) const SQLITE_READONLY: i32 = 8;
const SQLITE_FULL: i32 = 13;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let Some(known) = postgres_code(&error).and_then(|code| of_postgres(code, &error)) {
            return known;
        }
        match (sqlite_code(&error), &error) {
            (Some(SQLITE_CORRUPT | SQLITE_NOTADB), _) => Self::Corrupt {
                file: "The database".to_owned(),
                reason: error.to_string(),
            },
            (Some(SQLITE_BUSY | SQLITE_LOCKED), _) | (None, sqlx::Error::PoolTimedOut) => Self::Busy,
            (Some(SQLITE_FULL), _) => Self::Full,
            (Some(SQLITE_READONLY), _) => Self::ReadOnly(error.to_string()),
            (None, sqlx::Error::Io(e)) => Self::Away(e.to_string()),
            _ => Self::Database(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound(thing) => Self::not_found(thing),
            StoreError::NotInChat(field) | StoreError::NotSibling(field) => {
                Self::invalid(*field, error.to_string())
            }
            StoreError::InvalidCursor => Self::invalid(
                "cursor",
                "The cursor is not one of ours. Leave it away to begin with the first page.",
            ),
            StoreError::TooManyBranches(_)
            | StoreError::TooManyIdentities(_)
            | StoreError::TooManyPasskeys(_)
            | StoreError::TooManyKeys(_)
            | StoreError::FilesFull(_)
            | StoreError::TooManyBudgets(_)
            | StoreError::TeamFull(_)
            | StoreError::Taken(_)
            | StoreError::TooLong(_)
            | StoreError::LastOwner
            | StoreError::LastWayIn => Self::conflict(error.to_string()),
            StoreError::LinkOver => Self::forbidden(error.to_string()),
            StoreError::Busy => Self {
                retry_after: Some(std::time::Duration::from_secs(1)),
                ..Self::unavailable("The database is busy. Try again in a moment.")
            },
            StoreError::Away(_) => Self {
                retry_after: Some(std::time::Duration::from_secs(5)),
                internal: Some(error.to_string()),
                ..Self::unavailable("The database does not answer. Try again in a moment.")
            },
            StoreError::Full => Self {
                internal: Some(error.to_string()),
                ..Self::unavailable("Nothing can be saved now: the server's disk is full. Tell its operator.")
            },
            StoreError::ReadOnly(_) => Self {
                internal: Some(error.to_string()),
                ..Self::unavailable(
                    "Nothing can be saved now: the server's database can only be read. Tell its operator.",
                )
            },
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_errors_name_the_field_and_never_the_database() {
        let e = ApiError::from(StoreError::NotInChat("parent"));
        assert_eq!((e.param.as_deref(), e.status(true)), (Some("parent"), 422));
        assert_eq!(ApiError::from(StoreError::NotFound("chat")).status(true), 404);
        let hidden = ApiError::from(StoreError::Unreadable("chats.parameters_json".into()));
        assert!(!hidden.message.contains("parameters_json"));
        assert_eq!(hidden.status(true), 500);
        for passing in [StoreError::Full, StoreError::ReadOnly("goblin.db".into())] {
            let error = ApiError::from(passing);
            assert_eq!(error.status(true), 503);
            assert!(error.internal.is_some() && !error.message.contains("goblin.db"));
        }
    }
}
