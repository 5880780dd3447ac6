//! Streams in the document: what stands at `text/event-stream` is the shape of one event, not of the text they make up.

use serde_json::{Value, json};

const MEDIA_TYPE: &str = "text/event-stream";
/// What ends a stream in OpenAI's chats and completions.
const DONE: &str = "[DONE]";

/// Puts what was said of an event's data where it belongs: an event is an object of texts, and one of them, `data`, is
/// JSON of that shape. So OpenAPI 3.2 describes them (section 4.14.4, "Server-Sent Events"), and programs that test by a
/// document read it in 3.1 too.
pub(super) fn describe_events(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        let ends = path.ends_with("/completions");
        for operation in item
            .as_object_mut()
            .into_iter()
            .flat_map(|item| item.values_mut())
        {
            let responses = operation["responses"].as_object_mut().into_iter().flatten();
            for (_, response) in responses {
                if let Some(schema) =
                    response.pointer_mut(&format!("/content/{}/schema", escaped(MEDIA_TYPE)))
                {
                    *schema = event(schema.take(), ends);
                }
            }
        }
    }
}

/// What an event of a turn is, its name says: two of its shapes may fit the same data, so it is any of them, not one.
pub(super) fn allow_several(document: &mut Value) {
    if let Some(shape) = document
        .pointer_mut("/components/schemas/TurnEvent")
        .and_then(Value::as_object_mut)
        && let Some(shapes) = shape.remove("oneOf")
    {
        shape.insert("anyOf".to_owned(), shapes);
    }
}

/// An event whose data has this shape. One of OpenAI's may be an error in its place, and the last is no JSON.
fn event(shape: Value, ends: bool) -> Value {
    let json_of = |shape: Value| json!({"type": "string", "contentMediaType": "application/json", "contentSchema": shape});
    let data = if ends {
        let error = json!({"$ref": "#/components/schemas/OpenAiError"});
        json!({"anyOf": [{"const": DONE}, json_of(json!({"anyOf": [shape, error]}))]})
    } else {
        json_of(shape)
    };
    json!({
        "type": "object",
        "required": ["data"],
        "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": data},
    })
}

/// A name as a part of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_turn_may_fit_several_shapes() {
        let mut document = json!({"components": {"schemas": {"TurnEvent": {"oneOf": [{}, {}]}}}});
        allow_several(&mut document);
        assert_eq!(
            document["components"]["schemas"]["TurnEvent"],
            json!({"anyOf": [{}, {}]})
        );
    }

    #[test]
    fn an_events_data_has_the_shape_and_only_openais_streams_end_with_a_word() {
        let content = |shape: &str| json!({"content": {MEDIA_TYPE: {"schema": {"$ref": shape}}}});
        let mut document = json!({"paths": {
            "/v1/completions": {"post": {"responses": {"200": content("#/chunk")}}},
            "/api/turns": {"post": {"responses": {"200": content("#/turn"), "4XX": {"content": {"application/json": {"schema": {}}}}}}},
        }});
        describe_events(&mut document);
        let schema = |path: &str| {
            document["paths"][path]["post"]["responses"]["200"]["content"][MEDIA_TYPE]["schema"]["properties"]
                ["data"]
                .clone()
        };
        assert_eq!(schema("/api/turns")["contentSchema"], json!({"$ref": "#/turn"}));
        let ending = schema("/v1/completions");
        assert_eq!(ending["anyOf"][0], json!({"const": "[DONE]"}));
        assert_eq!(
            ending["anyOf"][1]["contentSchema"]["anyOf"][0],
            json!({"$ref": "#/chunk"})
        );
        let refused = &document["paths"]["/api/turns"]["post"]["responses"]["4XX"];
        assert_eq!(refused["content"]["application/json"]["schema"], json!({}));
    }
}
