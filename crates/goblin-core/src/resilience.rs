//! What is done about a model that fails before its first content: who is asked again and when ([`retry`]), how long one
//! may keep the others waiting ([`share`]), when another is asked beside it ([`hedge`]), and which is left alone for a while
//! ([`breaker`]). Pure: time and chance are
//! parameters.

pub mod breaker;
pub mod hedge;
pub mod retry;
pub mod share;
