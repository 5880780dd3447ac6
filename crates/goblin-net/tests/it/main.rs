//! The client against real sockets that behave badly.

mod faults;
mod guarded;
mod raw_server;
mod redirects;
