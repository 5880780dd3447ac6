//! A file of keys as hashes, shared between a running goblin and the commands that change it.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use goblin_core::clock::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::locked_file::{LockedFileError, change_toml, read_toml};

/// Most keys in one file.
pub const MAX_KEYS: usize = 1000;
/// Most earlier secrets one key keeps while its rotations overlap.
pub const MAX_PREVIOUS: usize = 4;
/// Most source networks of one key.
pub const MAX_NETWORKS: usize = 100;

/// One key, of which only the hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What its owner calls it; unique in the file.
    pub name: String,
    /// The public part of the key, to recognise it by.
    pub id: String,
    /// SHA-256 of the whole key.
    pub sha256: KeyHash,
    /// What it may do, in words of `goblin-auth`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer good; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Where it may be used from; empty: anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Network>,
    /// How much it may use.
    #[serde(default, skip_serializing_if = "KeyLimits::is_none")]
    pub limits: KeyLimits,
    /// Secrets before the last rotation that are good for a while yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<PreviousSecret>,
}

/// How much a key may use. `None`: no limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// Requests in any minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Requests at once, streams included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Tokens of prompts and answers in one day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
}

impl KeyLimits {
    /// Is there no limit at all?
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A secret that a rotation has replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousSecret {
    /// Its public part.
    pub id: String,
    /// SHA-256 of the whole key.
    pub sha256: KeyHash,
    /// From when on it is no longer good.
    pub until: Timestamp,
}

/// A SHA-256, kept as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", &hex::encode(&self.0[..4]))
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(&text, &mut hash)
            .map_err(|_| de::Error::custom("`sha256` is not 64 hexadecimal digits"))?;
        Ok(Self(hash))
    }
}

/// Addresses a key may be used from: one, or all that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Is `address` one of them? IPv4 written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.7`, `10.0.0.0/8` or `fd00::/8`.
    ///
    /// # Errors
    /// A sentence with the fix.
    fn from_str(text: &str) -> Result<Self, String> {
        let neither =
            || format!("`{text}` is neither an address nor a network. Write it like 10.0.0.7 or 10.0.0.0/8.");
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse::<IpNet>().map_err(|_| neither())?,
        };
        if net.trunc() != net {
            return Err(format!(
                "`{text}` has digits beyond its prefix. Write {}.",
                net.trunc()
            ));
        }
        if matches!(net, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()) {
            return Err(format!("`{text}` is IPv4 written as IPv6. Write it as IPv4."));
        }
        Ok(Self(net))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// Why a key file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read, or is no key file.
    #[error("The key file {} cannot be used: {reason}. Correct it, or move it away and make new keys.", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key of that name is there.
    #[error("There is already a key named `{0}`. Choose another name, or remove that one first.")]
    NameTaken(String),
    /// The file is full.
    #[error("The key file holds {MAX_KEYS} keys, which is the limit. Remove some first.")]
    TooMany,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    keys: Vec<KeyEntry>,
}

/// Tells one state of the file from the next: time, length, and on Unix the file's number, which changes with
/// every replacement even within one tick of the file system's clock.
type Stamp = Option<(SystemTime, u64, u64)>;

#[derive(Debug)]
struct Loaded {
    keys: Arc<Vec<KeyEntry>>,
    stamp: Stamp,
}

/// The keys as last read, and where they live. Cloning shares them.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: Arc<PathBuf>,
    loaded: Arc<Mutex<Loaded>>,
}

