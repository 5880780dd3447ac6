//! What a server is told of where a request comes from.

use goblin_core::chat::Purpose;
use goblin_core::origin::Origin;
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const DEADLINE: HeaderName = HeaderName::from_static("x-goblin-deadline-ms");
const PURPOSE: HeaderName = HeaderName::from_static("x-goblin-purpose");

/// Writes `origin` and `purpose` into the headers of a request. Servers of others (`own` is false) learn the trace and
/// nothing else. What no header can carry is left out.
pub(crate) fn put(headers: &mut HeaderMap, origin: &Origin, purpose: Purpose, own: bool) {
    let mut put = |name: HeaderName, value: Option<&str>| {
        if let Some(value) = value.and_then(|v| HeaderValue::from_str(v).ok()) {
            headers.insert(name, value);
        }
    };
    if let Some(trace) = &origin.trace {
        put(TRACEPARENT, Some(trace.parent()));
        put(TRACESTATE, trace.state());
    }
    if own {
        put(CORRELATION_ID, origin.request_id.as_deref());
        put(DEADLINE, origin.deadline_ms().map(|ms| ms.to_string()).as_deref());
        put(PURPOSE, (purpose == Purpose::Verdict).then_some("verdict"));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use goblin_core::origin::Trace;

    use super::*;

    #[test]
    fn servers_of_others_learn_the_trace_only_and_work_without_a_request_tells_nothing() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let origin = Origin {
            request_id: Some("r-1".into()),
            trace: Trace::read(parent, Some("a=b")),
            left: Some(Duration::from_millis(1500)),
        };
        let told = |origin: &Origin, purpose, own| {
            let mut headers = HeaderMap::new();
            put(&mut headers, origin, purpose, own);
            let pairs = headers
                .iter()
                .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()));
            let mut pairs: Vec<String> = pairs.collect();
            pairs.sort();
            pairs
        };
        let trace = [format!("traceparent: {parent}"), "tracestate: a=b".to_owned()];
        assert_eq!(told(&origin, Purpose::Verdict, false), trace);
        let ours = [
            "x-correlation-id: r-1",
            "x-goblin-deadline-ms: 1500",
            "x-goblin-purpose: verdict",
        ];
        let all: Vec<String> = trace.into_iter().chain(ours.map(str::to_owned)).collect();
        assert_eq!(told(&origin, Purpose::Verdict, true), all);
        assert!(told(&Origin::default(), Purpose::Answer, true).is_empty());
    }
}
