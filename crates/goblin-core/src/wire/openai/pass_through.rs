//! Forwarding a request untouched: what is looked at, and the two values that are changed in place.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::messages::{image_url, message_items};
use super::request::{read_include_usage, read_model};
use crate::error::ApiError;
use crate::wire::fields::{Object, boolean, get, object, top};
use crate::wire::json::{Fields, Items};

/// What must be known of a request that is forwarded untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassThrough {
    /// The name the client asked for.
    pub model: String,
    /// Was a stream asked for?
    pub stream: bool,
    /// Was a usage chunk asked for?
    pub include_usage: bool,
    /// Addresses of the images in it.
    pub images: Vec<String>,
}

/// Checks a request that is to be forwarded: JSON, `model`, `messages`, sizes and image addresses. Everything else is
/// the upstream's to judge.
///
/// # Errors
/// `invalid_json`, or `invalid_request` naming the field.
pub fn parse_pass_through(body: &Bytes) -> Result<PassThrough, ApiError> {
    let fields = top(body)?;
    let model = read_model(&fields)?;
    let mut images = Vec::new();
    for (i, raw) in message_items(&fields)?.into_iter().enumerate() {
        let path = format!("messages[{i}]");
        let message = object(raw, &path)?;
        check_images(&message, &path, &mut images)?;
    }
    let stream = match get(&fields, "stream") {
        Some(raw) => boolean(raw, "stream")?,
        None => false,
    };
    Ok(PassThrough {
        model,
        stream,
        include_usage: stream && read_include_usage(&fields)?,
        images,
    })
}

fn check_images(message: &Object<'_>, path: &str, images: &mut Vec<String>) -> Result<(), ApiError> {
    let Some(content) = get(message, "content").filter(|c| c.get().starts_with('[')) else {
        return Ok(());
    };
    let Ok(parts) = serde_json::from_str::<Items<'_, MAX_PARTS_LOOKED_AT>>(content.get()) else {
        return Ok(());
    };
    if parts.0.len() > MAX_PARTS_LOOKED_AT {
        let path = format!("{path}.content");
        let message = format!("`{path}` has more than {MAX_PARTS_LOOKED_AT} parts. Send fewer.");
        return Err(ApiError::invalid(path, message));
    }
    for (i, raw) in parts.0.into_iter().enumerate() {
        let path = format!("{path}.content[{i}]");
        if raw.get().starts_with('{') {
            let part = object(raw, &path)?;
            if get(&part, "image_url").is_some() {
                images.push(image_url(&part, &format!("{path}.image_url"))?);
            }
        }
    }
    Ok(())
}

const MAX_PARTS_LOOKED_AT: usize = 1000;

