//! A model file with more said in its head: the same weights, further metadata.
//!
//! Source: the GGUF specification (`docs/gguf.md` of ggml), version 3: magic, version, numbers of tensors and of
//! metadata, the metadata, the tensors' places, padding to the alignment, the tensors.

use std::path::Path;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn number(&mut self, size: usize) -> u64 {
        let mut whole = [0; 8];
        whole[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        u64::from_le_bytes(whole)
    }

    fn count(&mut self) -> usize {
        usize::try_from(self.number(8)).expect("a count")
    }

    fn text(&mut self) -> String {
        let length = self.count();
        let text = &self.bytes[self.at..self.at + length];
        self.at += length;
        String::from_utf8_lossy(text).into_owned()
    }

    /// Passes over a value; a 32-bit number is given back.
    fn value(&mut self, kind: u64) -> Option<u64> {
        match kind {
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            4 | 5 => return Some(self.number(4)),
            6 => self.at += 4,
            8 => drop(self.text()),
            9 => {
                let (kind, count) = (self.number(4), self.count());
                for _ in 0..count {
                    self.value(kind);
                }
            }
            _ => self.at += 8,
        }
        None
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// Copies a model file, with these texts added to its metadata.
pub(crate) fn with_strings(from: &Path, to: &Path, added: &[(&str, &str)]) {
    let bytes = std::fs::read(from).expect("the model");
    let mut reader = Reader { bytes: &bytes, at: 8 };
    let (tensors, entries) = (reader.count(), reader.count());
    let mut alignment = 32;
    for _ in 0..entries {
        let (name, kind) = (reader.text(), reader.number(4));
        let value = reader.value(kind);
        if name == "general.alignment" {
            alignment = value.expect("a number") as usize;
        }
    }
    for _ in 0..tensors {
        reader.text();
        let dimensions = reader.number(4) as usize;
        reader.at += 8 * dimensions + 4 + 8;
    }
    let head_ends = reader.at;
    let mut out = bytes[..16].to_vec();
    out.extend(((entries + added.len()) as u64).to_le_bytes());
    for (name, value) in added {
        out.extend([text(name), 8_u32.to_le_bytes().to_vec(), text(value)].concat());
    }
    out.extend(&bytes[24..head_ends]);
    out.resize(out.len().next_multiple_of(alignment), 0);
    out.extend(&bytes[head_ends.next_multiple_of(alignment)..]);
    std::fs::write(to, out).expect("written");
}
