//! What the tests work at: a store whose time stands still until moved.

use std::sync::OnceLock;

use goblin_core::clock::{Clock, Timestamp};
use goblin_core::conversation::{Chat, Turn, TurnStatus};
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::chats::NewChat;
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turns::{FinishedTurn, NewTurn, Parent};
use tempfile::TempDir;

use crate::cluster::{Cluster, Tls};

pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) owner: Owner,
    ids: Ids,
    _folder: Option<TempDir>,
}

/// The PostgreSQL of this binary, with TLS by a certificate for `localhost` that [`authority`] signed.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let authority = authority();
        Cluster::start(Some(Tls {
            certificate: &authority.certificate,
            key: &authority.key,
        }))
    })
}

/// Who signed the server's certificate.
pub(crate) struct Authority {
    /// PEM.
    pub(crate) root: String,
    certificate: String,
    key: String,
}

pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(new_authority)
}

/// A fresh one, which nothing has signed that others know.
pub(crate) fn new_authority() -> Authority {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&root_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(parameters, &root_key);
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    Authority {
        root: root.pem(),
        certificate: server.signed_by(&key, &issuer).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// A PostgreSQL database of the test's own.
pub(crate) fn postgres() -> Database {
    let cluster = cluster();
    Database::parse(&cluster.address(&cluster.new_database())).unwrap()
}

/// Runs each test on SQLite in memory and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::desk::Desk::in_memory().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::desk::Desk::on_postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Runs each test, of many threads, on an SQLite file and on PostgreSQL: databases that outlive a store.
macro_rules! on_both_kept {
    ($($name:ident,)*) => {
        mod in_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&$crate::desk::Desk::in_a_file().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name(&$crate::desk::Desk::on_postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both_kept;

impl Desk {
    pub(crate) async fn open(database: Database) -> Self {
        let (clock, ids) = (Clock::manual(Timestamp(1_795_471_200_000)), Ids::counting());
        let options = StoreOptions {
            database,
            clock: clock.clone(),
            ids: ids.clone(),
        };
        Self {
            store: Store::open(options).await.unwrap(),
            clock,
            owner: Owner::local(),
            ids,
            _folder: None,
        }
    }

    pub(crate) async fn in_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self::open(Database::File(folder.path().join("goblin.db"))).await;
        Self {
            _folder: Some(folder),
            ..desk
        }
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::open(postgres()).await
    }

    pub(crate) async fn in_memory() -> Self {
        Self::open(Database::Memory).await
    }

    /// The same database, as the next process would open it.
    pub(crate) async fn reopened(&self) -> Self {
        let database = self.store.database().clone();
        let options = StoreOptions {
            database,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        };
        let store = Store::open(options).await.unwrap();
        Self {
            store,
            clock: self.clock.clone(),
            owner: self.owner.clone(),
            ids: self.ids.clone(),
            _folder: None,
        }
    }

    pub(crate) async fn chat(&self) -> Chat {
        self.store
            .insert_chat(&self.owner, NewChat::default())
            .await
            .unwrap()
    }

    /// Asks `content` a millisecond later.
    pub(crate) async fn ask(&self, chat: &Chat, parent: Parent, content: &str) -> Turn {
        self.clock.advance_ms(1);
        let new = NewTurn {
            chat: chat.id.clone(),
            parent,
            content: content.into(),
            model: None,
            ..Default::default()
        };
        self.store.insert_turn(&self.owner, new).await.unwrap().0
    }
}

pub(crate) fn complete(turn: &Turn, answer: &str) -> FinishedTurn {
    FinishedTurn {
        turn: turn.id.clone(),
        answer: answer.into(),
        reasoning: None,
        status: TurnStatus::Complete,
        finish_reason: Some("stop".into()),
        model: Some("engine/tiny".into()),
        local: Some(true),
        error: None,
        usage: None,
        left_out: 0,
        timing: None,
    }
}
