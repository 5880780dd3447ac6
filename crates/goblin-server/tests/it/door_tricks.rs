//! More of what people try who should not come in: hosts, addresses, cookies, clocks, and very many of everything.

use goblin_auth::email::Email;
use goblin_auth::identity::{Identity, Parts};
use goblin_auth::password::Password;
use goblin_auth::visit::{Premises, Visit, Way};
use goblin_core::clock::Clock;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Call, RawConnection};
use crate::people::{
    Holds, PASSWORD, Person, app_with, by_program, cookie_of, from_page, guest, in_browser, owner, public_app,
};
use crate::test_app::{TestApp, cheap, signing_keys};

fn cookie(person: &Person) -> &str {
    match &person.holds {
        Holds::Cookie(cookie) => cookie,
        Holds::Token(_) => panic!("a program"),
    }
}

#[tokio::test]
async fn no_host_a_client_names_ends_up_in_a_link_or_makes_it_another_server() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let evil = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-host", "evil.example"),
        ("x-original-url", "/evil.example"),
        ("x-rewrite-url", "/api/users"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    for (name, value) in evil {
        let call = boss
            .call(&app, Method::POST, "/api/invitations")
            .header(name, value);
        let made = call.json(&json!({})).send().await.json().await;
        let url = made["url"].as_str().unwrap();
        assert!(
            url.starts_with(&format!("http://{}/invitation#", app.address)),
            "{name}: {url}"
        );
        // A header that names a path is not a path.
        let listed = boss.call(&app, Method::GET, "/api/chats").header(name, value);
        assert_eq!(listed.send().await.json().await["items"], json!([]), "{name}");
    }
}

