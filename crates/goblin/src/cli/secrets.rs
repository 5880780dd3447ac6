//! `goblin signing-keys` and `goblin secrets`: the words.

use clap::Subcommand;

/// What access tokens are signed with.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A key is standby, then current (it signs), then previous (its tokens are good until they end), then revoked. Copies of
goblin that run notice every change within 5 seconds, so nobody has to sign in again because of a rotation.

Keys given by JWT_CURRENT_KEY, JWT_SECRET_KEY and JWT_STANDBY_KEY are not goblin's to change: `rotate` then prints the
values to set, and changes nothing.

Exit codes: 0 done · 1 failed · 2 the command line is wrong")]
pub(crate) enum SigningKeysCommand {
    /// Every key and how far it has come; never the key itself
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The standby key signs from now on, and a new one waits
    Rotate,
    /// Take a previous key back: its tokens are refused from now on
    Revoke {
        /// Its id, as `goblin signing-keys list` shows it
        id: String,
    },
}

/// What secrets in the database are sealed with.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Keys of providers and signing keys are kept sealed, each with a key of its own, and those with a master key. The master
keys are those of SETTINGS_ENCRYPTION_KEY, the first one seals; without it they are in the file `master-keys` of the data
directory. A backup holds what is sealed and not the master keys: keep a copy of them elsewhere.

Exit codes: 0 done · 1 failed · 2 the command line is wrong")]
pub(crate) enum SecretsCommand {
    /// Put every secret under the first master key; where goblin keeps the master keys itself, under a new one
    Rotate,
}
