//! Keys of the API: made, shown once, held against requests, taken back.

use goblin_auth::visit::Premises;
use http::Method;
use serde_json::{Value, json};

use crate::client::Reply;
use crate::doors::Door;
use crate::people::{PASSWORD, Person, app_with, guest, in_browser, owner, public_app};
use crate::provider::MODEL;
use crate::test_app::TestApp;

struct Key {
    id: String,
    text: String,
}

async fn make(app: &TestApp, by: &Person, body: Value) -> Key {
    let mut made = by.post(app, "/api/keys", &body).await;
    let status = made.status;
    let text = made.text().await;
    assert_eq!(status, 201, "{text}");
    let made: Value = serde_json::from_str(&text).unwrap();
    Key {
        id: made["api_key"]["id"].as_str().unwrap().to_owned(),
        text: made["key"].as_str().unwrap().to_owned(),
    }
}

async fn with(app: &TestApp, key: &str, method: Method, path: &str) -> Reply {
    app.call(method, path)
        .header("authorization", &format!("Bearer {key}"))
        .send()
        .await
}

async fn ask(app: &TestApp, key: &str, model: &str) -> Reply {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
    app.call(Method::POST, "/v1/chat/completions")
        .header("x-api-key", key)
        .json(&body)
        .send()
        .await
}

async fn revoke(app: &TestApp, by: &Person, id: &str) -> Reply {
    by.call(app, Method::DELETE, &format!("/api/keys/{id}"))
        .send()
        .await
}

#[tokio::test]
async fn a_key_is_shown_once_asks_models_by_either_header_and_is_over_at_once_when_revoked() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let key = make(
        &app,
        &owner,
        json!({"name": "ci", "budget": {"usd": 2.5, "period": "day"}}),
    )
    .await;
    assert!(
        key.text.starts_with("gbl_live_") && key.text.len() == 66,
        "{}",
        key.text
    );
    let mut answered = ask(&app, &key.text, MODEL).await;
    let (status, text) = (answered.status, answered.text().await);
    assert_eq!(status, 200, "{text}");
    assert_eq!(with(&app, &key.text, Method::GET, "/v1/models").await.status, 200);

    let mut listed = owner.get(&app, "/api/keys").await;
    let text = listed.text().await;
    assert!(!text.contains(&key.text[17..60]), "never again: {text}");
    let listed: Value = serde_json::from_str(&text).unwrap();
    let shown = &listed["items"][0];
    assert_eq!(shown["public_id"], key.text[9..17]);
    assert_eq!(shown["budget"], json!({"usd": 2.5, "period": "day"}));
    assert_eq!(
        (&shown["scopes"], &shown["models"]),
        (&json!(["infer", "embed"]), &Value::Null)
    );
    assert!(shown["last_used_at"].is_string() && shown["revoked_at"].is_null());

    let mut revoked = revoke(&app, &owner, &key.id).await;
    assert_eq!(revoked.status, 200);
    assert!(revoked.json().await["revoked_at"].is_string());
    let mut over = ask(&app, &key.text, MODEL).await;
    assert_eq!(over.status, 401, "the clock has not moved");
    let error = over.json().await;
    assert!(
        error["error"]["message"].as_str().unwrap().contains("revoked"),
        "{error}"
    );
    assert_eq!(
        error["error"]["code"], "unauthorized",
        "in OpenAI's shape: {error}"
    );

    let audit = owner.get(&app, "/api/audit").await.json().await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["action"].as_str())
        .collect();
    assert!(
        actions.contains(&"key.made") && actions.contains(&"key.revoked"),
        "{actions:?}"
    );
}

#[tokio::test]
async fn a_key_reaches_models_and_lists_and_nothing_that_is_for_people() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let infer = make(&app, &owner, json!({"name": "infer", "scopes": ["infer"]})).await;
    let read = make(&app, &owner, json!({"name": "read", "scopes": ["read"]})).await;
    for (method, path) in [
        (Method::GET, "/api/keys"),
        (Method::POST, "/api/keys"),
        (Method::GET, "/api/chats"),
        (Method::GET, "/api/users"),
        (Method::GET, "/auth/me"),
        (Method::GET, "/api/audit"),
        (Method::POST, "/api/account/password"),
        (Method::DELETE, "/api/account/sessions"),
    ] {
        let mut refused = with(&app, &infer.text, method.clone(), path).await;
        assert_eq!(refused.status, 403, "{method} {path}");
        assert!(refused.text().await.contains("for people"), "{path}");
    }
    let mut refused = ask(&app, &read.text, MODEL).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.json().await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`infer`")
    );
    for path in ["/v1/models", "/api/status", "/metrics", "/v1/traces"] {
        assert_eq!(
            with(&app, &read.text, Method::GET, path).await.status,
            200,
            "{path}"
        );
    }
    // A key may nothing its user may not.
    let member = guest(&app, &owner, "member@example.org", "member").await;
    let theirs = make(&app, &member, json!({"name": "m", "scopes": ["read"]})).await;
    assert_eq!(
        with(&app, &theirs.text, Method::GET, "/metrics").await.status,
        403
    );
    let viewer = guest(&app, &owner, "viewer@example.org", "viewer").await;
    assert_eq!(
        viewer.post(&app, "/api/keys", &json!({"name": "v"})).await.status,
        403
    );
}

