//! Reads the header of a GGUF file without llama.cpp, so that a damaged file is refused with a sentence
//! before any C++ sees it.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.
//! Every read is bounded: counts, text lengths and array lengths have limits, and the extents of all tensors
//! are compared with the file's size, so that a truncated file is found without reading its data.

mod types;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use thiserror::Error;

use types::{block_of, file_type_name};

/// Most tensors a file may declare. The largest published models have a few thousand.
const MAX_TENSORS: u64 = 65_536;
/// Most metadata entries.
const MAX_ENTRIES: u64 = 65_536;
/// Longest text, in bytes (chat templates reach some tens of kilobytes).
const MAX_TEXT: u64 = 16 * 1024 * 1024;
/// Most elements of one array (vocabularies reach some hundred thousands).
const MAX_ARRAY: u64 = 16 * 1024 * 1024;
/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
const MAX_DIMS: u32 = 4;
/// Alignment of tensor data when the file names none.
const DEFAULT_ALIGNMENT: u64 = 32;

/// Why a file is not a usable GGUF. `Display` is a sentence for a person.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GgufError {
    /// The file cannot be opened or read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The first four bytes are not `GGUF`.
    #[error("this is not a GGUF file: it does not begin with the letters GGUF")]
    NotGguf,
    /// A version this reader does not know.
    #[error("GGUF version {0} is not supported; versions 2 and 3 are")]
    Version(u32),
    /// The header contradicts itself or exceeds a limit.
    #[error("the GGUF header is damaged: {0}")]
    Damaged(String),
    /// The file ends before its tensors do.
    #[error("the file is truncated: its tensors need {needed} bytes, the file has {actual}")]
    Truncated {
        /// Bytes the header promises.
        needed: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// A sound file, but neither of a model that answers in text nor of one that makes vectors of texts.
    #[error("this model cannot generate text: {0}")]
    NoText(String),
}

/// What a GGUF file says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufInfo {
    /// Format version, 2 or 3.
    pub version: u32,
    /// `general.architecture`, for example `llama`.
    pub architecture: String,
    /// `general.name`, when given.
    pub name: Option<String>,
    /// `general.size_label` (for example `135M`), else made from the parameter count.
    pub parameters: String,
    /// Elements of all tensors.
    pub parameter_count: u64,
    /// For example `Q4_1`; `None` when the file names no known type.
    pub quantisation: Option<&'static str>,
    /// Tokens of context the model was trained for, when given.
    pub context_length: Option<u32>,
    /// The chat template (Jinja), when the file carries one.
    pub chat_template: Option<String>,
    /// Tokens in the vocabulary.
    pub vocabulary: u64,
    /// Tensors in the file.
    pub tensor_count: u64,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Bytes of KV memory one token of context needs with 16-bit keys and values, over all layers.
    pub kv_bytes_per_token: u64,
    /// Layers of the model (`{architecture}.block_count`); 0 when the file does not say.
    pub layers: u64,
    /// How it makes one vector of a text, when that is what it was made for.
    pub pooling: Option<Pooling>,
    /// Numbers in one token's state (`{architecture}.embedding_length`); 0 when the file does not say.
    pub embedding_length: u64,
    /// Only a part of a model (`general.type`), or one that ranks texts, when the file says so.
    pub purpose: Option<String>,
    /// Can it go back to a shorter text? Models with a recurrent state in some layer cannot.
    pub rewinds: bool,
}

/// How the vectors of a text's tokens become one (llama.cpp's `llama_pooling_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    First,
    /// The last one.
    Last,
}

impl GgufInfo {
    /// Was it made for vectors of whole texts? Then it does not answer.
    pub fn embeds(&self) -> bool {
        self.pooling.is_some()
    }

    /// Checks that llama.cpp can generate text, or make vectors of texts, with this model.
    ///
    /// # Errors
    /// [`GgufError::NoText`] with the reason.
    pub fn check_usable(&self) -> Result<(), GgufError> {
        let architecture = &self.architecture;
        let refuse = |why: String| Err(GgufError::NoText(why));
        if let Some(purpose) = &self.purpose {
            return refuse(purpose.clone());
        }
        if NO_TEXT.contains(&architecture.as_str()) {
            return refuse(format!("its architecture is {architecture}"));
        }
        if self.layers == 0 {
            return refuse(format!("the file has no {architecture}.block_count"));
        }
        if self.vocabulary == 0 {
            return refuse("the file has no tokenizer".to_owned());
        }
        Ok(())
    }
}

