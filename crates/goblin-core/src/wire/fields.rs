//! Reading one field of a request, with errors that name it, its limit and the fix.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::limits::{MAX_JSON_DEPTH, MAX_STOP_BYTES, MAX_STOPS};
use crate::wire::json::{Fields, Items, depth_within, kind};

/// Most fields of the request itself.
const MAX_TOP_FIELDS: usize = 256;
/// Most fields of an object inside it.
const MAX_FIELDS: usize = 64;
/// Most bytes of a model's name.
const MAX_MODEL_BYTES: usize = 256;

/// An object's fields in their order, values still as text.
pub(super) type Object<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// The request body as an object.
///
/// # Errors
/// `invalid_json` for what is not UTF-8 or not JSON; `invalid_request` for JSON that is too deep, is not an
/// object, has too many fields, or has one twice (then two readers could disagree about what was asked).
pub(super) fn top(body: &[u8]) -> Result<Object<'_>, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|e| ApiError::invalid_json(format!("byte {} is not UTF-8", e.valid_up_to())))?;
    if !depth_within(body, MAX_JSON_DEPTH) {
        return Err(ApiError::invalid(
            "body",
            format!("The body is nested deeper than {MAX_JSON_DEPTH} arrays and objects. Flatten it."),
        ));
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(ApiError::invalid_json)?;
    if kind(raw) != "an object" {
        return Err(ApiError::invalid(
            "body",
            format!("The body must be a JSON object, not {}.", kind(raw)),
        ));
    }
    let fields: Fields<'_, MAX_TOP_FIELDS> =
        serde_json::from_str(raw.get()).map_err(|_| too_many_fields("body", MAX_TOP_FIELDS))?;
    no_twice("", &fields.0)?;
    Ok(fields.0)
}

/// `raw` as an object at `path`.
pub(super) fn object<'a>(raw: &'a RawValue, path: &str) -> Result<Object<'a>, ApiError> {
    object_of::<MAX_FIELDS>(raw, path)
}

/// `raw` as an object of at most `MOST` fields at `path`.
pub(super) fn object_of<'a, const MOST: usize>(
    raw: &'a RawValue,
    path: &str,
) -> Result<Object<'a>, ApiError> {
    expect_kind(raw, path, "an object")?;
    let fields: Fields<'a, MOST> =
        serde_json::from_str(raw.get()).map_err(|_| too_many_fields(path, MOST))?;
    no_twice(path, &fields.0)?;
    Ok(fields.0)
}

fn too_many_fields(path: &str, limit: usize) -> ApiError {
    ApiError::invalid(
        path,
        format!("`{path}` has more than {limit} fields. Send fewer."),
    )
}

fn no_twice(path: &str, fields: &Object<'_>) -> Result<(), ApiError> {
    for (i, (name, _)) in fields.iter().enumerate() {
        if fields[..i].iter().any(|(earlier, _)| earlier == name) {
            let shown: String = name.chars().take(60).collect();
            let path = if path.is_empty() {
                shown
            } else {
                format!("{path}.{shown}")
            };
            return Err(ApiError::invalid(
                path.clone(),
                format!("`{path}` appears twice. Send it once."),
            ));
        }
    }
    Ok(())
}

