//! Who may begin an answer now, who waits, for how long, and who is better told at once to go elsewhere.
//!
//! Pure: time is a [`std::time::Duration`] since an epoch of the caller's choice. A [`desk::Desk`] stands in front of
//! one provider and has one line per model. `goblin-dispatch` wraps it with a lock and wakes those it calls.
//!
//! - [`fair`]: a queue that is first come first served within a key and takes turns between keys;
//! - [`estimate`]: what is known of an instance's speed, as numbers that outlive the process;
//! - [`rates`]: what finished answers taught about an instance, and what that says about the next;
//! - [`residency`]: which models a provider that cannot hold all of them holds;
//! - [`forecast`]: when the next place becomes free;
//! - [`desk`]: all of it together.

pub mod desk;
pub mod estimate;
pub mod fair;
pub mod forecast;
pub mod rates;
pub mod residency;
