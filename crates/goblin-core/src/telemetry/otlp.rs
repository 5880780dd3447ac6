//! Spans and metrics as OTLP sends them over HTTP.
//!
//! Source: OpenTelemetry protocol 1.10, `opentelemetry/proto/{trace,metrics,resource,common}/v1`.

use super::prometheus::{Family, Histogram, Points};
use super::span::{Span, Value};
use super::wire::{Field, Item, to_json, to_protobuf};

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `http/protobuf`.
    Protobuf,
    /// `http/json`.
    Json,
}

impl Protocol {
    /// The media type of a request.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn write(self, fields: Vec<Field<'_>>) -> Vec<u8> {
        match self {
            Self::Protobuf => to_protobuf(fields),
            Self::Json => to_json(fields).to_string().into_bytes(),
        }
    }
}

/// Who tells: what every request says of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource(pub Vec<(String, String)>);

impl Resource {
    /// Reads `OTEL_RESOURCE_ATTRIBUTES`, or the headers of `OTEL_EXPORTER_OTLP_HEADERS`: `name=value,name=value`, both
    /// percent-encoded.
    ///
    /// # Errors
    /// What is no pair, in a sentence without its value.
    pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let read = |(at, part): (usize, &str)| {
            let pair = part
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()));
            match pair {
                Some((name, value)) if !name.is_empty() => Ok((decoded(name), decoded(value))),
                _ => Err(format!(
                    "part {} is not `name=value`. Write `name=value,name=value`, a comma within a value as %2C.",
                    at + 1
                )),
            }
        };
        parts.enumerate().map(read).collect()
    }

    fn item(&self) -> Item<'_> {
        Item::Message(vec![Field(1, "attributes", attributes(&self.0))])
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = rest.get(1..3).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The body of a request to `/v1/traces`.
pub fn traces(protocol: Protocol, resource: &Resource, spans: &[Span]) -> Vec<u8> {
    let of_scope = Item::Message(vec![
        Field(1, "scope", scope()),
        Field(2, "spans", Item::Many(spans.iter().map(span).collect())),
    ]);
    let of_resource = Item::Message(vec![
        Field(1, "resource", resource.item()),
        Field(2, "scopeSpans", Item::Many(vec![of_scope])),
    ]);
    protocol.write(vec![Field(1, "resourceSpans", Item::Many(vec![of_resource]))])
}

/// The body of a request to `/v1/metrics`: sums since `since_ns`, as of `now_ns` (nanoseconds since the epoch).
pub fn metrics(
    protocol: Protocol,
    resource: &Resource,
    families: &[Family],
    since_ns: u64,
    now_ns: u64,
) -> Vec<u8> {
    let times = Times { since_ns, now_ns };
    let of = families.iter().map(|family| metric(family, times));
    let of_scope = Item::Message(vec![
        Field(1, "scope", scope()),
        Field(2, "metrics", Item::Many(of.collect())),
    ]);
    let of_resource = Item::Message(vec![
        Field(1, "resource", resource.item()),
        Field(2, "scopeMetrics", Item::Many(vec![of_scope])),
    ]);
    protocol.write(vec![Field(1, "resourceMetrics", Item::Many(vec![of_resource]))])
}

fn scope() -> Item<'static> {
    Item::Message(vec![
        Field(1, "name", Item::Text("goblin")),
        Field(2, "version", Item::Text(env!("CARGO_PKG_VERSION"))),
    ])
}

fn span(span: &Span) -> Item<'_> {
    let mut fields = Vec::with_capacity(9);
    fields.extend([
        Field(1, "traceId", Item::Hex(&span.trace_id)),
        Field(2, "spanId", Item::Hex(&span.span_id)),
    ]);
    if let Some(parent) = &span.parent {
        fields.push(Field(4, "parentSpanId", Item::Hex(parent)));
    }
    let attributes = span.attributes.iter();
    let attributes = attributes.map(|(name, value)| key_value(name, any_value(value)));
    fields.extend([
        Field(5, "name", Item::Text(&span.name)),
        Field(6, "kind", Item::Enum(span.kind.number())),
        Field(7, "startTimeUnixNano", Item::Fixed(span.start_ns)),
        Field(8, "endTimeUnixNano", Item::Fixed(span.end_ns)),
        Field(9, "attributes", Item::Many(attributes.collect())),
    ]);
    if let Some(code) = &span.failed {
        let status = vec![
            Field(2, "message", Item::Text(code)),
            // STATUS_CODE_ERROR.
            Field(3, "code", Item::Enum(2)),
        ];
        fields.push(Field(15, "status", Item::Message(status)));
    }
    Item::Message(fields)
}

