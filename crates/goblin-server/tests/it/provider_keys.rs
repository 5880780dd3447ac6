//! Keys of providers: kept sealed, shown by their last four characters, opened only inside.

use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::people::{app_with, guest, owner, public_app};

const SECRET: &str = "sk-proj-0123456789-abcdWXYZ";

#[tokio::test]
async fn a_key_is_sealed_shown_by_its_end_opened_inside_and_forgotten() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let put = |body: Value| {
        owner
            .call(&app, Method::PUT, "/api/provider-keys/openai")
            .json(&body)
            .send()
    };
    let mut set = put(json!({"key": SECRET})).await;
    assert_eq!(set.status, 200);
    let text = set.text().await;
    assert!(
        !text.contains("0123456789") && text.contains("\"last_four\":\"WXYZ\""),
        "{text}"
    );
    let listed = owner.get(&app, "/api/provider-keys").await.text().await;
    assert!(
        !listed.contains("0123456789") && listed.contains("openai"),
        "{listed}"
    );

    let store = app.store.as_ref().unwrap();
    let row = store.find_provider_key("local", "openai").await.unwrap().unwrap();
    for bytes in [&row.envelope.sealed, &row.envelope.sealed_key] {
        assert!(!String::from_utf8_lossy(bytes).contains("0123456789"));
    }
    let vault = app.vault.as_ref().unwrap();
    let opened = vault.open_provider_key("local", "openai").await.unwrap().unwrap();
    assert_eq!(opened.expose_secret(), SECRET);
    // A row put in another's place does not open.
    let moved = goblin_store::provider_keys::ProviderKeyRow {
        provider: "anthropic".into(),
        ..row.clone()
    };
    let refused = vault.open(&moved).unwrap_err();
    assert_eq!(refused.status(true), 503);
    assert!(
        !refused.message.contains("tests"),
        "why is for the operator: {}",
        refused.message
    );

    assert_eq!(put(json!({"key": "another-key-2222"})).await.status, 200);
    let again = vault.open_provider_key("local", "openai").await.unwrap().unwrap();
    assert_eq!(again.expose_secret(), "another-key-2222");
    let gone = || {
        owner
            .call(&app, Method::DELETE, "/api/provider-keys/openai")
            .send()
    };
    assert_eq!(gone().await.status, 204);
    assert_eq!(gone().await.status, 404);
    assert!(
        vault
            .open_provider_key("local", "openai")
            .await
            .unwrap()
            .is_none()
    );
    let audit = owner.get(&app, "/api/audit").await.text().await;
    assert!(
        audit.contains("provider_key.set") && !audit.contains("0123456789"),
        "{audit}"
    );
}

#[tokio::test]
async fn old_clients_have_their_paths_and_both_names_of_the_field() {
    let app = public_app().await;
    let owner = owner(&app).await;
    for body in [json!({"key": SECRET}), json!({"api_key": SECRET})] {
        let mut set = owner.post(&app, "/api-keys/openai", &body).await;
        assert_eq!(set.status, 200);
        assert_eq!(set.json().await["hint"], "…WXYZ");
    }
    let mut found = owner.get(&app, "/api-keys/openai").await;
    assert_eq!(
        found.json().await,
        json!({"provider": "openai", "configured": true, "hint": "…WXYZ"})
    );
    let mut none = owner.get(&app, "/api-keys/anthropic").await;
    assert_eq!(none.status, 404);
    assert!(none.json().await["detail"].is_string(), "in the shape they know");
    let gone = owner.call(&app, Method::DELETE, "/api-keys/openai").send().await;
    assert_eq!(gone.status, 200);
}

#[tokio::test]
async fn only_admins_come_near_and_what_cannot_be_a_key_is_refused() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let member = guest(&app, &owner, "member@example.org", "member").await;
    for (method, path) in [
        (Method::GET, "/api/provider-keys"),
        (Method::PUT, "/api/provider-keys/openai"),
        (Method::DELETE, "/api/provider-keys/openai"),
        (Method::GET, "/api-keys/openai"),
        (Method::POST, "/api-keys/openai"),
    ] {
        assert_eq!(
            member.call(&app, method.clone(), path).send().await.status,
            403,
            "{method} {path}"
        );
        assert_eq!(
            app.call(method.clone(), path).send().await.status,
            401,
            "{method} {path}"
        );
    }
    for (path, body, field) in [
        ("openai", json!({}), "key"),
        ("openai", json!({"key": ""}), "key"),
        ("openai", json!({"key": "two words"}), "key"),
        ("openai", json!({"key": "k".repeat(600)}), "key"),
        ("openai", json!({"key": "k", "url": "http://x"}), "url"),
        ("OpenAI", json!({"key": "k"}), "provider"),
        ("..%2Fopenai", json!({"key": "k"}), "provider"),
        ("'%20OR%201=1", json!({"key": "k"}), "provider"),
    ] {
        let call = owner.call(&app, Method::PUT, &format!("/api/provider-keys/{path}"));
        let mut refused = call.json(&body).send().await;
        assert_eq!(refused.status, 422, "{path} {body}");
        assert_eq!(refused.json().await["param"], field, "{path} {body}");
    }
    for method in [Method::PUT, Method::POST] {
        let path = match method {
            Method::PUT => "/api/provider-keys/mistral",
            _ => "/api-keys/mistral",
        };
        let call = owner.call(&app, method, path).json(&json!({"key": SECRET}));
        let mut unknown = call.send().await;
        assert_eq!(unknown.status, 404, "{path}");
        let said = unknown.text().await;
        assert!(
            said.contains("`openai`") && said.contains("upstream.servers"),
            "{said}"
        );
    }
    let keyless = app_with(|setup| setup.ring = None).await;
    let theirs = crate::people::owner(&keyless).await;
    let call = theirs.call(&keyless, Method::PUT, "/api/provider-keys/openai");
    let mut refused = call.json(&json!({"key": "k"})).send().await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().await.contains("SETTINGS_ENCRYPTION_KEY"));
}

