//! The words of `goblin backup` and `goblin restore`.

use std::path::PathBuf;

use clap::Args;

/// Everything of the database in one sealed file.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  goblin backup                               asks for a passphrase, and names the file by the time
  goblin backup --to /mnt/backups/ --passphrase-file /etc/goblin/backup-passphrase
  GOBLIN_BACKUP_PASSPHRASE_FILE=/run/secrets/backup goblin backup --to monday.age --json
  age --decrypt monday.age | gunzip | head -1  what is in it, without goblin

A goblin that runs is not disturbed: the backup is as of one moment. Chats, turns, traces, usage and users are in it;
models, goblin.toml and the keys of the model tier are not (`goblin models backup` writes those).
Without the passphrase nobody can open it, you included. Try it now and then: `goblin restore FILE --dry-run`.")]
pub(crate) struct Backup {
    /// Write this new file, or one that is named by the time into this folder; without it, into this folder
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Read the passphrase from this file, - for standard input; without it GOBLIN_BACKUP_PASSPHRASE, or you are asked
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a backup holds, put into the database.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  goblin restore monday.age --dry-run         is it whole, and what is in it? Nothing is changed
  goblin restore monday.age                   into a database that is empty, or not there yet
  goblin restore monday.age --replace         in the place of what is there
  DATABASE_URL=postgres://… goblin restore monday.age     also when it was made of an SQLite file, and back

The file is read to its end before anything is changed, and everything is restored or nothing. An older backup is brought
up to this release's schema; one of a newer release is refused. Stop goblin first. With --replace the old SQLite file is
kept beside the new one, under a name with the time; the tables of a PostgreSQL are not kept.")]
pub(crate) struct Restore {
    /// The file that `goblin backup` wrote
    pub(crate) file: PathBuf,
    /// Read the passphrase from this file, - for standard input; without it GOBLIN_BACKUP_PASSPHRASE, or you are asked
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Put it in the place of what the database holds
    #[arg(long)]
    pub(crate) replace: bool,
    /// Check the file and say what is in it; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
