//! A PostgreSQL server: its address, its pool, and why it cannot be used, in sentences.

use std::fmt;
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::error::StoreError;

/// Parameters of an address that are understood.
const KNOWN: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "pgbouncer",
];
/// Parameters that hosts write into their addresses and that mean nothing here.
const WITHOUT_EFFECT: &[&str] = &[
    "channel_binding",
    "connect_timeout",
    "target_session_attrs",
    "keepalives",
    "keepalives_idle",
    "gssencmode",
    "pool_timeout",
    "connection_limit",
    "schema",
];
/// Connections unless told otherwise.
const CONNECTIONS: u32 = 10;
/// Longest wait for a connection or a lock unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest a statement may take unless told otherwise.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// What to do when the server's certificate does not fit.
const CERTIFICATE: &str =
    "Check `sslmode` and `sslrootcert` in DATABASE_URL against the server's certificate.";
/// How long the connection for migrations is kept.
const DIRECT_IDLE: Duration = Duration::from_secs(10);

/// A PostgreSQL server and how it is used. What its address leaves out is taken from libpq's variables (`PGUSER`,
/// `PGPASSWORD` …) and `~/.pgpass`; TLS is used where the server has it, unless `sslmode` says otherwise
/// (<https://www.postgresql.org/docs/current/libpq-connect.html>).
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    address: Address,
    direct: Option<Address>,
    /// Is there a proxy in between that gives each transaction another connection of the server?
    pub pooled: bool,
    /// Most connections at once.
    pub connections: u32,
    /// Longest wait for a connection or a lock.
    pub patience: Duration,
    /// Longest a statement may take. A pooling proxy has its own limit.
    pub statement_timeout: Duration,
}

/// An address with its parameters put right. Holds the password, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
struct Address(String);