#[tokio::test]
async fn a_key_bound_to_models_asks_and_sees_only_those() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let other = make(&app, &owner, json!({"name": "a", "models": ["goblin/fast"]})).await;
    let mut refused = ask(&app, &other.text, MODEL).await;
    assert_eq!(refused.status, 403);
    let error = refused.json().await;
    assert_eq!(error["error"]["param"], "model", "{error}");
    let listed = with(&app, &other.text, Method::GET, "/v1/models")
        .await
        .json()
        .await;
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["id"].as_str())
        .collect();
    assert_eq!(ids, ["goblin/fast"]);
    let starred = make(
        &app,
        &owner,
        json!({"name": "b", "models": [format!("{}*", &MODEL[..3])]}),
    )
    .await;
    assert_eq!(ask(&app, &starred.text, MODEL).await.status, 200);
}

#[tokio::test]
async fn the_doors_of_other_clients_are_reached_by_the_keys_scopes_and_models_and_refuse_in_their_words() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let scoped = async |scope: &str| {
        let body = json!({"name": scope, "scopes": [scope]});
        make(&app, &owner, body).await.text
    };
    let (infer, embed, read) = (scoped("infer").await, scoped("embed").await, scoped("read").await);
    let bound = json!({"name": "bound", "models": ["goblin/fast"]});
    let bound = make(&app, &owner, bound).await.text;
    let post = async |key: &str, path: &str, body: Value| {
        app.call(Method::POST, path)
            .header("x-api-key", key)
            .json(&body)
            .send()
            .await
    };
    for door in Door::ALL {
        let body = door.ask(MODEL, "hi", false);
        assert_eq!(
            post(&infer, door.path(), body.clone()).await.status,
            200,
            "{door:?}"
        );
        for (key, why) in [(&embed, "`infer`"), (&read, "`infer`"), (&bound, "may not ask")] {
            let mut refused = post(key, door.path(), body.clone()).await;
            let said = refused.text().await;
            assert_eq!(refused.status, 403, "{door:?}: {said}");
            assert!(said.contains(why), "{door:?}: {said}");
        }
        let by_name = door.ask("goblin/fast", "hi", false);
        assert_eq!(post(&bound, door.path(), by_name).await.status, 200, "{door:?}");
        let nobody = app.post(door.path(), &body).await;
        assert_eq!(nobody.status, 401, "{door:?}");
    }
    let refused = post(&read, "/v1/messages", json!({})).await.json().await;
    assert_eq!(
        (&refused["type"], &refused["error"]["type"]),
        (&json!("error"), &json!("permission_error"))
    );
    let refused = post(&read, "/api/chat", json!({})).await.json().await;
    assert!(refused["error"].is_string(), "{refused}");
    let count = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    for (key, status) in [(&infer, 200), (&bound, 403), (&read, 403)] {
        let counted = post(key, "/v1/messages/count_tokens", count.clone()).await;
        assert_eq!(counted.status, status);
    }
    for path in ["/v1/embeddings", "/api/embed"] {
        let body = json!({"model": MODEL, "input": "hi"});
        assert_eq!(post(&infer, path, body.clone()).await.status, 403, "{path}");
        // The model cannot; the key may.
        assert_eq!(post(&embed, path, body.clone()).await.status, 400, "{path}");
        assert_eq!(post(&bound, path, body).await.status, 403, "{path}");
    }
    for path in ["/api/tags", "/api/ps", "/api/version"] {
        assert_eq!(with(&app, &read, Method::GET, path).await.status, 200, "{path}");
    }
    let listed = with(&app, &bound, Method::GET, "/api/tags").await.json().await;
    let names: Vec<&Value> = listed["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["name"])
        .collect();
    assert_eq!(names, ["goblin/fast"]);
    assert_eq!(
        post(&read, "/api/show", json!({"model": MODEL})).await.status,
        200
    );
    assert_eq!(
        post(&bound, "/api/show", json!({"model": MODEL})).await.status,
        403
    );
    // Viewers look.
    let viewer = guest(&app, &owner, "viewer@example.org", "viewer").await;
    assert_eq!(viewer.get(&app, "/api/tags").await.status, 200);
    for door in Door::ALL {
        let asked = viewer
            .post(&app, door.path(), &door.ask(MODEL, "hi", false))
            .await;
        assert_eq!(asked.status, 403, "{door:?}");
    }
}

