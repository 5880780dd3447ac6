//! goblin-server
