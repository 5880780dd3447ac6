//! goblin-net