/// `raw` as an array at `path` of at most `LIMIT` items.
pub(super) fn array<'a, const LIMIT: usize>(
    raw: &'a RawValue,
    path: &str,
) -> Result<Vec<&'a RawValue>, ApiError> {
    expect_kind(raw, path, "an array")?;
    let items: Items<'a, LIMIT> = serde_json::from_str(raw.get()).map_err(ApiError::invalid_json)?;
    if items.0.len() > LIMIT {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` has more than {LIMIT} items. Send fewer."),
        ));
    }
    Ok(items.0)
}

/// The field `name`, unless it is absent or null.
pub(super) fn get<'a>(fields: &Object<'a>, name: &str) -> Option<&'a RawValue> {
    fields
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| *v)
        .filter(|v| v.get() != "null")
}

/// The path of the field `name` of the object at `path`; an empty path is the body itself.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The field `name` of the object at `path`, read by `read`, unless it is absent or null.
pub(super) fn optional<'a, T>(
    fields: &Object<'a>,
    path: &str,
    name: &str,
    read: impl FnOnce(&'a RawValue, &str) -> Result<T, ApiError>,
) -> Result<Option<T>, ApiError> {
    get(fields, name)
        .map(|raw| read(raw, &join(path, name)))
        .transpose()
}

/// The field `name` of the object at `path`, read by `read`. Absent or null is refused.
pub(super) fn required<'a, T>(
    fields: &Object<'a>,
    path: &str,
    name: &str,
    read: impl FnOnce(&'a RawValue, &str) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let path = join(path, name);
    match get(fields, name) {
        Some(raw) => read(raw, &path),
        None => Err(ApiError::invalid(
            path.clone(),
            format!("`{path}` is missing. Add it."),
        )),
    }
}

/// The name of a model.
pub(super) fn model_name(raw: &RawValue, path: &str) -> Result<String, ApiError> {
    Ok(short_string(raw, path, MAX_MODEL_BYTES)?.into_owned())
}

/// A text that ends the answer, or several.
pub(super) fn stop_texts(raw: &RawValue, path: &str) -> Result<Vec<String>, ApiError> {
    if raw.get().starts_with('"') {
        return Ok(vec![short_string(raw, path, MAX_STOP_BYTES)?.into_owned()]);
    }
    if !raw.get().starts_with('[') {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` must be a string or an array of up to {MAX_STOPS} strings."),
        ));
    }
    let items = array::<MAX_STOPS>(raw, path)?;
    let read = |(i, item)| short_string(item, &format!("{path}[{i}]"), MAX_STOP_BYTES).map(String::from);
    items.into_iter().enumerate().map(read).collect()
}

/// Refuses every kind of value but `wanted`.
pub(super) fn expect_kind(raw: &RawValue, path: &str, wanted: &str) -> Result<(), ApiError> {
    if kind(raw) == wanted {
        return Ok(());
    }
    Err(ApiError::invalid(
        path,
        format!("`{path}` must be {wanted}, not {}.", kind(raw)),
    ))
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A string without NUL characters.
pub(super) fn string<'a>(raw: &'a RawValue, path: &str) -> Result<Cow<'a, str>, ApiError> {
    expect_kind(raw, path, "a string")?;
    let text: Text<'a> = serde_json::from_str(raw.get()).map_err(|_| {
        ApiError::invalid(
            path,
            format!("`{path}` holds a \\u escape that is not a character. Remove it."),
        )
    })?;
    if memchr::memchr(0, text.0.as_bytes()).is_some() {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` holds a NUL character (\\u0000), which models cannot read. Remove it."),
        ));
    }
    Ok(text.0)
}

/// A string that must not be empty nor longer than `max` bytes.
pub(super) fn short_string<'a>(raw: &'a RawValue, path: &str, max: usize) -> Result<Cow<'a, str>, ApiError> {
    let text = string(raw, path)?;
    if text.is_empty() || text.len() > max {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` must have 1 to {max} bytes, not {}.", text.len()),
        ));
    }
    Ok(text)
}

/// `true` or `false`.
pub(super) fn boolean(raw: &RawValue, path: &str) -> Result<bool, ApiError> {
    expect_kind(raw, path, "a boolean")?;
    Ok(raw.get() == "true")
}

/// A number from `min` to `max`.
pub(super) fn number(raw: &RawValue, path: &str, min: f64, max: f64) -> Result<f64, ApiError> {
    expect_kind(raw, path, "a number")?;
    match serde_json::from_str::<f64>(raw.get()) {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(out_of_range(raw, path, min, max)),
    }
}

/// A whole number from `min` to `max`.
pub(super) fn integer(raw: &RawValue, path: &str, min: i64, max: i64) -> Result<i64, ApiError> {
    expect_kind(raw, path, "a number")?;
    match serde_json::from_str::<i64>(raw.get()) {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        Ok(_) => Err(out_of_range(raw, path, min, max)),
        Err(_) => Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must be a whole number from {min} to {max}, not {}.",
                shown(raw)
            ),
        )),
    }
}

fn out_of_range(
    raw: &RawValue,
    path: &str,
    min: impl std::fmt::Display,
    max: impl std::fmt::Display,
) -> ApiError {
    ApiError::invalid(
        path,
        format!("`{path}` must be from {min} to {max}, not {}.", shown(raw)),
    )
}

fn shown(raw: &RawValue) -> String {
    raw.get().chars().take(40).collect()
}

/// One of a closed set of words.
pub(super) fn one_of<T: Copy>(raw: &RawValue, path: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
    let text = string(raw, path)?;
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let shown: String = text.chars().take(40).collect();
            ApiError::invalid(
                path,
                format!("`{path}` must be {}, not `{shown}`.", listed(&known)),
            )
        })
}

/// `a`, `b` or `c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
