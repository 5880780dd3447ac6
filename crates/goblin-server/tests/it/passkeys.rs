//! Passkeys at the door: made, used, renamed, removed, and everything that is refused.

use goblin_auth::visit::Premises;
use http::Method;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::client::Reply;
use crate::people::{
    PASSWORD, Person, app_with, by_program, from_page, guest, in_browser, owner, public_app,
};
use crate::test_app::TestApp;

const BEGIN: &str = "/auth/passkey/register";
const FINISH: &str = "/auth/passkey/register/finish";
const ASK: &str = "/auth/passkey/login";
const SHOW: &str = "/auth/passkey/login/finish";
const OWN: &str = "/api/account/passkeys";

async fn begun(app: &TestApp, person: &Person) -> Value {
    let mut reply = person.post(app, BEGIN, &json!({})).await;
    let status = reply.status;
    let body = reply.json().await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Makes a passkey for somebody.
async fn made(app: &TestApp, person: &Person, name: &str) -> (Authenticator, Value) {
    let mut authenticator = Authenticator::new(app);
    let asked = begun(app, person).await;
    let credential = authenticator.make(&asked["options"]);
    let body = json!({"ceremony": asked["ceremony"], "credential": credential, "name": name});
    let mut reply = person.post(app, FINISH, &body).await;
    let status = reply.status;
    let kept = reply.json().await;
    assert_eq!(status, 201, "{kept}");
    (authenticator, kept)
}

async fn asked(app: &TestApp) -> Value {
    let mut reply = app.post(ASK, &json!({})).await;
    let status = reply.status;
    let body = reply.json().await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn shown(app: &TestApp, asked: &Value, credential: &Value) -> Reply {
    let body = json!({"ceremony": asked["ceremony"], "credential": credential});
    app.post(SHOW, &body).await
}

/// Asks, and shows the passkey; the counter goes on as it does in a real one.
async fn signed_in(app: &TestApp, authenticator: &mut Authenticator) -> Reply {
    let asked = asked(app).await;
    authenticator.counter = authenticator.counter.wrapping_add(1);
    shown(app, &asked, &authenticator.show(&asked["options"])).await
}

/// The status, the field and the sentence of a refusal.
async fn refusal(mut reply: Reply) -> (u16, String, String) {
    let status = reply.status.as_u16();
    let body = reply.json().await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (status, text(&body["error"]["param"]), text(&body["detail"]))
}

async fn audit(app: &TestApp, boss: &Person) -> Vec<String> {
    let events = boss.get(app, "/api/audit?limit=200").await.json().await;
    let items = events["items"].as_array().unwrap();
    items
        .iter()
        .map(|event| event["action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_passkey_is_made_signs_in_is_renamed_and_once_removed_signs_nobody_in() {
    let app = public_app().await;
    let boss = owner(&app).await;
    assert_eq!(boss.get(&app, OWN).await.json().await, json!({"items": []}));
    let asked_first = begun(&app, &boss).await;
    let options = &asked_first["options"];
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let (mut phone, kept) = made(&app, &boss, "Telephone").await;
    assert_eq!(
        (&kept["name"], &kept["host"], &kept["used_at"], &kept["copied_at"]),
        (
            &json!("Telephone"),
            &json!("localhost"),
            &json!(null),
            &json!(null)
        )
    );

    // A browser gets a cookie, as with a password, and the sign-in says how it was begun.
    let question = asked(&app).await;
    assert_eq!(
        question["options"]["allowCredentials"],
        json!([]),
        "it finds itself"
    );
    phone.counter += 1;
    let body = json!({"ceremony": question["ceremony"], "credential": phone.show(&question["options"])});
    let reply = from_page(&app, Method::POST, SHOW).json(&body).send().await;
    let here = Person::of(reply).await;
    assert!(matches!(here.holds, crate::people::Holds::Cookie(_)));
    assert_eq!(here.id, boss.id);
    let sessions = here.get(&app, "/api/account/sessions").await.json().await;
    assert!(
        sessions["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|s| s["signed_in_by"] == "passkey")
    );
    // Another program gets tokens.
    let program = Person::of(signed_in(&app, &mut phone).await).await;
    assert!(matches!(program.holds, crate::people::Holds::Token(_)));

    let path = format!("{OWN}/{}", kept["id"].as_str().unwrap());
    let mut renamed = here
        .call(&app, Method::PATCH, &path)
        .json(&json!({"name": "Old phone"}))
        .send()
        .await;
    assert_eq!(renamed.json().await["name"], "Old phone");
    let listed = here.get(&app, OWN).await.json().await;
    assert_eq!(listed["items"][0]["name"], "Old phone");
    assert!(listed["items"][0]["used_at"].is_string());
    let shown = listed.to_string();
    assert!(
        !shown.contains("credential") && !shown.contains("handle"),
        "{shown}"
    );

    assert_eq!(here.call(&app, Method::DELETE, &path).send().await.status, 204);
    let (status, param, said) = refusal(signed_in(&app, &mut phone).await).await;
    assert_eq!((status, param.as_str()), (401, "credential"));
    assert!(said.contains("removed"), "{said}");
    assert_eq!(here.call(&app, Method::DELETE, &path).send().await.status, 404);
    let deeds = audit(&app, &boss).await;
    for deed in [
        "passkey.made",
        "passkey.renamed",
        "passkey.removed",
        "session.begun",
    ] {
        assert!(deeds.iter().any(|d| d == deed), "{deed} in {deeds:?}");
    }
}

#[tokio::test]
async fn what_an_authenticator_answers_wrongly_signs_nobody_in_and_says_why() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let (mut phone, _) = made(&app, &boss, "Telephone").await;
    let eve = guest(&app, &boss, "eve@example.org", "member").await;
    let (theirs, _) = made(&app, &eve, "Eve's").await;
    let handle = phone.handle.clone();
    type Trick<'a> = (&'a str, Box<dyn Fn(&mut Authenticator) + 'a>, &'a str);
    let tricks: Vec<Trick<'_>> = vec![
        (
            "origin",
            Box::new(|a: &mut Authenticator| a.origin = "https://evil.example".into()),
            "another page",
        ),
        (
            "origin's port",
            Box::new(|a: &mut Authenticator| a.origin = "http://localhost:1".into()),
            "another page",
        ),
        (
            "scheme",
            Box::new(|a: &mut Authenticator| a.origin = a.origin.replace("http:", "https:")),
            "another page",
        ),
        (
            "host",
            Box::new(|a: &mut Authenticator| a.host = "evil.example".into()),
            "another site",
        ),
        (
            "no check of who holds it",
            Box::new(|a: &mut Authenticator| a.flags = 1),
            "who holds it",
        ),
        (
            "nobody there",
            Box::new(|a: &mut Authenticator| a.flags = 4),
            "who holds it",
        ),
        (
            "kind",
            Box::new(|a: &mut Authenticator| a.kind = Some("webauthn.create")),
            "another kind",
        ),
        (
            "challenge",
            Box::new(|a: &mut Authenticator| a.challenge = Some("A".repeat(43))),
            "another challenge",
        ),
        (
            "of another account",
            Box::new(|a: &mut Authenticator| a.handle = theirs.handle.clone()),
            "another account",
        ),
        (
            "of nobody",
            Box::new(|a: &mut Authenticator| a.handle = Vec::new()),
            "another account",
        ),
        (
            "another's passkey",
            Box::new(|a: &mut Authenticator| a.id = theirs.id.clone()),
            "another account",
        ),
        (
            "another's passkey and account",
            Box::new(|a: &mut Authenticator| (a.id, a.handle) = (theirs.id.clone(), theirs.handle.clone())),
            "signature",
        ),
        (
            "unknown",
            Box::new(|a: &mut Authenticator| a.id = vec![7; 32]),
            "not known here",
        ),
    ];
    let (id, origin) = (phone.id.clone(), phone.origin.clone());
    for (what, trick, word) in tricks {
        phone.counter += 1;
        trick(&mut phone);
        let question = asked(&app).await;
        let credential = phone.show(&question["options"]);
        let (status, param, said) = refusal(shown(&app, &question, &credential).await).await;
        assert_eq!((status, param.as_str()), (401, "credential"), "{what}: {said}");
        assert!(said.contains(word), "{what}: {said}");
        for leak in ["InvalidRP", "webauthn_rs", "serde", "Error"] {
            assert!(!said.contains(leak), "{what}: {said}");
        }
        let again = shown(&app, &question, &credential).await;
        let (status, param, _) = refusal(again).await;
        assert_eq!(
            (status, param.as_str()),
            (401, "ceremony"),
            "{what}: a challenge is answered once"
        );
        phone = Authenticator {
            id: id.clone(),
            handle: handle.clone(),
            host: "localhost".into(),
            origin: origin.clone(),
            flags: 5,
            kind: None,
            challenge: None,
            ..phone
        };
        app.clock.advance_ms(10_000);
    }
    let deeds = audit(&app, &boss).await;
    assert!(deeds.iter().filter(|deed| *deed == "session.refused").count() >= 10);
    assert_eq!(
        signed_in(&app, &mut phone).await.status,
        200,
        "the right one still does"
    );
}

#[tokio::test]
async fn a_challenge_is_good_once_for_five_minutes_and_for_what_it_was_asked() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let (mut phone, _) = made(&app, &boss, "Telephone").await;
    let question = asked(&app).await;
    phone.counter += 1;
    let credential = phone.show(&question["options"]);
    assert_eq!(shown(&app, &question, &credential).await.status, 200);
    let over = async |question: &Value, credential: &Value| {
        let (status, param, said) = refusal(shown(&app, question, credential).await).await;
        assert_eq!((status, param.as_str()), (401, "ceremony"), "{said}");
        assert!(said.contains("over"), "{said}");
    };
    over(&question, &credential).await;
    let late = asked(&app).await;
    app.clock.advance_ms(300_000);
    phone.counter += 1;
    over(&late, &phone.show(&late["options"])).await;
    // One challenge's answer with another's secret.
    let (one, other) = (asked(&app).await, asked(&app).await);
    let credential = phone.show(&one["options"]);
    let (status, _, said) = refusal(shown(&app, &other, &credential).await).await;
    assert_eq!(status, 401);
    assert!(said.contains("another challenge"), "{said}");
    // What was asked to make a passkey signs nobody in, and the other way round.
    let boss = Person::of(by_program(&app, "owner@example.org", PASSWORD).await).await;
    let making = begun(&app, &boss).await;
    over(&making, &phone.show(&making["options"])).await;
    let using = asked(&app).await;
    let mut next = Authenticator::new(&app);
    let answer = json!({
        "ceremony": using["ceremony"],
        "credential": next.make(&json!({"challenge": using["options"]["challenge"], "user": {"id": "AAAA"}})),
    });
    let (status, param, _) = refusal(boss.post(&app, FINISH, &answer).await).await;
    assert_eq!((status, param.as_str()), (422, "ceremony"));
    for secret in ["", "x", "' OR 1=1 --", &"A".repeat(43), &"A".repeat(10_000)] {
        let body = json!({"ceremony": secret, "credential": credential});
        let status = app.post(SHOW, &body).await.status.as_u16();
        assert!([401, 422].contains(&status), "{secret}: {status}");
    }
}

#[tokio::test]
async fn a_counter_that_goes_back_is_a_copy_and_neither_of_the_two_comes_in_any_more() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let (mut phone, kept) = made(&app, &ada, "Telephone").await;
    phone.counter = 40;
    assert_eq!(signed_in(&app, &mut phone).await.status, 200);
    let right = phone.counter;
    for counter in [right, right - 10, 0] {
        // `signed_in` counts on by one.
        phone.counter = counter.wrapping_sub(1);
        let (status, param, said) = refusal(signed_in(&app, &mut phone).await).await;
        assert_eq!((status, param.as_str()), (401, "credential"), "{counter}: {said}");
        assert!(said.contains("copy"), "{said}");
    }
    phone.counter = right + 100;
    let (status, _, said) = refusal(signed_in(&app, &mut phone).await).await;
    assert_eq!(status, 401);
    assert!(said.contains("copy"), "also with a counter that is right: {said}");
    let listed = ada.get(&app, OWN).await.json().await;
    assert_eq!(listed["items"][0]["id"], kept["id"]);
    assert!(listed["items"][0]["copied_at"].is_string());
    let deeds = audit(&app, &boss).await;
    assert_eq!(
        deeds.iter().filter(|deed| *deed == "passkey.copied").count(),
        1,
        "reported once"
    );
    assert_eq!(
        by_program(&app, "ada@example.org", PASSWORD).await.status,
        200,
        "the password still lets in"
    );
}

