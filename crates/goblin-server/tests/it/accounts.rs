//! Accounts from the first one on: set-up, invitations, signing in and out, sign-ins, passwords, other people.

use goblin_auth::visit::Premises;
use http::Method;
use serde_json::{Value, json};

use crate::people::{
    PASSWORD, Person, app_with, by_program, cookie_of, from_page, guest, in_browser, owner, public_app,
    secret_of,
};
use crate::test_app::{TestApp, cheap};

async fn state(app: &TestApp) -> Value {
    app.get("/auth/state").await.json().await
}

#[tokio::test]
async fn until_there_is_an_owner_only_setting_up_and_health_answer() {
    let app = public_app().await;
    assert_eq!(state(&app).await["mode"], "setup");
    for path in ["/health", "/health/live", "/openapi.json", "/config.json"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    for (method, path) in [
        (Method::GET, "/api/chats"),
        (Method::POST, "/api/chats"),
        (Method::GET, "/v1/models"),
        (Method::POST, "/v1/chat/completions"),
        (Method::POST, "/chat/completions"),
        (Method::GET, "/api/status"),
        (Method::GET, "/api/users"),
        (Method::GET, "/metrics"),
        (Method::GET, "/auth/me"),
    ] {
        let mut refused = app.call(method, path).send().await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.text().await.contains("set-up link"), "{path}");
    }
    let closed = json!({"email": "a@example.org", "password": PASSWORD});
    assert_eq!(app.post("/auth/register", &closed).await.status, 403);
    assert_eq!(app.post("/auth/login", &closed).await.status, 401);
    for token in [json!(null), json!("guess"), json!("A".repeat(43))] {
        let body = json!({"token": token, "email": "a@example.org", "password": PASSWORD});
        let mut refused = app.post("/auth/setup", &body).await;
        assert_eq!(refused.status, 403, "{token}");
        assert!(
            refused.json().await["detail"]
                .as_str()
                .unwrap()
                .contains("not good")
        );
    }
    owner(&app).await;
    assert_eq!(state(&app).await["mode"], "accounts");
    let late = json!({"token": "A".repeat(43), "email": "b@example.org", "password": PASSWORD});
    assert_eq!(
        app.post("/auth/setup", &late).await.status,
        403,
        "the link was good once"
    );
}

#[tokio::test]
async fn the_first_account_made_at_the_machine_ends_local_mode_and_keeps_what_was_there() {
    let app = TestApp::local().await;
    let chat = app.chat(&json!({"title": "before"})).await;
    assert_eq!(state(&app).await["mode"], "local");
    assert_eq!(app.get("/auth/me").await.json().await["id"], "local-owner");
    for path in ["/api/account/sessions", "/api/users", "/api/invitations"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    let invitation = app.post("/api/invitations", &json!({})).await;
    assert_eq!(invitation.status, 409, "nobody is there to be invited by");

    let rebound = app
        .call(Method::POST, "/auth/setup")
        .header("host", "evil.example");
    let body = json!({"email": "Owner@Example.org", "password": PASSWORD, "name": "Ada"});
    assert_eq!(
        rebound.json(&body).send().await.status,
        403,
        "not from this machine"
    );
    let me = Person::of(
        from_page(&app, Method::POST, "/auth/setup")
            .json(&body)
            .send()
            .await,
    )
    .await;
    assert_eq!(app.get("/api/chats").await.status, 401, "local mode is over");
    assert_eq!(app.get("/auth/me").await.status, 401);
    let mine = me.get(&app, "/api/chats").await.json().await;
    assert_eq!(mine["items"][0]["id"], chat.as_str());
    let shown = me.get(&app, "/auth/me").await.json().await;
    assert_eq!(
        shown,
        json!({"id": "local-owner", "email": "Owner@Example.org", "name": "Ada", "role": "owner", "has_password": true})
    );
    assert_eq!(app.post("/auth/setup", &body).await.status, 403);
}

#[tokio::test]
async fn a_browser_gets_a_cookie_and_no_token_and_a_program_tokens_and_no_cookie() {
    let app = public_app().await;
    owner(&app).await;
    let mut browser = in_browser(&app, "OWNER@example.org", PASSWORD).await;
    let set = browser.header("set-cookie").to_owned();
    assert!(
        set.starts_with("goblin-sid=") && set.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    let body = browser.json().await;
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["user"]);

    // Over plain HTTP to another machine browsers send no `Sec-Fetch-Site`, but an `Origin`.
    let origin = format!("http://{}", app.address);
    let login = json!({"email": "owner@example.org", "password": PASSWORD});
    let far = app
        .call(Method::POST, "/auth/login")
        .header("origin", &origin)
        .json(&login);
    assert!(cookie_of(&far.send().await).is_some());

    let mut program = by_program(&app, "owner@example.org", PASSWORD).await;
    assert!(cookie_of(&program).is_none());
    let body = program.json().await;
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("bearer"), &json!(600))
    );
    assert_eq!(
        body["user"],
        json!({"id": "local-owner", "email": "owner@example.org", "name": null, "role": "owner", "has_password": true})
    );
    assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(program.header("cache-control"), "no-store");
}

