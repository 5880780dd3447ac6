//! Signing in by others' word, as far as it goes without a provider: what is offered, what is refused, and Supabase's
//! tokens. Whole sign-ins at real providers are journeys (`e2e/journeys/oidc*.test.mjs`).

use std::sync::Arc;

use goblin_auth::oidc::{Federation, Kind, Provider, ProviderSettings, Supabase, SupabaseSettings};
use goblin_core::clock::{Clock, Timestamp};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::client::Reply;
use crate::people::{
    PASSWORD, Person, app_with, by_program, from_page, guest, in_browser, owner, public_app,
};
use crate::test_app::{Setup, TestApp};

const NOW: Timestamp = Timestamp(1_795_471_200_000);
const SECRET: &str = "the old shared secret of a project";

/// Google, whose place nobody can reach, and a project of Supabase with a shared secret.
fn federation() -> Federation {
    let clock = Clock::manual(NOW);
    let settings = ProviderSettings {
        id: "google".into(),
        name: "Google".into(),
        kind: Kind::Google,
        // Nobody listens there.
        issuer: "http://127.0.0.1:1".into(),
        client_id: "client".into(),
        client_secret: "secret".to_owned().into(),
        redirect_uri: "http://127.0.0.1:8001/auth/google/callback".into(),
    };
    let project = SupabaseSettings {
        url: "https://project.supabase.co".into(),
        public_key: None,
        jwt_secret: Some(SECRET.to_owned().into()),
        admin_key: None,
    };
    Federation {
        providers: vec![Arc::new(Provider::build(settings, clock.clone()).unwrap())],
        supabase: Some(Arc::new(Supabase::build(&project, clock).unwrap())),
    }
}

async fn app_of(change: impl FnOnce(&mut Setup)) -> TestApp {
    app_with(|setup| {
        setup.federation = federation();
        change(setup);
    })
    .await
}

