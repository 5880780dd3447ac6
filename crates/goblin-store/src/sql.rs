//! One way to run a statement, whichever database it is: connections, statements, rows.
//!
//! Both drivers stay what they are below it (their own rows, errors and transactions); only the choice between them
//! is made here, once for each operation. Statements are written once, in the SQL both databases understand.

use futures_util::stream::{BoxStream, StreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Decode, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, Type};

use crate::error::StoreError;

/// One connection of a database, within a transaction or not. Dropped within one, it takes back what was done.
pub(crate) struct Link {
    way: Way,
    /// May statements be kept prepared by name? Not behind a proxy that changes the server's connection between
    /// transactions.
    named: bool,
}

enum Way {
    Sqlite(PoolConnection<Sqlite>),
    SqliteInside(sqlx::Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresInside(sqlx::Transaction<'static, Postgres>),
}

enum Reach<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl From<PoolConnection<Sqlite>> for Link {
    fn from(connection: PoolConnection<Sqlite>) -> Self {
        Self::new(Way::Sqlite(connection))
    }
}

impl From<sqlx::Transaction<'static, Sqlite>> for Link {
    fn from(transaction: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self::new(Way::SqliteInside(transaction))
    }
}

impl From<PoolConnection<Postgres>> for Link {
    fn from(connection: PoolConnection<Postgres>) -> Self {
        Self::new(Way::Postgres(connection))
    }
}

impl From<sqlx::Transaction<'static, Postgres>> for Link {
    fn from(transaction: sqlx::Transaction<'static, Postgres>) -> Self {
        Self::new(Way::PostgresInside(transaction))
    }
}

impl Link {
    fn new(way: Way) -> Self {
        Self { way, named: true }
    }

    /// The same, with statements that have no name and end with their transaction.
    pub(crate) fn without_names(mut self) -> Self {
        self.named = false;
        self
    }

    /// Keeps what was done. Outside a transaction each statement has kept it already.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.way {
            Way::SqliteInside(transaction) => transaction.commit().await?,
            Way::PostgresInside(transaction) => transaction.commit().await?,
            Way::Sqlite(_) | Way::Postgres(_) => {}
        }
        Ok(())
    }

    /// Ends a transaction that changed nothing, or takes back what it changed.
    pub(crate) async fn rollback(self) -> Result<(), StoreError> {
        match self.way {
            Way::SqliteInside(transaction) => transaction.rollback().await?,
            Way::PostgresInside(transaction) => transaction.rollback().await?,
            Way::Sqlite(_) | Way::Postgres(_) => {}
        }
        Ok(())
    }

    /// Runs several statements without arguments, as a migration has them.
    pub(crate) async fn run_script(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self.reach() {
            Reach::Sqlite(connection) => {
                sqlx::raw_sql(sql).execute(connection).await?;
            }
            Reach::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(connection).await?;
            }
        }
        Ok(())
    }

    fn reach(&mut self) -> Reach<'_> {
        match &mut self.way {
            Way::Sqlite(connection) => Reach::Sqlite(connection),
            Way::SqliteInside(transaction) => Reach::Sqlite(transaction),
            Way::Postgres(connection) => Reach::Postgres(connection),
            Way::PostgresInside(transaction) => Reach::Postgres(transaction),
        }
    }
}

/// An argument of a statement, of the kinds columns have.
#[derive(Clone, Debug)]
pub(crate) enum Arg<'q> {
    Text(Option<std::borrow::Cow<'q, str>>),
    Number(Option<i64>),
    Switch(Option<bool>),
    Real(Option<f64>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! argument {
    ($($kind:ty => $value:ident $make:expr;)*) => {$(
        impl<'q> From<$kind> for Arg<'q> {
            fn from($value: $kind) -> Self {
                $make
            }
        }
    )*};
}

argument! {
    &'q str => value Self::Text(Some(value.into()));
    &'q String => value Self::Text(Some(value.as_str().into()));
    String => value Self::Text(Some(value.into()));
    std::borrow::Cow<'q, str> => value Self::Text(Some(value));
    Option<&'q str> => value Self::Text(value.map(Into::into));
    Option<String> => value Self::Text(value.map(Into::into));
    &'q Option<String> => value Self::Text(value.as_deref().map(Into::into));
    Option<std::borrow::Cow<'q, str>> => value Self::Text(value);
    i64 => value Self::Number(Some(value));
    Option<i64> => value Self::Number(value);
    Option<bool> => value Self::Switch(value);
    Vec<u8> => value Self::Bytes(Some(value));
}

/// A statement with its arguments.
#[must_use = "it does nothing until it is run"]
pub(crate) struct Query<'q> {
    sql: SqlStr,
    args: Vec<Arg<'q>>,
    locks: bool,
}

/// A statement; `$1`, `$2` … are bound in this order.
pub(crate) fn query<'q>(sql: &'static str) -> Query<'q> {
    Query {
        sql: sql.into_sql_str(),
        args: Vec::new(),
        locks: false,
    }
}