#[tokio::test]
async fn clients_of_old_may_send_a_form_and_call_the_address_username() {
    let app = public_app().await;
    owner(&app).await;
    let form = "grant_type=password&username=owner%40example.org&password=a+few+words+in+a+row&scope=";
    let call = app.call(Method::POST, "/auth/login").bytes(form);
    let reply = call
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await;
    let by_form = Person::of(reply).await;
    let body = json!({"username": "owner@example.org", "password": PASSWORD});
    let call = app.call(Method::POST, "/auth/login").bytes(body.to_string());
    // As curl sends what it is given.
    let by_curl = call
        .header("content-type", "application/x-www-form-urlencoded")
        .send();
    let by_curl = Person::of(by_curl.await).await;
    for person in [by_form, by_curl] {
        assert_eq!(person.get(&app, "/auth/me").await.status, 200);
    }
    let twice = app
        .call(Method::POST, "/auth/login")
        .bytes("username=a&username=b&password=c");
    let mut twice = twice
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await;
    assert_eq!(twice.status, 422);
    assert!(
        twice.json().await["detail"]
            .as_str()
            .unwrap()
            .contains("username")
    );
}

#[tokio::test]
async fn tokens_are_said_to_be_good_refreshed_once_and_end_with_signing_out() {
    let app = public_app().await;
    owner(&app).await;
    let body = by_program(&app, "owner@example.org", PASSWORD).await.json().await;
    let (access, refresh) = (body["access_token"].clone(), body["refresh_token"].clone());
    let valid = app
        .post("/auth/validate", &json!({"token": access}))
        .await
        .json()
        .await;
    assert_eq!(
        (&valid["valid"], &valid["user"]["email"]),
        (&json!(true), &json!("owner@example.org"))
    );
    let invalid = app
        .post("/auth/validate", &json!({"token": "x.y.z"}))
        .await
        .json()
        .await;
    assert_eq!(invalid, json!({"valid": false}));

    app.clock.advance_ms(11 * 60_000 + 1);
    let with = |token: &Value| {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        app.call(Method::GET, "/auth/me")
            .header("authorization", &bearer)
            .send()
    };
    assert_eq!(
        with(&access).await.status,
        401,
        "over after ten minutes and the skew of clocks"
    );
    let next = app
        .post("/auth/refresh", &json!({"refresh_token": refresh}))
        .await
        .json()
        .await;
    assert_eq!(with(&next["access_token"]).await.status, 200);
    assert_ne!(next["refresh_token"], refresh);

    let bearer = format!("Bearer {}", next["access_token"].as_str().unwrap());
    let out = app
        .call(Method::POST, "/auth/logout")
        .header("authorization", &bearer)
        .send()
        .await;
    assert_eq!(out.status, 200);
    assert_eq!(with(&next["access_token"]).await.status, 401);
    let after = app
        .post("/auth/refresh", &json!({"refresh_token": next["refresh_token"]}))
        .await;
    assert_eq!(after.status, 401);
    assert_eq!(
        app.post("/auth/logout", &json!({})).await.status,
        200,
        "nothing to end is no error"
    );
}

