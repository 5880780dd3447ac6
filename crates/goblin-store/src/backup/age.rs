//! Files sealed with a passphrase in age's format (<https://age-encryption.org/v1>), so that age's own programs open
//! them. Of that format there is only what this needs: one passphrase, and no text form.
//!
//! ```text
//! age-encryption.org/v1
//! -> scrypt SALT WORK             the key that scrypt makes of the passphrase …
//! WRAPPED                         … seals the file's own key
//! --- MAC                         the file's key vouches for the lines above
//! NONCE, then pieces of 64 KiB    each encrypted and authenticated by ChaCha20-Poly1305, the last one as the last
//! ```
//!
//! So whatever was cut off or altered is known for certain. All primitives are those of aws-lc and of the `scrypt` crate.

#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

const FIRST_LINE: &str = "age-encryption.org/v1\n";
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
/// Every line of the beginning is shorter, in bytes.
const MAX_LINE: u64 = 256;
/// A piece of content, and what sealing adds to it, in bytes.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
/// scrypt's block size, as the format has it.
const BLOCK: u32 = 8;

/// Why a file cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It cannot be read.
    Io(io::Error),
    /// It does not begin as a sealed file does.
    NotSealed,
    /// It is sealed, but not with a passphrase.
    NotByPassphrase,
    /// It asks for more work, as a power of two, than is done.
    TooMuchWork(u8),
    /// The passphrase is another one.
    WrongPassphrase,
    /// Its first lines were altered.
    Altered,
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is drawn for each file.
struct Drawn {
    file_key: [u8; 16],
    salt: [u8; 16],
    nonce: [u8; 16],
}

impl Drawn {
    fn draw() -> Result<Self, Unspecified> {
        let mut drawn = Self {
            file_key: [0; 16],
            salt: [0; 16],
            nonce: [0; 16],
        };
        for part in [&mut drawn.file_key, &mut drawn.salt, &mut drawn.nonce] {
            rand::fill(part)?;
        }
        Ok(drawn)
    }
}

/// What is written into it goes sealed into `W`. Without [`Self::finish`] nobody can read it.
pub(super) struct Writer<W> {
    to: W,
    key: LessSafeKey,
    pieces: u64,
    piece: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the beginning. Computes: 2^`work` KiB of memory, and time to fill it.
    pub(super) fn begin(to: W, passphrase: &str, work: u8) -> io::Result<Self> {
        Self::begin_with(to, passphrase, work, Drawn::draw().map_err(failed)?)
    }

    fn begin_with(mut to: W, passphrase: &str, work: u8, drawn: Drawn) -> io::Result<Self> {
        let wrap = passphrase_key(passphrase, &drawn.salt, work).map_err(failed)?;
        let mut wrapped = drawn.file_key.to_vec();
        aead(&wrap)
            .and_then(|key| {
                key.seal_in_place_append_tag(
                    Nonce::assume_unique_for_key([0; NONCE_LEN]),
                    Aad::empty(),
                    &mut wrapped,
                )
            })
            .map_err(failed)?;
        let lines = format!(
            "{FIRST_LINE}-> scrypt {} {work}\n{}\n---",
            BASE64.encode(drawn.salt),
            BASE64.encode(wrapped)
        );
        let mac = hmac::sign(&mac_key(&drawn.file_key).map_err(failed)?, lines.as_bytes());
        to.write_all(format!("{lines} {}\n", BASE64.encode(mac)).as_bytes())?;
        to.write_all(&drawn.nonce)?;
        Ok(Self {
            to,
            key: payload_key(&drawn.file_key, &drawn.nonce).map_err(failed)?,
            pieces: 0,
            piece: Vec::with_capacity(PIECE + TAG),
        })
    }

