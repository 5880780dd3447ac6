//! The lines inside a backup. Pure.
//!
//! ```text
//! {"goblin_backup":{"format":1,"goblin":"0.1.0","made_at":"…","database":"sqlite","schema":5,"tables":[
//!    {"name":"chats","columns":[{"name":"id","kind":"text"},…],"rows":2},…]}}     (one line)
//! ["0197…","local",null,1795471200000,true]       rows of the first table, then of the second …
//! {"end":{"rows":2,"sha256":"…"}}                 the digest is of all bytes above
//! ```
//!
//! A row is an array in the order of its table's columns. Bytes are written as hexadecimal text, floating-point numbers
//! as text too, so that no digit is lost.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ColumnContents, Contents, Kind, TableContents};
use crate::error::StoreError;
use crate::sql::{Arg, Row};

/// The format written here, and the newest that is read.
pub(super) const FORMAT: u32 = 1;
/// Longest line in bytes: three times the largest attachment as hexadecimal text.
pub(super) const MAX_LINE: usize = 128 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct FirstLine {
    goblin_backup: Contents,
}

/// Read before the rest, which a newer format may have changed.
#[derive(Deserialize)]
struct AnyFirstLine {
    goblin_backup: AnyContents,
}

#[derive(Deserialize)]
struct AnyContents {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct LastLine {
    end: End,
}

#[derive(Serialize, Deserialize)]
struct End {
    rows: u64,
    sha256: String,
}

/// What is wrong with the lines.
#[derive(Debug)]
pub(super) enum Fault {
    /// They cannot be read.
    Io(io::Error),
    /// They are not of a backup.
    NotABackup(String),
    /// They are of a newer format.
    Newer(u32),
    /// They contradict themselves.
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes lines into memory, from where they are taken piece by piece.
#[derive(Default)]
pub(super) struct Encoder {
    lines: Vec<u8>,
    digest: Sha256,
    rows: u64,
}

impl Encoder {
    /// The first line.
    pub(super) fn begin(&mut self, contents: &Contents) -> Result<(), StoreError> {
        let first = FirstLine {
            goblin_backup: contents.clone(),
        };
        self.line(&first)
    }

    /// One row of a table. Returns its length in bytes.
    pub(super) fn row(&mut self, table: &TableContents, row: &Row) -> Result<usize, StoreError> {
        let before = self.lines.len();
        let values = table.columns.iter().map(|column| value_of(row, column));
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        self.line(&values)?;
        self.rows += 1;
        Ok(self.lines.len() - before)
    }

    /// The last line. Returns the digest of all lines above it.
    pub(super) fn end(&mut self) -> Result<String, StoreError> {
        let sha256 = hex::encode(self.digest.finalize_reset());
        let last = LastLine {
            end: End {
                rows: self.rows,
                sha256: sha256.clone(),
            },
        };
        self.line(&last)?;
        Ok(sha256)
    }

    /// Bytes that wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// The bytes written since it was called last.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    fn line(&mut self, content: &impl Serialize) -> Result<(), StoreError> {
        let before = self.lines.len();
        serde_json::to_writer(&mut self.lines, content)
            .map_err(|e| StoreError::Unreadable(format!("a row cannot be written as JSON: {e}")))?;
        self.lines.push(b'\n');
        self.digest.update(&self.lines[before..]);
        Ok(())
    }
}

fn value_of(row: &Row, column: &ColumnContents) -> Result<Value, StoreError> {
    let name = &column.name;
    Ok(match column.kind {
        Kind::Text => row.get::<Option<String>>(name)?.into(),
        Kind::Number => row.get::<Option<i64>>(name)?.into(),
        Kind::Switch => row.get::<Option<bool>>(name)?.into(),
        Kind::Real => row.get::<Option<f64>>(name)?.map(|real| real.to_string()).into(),
        Kind::Bytes => row.get::<Option<Vec<u8>>>(name)?.map(hex::encode).into(),
    })
}

/// What a value is to a statement; `None` when it is not of this kind.
fn argument(value: Value, kind: Kind) -> Option<Arg<'static>> {
    let text = |value: Value| match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text)),
        _ => None,
    };
    Some(match (kind, value) {
        (Kind::Text, value) => Arg::from(text(value)?),
        (Kind::Number, Value::Null) => Arg::Number(None),
        (Kind::Number, value) => Arg::Number(Some(value.as_i64()?)),
        (Kind::Switch, Value::Null) => Arg::Switch(None),
        (Kind::Switch, value) => Arg::Switch(Some(value.as_bool()?)),
        (Kind::Real, value) => Arg::Real(text(value)?.map(|t| t.parse()).transpose().ok()?),
        (Kind::Bytes, value) => Arg::Bytes(text(value)?.map(hex::decode).transpose().ok()?),
    })
}