#[tokio::test]
async fn signing_out_of_a_browser_ends_it_everywhere_and_takes_the_cookies_away() {
    let app = public_app().await;
    owner(&app).await;
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    assert_eq!(me.get(&app, "/api/chats").await.status, 200);
    let out = me.post(&app, "/auth/logout", &json!({})).await;
    let cleared: Vec<&str> = out
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    assert_eq!(cleared.len(), 2);
    assert!(
        cleared.iter().all(|c| c.contains("=; Path=/; Max-Age=0;")),
        "{cleared:?}"
    );
    assert_eq!(out.header("clear-site-data"), "\"cache\"");
    assert_eq!(
        me.get(&app, "/api/chats").await.status,
        401,
        "the cookie kept elsewhere is worth nothing"
    );
}

#[tokio::test]
async fn sign_ins_are_listed_and_one_ended_in_one_place_is_over_in_the_other() {
    let app = public_app().await;
    owner(&app).await;
    let here = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let there = Person::of(
        from_page(&app, Method::POST, "/auth/login")
            .header("user-agent", "Telephone/1.0")
            .json(&json!({"email": "owner@example.org", "password": PASSWORD}))
            .send()
            .await,
    )
    .await;
    let listed = here.get(&app, "/api/account/sessions").await.json().await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "the set-up's, and two browsers");
    let current: Vec<&Value> = items.iter().filter(|s| s["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let other = items.iter().find(|s| s["device"] == "Telephone/1.0").unwrap();
    assert_eq!(
        (&other["kind"], &other["address"]),
        (&json!("browser"), &json!("127.0.0.1"))
    );
    let text = listed.to_string();
    let crate::people::Holds::Cookie(cookie) = &there.holds else {
        panic!()
    };
    assert!(
        !text.contains(cookie.split_once('=').unwrap().1),
        "no secret is shown"
    );

    let path = format!("/api/account/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(here.call(&app, Method::DELETE, &path).send().await.status, 204);
    assert_eq!(
        there.get(&app, "/api/chats").await.status,
        401,
        "at its next request"
    );
    assert_eq!(here.call(&app, Method::DELETE, &path).send().await.status, 404);
    let rest = here
        .call(&app, Method::DELETE, "/api/account/sessions")
        .send()
        .await
        .json()
        .await;
    assert_eq!(rest, json!({"ended": 1}));
    assert_eq!(here.get(&app, "/api/chats").await.status, 200);
}

#[tokio::test]
async fn a_sign_in_ends_unused_and_in_any_case_after_a_while() {
    let day = 86_400_000;
    let app = public_app().await;
    owner(&app).await;
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    for _ in 0..4 {
        app.clock.advance_ms(6 * day);
        assert_eq!(me.get(&app, "/api/chats").await.status, 200, "used within a week");
    }
    app.clock.advance_ms(6 * day);
    assert_eq!(me.get(&app, "/api/chats").await.status, 401, "thirty days");
    let again = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    app.clock.advance_ms(7 * day);
    assert_eq!(again.get(&app, "/api/chats").await.status, 401, "a week unused");
}

#[tokio::test]
async fn people_come_by_invitation_with_the_role_it_names() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let mut made = boss
        .post(
            &app,
            "/api/invitations",
            &json!({"email": "Ada@Example.org", "role": "admin"}),
        )
        .await;
    assert_eq!(made.status, 201);
    let made = made.json().await;
    let (url, path) = (made["url"].as_str().unwrap(), made["path"].as_str().unwrap());
    assert_eq!(url, format!("http://{}{path}", app.address));
    assert!(path.starts_with("/invitation#"));
    let secret = secret_of(url);
    let about = app
        .post("/auth/link", &json!({"token": secret}))
        .await
        .json()
        .await;
    assert_eq!(
        (&about["kind"], &about["email"], &about["role"]),
        (&json!("invitation"), &json!("ada@example.org"), &json!("admin"))
    );
    let listed = boss.get(&app, "/api/invitations").await;
    let listed = { listed }.text().await;
    assert!(
        listed.contains("ada@example.org") && !listed.contains(&secret),
        "{listed}"
    );

    let with = |email: Value| json!({"token": secret, "email": email, "password": PASSWORD});
    let mut other = app
        .post("/auth/invitation", &with(json!("eve@example.org")))
        .await;
    assert_eq!(
        (
            other.status.as_u16(),
            other.json().await["error"]["param"].clone()
        ),
        (422, json!("email"))
    );
    let admin = Person::of(
        app.post("/auth/invitation", &with(json!("ADA@example.org")))
            .await,
    )
    .await;
    assert_eq!(admin.get(&app, "/auth/me").await.json().await["role"], "admin");
    assert_eq!(
        app.post("/auth/invitation", &with(json!(null))).await.status,
        403,
        "good once"
    );
    let taken = boss
        .post(&app, "/api/invitations", &json!({"email": "ada@example.org"}))
        .await;
    assert_eq!(taken.status, 409);

    let id = boss.post(&app, "/api/invitations", &json!({})).await.json().await;
    let path = format!("/api/invitations/{}", id["id"].as_str().unwrap());
    assert_eq!(admin.call(&app, Method::DELETE, &path).send().await.status, 204);
    let body = json!({"token": secret_of(id["url"].as_str().unwrap()), "email": "x@example.org", "password": PASSWORD});
    assert_eq!(
        app.post("/auth/invitation", &body).await.status,
        403,
        "taken back"
    );

    let id = boss.post(&app, "/api/invitations", &json!({})).await.json().await;
    app.clock.advance_ms(7 * 86_400_000);
    let body = json!({"token": secret_of(id["url"].as_str().unwrap()), "email": "x@example.org", "password": PASSWORD});
    assert_eq!(app.post("/auth/invitation", &body).await.status, 403, "over");
}

#[tokio::test]
async fn registration_is_closed_unless_it_was_opened() {
    let app = public_app().await;
    owner(&app).await;
    let body = json!({"email": "ada@example.org", "password": PASSWORD, "name": "Ada"});
    let mut closed = app.post("/auth/register", &body).await;
    assert_eq!(closed.status, 403);
    assert!(
        closed.json().await["detail"]
            .as_str()
            .unwrap()
            .contains("invitation")
    );

    let open = app_with(|setup| {
        setup.accounts.registration_open = true;
    })
    .await;
    assert_eq!(
        open.post("/auth/register", &body).await.status,
        403,
        "an owner comes first"
    );
    owner(&open).await;
    let ada = Person::of(open.post("/auth/register", &body).await).await;
    assert_eq!(ada.get(&open, "/auth/me").await.json().await["role"], "member");
    let same = json!({"email": "ADA@example.org", "password": PASSWORD});
    let mut taken = open.post("/auth/register", &same).await;
    assert_eq!(taken.status, 400);
    assert!(
        taken.json().await["detail"]
            .as_str()
            .unwrap()
            .contains("has an account already")
    );
}

#[tokio::test]
async fn another_password_ends_every_other_sign_in_and_changes_the_cookie() {
    let app = public_app().await;
    owner(&app).await;
    let here = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let there = Person::of(by_program(&app, "owner@example.org", PASSWORD).await).await;
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let mut wrong = here
        .post(
            &app,
            "/api/account/password",
            &change("wrong", "another good one"),
        )
        .await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.json().await["param"].clone()),
        (422, json!("current_password"))
    );
    let mut short = here
        .post(&app, "/api/account/password", &change(PASSWORD, "short"))
        .await;
    assert_eq!(
        (short.status.as_u16(), short.json().await["param"].clone()),
        (422, json!("new_password"))
    );
    let done = here
        .post(
            &app,
            "/api/account/password",
            &change(PASSWORD, "another good one"),
        )
        .await;
    assert_eq!(done.status, 204);
    let fresh = Person {
        holds: crate::people::Holds::Cookie(cookie_of(&done).unwrap()),
        ..here.clone()
    };
    assert_eq!(fresh.get(&app, "/api/chats").await.status, 200);
    assert_eq!(
        here.get(&app, "/api/chats").await.status,
        401,
        "the cookie before"
    );
    assert_eq!(there.get(&app, "/api/chats").await.status, 401);
    assert_eq!(by_program(&app, "owner@example.org", PASSWORD).await.status, 401);
    assert_eq!(
        by_program(&app, "owner@example.org", "another good one")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn an_admin_gives_a_link_to_set_another_password_but_not_to_who_is_above() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let admin = guest(&app, &boss, "admin@example.org", "admin").await;
    let member = guest(&app, &boss, "member@example.org", "member").await;
    let reset = |id: &str| format!("/api/users/{id}/reset");
    assert_eq!(admin.post(&app, &reset(&boss.id), &json!({})).await.status, 403);
    assert_eq!(
        admin.post(&app, &reset(&admin.id), &json!({})).await.status,
        409,
        "oneself"
    );
    assert_eq!(member.post(&app, &reset(&admin.id), &json!({})).await.status, 403);
    let first = admin
        .post(&app, &reset(&member.id), &json!({}))
        .await
        .json()
        .await;
    let made = admin
        .post(&app, &reset(&member.id), &json!({}))
        .await
        .json()
        .await;
    let set = |link: &Value, password: &str| json!({"token": secret_of(link["url"].as_str().unwrap()), "password": password});
    assert_eq!(
        app.post("/auth/reset", &set(&first, "another good one"))
            .await
            .status,
        403,
        "only the newest"
    );
    let mut short = app.post("/auth/reset", &set(&made, "short")).await;
    assert_eq!(short.status, 422, "and the link stays good");
    assert!(
        short.json().await["detail"]
            .as_str()
            .unwrap()
            .contains("8 to 1024")
    );
    assert_eq!(
        app.post("/auth/reset", &set(&made, "another good one"))
            .await
            .status,
        200
    );
    assert_eq!(
        app.post("/auth/reset", &set(&made, "yet another one"))
            .await
            .status,
        403,
        "good once"
    );
    assert_eq!(
        member.get(&app, "/api/chats").await.status,
        401,
        "sign-ins of before are over"
    );
    assert_eq!(
        by_program(&app, "member@example.org", "another good one")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn other_people_are_changed_by_whoever_is_above_them_and_the_last_owner_stays() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let admin = guest(&app, &boss, "admin@example.org", "admin").await;
    let member = guest(&app, &boss, "member@example.org", "member").await;
    let patch = async |by: &Person, id: &str, body: Value| {
        let mut reply = by
            .call(&app, Method::PATCH, &format!("/api/users/{id}"))
            .json(&body)
            .send()
            .await;
        (reply.status.as_u16(), reply.json().await)
    };
    assert_eq!(patch(&member, &admin.id, json!({"role": "viewer"})).await.0, 403);
    assert_eq!(
        patch(&admin, &member.id, json!({"role": "owner"})).await.0,
        403,
        "more than one has"
    );
    assert_eq!(patch(&admin, &boss.id, json!({"disabled": true})).await.0, 403);
    assert_eq!(patch(&admin, &admin.id, json!({"role": "owner"})).await.0, 409);
    assert_eq!(patch(&boss, &boss.id, json!({"role": "viewer"})).await.0, 409);
    assert_eq!(patch(&boss, &member.id, json!({"role": "king"})).await.0, 422);
    assert_eq!(patch(&boss, &member.id, json!({})).await.0, 422);
    assert_eq!(patch(&boss, "nobody", json!({"role": "viewer"})).await.0, 404);
    assert_eq!(
        patch(
            &boss,
            "01234567-89ab-7def-8123-456789abcdef",
            json!({"role": "viewer"})
        )
        .await
        .0,
        404
    );

    let (status, changed) = patch(&admin, &member.id, json!({"disabled": true})).await;
    assert_eq!(status, 200);
    assert!(changed["disabled_at"].is_string());
    assert_eq!(member.get(&app, "/api/chats").await.status, 401, "at once");
    let mut refused = by_program(&app, "member@example.org", PASSWORD).await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.json().await["detail"],
        "Invalid email or password",
        "in the words of any other"
    );
    assert_eq!(patch(&admin, &member.id, json!({"disabled": false})).await.0, 200);
    let member = Person::of(by_program(&app, "member@example.org", PASSWORD).await).await;
    let ended = admin
        .call(
            &app,
            Method::DELETE,
            &format!("/api/users/{}/sessions", member.id),
        )
        .send()
        .await;
    assert_eq!({ ended }.json().await, json!({"ended": 1}));
    assert_eq!(member.get(&app, "/api/chats").await.status, 401);

    let listed = boss.get(&app, "/api/users?limit=2").await.json().await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let rest = format!(
        "/api/users?limit=2&cursor={}",
        listed["next_cursor"].as_str().unwrap()
    );
    let rest = boss.get(&app, &rest).await.json().await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains("argon2"));
    let mut audit = boss.get(&app, "/api/audit").await;
    let audit = audit.text().await;
    for deed in [
        "account.made",
        "account.changed",
        "session.begun",
        "session.refused",
        "sessions.ended",
        "invitation.made",
    ] {
        assert!(audit.contains(deed), "{deed} in {audit}");
    }
    assert!(!audit.contains(PASSWORD));
}