impl KeyFile {
    /// Reads the file; no file is no keys. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeyFileError> {
        let path = path.into();
        let stamp = stamp(&path);
        let keys = Arc::new(read(&path)?);
        Ok(Self {
            path: Arc::new(path),
            loaded: Arc::new(Mutex::new(Loaded { keys, stamp })),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys as last read. Does not touch the disk.
    pub fn keys(&self) -> Arc<Vec<KeyEntry>> {
        Arc::clone(&self.loaded.lock().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Reads the file again when it has changed; true when it had. Blocks on disk: poll it each second off the
    /// runtime's threads.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`]; then the keys stay as last read.
    pub fn reload(&self) -> Result<bool, KeyFileError> {
        let stamp = stamp(&self.path);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.stamp == stamp {
            return Ok(false);
        }
        loaded.keys = Arc::new(read(&self.path)?);
        loaded.stamp = stamp;
        Ok(true)
    }

    /// Adds a key. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::NameTaken`], [`KeyFileError::TooMany`], [`KeyFileError::Unusable`].
    pub fn insert_key(&self, entry: KeyEntry) -> Result<(), KeyFileError> {
        self.change(|keys| {
            if keys.len() >= MAX_KEYS {
                return Err(KeyFileError::TooMany);
            }
            if keys.iter().any(|k| k.name == entry.name) {
                return Err(KeyFileError::NameTaken(entry.name));
            }
            keys.push(entry);
            Ok(())
        })
    }

    /// Removes the key of that name; false when there is none. Blocks on disk.
    ///
    /// # Errors
    /// [`KeyFileError::Unusable`].
    pub fn delete_key(&self, name: &str) -> Result<bool, KeyFileError> {
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|k| k.name != name);
            Ok(keys.len() < before)
        })
    }

    /// Changes the key of that name as `change` says; `None` when there is none. Refused, nothing is changed.
    /// Blocks on disk.
    ///
    /// # Errors
    /// What `change` refuses, and [`KeyFileError::Unusable`].
    pub fn update_key<R, E: From<KeyFileError>>(
        &self,
        name: &str,
        change: impl FnOnce(&mut KeyEntry) -> Result<R, E>,
    ) -> Result<Option<R>, E> {
        self.change(|keys| keys.iter_mut().find(|k| k.name == name).map(change).transpose())
    }

    fn change<R, E: From<KeyFileError>>(
        &self,
        change: impl FnOnce(&mut Vec<KeyEntry>) -> Result<R, E>,
    ) -> Result<R, E> {
        let result = change_toml::<Content, _, Refused<E>>(&self.path, |c| {
            change(&mut c.keys).map_err(Refused::Change)
        });
        let result = result.map_err(|refused| match refused {
            Refused::Change(e) => e,
            Refused::File(e) => unusable(&self.path, &e).into(),
        })?;
        self.reload()?;
        Ok(result)
    }
}

/// A change that was refused, or a file that could not be changed.
enum Refused<E> {
    Change(E),
    File(LockedFileError),
}

impl<E> From<LockedFileError> for Refused<E> {
    fn from(error: LockedFileError) -> Self {
        Self::File(error)
    }
}

fn read(path: &Path) -> Result<Vec<KeyEntry>, KeyFileError> {
    let content: Content = read_toml(path).map_err(|e| unusable(path, &e))?;
    let bad = |reason: String| KeyFileError::Unusable {
        path: path.to_owned(),
        reason,
    };
    if content.keys.len() > MAX_KEYS {
        return Err(bad(format!("it holds more than {MAX_KEYS} keys")));
    }
    for key in &content.keys {
        if key.previous.len() > MAX_PREVIOUS || key.from.len() > MAX_NETWORKS {
            let name = &key.name;
            return Err(bad(format!(
                "the key `{name}` has more than {MAX_PREVIOUS} previous secrets or {MAX_NETWORKS} networks"
            )));
        }
    }
    Ok(content.keys)
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let number = 0;
    Some((metadata.modified().ok()?, metadata.len(), number))
}

fn unusable(path: &Path, error: &LockedFileError) -> KeyFileError {
    KeyFileError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> KeyEntry {
        KeyEntry {
            name: name.into(),
            id: "abcdefgh".into(),
            sha256: KeyHash([10; 32]),
            scopes: vec!["infer".into()],
            created_at: Timestamp(1_795_471_200_123),
            expires_at: None,
            revoked_at: None,
            from: Vec::new(),
            limits: KeyLimits::default(),
            previous: Vec::new(),
        }
    }

    /// As the first release wrote them.
    const FIRST_FORMAT: &str = "[[keys]]\nname = \"old\"\nid = \"abcdefgh\"\n\
        sha256 = \"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\"\nscopes = [\"infer\"]\n\
        created_at = \"2026-11-23T22:00:00.123Z\"\n";

    #[test]
    fn a_file_of_the_first_release_is_read_and_what_is_not_set_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        fs::write(&path, FIRST_FORMAT).unwrap();
        let file = KeyFile::open(&path).unwrap();
        let old = KeyEntry {
            created_at: file.keys()[0].created_at,
            ..entry("old")
        };
        assert_eq!(*file.keys(), [old]);
        let changed = file.update_key("old", |_| Ok::<_, KeyFileError>(())).unwrap();
        assert_eq!(changed, Some(()));
        assert_eq!(fs::read_to_string(&path).unwrap(), FIRST_FORMAT);
    }