/// Reads the lines of a backup, and finds every place in which they contradict themselves.
pub(super) struct Decoder<R> {
    lines: R,
    line: Vec<u8>,
    digest: Sha256,
    contents: Contents,
    /// The table whose rows come now, and how many came.
    table: usize,
    of_table: u64,
    rows: u64,
}

impl<R: BufRead> Decoder<R> {
    /// Reads the first line.
    pub(super) fn begin(mut lines: R) -> Result<Self, Fault> {
        let mut line = Vec::new();
        read_line(&mut lines, &mut line)?;
        let not_ours = |_| Fault::NotABackup("its first line says something else".to_owned());
        let any: AnyFirstLine = serde_json::from_slice(&line).map_err(not_ours)?;
        if any.goblin_backup.format > FORMAT {
            return Err(Fault::Newer(any.goblin_backup.format));
        }
        let first: FirstLine = serde_json::from_slice(&line).map_err(not_ours)?;
        Ok(Self {
            lines,
            digest: Sha256::new_with_prefix(&line),
            line,
            contents: first.goblin_backup,
            table: 0,
            of_table: 0,
            rows: 0,
        })
    }

    /// What the first line says.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The next row, with the number of its table. `None`: all have come, and the last line agrees with them.
    pub(super) fn next_row(&mut self) -> Result<Option<(usize, Vec<Arg<'static>>)>, Fault> {
        while let Some(table) = self.contents.tables.get(self.table)
            && self.of_table == table.rows
        {
            self.table += 1;
            self.of_table = 0;
        }
        read_line(&mut self.lines, &mut self.line)?;
        let Some(table) = self.contents.tables.get(self.table) else {
            return self.check_end().map(|()| None);
        };
        let place = || format!("row {} of table {}", self.of_table + 1, table.name);
        let values: Vec<Value> = serde_json::from_slice(&self.line).map_err(|_| Fault::Damaged(place()))?;
        if values.len() != table.columns.len() {
            return Err(Fault::Damaged(place()));
        }
        let row = values.into_iter().zip(&table.columns);
        let row: Option<Vec<Arg<'static>>> =
            row.map(|(value, column)| argument(value, column.kind)).collect();
        let row = row.ok_or_else(|| Fault::Damaged(place()))?;
        self.digest.update(&self.line);
        self.of_table += 1;
        self.rows += 1;
        Ok(Some((self.table, row)))
    }

    fn check_end(&mut self) -> Result<(), Fault> {
        let last: LastLine =
            serde_json::from_slice(&self.line).map_err(|_| Fault::Damaged("its last line".to_owned()))?;
        if last.end.rows != self.rows || last.end.sha256 != hex::encode(self.digest.clone().finalize()) {
            return Err(Fault::Damaged("its checksum".to_owned()));
        }
        if !self.lines.fill_buf()?.is_empty() {
            return Err(Fault::Damaged("something follows its last line".to_owned()));
        }
        Ok(())
    }

    /// The checksum of everything read so far.
    pub(super) fn sha256(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }

    /// Where the lines came from, and what the first one said.
    pub(super) fn into_parts(self) -> (R, Contents) {
        (self.lines, self.contents)
    }
}

