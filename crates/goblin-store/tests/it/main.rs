//! The store against real files and real processes' worth of trouble.

mod branches;
mod concurrency;
mod data_dir;
mod desk;
mod model_files;
mod opening;
mod story;
mod turn_log;
