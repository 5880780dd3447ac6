//! Local mode: where it may be on, and whom it answers.

use goblin_auth::local::{LocalMode, RequestFacts, Surface, Surroundings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

const PORT: u16 = 8001;

fn at_home() -> Surroundings {
    Surroundings {
        bind: [127, 0, 0, 1].into(),
        has_account: false,
        frontend_url: false,
        trusted_proxies: false,
        origin_secret: false,
    }
}

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    surface: Surface,
}

fn api(pairs: &[(&str, &str)]) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Request {
        method: Method::POST,
        uri: Uri::from_static("/api/chats"),
        headers,
        surface: Surface::Api,
    }
}

fn page(pairs: &[(&str, &str)]) -> Request {
    Request {
        method: Method::GET,
        uri: Uri::from_static("/"),
        surface: Surface::Page,
        ..api(pairs)
    }
}

fn answered(request: &Request) -> bool {
    let Request {
        method,
        uri,
        headers,
        surface,
    } = request;
    let facts = RequestFacts {
        method,
        uri,
        headers,
        surface: *surface,
    };
    match LocalMode::decide(&at_home(), PORT).unwrap().check_request(&facts) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.status(true), 403);
            assert!(
                error.message.ends_with('.') && error.message.len() > 40,
                "{}",
                error.message
            );
            false
        }
    }
}

#[test]
fn local_mode_is_on_only_where_no_one_else_can_come() {
    for bind in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        let there = Surroundings {
            bind: bind.parse().unwrap(),
            ..at_home()
        };
        assert!(LocalMode::decide(&there, PORT).is_ok(), "{bind}");
    }
    for bind in [
        "0.0.0.0",
        "::",
        "192.168.1.5",
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
    ] {
        let there = Surroundings {
            bind: bind.parse().unwrap(),
            ..at_home()
        };
        let reasons = LocalMode::decide(&there, PORT).unwrap_err();
        assert!(reasons.len() == 1 && reasons[0].contains("HOST"), "{reasons:?}");
    }
    let all = Surroundings {
        bind: [0, 0, 0, 0].into(),
        has_account: true,
        frontend_url: true,
        trusted_proxies: true,
        origin_secret: true,
    };
    let reasons = LocalMode::decide(&all, PORT).unwrap_err();
    assert_eq!(reasons.len(), 5, "all at once: {reasons:?}");
    for name in ["FRONTEND_URL", "TRUSTED_PROXIES", "ORIGIN_SECRET", "account"] {
        assert_eq!(reasons.iter().filter(|r| r.contains(name)).count(), 1, "{name}");
    }
}

#[test]
fn this_machines_own_names_are_answered() {
    let hosts = [
        "localhost:8001",
        "LocalHost:8001",
        "localhost",
        "127.0.0.1:8001",
        "127.0.0.1",
        "127.8.8.8:8001",
        "[::1]:8001",
        "[::1]",
        "[0:0:0:0:0:0:0:1]:8001",
    ];
    for host in hosts {
        assert!(answered(&api(&[("host", host)])), "{host}");
    }
}

#[test]
fn every_other_name_is_refused_whatever_it_resolves_to() {
    let hosts = [
        "",
        "evil.example",
        "evil.example:8001",
        "localhost.evil.example:8001",
        "127.0.0.1.nip.io:8001",
        "app.localhost:8001",
        "localhost.:8001",
        "localhost.localdomain:8001",
        "127.0.0.1.:8001",
        "user@localhost:8001",
        "localhost:8001@evil.example",
        "localhost:80:8001",
        "localhost:",
        "localhost:9000",
        "localhost:08001",
        "localhost:+8001",
        "localhost:65537",
        "127.1:8001",
        "127.0.1:8001",
        "2130706433:8001",
        "0x7f000001:8001",
        "0177.0.0.1:8001",
        "127.0.0.01:8001",
        "0.0.0.0:8001",
        "0:8001",
        "192.168.1.5:8001",
        "[::]:8001",
        "[::ffff:127.0.0.1]:8001",
        "[::1%25lo]:8001",
        "[fe80::1]:8001",
        "::1:8001",
        "[::1",
        "[::1]8001",
        "[::1]:",
        "[127.0.0.1]:8001",
        " localhost:8001",
        "localhost:8001,evil.example",
        "localhost:8001/",
        "localhost\\:8001",
        "goblin:8001",
        "*",
    ];
    for host in hosts {
        assert!(!answered(&api(&[("host", host)])), "{host}");
        assert!(!answered(&page(&[("host", host)])), "{host}");
    }
    assert!(!answered(&api(&[])), "no Host at all");
    assert!(
        !answered(&api(&[("host", "localhost:8001"), ("host", "evil.example")])),
        "two of them"
    );
    assert!(
        !answered(&api(&[("host", "localhost:8001"), ("host", "localhost:8001")])),
        "two of them"
    );
    let mut bytes = api(&[]);
    bytes
        .headers
        .insert("host", HeaderValue::from_bytes(b"localh\xf6st:8001").unwrap());
    assert!(!answered(&bytes));
}

