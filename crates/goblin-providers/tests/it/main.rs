//! Adapters against upstreams that behave well and badly.

mod cancel;
mod discovery;
mod fake_upstream;
mod faults;
mod requests;
