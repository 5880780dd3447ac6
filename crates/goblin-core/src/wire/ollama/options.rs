//! What every Ollama request may carry beside its text: `options`, `format`, `think`, `keep_alive`, `logprobs`.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::chat::{KeepAlive, ResponseFormat, Sampling, Think};
use crate::error::ApiError;
use crate::limits::{MAX_CONTEXT_TOKENS, MAX_KEEP_ALIVE_SECONDS, MAX_MAX_TOKENS};
use crate::wire::fields::{
    Object, boolean, get, integer, number, object, one_of, optional, stop_texts, string,
};
use crate::wire::json::kind;
use crate::wire::openai::tools::{MAX_SCHEMA_BYTES, schema, within};

/// The settings a request carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) sampling: Sampling,
    pub(super) format: ResponseFormat,
    pub(super) think: Option<Think>,
    pub(super) context_tokens: Option<u32>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) stream: bool,
}

/// Reads them. A stream is the default, as with Ollama.
pub(super) fn read_settings(fields: &Object<'_>) -> Result<Settings, ApiError> {
    let (mut sampling, context_tokens) = read_options(fields)?;
    sampling.logprobs = read_logprobs(fields)?;
    // Ollama's leave to cut a prompt or to shift the context; nothing is ever cut here.
    optional(fields, "", "truncate", boolean)?;
    optional(fields, "", "shift", boolean)?;
    Ok(Settings {
        sampling,
        format: optional(fields, "", "format", read_format)?.unwrap_or_default(),
        think: optional(fields, "", "think", read_think)?,
        context_tokens,
        keep_alive: read_keep_alive(fields)?,
        stream: read_stream(fields)?,
    })
}

/// The field `stream`.
pub(super) fn read_stream(fields: &Object<'_>) -> Result<bool, ApiError> {
    Ok(optional(fields, "", "stream", boolean)?.unwrap_or(true))
}

/// Reads `options`. Those about the machine (`num_gpu`, `num_thread`, …) and those this server has no word for
/// (`num_keep`, `typical_p`, `mirostat`, …) are the operator's to set and are passed over.
fn read_options(fields: &Object<'_>) -> Result<(Sampling, Option<u32>), ApiError> {
    let path = "options";
    let Some(raw) = get(fields, path) else {
        return Ok((Sampling::default(), None));
    };
    let options = object(raw, path)?;
    let range = |name: &str, min: f64, max: f64| -> Result<Option<f32>, ApiError> {
        Ok(optional(&options, path, name, |r, p| number(r, p, min, max))?.map(|n| n as f32))
    };
    let whole =
        |name: &str, min: i64, max: i64| optional(&options, path, name, |r, p| integer(r, p, min, max));
    let sampling = Sampling {
        temperature: range("temperature", 0.0, 2.0)?,
        top_p: range("top_p", 0.0, 1.0)?,
        // Zero and less keep all.
        top_k: whole("top_k", -1, 1000)?.map(|n| n.max(0) as u32),
        min_p: range("min_p", 0.0, 1.0)?,
        // -1 is Ollama's word for "any".
        seed: whole("seed", i64::MIN, i64::MAX)?
            .filter(|n| *n != -1)
            .map(|n| n as u64),
        stop: optional(&options, path, "stop", stop_texts)?.unwrap_or_default(),
        presence_penalty: range("presence_penalty", -2.0, 2.0)?,
        frequency_penalty: range("frequency_penalty", -2.0, 2.0)?,
        repeat_penalty: range("repeat_penalty", 0.01, 10.0)?,
        max_tokens: optional(&options, path, "num_predict", read_num_predict)?.flatten(),
        ..Sampling::default()
    };
    let context = whole("num_ctx", 1, i64::from(MAX_CONTEXT_TOKENS))?;
    Ok((sampling, context.map(|n| n as u32)))
}

