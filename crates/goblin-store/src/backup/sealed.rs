//! Compressed by gzip (RFC 1952), then sealed with a passphrase.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use secrecy::{ExposeSecret, SecretString};

use super::age::{OpenError, Reader, Writer};

/// scrypt's work, as a power of two: 128 MiB and about half a second for each guess.
const WORK: u8 = 17;
/// Most work that is done to open a file: 1 GiB. age's own programs ask for a quarter of it.
const MOST_WORK: u8 = 20;

/// With what a backup is sealed.
#[derive(Clone, Debug)]
pub struct Seal {
    passphrase: SecretString,
    work: u8,
}

impl Seal {
    /// Sealed with a passphrase.
    pub fn new(passphrase: SecretString) -> Self {
        Self {
            passphrase,
            work: WORK,
        }
    }

    /// With another amount of work than usual, as a power of two. A passphrase that cannot be guessed (a test's) needs
    /// little.
    #[must_use]
    pub fn with_work(mut self, work: u8) -> Self {
        self.work = work;
        self
    }

    /// A file being written. Computes half a second, and needs 128 MiB of memory for it.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self, file: File) -> io::Result<Sealing> {
        let sealing = Writer::begin(BufWriter::new(file), self.passphrase.expose_secret(), self.work)?;
        Ok(Sealing(GzEncoder::new(sealing, Compression::fast())))
    }

    /// A file being read, from its beginning. Computes as long as it took to seal it.
    pub(super) fn open(&self, file: File) -> Result<Opened, OpenError> {
        let sealed = Reader::open(BufReader::new(file), self.passphrase.expose_secret(), MOST_WORK)?;
        Ok(Opened(layers(sealed)))
    }
}

/// What is written into it goes compressed and sealed into a file.
pub struct Sealing(GzEncoder<Writer<BufWriter<File>>>);

impl Sealing {
    /// Ends both layers. Returns the file: everything is in it, but not yet forced to disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<File> {
        let buffered = self.0.finish()?.finish()?;
        buffered.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Sealing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

type Sealed = Reader<BufReader<File>>;
type Layers = BufReader<GzDecoder<BufReader<Sealed>>>;

/// The content of a sealed file.
pub(super) struct Opened(Layers);

fn layers(sealed: Sealed) -> Layers {
    BufReader::new(GzDecoder::new(BufReader::new(sealed)))
}

impl Opened {
    /// Makes sure that nothing follows the end, in neither layer, and begins again.
    pub(super) fn again(self) -> io::Result<Self> {
        let mut compressed = self.0.into_inner().into_inner();
        if !compressed.fill_buf()?.is_empty() {
            let message = "something follows its end";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut sealed = compressed.into_inner();
        sealed.rewind()?;
        Ok(Self(layers(sealed)))
    }
}

impl Read for Opened {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl BufRead for Opened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}