#[tokio::test]
async fn authenticators_without_a_counter_sign_in_again_and_again() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let mut synced = Authenticator::new(&app);
    synced.counter = 0;
    let asked_new = begun(&app, &boss).await;
    let body = json!({"ceremony": asked_new["ceremony"], "credential": synced.make(&asked_new["options"])});
    assert_eq!(boss.post(&app, FINISH, &body).await.status, 201);
    for _ in 0..3 {
        let question = asked(&app).await;
        let credential = synced.show(&question["options"]);
        assert_eq!(shown(&app, &question, &credential).await.status, 200);
    }
}

#[tokio::test]
async fn making_a_passkey_needs_a_sign_in_that_is_recent_or_the_password() {
    let app = public_app().await;
    owner(&app).await;
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    assert_eq!(app.post(BEGIN, &json!({})).await.status, 401, "only signed in");
    assert_eq!(me.post(&app, BEGIN, &json!({})).await.status, 200);
    app.clock.advance_ms(600_000);
    for body in [
        json!({}),
        json!({"password": null}),
        json!({"password": "not the password"}),
    ] {
        let (status, param, said) = refusal(me.post(&app, BEGIN, &body).await).await;
        assert_eq!((status, param.as_str()), (422, "password"), "{said}");
    }
    assert_eq!(
        me.post(&app, BEGIN, &json!({"password": PASSWORD})).await.status,
        200
    );
    let mut refused = 0;
    for _ in 0..20 {
        let reply = me.post(&app, BEGIN, &json!({"password": "guess"})).await;
        refused += usize::from(reply.status == 429);
    }
    assert!(refused >= 15, "guessing is throttled as at the door: {refused}");
}

