//! Looking at JSON without building it: depth, the fields of an object, the items of an array. Nothing is
//! allocated in proportion to what a hostile body contains; every list has a limit.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Is the text nested at most `max_depth` arrays and objects deep? Brackets inside strings do not count. Works on
/// anything, also on text that is not JSON, in one pass without recursion.
pub fn depth_within(text: &[u8], max_depth: usize) -> bool {
    let (mut depth, mut at) = (0usize, 0usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_string(text, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    true
}

/// Index of the quote that ends the string whose opening quote is at `at`, or the end of the text.
fn end_of_string(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while let Some(found) = text
        .get(next..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        next += found;
        if text[next] == b'"' {
            return next;
        }
        next += 2;
    }
    text.len()
}

/// The fields of a JSON object in their order, values still as text. At most `LIMIT` of them.
pub(crate) struct Fields<'a, const LIMIT: usize>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a, const LIMIT: usize> Deserialize<'de> for Fields<'a, LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk<const LIMIT: usize>;
        impl<'de, const LIMIT: usize> Visitor<'de> for Walk<LIMIT> {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    if fields.len() == LIMIT {
                        return Err(A::Error::custom(format!(
                            "an object has more than {LIMIT} fields"
                        )));
                    }
                    fields.push((key.0, value));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Walk::<LIMIT>).map(Fields)
    }
}

/// The items of a JSON array, still as text. Of more than `LIMIT` only `LIMIT + 1` are kept, so that the caller
/// can tell.
pub(crate) struct Items<'a, const LIMIT: usize>(pub(crate) Vec<&'a RawValue>);

impl<'de: 'a, 'a, const LIMIT: usize> Deserialize<'de> for Items<'a, LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk<const LIMIT: usize>;
        impl<'de, const LIMIT: usize> Visitor<'de> for Walk<LIMIT> {
            type Value = Vec<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<&'de RawValue>()? {
                    if items.len() <= LIMIT {
                        items.push(item);
                    }
                }
                Ok(items)
            }
        }
        deserializer.deserialize_seq(Walk::<LIMIT>).map(Items)
    }
}

/// What kind of JSON value a text is, as a person would say it.
pub(crate) fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_nesting_and_not_what_strings_say() {
        assert!(depth_within(br#"{"a":[1,{"b":2}]}"#, 3));
        assert!(!depth_within(br#"{"a":[1,{"b":2}]}"#, 2));
        assert!(depth_within(br#"["[[[[", "\"[[[\\", "\\"]"#, 1));
        assert!(depth_within(br#""[[[["#, 0));
        assert!(!depth_within(&[b'['; 1_000_000], 100));
        assert!(depth_within(b"[[]][[]][[]]", 2));
    }

    #[test]
    fn fields_and_items_keep_their_text_and_their_limits() {
        let fields: Fields<'_, 2> = serde_json::from_str(r#"{"a\u0062": [1, 2] , "c":"d"}"#).unwrap();
        assert_eq!(fields.0[0].0, "ab");
        assert_eq!((fields.0[0].1.get(), kind(fields.0[0].1)), ("[1, 2]", "an array"));
        assert!(serde_json::from_str::<Fields<'_, 1>>(r#"{"a":1,"b":2}"#).is_err());
        let items: Items<'_, 2> = serde_json::from_str("[1,2,3,4,5]").unwrap();
        assert_eq!(items.0.len(), 3);
    }
}