#[tokio::test]
async fn a_key_is_good_in_its_time_and_from_its_addresses_and_only_a_proxy_that_is_trusted_says_which() {
    let app = app_with(|setup| {
        setup.premises = Premises {
            proxies: vec!["127.0.0.1".parse().unwrap()],
            ..Premises::default()
        }
    })
    .await;
    let owner = owner(&app).await;
    let bound = make(&app, &owner, json!({"name": "n", "networks": ["10.0.0.0/8"]})).await;
    let from = |address: &'static str| {
        let call = app
            .call(Method::GET, "/v1/models")
            .header("x-api-key", &bound.text);
        async move { call.header("x-forwarded-for", address).send().await.status }
    };
    assert_eq!(from("10.1.2.3").await, 200);
    assert_eq!(from("192.0.2.1").await, 403);
    assert_eq!(
        from("10.1.2.3, 192.0.2.1").await,
        403,
        "what the client itself claims"
    );
    assert_eq!(
        with(&app, &bound.text, Method::GET, "/v1/models").await.status,
        403
    );

    let end = app.clock.now().plus_ms(3_600_000);
    let timed = make(&app, &owner, json!({"name": "t", "expires_at": end})).await;
    assert_eq!(
        with(&app, &timed.text, Method::GET, "/v1/models").await.status,
        200
    );
    app.clock.advance_ms(3_600_000);
    let mut over = with(&app, &timed.text, Method::GET, "/v1/models").await;
    assert_eq!(over.status, 401);
    assert!(over.text().await.contains("expired"));
}

#[tokio::test]
async fn keys_that_are_not_good_are_refused_in_the_shape_of_the_door_and_never_repeated() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let key = make(&app, &owner, json!({"name": "k"})).await.text;
    let changed = |at: usize| {
        let mut bytes = key.clone().into_bytes();
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        String::from_utf8(bytes).unwrap()
    };
    let long = "g".repeat(600);
    let injected = format!("gbl_live_{}", "'OR'1'='1".repeat(6));
    for bad in [
        "gbl_live_",
        "gbl_tier_abc",
        "sk-abcdef",
        "' OR '1'='1",
        &changed(12),
        &changed(40),
        &changed(65),
        &key[..65],
        &long,
        &injected,
    ] {
        let mut refused = ask(&app, bad, MODEL).await;
        assert_eq!(refused.status, 401, "{bad}");
        let text = refused.text().await;
        assert!(text.contains("\"error\"") && !text.contains(bad), "{bad}: {text}");
    }
    // A whole, well-formed key that nobody has.
    let stranger = app_with(|_| {}).await;
    let theirs = make(
        &stranger,
        &crate::people::owner(&stranger).await,
        json!({"name": "k"}),
    )
    .await;
    let mut refused = ask(&app, &theirs.text, MODEL).await;
    assert_eq!(refused.status, 401);
    assert!(refused.text().await.contains("not known here"));
    // Two keys, and a key beside a cookie: the cookie counts for nothing.
    let two = app
        .call(Method::GET, "/v1/models")
        .header("x-api-key", &key)
        .header("authorization", &format!("Bearer {}", theirs.text));
    assert_eq!(two.send().await.status, 401);
    let browser = Person::of(in_browser(&app, "owner@example.org", crate::people::PASSWORD).await).await;
    let beside = browser
        .call(&app, Method::GET, "/api/chats")
        .header("x-api-key", &theirs.text);
    assert_eq!(beside.send().await.status, 401);
    // In the shape of the other doors.
    let legacy = app
        .call(Method::POST, "/chat/completions")
        .header("x-api-key", "nonsense");
    assert!(legacy.json(&json!({})).send().await.json().await["detail"].is_string());
}

