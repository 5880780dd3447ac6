//! What a broken server looks like from here.

use goblin_net::{NetError, NetOptions, Url, Waiting};
use http::StatusCode;
use tokio::net::TcpListener;

use crate::raw_server::{SHORT, client, get, serve, soon};

#[tokio::test]
async fn a_port_where_nothing_listens_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = soon(client(|_| ()).send(get(&Url::parse(&format!("http://{address}/")).unwrap())))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        NetError::ConnectRefused {
            address: address.clone()
        }
    );
    assert!(error.to_string().contains(&address));
}

#[tokio::test]
async fn a_name_nobody_knows_is_a_dns_error() {
    let url = Url::parse("http://no-such-host.invalid:81/").unwrap();
    let error = soon(client(|_| ()).send(get(&url))).await.unwrap_err();
    assert!(
        matches!(&error, NetError::Dns { address, .. } if address == "no-such-host.invalid:81"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_silent_before_its_headers_times_out_and_sees_the_close() {
    let (url, server) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.closed().await;
    })
    .await;
    let error = soon(client(|o| o.first_byte_timeout = SHORT).send(get(&url)))
        .await
        .unwrap_err();
    assert_eq!(
        error,
        NetError::Timeout {
            address: url.address(),
            what: Waiting::FirstByte,
            seconds: "0.5".into()
        }
    );
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_body_that_stalls_gives_what_came_and_then_times_out() {
    let (url, server) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        peer.closed().await;
    })
    .await;
    let mut response = soon(client(|o| o.idle_timeout = SHORT).send(get(&url)))
        .await
        .unwrap();
    assert_eq!(soon(response.body.chunk()).await.unwrap().unwrap(), "hello");
    let error = soon(response.body.chunk()).await.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                what: Waiting::Body,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        soon(response.body.chunk()).await.is_none(),
        "an error is the last item"
    );
    drop(response);
    soon(server).await.unwrap();
}

#[tokio::test]
async fn dropping_a_body_hangs_up_on_the_server() {
    let (url, server) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
        peer.closed().await;
    })
    .await;
    let client = client(|_| ());
    let mut response = soon(client.send(get(&url))).await.unwrap();
    assert_eq!(soon(response.body.chunk()).await.unwrap().unwrap(), "hello");
    drop(response);
    soon(server)
        .await
        .expect("the server saw the close while the client lives on");
    drop(client);
}

#[tokio::test]
async fn dropping_a_request_that_waits_for_its_headers_hangs_up_too() {
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let (url, server) = serve(|mut peer| async move {
        peer.read_request().await;
        asked.send(()).unwrap();
        peer.closed().await;
    })
    .await;
    let client = client(|_| ());
    let sending = client.send(get(&url));
    tokio::select! {
        _ = sending => panic!("nothing was answered"),
        _ = was_asked => {}
    }
    soon(server).await.unwrap();
}

#[tokio::test]
async fn broken_connections_are_resets_and_noise_is_no_http() {
    for (said, reset) in [
        ("", true),
        ("HTTP/1.1 200 OK\r\ncontent-le", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            true,
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", false),
    ] {
        let (url, _server) = serve(move |mut peer| async move {
            peer.read_request().await;
            peer.say(said).await;
        })
        .await;
        let outcome = match soon(client(|_| ()).send(get(&url))).await {
            Ok(response) => soon(response.body.collect()).await,
            Err(error) => Err(error),
        };
        match outcome {
            Err(NetError::Reset { address }) if reset => assert_eq!(address, url.address()),
            Err(NetError::Protocol { address, .. }) if !reset => assert_eq!(address, url.address()),
            other => panic!("{said:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_cut_off() {
    let (url, _server) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            .await;
    })
    .await;
    let response = soon(client(|o| o.max_body_bytes = 4).send(get(&url)))
        .await
        .unwrap();
    let error = soon(response.body.collect()).await.unwrap_err();
    assert_eq!(
        error,
        NetError::TooLarge {
            address: url.address(),
            limit: 4
        }
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (url, _server) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    assert_eq!(
        soon(client(|_| ()).send(get(&url))).await.unwrap().status,
        StatusCode::FOUND
    );
}

#[tokio::test]
async fn a_body_read_to_its_end_leaves_its_connection_for_the_next_request() {
    let (url, server) = serve(|mut peer| async move {
        let mut requests = Vec::new();
        for _ in 0..2 {
            requests.push(peer.read_request().await);
            peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        }
        requests
    })
    .await;
    let client = client(|_| ());
    for path in ["one", "two"] {
        let response = soon(client.send(get(&url.join(path)))).await.unwrap();
        assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
        // The connection goes back to the pool by a task of its own; let it run.
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
    }
    let requests = soon(server).await.unwrap();
    assert!(requests[0].starts_with("GET /one HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[1].starts_with("GET /two HTTP/1.1\r\n"), "{requests:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_or_says_nothing_during_it_is_told_apart() {
    let (url, _server) = serve(|mut peer| async move {
        peer.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
        peer
    })
    .await;
    let https = |url: &Url| Url::parse(&url.to_string().replace("http:", "https:")).unwrap();
    let error = soon(client(|_| ()).send(get(&https(&url)))).await.unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");

    let (url, _server) = serve(|peer| async move {
        std::future::pending::<()>().await;
        drop(peer);
    })
    .await;
    let error = soon(client(|o| o.connect_timeout = SHORT).send(get(&https(&url))))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                what: Waiting::Connect,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn extra_authorities_must_be_certificates() {
    for pem in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "not a certificate",
    ] {
        let options = NetOptions {
            roots_pem: Some(pem.into()),
            ..NetOptions::default()
        };
        let error = goblin_net::HttpClient::build(options).unwrap_err();
        assert!(matches!(error, NetError::Setup { .. }), "{pem:?}: {error:?}");
    }
}
