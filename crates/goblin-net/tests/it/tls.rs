//! Who is trusted, and what is said when somebody is not.

use goblin_net::{HttpClient, Identity, NetError, NetOptions};

use crate::authority::{Authority, named, say_hi, serve_tls, server};
use crate::raw_server::{client, get, serve, soon};

async fn refused(client: &HttpClient, url: &goblin_net::Url) -> String {
    match soon(client.send(get(url))).await {
        Err(NetError::Tls { address, reason }) => {
            assert_eq!(address, url.address());
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named_and_the_public_ones_then_are_not() {
    let (ours, other) = (Authority::new(), Authority::new());
    let identity = ours.certify("127.0.0.1", |_| ());
    let (url, _) = serve_tls(server(&identity, None, &[]), say_hi).await;
    let trusting = client(|o| o.roots_pem = Some(ours.pem.clone()));
    let response = soon(trusting.send(get(&url))).await.unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
    for pem in [None, Some(other.pem.clone())] {
        let reason = refused(&client(|o| o.roots_pem = pem), &url).await;
        assert!(
            reason.contains("authority that is not trusted") && reason.contains("ca_file"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_in_a_sentence() {
    let authority = Authority::new();
    let expired = authority.certify("127.0.0.1", |p| p.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let future = authority.certify("127.0.0.1", |p| p.not_before = rcgen::date_time_ymd(3000, 1, 1));
    let other = authority.certify("other.example", |_| ());
    for (identity, parts) in [
        (expired, ["has expired", ""]),
        (future, ["not valid yet", "clock"]),
        (other, ["another name", "other.example"]),
    ] {
        let (url, _) = serve_tls(server(&identity, None, &[]), say_hi).await;
        let reason = refused(&client(|o| o.roots_pem = Some(authority.pem.clone())), &url).await;
        assert!(
            parts.iter().all(|part| reason.contains(part)),
            "{parts:?}: {reason}"
        );
    }
    let (url, _server) = serve(|mut peer| async move {
        peer.say("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer
    })
    .await;
    let https = goblin_net::Url::parse(&url.to_string().replace("http:", "https:")).unwrap();
    let reason = refused(&client(|_| ()), &https).await;
    assert!(reason.contains("does not speak TLS"), "{reason}");
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_takes_ours_and_refuses_none_and_anothers() {
    let (ours, strangers) = (Authority::new(), Authority::new());
    let config = server(&ours.certify("127.0.0.1", |_| ()), Some(&ours), &[]);
    let (url, _) = serve_tls(config, say_hi).await;
    let with = |identity: Option<Identity>| {
        client(|o| {
            o.roots_pem = Some(ours.pem.clone());
            o.identity = identity;
        })
    };
    let known = with(Some(ours.certify("backend", |_| ())));
    let response = soon(known.send(get(&url))).await.unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
    let reason = refused(&with(None), &url).await;
    assert!(
        reason.contains("wants a certificate") && reason.contains("client_cert_file"),
        "{reason}"
    );
    let reason = refused(&with(Some(strangers.certify("backend", |_| ()))), &url).await;
    assert!(
        reason.contains("does not accept this client's certificate"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_name_that_is_checked_is_the_one_that_was_asked_for() {
    let authority = Authority::new();
    let identity = authority.certify("models.example", |_| ());
    let (url, _) = serve_tls(server(&identity, None, &[]), say_hi).await;
    let client = client(|o| {
        o.roots_pem = Some(authority.pem.clone());
        for name in ["models.example", "elsewhere.example"] {
            o.pinned_hosts
                .insert(name.into(), vec!["127.0.0.1".parse().unwrap()]);
        }
    });
    let response = soon(client.send(get(&named(&url, "models.example"))))
        .await
        .unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
    let reason = refused(&client, &named(&url, "elsewhere.example")).await;
    assert!(reason.contains("elsewhere.example"), "{reason}");
}

#[test]
fn a_certificate_needs_the_key_it_was_made_with() {
    let authority = Authority::new();
    let (one, two) = (authority.certify("a", |_| ()), authority.certify("b", |_| ()));
    for (certificate_pem, key_pem, part) in [
        (one.certificate_pem.clone(), two.key_pem, "do not belong together"),
        (
            one.certificate_pem.clone(),
            one.certificate_pem.clone(),
            "not a PEM private key",
        ),
        (one.key_pem.clone(), one.key_pem, "holds no certificate"),
    ] {
        let options = NetOptions {
            identity: Some(Identity {
                certificate_pem,
                key_pem,
            }),
            ..NetOptions::default()
        };
        let error = HttpClient::build(options).unwrap_err();
        assert!(
            matches!(&error, NetError::Setup { reason } if reason.contains(part)),
            "{part}: {error}"
        );
    }
}
