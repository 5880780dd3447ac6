//! A message once, written as JSON or as protobuf: fields with a number, a name and what they hold.
//!
//! Source: the encoding of protocol buffers (wire types 0, 1 and 2), and OTLP's own rules for JSON: ids as hexadecimal
//! digits, 64-bit numbers as text, enumerations as numbers.

use serde_json::{Map, Value, json};

/// What a field holds.
pub(super) enum Item<'a> {
    /// A message.
    Message(Vec<Field<'a>>),
    /// Text.
    Text(&'a str),
    /// Bytes, as hexadecimal digits.
    Hex(&'a str),
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
    Many(Vec<Item<'a>>),
    /// Several `fixed64`, packed.
    PackedFixed(&'a [u64]),
    /// Several `double`, packed.
    PackedReal(&'a [f64]),
}

/// A field: its number, its name in JSON, and what it holds.
pub(super) struct Field<'a>(pub(super) u32, pub(super) &'static str, pub(super) Item<'a>);

/// The message as JSON.
pub(super) fn to_json(fields: Vec<Field<'_>>) -> Value {
    let members = fields
        .into_iter()
        .map(|Field(_, name, item)| (name.to_owned(), json_of(item)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn json_of(item: Item<'_>) -> Value {
    match item {
        Item::Message(fields) => to_json(fields),
        Item::Text(text) | Item::Hex(text) => Value::String(text.to_owned()),
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
pub(super) fn to_protobuf(fields: Vec<Field<'_>>) -> Vec<u8> {
    let mut out = Vec::new();
    put_all(&mut out, fields);
    out
}

fn put_all(out: &mut Vec<u8>, fields: Vec<Field<'_>>) {
    for Field(number, _, item) in fields {
        put(out, number, item);
    }
}

fn put(out: &mut Vec<u8>, number: u32, item: Item<'_>) {
    match item {
        Item::Message(fields) => {
            put_key(out, number, 2);
            measured(out, |out| put_all(out, fields));
        }
        Item::Text(text) => put_bytes(out, number, text.as_bytes()),
        Item::Hex(digits) => {
            put_key(out, number, 2);
            measured(out, |out| out.extend(bytes_of(digits)));
        }
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
            put_key(out, number, 2);
            measured(out, |out| out.extend(values.iter().flat_map(|v| v.to_le_bytes())));
        }
        Item::PackedReal(values) => {
            put_key(out, number, 2);
            measured(out, |out| out.extend(values.iter().flat_map(|v| v.to_le_bytes())));
        }
    }
}

/// Puts the length of what `write` writes before it: known only afterwards, so the two change places then.
fn measured(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let begins = out.len();
    write(out);
    let ends = out.len();
    put_varint(out, (ends - begins) as u64);
    let length = out.len() - ends;
    out[begins..].rotate_right(length);
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

fn bytes_of(digits: &str) -> impl Iterator<Item = u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = move |two: &[u8]| match *two {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map_while(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Field<'static>> {
        vec![
            Field(1, "id", Item::Hex("00ff10")),
            Field(2, "name", Item::Text("testing")),
            Field(3, "count", Item::Whole(150)),
            Field(4, "at", Item::Fixed(1)),
            Field(5, "share", Item::Real(0.5)),
            Field(16, "kinds", Item::Many(vec![Item::Enum(1), Item::Enum(2)])),
            Field(
                7,
                "inner",
                Item::Message(vec![Field(1, "is", Item::Switch(true))]),
            ),
            Field(8, "buckets", Item::PackedFixed(&[3])),
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
    fn a_long_message_has_a_long_length() {
        let text = "x".repeat(200);
        let inner = vec![Field(1, "text", Item::Text(&text))];
        let bytes = to_protobuf(vec![Field(1, "inner", Item::Message(inner))]);
        // 203 bytes: a key, a length of two bytes, the text.
        assert_eq!(bytes[..6], [0x0a, 0xcb, 0x01, 0x0a, 0xc8, 0x01]);
        assert_eq!(&bytes[6..], text.as_bytes());
    }

    #[test]
    fn a_negative_number_takes_ten_bytes() {
        let bytes = to_protobuf(vec![Field(1, "n", Item::Whole(-1))]);
        assert_eq!(bytes.len(), 11);
        assert_eq!(bytes.last(), Some(&1));
    }
}
