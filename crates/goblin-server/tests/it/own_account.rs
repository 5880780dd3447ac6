//! What somebody is called, and what admins learn of the log.

use http::Method;
use serde_json::{Value, json};

use crate::people::{Person, guest, owner, public_app};

#[tokio::test]
async fn somebody_changes_what_they_are_called_and_nothing_else() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let viewer = guest(&app, &boss, "viewer@example.org", "viewer").await;
    let change = async |body: Value| {
        let call = viewer.call(&app, Method::PATCH, "/api/account").json(&body);
        let mut reply = call.send().await;
        (reply.status.as_u16(), reply.json().await)
    };
    let (status, named) = change(json!({"name": "Vera"})).await;
    assert_eq!((status, &named["name"]), (200, &json!("Vera")));
    assert_eq!(named["role"], "viewer");
    assert_eq!(viewer.get(&app, "/auth/me").await.json().await["name"], "Vera");
    assert_eq!(change(json!({"name": null})).await.1["name"], Value::Null);
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "x".repeat(201)}), "name"),
        (json!({"name": "Vera", "role": "owner"}), "role"),
    ] {
        let (status, refused) = change(body).await;
        assert_eq!((status, &refused["param"]), (422, &json!(field)), "{refused}");
    }
    assert_eq!(viewer.get(&app, "/auth/me").await.json().await["role"], "viewer");
    let log = boss.get(&app, "/api/audit").await.json().await;
    assert!(log.to_string().contains("account.named"), "{log}");
}

#[tokio::test]
async fn admins_learn_whether_the_log_is_as_it_was_written() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let member = guest(&app, &boss, "member@example.org", "member").await;
    let check = async |who: &Person| who.get(&app, "/api/audit/check").await;
    assert_eq!(check(&member).await.status, 403);
    assert_eq!(check(&boss).await.json().await, json!({"broken_at": null}));
}