fn key_value<'a>(name: &'a str, value: Item<'a>) -> Item<'a> {
    Item::Message(vec![Field(1, "key", Item::Text(name)), Field(2, "value", value)])
}

fn key_text<'a>(name: &'a str, text: &'a str) -> Item<'a> {
    key_value(name, any_text(text))
}

fn any_text(text: &str) -> Item<'_> {
    Item::Message(vec![Field(1, "stringValue", Item::Text(text))])
}

fn any_value(value: &Value) -> Item<'_> {
    Item::Message(vec![match value {
        Value::Text(text) => return any_text(text),
        Value::Switch(is) => Field(2, "boolValue", Item::Switch(*is)),
        Value::Whole(number) => Field(3, "intValue", Item::Whole(*number)),
        Value::Real(number) => Field(4, "doubleValue", Item::Real(*number)),
        Value::Texts(texts) => {
            let items = texts.iter().map(|text| any_text(text));
            let values = Field(1, "values", Item::Many(items.collect()));
            Field(5, "arrayValue", Item::Message(vec![values]))
        }
    }])
}

/// AGGREGATION_TEMPORALITY_CUMULATIVE.
const CUMULATIVE: u64 = 2;

/// When what is counted began to be, and when it was read.
#[derive(Clone, Copy)]
struct Times {
    since_ns: u64,
    now_ns: u64,
}

impl Times {
    /// The beginning of a point, with room for `more` fields.
    fn fields<'a>(self, more: usize) -> Vec<Field<'a>> {
        let mut fields = Vec::with_capacity(2 + more);
        fields.push(Field(2, "startTimeUnixNano", Item::Fixed(self.since_ns)));
        fields.push(Field(3, "timeUnixNano", Item::Fixed(self.now_ns)));
        fields
    }
}

fn attributes(labels: &[(String, String)]) -> Item<'_> {
    Item::Many(labels.iter().map(|(name, value)| key_text(name, value)).collect())
}

fn numbers(points: &[(Vec<(String, String)>, f64)], times: Times) -> Field<'_> {
    let points = points.iter().map(|(labels, value)| {
        let mut fields = times.fields(2);
        fields.push(Field(4, "asDouble", Item::Real(*value)));
        fields.push(Field(7, "attributes", attributes(labels)));
        Item::Message(fields)
    });
    Field(1, "dataPoints", Item::Many(points.collect()))
}

fn histogram(point: &Histogram, times: Times) -> Item<'_> {
    let mut fields = times.fields(5);
    fields.extend([
        Field(4, "count", Item::Fixed(point.count)),
        Field(5, "sum", Item::Real(point.sum)),
        Field(6, "bucketCounts", Item::PackedFixed(&point.counts)),
        Field(7, "explicitBounds", Item::PackedReal(&point.bounds)),
        Field(9, "attributes", attributes(&point.labels)),
    ]);
    Item::Message(fields)
}