/// The next line with its end.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> Result<(), Fault> {
    line.clear();
    lines.take(MAX_LINE as u64).read_until(b'\n', line)?;
    match line.last() {
        Some(b'\n') => Ok(()),
        Some(_) if line.len() >= MAX_LINE => Err(Fault::Damaged("a line is too long".to_owned())),
        _ => Err(Fault::Damaged("it ends too early".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use goblin_core::clock::Timestamp;

    use super::*;

    const ROWS: &str = "[\"a\",1,true,\"0.1\",\"00ff\"]\n[\"b\",null,null,null,null]\n";

    fn contents(rows: u64) -> Contents {
        let column = |(name, kind): (&str, Kind)| ColumnContents {
            name: name.to_owned(),
            kind,
        };
        let columns = [
            ("id", Kind::Text),
            ("n", Kind::Number),
            ("s", Kind::Switch),
            ("r", Kind::Real),
            ("b", Kind::Bytes),
        ];
        let table = |name: &str, rows| TableContents {
            name: name.to_owned(),
            columns: columns.map(column).into(),
            rows,
        };
        Contents {
            format: FORMAT,
            goblin: "0.1.0".to_owned(),
            made_at: Timestamp(1_795_471_200_000),
            database: "sqlite".to_owned(),
            schema: 5,
            tables: vec![
                table("nothing", 0),
                table("things", rows),
                table("nothing_more", 0),
            ],
        }
    }

    /// A whole backup with these rows, its last line right.
    fn backup(rows: &str, said: u64) -> String {
        let mut encoder = Encoder::default();
        encoder.begin(&contents(said)).unwrap();
        encoder.digest.update(rows);
        encoder.lines.extend(rows.as_bytes());
        encoder.rows = said;
        encoder.end().unwrap();
        String::from_utf8(encoder.take()).unwrap()
    }

    fn read(text: &[u8]) -> Result<Vec<(usize, Vec<Arg<'static>>)>, Fault> {
        let mut decoder = Decoder::begin(text)?;
        let mut rows = Vec::new();
        while let Some(row) = decoder.next_row()? {
            rows.push(row);
        }
        Ok(rows)
    }

    #[test]
    fn rows_of_every_kind_are_read_with_their_table() {
        let rows = read(backup(ROWS, 2).as_bytes()).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|(table, _)| *table == 1));
        let [
            Arg::Text(Some(id)),
            Arg::Number(Some(1)),
            Arg::Switch(Some(true)),
            Arg::Real(Some(real)),
            Arg::Bytes(Some(bytes)),
        ] = &rows[0].1[..]
        else {
            panic!("{rows:?}")
        };
        assert_eq!((id.as_ref(), *real, &bytes[..]), ("a", 0.1, &[0, 255][..]));
        assert!(
            matches!(
                &rows[1].1[1..],
                [
                    Arg::Number(None),
                    Arg::Switch(None),
                    Arg::Real(None),
                    Arg::Bytes(None)
                ]
            ),
            "{rows:?}"
        );
    }

    #[test]
    fn a_backup_cut_at_any_byte_is_damaged() {
        let whole = backup(ROWS, 2);
        for end in 0..whole.len() {
            let found = read(&whole.as_bytes()[..end]);
            assert!(
                matches!(found, Err(Fault::Damaged(_) | Fault::NotABackup(_))),
                "{end}: {found:?}"
            );
        }
    }

    #[test]
    fn a_backup_with_any_byte_changed_is_no_backup_or_damaged() {
        let whole = backup(ROWS, 2).into_bytes();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn rows_that_contradict_the_first_line_are_damage_with_a_place() {
        for (rows, said, place) in [
            (ROWS, 1, "its last line"),
            (ROWS, 3, "row 3 of table things"),
            ("[\"a\",1,true,\"0.1\"]\n", 1, "row 1 of table things"),
            ("[\"a\",\"1\",true,\"0.1\",\"00\"]\n", 1, "row 1 of table things"),
            ("[\"a\",1.5,true,\"0.1\",\"00\"]\n", 1, "row 1 of table things"),
            ("[\"a\",1,true,\"0.1\",\"0\"]\n", 1, "row 1 of table things"),
            ("[\"a\",1,true,0.1,\"00\"]\n", 1, "row 1 of table things"),
            ("[1,1,true,\"0.1\",\"00\"]\n", 1, "row 1 of table things"),
        ] {
            match read(backup(rows, said).as_bytes()) {
                Err(Fault::Damaged(found)) => assert_eq!(found, place),
                other => panic!("{rows}: {other:?}"),
            }
        }
        let more = backup(ROWS, 2) + "\n";
        assert!(matches!(read(more.as_bytes()), Err(Fault::Damaged(_))));
    }

    #[test]
    fn a_newer_format_is_known_by_its_number_only() {
        let newer = "{\"goblin_backup\":{\"format\":2,\"everything\":\"else\"}}\n";
        assert!(matches!(read(newer.as_bytes()), Err(Fault::Newer(2))));
        assert!(matches!(read(b"{\"id\":1}\n"), Err(Fault::NotABackup(_))));
    }

    #[test]
    fn no_digit_of_a_floating_point_number_is_lost() {
        for real in [0.1, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, -0.0, 5e-324, 1e300] {
            let written = Value::from(real.to_string());
            let Some(Arg::Real(Some(read))) = argument(written, Kind::Real) else {
                panic!("{real}")
            };
            assert_eq!(read.to_bits(), real.to_bits());
        }
    }
}
