//! The client against real sockets that behave badly.

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
