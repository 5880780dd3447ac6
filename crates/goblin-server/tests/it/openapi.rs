//! The description of the API is committed, whole, and honest about who may call what.

use std::collections::HashSet;
use std::path::Path;

use goblin_server::openapi;
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&openapi::document_text()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().unwrap();
            item.iter()
                .map(move |(method, operation)| (path.clone(), method.clone(), operation.clone()))
        })
        .collect()
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the switch that rewrites the snapshot is for people"
)]
fn the_committed_document_is_the_one_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let now = openapi::document_text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == now,
        "openapi.json is out of date: run this test with UPDATE=1 and review the change"
    );
}

#[test]
fn every_operation_declares_who_may_call_it() {
    let public = [
        "/api/telemetry",
        "/auth/google",
        "/auth/google/callback",
        "/auth/google/url",
        "/auth/forgot",
        "/auth/invitation",
        "/auth/link",
        "/auth/login",
        "/auth/logout",
        "/auth/oidc/{provider}/callback",
        "/auth/oidc/{provider}/url",
        "/auth/passkey/login",
        "/auth/passkey/login/finish",
        "/auth/refresh",
        "/auth/register",
        "/auth/reset",
        "/auth/setup",
        "/auth/state",
        "/auth/supabase",
        "/auth/validate",
        "/auth/verification",
        "/health",
        "/health/all",
        "/health/live",
        "/openapi.json",
    ];
    for (path, method, operation) in operations(&document()) {
        let security = operation["security"]
            .as_array()
            .unwrap_or_else(|| panic!("{method} {path} declares none"));
        let is_public = security.iter().all(|one| one.as_object().unwrap().is_empty());
        assert_eq!(is_public, public.contains(&path.as_str()), "{method} {path}");
        let takes: Vec<&String> = security
            .iter()
            .flat_map(|one| one.as_object().unwrap().keys())
            .collect();
        // The one table of roles knows every route that asks who is there.
        let route = path.replace(
            "{id}",
            if path == "/v1/models/{id}" {
                "{*id}"
            } else {
                "{id}"
            },
        );
        let method: http::Method = method.to_uppercase().parse().unwrap();
        let by_key = goblin_auth::permission::key_scope(&method, &route).map(|_| "api_key");
        let expected: Vec<&str> = ["local", "session", "bearer"].into_iter().chain(by_key).collect();
        assert!(is_public || takes == expected, "{method} {path}: {takes:?}");
        assert!(
            is_public || goblin_auth::permission::is_listed(&method, &route),
            "{method} {path}"
        );
    }
}

#[test]
fn operation_ids_are_unique_verbs_and_nouns() {
    let mut seen = HashSet::new();
    for (path, _, operation) in operations(&document()) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            id.contains('_') && id.chars().all(|c| c == '_' || c.is_ascii_lowercase()),
            "{id}"
        );
        assert!(seen.insert(id), "{path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|v| references(v, found));
            }
            Value::Array(all) => all.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
