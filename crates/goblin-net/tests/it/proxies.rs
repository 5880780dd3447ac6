//! Through proxies: what they are asked for, and who is blamed.

use goblin_net::{Guard, HttpClient, NetError, Proxy, Refusal, Url};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, named, say_hi, serve_tls, server};
use crate::proxy_server::{Behaviour, http_proxy, socks_proxy};
use crate::raw_server::{Peer, client, get, serve, soon};

fn through(proxy: &str, roots_pem: Option<&[u8]>) -> HttpClient {
    client(|o| {
        o.proxy = Some(Proxy::parse(proxy).unwrap());
        o.roots_pem = roots_pem.map(<[u8]>::to_vec);
        let home = vec!["127.0.0.1".parse().unwrap()];
        o.pinned_hosts.insert("pinned.example".into(), home);
    })
}

async fn says_hi(client: &HttpClient, url: &Url) {
    let response = soon(client.send(get(url))).await.unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
}

/// The proxy that is blamed, and why.
async fn blamed(client: &HttpClient, url: &Url) -> (String, String) {
    match soon(client.send(get(url))).await {
        Err(NetError::Proxy { proxy, reason }) => (proxy, reason),
        other => panic!("{other:?}"),
    }
}

/// A server with a certificate for two names nobody else knows, and its authority.
async fn secret_server() -> (Url, Authority) {
    let authority = Authority::new();
    let identity = authority.certify("models.example", |p| {
        let more = rcgen::CertificateParams::new(vec!["pinned.example".to_owned()]).unwrap();
        p.subject_alt_names.extend(more.subject_alt_names);
    });
    let (url, _) = serve_tls(server(&identity, None, &[]), say_hi).await;
    (url, authority)
}

async fn plain_hi(mut peer: Peer) -> String {
    let request = peer.read_request().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    request
}

#[tokio::test]
async fn socks_is_given_a_name_or_the_address_it_leads_to_as_the_operator_chose() {
    let (url, authority) = secret_server().await;
    let port = url.address().rsplit(':').next().unwrap().to_owned();
    let mut proxy = socks_proxy(Behaviour::to(&url)).await;
    let client = through(&format!("socks5h://{}", proxy.address), Some(&authority.pem));
    says_hi(&client, &named(&url, "models.example")).await;
    assert_eq!(proxy.asked().await, format!("name models.example:{port}"));
    // A pinned name is resolved here whatever the proxy is.
    for scheme in ["socks5", "socks5h"] {
        let client = through(&format!("{scheme}://{}", proxy.address), Some(&authority.pem));
        says_hi(&client, &named(&url, "pinned.example")).await;
        assert_eq!(
            proxy.asked().await,
            format!("address 127.0.0.1:{port}"),
            "{scheme}"
        );
    }
    let error = soon(
        through(&format!("socks5://{}", proxy.address), None).send(get(&named(&url, "no-such-host.invalid"))),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, NetError::Dns { .. }), "{error}");
}

