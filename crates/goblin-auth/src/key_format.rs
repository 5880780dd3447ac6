//! How a key is written: `gbl_tier_` or `gbl_live_`, 8 characters that name it in public, 43 that are the secret (32 random
//! bytes), 6 that let anyone, above all secret scanners, see a mistyped or made-up key without asking us.
//! All base62, so that a double click selects the whole.

use sha2::{Digest, Sha256};

/// What every key of the model tier begins with.
pub(crate) const TIER: &str = "gbl_tier_";
/// What every key of the API begins with.
pub(crate) const LIVE: &str = "gbl_live_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 8;
/// 62^43 is just above 2^256.
const SECRET: usize = 43;
/// 62^6 is above 2^32.
const CHECK: usize = 6;

/// Random bytes of a key: 6 for its public name, 32 for its secret.
pub(crate) const RANDOM_BYTES: usize = 38;

/// A key as text, and its public part. `prefix`: [`TIER`] or [`LIVE`].
pub(crate) fn write(prefix: &str, random: &[u8; RANDOM_BYTES]) -> (String, String) {
    let (id, secret) = random.split_at(RANDOM_BYTES - 32);
    let id = base62(id, ID);
    let body = format!("{prefix}{id}{}", base62(secret, SECRET));
    let check = base62(&crc32(body.as_bytes()).to_be_bytes(), CHECK);
    (format!("{body}{check}"), id)
}

/// Is this text one of ours, whole and without a typing mistake? Says nothing about whether it is valid.
pub(crate) fn is_well_formed(prefix: &str, key: &str) -> bool {
    public_id(prefix, key).is_some()
}

/// The public part of a key that is whole and without a typing mistake.
pub(crate) fn public_id<'k>(prefix: &str, key: &'k str) -> Option<&'k str> {
    let rest = key.strip_prefix(prefix)?;
    if rest.len() != ID + SECRET + CHECK || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let (body, check) = key.split_at(key.len() - CHECK);
    (base62(&crc32(body.as_bytes()).to_be_bytes(), CHECK) == check).then(|| &rest[..ID])
}

/// SHA-256. A secret of 256 random bits needs no slow hash: there is nothing to guess from.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A big-endian number in base 62, its last `width` digits.
fn base62(number: &[u8], width: usize) -> String {
    let mut number = number.to_vec();
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        digits.push(char::from(ALPHABET[rest as usize]));
    }
    digits.iter().rev().collect()
}

/// CRC-32 as in IEEE 802.3, bit by bit: a key is short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        assert_eq!(base62(&[0xff; 32], 43).len(), 43);
    }

    proptest! {
        #[test]
        fn every_key_is_well_formed_and_no_changed_one_is(random in any::<[u8; 32]>(), at in 9usize..66, with in 0usize..62) {
            let mut bytes = [7; RANDOM_BYTES];
            bytes[6..].copy_from_slice(&random);
            let (key, id) = write(TIER, &bytes);
            prop_assert_eq!(key.len(), 66);
            prop_assert!(key[9..].starts_with(&id) && is_well_formed(TIER, &key));
            prop_assert!(!is_well_formed(LIVE, &key), "of the other kind");
            prop_assert_eq!(public_id(TIER, &key), Some(id.as_str()));
            let mut changed = key.clone().into_bytes();
            changed[at] = ALPHABET[with];
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(is_well_formed(TIER, &changed), changed == key);
        }

        #[test]
        fn different_secrets_are_different_keys(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            prop_assert_eq!(base62(&a, SECRET) == base62(&b, SECRET), a == b);
        }
    }
}
