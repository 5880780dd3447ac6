//! Taking everything along, and going for good.

use http::Method;
use serde_json::{Value, json};

use crate::client::Reply;
use crate::people::{PASSWORD, Person, by_program, guest, in_browser, owner, public_app};
use crate::test_app::TestApp;

async fn go(app: &TestApp, who: &Person, body: &Value) -> Reply {
    who.call(app, Method::DELETE, "/api/account")
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn everybody_takes_along_what_is_theirs_as_one_file() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "viewer").await;
    for (who, title) in [(&boss, "Otto's chat")] {
        assert_eq!(
            who.post(&app, "/api/chats", &json!({"title": title}))
                .await
                .status,
            201
        );
    }
    let mut mine = ada.get(&app, "/api/account/export").await;
    assert_eq!(
        (
            mine.status.as_u16(),
            mine.header("content-type"),
            mine.header("cache-control")
        ),
        (200, "application/zip", "no-store")
    );
    assert_eq!(
        mine.header("content-disposition"),
        "attachment; filename=\"goblin-export-2026-11-23.zip\""
    );
    let bytes = mine.bytes().await;
    assert!(bytes.starts_with(b"PK\x03\x04"));
    let names = String::from_utf8_lossy(&bytes).into_owned();
    assert!(names.contains("data/account.json") && names.contains("data/audit.json"));
    assert!(!names.contains("Otto"), "names of files are not compressed");
    let mut his = boss.get(&app, "/api/account/export").await;
    assert!(String::from_utf8_lossy(&his.bytes().await).contains("Otto-s-chat"));
    let audit = boss.get(&app, "/api/audit").await.json().await;
    let exported = audit["items"].as_array().unwrap().iter();
    assert_eq!(exported.filter(|e| e["action"] == "account.exported").count(), 2);
    assert_eq!(app.get("/api/account/export").await.status, 401);
}

#[tokio::test]
async fn in_local_mode_the_export_is_everything_and_there_is_no_account_to_end() {
    let app = TestApp::local().await;
    app.chat(&json!({"title": "before"})).await;
    let mut all = app.get("/api/account/export").await;
    assert_eq!(all.status, 200);
    assert!(String::from_utf8_lossy(&all.bytes().await).contains("before"));
    let refused = app.call(Method::DELETE, "/api/account").send().await;
    assert_eq!(refused.status, 409);
}

#[tokio::test]
async fn a_cut_export_gives_its_place_back() {
    let app = public_app().await;
    let boss = owner(&app).await;
    for _ in 0..20 {
        let reply = boss.get(&app, "/api/account/export").await;
        assert!(matches!(reply.status.as_u16(), 200 | 429));
        drop(reply);
    }
    // Places come back when the server notices that nobody reads any more.
    let came_back = async {
        while boss.get(&app, "/api/account/export").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    crate::client::guard(came_back).await;
}

#[tokio::test]
async fn whoever_goes_is_gone_at_once_and_everywhere() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let chat = ada
        .post(&app, "/api/chats", &json!({"title": "x"}))
        .await
        .json()
        .await;
    let there = Person::of(in_browser(&app, "ada@example.org", PASSWORD).await).await;
    let reply = go(&app, &there, &json!({})).await;
    assert_eq!(reply.status, 204, "just signed in");
    let cookies = reply.headers.get_all("set-cookie");
    assert_eq!(cookies.iter().count(), 2);
    assert!(cookies.iter().all(|c| c.to_str().unwrap().contains("Max-Age=0")));
    assert_eq!(reply.header("clear-site-data"), "\"cache\", \"storage\"");
    for person in [&ada, &there] {
        assert_eq!(person.get(&app, "/api/chats").await.status, 401);
    }
    assert_eq!(by_program(&app, "ada@example.org", PASSWORD).await.status, 401);
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
    assert_eq!(boss.get(&app, &path).await.status, 404);
    let users = boss.get(&app, "/api/users").await.text().await;
    assert!(!users.contains("ada@"), "{users}");
    let audit = boss.get(&app, "/api/audit").await.json().await;
    let mut events = audit["items"].as_array().unwrap().iter();
    let deleted = events.find(|event| event["action"] == "account.deleted").unwrap();
    assert_eq!(deleted["target"], ada.id.as_str());
    assert!(deleted["address"].is_null() && deleted["device"].is_null());
}

#[tokio::test]
async fn a_sign_in_left_open_somewhere_is_not_enough_to_end_an_account() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    app.clock.advance_ms(9 * 60_000);
    let fresh = Person::of(by_program(&app, "ada@example.org", PASSWORD).await).await;
    app.clock.advance_ms(2 * 60_000);
    let mut refused = go(&app, &ada, &json!({})).await;
    assert_eq!(refused.status, 401, "its token is over: a program signs in again");
    let in_page = Person::of(in_browser(&app, "ada@example.org", PASSWORD).await).await;
    app.clock.advance_ms(11 * 60_000);
    refused = go(&app, &in_page, &json!({})).await;
    assert_eq!(refused.status, 422);
    let said = refused.json().await["detail"].as_str().unwrap().to_owned();
    assert!(
        said.contains("`password`") && said.contains("ten minutes"),
        "{said}"
    );
    refused = go(&app, &in_page, &json!({"password": "not it at all"})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json().await["param"], "password");
    refused = go(&app, &in_page, &json!({"passwort": PASSWORD})).await;
    assert_eq!(refused.status, 422, "an unknown field");
    assert_eq!(
        go(&app, &in_page, &json!({"password": PASSWORD})).await.status,
        204
    );
    drop(fresh);
}

