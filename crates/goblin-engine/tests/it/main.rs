//! The engine with real models: a starter with a chat template and a base model of another family without.

mod answering;
mod batching;
mod constraints;
mod deciding;
mod embedding;
mod loading;
mod models;
mod resident;
mod reuse;
mod tools;
