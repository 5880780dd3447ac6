//! The HTTP surfaces as clients see them, over real connections.

#![allow(
    clippy::unwrap_used,
    reason = "what a helper cannot do is a failure of its test"
)]

mod able;
mod accounts;
mod allow_list;
mod answers_again;
mod anthropic_door;
mod api_keys;
mod attachments;
mod authenticator;
mod bad_input;
mod chat_completions;
mod chats;
mod checked;
mod client;
mod cloud_doors;
mod cloud_models;
mod connections;
mod crossing;
mod decisions;
mod door_answers;
mod door_refusals;
mod door_tricks;
mod doors;
mod elsewhere;
mod fake_upstream;
mod faults;
mod files;
mod goldens;
mod google;
mod headers;
mod health;
mod kept_responses;
mod left_out;
mod limits;
mod local_mode;
#[allow(dead_code, reason = "some of it is for dispatch's own tests")]
#[path = "../../../goblin-dispatch/tests/it/log.rs"]
mod log;
mod money;
mod ollama_door;
mod openapi;
mod own_account;
mod page;
mod passkeys;
mod people;
mod privacy;
mod provider;
mod provider_keys;
#[path = "../../../goblin-store/tests/it/redis_server.rs"]
#[allow(dead_code, reason = "some of it is for the store's own tests")]
mod redis_server;
mod refused_bodies;
mod routing;
mod sign_in_tricks;
mod supabase;
mod telemetry;
mod test_app;
mod tier;
mod tier_keys;
mod tier_own;
mod tier_queue;
mod tier_tricks;
mod tier_upstreams;
mod traces;
mod turns;
mod unread;
#[path = "../../../goblin-dispatch/tests/it/verdicts.rs"]
mod verdicts;