/// The same request with `model` named as the upstream knows it and, when `force_include_usage` and the request
/// streams, with `stream_options.include_usage` true. Every other byte is as it was. A body that is no JSON object
/// comes back unchanged.
pub fn rewrite_for_upstream(body: &Bytes, upstream_model: &str, force_include_usage: bool) -> Bytes {
    let Ok(text) = std::str::from_utf8(body) else {
        return body.clone();
    };
    let Ok(fields) = serde_json::from_str::<Fields<'_, { usize::MAX }>>(text) else {
        return body.clone();
    };
    let mut cuts: Vec<(usize, usize, String)> = Vec::with_capacity(2);
    let place = |raw: &RawValue| (offset(text, raw.get()), offset(text, raw.get()) + raw.get().len());
    let mut model_end = None;
    for (_, raw) in fields.0.iter().filter(|(name, _)| name == "model") {
        let (start, end) = place(raw);
        model_end = Some(end);
        cuts.push((start, end, quoted(upstream_model)));
    }
    if force_include_usage && get(&fields.0, "stream").is_some_and(|s| s.get() == "true") {
        let options = fields
            .0
            .iter()
            .find(|(name, _)| name == "stream_options")
            .map(|(_, raw)| *raw);
        match (options, model_end) {
            (Some(raw), _) => cuts.push(usage_cut(text, raw)),
            (None, Some(end)) => {
                cuts.push((end, end, r#","stream_options":{"include_usage":true}"#.to_owned()))
            }
            (None, None) => {}
        }
    }
    splice(text, cuts)
}

/// The replacement inside (or of) an existing `stream_options`.
fn usage_cut(text: &str, raw: &RawValue) -> (usize, usize, String) {
    let start = offset(text, raw.get());
    let Ok(options) = serde_json::from_str::<Fields<'_, { usize::MAX }>>(raw.get()) else {
        return (
            start,
            start + raw.get().len(),
            r#"{"include_usage":true}"#.to_owned(),
        );
    };
    if let Some((_, value)) = options.0.iter().find(|(name, _)| name == "include_usage") {
        let at = offset(text, value.get());
        return (at, at + value.get().len(), "true".to_owned());
    }
    let comma = if options.0.is_empty() { "" } else { "," };
    (start + 1, start + 1, format!(r#""include_usage":true{comma}"#))
}

/// Where `part`, a slice of `whole`, begins. Values borrowed while parsing are such slices.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn splice(text: &str, mut cuts: Vec<(usize, usize, String)>) -> Bytes {
    cuts.sort_by_key(|(start, ..)| *start);
    let mut out = String::with_capacity(text.len() + 64);
    let mut from = 0;
    for (start, end, put) in cuts {
        out.push_str(&text[from..start]);
        out.push_str(&put);
        from = end;
    }
    out.push_str(&text[from..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(body: &str, force: bool) -> String {
        let out = rewrite_for_upstream(&Bytes::copy_from_slice(body.as_bytes()), "m\"2", force);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn only_the_model_changes() {
        let body = " {\"x\" : 1.50, \"model\"\t:\n \"ollama/m\" ,\"messages\":[{\"model\":\"keep\"}], \"ä\":\"\\u00e4\"}\n";
        let expected = body.replace("\"ollama/m\"", r#""m\"2""#);
        assert_eq!(rewritten(body, false), expected);
        assert_eq!(
            rewritten(body, true),
            expected,
            "no stream, no usage chunk to ask for"
        );
    }

    #[test]
    fn a_stream_is_made_to_report_usage() {
        for (before, after) in [
            (
                r#"{"model":"a","stream":true}"#,
                r#"{"model":"m\"2","stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{ },"model":"a"}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true },"model":"m\"2"}"#,
            ),
            (
                r#"{"stream_options":{"include_usage" : false,"z":1},"model":"a","stream":true}"#,
                r#"{"stream_options":{"include_usage" : true,"z":1},"model":"m\"2","stream":true}"#,
            ),
            (
                r#"{"stream_options":{"z":1},"model":"a","stream":true}"#,
                r#"{"stream_options":{"include_usage":true,"z":1},"model":"m\"2","stream":true}"#,
            ),
            (
                r#"{"model":"a","stream":true,"stream_options":null}"#,
                r#"{"model":"m\"2","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            assert_eq!(rewritten(before, true), after);
        }
    }

    #[test]
    fn what_is_no_object_comes_back_unchanged() {
        for body in ["", "[1]", "{", "\"model\""] {
            assert_eq!(rewritten(body, true), body);
        }
    }

    #[test]
    fn the_rest_is_the_upstreams_to_judge() {
        let ok = Bytes::from_static(
            br#"{"model":"p/m","stream":true,"stream_options":{"include_usage":true},"temperature":99,"n":7,
                "messages":[{"role":"oracle","content":[{"type":"x"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]}"#,
        );
        let seen = parse_pass_through(&ok).unwrap();
        assert_eq!(
            seen,
            PassThrough {
                model: "p/m".into(),
                stream: true,
                include_usage: true,
                images: vec!["https://a/b.png".into()],
            }
        );
        for (body, param) in [
            (r#"{"messages":[{}]}"#, "model"),
            (r#"{"model":"m","messages":[]}"#, "messages"),
            (r#"{"model":"m","model":"n","messages":[{}]}"#, "model"),
            (
                r#"{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/"}}]}]}"#,
                "messages[0].content[0].image_url.url",
            ),
        ] {
            let error = parse_pass_through(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
