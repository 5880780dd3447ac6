//! The only way out: every connection goblin opens to another server goes through [`HttpClient`].
//!
//! A client belongs to one [`Guard`], which says where its connections may lead. The guard looks at the address that is
//! really connected to, so a name that changes its mind (DNS rebinding) is caught too. Redirects are
//! followed only by [`HttpClient::send_following`].

mod address;
mod body;
mod client;
mod connect;
mod error;
mod guard;
mod redirect;

pub use address::{Url, UrlError};
pub use body::Body;
pub use client::{HttpClient, NetOptions, Request, Response};
pub use error::{NetError, Waiting};
pub use guard::{Guard, Refusal};
pub use redirect::MAX_REDIRECTS;