#[tokio::test]
async fn a_hash_of_yesterday_is_made_anew_when_its_owner_signs_in() {
    let app = public_app().await;
    owner(&app).await;
    let store = app.store.as_ref().unwrap();
    let kept = async || {
        store
            .find_account_by_email("owner@example.org")
            .await
            .unwrap()
            .unwrap()
            .password_hash
            .unwrap()
    };
    let old = kept().await;
    assert!(old.contains("m=64,t=1"), "{old}");
    let mut settings = cheap();
    settings.hash_cost.passes = 2;
    let dearer = goblin_auth::identity::Identity::new(goblin_auth::identity::Parts {
        store: store.clone(),
        clock: app.clock.clone(),
        keys: Some(crate::test_app::signing_keys()),
        premises: Premises::default(),
        page_url: String::new(),
        settings,
        federation: Default::default(),
        relying_party: None,
        post: None,
        throttle: goblin_auth::throttle::Throttle::memory(app.clock.clone()),
    });
    let visit = goblin_auth::visit::Visit {
        address: None,
        device: None,
        way: goblin_auth::visit::Way::Near,
        is_browser: false,
        cookie_hash: None,
    };
    let email = goblin_auth::email::Email::parse("owner@example.org").unwrap();
    let password = goblin_auth::password::Password::presented("password", PASSWORD).unwrap();
    dearer.sign_in(&visit, &email, &password).await.unwrap();
    assert!(kept().await.contains("m=64,t=2"));
    assert_eq!(
        by_program(&app, "owner@example.org", PASSWORD).await.status,
        200,
        "and still the same password"
    );
}
