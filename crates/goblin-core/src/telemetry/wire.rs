//! A message once, written as JSON or as protobuf: fields with a number, a name and what they hold.
//!
//! Source: the encoding of protocol buffers (wire types 0, 1 and 2), and OTLP's own rules for JSON: ids as hexadecimal
//! digits, 64-bit numbers as text, enumerations as numbers.

use serde_json::{Map, Value, json};

/// What a field holds.
pub(super) enum Item {
    /// A message.
    Message(Vec<Field>),
    /// Text.
    Text(String),
    /// Bytes, as hexadecimal digits.
    Hex(String),
    /// `fixed64`.
    Fixed(u64),
    /// `int64`.
    Whole(i64),
    /// `bool`.
    Switch(bool),
    /// An enumeration.
    Enum(u64),
    /// `double`.
    Real(f64),
    /// Several of the same.
    Many(Vec<Item>),
    /// Several `fixed64`, packed.
    PackedFixed(Vec<u64>),
    /// Several `double`, packed.
    PackedReal(Vec<f64>),
}

/// A field: its number, its name in JSON, and what it holds.
pub(super) struct Field(pub(super) u32, pub(super) &'static str, pub(super) Item);

/// The message as JSON.
pub(super) fn to_json(fields: Vec<Field>) -> Value {
    let members = fields
        .into_iter()
        .map(|Field(_, name, item)| (name.to_owned(), json_of(item)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn json_of(item: Item) -> Value {
    match item {
        Item::Message(fields) => to_json(fields),
        Item::Text(text) | Item::Hex(text) => Value::String(text),
        Item::Fixed(number) => Value::String(number.to_string()),
        Item::Whole(number) => Value::String(number.to_string()),
        Item::Switch(is) => Value::Bool(is),
        Item::Enum(number) => json!(number),
        Item::Real(number) => json!(number),
        Item::Many(items) => items.into_iter().map(json_of).collect(),
        Item::PackedFixed(numbers) => numbers.iter().map(u64::to_string).collect(),
        Item::PackedReal(numbers) => json!(numbers),
    }
}

/// The message as protobuf.
pub(super) fn to_protobuf(fields: Vec<Field>) -> Vec<u8> {
    let mut out = Vec::new();
    for Field(number, _, item) in fields {
        put(&mut out, number, item);
    }
    out
}

fn put(out: &mut Vec<u8>, number: u32, item: Item) {
    match item {
        Item::Message(fields) => put_bytes(out, number, &to_protobuf(fields)),
        Item::Text(text) => put_bytes(out, number, text.as_bytes()),
        Item::Hex(digits) => put_bytes(out, number, &bytes_of(&digits)),
        Item::Fixed(value) => {
            put_key(out, number, 1);
            out.extend(value.to_le_bytes());
        }
        Item::Real(value) => {
            put_key(out, number, 1);
            out.extend(value.to_le_bytes());
        }
        Item::Whole(value) => {
            put_key(out, number, 0);
            put_varint(out, value.cast_unsigned());
        }
        Item::Switch(is) => {
            put_key(out, number, 0);
            put_varint(out, u64::from(is));
        }
        Item::Enum(value) => {
            put_key(out, number, 0);
            put_varint(out, value);
        }
        Item::Many(items) => items.into_iter().for_each(|item| put(out, number, item)),
        Item::PackedFixed(values) => {
            let packed: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            put_bytes(out, number, &packed);
        }
        Item::PackedReal(values) => {
            let packed: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            put_bytes(out, number, &packed);
        }
    }
}

fn put_key(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_key(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map_while(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Field> {
        vec![
            Field(1, "id", Item::Hex("00ff10".into())),
            Field(2, "name", Item::Text("testing".into())),
            Field(3, "count", Item::Whole(150)),
            Field(4, "at", Item::Fixed(1)),
            Field(5, "share", Item::Real(0.5)),
            Field(16, "kinds", Item::Many(vec![Item::Enum(1), Item::Enum(2)])),
            Field(
                7,
                "inner",
                Item::Message(vec![Field(1, "is", Item::Switch(true))]),
            ),
            Field(8, "buckets", Item::PackedFixed(vec![3])),
        ]
    }

    #[test]
    fn a_message_is_written_as_the_protocols_say() {
        let bytes = to_protobuf(sample());
        let expected = [
            &[0x0a, 3, 0x00, 0xff, 0x10][..],
            &[0x12, 7],
            b"testing",
            // The example of protobuf's own documentation: 150 is 96 01.
            &[0x18, 0x96, 0x01],
            &[0x21, 1, 0, 0, 0, 0, 0, 0, 0],
            &[0x29, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f],
            &[0x80, 0x01, 1, 0x80, 0x01, 2],
            &[0x3a, 2, 0x08, 1],
            &[0x42, 8, 3, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(bytes, expected);
        let json = json!({
            "id": "00ff10", "name": "testing", "count": "150", "at": "1", "share": 0.5, "kinds": [1, 2],
            "inner": {"is": true}, "buckets": ["3"],
        });
        assert_eq!(to_json(sample()), json);
    }

    #[test]
    fn a_negative_number_takes_ten_bytes() {
        let bytes = to_protobuf(vec![Field(1, "n", Item::Whole(-1))]);
        assert_eq!(bytes.len(), 11);
        assert_eq!(bytes.last(), Some(&1));
    }
}
