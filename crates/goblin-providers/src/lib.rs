//! goblin-providers
