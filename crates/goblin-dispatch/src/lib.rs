//! goblin-dispatch