#[tokio::test]
async fn everybody_has_their_own_keys_and_admins_see_and_revoke_those_of_others() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let admin = guest(&app, &owner, "admin@example.org", "admin").await;
    let (a, b) = (
        guest(&app, &owner, "a@example.org", "member").await,
        guest(&app, &owner, "b@example.org", "member").await,
    );
    let of_a = make(&app, &a, json!({"name": "of a"})).await;
    let of_owner = make(&app, &owner, json!({"name": "of the owner"})).await;
    let names = |listed: Value| -> Vec<String> {
        let items = listed["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|k| k["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(names(b.get(&app, "/api/keys").await.json().await).is_empty());
    assert_eq!(names(a.get(&app, "/api/keys").await.json().await), ["of a"]);
    assert_eq!(b.get(&app, "/api/keys?everybody=true").await.status, 403);
    assert_eq!(
        names(admin.get(&app, "/api/keys?everybody=true").await.json().await).len(),
        2
    );
    assert_eq!(owner.get(&app, "/api/keys?everybody=perhaps").await.status, 422);
    assert_eq!(
        revoke(&app, &b, &of_a.id).await.status,
        404,
        "to a stranger it is not there"
    );
    assert_eq!(revoke(&app, &admin, &of_owner.id).await.status, 403);
    assert_eq!(revoke(&app, &admin, &of_a.id).await.status, 200);
    assert_eq!(
        with(&app, &of_a.text, Method::GET, "/v1/models").await.status,
        401
    );
    assert_eq!(revoke(&app, &owner, "nonsense").await.status, 404);
    // Whoever is shut out takes their keys along, at once.
    let of_b = make(&app, &b, json!({"name": "of b"})).await;
    assert_eq!(
        with(&app, &of_b.text, Method::GET, "/v1/models").await.status,
        200
    );
    let shut = owner
        .call(&app, Method::PATCH, &format!("/api/users/{}", b.id))
        .json(&json!({"disabled": true}));
    assert_eq!(shut.send().await.status, 200);
    let mut out = with(&app, &of_b.text, Method::GET, "/v1/models").await;
    assert_eq!(out.status, 401);
    assert!(out.text().await.contains("shut out"));
}

#[tokio::test]
async fn a_key_is_looked_for_once_a_second_and_what_another_copy_revoked_is_over_then() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let key = make(&app, &owner, json!({"name": "k"})).await;
    assert_eq!(with(&app, &key.text, Method::GET, "/v1/models").await.status, 200);
    // As another copy does it: past this one's accounts.
    let other = goblin_store::audit::NewAudit {
        owner: goblin_core::owner::Owner::local(),
        action: "key.revoked",
        target: None,
        detail: None,
        address: None,
        device: None,
    };
    app.store
        .as_ref()
        .unwrap()
        .revoke_api_key("local", &key.id, &other)
        .await
        .unwrap();
    assert_eq!(
        with(&app, &key.text, Method::GET, "/v1/models").await.status,
        200,
        "not looked for"
    );
    app.clock.advance_ms(1_000);
    assert_eq!(with(&app, &key.text, Method::GET, "/v1/models").await.status, 401);
}

#[tokio::test]
async fn wishes_that_cannot_be_are_refused_by_their_field() {
    let app = public_app().await;
    let owner = owner(&app).await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "k", "scopes": ["admin"]}), "scopes"),
        (json!({"name": "k", "scopes": "infer"}), "scopes"),
        (json!({"name": "k", "models": []}), "models"),
        (json!({"name": "k", "networks": ["10.0.0.5/8"]}), "networks"),
        (json!({"name": "k", "expires_at": "tomorrow"}), "expires_at"),
        (
            json!({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}),
            "expires_at",
        ),
        (json!({"name": "k", "budget": {"usd": -1}}), "budget.usd"),
        (json!({"name": "k", "budget": {}}), "budget.usd"),
        (
            json!({"name": "k", "budget": {"usd": 1, "period": "year"}}),
            "budget.period",
        ),
        (
            json!({"name": "k", "budget": {"usd": 1, "perid": "day"}}),
            "budget.perid",
        ),
        (
            json!({"name": "k", "requests_per_minute": 0}),
            "requests_per_minute",
        ),
        (json!({"name": "k", "key": "gbl_live_mine"}), "key"),
    ] {
        let mut refused = owner.post(&app, "/api/keys", &body).await;
        assert_eq!(refused.status, 422, "{body}");
        let problem = refused.json().await;
        assert!(
            problem.to_string().contains(&format!("`{field}`")),
            "{body}: {problem}"
        );
    }
    let local = TestApp::local().await;
    assert_eq!(
        local.post("/api/keys", &json!({"name": "k"})).await.status,
        409,
        "nobody it could act for"
    );
    assert_eq!(local.get("/api/keys").await.json().await["items"], json!([]));
}

#[tokio::test]
async fn a_sign_in_left_open_somewhere_makes_no_key_that_outlives_it() {
    let app = public_app().await;
    owner(&app).await;
    let page = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    app.clock.advance_ms(600_000);
    let mut refused = page.post(&app, "/api/keys", &json!({"name": "ci"})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json().await["param"], "password");
    let wrong = json!({"name": "ci", "password": "not it at all"});
    assert_eq!(page.post(&app, "/api/keys", &wrong).await.status, 422);
    let right = json!({"name": "ci", "password": PASSWORD});
    assert_eq!(page.post(&app, "/api/keys", &right).await.status, 201);
}
