//! Where chats are stored: a file of SQLite, or a PostgreSQL and how it is used.

use goblin_store::error::StoreError;
use goblin_store::postgres::Postgres;
use goblin_store::store::Database;

use crate::config::check::Reader;
use crate::config::environment::Environment;

impl Reader<'_> {
    /// The database in force; where an address cannot be used, that is reported.
    pub(super) fn database(&mut self, environment: &Environment) -> Database {
        let Some(url) = self.text("database.url") else {
            self.no_direct_url();
            let dir = self.text("data.dir").map(Into::into);
            let dir = dir.or_else(|| environment.data_dir());
            return Database::File(dir.unwrap_or_default().join("goblin.db"));
        };
        match Database::parse(&url) {
            Ok(Database::Postgres(postgres)) => Database::Postgres(Box::new(self.postgres(*postgres))),
            Ok(other) => {
                self.no_direct_url();
                other
            }
            Err(error) => {
                self.problem("database.url", reason(error));
                Database::Memory
            }
        }
    }

    fn postgres(&mut self, mut postgres: Postgres) -> Postgres {
        postgres.pooled |= self.switch("database.transaction_pooling");
        postgres.connections = self.small("database.connections");
        postgres.patience = self.seconds("database.wait_seconds");
        postgres.statement_timeout = self.seconds("database.statement_timeout_seconds");
        let Some(direct) = self.text("database.direct_url") else {
            return postgres;
        };
        postgres.clone().with_direct(&direct).unwrap_or_else(|error| {
            self.problem("database.direct_url", reason(error));
            postgres
        })
    }

    fn no_direct_url(&mut self) {
        if self.text("database.direct_url").is_some() {
            self.problem(
                "database.direct_url",
                "it is the way past a proxy of PostgreSQL, and database.url names no PostgreSQL. Unset it.",
            );
        }
    }
}

/// What is wrong with an address, without the address.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Address(what) => what,
        other => other.to_string(),
    }
}
