//! What was done with the page, as PostHog takes it.
//!
//! Source: PostHog API, `POST /batch/`. Nobody is a person there: the id is that of one visit of the page, and no profile
//! is made of it.

use serde_json::{Value, json};

use super::page::{EventName, PageName};
use crate::clock::Timestamp;

/// Something that was done with the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductEvent {
    /// A UUID, so that what is sent twice counts once.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The visit's id.
    pub visit: String,
    /// What.
    pub name: EventName,
    /// Where in the page.
    pub page: PageName,
}

/// The body of a request to `/batch/`.
pub fn batch(key: &str, service: &str, events: &[ProductEvent]) -> Vec<u8> {
    let one = |event: &ProductEvent| -> Value {
        json!({
            "event": event.name.as_str(),
            "uuid": event.id,
            "timestamp": event.at.to_rfc3339(),
            "properties": {
                "distinct_id": event.visit,
                "page": event.page.as_str(),
                "service": service,
                "release": env!("CARGO_PKG_VERSION"),
                "$lib": "goblin",
                // No person, and no place: the address is the server's.
                "$process_person_profile": false,
                "$geoip_disable": true,
            },
        })
    };
    let batch: Vec<Value> = events.iter().map(one).collect();
    json!({"api_key": key, "batch": batch}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_a_visit_and_no_person() {
        let event = ProductEvent {
            id: "0198c4f2-1111-7000-8000-000000000002".into(),
            at: Timestamp(1_795_471_200_123),
            visit: "0198c4f2-1111-7000-8000-000000000001".into(),
            name: EventName::QuestionAsked,
            page: PageName::Chat,
        };
        let body: Value = serde_json::from_slice(&batch("phc_key", "goblin-backend", &[event])).unwrap();
        assert_eq!(body["api_key"], "phc_key");
        let told = &body["batch"][0];
        assert_eq!(told["event"], "question_asked");
        assert_eq!(
            told["properties"]["distinct_id"],
            "0198c4f2-1111-7000-8000-000000000001"
        );
        assert_eq!(told["properties"]["$process_person_profile"], false);
        assert_eq!(told["timestamp"], "2026-11-23T22:00:00.123Z");
    }
}
