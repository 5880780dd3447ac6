//! The description of the API: for programs as OpenAPI, for people as a page made from it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::{Html, IntoResponse};
use http::header;
use serde_json::Value;

use crate::openapi;

static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::document_text);
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(&DOCUMENT).unwrap_or_default();
    page(&document)
});

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The description of this API as an OpenAPI 3.1 document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Status", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Value)),
)]
pub(super) async fn get_openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// The same for people.
pub(super) async fn show_docs() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE.as_str()))
}

/// How it looks.
pub(super) async fn show_docs_style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("docs/style.css"),
    )
}

fn page(document: &Value) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Goblin API</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><main>",
    );
    let info = &document["info"];
    let _ = write!(
        html,
        "<h1>{} API</h1><p>Version {}. {}</p>",
        text(&info["title"]),
        text(&info["version"]),
        text(&info["description"])
    );
    html.push_str("<p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a></p>");
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            describe(&mut html, path, method, operation);
        }
    }
    html.push_str("<h2>Shapes</h2>");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let _ = write!(
            html,
            "<section id=\"{0}\"><h3>{0}</h3><p>{1}</p>",
            escape(name),
            text(&schema["description"])
        );
        properties(&mut html, schema);
        html.push_str("</section>");
    }
    html.push_str("</main></body></html>");
    html
}

fn describe(html: &mut String, path: &str, method: &str, operation: &Value) {
    let public = operation["security"]
        .as_array()
        .is_some_and(|all| all.iter().all(|one| one == &serde_json::json!({})));
    let _ = write!(
        html,
        "<section><h2><code class=\"method\">{}</code> <code>{}</code></h2><p>{}{}</p><p>{}</p>",
        escape(&method.to_uppercase()),
        escape(path),
        text(&operation["summary"]),
        if public { " <em>Public.</em>" } else { "" },
        text(&operation["description"]),
    );
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        html.push_str("<table><tr><th>Parameter</th><th>In</th><th>What</th></tr>");
        for parameter in parameters {
            let _ = write!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"])
            );
        }
        html.push_str("</table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let _ = write!(html, "<p>Body: {}</p>", kind(body));
    }
    html.push_str("<table><tr><th>Status</th><th>What</th><th>Body</th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let bodies = response["content"].as_object().into_iter().flatten();
        let bodies: Vec<String> = bodies
            .map(|(media, content)| format!("{} <small>{}</small>", kind(&content["schema"]), escape(media)))
            .collect();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(status),
            text(&response["description"]),
            bodies.join("<br>")
        );
    }
    html.push_str("</table></section>");
}

fn properties(html: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        let _ = write!(html, "<p>{}</p>", kind(schema));
        return;
    };
    html.push_str("<table><tr><th>Field</th><th>Kind</th><th>What</th></tr>");
    for (name, property) in properties {
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(name),
            kind(property),
            text(&property["description"])
        );
    }
    html.push_str("</table>");
}

/// A schema in a few words: a link to its shape, or its type.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.rsplit('/').next())
    {
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    // Of a stream: what the data of each event is.
    for inner in ["/properties/data/anyOf/1", "/properties/data"] {
        if let Some(shape) = schema.pointer(inner).and_then(|data| data.get("contentSchema")) {
            return kind(shape);
        }
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = schema[choice].as_array() {
            return all.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|w| format!("<code>{}</code>", text(w)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", kind(&schema["items"])),
        Value::Array(all) if all.contains(&Value::from("array")) => {
            format!("list of {} or null", kind(&schema["items"]))
        }
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(one) => escape(one),
        _ => "anything".to_owned(),
    }
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or(""))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_path_and_escapes_what_it_shows() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(PAGE.contains(&escape(path)), "{path}");
        }
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://") && !PAGE.contains("<script"));
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