#[tokio::test]
async fn a_request_with_two_hosts_or_none_is_refused_or_is_of_nobody_near() {
    let app = public_app().await;
    owner(&app).await;
    let body = json!({"email": "owner@example.org", "password": PASSWORD}).to_string();
    let login = async |target: &str, hosts: &str| {
        let mut raw = RawConnection::open(app.address).await;
        raw.write(format!(
            "POST {target} HTTP/1.1\r\n{hosts}content-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        ))
        .await;
        raw.read_to_end().await
    };
    let near = format!("host: {}\r\n", app.address);
    assert!(
        login("/auth/login", &near).await.starts_with("HTTP/1.1 200"),
        "the right one"
    );
    for (target, hosts) in [
        ("/auth/login", String::new()),
        ("/auth/login", format!("{near}host: evil.example\r\n")),
        ("/auth/login", format!("host: evil.example\r\n{near}")),
        ("/auth/login", "host: localhost, evil.example\r\n".to_owned()),
        ("/auth/login", "host: localhost@evil.example\r\n".to_owned()),
        ("/auth/login", "host: evil.example#localhost\r\n".to_owned()),
        ("/auth/login", "host: localhost.evil.example\r\n".to_owned()),
        ("/auth/login", "host: localhost\u{ff0e}evil\r\n".to_owned()),
        // What the line says goes before the header (RFC 9112, 3.2.2).
        ("http://evil.example/auth/login", near.clone()),
    ] {
        let answer = login(target, &hosts).await;
        let status = answer.split(' ').nth(1).unwrap_or("closed").to_owned();
        assert!(
            ["400", "403", "closed"].contains(&status.as_str()),
            "{target} {hosts:?}: {answer}"
        );
        assert!(
            !answer.contains("access_token") && !answer.contains("set-cookie"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn no_path_sends_anybody_elsewhere() {
    let app = public_app().await;
    owner(&app).await;
    for path in [
        "//evil.example",
        "//evil.example/%2f..",
        "/\\evil.example",
        "/%5cevil.example",
        "/%2f%2fevil.example",
        "/.//evil.example",
        "/auth/login?next=https://evil.example",
        "/?redirect=https://evil.example&url=//evil.example&return_to=//evil.example",
        "/setup?to=https://evil.example",
        "/auth/state?callback=https://evil.example",
        "/https://evil.example",
    ] {
        for accept in ["text/html", "application/json"] {
            let call = app.call(Method::GET, path).header("accept", accept);
            let reply = call.header("sec-fetch-site", "cross-site").send().await;
            assert!(!reply.status.is_redirection(), "{path}: {}", reply.status);
            assert_eq!(reply.header("location"), "", "{path}");
            assert_eq!(reply.header("refresh"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn nobody_gets_a_second_account_by_writing_an_address_otherwise() {
    let app = app_with(|setup| setup.accounts.registration_open = true).await;
    owner(&app).await;
    let register = async |email: &str| {
        // So that none of them waits for those before.
        app.clock.advance_ms(60_000);
        let body = json!({"email": email, "password": PASSWORD});
        let mut reply = app.post("/auth/register", &body).await;
        (reply.status.as_u16(), reply.text().await)
    };
    assert_eq!(register("kim@b\u{fc}cher.example").await.0, 200);
    for same in [
        "KIM@b\u{fc}cher.example",
        "kim@B\u{dc}CHER.EXAMPLE",
        "kim@xn--bcher-kva.example",
        "kim@XN--BCHER-KVA.example",
        "\u{212a}im@b\u{fc}cher.example",
        " kim@bu\u{308}cher.example\t",
        "kim@b\u{fc}cher\u{3002}example",
    ] {
        let (status, said) = register(same).await;
        assert_eq!(status, 400, "{same:?}: {said}");
        assert!(said.contains("has an account already"), "{said}");
    }
    for none in [
        "kim@b\u{fc}cher.example\u{0}",
        "kim\u{200d}@b\u{fc}cher.example",
        "\u{202e}kim@b\u{fc}cher.example",
        "kim@b\u{fc}cher.example, eve@example.org",
        "kim@@b\u{fc}cher.example",
    ] {
        let (status, said) = register(none).await;
        assert_eq!(status, 422, "{none:?}: {said}");
    }
    // Another letter that looks the same is another account, and does not get into this one.
    assert_eq!(register("k\u{456}m@b\u{fc}cher.example").await.0, 200);
    let mut reply = by_program(&app, "k\u{456}m@b\u{fc}cher.example", "not the password").await;
    let said = reply.text().await;
    assert_eq!(reply.status, 401, "{said}");
    // Whoever writes it otherwise still signs in to their own.
    let me = Person::of(by_program(&app, "KIM@xn--bcher-kva.example", PASSWORD).await).await;
    assert_eq!(
        me.get(&app, "/auth/me").await.json().await["email"],
        "kim@b\u{fc}cher.example"
    );
}

#[tokio::test]
async fn the_cookie_of_another_user_is_theirs_alone() {
    let app = public_app().await;
    let boss = owner(&app).await;
    guest(&app, &boss, "ada@example.org", "member").await;
    guest(&app, &boss, "eve@example.org", "member").await;
    let ada = Person::of(in_browser(&app, "ada@example.org", PASSWORD).await).await;
    let eve = Person::of(in_browser(&app, "eve@example.org", PASSWORD).await).await;
    let me = |call: Call| async move { call.send().await.json().await["email"].clone() };
    // One's own token beside another's cookie: who the token is of.
    let program = Person::of(by_program(&app, "eve@example.org", PASSWORD).await).await;
    let both = program
        .call(&app, Method::GET, "/auth/me")
        .header("cookie", cookie(&ada));
    assert_eq!(me(both).await, "eve@example.org");
    // Both cookies: nobody, for one of them was put there by somebody else.
    for both in [
        format!("{}; {}", cookie(&ada), cookie(&eve)),
        format!("{}; {}", cookie(&eve), cookie(&ada)),
    ] {
        let call = app.call(Method::GET, "/auth/me").header("cookie", &both);
        assert_eq!(call.send().await.status, 401);
    }
    // A cookie with one letter changed, cut, or in another's name is none.
    let (name, secret) = cookie(&ada).split_once('=').unwrap();
    let flipped = if secret.starts_with('A') { "B" } else { "A" };
    for forged in [
        format!("{name}={flipped}{}", &secret[1..]),
        format!("{name}={}", &secret[..42]),
        format!("{name}={secret}A"),
        format!("{name}={}", secret.to_lowercase().to_uppercase()),
        format!("sid={secret}"),
        format!("{name}=\"{secret}\""),
    ] {
        let call = app.call(Method::GET, "/auth/me").header("cookie", &forged);
        assert_eq!(call.send().await.status, 401, "{forged}");
    }
    // Signing in over another's cookie ends that one: it was this browser's, and now it is somebody else's.
    let body = json!({"email": "eve@example.org", "password": PASSWORD});
    let over = from_page(&app, Method::POST, "/auth/login").header("cookie", cookie(&ada));
    let over = cookie_of(&over.json(&body).send().await).unwrap();
    assert_eq!(ada.get(&app, "/auth/me").await.status, 401);
    let call = app.call(Method::GET, "/auth/me").header("cookie", &over);
    assert_eq!(me(call).await, "eve@example.org");
}

#[tokio::test]
async fn a_password_of_a_megabyte_is_refused_however_it_comes() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let long = "x".repeat(1_000_000);
    let json = json!({"email": "owner@example.org", "password": long, "current_password": long,
                      "new_password": long, "token": "A".repeat(43)});
    for path in [
        "/auth/login",
        "/auth/register",
        "/auth/setup",
        "/auth/reset",
        "/auth/invitation",
    ] {
        assert_eq!(app.post(path, &json).await.status, 413, "{path}");
    }
    assert_eq!(boss.post(&app, "/api/account/password", &json).await.status, 413);
    let form = format!("username=owner%40example.org&password={long}");
    let call = app.call(Method::POST, "/auth/login").bytes(form);
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(call.send().await.status, 413);
    // Without a length, in pieces.
    let mut raw = RawConnection::open(app.address).await;
    raw.write(format!(
        "POST /auth/login HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        app.address
    ))
    .await;
    let head = "{\"email\":\"owner@example.org\",\"password\":\"";
    raw.write(format!("{:x}\r\n{head}\r\n", head.len())).await;
    let piece = "x".repeat(20_000);
    for _ in 0..4 {
        raw.write(format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Within the body's bound, beyond the password's: refused by name and never hashed.
    let body = json!({"email": "owner@example.org", "password": "x".repeat(10_000)});
    let mut refused = app.post("/auth/login", &body).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json().await["error"]["param"], "password");
}

/// The door itself, without a network: ten thousand would mostly measure connections.
#[tokio::test]
async fn of_ten_thousand_sign_ins_a_minute_few_are_hashed_and_the_owner_still_gets_in() {
    let app = public_app().await;
    owner(&app).await;
    let identity = app.identity.as_ref().unwrap();
    let email = Email::parse("owner@example.org").unwrap();
    let (right, guess) = (
        Password::presented("password", PASSWORD).unwrap(),
        Password::presented("password", "guess").unwrap(),
    );
    let visit = |address: [u8; 4]| Visit {
        address: Some(address.into()),
        device: None,
        way: Way::Secure,
        is_browser: false,
        cookie_hash: None,
    };
    let home = visit([198, 51, 100, 1]);
    identity.sign_in(&home, &email, &right).await.unwrap();
    let (mut wrong, mut waits) = (0, 0);
    for n in 0..10_000u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let error = identity
            .sign_in(&visit([203, 0, high, low]), &email, &guess)
            .await;
        match error.unwrap_err().status(true) {
            401 => wrong += 1,
            429 => waits += 1,
            other => panic!("{other}"),
        }
        if n % 1000 == 0 {
            let made = identity.sign_in(&home, &email, &right).await;
            assert!(made.is_ok(), "at home one does not wait: {n}");
        }
        app.clock.advance_ms(6);
    }
    // Twenty at once, then one in thirty seconds.
    assert!((20..=23).contains(&wrong), "{wrong}");
    assert_eq!(wrong + waits, 10_000);
}

/// The same accounts, as another copy of goblin has them, whose clock goes otherwise.
fn copy(app: &TestApp, clock: Clock) -> Identity {
    Identity::new(Parts {
        store: app.store.clone().unwrap(),
        clock,
        keys: Some(signing_keys()),
        premises: Premises::default(),
        page_url: String::new(),
        settings: cheap(),
        relying_party: None,
        federation: Default::default(),
        post: None,
        throttle: goblin_auth::throttle::Throttle::memory(app.clock.clone()),
    })
}

#[tokio::test]
async fn a_clock_ten_minutes_off_lets_nobody_in_who_should_not_be_and_shuts_nobody_out_for_good() {
    let app = public_app().await;
    owner(&app).await;
    let ten_minutes = 600_000;
    let email = Email::parse("owner@example.org").unwrap();
    let password = Password::presented("password", PASSWORD).unwrap();
    let visit = Visit {
        address: Some([198, 51, 100, 1].into()),
        device: None,
        way: Way::Near,
        is_browser: false,
        cookie_hash: None,
    };
    let token_of = async |identity: &Identity| {
        let made = identity.sign_in(&visit, &email, &password).await.unwrap();
        let goblin_auth::identity::Given::Tokens(tokens) = made.given else {
            panic!("a cookie")
        };
        use secrecy::ExposeSecret;
        tokens.access.expose_secret().to_owned()
    };
    let ahead = copy(&app, Clock::manual(app.clock.now().plus_ms(ten_minutes)));
    let behind = copy(&app, Clock::manual(app.clock.now().plus_ms(-ten_minutes)));
    let here = app.identity.as_ref().unwrap();
    let good =
        async |identity: &Identity, token: &str| identity.account_of_token(token).await.unwrap().is_some();
    // Of the future, or over already: a token is as good as the clock of who looks at it says, give or take a minute.
    let token = token_of(&ahead).await;
    assert!(good(&ahead, &token).await);
    assert!(!good(here, &token).await, "not begun yet");
    let token = token_of(&behind).await;
    assert!(good(&behind, &token).await);
    app.clock.advance_ms(61_000);
    assert!(!good(here, &token).await, "over");
    // A browser's sign-in lasts days: ten minutes do not end it, and it is good with either clock.
    let me = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    let secret = cookie(&me);
    for identity in [&ahead, &behind, here] {
        let mut headers = http::HeaderMap::new();
        headers.insert("cookie", secret.parse().unwrap());
        let uri = http::Uri::from_static("/");
        headers.insert("host", "localhost".parse().unwrap());
        let facts = goblin_auth::visit::VisitFacts {
            uri: &uri,
            headers: &headers,
            peer: Some([127, 0, 0, 1].into()),
        };
        let visit = Premises::default().visit(&facts);
        assert!(identity.recognise(&headers, &visit).await.is_ok());
    }
    // A clock set back while somebody waits does not make them wait ten minutes more.
    let wrong = json!({"email": "owner@example.org", "password": "guess"});
    let mut waits = Value::Null;
    for _ in 0..6 {
        let reply = app.post("/auth/login", &wrong).await;
        waits = json!(reply.header("retry-after"));
    }
    let before: u64 = waits.as_str().unwrap().parse().unwrap();
    app.clock.advance_ms(-ten_minutes);
    let after = app.post("/auth/login", &wrong).await;
    let after: u64 = after.header("retry-after").parse().unwrap();
    assert!(
        (1..=60).contains(&before) && (1..=60).contains(&after),
        "{before} {after}"
    );
}
