//! goblin-auth