    #[test]
    fn everything_a_key_has_survives_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        let whole = KeyEntry {
            expires_at: Some(Timestamp(1_795_471_200_123)),
            revoked_at: Some(Timestamp(1_795_471_200_456)),
            from: vec!["10.0.0.0/8".parse().unwrap(), "fd00::7".parse().unwrap()],
            limits: KeyLimits {
                requests_per_minute: Some(60),
                concurrent: Some(2),
                tokens_per_day: Some(1_000_000),
            },
            previous: vec![PreviousSecret {
                id: "hgfedcba".into(),
                sha256: KeyHash([7; 32]),
                until: Timestamp(1_795_471_200_789),
            }],
            ..entry("whole")
        };
        file.insert_key(whole.clone()).unwrap();
        file.insert_key(entry("plain")).unwrap();
        let again = KeyFile::open(file.path()).unwrap();
        assert_eq!(*again.keys(), [whole, entry("plain")]);
    }

    #[test]
    fn networks_are_one_address_or_a_clean_prefix() {
        let holds = |network: &str, address: &str| {
            network
                .parse::<Network>()
                .unwrap()
                .contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.9.8.7") && holds("10.0.0.0/8", "::ffff:10.9.8.7"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1") && !holds("10.0.0.7", "10.0.0.8"));
        assert!(holds("10.0.0.7", "10.0.0.7") && holds("::ffff:10.0.0.7", "10.0.0.7"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "2001:db8::1"));
        for (text, says) in [
            ("10.0.0.5/8", "Write 10.0.0.0/8"),
            ("10.0.0.0/33", "neither"),
            ("localhost", "neither"),
            ("", "neither"),
            ("10.0.0.1-10.0.0.9", "neither"),
            ("::ffff:10.0.0.0/104", "as IPv4"),
        ] {
            let sentence = text.parse::<Network>().unwrap_err();
            assert!(sentence.contains(says), "{sentence}");
        }
        assert_eq!("10.0.0.7/32".parse::<Network>().unwrap().to_string(), "10.0.0.7");
    }

    #[test]
    fn a_refused_change_leaves_the_key_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        file.insert_key(entry("a")).unwrap();
        let refused = file.update_key("a", |key| {
            key.scopes.clear();
            Err::<(), _>(KeyFileError::TooMany)
        });
        assert!(matches!(refused, Err(KeyFileError::TooMany)));
        assert_eq!(*file.keys(), [entry("a")]);
        let absent = file.update_key("b", |_| Ok::<_, KeyFileError>(())).unwrap();
        assert_eq!(absent, None);
    }

    #[test]
    fn keys_made_by_another_process_are_seen_after_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let running = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        let command = KeyFile::open(dir.path().join("keys.toml")).unwrap();
        assert!(!running.reload().unwrap());
        command.insert_key(entry("laptop")).unwrap();
        assert!(running.keys().is_empty());
        assert!(running.reload().unwrap());
        assert_eq!(*running.keys(), [entry("laptop")]);
        assert!(command.delete_key("laptop").unwrap() && !command.delete_key("laptop").unwrap());
        assert!(running.reload().unwrap() && running.keys().is_empty());
    }

    #[test]
    fn a_name_is_taken_once_even_by_two_processes_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let made: usize = std::thread::scope(|scope| {
            let each = |_| {
                let file = KeyFile::open(&path).unwrap();
                scope.spawn(move || usize::from(file.insert_key(entry("same")).is_ok()))
            };
            let threads: Vec<_> = (0..8).map(each).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(made, 1);
        assert_eq!(KeyFile::open(&path).unwrap().keys().len(), 1);
    }

    #[test]
    fn a_broken_file_is_named_and_the_keys_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let file = KeyFile::open(&path).unwrap();
        file.insert_key(entry("a")).unwrap();
        for broken in [
            "keys = 3",
            "[[keys]]\nname = \"x\"",
            "[[keys]]\nname='x'\nid='x'\nsha256='zz'\ncreated_at='2026-01-01T00:00:00Z'",
            &format!("{FIRST_FORMAT}from = ['10.0.0.5/8']"),
            &format!("{FIRST_FORMAT}colour = 'red'"),
        ] {
            fs::write(&path, broken).unwrap();
            let sentence = file.reload().unwrap_err().to_string();
            assert!(sentence.contains("keys.toml"), "{sentence}");
            assert_eq!(file.keys().len(), 1);
            assert!(KeyFile::open(&path).is_err());
        }
    }
}