fn supabase_token(subject: &str, changes: &[(&str, Value)]) -> String {
    let now = NOW.unix_seconds();
    let mut claims = json!({"iss": "https://project.supabase.co/auth/v1", "sub": subject, "aud": "authenticated",
                            "role": "authenticated", "exp": now + 3_600, "iat": now, "email": "owner@example.org"});
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

async fn with_bearer(app: &TestApp, path: &str, token: &str) -> Reply {
    app.call(Method::GET, path)
        .header("authorization", &format!("Bearer {token}"))
        .send()
        .await
}

#[tokio::test]
async fn providers_are_listed_and_those_that_are_not_configured_are_not_there() {
    let app = app_of(|_| {}).await;
    owner(&app).await;
    let state = app.get("/auth/state").await.json().await;
    assert_eq!(state["providers"], json!([{"id": "google", "name": "Google"}]));
    assert_eq!(state["methods"], json!(["password", "passkey", "provider"]));
    for path in [
        "/auth/oidc/oidc/url",
        "/auth/oidc/%00/url",
        "/auth/oidc/..%2f/url",
    ] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let plain = public_app().await;
    owner(&plain).await;
    assert_eq!(plain.get("/auth/google/url").await.status, 404);
    let body = json!({"token": "x"});
    assert_eq!(plain.post("/auth/google", &body).await.status, 404);
    assert_eq!(plain.post("/auth/supabase", &body).await.status, 404);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_said_to_be_and_its_address_is_not() {
    let app = app_of(|_| {}).await;
    owner(&app).await;
    for path in ["/auth/google/url", "/auth/oidc/google/url"] {
        let mut reply = app.get(path).await;
        assert_eq!(reply.status, 502, "{path}");
        assert!(reply.headers.get("set-cookie").is_none());
        let text = reply.text().await;
        assert!(text.contains("does not answer as it should"), "{text}");
        assert!(!text.contains("127.0.0.1"), "{text}");
    }
    let mut token = app.post("/auth/google", &json!({"credential": "a.b.c"})).await;
    let status = token.status;
    assert_eq!(status, 502, "{}", token.text().await);
}

#[tokio::test]
async fn before_there_is_an_owner_nobody_comes_in_from_elsewhere() {
    let app = app_of(|_| {}).await;
    let mut refused = app.get("/auth/google/url").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().await.contains("no owner yet"));
}

#[tokio::test]
async fn where_people_end_up_is_not_for_a_request_to_say() {
    let app = app_of(|_| {}).await;
    owner(&app).await;
    for query in [
        "return_to=https://evil.example",
        "redirect_uri=https://evil.example",
        "next=//evil.example",
        "state=x",
    ] {
        let refused = app.get(&format!("/auth/google/url?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
    }
    let long = "x".repeat(20_000);
    for query in [
        "",
        "?code=x&state=y",
        "?error=access_denied&state=y",
        "?state=https://evil.example&code=//evil.example",
        "?state=a&state=b&code=c",
        "?next=https://evil.example&redirect_uri=https://evil.example",
        "?iss=https%3A%2F%2Fevil.example&state=x&code=y",
        "?state=%0d%0aLocation:%20https://evil.example&code=x",
        &format!("?state={}&code={long}", "A".repeat(43)),
    ] {
        let planted = format!("goblin-oauth={}", "A".repeat(43));
        for (cookie, site) in [("a=1", "cross-site"), (planted.as_str(), "none")] {
            let call = app.call(Method::GET, &format!("/auth/google/callback{query}"));
            let reply = call
                .header("cookie", cookie)
                .header("sec-fetch-site", site)
                .send()
                .await;
            assert_eq!(reply.status, 302, "{query}");
            assert_eq!(reply.header("location"), "/?error=expired", "{query}");
            let set: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
            assert!(
                set.iter().all(|c| c.to_str().unwrap().contains("Max-Age=0")),
                "{set:?}"
            );
        }
    }
    let elsewhere = app_of(|setup| setup.premises.origins = vec!["https://chat.example.org".into()]).await;
    owner(&elsewhere).await;
    let reply = elsewhere.get("/auth/google/callback?state=x").await;
    assert_eq!(
        reply.header("location"),
        "https://chat.example.org/?error=expired"
    );
}

#[tokio::test]
async fn another_pages_form_cannot_sign_anybody_in() {
    let app = app_of(|_| {}).await;
    owner(&app).await;
    for path in ["/auth/google", "/auth/google/callback", "/auth/supabase"] {
        let body = json!({"token": "x", "code": "x", "state": "x"});
        let call = app.call(Method::POST, path).json(&body);
        let reply = call.header("sec-fetch-site", "cross-site").send().await;
        assert_eq!(reply.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_supabase_user_is_let_in_by_the_account_they_linked_and_by_no_address() {
    let app = app_of(|_| {}).await;
    let me = owner(&app).await;
    let token = supabase_token("0197-me", &[]);
    let mut stranger = with_bearer(&app, "/auth/me", &token).await;
    assert_eq!(stranger.status, 401);
    assert!(stranger.text().await.contains("/auth/supabase"));
    let link = json!({"provider": "supabase", "token": token});
    assert_eq!(me.post(&app, "/api/account/identities", &link).await.status, 204);
    let mut again = me.post(&app, "/api/account/identities", &link).await;
    let status = again.status;
    assert_eq!(status, 409, "{}", again.text().await);
    let shown = with_bearer(&app, "/auth/me", &token).await.json().await;
    assert_eq!(shown["id"], json!(me.id));
    assert_eq!(with_bearer(&app, "/api/chats", &token).await.status, 200);
    let signed_in = Person::of(app.post("/auth/supabase", &json!({"token": token})).await).await;
    assert_eq!(signed_in.id, me.id);
    let listed = me.get(&app, "/api/account/identities").await.json().await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&listed["items"][0]["provider"], &listed["items"][0]["email"]),
        (&json!("Supabase"), &json!("owner@example.org"))
    );
    // The same address, another user there: not the owner, however much the token says so.
    let other = supabase_token(
        "0197-other",
        &[("user_metadata", json!({"email_verified": true}))],
    );
    assert_eq!(with_bearer(&app, "/auth/me", &other).await.status, 401);
    let refused = app.post("/auth/supabase", &json!({"token": other})).await;
    assert_eq!(
        refused.status, 502,
        "whose address it is cannot be asked without the public key"
    );
}

#[tokio::test]
async fn tokens_of_supabase_that_are_of_nobody_let_nobody_in() {
    let app = app_of(|_| {}).await;
    let me = owner(&app).await;
    let good = supabase_token("0197-me", &[]);
    let link = json!({"provider": "supabase", "token": good});
    assert_eq!(me.post(&app, "/api/account/identities", &link).await.status, 204);
    let now = NOW.unix_seconds();
    for change in [
        ("role", json!("anon")),
        ("role", json!("service_role")),
        ("is_anonymous", json!(true)),
        ("aud", json!("anon")),
        ("exp", json!(now - 61)),
        ("iat", json!(now + 600)),
        ("iss", json!("https://other.supabase.co/auth/v1")),
        ("sub", json!("")),
    ] {
        let bad = supabase_token("0197-me", std::slice::from_ref(&change));
        assert_eq!(
            with_bearer(&app, "/auth/me", &bad).await.status,
            401,
            "{change:?}"
        );
        let link = json!({"provider": "supabase", "token": bad});
        let refused = me.post(&app, "/api/account/identities", &link).await;
        assert_eq!(refused.status, 401, "{change:?}");
    }
    for no_token in [
        "sb_secret_abc",
        "sb_publishable_abc",
        &good[..good.len() - 3],
        &format!("{good}x"),
    ] {
        assert_eq!(
            with_bearer(&app, "/auth/me", no_token).await.status,
            401,
            "{no_token}"
        );
    }
    // Shut out here, whatever Supabase says.
    let guest = guest(&app, &me, "guest@example.org", "member").await;
    let theirs = supabase_token("0197-guest", &[]);
    let link = json!({"provider": "supabase", "token": theirs});
    assert_eq!(
        guest.post(&app, "/api/account/identities", &link).await.status,
        204
    );
    assert_eq!(with_bearer(&app, "/auth/me", &theirs).await.status, 200);
    assert_eq!(
        with_bearer(&app, "/api/users", &theirs).await.status,
        403,
        "with their role"
    );
    let path = format!("/api/users/{}", guest.id);
    let shut_out = me
        .call(&app, Method::PATCH, &path)
        .json(&json!({"disabled": true}));
    assert_eq!(shut_out.send().await.status, 200);
    assert_eq!(with_bearer(&app, "/auth/me", &theirs).await.status, 401);
    assert_eq!(
        app.post("/auth/supabase", &json!({"token": theirs})).await.status,
        403
    );
}

#[tokio::test]
async fn ways_in_are_added_and_taken_away_only_by_who_signed_in_just_now_or_knows_the_password() {
    let app = app_of(|_| {}).await;
    owner(&app).await;
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let link = |subject: &str, password: Option<&str>| {
        let mut body = json!({"provider": "supabase", "token": supabase_token(subject, &[])});
        if let Some(password) = password {
            body["password"] = json!(password);
        }
        body
    };
    let path = "/api/account/identities";
    assert_eq!(me.post(&app, path, &link("a", None)).await.status, 204);
    app.clock.advance_ms(600_000);
    let mut asked = me.post(&app, path, &link("b", None)).await;
    assert_eq!(asked.status, 422);
    assert_eq!(asked.json().await["param"], "password");
    assert_eq!(me.post(&app, path, &link("b", Some("wrong"))).await.status, 422);
    assert_eq!(me.post(&app, path, &link("b", Some(PASSWORD))).await.status, 204);
    let listed = me.get(&app, path).await.json().await;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("{path}/{id}");
    let unlink = async |body: Option<Value>| {
        let call = me.call(&app, Method::DELETE, &one);
        let call = body.iter().fold(call, |call, body| call.json(body));
        call.send().await.status
    };
    assert_eq!(unlink(None).await, 422);
    assert_eq!(unlink(Some(json!({"password": "wrong"}))).await, 422);
    assert_eq!(unlink(Some(json!({"password": PASSWORD}))).await, 204);
    assert_eq!(unlink(Some(json!({"password": PASSWORD}))).await, 404);
    let again = by_program(&app, "owner@example.org", PASSWORD).await;
    let program = Person::of(again).await;
    let to_page = program.post(&app, path, &json!({"provider": "google"})).await;
    assert_eq!(to_page.status, 403, "a program cannot be sent to a provider");
    let audit = program.get(&app, "/api/audit?limit=50").await.json().await;
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["action"].as_str())
        .collect();
    assert!(
        actions.contains(&"identity.linked") && actions.contains(&"identity.unlinked"),
        "{actions:?}"
    );
    let stranger = from_page(&app, Method::GET, path).send().await;
    assert_eq!(stranger.status, 401);
}
