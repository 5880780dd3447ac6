//! goblin-engine