    /// Writes the last piece. Returns what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_piece(true)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn write_piece(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.pieces, last);
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.piece)
            .map_err(failed)?;
        self.to.write_all(&self.piece)?;
        self.piece.clear();
        self.pieces += 1;
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece waits for what follows: only then it is not the last.
        if self.piece.len() == PIECE && !bytes.is_empty() {
            self.write_piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// A piece is written when it is whole, so this has nothing to do but pass it on.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The content of a sealed file. What it gives has been authenticated; its end is one only if it was the end when the
/// file was made. Errors of altered content are [`io::ErrorKind::InvalidData`].
pub(super) struct Reader<R> {
    from: R,
    key: LessSafeKey,
    /// Where the first piece begins.
    start: u64,
    pieces: u64,
    piece: Vec<u8>,
    /// How much of the piece was handed out, and how long its content is.
    at: usize,
    length: usize,
    ended: bool,
}

impl<R: BufRead + Seek> Reader<R> {
    /// Reads the beginning. Computes as much as it took to make it, at most 2^`most_work` KiB of memory.
    pub(super) fn open(mut from: R, passphrase: &str, most_work: u8) -> Result<Self, OpenError> {
        let first = line(&mut from).map_err(|e| match e {
            OpenError::Altered => OpenError::NotSealed,
            other => other,
        })?;
        if first != FIRST_LINE {
            return Err(OpenError::NotSealed);
        }
        let (stanza, wrapped, mac) = (line(&mut from)?, line(&mut from)?, line(&mut from)?);
        let words: Vec<&str> = stanza.trim_end_matches('\n').split(' ').collect();
        let ["->", "scrypt", salt, work] = words[..] else {
            return Err(OpenError::NotByPassphrase);
        };
        let salt: [u8; 16] = bytes(salt)?;
        let work_number: u8 = work.parse().map_err(|_| OpenError::Altered)?;
        if work_number.to_string() != work || work_number == 0 {
            return Err(OpenError::Altered);
        }
        if work_number > most_work {
            return Err(OpenError::TooMuchWork(work_number));
        }
        let mut unwrapped: [u8; 32] = bytes(wrapped.trim_end_matches('\n'))?;
        let mac = mac.strip_prefix("--- ").ok_or(OpenError::NotByPassphrase)?;
        let mac: [u8; 32] = bytes(mac.trim_end_matches('\n'))?;

        let wrap = passphrase_key(passphrase, &salt, work_number).map_err(|_| OpenError::Altered)?;
        let file_key = aead(&wrap)
            .and_then(|key| {
                let none = Nonce::assume_unique_for_key([0; NONCE_LEN]);
                Ok(key.open_in_place(none, Aad::empty(), &mut unwrapped)?.to_vec())
            })
            .map_err(|_| OpenError::WrongPassphrase)?;
        let vouched = format!("{first}{stanza}{wrapped}---");
        let key = mac_key(&file_key).map_err(|_| OpenError::Altered)?;
        hmac::verify(&key, vouched.as_bytes(), &mac).map_err(|_| OpenError::Altered)?;
        let mut nonce = [0; 16];
        from.read_exact(&mut nonce)?;
        Ok(Self {
            start: from.stream_position()?,
            from,
            key: payload_key(&file_key, &nonce).map_err(|_| OpenError::Altered)?,
            pieces: 0,
            piece: Vec::new(),
            at: 0,
            length: 0,
            ended: false,
        })
    }

    /// Begins again with the first byte of the content.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.from.seek(SeekFrom::Start(self.start))?;
        (self.pieces, self.at, self.length, self.ended) = (0, 0, 0, false);
        Ok(())
    }

    fn read_piece(&mut self) -> io::Result<()> {
        self.piece.clear();
        let sealed = (PIECE + TAG) as u64;
        (&mut self.from).take(sealed).read_to_end(&mut self.piece)?;
        let last = self.from.fill_buf()?.is_empty();
        let content = self
            .key
            .open_in_place(nonce(self.pieces, last), Aad::empty(), &mut self.piece)
            .map_err(|_| altered())?;
        self.length = content.len();
        if self.length == 0 && self.pieces > 0 {
            return Err(altered());
        }
        (self.at, self.ended) = (0, last);
        self.pieces += 1;
        Ok(())
    }
}

impl<R: BufRead + Seek> Read for Reader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.length && !self.ended {
            self.read_piece()?;
        }
        let given = to.len().min(self.length - self.at);
        to[..given].copy_from_slice(&self.piece[self.at..self.at + given]);
        self.at += given;
        Ok(given)
    }
}

fn altered() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was sealed is not what is there")
}

/// Why a primitive refuses is not said.
fn failed(_: Unspecified) -> io::Error {
    io::Error::other("the cryptographic library refuses")
}

fn line(from: &mut impl BufRead) -> Result<String, OpenError> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match String::from_utf8(line) {
        Ok(line) if line.ends_with('\n') => Ok(line),
        _ => Err(OpenError::Altered),
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], OpenError> {
    let decoded = BASE64.decode(text).map_err(|_| OpenError::Altered)?;
    decoded.try_into().map_err(|_| OpenError::Altered)
}

fn passphrase_key(passphrase: &str, salt: &[u8; 16], work: u8) -> Result<[u8; 32], Unspecified> {
    let salt = [SALT_LABEL, salt].concat();
    let parameters = scrypt::Params::new(work, BLOCK, 1).map_err(|_| Unspecified)?;
    let mut key = [0; 32];
    scrypt::scrypt(passphrase.as_bytes(), &salt, &parameters, &mut key).map_err(|_| Unspecified)?;
    Ok(key)
}

fn mac_key(file_key: &[u8]) -> Result<hmac::Key, Unspecified> {
    Ok(hmac::Key::new(
        hmac::HMAC_SHA256,
        &derived(file_key, &[], b"header")?,
    ))
}

fn payload_key(file_key: &[u8], nonce: &[u8; 16]) -> Result<LessSafeKey, Unspecified> {
    aead(&derived(file_key, nonce, b"payload")?)
}

fn derived(key: &[u8], salt: &[u8], what: &[u8]) -> Result<[u8; 32], Unspecified> {
    let mut derived = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&[what], hkdf::HKDF_SHA256)?
        .fill(&mut derived)?;
    Ok(derived)
}

fn aead(key: &[u8; 32]) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key)?))
}

/// Eleven bytes that count the pieces, and one that says whether it is the last.
fn nonce(pieces: u64, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[3..11].copy_from_slice(&pieces.to_be_bytes());
    nonce[11] = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}