impl Postgres {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…`; limits are the usual ones. `pgbouncer=true` in the
    /// address, as some hosts write it, means [`Self::pooled`].
    ///
    /// # Errors
    /// [`StoreError::Address`], without repeating the address.
    pub fn parse(address: &str) -> Result<Self, StoreError> {
        let (address, pooled) = Address::parse(address)?;
        Ok(Self {
            address,
            direct: None,
            pooled,
            connections: CONNECTIONS,
            patience: PATIENCE,
            statement_timeout: STATEMENT_TIMEOUT,
        })
    }

    /// Migrations go to this address of the same database, past a pooling proxy.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn with_direct(mut self, address: &str) -> Result<Self, StoreError> {
        self.direct = Some(Address::parse(address)?.0);
        Ok(self)
    }

    /// Makes the pool, when the server can be reached.
    pub(crate) async fn connect(&self) -> Result<PgPool, StoreError> {
        self.reach(self.patience).await?;
        let options = self.options(&self.address, self.pooled)?;
        Ok(self.pool(self.connections).connect_lazy_with(options))
    }

    /// Connects once, to learn whether and why not.
    pub(crate) async fn reach(&self, within: Duration) -> Result<(), StoreError> {
        let options = self.options(&self.address, self.pooled)?;
        reach(&self.address, "DATABASE_URL", options, within).await
    }

    /// The same on the way that migrations take.
    pub(crate) async fn reach_direct(&self, within: Duration) -> Result<(), StoreError> {
        let Some(direct) = &self.direct else {
            return self.reach(within).await;
        };
        reach(direct, "DATABASE_DIRECT_URL", self.options(direct, true)?, within).await
    }

    /// The one connection that changes the schema, made when it is needed.
    pub(crate) fn direct_pool(&self) -> Result<PgPool, StoreError> {
        let options = match &self.direct {
            Some(direct) => self.options(direct, true)?,
            None => self.options(&self.address, self.pooled)?,
        };
        let pool = self.pool(1).idle_timeout(DIRECT_IDLE);
        Ok(pool.connect_lazy_with(options))
    }

    fn pool(&self, connections: u32) -> PgPoolOptions {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(self.patience)
    }

    /// `plain`: nothing that outlives a transaction, and no parameter a pooling proxy does not know.
    fn options(&self, address: &Address, plain: bool) -> Result<PgConnectOptions, StoreError> {
        let options = address.options()?.disable_statement_logging();
        if plain {
            return Ok(options.statement_cache_capacity(0).extra_float_digits(None));
        }
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        Ok(options.options([
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("lock_timeout", milliseconds(self.patience)),
        ]))
    }
}

/// Connects once to an address, which setting `name` holds.
async fn reach(
    address: &Address,
    name: &str,
    options: PgConnectOptions,
    within: Duration,
) -> Result<(), StoreError> {
    let silent = || StoreError::CannotConnect {
        place: address.to_string(),
        reason: format!("it did not answer within {} s", within.as_secs()),
        fix: format!("Check the address in {name} and that no firewall is in between."),
    };
    let first = tokio::time::timeout(within, options.connect()).await;
    let first = first
        .map_err(|_| silent())?
        .map_err(|e| refused(address, name, e))?;
    // That it closes well is of no interest.
    let _ = first.close().await;
    Ok(())
}

/// Why a connection failed, in a sentence with what to do. The server's own text names user and database, never the
/// password.
fn refused(address: &Address, name: &str, error: sqlx::Error) -> StoreError {
    let server = error.as_database_error();
    let code = server.and_then(|e| e.code()).unwrap_or_default().into_owned();
    let fix = match (code.as_str(), &error) {
        ("28P01" | "28000", _) => "Correct user and password in DATABASE_URL, or the server's pg_hba.conf.",
        ("3D000", _) => "Make it with `createdb`, or correct the name in DATABASE_URL.",
        ("53300", _) => "Lower database.connections, or raise the server's max_connections.",
        ("57P03", _) => "It is starting or stopping; try again in a moment.",
        (_, sqlx::Error::Tls(_)) => CERTIFICATE,
        // What rustls says of a certificate comes as this.
        (_, sqlx::Error::Io(e)) if e.kind() == ErrorKind::InvalidData => CERTIFICATE,
        (_, sqlx::Error::Io(e)) if e.kind() == ErrorKind::ConnectionRefused => {
            "Start the server, or correct host and port in DATABASE_URL."
        }
        _ => "Check the address in DATABASE_URL and the server's log.",
    };
    let reason = server.map_or_else(|| error.to_string(), |e| e.message().to_owned());
    StoreError::CannotConnect {
        place: address.to_string(),
        reason,
        fix: fix.replace("DATABASE_URL", name),
    }
}

/// Where it is, without user and password.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(options) = self.options() else {
            return f.write_str("an unreadable address");
        };
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        write!(f, "/{}", options.get_database().unwrap_or(options.get_username()))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("place", &self.to_string())
            .field("direct", &self.direct.is_some())
            .field("pooled", &self.pooled)
            .field("connections", &self.connections)
            .field("patience", &self.patience)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

impl Address {
    /// The address without parameters that mean nothing here, and whether it says that a pooling proxy is there.
    fn parse(address: &str) -> Result<(Self, bool), StoreError> {
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(StoreError::Address(
                "it must begin with `postgres://`. Write postgres://USER:PASSWORD@HOST:PORT/NAME.".to_owned(),
            ));
        }
        let (base, parameters) = address.split_once('?').unwrap_or((address, ""));
        let (mut kept, mut pooled) = (Vec::new(), false);
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if WITHOUT_EFFECT.contains(&name) {
                continue;
            }
            if !KNOWN.contains(&name) && !name.starts_with("options[") {
                return Err(StoreError::Address(format!(
                    "it has the parameter `{}`, which is not known. Known ones are {}.",
                    name.chars().take(40).collect::<String>(),
                    KNOWN.join(", ")
                )));
            }
            if name == "pgbouncer" {
                pooled = value == "true";
            } else {
                kept.push(parameter);
            }
        }
        let address = Self(format!("{base}?{}", kept.join("&")));
        let options = address.options()?;
        if options.get_database().is_none() {
            return Err(StoreError::Address(
                "it names no database. Write postgres://USER:PASSWORD@HOST:PORT/NAME.".to_owned(),
            ));
        }
        Ok((address, pooled))
    }

    fn options(&self) -> Result<PgConnectOptions, StoreError> {
        PgConnectOptions::from_str(&self.0).map_err(|_| {
            StoreError::Address(
                "it cannot be read. Write postgres://USER:PASSWORD@HOST:PORT/NAME, special characters of the \
                 password as %XX, and `sslmode` as one of disable, allow, prefer, require, verify-ca, verify-full."
                    .to_owned(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_hosts_write_them_are_understood() {
        let pooled = Postgres::parse(
            "postgresql://u.project:p%40ss@pooler.example.org:6543/postgres?pgbouncer=true&connection_limit=1",
        );
        let pooled = pooled.unwrap();
        assert!(pooled.pooled);
        assert_eq!(pooled.to_string(), "pooler.example.org:6543/postgres");
        let other = Postgres::parse("postgres://u:p@h/d?sslmode=require&channel_binding=require").unwrap();
        assert!(!other.pooled);
        let options = other.address.options().unwrap();
        assert!(matches!(
            options.get_ssl_mode(),
            sqlx::postgres::PgSslMode::Require
        ));
        let socket = Postgres::parse("postgres://u@%2Frun%2Fpostgresql/d").unwrap();
        assert_eq!(socket.to_string(), "/run/postgresql/d");
    }

    #[test]
    fn an_unknown_parameter_is_named_and_a_missing_database_too() {
        let say = |address: &str| Postgres::parse(address).unwrap_err().to_string();
        assert!(say("postgres://u:p@h/d?ssl_mode=require").contains("`ssl_mode`"));
        assert!(say("postgres://u:p@h").contains("no database"));
        let direct = Postgres::parse("postgres://u:p@h/d")
            .unwrap()
            .with_direct("sqlite:x");
        assert!(direct.is_err());
    }
}
