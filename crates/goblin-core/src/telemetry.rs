//! What goblin tells others of itself, as values: spans and metrics (OTLP), errors (Sentry), product events (PostHog).
//!
//! Nothing here is sent. What may be told is a closed list: attributes by name ([`names`]), events and their
//! properties by value ([`page`]), messages only where they cannot hold what somebody wrote ([`scrub`]). No prompt, no
//! answer, no key and no address has a place in it.

pub mod names;
pub mod otlp;
pub mod page;
pub mod posthog;
pub mod prometheus;
pub mod sampler;
pub mod scrub;
pub mod sentry;
pub mod span;

mod wire;
