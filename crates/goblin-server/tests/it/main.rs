//! The HTTP surfaces as clients see them, over real connections.

mod openapi;
