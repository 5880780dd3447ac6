//! The client against real sockets: servers and proxies, some of which behave badly.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod authority;
mod faults;
mod guarded;
mod h2_server;
mod http2;
mod proxies;
mod proxy_server;
mod raw_server;
mod redirects;
mod repeats;
mod tls;