#[test]
fn a_target_with_its_own_authority_must_agree_with_the_host() {
    for (uri, host, expected) in [
        ("http://localhost:8001/api/chats", Some("localhost:8001"), true),
        ("http://localhost:8001/api/chats", None, true),
        ("http://localhost:8001/api/chats", Some("127.0.0.1:8001"), false),
        ("http://evil.example/api/chats", Some("localhost:8001"), false),
        ("http://localhost:8001/api/chats", Some("evil.example"), false),
        ("http://user@localhost:8001/api/chats", None, false),
    ] {
        let pairs: Vec<_> = host.iter().map(|h| ("host", *h)).collect();
        let request = Request {
            uri: uri.parse().unwrap(),
            ..api(&pairs)
        };
        assert_eq!(answered(&request), expected, "{uri} {host:?}");
    }
}

#[test]
fn whatever_was_passed_on_is_refused() {
    let names = [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
        "CF-Ray",
        "True-Client-IP",
        "X-Client-IP",
        "X-Original-Host",
        "Fly-Client-IP",
    ];
    for name in names {
        assert!(
            !answered(&api(&[("host", "localhost:8001"), (name, "")])),
            "{name}"
        );
        assert!(
            !answered(&page(&[("host", "localhost:8001"), (name, "127.0.0.1")])),
            "{name}"
        );
    }
    assert!(answered(&api(&[
        ("host", "localhost:8001"),
        ("x-correlation-id", "f"),
        ("user-agent", "curl")
    ])));
}

#[test]
fn a_page_that_says_where_it_is_from_must_be_ours() {
    for (host, origin, expected) in [
        ("localhost:8001", "http://localhost:8001", true),
        ("localhost:8001", "http://LOCALHOST:8001", true),
        ("127.0.0.1:8001", "http://127.0.0.1:8001", true),
        ("[::1]:8001", "http://[::1]:8001", true),
        ("localhost:8001", "http://127.0.0.1:8001", false),
        ("127.0.0.1:8001", "http://127.0.0.2:8001", false),
        ("localhost:8001", "http://localhost:3000", false),
        ("localhost:8001", "http://localhost", false),
        ("localhost", "http://localhost", false),
        ("localhost:8001", "https://localhost:8001", false),
        ("localhost:8001", "null", false),
        ("localhost:8001", "", false),
        ("localhost:8001", "http://evil.example", false),
        ("localhost:8001", "http://localhost:8001.evil.example", false),
        ("localhost:8001", "http://localhost:8001@evil.example", false),
        ("localhost:8001", "http://localhost:8001/", false),
        ("localhost:8001", "http://localhost.evil.example:8001", false),
        ("localhost:8001", "file://", false),
        ("localhost:8001", "chrome-extension://abcdefgh", false),
    ] {
        assert_eq!(
            answered(&api(&[("host", host), ("origin", origin)])),
            expected,
            "{host} {origin}"
        );
    }
    let twice = [
        ("host", "localhost:8001"),
        ("origin", "http://localhost:8001"),
        ("origin", "null"),
    ];
    assert!(!answered(&api(&twice)));
}

#[test]
fn other_sites_may_link_to_the_page_and_do_nothing_else() {
    let with = |build: fn(&[(&str, &str)]) -> Request, site: &str, mode: &str, dest: &str| {
        build(&[
            ("host", "localhost:8001"),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", dest),
        ])
    };
    for site in ["same-origin", "none"] {
        assert!(answered(&with(api, site, "cors", "empty")), "{site}");
        assert!(answered(&with(page, site, "navigate", "document")), "{site}");
        assert!(answered(&with(page, site, "no-cors", "script")), "{site}");
    }
    for site in ["cross-site", "same-site", "", "new-word", "none, cross-site"] {
        assert!(answered(&with(page, site, "navigate", "document")), "{site}");
        assert!(!answered(&with(page, site, "navigate", "iframe")), "{site}");
        assert!(!answered(&with(page, site, "no-cors", "image")), "{site}");
        let form = Request {
            method: Method::POST,
            ..with(page, site, "navigate", "document")
        };
        assert!(!answered(&form), "{site}");
        for mode in ["cors", "no-cors", "navigate"] {
            assert!(!answered(&with(api, site, mode, "document")), "{site} {mode}");
            let read = Request {
                method: Method::GET,
                ..with(api, site, mode, "document")
            };
            assert!(!answered(&read), "{site} {mode}");
        }
    }
    let twice = [
        ("host", "localhost:8001"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "cross-site"),
    ];
    assert!(!answered(&api(&twice)));
}
