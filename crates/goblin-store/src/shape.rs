//! What tables look like: as a database describes its own, as the migrations make them, and where the two differ.
//!
//! Compared are tables, columns (type, NULL, default, order of letters), primary keys, indexes and foreign keys. The
//! order of columns means nothing here: every statement names them.

pub(crate) mod differences;
mod postgres;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::sql::{Link, query};
use crate::store::{Database, Store};

/// The record of migrations, which no migration makes.
pub(crate) const RECORD: &str = "_sqlx_migrations";

/// Every table, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) tables: BTreeMap<String, Table>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// In their order.
    pub(crate) columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub(crate) primary_key: Vec<String>,
    /// But for the one of the primary key, by name.
    pub(crate) indexes: BTreeMap<String, Index>,
    pub(crate) foreign_keys: BTreeSet<ForeignKey>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type, as the database writes it.
    pub(crate) type_name: String,
    /// Must it hold a value?
    pub(crate) required: bool,
    /// The expression of its default.
    pub(crate) default: Option<String>,
    /// The order of its letters, where it is not the database's own.
    pub(crate) collation: Option<String>,
}

/// One index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) columns: Vec<String>,
    pub(crate) unique: bool,
    /// The condition of a partial one.
    pub(crate) condition: Option<String>,
}

/// One foreign key. Databases name them as they like, so it is known by what it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<String>,
    /// The table it points at.
    pub(crate) table: String,
    /// The columns there.
    pub(crate) target: Vec<String>,
    /// What happens to a row when the one it points at goes, and when that one's key changes; in capitals.
    pub(crate) on_delete: String,
    pub(crate) on_update: String,
}

impl Shape {
    fn table(&mut self, name: &str) -> &mut Table {
        self.tables.entry(name.to_owned()).or_default()
    }
}

impl Store {
    /// What the tables of this database look like. Without the record of migrations where there is none.
    pub(crate) async fn shape(&self, link: &mut Link) -> Result<Shape, StoreError> {
        if !self.database().is_shared() {
            return sqlite::read(link).await;
        }
        // The tables are where the record is.
        let row = query(
            "SELECT relnamespace::BIGINT AS place FROM pg_catalog.pg_class
             WHERE oid = to_regclass('_sqlx_migrations')",
        )
        .fetch_optional(link)
        .await?;
        match row {
            Some(row) => postgres::read(link, row.get("place")?).await,
            None => Ok(Shape::default()),
        }
    }

    /// What migrations 1 to `version` make on this kind of database. Made anew to be looked at, and taken away: in
    /// memory for SQLite, as temporary tables of a transaction that is taken back on PostgreSQL.
    pub(crate) async fn expected_shape(&self, version: i64) -> Result<Shape, StoreError> {
        if !self.database().is_shared() {
            return fresh_shape(version).await;
        }
        let mut link = self.begin_migration().await?;
        link.run_script("SET LOCAL search_path TO pg_temp").await?;
        self.make_record(&mut link).await?;
        for migration in self.known_up_to(version) {
            link.run_script(migration.up).await?;
        }
        let row = query("SELECT pg_my_temp_schema()::BIGINT AS place")
            .fetch_one(&mut link)
            .await?;
        let shape = postgres::read(&mut link, row.get("place")?).await?;
        link.rollback().await?;
        Ok(shape)
    }
}

/// An SQLite database in memory as migrations 1 to `version` make it.
pub(crate) async fn fresh(version: i64) -> Result<Store, StoreError> {
    let options = crate::store::StoreOptions {
        database: Database::Memory,
        clock: goblin_core::clock::Clock::System,
        ids: goblin_core::id::Ids::Random,
    };
    let store = Store::open_as_it_is(options).await?;
    store.migrate_up(Some(version)).await?;
    Ok(store)
}

/// What migrations 1 to `version` make on SQLite.
pub(crate) async fn fresh_shape(version: i64) -> Result<Shape, StoreError> {
    let store = fresh(version).await?;
    let mut link = store.begin_read().await?;
    let shape = sqlite::read(&mut link).await?;
    link.rollback().await?;
    store.close().await;
    Ok(shape)
}