#[tokio::test]
async fn socks_wants_the_right_password_and_says_when_it_is_not() {
    let (url, authority) = secret_server().await;
    let mut proxy = socks_proxy(Behaviour {
        login: Some("us er:p:w"),
        ..Behaviour::to(&url)
    })
    .await;
    let url = named(&url, "models.example");
    let with = |login: &str| {
        let text = format!("socks5h://{login}{}", proxy.address);
        through(&text, Some(&authority.pem))
    };
    let (right, wrong, none) = (with("us%20er:p%3Aw@"), with("us%20er:guessed@"), with(""));
    says_hi(&right, &url).await;
    assert!(proxy.asked().await.starts_with("name models.example"));
    let (who, why) = blamed(&wrong, &url).await;
    assert_eq!(who, proxy.address);
    assert!(
        why.contains("refuses the user name and password") && !why.contains("guessed"),
        "{why}"
    );
    assert_eq!(proxy.asked().await, "wrong us er:guessed");
    let (_, why) = blamed(&none, &url).await;
    assert!(why.contains("wants a user name and password"), "{why}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_plain_http_is_handed_over() {
    let (url, authority) = secret_server().await;
    let login = "Basic dXNlcjpwdw==";
    let mut proxy = http_proxy(Behaviour {
        login: Some(login),
        ..Behaviour::to(&url)
    })
    .await;
    let client = through(&format!("http://user:pw@{}", proxy.address), Some(&authority.pem));
    let url = named(&url, "models.example");
    says_hi(&client, &url).await;
    let address = url.address();
    assert_eq!(proxy.asked().await, format!("CONNECT {address} HTTP/1.1 {login}"));

    let (url, seen) = serve(plain_hi).await;
    let mut proxy = http_proxy(Behaviour::to(&url)).await;
    let client = through(&format!("http://user:pw@{}", proxy.address), None);
    says_hi(&client, &Url::parse("http://models.example/v1").unwrap()).await;
    assert_eq!(
        proxy.asked().await,
        format!("GET http://models.example/v1 HTTP/1.1 {login}")
    );
    assert!(soon(seen).await.unwrap().contains("\r\nhost: models.example\r\n"));
}

#[tokio::test]
async fn plain_http_to_a_pinned_name_goes_through_a_tunnel_to_its_address() {
    let (url, _seen) = serve(plain_hi).await;
    let mut proxy = http_proxy(Behaviour::to(&url)).await;
    let client = through(&format!("http://{}", proxy.address), None);
    says_hi(&client, &Url::parse("http://pinned.example/v1").unwrap()).await;
    assert_eq!(proxy.asked().await, "CONNECT 127.0.0.1:80 HTTP/1.1 nobody");
}

#[tokio::test]
async fn a_proxy_can_be_reached_over_tls_and_must_be_trusted_then() {
    let (url, authority) = secret_server().await;
    let config = server(&authority.certify("127.0.0.1", |_| ()), None, &[]);
    let mut proxy = http_proxy(Behaviour {
        tls: Some(TlsAcceptor::from(config)),
        ..Behaviour::to(&url)
    })
    .await;
    let address = format!("https://{}", proxy.address);
    says_hi(
        &through(&address, Some(&authority.pem)),
        &named(&url, "models.example"),
    )
    .await;
    assert!(proxy.asked().await.starts_with("CONNECT models.example:"));
    let (who, why) = blamed(&through(&address, None), &url).await;
    assert_eq!(who, proxy.address);
    assert!(
        why.contains("cannot be trusted") && why.contains("authority"),
        "{why}"
    );
}

#[tokio::test]
async fn a_proxy_that_is_down_or_refuses_is_blamed_and_not_the_target() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap().to_string();
    drop(listener);
    let target = Url::parse("http://models.example:8002/").unwrap();
    for scheme in ["http", "https", "socks5h"] {
        let client = through(&format!("{scheme}://{gone}"), None);
        let error = soon(client.send(get(&target))).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the proxy {gone} cannot be used: it refused the connection; nothing listens there"),
            "{scheme}"
        );
    }
    let refusing = Behaviour {
        refuses: true,
        ..Behaviour::to(&Url::parse("http://127.0.0.1:1").unwrap())
    };
    let proxy = http_proxy(refusing).await;
    let client = through(&format!("http://{}", proxy.address), None);
    let (who, why) = blamed(&client, &Url::parse("https://models.example/").unwrap()).await;
    assert_eq!(
        (who, why.as_str()),
        (proxy.address, "it refuses to connect to models.example:443")
    );
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_told_from_a_server_that_does() {
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    let proxy = http_proxy(Behaviour {
        login: Some("Basic nobody has it"),
        ..Behaviour::to(&url)
    })
    .await;
    for target in ["http://models.example/", "https://models.example/"] {
        let target = Url::parse(target).unwrap();
        let (_, why) = blamed(&through(&format!("http://{}", proxy.address), None), &target).await;
        assert_eq!(why, "it wants a user name and password", "{target}");
        let (_, why) = blamed(
            &through(&format!("http://u:guess@{}", proxy.address), None),
            &target,
        )
        .await;
        assert_eq!(why, "it refuses the user name and password", "{target}");
    }
}

#[tokio::test]
async fn the_guard_judges_what_is_decided_here_and_the_proxy_is_not_even_asked() {
    let nowhere = Behaviour::to(&Url::parse("http://127.0.0.1:1").unwrap());
    let mut proxy = http_proxy(nowhere).await;
    let metadata = "169.254.169.254".parse().unwrap();
    let guarded = |guard: Guard, url: &str| {
        let address = proxy.address.clone();
        let url = Url::parse(url).unwrap();
        let client = client(|o| {
            o.guard = guard;
            o.proxy = Some(Proxy::parse(&format!("http://{address}")).unwrap());
            o.pinned_hosts.insert("rebound.example".into(), vec![metadata]);
            o.pinned_hosts
                .insert("home.example".into(), vec!["127.0.0.1".parse().unwrap()]);
        });
        async move { soon(client.send(get(&url))).await.unwrap_err() }
    };
    for (guard, url, expected) in [
        (
            Guard::Operator,
            "http://169.254.169.254/latest",
            Refusal::Metadata,
        ),
        (Guard::Operator, "https://rebound.example/", Refusal::Metadata),
        (Guard::Operator, "http://rebound.example/", Refusal::Metadata),
        (
            Guard::Operator,
            "http://metadata.google.internal/",
            Refusal::Metadata,
        ),
        (Guard::Public, "https://home.example/", Refusal::NotPublic),
    ] {
        let error = guarded(guard, url).await;
        assert!(
            matches!(&error, NetError::Blocked { refusal, .. } if *refusal == expected),
            "{url}: {error}"
        );
    }
    // A user's name is resolved here, so that it is judged.
    let error = guarded(Guard::Public, "https://no-such-host.invalid/").await;
    assert!(matches!(error, NetError::Dns { .. }), "{error}");
    assert!(proxy.is_quiet());
}