fn metric(family: &Family, times: Times) -> Item<'_> {
    let cumulative = || Field(2, "aggregationTemporality", Item::Enum(CUMULATIVE));
    let data = match &family.points {
        Points::Gauge(points) => Field(5, "gauge", Item::Message(vec![numbers(points, times)])),
        Points::Sum(points) => {
            let monotonic = Field(3, "isMonotonic", Item::Switch(true));
            Field(
                7,
                "sum",
                Item::Message(vec![numbers(points, times), cumulative(), monotonic]),
            )
        }
        Points::Histogram(points) => {
            let points = points.iter().map(|point| histogram(point, times)).collect();
            let data = Field(1, "dataPoints", Item::Many(points));
            Field(9, "histogram", Item::Message(vec![data, cumulative()]))
        }
    };
    Item::Message(vec![
        Field(1, "name", Item::Text(&family.name)),
        Field(3, "unit", Item::Text(family.unit)),
        data,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus;
    use crate::telemetry::span::Kind;
    use serde_json::json;

    fn told() -> (Resource, Span) {
        let resource = Resource(vec![("service.name".into(), "goblin-backend".into())]);
        let span = Span {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            span_id: "00f067aa0ba902b7".into(),
            parent: Some("b7ad6b7169203331".into()),
            name: "chat parrot".into(),
            kind: Kind::Client,
            start_ns: 1_795_471_200_000_000_000,
            end_ns: 1_795_471_200_500_000_000,
            attributes: vec![
                ("gen_ai.request.model", Value::Text("parrot".into())),
                ("gen_ai.usage.input_tokens", Value::Whole(7)),
                ("goblin.local", Value::Switch(true)),
                (
                    "gen_ai.response.finish_reasons",
                    Value::Texts(vec!["stop".into()]),
                ),
            ],
            failed: Some("upstream_failed".into()),
        };
        (resource, span)
    }

    #[test]
    fn a_span_is_written_as_otlp_says() {
        let (resource, span) = told();
        let written = traces(Protocol::Json, &resource, std::slice::from_ref(&span));
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        let of_resource = &written["resourceSpans"][0];
        assert_eq!(
            of_resource["resource"]["attributes"],
            json!([{"key": "service.name", "value": {"stringValue": "goblin-backend"}}])
        );
        assert_eq!(
            of_resource["scopeSpans"][0]["spans"][0],
            json!({
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                "spanId": "00f067aa0ba902b7",
                "parentSpanId": "b7ad6b7169203331",
                "name": "chat parrot",
                "kind": 3,
                "startTimeUnixNano": "1795471200000000000",
                "endTimeUnixNano": "1795471200500000000",
                "attributes": [
                    {"key": "gen_ai.request.model", "value": {"stringValue": "parrot"}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
                    {"key": "goblin.local", "value": {"boolValue": true}},
                    {"key": "gen_ai.response.finish_reasons",
                     "value": {"arrayValue": {"values": [{"stringValue": "stop"}]}}},
                ],
                "status": {"message": "upstream_failed", "code": 2},
            })
        );
        let bytes = traces(Protocol::Protobuf, &resource, &[span]);
        let id = [0x0a, 16, 0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3];
        assert!(
            bytes.windows(id.len()).any(|w| w == id),
            "the trace's id as bytes"
        );
    }

    #[test]
    fn metrics_have_the_names_of_the_conventions_and_counts_for_each_bucket() {
        let text = "# TYPE goblin_model_request_seconds histogram\n\
                    goblin_model_request_seconds_bucket{provider=\"ollama\",le=\"1\"} 2\n\
                    goblin_model_request_seconds_bucket{provider=\"ollama\",le=\"+Inf\"} 3\n\
                    goblin_model_request_seconds_sum{provider=\"ollama\"} 9.5\n\
                    goblin_model_request_seconds_count{provider=\"ollama\"} 3\n";
        let families = prometheus::read(text);
        let written = metrics(Protocol::Json, &told().0, &families, 1, 2);
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        let metric = &written["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
        assert_eq!(metric["name"], "gen_ai.client.operation.duration");
        assert_eq!(metric["unit"], "s");
        assert_eq!(metric["histogram"]["aggregationTemporality"], 2);
        assert_eq!(
            metric["histogram"]["dataPoints"][0],
            json!({
                "startTimeUnixNano": "1", "timeUnixNano": "2", "count": "3", "sum": 9.5,
                "bucketCounts": ["2", "1"], "explicitBounds": [1.0],
                "attributes": [{"key": "gen_ai.provider.name", "value": {"stringValue": "ollama"}}],
            })
        );
    }

    #[test]
    fn pairs_are_read_and_a_broken_one_is_told_without_its_value() {
        let pairs = Resource::pairs("dd-api-key=abc%3D%2C, x=").unwrap();
        assert_eq!(
            pairs,
            [
                ("dd-api-key".to_owned(), "abc=,".to_owned()),
                ("x".to_owned(), String::new())
            ]
        );
        let told = Resource::pairs("a=b,secretvalue").unwrap_err();
        assert!(told.contains("part 2") && !told.contains("secretvalue"), "{told}");
        assert!(Resource::pairs("").unwrap().is_empty());
    }
}