/// Architectures of llama.cpp (`llama-arch.cpp`) that make sound or images, or do not write from left to right.
const NO_TEXT: [&str; 7] = [
    "clip",
    "dream",
    "llada",
    "llada-moe",
    "rnd1",
    "t5encoder",
    "wavtokenizer-dec",
];
/// Architectures that make vectors of texts and nothing else, beside those with `bert` in their names.
const EMBEDDERS: [&str; 2] = ["gemma-embedding", "llama-embed"];
/// Entries of models with a recurrent state.
const RECURRENT: [&str; 4] = ["ssm.", "wkv.", "shortconv.", "kda."];

/// Reads and checks the header of the file at `path`.
///
/// # Errors
/// [`GgufError`], whose text says what is wrong. Never panics, whatever the bytes are.
pub fn inspect(path: &Path) -> Result<GgufInfo, GgufError> {
    let file = File::open(path).map_err(|e| GgufError::Unreadable(e.to_string()))?;
    let meta = file
        .metadata()
        .map_err(|e| GgufError::Unreadable(e.to_string()))?;
    if !meta.is_file() {
        return Err(GgufError::Unreadable("it is not a regular file".to_owned()));
    }
    read_header(BufReader::with_capacity(1 << 20, file), meta.len())
}

/// The header in `source`, which belongs to a file of `file_bytes` bytes.
fn read_header(source: impl Read, file_bytes: u64) -> Result<GgufInfo, GgufError> {
    let mut reader = Reader {
        source,
        at: 0,
        file_bytes,
    };
    if reader.bytes::<4>().map_err(|_| GgufError::NotGguf)? != *b"GGUF" {
        return Err(GgufError::NotGguf);
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(GgufError::Version(version));
    }
    let tensor_count = reader.u64()?;
    let entry_count = reader.u64()?;
    if tensor_count == 0 || tensor_count > MAX_TENSORS {
        return Err(damaged(format!(
            "it declares {tensor_count} tensors; 1 to {MAX_TENSORS} are possible"
        )));
    }
    if entry_count > MAX_ENTRIES {
        return Err(damaged(format!(
            "it declares {entry_count} metadata entries; {MAX_ENTRIES} are possible"
        )));
    }
    let mut entries = BTreeMap::new();
    for _ in 0..entry_count {
        let key = reader.text()?;
        let value = reader.entry_value()?;
        entries.insert(key, value);
    }
    let tensors = reader.tensors(tensor_count)?;
    let alignment = entries
        .get("general.alignment")
        .and_then(Entry::number)
        .unwrap_or(DEFAULT_ALIGNMENT);
    if alignment == 0 || !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(damaged(format!("its alignment is {alignment}")));
    }
    let data_start = reader.at.next_multiple_of(alignment);
    let needed = data_start.saturating_add(tensors.data_end);
    if needed > file_bytes {
        return Err(GgufError::Truncated {
            needed,
            actual: file_bytes,
        });
    }
    describe(version, file_bytes, tensor_count, tensors.elements, &entries)
}

/// Words for what the entries say.
fn describe(
    version: u32,
    file_bytes: u64,
    tensor_count: u64,
    parameter_count: u64,
    entries: &BTreeMap<String, Entry>,
) -> Result<GgufInfo, GgufError> {
    let text = |key: &str| entries.get(key).and_then(Entry::text).filter(|t| !t.is_empty());
    let architecture = text("general.architecture")
        .ok_or_else(|| damaged("it does not name the model's architecture".to_owned()))?;
    let number = |key: &str| {
        entries
            .get(&format!("{architecture}.{key}"))
            .and_then(Entry::number)
    };
    Ok(GgufInfo {
        version,
        name: text("general.name"),
        parameters: text("general.size_label").unwrap_or_else(|| short_count(parameter_count)),
        parameter_count,
        quantisation: entries
            .get("general.file_type")
            .and_then(Entry::number)
            .and_then(file_type_name),
        context_length: number("context_length")
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n > 0),
        chat_template: text("tokenizer.chat_template"),
        vocabulary: entries.get("tokenizer.ggml.tokens").map_or(0, Entry::length),
        tensor_count,
        file_bytes,
        kv_bytes_per_token: kv_bytes(&architecture, entries),
        layers: number("block_count").unwrap_or(0),
        pooling: pooling(&architecture, entries),
        embedding_length: number("embedding_length").unwrap_or(0),
        purpose: purpose(&architecture, entries),
        rewinds: !entries.keys().any(|key| {
            let of_architecture = key.strip_prefix(&architecture).and_then(|k| k.strip_prefix('.'));
            of_architecture.is_some_and(|k| RECURRENT.iter().any(|r| k.starts_with(r)))
        }),
        architecture,
    })
}

