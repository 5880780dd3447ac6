//! What every answer says to browsers, on every route; and which page may read it.

use goblin_auth::visit::Premises;
use http::Method;

use crate::client::Reply;
use crate::people::{app_with, owner};
use crate::test_app::TestApp;

const PAGE: &str = "https://chat.example.org";

/// What is said always, in this order.
const ALWAYS: &[(&str, &str)] = &[
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

async fn app() -> TestApp {
    app_with(|setup| {
        setup.premises = Premises {
            proxies: vec!["127.0.0.1".parse().unwrap()],
            origins: vec![PAGE.into(), "https://other.example.org".into()],
            preview: goblin_auth::visit::OriginPattern::parse("https://goblin-*-team.vercel.app"),
            ..Premises::default()
        }
    })
    .await
}

fn said<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_route_says_the_same_to_browsers_answered_or_refused() {
    let app = app().await;
    owner(&app).await;
    let document: serde_json::Value = serde_json::from_str(&goblin_server::openapi::document_text()).unwrap();
    let mut routes: Vec<(Method, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            routes.push((
                method.to_uppercase().parse().unwrap(),
                path.replace(['{', '}'], ""),
            ));
        }
    }
    assert!(routes.len() > 40, "{}", routes.len());
    for path in [
        "/",
        "/docs",
        "/config.json",
        "/account/keys",
        "/nothing.js",
        "/api/nothing",
        "/api-keys/openai",
    ] {
        routes.push((Method::GET, path.into()));
    }
    routes.push((Method::TRACE, "/v1/models".into()));
    for (method, path) in routes {
        let reply = app
            .call(method.clone(), &path)
            .header("x-forwarded-proto", "https")
            .send()
            .await;
        for (name, value) in ALWAYS {
            assert_eq!(said(&reply, name), Some(*value), "{method} {path}: {name}");
        }
        assert_eq!(
            said(&reply, "strict-transport-security"),
            Some("max-age=31536000; includeSubDomains"),
            "{method} {path}"
        );
        let policy = said(&reply, "content-security-policy").unwrap_or_default();
        for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{method} {path}: {policy}");
        }
        assert!(said(&reply, "cache-control").is_some(), "{method} {path}");
        assert!(said(&reply, "x-correlation-id").is_some(), "{method} {path}");
        for tells_too_much in ["server", "x-powered-by"] {
            assert_eq!(said(&reply, tells_too_much), None, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn encrypted_only_is_said_to_those_who_came_encrypted() {
    let app = app().await;
    assert_eq!(said(&app.get("/health").await, "strict-transport-security"), None);
    let stranger = app_with(|_| {}).await;
    let claims = stranger
        .call(Method::GET, "/health")
        .header("x-forwarded-proto", "https")
        .send()
        .await;
    assert_eq!(
        said(&claims, "strict-transport-security"),
        None,
        "only a trusted proxy says so"
    );
}

#[tokio::test]
async fn the_page_on_its_own_origin_reads_answers_and_no_other_page_does() {
    let app = app().await;
    owner(&app).await;
    let from = |method: Method, path: &str, origin: &str| app.call(method, path).header("origin", origin);
    for origin in [PAGE, "https://other.example.org"] {
        // Refusals too: the page tells people why.
        for path in ["/health", "/api/chats", "/api/nothing"] {
            let reply = from(Method::GET, path, origin).send().await;
            assert_eq!(
                said(&reply, "access-control-allow-origin"),
                Some(origin),
                "{path}"
            );
            assert_eq!(said(&reply, "access-control-allow-credentials"), Some("true"));
            assert!(
                said(&reply, "access-control-expose-headers")
                    .unwrap()
                    .contains("retry-after")
            );
            assert!(said(&reply, "vary").unwrap().contains("origin"));
        }
    }
    let asks = |origin: &str| {
        from(Method::OPTIONS, "/api/chats", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let allowed = asks(PAGE).await;
    assert_eq!(allowed.status, 204);
    assert_eq!(said(&allowed, "access-control-allow-origin"), Some(PAGE));
    assert!(
        said(&allowed, "access-control-allow-methods")
            .unwrap()
            .contains("DELETE")
    );
    assert!(
        said(&allowed, "access-control-allow-headers")
            .unwrap()
            .contains("content-type")
    );
    for other in [
        "https://evil.example",
        "https://chat.example.org.evil.example",
        "http://chat.example.org",
        "https://chat.example.org:8443",
        "https://CHAT.example.org",
        "null",
        "*",
        // Trusted with a cookie, and still no reader.
        "https://goblin-abc-team.vercel.app",
    ] {
        for reply in [
            asks(other).await,
            from(Method::GET, "/health", other).send().await,
        ] {
            assert_eq!(said(&reply, "access-control-allow-origin"), None, "{other}");
            assert_eq!(said(&reply, "access-control-allow-credentials"), None, "{other}");
            assert!(said(&reply, "vary").unwrap().contains("origin"), "{other}");
        }
    }
    let twice = from(Method::GET, "/health", PAGE)
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(said(&twice, "access-control-allow-origin"), None);
    // Where no page is elsewhere, nothing is said at all.
    let alone = app_with(|_| {}).await;
    let reply = alone
        .call(Method::GET, "/health")
        .header("origin", PAGE)
        .send()
        .await;
    assert_eq!(said(&reply, "access-control-allow-origin"), None);
}
