//! What handlers take out of a request, each part refused with an [`ApiError`] that names the field.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use goblin_core::chat::Purpose;
use goblin_core::error::ApiError;
use goblin_core::id::is_id;
use goblin_core::limits::MAX_PAGE;
use goblin_core::origin::{Origin, Trace};
use goblin_core::owner::Owner;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::app::AppState;
use crate::body::{ReadError, read_all};
use crate::kept::is_response_id;
use crate::layers::CORRELATION_ID;
use crate::refusal::Refusal;

/// The whole request body, within the bounds of size and time.
pub(crate) struct RawBody(pub(crate) Bytes);

impl FromRequest<AppState> for RawBody {
    type Rejection = Refusal;

    async fn from_request(req: Request, _: &AppState) -> Result<Self, Refusal> {
        let error = match read_all(req.into_body()).await {
            Ok(bytes) => return Ok(Self(bytes)),
            Err(ReadError::Refused(refusal)) => refusal.into(),
            Err(ReadError::Broken) => ApiError::invalid_json("it ended before it was whole"),
        };
        Err(error.into())
    }
}

/// A whole body that is a file.
pub(crate) async fn read_file(body: Body) -> Result<Bytes, ApiError> {
    read_all(body).await.map_err(|error| match error {
        ReadError::Refused(refusal) => refusal.into(),
        ReadError::Broken => ApiError::invalid("body", "The file ended before it was whole. Send it again."),
    })
}

/// The correlation id the outermost layer has put into the headers.
pub(crate) fn request_id(headers: &HeaderMap) -> &str {
    headers
        .get(CORRELATION_ID)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("")
}

/// Names the trace a request belongs to, and what it is a part of (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace a request belongs to, when the client named one. What is malformed is no trace, and never reaches the log.
pub(crate) fn trace(headers: &HeaderMap) -> Option<Trace> {
    let parent = headers.get(TRACEPARENT)?.to_str().ok()?;
    // A state in several headers is one list, in their order.
    let states: Vec<&str> = headers
        .get_all(TRACESTATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    Trace::read(parent, Some(&states.join(",")))
}

/// Where a request comes from, as whoever answers it is told. The deadline is filled in when it is handed on.
pub(crate) fn origin(headers: &HeaderMap) -> Origin {
    Origin {
        request_id: Some(request_id(headers))
            .filter(|id| !id.is_empty())
            .map(Arc::from),
        trace: trace(headers),
        left: None,
    }
}

/// [`origin`], as a handler takes it.
pub(crate) struct CameFrom(pub(crate) Origin);

impl FromRequestParts<AppState> for CameFrom {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(&parts.headers)))
    }
}

/// The caller's own limit for the whole answer, in milliseconds.
const DEADLINE: HeaderName = HeaderName::from_static("x-goblin-deadline-ms");
/// What the answer is for; on the model tier.
const PURPOSE: HeaderName = HeaderName::from_static("x-goblin-purpose");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What `x-goblin-deadline-ms` says: 1 millisecond to 1 hour.
pub(crate) fn deadline_header(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    Ok(number_header(headers, &DEADLINE, 1, 3_600_000)?.map(Duration::from_millis))
}

/// What `x-goblin-purpose` says: `answer`, the default, or `verdict`.
pub(crate) fn purpose_header(headers: &HeaderMap) -> Result<Purpose, ApiError> {
    match headers.get(PURPOSE).map(|value| value.as_bytes().trim_ascii()) {
        None | Some(b"" | b"answer") => Ok(Purpose::Answer),
        Some(b"verdict") => Ok(Purpose::Verdict),
        Some(_) => Err(ApiError::invalid(
            PURPOSE.as_str(),
            format!("The header `{PURPOSE}` must be `answer` or `verdict`."),
        )),
    }
}

/// What `Last-Event-ID` says: the index of the last event seen.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    number_header(headers, &LAST_EVENT_ID, 0, u64::MAX)
}

fn number_header(
    headers: &HeaderMap,
    name: &HeaderName,
    least: u64,
    most: u64,
) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(name).filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    match value.to_str().ok().and_then(|text| text.trim().parse().ok()) {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(ApiError::invalid(
            name.as_str(),
            format!("The header `{name}` must be a whole number from {least} to {most}."),
        )),
    }
}

/// The `{id}` of a path when it can be an id at all. What cannot be one does not exist.
pub(crate) struct PathId(pub(crate) String);

impl FromRequestParts<AppState> for PathId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        let thing = match parts.uri.path() {
            path if path.starts_with("/api/turns") => "turn",
            path if path.starts_with("/v1/traces") => "trace",
            path if path.starts_with("/api/account/sessions") => "session",
            path if path.starts_with("/api/account/identities") => "identity",
            path if path.starts_with("/api/account/passkeys") => "passkey",
            path if path.starts_with("/api/invitations") => "invitation",
            path if path.starts_with("/api/keys") => "key",
            path if path.starts_with("/api/teams") => "team",
            path if path.starts_with("/api/attachments") => "attachment",
            _ => "chat",
        };
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_id(&id) => Ok(Self(id)),
            _ => Err(ApiError::not_found(thing).into()),
        }
    }
}

