//! Errors as Sentry takes them: envelopes, sent to the endpoint a DSN names.
//!
//! Source: Sentry SDK development documentation, "Envelopes" and "Event payloads".

use serde_json::{Value, json};

use super::page::Frame;
use super::scrub::clean;
use crate::clock::Timestamp;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 300;

/// Where errors go, and as whose.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    key: String,
    endpoint: String,
}

impl std::fmt::Debug for Dsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dsn").finish_non_exhaustive()
    }
}

impl Dsn {
    /// Reads `https://KEY@HOST/PROJECT`. `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, key, host, path) = split(text)?;
        let (path, project) = path.rsplit_once('/')?;
        // Of old, `key:secret`.
        let key = key.split(':').next().unwrap_or(key);
        let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        (is_plain(key) && is_plain(project) && !host.is_empty()).then(|| Self {
            key: key.to_owned(),
            endpoint: format!("{scheme}://{host}{path}/api/{project}/envelope/"),
        })
    }

    /// The URL envelopes are posted to.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The value of the header `X-Sentry-Auth`.
    pub fn authorization(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "Sentry sentry_version=7, sentry_client=goblin/{version}, sentry_key={}",
            self.key
        )
    }
}

/// Scheme, what is before the `@`, host with port, and path without its end.
fn split(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (scheme, rest) = text.trim().split_once("://")?;
    if !matches!(scheme, "http" | "https") || rest.contains(['?', '#', ' ']) {
        return None;
    }
    let (key, rest) = rest.split_once('@')?;
    let (host, path) = rest.split_at(rest.find('/')?);
    Some((scheme, key, host, path.trim_end_matches('/')))
}

/// Where something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// In this process.
    Process,
    /// In the page.
    Page,
}

/// An error that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorReport {
    /// 32 hexadecimal digits.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Whose it is.
    pub side: Side,
    /// Did it end what was being done, as a panic does?
    pub fatal: bool,
    /// Its kind: `panic`, the module that told of it, or the name of an error in the page.
    pub kind: String,
    /// What it says, already without anything somebody wrote.
    pub message: String,
    /// Where: the innermost first.
    pub frames: Vec<Frame>,
    /// From closed sets, and ids.
    pub tags: Vec<(&'static str, String)>,
    /// Ids of the trace and the span it happened in.
    pub trace: Option<(String, String)>,
}

/// What is true of all errors of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `goblin@0.1.0`.
    pub release: String,
    /// As the operator calls it, for example `production`.
    pub environment: String,
    /// `goblin-backend` or `goblin-models`, or as the operator calls it.
    pub service: String,
}

/// An envelope with one event.
pub fn envelope(origin: &Origin, report: &ErrorReport) -> Vec<u8> {
    let event = event(origin, report).to_string();
    let head = json!({"event_id": report.id, "sent_at": report.at.to_rfc3339()});
    let item = json!({"type": "event", "length": event.len(), "content_type": "application/json"});
    format!("{head}\n{item}\n{event}\n").into_bytes()
}

fn event(origin: &Origin, report: &ErrorReport) -> Value {
    let page = report.side == Side::Page;
    let frame = |frame: &Frame| {
        json!({
            "filename": if page { format!("~/assets/{}", frame.file) } else { frame.file.clone() },
            "lineno": frame.line,
            "colno": frame.column,
            "in_app": true,
        })
    };
    let mut exception = json!({
        "type": report.kind,
        "value": clean(&report.message, MAX_MESSAGE),
        "mechanism": {"type": if report.fatal { "panic" } else { "generic" }, "handled": !report.fatal},
    });
    if !report.frames.is_empty() {
        // The outermost first.
        let frames: Vec<Value> = report.frames.iter().rev().map(frame).collect();
        exception["stacktrace"] = json!({"frames": frames});
    }
    let tags = report
        .tags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(clean(value, 200))));
    let mut event = json!({
        "event_id": report.id,
        "timestamp": report.at.to_rfc3339(),
        "platform": if page { "javascript" } else { "native" },
        "level": if report.fatal { "fatal" } else { "error" },
        "logger": if page { "page" } else { "goblin" },
        "release": origin.release,
        "environment": origin.environment,
        "server_name": origin.service,
        "sdk": {"name": "goblin", "version": env!("CARGO_PKG_VERSION")},
        "exception": {"values": [exception]},
        "tags": tags.collect::<serde_json::Map<_, _>>(),
    });
    if let Some((trace, span)) = &report.trace {
        event["contexts"] = json!({"trace": {"trace_id": trace, "span_id": span}});
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_names_where_envelopes_go() {
        for (dsn, endpoint) in [
            (
                "https://abc@o1.ingest.sentry.io/42",
                "https://o1.ingest.sentry.io/api/42/envelope/",
            ),
            (
                "http://abc:old@127.0.0.1:9000/base/42/",
                "http://127.0.0.1:9000/base/api/42/envelope/",
            ),
        ] {
            let dsn = Dsn::parse(dsn).unwrap();
            assert_eq!(dsn.endpoint(), endpoint);
            assert!(dsn.authorization().ends_with("sentry_key=abc"));
            assert!(!format!("{dsn:?}").contains("abc"));
        }
        for bad in [
            "",
            "abc@host/1",
            "https://host/1",
            "https://abc@host",
            "ftp://abc@host/1",
            "https://a b@host/1",
        ] {
            assert_eq!(Dsn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_envelope_is_three_lines_and_says_how_long_its_event_is() {
        let report = ErrorReport {
            id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            at: Timestamp(1_795_471_200_123),
            side: Side::Process,
            fatal: true,
            kind: "panic".into(),
            message: "told to a@b.example with sk-abcdefgh1234\nand more".into(),
            frames: vec![Frame {
                file: "crates/goblin-server/src/layers.rs".into(),
                line: 7,
                column: 1,
            }],
            tags: vec![("request_id", "r-1".into())],
            trace: Some((
                "4bf92f3577b34da6a3ce929d0e0e4736".into(),
                "00f067aa0ba902b7".into(),
            )),
        };
        let written = String::from_utf8(envelope(&Origin::default(), &report)).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 3);
        let item: Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(item["length"], lines[2].len());
        let event: Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(event["level"], "fatal");
        assert_eq!(
            event["exception"]["values"][0]["value"],
            "told to ***@*** with sk-*** and more"
        );
        assert_eq!(
            event["exception"]["values"][0]["stacktrace"]["frames"][0]["lineno"],
            7
        );
        assert_eq!(event["contexts"]["trace"]["span_id"], "00f067aa0ba902b7");
        assert_eq!(event["tags"]["request_id"], "r-1");
    }
}
