//! Where a client may not go, also when a name leads there.

use std::net::IpAddr;

use goblin_net::{Guard, NetError, Refusal, Url};

use crate::raw_server::{client, get, serve, soon};

#[tokio::test]
async fn metadata_addresses_are_blocked_in_every_notation_without_a_connection() {
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
    ] {
        let url = Url::parse(&format!("http://{host}/latest/meta-data")).unwrap();
        let error = soon(client(|_| ()).send(get(&url))).await.unwrap_err();
        assert_eq!(
            error,
            NetError::Blocked {
                address: url.address(),
                refusal: Refusal::Metadata
            },
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_leads_to() {
    let metadata: IpAddr = "169.254.169.254".parse().unwrap();
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    for (guard, scheme, addresses, refusal) in [
        (Guard::Operator, "http", vec![metadata], Refusal::Metadata),
        (
            Guard::Operator,
            "http",
            vec![loopback, metadata],
            Refusal::Metadata,
        ),
        (Guard::Public, "https", vec![loopback], Refusal::NotPublic),
        (Guard::Public, "https", vec![public, loopback], Refusal::NotPublic),
    ] {
        let client = client(|o| {
            o.guard = guard;
            o.pinned_hosts.insert("rebound.example".into(), addresses);
        });
        let url = Url::parse(&format!("{scheme}://rebound.example/")).unwrap();
        let error = soon(client.send(get(&url))).await.unwrap_err();
        assert_eq!(
            error,
            NetError::Blocked {
                address: url.address(),
                refusal
            },
            "{guard:?}"
        );
    }
}

#[tokio::test]
async fn an_operators_name_for_its_own_machine_works() {
    let (url, _server) = serve(|mut peer| async move {
        let request = peer.read_request().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        request
    })
    .await;
    let port = url.address().rsplit(':').next().unwrap().to_owned();
    let client = client(|o| {
        o.pinned_hosts
            .insert("models.home".into(), vec!["127.0.0.1".parse().unwrap()]);
    });
    let response = soon(client.send(get(&Url::parse(&format!("http://models.home:{port}/x")).unwrap())))
        .await
        .unwrap();
    assert_eq!(soon(response.body.collect()).await.unwrap(), "hi");
}
