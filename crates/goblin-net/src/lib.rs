//! The only way out: every connection goblin opens to another server goes through [`HttpClient`].
//!
//! A client belongs to one [`Guard`], which says where its connections may lead. The guard looks at the address that is
//! really connected to, so a name that changes its mind (DNS rebinding) is caught too. Redirects are
//! followed only by [`HttpClient::send_following`].
//!
//! Through a [`Proxy`] the guard judges literal addresses, pinned names, and every name that is resolved on this side
//! (`socks5://`, and any proxy for addresses of users). A name that is handed to a proxy (`http://`, `https://`,
//! `socks5h://`) leads where the proxy decides, so that proxy must refuse what should not be reached.

mod address;
mod body;
mod client;
mod connect;
mod error;
mod guard;
mod mail;
mod proxy;
mod redirect;
mod tls;

pub use address::{Url, UrlError};
pub use body::Body;
pub use client::{HttpClient, Identity, NetOptions, Request, Response};
pub use error::{NetError, Waiting};
pub use guard::{Guard, Refusal};
pub use mail::{Letter, MailError, MailServer, Mailer};
pub use proxy::{Proxy, ProxyError};
pub use redirect::MAX_REDIRECTS;