/// The driver's statement with the same text and arguments.
macro_rules! bound {
    ($database:ty, $query:expr, $named:expr) => {{
        let mut bound = sqlx::query::<$database>($query.sql);
        for arg in $query.args {
            bound = match arg {
                Arg::Text(text) => bound.bind(text.as_deref()),
                Arg::Number(number) => bound.bind(number),
                Arg::Switch(switch) => bound.bind(switch),
                Arg::Real(real) => bound.bind(real),
                Arg::Bytes(bytes) => bound.bind(bytes),
            };
        }
        bound.persistent($named)
    }};
}

impl<'q> Query<'q> {
    /// A statement whose text depends on how many arguments there are. Never on what they hold.
    pub(crate) fn made(sql: String) -> Self {
        Self {
            sql: AssertSqlSafe(sql).into_sql_str(),
            args: Vec::new(),
            locks: false,
        }
    }

    /// An `INSERT` of any number of rows but none: `into`, then `rows` times `columns` arguments, then `end`.
    pub(crate) fn rows(link: &Link, into: &str, (rows, columns): (usize, usize), end: &str) -> Self {
        let mut sql = format!("{into} VALUES ");
        for at in 0..rows * columns {
            sql.push_str(match (at, at % columns) {
                (0, _) => "(",
                (_, 0) => "), (",
                _ => ", ",
            });
            match link.way {
                // With names, the driver looks for that of each argument among all of them.
                Way::Sqlite(_) | Way::SqliteInside(_) => sql.push('?'),
                Way::Postgres(_) | Way::PostgresInside(_) => {
                    sql.push('$');
                    sql.push_str(&(at + 1).to_string());
                }
            }
        }
        sql.push_str(") ");
        sql.push_str(end);
        let mut query = Self::made(sql);
        query.args.reserve(rows * columns);
        query
    }

    /// Adds the next argument.
    pub(crate) fn bind(mut self, arg: impl Into<Arg<'q>>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Nobody else changes the rows found until the transaction ends. SQLite, where one transaction writes at a
    /// time, needs no word for that.
    pub(crate) fn locking(mut self) -> Self {
        self.locks = true;
        self
    }

    fn for_postgres(mut self) -> Self {
        if self.locks {
            self.sql = AssertSqlSafe(format!("{} FOR UPDATE", self.sql.as_str())).into_sql_str();
        }
        self
    }

    /// Runs it; how many rows it changed.
    pub(crate) async fn execute(self, link: &mut Link) -> Result<u64, StoreError> {
        let named = link.named;
        Ok(match link.reach() {
            Reach::Sqlite(connection) => {
                let done = bound!(Sqlite, self, named).execute(connection).await?;
                done.rows_affected()
            }
            Reach::Postgres(connection) => {
                let query = self.for_postgres();
                let done = bound!(Postgres, query, named).execute(connection).await?;
                done.rows_affected()
            }
        })
    }

    /// The rows as they come.
    pub(crate) fn fetch(self, link: &mut Link) -> BoxStream<'_, Result<Row, StoreError>> {
        let named = link.named;
        match link.reach() {
            Reach::Sqlite(connection) => bound!(Sqlite, self, named)
                .fetch(connection)
                .map(|row| Ok(Row::Sqlite(row?)))
                .boxed(),
            Reach::Postgres(connection) => {
                let query = self.for_postgres();
                bound!(Postgres, query, named)
                    .fetch(connection)
                    .map(|row| Ok(Row::Postgres(row?)))
                    .boxed()
            }
        }
    }

    /// All rows.
    pub(crate) async fn fetch_all(self, link: &mut Link) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.fetch(link);
        let mut all = Vec::new();
        while let Some(row) = rows.next().await {
            all.push(row?);
        }
        Ok(all)
    }

    /// The first row, when there is one.
    pub(crate) async fn fetch_optional(self, link: &mut Link) -> Result<Option<Row>, StoreError> {
        let named = link.named;
        Ok(match link.reach() {
            Reach::Sqlite(connection) => {
                let row = bound!(Sqlite, self, named).fetch_optional(connection).await?;
                row.map(Row::Sqlite)
            }
            Reach::Postgres(connection) => {
                let query = self.for_postgres();
                let row = bound!(Postgres, query, named).fetch_optional(connection).await?;
                row.map(Row::Postgres)
            }
        })
    }

    /// The first row, which must be there.
    pub(crate) async fn fetch_one(self, link: &mut Link) -> Result<Row, StoreError> {
        let row = self.fetch_optional(link).await?;
        row.ok_or_else(|| StoreError::Database(sqlx::Error::RowNotFound))
    }
}

/// What a column may be read as, from either database.
pub(crate) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Column for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The value of a column.
    pub(crate) fn get<T: Column>(&self, column: &str) -> Result<T, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}