/// The `{id}` of a response in a path. What cannot be one does not exist.
pub(crate) struct ResponseId(pub(crate) String);

impl FromRequestParts<AppState> for ResponseId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_response_id(&id) => Ok(Self(id)),
            _ => Err(ApiError::not_found("response").into()),
        }
    }
}

/// The `{id}` of a user in a path. The first account has the id of local mode's owner, whose row it took over.
pub(crate) struct UserId(pub(crate) String);

impl FromRequestParts<AppState> for UserId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_id(&id) || id == Owner::LOCAL_USER => Ok(Self(id)),
            _ => Err(ApiError::not_found("user").into()),
        }
    }
}

/// The `{provider}` of a path. What is no text names none.
pub(crate) struct ProviderId(pub(crate) String);

impl FromRequestParts<AppState> for ProviderId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::not_found("provider").into()),
        }
    }
}

/// The `{id}` of a team and the `{user}` in it.
pub(crate) struct MemberId {
    pub(crate) team: String,
    pub(crate) user: String,
}

impl FromRequestParts<AppState> for MemberId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((team, _))) if !is_id(&team) => Err(ApiError::not_found("team").into()),
            Ok(Path((team, user))) if is_id(&user) || user == Owner::LOCAL_USER => Ok(Self { team, user }),
            _ => Err(ApiError::not_found("user").into()),
        }
    }
}

/// The model's name at the end of a path; it may hold slashes. What is no text names no model.
pub(crate) struct ModelName(pub(crate) String);

impl FromRequestParts<AppState> for ModelName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(ApiError::model_not_found(parts.uri.path(), None).into()),
        }
    }
}

/// The query string, read field by field so that an unknown one can be named.
pub(crate) struct QueryFields(Vec<(String, String)>);

impl FromRequestParts<AppState> for QueryFields {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Refusal> {
        match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(ApiError::invalid("query", "The query string cannot be read.").into()),
        }
    }
}

impl QueryFields {
    /// Refuses every field but `known`, and every field given twice.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(100).collect();
                let known = if known.is_empty() {
                    Cow::Borrowed("This path takes none.")
                } else {
                    Cow::Owned(format!("Known are: {}.", known.join(", ")))
                };
                let message = format!("There is no query field `{shown}`. {known}");
                return Err(ApiError::invalid(shown, message));
            }
            if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(
                    name.clone(),
                    format!("`{name}` is given twice."),
                ));
            }
        }
        Ok(self)
    }

    /// Where a page of a list begins and how long it is: `cursor`, and `limit` of 1 to the most a page holds.
    pub(crate) fn page(self, usual: u32) -> Result<(Option<String>, u32), ApiError> {
        let query = self.only(&["cursor", "limit"])?;
        let limit = query.number("limit", 1, u64::from(MAX_PAGE))?;
        let limit = limit.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual);
        Ok((query.text("cursor").map(str::to_owned), limit))
    }

    /// The switch of `name`, when it was given, and the other fields.
    pub(crate) fn switch(mut self, name: &str) -> Result<(Option<bool>, Self), ApiError> {
        let given: Vec<String> = self
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .collect();
        self.0.retain(|(n, _)| n != name);
        let on = match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => None,
            ["true"] => Some(true),
            ["false"] => Some(false),
            _ => {
                let message = format!("`{name}` must be given once, as `true` or `false`.");
                return Err(ApiError::invalid(name, message));
            }
        };
        Ok((on, self))
    }

    /// The text of `name`, when it was given once.
    pub(crate) fn single(&self, name: &str) -> Option<&str> {
        let mut given = self.0.iter().filter(|(n, _)| n == name);
        match (given.next(), given.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The text of `name`, when it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The id of `name`, when it was given.
    pub(crate) fn id(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(id) if !is_id(id) => Err(ApiError::invalid(
                name,
                format!("`{name}` must be an id as this server makes them (a UUID)."),
            )),
            given => Ok(given),
        }
    }

    /// The whole number of `name` between `least` and `most`, when it was given.
    pub(crate) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.parse::<u64>() {
            Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
            _ => Err(ApiError::invalid(
                name,
                format!("`{name}` must be a whole number from {least} to {most}."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_taken_over_with_all_of_its_state() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        assert_eq!(origin(&headers), Origin::default());
        headers.append("tracestate", "a=1".parse().unwrap());
        assert_eq!(trace(&headers), None, "a state without a parent says nothing");
        headers.insert("traceparent", parent.parse().unwrap());
        headers.append("tracestate", "b=2".parse().unwrap());
        let read = trace(&headers).unwrap();
        assert_eq!((read.parent(), read.state()), (parent, Some("a=1,b=2")));
        headers.insert("traceparent", "00-nonsense".parse().unwrap());
        assert_eq!(trace(&headers), None);
    }
}
