//! What people try who should not come in.

use goblin_auth::visit::{OriginPattern, Premises};
use http::Method;
use serde_json::{Value, json};

use crate::client::Call;
use crate::people::{
    Holds, PASSWORD, Person, app_with, by_program, cookie_of, from_page, guest, in_browser, owner, public_app,
};
use crate::test_app::TestApp;

#[tokio::test]
async fn a_wrong_password_an_unknown_address_and_a_closed_account_are_answered_alike() {
    let app = public_app().await;
    owner(&app).await;
    let mut answers = Vec::new();
    for (email, password) in [
        ("owner@example.org", "not the password"),
        ("nobody@example.org", PASSWORD),
    ] {
        let mut reply = by_program(&app, email, password).await;
        answers.push((reply.status.as_u16(), reply.text().await));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
    assert!(
        answers[0].1.contains(r#""detail":"Invalid email or password""#),
        "{}",
        answers[0].1
    );
}

#[tokio::test]
async fn strings_that_are_statements_addresses_that_are_none_and_passwords_of_a_megabyte_are_refused() {
    let app = public_app().await;
    owner(&app).await;
    let login = async |email: Value, password: Value| {
        let mut reply = app
            .post("/auth/login", &json!({"email": email, "password": password}))
            .await;
        (reply.status.as_u16(), reply.text().await)
    };
    let fields = [
        (json!("' OR '1'='1' --"), json!(PASSWORD), 422),
        (json!("owner@example.org'--"), json!(PASSWORD), 422),
        (json!("'or'1'='1@example.org"), json!(PASSWORD), 401),
        (json!("owner@example.org\u{0}"), json!(PASSWORD), 422),
        (json!("owner@example.org\nBcc: x@y.z"), json!(PASSWORD), 422),
        (json!("\u{202e}owner@example.org"), json!(PASSWORD), 422),
        (
            json!(format!("{}@example.org", "a".repeat(10_000))),
            json!(PASSWORD),
            422,
        ),
        (json!(["owner@example.org"]), json!(PASSWORD), 422),
        (json!({"$ne": null}), json!({"$ne": null}), 422),
        (json!(null), json!(PASSWORD), 422),
        (json!("owner@example.org"), json!(null), 422),
        (json!("owner@example.org"), json!(true), 422),
        (json!("owner@example.org"), json!("x".repeat(1025)), 422),
        (json!("owner@example.org"), json!("x".repeat(1_000_000)), 413),
        (json!("owner@example.org"), json!("' OR 1=1 --"), 401),
    ];
    for (email, password, expected) in fields {
        let shown: String = format!("{email} {password}").chars().take(80).collect();
        let (status, body) = login(email, password).await;
        assert_eq!(status, expected, "{shown}: {body}");
        for leak in ["SELECT", "sqlx", "users", "argon2", "crates/"] {
            assert!(!body.contains(leak), "{leak} in {body}");
        }
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"a\"",
        "{\"email\":\"a@example.org\",\"password\":\"b\",\"admin\":true}",
    ] {
        let status = app
            .call(Method::POST, "/auth/login")
            .bytes(body)
            .send()
            .await
            .status
            .as_u16();
        assert!([400, 422].contains(&status), "{body}: {status}");
    }
    // The same letters in another dress are the same account, and nobody's second one.
    let mut dressed = by_program(&app, "\u{ff2f}WNER@EXAMPLE.ORG", PASSWORD).await;
    let status = dressed.status;
    assert!(
        status == 401,
        "letters of full width are others: {}",
        dressed.text().await
    );
    assert_eq!(
        by_program(&app, " OWNER@\u{ff25}xample.org ", PASSWORD)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn tokens_and_cookies_that_are_not_ours_let_nobody_in() {
    let app = public_app().await;
    let me = owner(&app).await;
    let other = public_app().await;
    let stranger = owner(&other).await;
    let Holds::Token(good) = &me.holds else { panic!() };
    let Holds::Token(elsewhere) = &stranger.holds else {
        panic!()
    };
    let parts: Vec<&str> = good.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let long = "x".repeat(20_000);
    for bearer in [
        "",
        "x",
        "null",
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{none}.{}.", parts[1]),
        &format!("{none}.{}.{}", parts[1], parts[2]),
        &good[..good.len() - 2],
        &good.to_uppercase(),
        elsewhere,
        &me.refresh,
        &long,
        "' OR 1=1 --",
    ] {
        let call = app
            .call(Method::GET, "/api/chats")
            .header("authorization", &format!("Bearer {bearer}"));
        let mut refused = call.send().await;
        assert_eq!(refused.status, 401, "{bearer}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        let text = refused.text().await;
        assert!(bearer.len() < 6 || !text.contains(bearer), "nothing is repeated");
    }
    for scheme in [
        "Basic b3duZXI6cA==",
        "Bearer",
        good.as_str(),
        &format!("Token {good}"),
    ] {
        let call = app
            .call(Method::GET, "/api/chats")
            .header("authorization", scheme);
        assert_eq!(call.send().await.status, 401, "{scheme}");
    }
    for cookie in [
        "goblin-sid=",
        "goblin-sid=x",
        &format!("goblin-sid={good}"),
        &format!("goblin-sid={}", me.refresh),
    ] {
        let call = app.call(Method::GET, "/api/chats").header("cookie", cookie);
        assert_eq!(call.send().await.status, 401, "{cookie}");
    }
    let both = app
        .call(Method::GET, "/api/chats")
        .header("authorization", "Bearer x");
    let browser = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let Holds::Cookie(cookie) = &browser.holds else {
        panic!()
    };
    assert_eq!(
        both.header("cookie", cookie).send().await.status,
        401,
        "a bad token is not made good by a cookie"
    );
    let planted = format!("{cookie}; goblin-sid={}", "A".repeat(43));
    assert_eq!(
        app.call(Method::GET, "/api/chats")
            .header("cookie", &planted)
            .send()
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_refresh_token_presented_twice_ends_the_whole_sign_in_and_is_written_down() {
    let app = public_app().await;
    let me = owner(&app).await;
    let exchange = async |token: &str| app.post("/auth/refresh", &json!({"refresh_token": token})).await;
    let stolen = from_page(&app, Method::POST, "/auth/refresh").json(&json!({"refresh_token": me.refresh}));
    assert_eq!(stolen.send().await.status, 403, "no page is given tokens");
    let next = Person::of(exchange(&me.refresh).await).await;
    assert_eq!(next.get(&app, "/api/chats").await.status, 200);
    assert_eq!(
        exchange(&me.refresh).await.status,
        401,
        "a thief, or the owner after a thief"
    );
    assert_eq!(next.get(&app, "/api/chats").await.status, 401, "both are out");
    assert_eq!(exchange(&next.refresh).await.status, 401);
    let again = Person::of(by_program(&app, "owner@example.org", PASSWORD).await).await;
    let mut audit = again.get(&app, "/api/audit").await;
    assert!(audit.text().await.contains("session.replayed"));
    for bad in ["", "x", "' OR 1=1 --", &"A".repeat(43), &"A".repeat(10_000)] {
        let status = exchange(bad).await.status.as_u16();
        assert!([401, 422].contains(&status), "{bad}: {status}");
    }
}

#[tokio::test]
async fn signing_in_always_makes_another_cookie_and_ends_the_one_that_came_along() {
    let app = public_app().await;
    owner(&app).await;
    let planted = format!("goblin-sid={}", "A".repeat(43));
    let body = json!({"email": "owner@example.org", "password": PASSWORD});
    let login = |cookie: &str| {
        let call = from_page(&app, Method::POST, "/auth/login").header("cookie", cookie);
        call.json(&body).send()
    };
    let first = cookie_of(&login(&planted).await).unwrap();
    assert_ne!(first, planted, "fixation");
    let second = cookie_of(&login(&first).await).unwrap();
    assert_ne!(second, first);
    let with = |cookie: &str| {
        app.call(Method::GET, "/api/chats")
            .header("cookie", cookie)
            .send()
    };
    assert_eq!(with(&planted).await.status, 401);
    assert_eq!(with(&first).await.status, 401, "its place was taken");
    assert_eq!(with(&second).await.status, 200);
}

#[tokio::test]
async fn no_page_but_ours_acts_with_the_cookie_or_signs_somebody_in() {
    let app = app_with(|setup| {
        setup.premises = Premises {
            origins: vec!["https://chat.example.org".into()],
            preview: OriginPattern::parse("https://goblin-*-team.vercel.app"),
            ..Premises::default()
        };
    })
    .await;
    owner(&app).await;
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let Holds::Cookie(cookie) = &me.holds else {
        panic!()
    };
    let own = format!("http://{}", app.address);
    // Where the way is encrypted, the cookie has its other name.
    let secure = cookie.replace("goblin-sid", "__Host-goblin-sid");
    let make = |headers: &[(&str, &str)]| {
        let is_https = headers.iter().any(|(_, value)| value.starts_with("https://"));
        let call = app
            .call(Method::POST, "/api/chats")
            .header("cookie", if is_https { &secure } else { cookie })
            .json(&json!({}));
        headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value))
            .send()
    };
    for foreign in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", "https://chat.example.org.evil.example")],
        &[("origin", "https://goblin-x.evil.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", own.as_str())],
    ] {
        let mut refused = make(foreign).await;
        assert_eq!(refused.status, 403, "{foreign:?}");
        assert!(refused.text().await.contains("Another page"));
    }
    for ours in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("origin", own.as_str())],
        &[
            ("origin", "https://chat.example.org"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("origin", "https://goblin-pr-7-team.vercel.app")],
    ] {
        assert_eq!(make(ours).await.status, 201, "{ours:?}");
    }
    let login = json!({"email": "owner@example.org", "password": PASSWORD});
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        for path in [
            "/auth/login",
            "/auth/logout",
            "/auth/setup",
            "/auth/register",
            "/auth/refresh",
        ] {
            let call = app.call(Method::POST, path).header(name, value).json(&login);
            assert_eq!(call.send().await.status, 403, "{path} {name}: {value}");
        }
    }
    // Looking changes nothing, so a link from elsewhere may bring a browser here.
    let look = app.call(Method::GET, "/api/chats").header("cookie", cookie);
    assert_eq!(
        look.header("sec-fetch-site", "cross-site").send().await.status,
        200
    );
}

#[tokio::test]
async fn nobody_signs_in_where_others_can_read_along_whatever_the_host_says() {
    let app = public_app().await;
    owner(&app).await;
    let body = json!({"email": "owner@example.org", "password": PASSWORD});
    let login = |headers: &[(&str, &str)]| {
        let call = app.call(Method::POST, "/auth/login").json(&body);
        headers
            .iter()
            .fold(call, |call, (name, value)| call.header(name, value))
            .send()
    };
    for far in [
        &[("host", "goblin.example.org")][..],
        &[("host", "goblin.example.org"), ("x-forwarded-proto", "https")],
        &[("host", "goblin.example.org"), ("x-forwarded-host", "localhost")],
        &[("host", "203.0.113.9")],
        &[("host", "localhost"), ("x-forwarded-for", "203.0.113.9")],
        &[("host", "localhost.evil.example")],
    ] {
        let mut refused = login(far).await;
        assert_eq!(refused.status, 403, "{far:?}");
        assert!(refused.text().await.contains("https"));
        assert_eq!(refused.header("set-cookie"), "");
    }
    let encrypted = [
        ("host", "goblin.example.org"),
        ("origin", "https://goblin.example.org"),
    ];
    let reply = login(&encrypted).await;
    let set = reply.header("set-cookie");
    assert!(
        set.starts_with("__Host-goblin-sid=") && set.contains("; Secure; HttpOnly; SameSite=Lax"),
        "{set}"
    );

    let behind = app_with(|setup| setup.premises.proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    owner(&behind).await;
    let call = behind
        .call(Method::POST, "/auth/login")
        .json(&body)
        .header("host", "goblin.example.org");
    let call = call
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-for", "198.51.100.7");
    let me = Person::of(call.header("sec-fetch-site", "same-origin").send().await).await;
    let Holds::Cookie(cookie) = &me.holds else {
        panic!()
    };
    assert!(cookie.starts_with("__Host-"));
    let listed = me.get(&behind, "/api/account/sessions").await.json().await;
    assert!(listed.to_string().contains("198.51.100.7"), "{listed}");
}

#[tokio::test]
async fn ten_thousand_tries_get_a_few_answers_and_do_not_lock_the_owner_out() {
    let app = app_with(|setup| setup.premises.proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    owner(&app).await;
    let from = |address: &str, password: &str| {
        let body = json!({"email": "owner@example.org", "password": password});
        app.call(Method::POST, "/auth/login")
            .json(&body)
            .header("x-forwarded-for", address)
            .send()
    };
    // At home, where they have signed in before.
    assert_eq!(from("198.51.100.1", PASSWORD).await.status, 200);
    let mut answered = 0;
    for n in 0..500 {
        let mut reply = from(&format!("203.0.113.{}", n % 250), "guess").await;
        match reply.status.as_u16() {
            401 => answered += 1,
            429 => {
                assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
                assert!(
                    reply.json().await["detail"]
                        .as_str()
                        .unwrap()
                        .contains("Too many tries")
                );
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(answered, 20, "of one account, however many try");
    assert_eq!(
        from("192.0.2.9", PASSWORD).await.status,
        429,
        "from elsewhere one has to wait"
    );
    assert_eq!(
        from("198.51.100.1", PASSWORD).await.status,
        200,
        "at home one does not"
    );
    app.clock.advance_ms(60_000);
    assert_eq!(from("192.0.2.9", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let eve = guest(&app, &boss, "eve@example.org", "member").await;
    let chat = ada
        .post(&app, "/api/chats", &json!({"title": "mine"}))
        .await
        .json()
        .await;
    let chat = chat["id"].as_str().unwrap().to_owned();
    let turns = format!("/api/chats/{chat}/turns");
    let mut stream = ada
        .post(&app, &turns, &json!({"content": "hello", "model": "parrot"}))
        .await;
    assert_eq!(stream.status, 200);
    let events = stream.events().await;
    let turn = events
        .iter()
        .find_map(|event| {
            crate::client::data(event)["turn"]["id"]
                .as_str()
                .map(str::to_owned)
        })
        .unwrap();
    let trace = ada.get(&app, "/v1/traces").await.json().await["items"][0]["id"].clone();
    let sessions = ada.get(&app, "/api/account/sessions").await.json().await;
    let session = sessions["items"][0]["id"].as_str().unwrap();
    let theirs = [
        (Method::GET, format!("/api/chats/{chat}"), json!(null)),
        (
            Method::PATCH,
            format!("/api/chats/{chat}"),
            json!({"title": "stolen"}),
        ),
        (Method::DELETE, format!("/api/chats/{chat}"), json!(null)),
        (Method::POST, format!("/api/chats/{chat}/restore"), json!(null)),
        (Method::GET, turns.clone(), json!(null)),
        (Method::POST, turns, json!({"content": "x"})),
        (Method::GET, format!("/api/turns/{turn}"), json!(null)),
        (Method::GET, format!("/api/turns/{turn}/events"), json!(null)),
        (Method::GET, format!("/api/turns/{turn}/trace"), json!(null)),
        (Method::POST, format!("/api/turns/{turn}/regenerate"), json!({})),
        (
            Method::POST,
            format!("/api/turns/{turn}/edit"),
            json!({"content": "x"}),
        ),
        (Method::POST, format!("/api/turns/{turn}/stop"), json!(null)),
        (
            Method::POST,
            format!("/api/turns/{turn}/feedback"),
            json!({"rating": "up"}),
        ),
        (
            Method::GET,
            format!("/v1/traces/{}", trace.as_str().unwrap_or(&turn)),
            json!(null),
        ),
        (
            Method::DELETE,
            format!("/api/account/sessions/{session}"),
            json!(null),
        ),
    ];
    for stranger in [&eve, &boss] {
        for (method, path, body) in &theirs {
            let call = stranger.call(&app, method.clone(), path);
            let call = if body.is_null() { call } else { call.json(body) };
            assert_eq!(call.send().await.status, 404, "{method} {path}");
        }
        for list in ["/api/chats", "/v1/traces"] {
            let seen = stranger.get(&app, list).await.json().await;
            assert_eq!(seen["items"], json!([]), "{list}");
        }
    }
    assert_eq!(
        ada.get(&app, &format!("/api/chats/{chat}")).await.json().await["title"],
        "mine"
    );
}

/// Every route that needs somebody, from the description.
fn routes() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&goblin_server::openapi::document_text()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            if security.iter().any(|one| !one.as_object().unwrap().is_empty()) {
                all.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    assert!(all.len() > 35, "{all:?}");
    all
}

#[tokio::test]
async fn every_route_lets_in_the_roles_of_the_table_and_nobody_else() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let mut people = vec![("owner", boss.clone())];
    for role in ["admin", "member", "viewer"] {
        people.push((
            role,
            guest(&app, &boss, &format!("{role}@example.org"), role).await,
        ));
    }
    let id = "01234567-89ab-7def-8123-456789abcdef";
    for (method, path) in routes() {
        let route = path.replace("/v1/models/{id}", "/v1/models/{*id}");
        let least = goblin_auth::permission::least_role(&method, &route);
        let real = path.replace("{id}", id).replace("{capability}", "chat");
        // An unknown field: whoever may come in is refused for that, so nothing is changed by asking.
        let body = json!({"no such field": 1});
        let bare = Call::new(app.address, method.clone(), &real)
            .json(&body)
            .send()
            .await;
        assert_eq!(bare.status, 401, "{method} {path} without a sign-in");
        for (name, person) in &people {
            // Ending their own sign-ins would end the test.
            if method == Method::DELETE && path == "/api/account/sessions" {
                continue;
            }
            let role = goblin_core::account::Role::parse(name).unwrap();
            let mut reply = person.call(&app, method.clone(), &real).json(&body).send().await;
            let refused_for_role = reply.status == 403 && reply.text().await.contains("needs the role");
            assert_eq!(
                refused_for_role,
                role < least,
                "{method} {path} as {name}: {}",
                reply.status
            );
            assert_ne!(reply.status, 401, "{method} {path} as {name}");
        }
    }
}

#[tokio::test]
async fn a_viewer_looks_and_starts_nothing() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let viewer = guest(&app, &boss, "viewer@example.org", "viewer").await;
    let question = json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]});
    for (path, body) in [
        ("/v1/chat/completions", &question),
        ("/chat/completions", &question),
        ("/api/chats", &json!({})),
    ] {
        assert_eq!(viewer.post(&app, path, body).await.status, 403, "{path}");
    }
    for path in [
        "/api/chats",
        "/v1/models",
        "/api/status",
        "/auth/me",
        "/api/account/sessions",
    ] {
        assert_eq!(viewer.get(&app, path).await.status, 200, "{path}");
    }
    let public = viewer.get(&app, "/api/status").await;
    assert!(
        !{ public }.text().await.contains("10.0.0.7"),
        "addresses are for admins"
    );
    let detailed = async |person: &Person| { person.get(&app, "/health/all").await }.text().await;
    assert!(!detailed(&viewer).await.contains("/var/lib"));
    assert!(detailed(&boss).await.contains("/var/lib"));
}

#[tokio::test]
async fn a_page_that_may_be_seen_by_everybody_asks_for_a_sign_in() {
    let app: TestApp = public_app().await;
    owner(&app).await;
    let page = app
        .call(Method::GET, "/")
        .header("accept", "text/html")
        .header("sec-fetch-site", "cross-site");
    assert_eq!(page.send().await.status, 503, "not built here, but not refused");
    let state = app.get("/auth/state").await.json().await;
    assert_eq!(
        state,
        json!({"mode": "accounts", "registration_open": false, "sends_mail": false, "methods": ["password", "passkey"],
               "passkey_origins": [format!("http://localhost:{}", app.address.port())], "providers": [],
               "way": "near", "user": null})
    );
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    assert_eq!(
        me.get(&app, "/auth/state").await.json().await["user"]["role"],
        "owner"
    );
}