/// What the file is for, when it is something that cannot be used here.
fn purpose(architecture: &str, entries: &BTreeMap<String, Entry>) -> Option<String> {
    let kind = entries.get("general.type").and_then(Entry::text);
    if let Some(kind) = kind.filter(|kind| kind != "model") {
        return Some(format!("it is only a part of one ({kind})"));
    }
    match pooling_number(architecture, entries) {
        None | Some(0..=3) => None,
        Some(4) => Some("it was made to rank texts".to_owned()),
        Some(other) => Some(format!("its pooling type {other} is not known")),
    }
}

fn pooling_number(architecture: &str, entries: &BTreeMap<String, Entry>) -> Option<u64> {
    entries
        .get(&format!("{architecture}.pooling_type"))
        .and_then(Entry::number)
}

/// How one vector is made of a text. A model of an embedding architecture that does not say takes the mean.
fn pooling(architecture: &str, entries: &BTreeMap<String, Entry>) -> Option<Pooling> {
    match pooling_number(architecture, entries) {
        Some(1) => Some(Pooling::Mean),
        Some(2) => Some(Pooling::First),
        Some(3) => Some(Pooling::Last),
        None | Some(0) if architecture.contains("bert") || EMBEDDERS.contains(&architecture) => {
            Some(Pooling::Mean)
        }
        _ => None,
    }
}

/// Does a model of this architecture read a text as a whole, without keys and values that stay? Then a token of
/// context costs nothing.
pub(crate) fn is_encoder(architecture: &str) -> bool {
    architecture.contains("bert") || EMBEDDERS.contains(&architecture)
}

/// Bytes of 16-bit keys and values for one token over all layers.
fn kv_bytes(architecture: &str, entries: &BTreeMap<String, Entry>) -> u64 {
    let entry = |key: &str| entries.get(&format!("{architecture}.{key}"));
    let number = |key: &str| entry(key).and_then(Entry::number);
    let layers = number("block_count").unwrap_or(0);
    let heads = number("attention.head_count").unwrap_or(1).max(1);
    let head_size = number("embedding_length").unwrap_or(0) / heads;
    let key = number("attention.key_length").unwrap_or(head_size);
    let value = number("attention.value_length").unwrap_or(head_size);
    // Either one number for all layers, or a number for each.
    let kv_heads_of_all_layers = match entry("attention.head_count_kv") {
        Some(Entry::Array { sum, .. }) => *sum,
        Some(other) => other.number().unwrap_or(heads).saturating_mul(layers),
        None => heads.saturating_mul(layers),
    };
    kv_heads_of_all_layers
        .saturating_mul(key.saturating_add(value))
        .saturating_mul(2)
}

/// `134515008` → `135M`.
fn short_count(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{}K", n.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{}M", (n + 500_000) / 1_000_000),
        _ => format!("{}.{}B", n / 1_000_000_000, n % 1_000_000_000 / 100_000_000),
    }
}

fn damaged(what: String) -> GgufError {
    GgufError::Damaged(what)
}

/// A metadata value, reduced to what is asked of it.
enum Entry {
    Number(u64),
    Text(String),
    /// Arrays are walked, not kept.
    Array {
        length: u64,
        sum: u64,
    },
    Other,
}

impl Entry {
    fn number(&self) -> Option<u64> {
        if let Self::Number(n) = self {
            Some(*n)
        } else {
            None
        }
    }

    fn text(&self) -> Option<String> {
        if let Self::Text(t) = self {
            Some(t.clone())
        } else {
            None
        }
    }

    fn length(&self) -> u64 {
        if let Self::Array { length, .. } = self {
            *length
        } else {
            0
        }
    }
}

/// What the tensor table adds up to.
struct Tensors {
    elements: u64,
    /// Where the last tensor ends, from the start of the data.
    data_end: u64,
}

struct Reader<R> {
    source: R,
    at: u64,
    file_bytes: u64,
}