#[tokio::test]
async fn a_passkey_is_kept_only_for_whoever_asked_for_it_and_only_once() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let eve = guest(&app, &boss, "eve@example.org", "viewer").await;
    let mut key = Authenticator::new(&app);
    let question = begun(&app, &boss).await;
    let body = json!({"ceremony": question["ceremony"], "credential": key.make(&question["options"])});
    let over = async |person: &Person, body: &Value| {
        let (status, param, said) = refusal(person.post(&app, FINISH, body).await).await;
        assert_eq!((status, param.as_str()), (422, "ceremony"), "{said}");
    };
    over(&eve, &body).await;
    over(&boss, &body).await;
    let elsewhere = Person::of(by_program(&app, "owner@example.org", PASSWORD).await).await;
    let question = begun(&app, &boss).await;
    let body = json!({"ceremony": question["ceremony"], "credential": key.make(&question["options"])});
    over(&elsewhere, &body).await;

    let (mut first, kept) = made(&app, &boss, "First").await;
    let excluded = begun(&app, &boss).await;
    assert_eq!(
        excluded["options"]["excludeCredentials"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let again = json!({"ceremony": excluded["ceremony"], "credential": first.make(&excluded["options"])});
    let (status, param, said) = refusal(boss.post(&app, FINISH, &again).await).await;
    assert_eq!((status, param.as_str()), (422, "credential"), "{said}");
    assert!(said.contains("already"), "{said}");
    let question = begun(&app, &eve).await;
    let taken = json!({"ceremony": question["ceremony"], "credential": first.make(&question["options"])});
    let mut taken = eve.post(&app, FINISH, &taken).await;
    let said = taken.text().await;
    assert_eq!(taken.status, 409, "{said}");

    // What is another's is not there.
    let path = format!("{OWN}/{}", kept["id"].as_str().unwrap());
    let rename = eve
        .call(&app, Method::PATCH, &path)
        .json(&json!({"name": "mine"}));
    assert_eq!(rename.send().await.status, 404);
    assert_eq!(eve.call(&app, Method::DELETE, &path).send().await.status, 404);
    assert_eq!(eve.get(&app, OWN).await.json().await["items"], json!([]));
    assert_eq!(
        signed_in(&app, &mut first).await.status,
        401,
        "it says it is Eve's"
    );
}

#[tokio::test]
async fn what_an_authenticator_makes_wrongly_is_not_kept() {
    let app = public_app().await;
    let boss = owner(&app).await;
    type Trick = (fn(&mut Authenticator), &'static str);
    let tricks: [Trick; 6] = [
        (|a| a.origin = "https://evil.example".into(), "another page"),
        (|a| a.host = "evil.example".into(), "another site"),
        (|a| a.flags = 1, "who holds it"),
        (|a| a.kind = Some("webauthn.get"), "another kind"),
        (|a| a.challenge = Some("A".repeat(43)), "another challenge"),
        (|a| a.origin = "http://127.0.0.1:8001".into(), "http://localhost"),
    ];
    for (trick, word) in tricks {
        let mut key = Authenticator::new(&app);
        trick(&mut key);
        let question = begun(&app, &boss).await;
        let body = json!({"ceremony": question["ceremony"], "credential": key.make(&question["options"])});
        let (status, param, said) = refusal(boss.post(&app, FINISH, &body).await).await;
        assert_eq!((status, param.as_str()), (422, "credential"), "{said}");
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(boss.get(&app, OWN).await.json().await["items"], json!([]));
}

#[tokio::test]
async fn garbage_of_any_size_is_refused_by_name() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ceremony = "A".repeat(43);
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for credential in [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({"id": 1, "rawId": 2, "type": 3, "response": 4}),
        json!({"id": "x", "rawId": "not base64 !", "type": "public-key", "response": {}}),
        json!({"id": "x", "rawId": "AAAA", "type": "public-key",
               "response": {"clientDataJSON": "AAAA", "attestationObject": 7, "authenticatorData": "AAAA",
                            "signature": [], "userHandle": {}}}),
    ] {
        let body = json!({"ceremony": ceremony, "credential": credential});
        for reply in [app.post(SHOW, &body).await, boss.post(&app, FINISH, &body).await] {
            let (status, param, said) = refusal(reply).await;
            assert_eq!(
                (status, param.as_str()),
                (422, "credential"),
                "{credential}: {said}"
            );
        }
    }
    // Whole, but one part makes no sense: CBOR that promises a gigabyte, CBOR in CBOR in CBOR.
    let (mut phone, _) = made(&app, &boss, "Telephone").await;
    let deep = [0x81; 20_000];
    for part in [
        &b""[..],
        b"\xff",
        b"\xa3",
        b"\x5a\x40\x00\x00\x00",
        &deep,
        &[0; 300],
    ] {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(part);
        for field in ["clientDataJSON", "attestationObject"] {
            let question = begun(&app, &boss).await;
            let mut credential = Authenticator::new(&app).make(&question["options"]);
            credential["response"][field] = json!(text);
            let body = json!({"ceremony": question["ceremony"], "credential": credential});
            let (status, param, said) = refusal(boss.post(&app, FINISH, &body).await).await;
            assert_eq!((status, param.as_str()), (422, "credential"), "{field}: {said}");
        }
        for field in ["clientDataJSON", "authenticatorData", "signature"] {
            app.clock.advance_ms(4_000);
            let question = asked(&app).await;
            phone.counter += 1;
            let mut credential = phone.show(&question["options"]);
            credential["response"][field] = json!(text);
            let (status, param, said) = refusal(shown(&app, &question, &credential).await).await;
            assert_eq!((status, param.as_str()), (401, "credential"), "{field}: {said}");
        }
    }
    let large = json!({"ceremony": ceremony, "credential": {"id": "x".repeat(70_000)}});
    assert_eq!(app.post(SHOW, &large).await.status, 413);
    assert_eq!(boss.post(&app, FINISH, &large).await.status, 413);
    for body in [
        "",
        "{",
        "[]",
        "null",
        &nested,
        "{\"ceremony\":\"x\",\"credential\":{},\"admin\":true}",
    ] {
        let call = app.call(Method::POST, SHOW).bytes(body.to_owned());
        let status = call.send().await.status.as_u16();
        assert!([400, 422].contains(&status), "{body}: {status}");
    }
    for name in ["", &"x".repeat(201)] {
        let body = json!({"ceremony": ceremony, "credential": {}, "name": name});
        let (status, param, _) = refusal(boss.post(&app, FINISH, &body).await).await;
        assert_eq!((status, param.as_str()), (422, "name"));
    }
}

#[tokio::test]
async fn asking_without_end_is_throttled_and_signing_in_costs_nothing() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let (mut phone, _) = made(&app, &boss, "Telephone").await;
    for _ in 0..50 {
        assert_eq!(signed_in(&app, &mut phone).await.status, 200);
    }
    let mut answered = 0;
    for _ in 0..200 {
        let mut reply = app.post(ASK, &json!({})).await;
        match reply.status.as_u16() {
            200 => answered += 1,
            429 => assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1),
            other => panic!("{other}: {}", reply.text().await),
        }
    }
    assert_eq!(answered, 30);
}