#[tokio::test]
async fn guessing_the_password_to_end_an_account_is_slowed() {
    let app = public_app().await;
    owner(&app).await;
    let page = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let mut last = 0;
    for number in 0..200 {
        let body = json!({"password": format!("guess number {number}")});
        last = go(&app, &page, &body).await.status.as_u16();
        if last == 429 {
            break;
        }
        assert_eq!(last, 422);
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn owners_and_admins_end_accounts_below_them_and_the_last_owner_stays() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let admin = guest(&app, &boss, "admin@example.org", "admin").await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let end = async |by: &Person, id: &str| {
        let call = by.call(&app, Method::DELETE, &format!("/api/users/{id}"));
        call.send().await.status.as_u16()
    };
    assert_eq!(end(&ada, &admin.id).await, 403);
    assert_eq!(end(&admin, &boss.id).await, 403);
    assert_eq!(end(&admin, &admin.id).await, 409, "oneself, by the other way");
    assert_eq!(end(&admin, "01234567-89ab-7def-8123-456789abcdef").await, 404);
    assert_eq!(end(&admin, &ada.id).await, 204);
    assert_eq!(end(&admin, &ada.id).await, 404, "once");
    assert_eq!(ada.get(&app, "/api/chats").await.status, 401);
    let mut refused = go(&app, &boss, &json!({})).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().await.contains("last owner"));
    assert_eq!(boss.get(&app, "/api/chats").await.status, 200);
    let second = guest(&app, &boss, "second@example.org", "owner").await;
    assert_eq!(go(&app, &boss, &json!({})).await.status, 204);
    assert_eq!(second.get(&app, "/api/users").await.status, 200);
}

#[tokio::test]
async fn in_a_team_its_own_roles_count() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let lead = guest(&app, &boss, "lead@example.org", "member").await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let bob = guest(&app, &boss, "bob@example.org", "member").await;
    assert_eq!(
        lead.post(&app, "/api/teams", &json!({"name": "Reds"}))
            .await
            .status,
        403
    );
    let mut made = boss.post(&app, "/api/teams", &json!({"name": " Reds "})).await;
    assert_eq!(made.status, 201);
    let team = made.json().await;
    assert_eq!((&team["name"], &team["members"]), (&json!("Reds"), &json!(0)));
    let team = team["id"].as_str().unwrap();
    for bad in [
        json!({}),
        json!({"name": "  "}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "x", "y": 1}),
    ] {
        assert_eq!(boss.post(&app, "/api/teams", &bad).await.status, 422, "{bad}");
    }
    assert_eq!(
        boss.post(&app, "/api/teams", &json!({"name": "Reds"}))
            .await
            .status,
        409
    );
    let put = async |by: &Person, who: &Person, role: &str| {
        let path = format!("/api/teams/{team}/members/{}", who.id);
        by.call(&app, Method::PUT, &path)
            .json(&json!({"role": role}))
            .send()
            .await
            .status
            .as_u16()
    };
    let out = async |by: &Person, who: &Person| {
        let path = format!("/api/teams/{team}/members/{}", who.id);
        by.call(&app, Method::DELETE, &path).send().await.status.as_u16()
    };
    assert_eq!(
        put(&lead, &ada, "member").await,
        404,
        "to whoever is not in it, it is not there"
    );
    assert_eq!(put(&boss, &lead, "admin").await, 204);
    assert_eq!(put(&lead, &ada, "member").await, 204);
    assert_eq!(put(&lead, &ada, "admin").await, 403, "as much as oneself");
    assert_eq!(put(&ada, &bob, "member").await, 403);
    assert_eq!(put(&boss, &bob, "king").await, 422);
    assert_eq!(put(&boss, &bob, "owner").await, 204);
    assert_eq!(out(&lead, &bob).await, 403);
    let members = ada
        .get(&app, &format!("/api/teams/{team}/members"))
        .await
        .json()
        .await;
    let members: Vec<&str> = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["email"].as_str().unwrap())
        .collect();
    assert_eq!(
        members,
        ["ada@example.org", "bob@example.org", "lead@example.org"]
    );
    let rename = async |by: &Person, name: &str| {
        let call = by.call(&app, Method::PATCH, &format!("/api/teams/{team}"));
        call.json(&json!({"name": name})).send().await.status.as_u16()
    };
    assert_eq!(rename(&ada, "Blues").await, 403);
    assert_eq!(rename(&lead, "Blues").await, 200);
    assert_eq!(out(&ada, &ada).await, 204, "oneself");
    assert_eq!(
        ada.get(&app, &format!("/api/teams/{team}/members")).await.status,
        404
    );
    assert!(
        ada.get(&app, "/api/teams").await.json().await["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        lead.get(&app, "/api/teams").await.json().await["items"][0]["name"],
        "Blues"
    );
    // What is somebody's stays theirs: a team opens nobody's chats.
    let chat = bob.post(&app, "/api/chats", &json!({})).await.json().await;
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
    for person in [&lead, &boss] {
        assert_eq!(person.get(&app, &path).await.status, 404);
    }
    let ended = lead
        .call(&app, Method::DELETE, &format!("/api/teams/{team}"))
        .send()
        .await;
    assert_eq!(ended.status, 403);
    let ended = boss
        .call(&app, Method::DELETE, &format!("/api/teams/{team}"))
        .send()
        .await;
    assert_eq!(ended.status, 204);
}