impl<R: Read> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut out = [0; N];
        self.source.read_exact(&mut out).map_err(|e| self.ended(&e))?;
        self.at += N as u64;
        Ok(out)
    }

    fn ended(&self, error: &std::io::Error) -> GgufError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            GgufError::Truncated {
                needed: self.at.saturating_add(1),
                actual: self.file_bytes,
            }
        } else {
            GgufError::Unreadable(error.to_string())
        }
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// Refuses to go past the end before allocating or walking.
    fn room_for(&self, bytes: u64, what: &str) -> Result<(), GgufError> {
        let end = self.at.saturating_add(bytes);
        if end > self.file_bytes {
            return Err(damaged(format!(
                "{what} would end at byte {end}, the file has {}",
                self.file_bytes
            )));
        }
        Ok(())
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            return Err(damaged(format!("a text of {length} bytes")));
        }
        self.room_for(length, "a text")?;
        let mut out = vec![0; usize::try_from(length).unwrap_or(0)];
        self.source.read_exact(&mut out).map_err(|e| self.ended(&e))?;
        self.at += length;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.room_for(bytes, "an array")?;
        let skipped = std::io::copy(&mut (&mut self.source).take(bytes), &mut std::io::sink())
            .map_err(|e| GgufError::Unreadable(e.to_string()))?;
        self.at += skipped;
        if skipped < bytes {
            return Err(GgufError::Truncated {
                needed: self.at + bytes - skipped,
                actual: self.file_bytes,
            });
        }
        Ok(())
    }

    fn entry_value(&mut self) -> Result<Entry, GgufError> {
        let kind = self.u32()?;
        if kind == 9 {
            return self.array();
        }
        self.scalar(kind)
    }

    fn scalar(&mut self, kind: u32) -> Result<Entry, GgufError> {
        Ok(match kind {
            0 => Entry::Number(u64::from(self.bytes::<1>()?[0])),
            1 | 7 => {
                self.bytes::<1>()?;
                Entry::Other
            }
            2 => Entry::Number(u64::from(u16::from_le_bytes(self.bytes()?))),
            4 => Entry::Number(u64::from(self.u32()?)),
            5 => u64::try_from(i32::from_le_bytes(self.bytes()?)).map_or(Entry::Other, Entry::Number),
            10 => Entry::Number(self.u64()?),
            11 => u64::try_from(i64::from_le_bytes(self.bytes()?)).map_or(Entry::Other, Entry::Number),
            3 => {
                self.bytes::<2>()?;
                Entry::Other
            }
            6 => {
                self.bytes::<4>()?;
                Entry::Other
            }
            12 => {
                self.bytes::<8>()?;
                Entry::Other
            }
            8 => Entry::Text(self.text()?),
            other => return Err(damaged(format!("a metadata value has the unknown type {other}"))),
        })
    }

    fn array(&mut self) -> Result<Entry, GgufError> {
        let kind = self.u32()?;
        let length = self.u64()?;
        if length > MAX_ARRAY {
            return Err(damaged(format!("an array of {length} values")));
        }
        let mut sum: u64 = 0;
        match kind {
            0 | 1 | 7 => self.skip(length)?,
            2 | 3 => self.skip(length * 2)?,
            6 => self.skip(length * 4)?,
            12 => self.skip(length * 8)?,
            4 | 5 | 10 | 11 => {
                for _ in 0..length {
                    sum = sum.saturating_add(self.scalar(kind)?.number().unwrap_or(0));
                }
            }
            8 => {
                for _ in 0..length {
                    let bytes = self.u64()?;
                    self.skip(bytes)?;
                }
            }
            other => return Err(damaged(format!("an array holds the unknown type {other}"))),
        }
        Ok(Entry::Array { length, sum })
    }

    fn tensors(&mut self, count: u64) -> Result<Tensors, GgufError> {
        let mut out = Tensors {
            elements: 0,
            data_end: 0,
        };
        for _ in 0..count {
            let name = self.text()?;
            let dims = self.u32()?;
            if dims == 0 || dims > MAX_DIMS {
                return Err(damaged(format!("tensor {name:.80} has {dims} dimensions")));
            }
            let mut elements: u64 = 1;
            for _ in 0..dims {
                elements = elements
                    .checked_mul(self.u64()?)
                    .filter(|n| *n > 0 && *n < 1 << 48)
                    .ok_or_else(|| damaged(format!("tensor {name:.80} has an impossible size")))?;
            }
            let kind = self.u32()?;
            let offset = self.u64()?;
            let (block, block_bytes) = block_of(kind)
                .ok_or_else(|| damaged(format!("tensor {name:.80} has the unknown type {kind}")))?;
            let bytes = elements.div_ceil(block).saturating_mul(block_bytes);
            out.elements = out.elements.saturating_add(elements);
            out.data_end = out.data_end.max(offset.saturating_add(bytes));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, t: &str) {
        out.extend((t.len() as u64).to_le_bytes());
        out.extend(t.as_bytes());
    }

    fn text_entry(out: &mut Vec<u8>, key: &str, value: &str) {
        text(out, key);
        out.extend(8u32.to_le_bytes());
        text(out, value);
    }

    fn number_entry(out: &mut Vec<u8>, key: &str, value: u32) {
        text(out, key);
        out.extend(4u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }

    /// A whole tiny file: two layers, one tensor of 64 F32 values.
    fn tiny() -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(1u64.to_le_bytes());
        out.extend(7u64.to_le_bytes());
        text_entry(&mut out, "general.architecture", "llama");
        text_entry(&mut out, "general.name", "Tiny");
        number_entry(&mut out, "llama.context_length", 128);
        number_entry(&mut out, "llama.block_count", 2);
        number_entry(&mut out, "llama.embedding_length", 32);
        number_entry(&mut out, "llama.attention.head_count", 4);
        number_entry(&mut out, "llama.attention.head_count_kv", 2);
        text(&mut out, "token_embd.weight");
        out.extend(2u32.to_le_bytes());
        out.extend(8u64.to_le_bytes());
        out.extend(8u64.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        out.extend(0u64.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + 256, 0);
        out
    }

    fn read(bytes: &[u8]) -> Result<GgufInfo, GgufError> {
        read_header(bytes, bytes.len() as u64)
    }

    #[test]
    fn a_header_tells_what_the_model_is() {
        let info = read(&tiny()).unwrap();
        assert_eq!(info.architecture, "llama");
        assert_eq!(info.name.as_deref(), Some("Tiny"));
        assert_eq!(info.context_length, Some(128));
        assert_eq!(info.parameter_count, 64);
        assert_eq!(info.chat_template, None);
        // 2 layers × 2 heads × (8 + 8) values × 2 bytes
        assert_eq!(info.kv_bytes_per_token, 128);
    }

    /// [`tiny`] with `llama.pooling_type` in place of its name.
    fn pooled(kind: u32) -> GgufInfo {
        let whole = tiny();
        let mut entry = Vec::new();
        text_entry(&mut entry, "general.name", "Tiny");
        let at = whole.windows(entry.len()).position(|w| w == entry).unwrap();
        let mut other = Vec::new();
        number_entry(&mut other, "llama.pooling_type", kind);
        let mut out = whole[..at].to_vec();
        out.extend(other);
        out.extend(&whole[at + entry.len()..]);
        out.resize(out.len() + 32, 0);
        read(&out).unwrap()
    }

    #[test]
    fn a_pooling_type_makes_a_model_for_vectors_and_ranking_is_refused() {
        let of = |kind| pooled(kind).pooling;
        assert_eq!(
            [of(0), of(1), of(2), of(3), of(4)],
            [
                None,
                Some(Pooling::Mean),
                Some(Pooling::First),
                Some(Pooling::Last),
                None
            ]
        );
        assert!(pooled(4).purpose.unwrap().contains("rank"));
        assert!(pooled(9).purpose.unwrap().contains('9'));
        assert_eq!(read(&tiny()).unwrap().pooling, None);
        let as_bert = BTreeMap::new();
        assert_eq!(pooling("nomic-bert", &as_bert), Some(Pooling::Mean));
        assert!(is_encoder("gemma-embedding") && !is_encoder("llama"));
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        let whole = tiny();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "accepted a file cut at byte {cut}");
        }
        let error = read(&whole[..whole.len() - 1]).unwrap_err().to_string();
        assert!(error.contains("truncated"), "{error}");
    }

    #[test]
    fn a_file_with_any_byte_changed_never_panics() {
        let whole = tiny();
        let header = whole.len() - 256;
        for at in 0..header {
            for value in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = read(&changed);
            }
        }
        assert!(read(&whole).is_ok());
    }

    #[test]
    fn impossible_counts_are_refused_before_anything_is_allocated() {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(u64::MAX.to_le_bytes());
        out.extend(u64::MAX.to_le_bytes());
        assert!(matches!(read(&out), Err(GgufError::Damaged(_))));
        let mut long_text = b"GGUF".to_vec();
        long_text.extend(3u32.to_le_bytes());
        long_text.extend(1u64.to_le_bytes());
        long_text.extend(1u64.to_le_bytes());
        long_text.extend((MAX_TEXT - 1).to_le_bytes());
        assert!(matches!(read(&long_text), Err(GgufError::Damaged(_))));
    }

    #[test]
    fn other_files_and_versions_are_named() {
        assert_eq!(read(b"PK\x03\x04 a zip").unwrap_err(), GgufError::NotGguf);
        assert_eq!(read(b"").unwrap_err(), GgufError::NotGguf);
        assert_eq!(read(b"GGUF\x01\0\0\0").unwrap_err(), GgufError::Version(1));
    }

    #[test]
    fn counts_are_shortened_as_people_write_them() {
        assert_eq!(short_count(134_515_008), "135M");
        assert_eq!(short_count(7_248_023_552), "7.2B");
        assert_eq!(short_count(900), "1K");
    }
}