#[tokio::test]
async fn a_cloud_is_set_up_in_one_place_and_its_key_goes_only_where_it_was_given_for() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let put = |body: Value| {
        owner
            .call(&app, Method::PUT, "/api/providers/openai")
            .json(&body)
            .send()
    };
    let mut set = put(json!({"key": SECRET, "base_url": "https://gateway.example/v1/"})).await;
    assert_eq!(set.status, 200);
    let set = set.json().await;
    assert_eq!(set["base_url"], "https://gateway.example/v1");
    assert_eq!(
        (&set["last_four"], &set["key_set_by"]),
        (&json!("WXYZ"), &json!("page"))
    );

    for (body, field) in [
        (json!({"base_url": "https://thief.example/v1"}), "key"),
        (json!({"base_url": null}), "key"),
        (
            json!({"key": SECRET, "base_url": "http://gateway.example/v1"}),
            "base_url",
        ),
        (
            json!({"key": SECRET, "base_url": "https://127.0.0.1/v1"}),
            "base_url",
        ),
        (
            json!({"key": SECRET, "base_url": "https://169.254.169.254/"}),
            "base_url",
        ),
        (json!({"enabled": "no"}), "enabled"),
    ] {
        let mut refused = put(body.clone()).await;
        assert_eq!(refused.status, 422, "{body}");
        let said = refused.json().await;
        assert_eq!(said["param"], field, "{body}: {said}");
        assert!(!said.to_string().contains("0123456789"), "{said}");
    }
    // A new key alone goes where the one before went.
    let mut renewed = put(json!({"key": "another-key-2222"})).await;
    assert_eq!(renewed.json().await["base_url"], "https://gateway.example/v1");

    let mut off = put(json!({"enabled": false, "shown_models": ["gpt-5"]})).await;
    let off = off.json().await;
    assert_eq!(
        (&off["enabled"], &off["shown_models"]),
        (&json!(false), &json!(["gpt-5"]))
    );
    let mut on = put(json!({"enabled": true})).await;
    assert_eq!(
        on.json().await["shown_models"],
        json!(["gpt-5"]),
        "an absent field stays"
    );

    let gone = || owner.call(&app, Method::DELETE, "/api/providers/openai").send();
    assert_eq!(gone().await.status, 204);
    assert_eq!(gone().await.status, 404);
    let listed = owner.get(&app, "/api/providers").await.json().await;
    assert_eq!(listed["items"][0]["key_set_by"], Value::Null);
    assert_eq!(listed["items"][0]["enabled"], true);
    let audit = owner.get(&app, "/api/audit").await.text().await;
    assert!(
        audit.contains("provider.changed") && !audit.contains("0123456789"),
        "{audit}"
    );
}

#[tokio::test]
async fn clouds_are_for_admins_and_one_that_is_not_known_is_not_there() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let member = guest(&app, &owner, "member@example.org", "member").await;
    for (method, path) in [
        (Method::GET, "/api/providers"),
        (Method::PUT, "/api/providers/openai"),
        (Method::DELETE, "/api/providers/openai"),
        (Method::POST, "/api/providers/openai/test"),
    ] {
        let refused = member
            .call(&app, method.clone(), path)
            .json(&json!({}))
            .send()
            .await;
        assert_eq!(refused.status, 403, "{method} {path}");
        let stranger = app.call(method.clone(), path).json(&json!({})).send().await;
        assert_eq!(stranger.status, 401, "{method} {path}");
    }
    let call = owner.call(&app, Method::PUT, "/api/providers/nobody");
    assert_eq!(call.json(&json!({"key": SECRET})).send().await.status, 404);
    let tested = owner
        .post(&app, "/api/providers/openai/test", &json!({}))
        .await
        .json()
        .await;
    assert_eq!(
        (&tested["id"], &tested["health"]),
        (&json!("openai"), &json!("no_key"))
    );
}