#[tokio::test]
async fn whoever_is_shut_out_does_not_come_in_by_a_passkey() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let ada = guest(&app, &boss, "ada@example.org", "member").await;
    let (mut phone, _) = made(&app, &ada, "Telephone").await;
    let shut = boss.call(&app, Method::PATCH, &format!("/api/users/{}", ada.id));
    assert_eq!(shut.json(&json!({"disabled": true})).send().await.status, 200);
    let (status, _, said) = refusal(signed_in(&app, &mut phone).await).await;
    assert_eq!(status, 401);
    assert!(said.contains("closed"), "{said}");
}

#[tokio::test]
async fn there_are_passkeys_only_where_browsers_have_them_and_only_our_page_asks() {
    let here = public_app().await;
    owner(&here).await;
    for path in [ASK, SHOW] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ] {
            let call = here.call(Method::POST, path).header(name, value).json(&json!({}));
            assert_eq!(call.send().await.status, 403, "{path} {value}");
        }
        let far = here.call(Method::POST, path).header("host", "goblin.example.org");
        let body = json!({"ceremony": "A".repeat(43), "credential": {}});
        let body = if path == ASK { json!({}) } else { body };
        assert_eq!(
            far.json(&body).send().await.status,
            403,
            "{path} where others read along"
        );
    }
    let app = app_with(|setup| {
        setup.premises = Premises {
            origins: vec!["http://192.168.1.7:8001".into()],
            ..Premises::default()
        };
    })
    .await;
    let boss = owner(&app).await;
    let state = app.get("/auth/state").await.json().await;
    assert_eq!(
        (&state["methods"], &state["passkey_origins"]),
        (&json!(["password"]), &json!([]))
    );
    for mut reply in [
        boss.post(&app, BEGIN, &json!({})).await,
        app.post(ASK, &json!({})).await,
    ] {
        assert_eq!(reply.status, 409);
        assert!(reply.text().await.contains("FRONTEND_URL"));
    }
}