/// -1 (no end) and -2 (till the context is full) are no limit of the caller's own.
fn read_num_predict(raw: &RawValue, path: &str) -> Result<Option<u32>, ApiError> {
    match integer(raw, path, -2, i64::from(MAX_MAX_TOKENS))? {
        -2 | -1 => Ok(None),
        0 => Err(ApiError::invalid(
            path,
            format!("`{path}` must be from 1 to {MAX_MAX_TOKENS}, or -1 for no limit, not 0."),
        )),
        tokens => Ok(Some(tokens as u32)),
    }
}

fn read_logprobs(fields: &Object<'_>) -> Result<Option<u8>, ApiError> {
    let wanted = optional(fields, "", "logprobs", boolean)?.unwrap_or(false);
    let top = optional(fields, "", "top_logprobs", |r, p| integer(r, p, 0, 20))?;
    Ok(wanted.then(|| top.unwrap_or(0) as u8))
}

/// `"json"`, a JSON Schema, or nothing.
fn read_format(raw: &RawValue, path: &str) -> Result<ResponseFormat, ApiError> {
    if kind(raw) == "an object" {
        within(raw, path, MAX_SCHEMA_BYTES)?;
        return Ok(ResponseFormat::JsonSchema {
            name: "answer".to_owned(),
            schema: schema(raw, path)?,
        });
    }
    if kind(raw) != "a string" {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` must be `json` or a JSON Schema, not {}.", kind(raw)),
        ));
    }
    let words = [("json", true), ("", false)];
    Ok(match one_of(raw, path, &words)? {
        true => ResponseFormat::JsonObject,
        false => ResponseFormat::Text,
    })
}

/// A boolean or how much.
fn read_think(raw: &RawValue, path: &str) -> Result<Think, ApiError> {
    let levels = [
        ("low", Think::Low),
        ("medium", Think::Medium),
        ("high", Think::High),
        ("max", Think::Max),
    ];
    match kind(raw) {
        "a boolean" if raw.get() == "true" => Ok(Think::On),
        "a boolean" => Ok(Think::Off),
        "a string" => one_of(raw, path, &levels),
        other => Err(ApiError::invalid(
            path,
            format!("`{path}` must be a boolean, or `low`, `medium`, `high` or `max`, not {other}."),
        )),
    }
}

/// The field `keep_alive`: seconds as a number, or a duration in Go's words; less than nothing is for ever.
pub(super) fn read_keep_alive(fields: &Object<'_>) -> Result<Option<KeepAlive>, ApiError> {
    optional(fields, "", "keep_alive", |raw, path| {
        let seconds = match kind(raw) {
            "a number" => serde_json::from_str::<f64>(raw.get()).ok(),
            "a string" => go_duration(&string(raw, path)?),
            _ => None,
        };
        match seconds {
            Some(seconds) if seconds < 0.0 => Ok(KeepAlive::Forever),
            Some(seconds) if seconds <= MAX_KEEP_ALIVE_SECONDS as f64 => {
                let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                Ok(KeepAlive::For(time))
            }
            _ => Err(ApiError::invalid(
                path,
                format!(
                    "`{path}` must be a number of seconds or a duration such as `5m` or `1h30m`, at most \
                     {MAX_KEEP_ALIVE_SECONDS} seconds; -1 is for ever."
                ),
            )),
        }
    })
}

/// Seconds of a duration as Go's `time.ParseDuration` reads it: `300ms`, `-1.5h`, `2h45m`, `0`.
fn go_duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("\u{b5}s", 1e-6),
        ("\u{3bc}s", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut seconds = 0.0;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..unit_end])?;
        seconds += amount * unit;
        rest = &rest[unit_end..];
        if rest.is_empty() {
            return Some(sign * seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in [
            ("0", 0.0),
            ("0s", 0.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("-1s", -1.0),
            ("1.5h", 5400.0),
            ("300ms", 0.3),
            ("+2s", 2.0),
            ("10\u{b5}s", 1e-5),
        ] {
            let read = go_duration(text).unwrap_or(f64::NAN);
            assert!((read - seconds).abs() < 1e-12, "{text}: {read}");
        }
        for text in [
            "", "-", "5", "5 m", "m", "5x", "1h-5m", "ten", "1..5s", "5m3", "\u{663}s",
        ] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
