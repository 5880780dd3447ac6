//! goblin-store
