//! Redirects between real servers.

use goblin_net::{MAX_REDIRECTS, NetError, Refusal, Request};
use http::header::{AUTHORIZATION, RANGE};
use http::{HeaderValue, Method};

use crate::raw_server::{client, get, serve, soon};

fn to(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

const FILE: &str = "HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\nconnection: close\r\n\r\nfile";

#[tokio::test]
async fn another_host_gets_the_range_and_the_query_but_not_the_token() {
    let (cdn, asked_cdn) = serve(|mut peer| async move {
        let asked = peer.read_request().await;
        peer.say(FILE).await;
        asked
    })
    .await;
    let location = format!("{cdn}file?signature=a%2Fb");
    let (url, asked_first) = serve(move |mut peer| async move {
        let asked = peer.read_request().await;
        peer.say(&to(&location)).await;
        asked
    })
    .await;
    let mut request = get(&url);
    request
        .headers
        .insert(AUTHORIZATION, HeaderValue::from_static("Bearer hf_secret"));
    request
        .headers
        .insert(RANGE, HeaderValue::from_static("bytes=3-"));
    let answer = soon(client(|_| ()).send_following(request)).await.unwrap();
    assert_eq!(answer.status, 206);
    assert_eq!(soon(answer.body.collect()).await.unwrap(), "file");
    let (first, second) = (soon(asked_first).await.unwrap(), soon(asked_cdn).await.unwrap());
    assert!(first.contains("authorization: Bearer hf_secret"), "{first}");
    assert!(
        second.starts_with("GET /file?signature=a%2Fb ") && second.contains("range: bytes=3-"),
        "{second}"
    );
    assert!(!second.contains("hf_secret"), "{second}");
}

#[tokio::test]
async fn the_same_host_keeps_the_token() {
    let (url, asked) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say("HTTP/1.1 307 Moved\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n")
            .await;
        let asked = peer.read_request().await;
        peer.say(FILE).await;
        asked
    })
    .await;
    let mut request = get(&url);
    request
        .headers
        .insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
    let answer = soon(client(|_| ()).send_following(request)).await.unwrap();
    assert_eq!(soon(answer.body.collect()).await.unwrap(), "file");
    let asked = soon(asked).await.unwrap();
    assert!(
        asked.starts_with("GET /there ") && asked.contains("authorization: Bearer t"),
        "{asked}"
    );
}

#[tokio::test]
async fn redirects_that_may_not_be_followed_are_errors() {
    for (location, says) in [
        ("file:///etc/passwd", "something else than http"),
        ("http://user:pass@127.0.0.1:1/", "user name or password"),
        ("http://", "names no"),
    ] {
        let (url, _asked) = serve(move |mut peer| async move {
            peer.read_request().await;
            peer.say(&to(location)).await;
        })
        .await;
        let error = soon(client(|_| ()).send_following(get(&url))).await.unwrap_err();
        assert!(
            matches!(&error, NetError::Redirect { reason, .. } if reason.contains(says)),
            "{error}"
        );
    }
    let (url, _asked) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say(&to("http://169.254.169.254/latest/meta-data")).await;
    })
    .await;
    let error = soon(client(|_| ()).send_following(get(&url))).await.unwrap_err();
    assert!(
        matches!(&error, NetError::Blocked { refusal: Refusal::Metadata, address } if address == "169.254.169.254:80"),
        "{error}"
    );
}

#[tokio::test]
async fn a_circle_of_redirects_ends_and_a_post_is_never_sent_on() {
    let (url, asked) = serve(|mut peer| async move {
        for _ in 0..=MAX_REDIRECTS {
            peer.read_request().await;
            peer.say("HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
        peer.closed().await;
    })
    .await;
    let net = client(|_| ());
    let error = soon(net.send_following(get(&url))).await.unwrap_err();
    assert!(matches!(error, NetError::Redirect { .. }), "{error}");
    drop(net);
    soon(asked).await.unwrap();
    let (url, _asked) = serve(|mut peer| async move {
        peer.read_request().await;
        peer.say(&to("/elsewhere")).await;
    })
    .await;
    let post = Request::new(Method::POST, url);
    assert_eq!(
        soon(client(|_| ()).send_following(post)).await.unwrap().status,
        302
    );
}
