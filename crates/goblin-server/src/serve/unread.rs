//! What is said to a request whose head could not be read or did not arrive. It never reaches the layers, so what
//! they do for every other is done here: an id, a line in the log, a measurement, the shape of the door where that
//! is known.

use std::time::Duration;

use goblin_core::error::ApiError;
use goblin_core::id::Ids;

use super::Peer;
use crate::app::Surface;
use crate::door::Door;
use crate::tier_guard::log_unread;

/// The library's own answers are shorter; whatever is longer is one of ours.
const LONGEST: usize = 256;

/// Answers in the place of a handler, on one connection.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    surface: Surface,
    ids: Ids,
    peer: Peer,
}

impl Unread {
    /// For a connection of `surface` with `peer` at its other end; ids come from `ids`.
    pub(super) fn new(surface: Surface, ids: Ids, peer: Peer) -> Self {
        Self { surface, ids, peer }
    }

    /// The answer with its sentence and its id, when `bytes` is a whole answer of the library's own. Which path was
    /// meant is not known, so it has the shape that holds both `detail` and `error`.
    pub(super) fn explain(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        // Looked at first: nearly every write is one of ours, and long.
        let text = (bytes.len() < LONGEST).then(|| std::str::from_utf8(bytes).ok())??;
        let head = text.strip_suffix("\r\n\r\n")?;
        let (line, fields) = head.split_once("\r\n")?;
        let status: u16 = line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let fields: Vec<&str> = fields.split("\r\n").collect();
        let empty = |field: &&str| field.eq_ignore_ascii_case("content-length: 0");
        let ours = |field: &&str| field.len() >= 16 && field[..16].eq_ignore_ascii_case("x-correlation-id");
        if !fields.iter().any(empty) || fields.iter().any(ours) {
            return None;
        }
        let sentence = match status {
            400 => {
                "The head of this request cannot be read: a line is malformed, or its lengths contradict each other. \
                 Send one request line, plain headers and one length."
            }
            414 => "The address of this request is too long. Put what it says into the body.",
            431 => "The headers of this request are too many or too large. Send fewer and shorter ones.",
            _ => return None,
        };
        let error = ApiError {
            status_override: Some(status),
            ..ApiError::invalid("head", sentence)
        };
        let kept: Vec<&str> = fields.into_iter().filter(|f| !empty(f)).collect();
        Some(self.answer(line, &kept, Door::Legacy, &error))
    }

    /// The answer to a request of which only `begun` came within `limit`, in the shape of its door as far as its path
    /// came.
    pub(super) fn late(&self, begun: &[u8], limit: Duration) -> Vec<u8> {
        let door = path_of(begun).map_or(Door::Legacy, |path| Door::of(self.surface, path));
        let error = ApiError::request_timeout(limit.as_secs().max(1));
        self.answer(
            "HTTP/1.1 408 Request Timeout",
            &["connection: close"],
            door,
            &error,
        )
    }

    /// Words `error` and notes that it was said.
    fn answer(&self, line: &str, fields: &[&str], door: Door, error: &ApiError) -> Vec<u8> {
        let id = self.ids.next_id();
        let status = door.status(error).as_u16();
        let (code, address) = (error.code.as_str(), self.peer.0.to_canonical());
        let labels = [
            ("method", "OTHER".to_owned()),
            ("route", "unread".to_owned()),
            ("status", status.to_string()),
        ];
        metrics::counter!("goblin_http_requests_total", &labels).increment(1);
        tracing::info!(request_id = id, status, code, %address, "refused before its head was read");
        if self.surface == Surface::Tier {
            log_unread(self.peer, &id, error);
        }
        let (body, content_type) = door.body(error, &id);
        let length = body.len();
        let mut head = vec![line.to_owned()];
        head.extend(fields.iter().map(|f| (*f).to_owned()));
        head.extend([
            format!("x-correlation-id: {id}"),
            format!("content-type: {content_type}"),
            format!("content-length: {length}"),
        ]);
        let mut answer = format!("{}\r\n\r\n", head.join("\r\n")).into_bytes();
        answer.extend_from_slice(&body);
        answer
    }
}

/// The path in the request line, when that line is whole.
fn path_of(begun: &[u8]) -> Option<&str> {
    let end = begun.windows(2).position(|two| two == b"\r\n")?;
    let target = std::str::from_utf8(&begun[..end]).ok()?.split(' ').nth(1)?;
    target
        .split(['?', '#'])
        .next()
        .filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use serde_json::Value;

    use super::*;

    fn unread(surface: Surface) -> Unread {
        Unread::new(surface, Ids::counting(), Peer(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    /// Head and body of an answer whose length is what it says.
    fn read(answer: Vec<u8>) -> (String, Value) {
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{head}"
        );
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn only_the_librarys_own_answers_get_a_sentence_and_an_id() {
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";
        let unread = unread(Surface::Backend);
        let (head, body) = read(unread.explain(own).unwrap());
        assert!(
            head.starts_with("HTTP/1.1 431 ") && head.contains("connection: close\r\ndate: now"),
            "{head}"
        );
        assert!(
            head.contains("x-correlation-id: 00000000-0000-0000-0000-000000000001\r\n"),
            "{head}"
        );
        assert_eq!(body["error"]["code"], "invalid_request");
        assert_eq!(body["detail"], body["error"]["message"]);
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 400 Bad Request\r\nX-Correlation-ID: a\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore",
            "data: HTTP/1.1 400 \r\n\r\n",
            "",
        ] {
            assert_eq!(unread.explain(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_late_head_is_answered_in_the_words_of_its_path_as_far_as_that_came() {
        let late = |surface, begun: &str| {
            let (head, body) = read(unread(surface).late(begun.as_bytes(), Duration::from_secs(3)));
            assert!(
                head.starts_with("HTTP/1.1 408 ") && head.contains("connection: close"),
                "{head}"
            );
            assert!(body.to_string().contains("within 3 seconds"), "{body}");
            body
        };
        let ours = late(Surface::Backend, "GET /api/chats?limit=1 HTTP/1.1\r\nhost: l");
        assert_eq!(
            (&ours["status"], &ours["code"]),
            (&408.into(), &"request_timeout".into())
        );
        let openai = late(Surface::Tier, "POST /v1/chat/completions HTTP/1.1\r\n");
        assert_eq!(
            (&openai["error"]["code"], &openai["detail"]),
            (&"request_timeout".into(), &Value::Null)
        );
        let ollama = late(Surface::Tier, "POST /api/chat HTTP/1.1\r\n");
        assert!(ollama["error"].is_string(), "{ollama}");
        for unknown in [
            "GET /api/ch",
            "\r\n",
            "GET\r\n",
            "GET http://h/api/chats HTTP/1.1\r\n",
            "",
        ] {
            let both = late(Surface::Backend, unknown);
            assert_eq!(both["error"]["code"], "request_timeout", "{unknown}");
            assert!(both["detail"].is_string(), "{unknown}");
        }
    }
}
