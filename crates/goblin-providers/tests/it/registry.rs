//! Registries that behave well and badly.
#![allow(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, also in what tests share"
)]

use std::time::Duration;

use goblin_net::{HttpClient, NetError, NetOptions, Refusal, Url};
use goblin_providers::registry::{Offer, Reference, Registry, RegistryError, RegistryOptions};

use crate::fake_upstream::{HANG_GUARD, SHORT, soon};
use crate::registry_server::{Dice, RegistryServer, Trouble, blob, sha256};

fn registry(ollama: &str, huggingface: &str, token: Option<&str>) -> Registry {
    patient_registry(ollama, huggingface, token, HANG_GUARD)
}

/// `idle`: the longest silence in a body.
fn patient_registry(ollama: &str, huggingface: &str, token: Option<&str>, idle: Duration) -> Registry {
    let options = NetOptions {
        connect_timeout: HANG_GUARD,
        first_byte_timeout: HANG_GUARD,
        idle_timeout: idle,
        ..NetOptions::default()
    };
    Registry::new(
        HttpClient::build(options).unwrap(),
        RegistryOptions {
            ollama: Url::parse(ollama).unwrap(),
            huggingface: Url::parse(huggingface).unwrap(),
            huggingface_token: token.map(|t| t.to_owned().into()),
        },
    )
}

fn weights() -> Vec<u8> {
    let mut dice = Dice(7);
    (0..60_000)
        .map(|_| u8::try_from(dice.below(256)).unwrap())
        .collect()
}

async fn look_up(registry: &Registry, reference: &str) -> Result<Offer, RegistryError> {
    soon(registry.look_up(&Reference::parse(reference).unwrap())).await
}

/// Fetches from byte `from`; what came, and how it ended.
async fn fetch(
    registry: &Registry,
    offer: &Offer,
    from: u64,
) -> Result<(u64, Vec<u8>, Option<NetError>), RegistryError> {
    let mut opened = soon(registry.open(&offer.weights, from)).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = soon(opened.body.chunk()).await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return Ok((opened.start, bytes, Some(error))),
        }
    }
    Ok((opened.start, bytes, None))
}

#[tokio::test]
async fn a_model_of_ollamas_registry_is_described_and_fetched() {
    let server = RegistryServer::start();
    let weights = weights();
    server.put_ollama("library/gemma", "2b", &weights, "Gemma Terms of Use\n\nand more");
    let registry = registry(&server.url, "http://127.0.0.1:1", Some("hf_token"));
    let offer = look_up(&registry, "gemma:2b").await.unwrap();
    assert_eq!(
        (offer.name.as_str(), offer.reference.as_str()),
        ("gemma:2b", "gemma:2b")
    );
    assert_eq!(
        (offer.weights.size_bytes, &offer.weights.sha256),
        (60_000, &sha256(&weights))
    );
    let licence = soon(registry.read(&offer.licence_texts[0])).await.unwrap();
    assert!(licence.starts_with(b"Gemma Terms"));
    assert_eq!(fetch(&registry, &offer, 0).await.unwrap(), (0, weights, None));
    let asked = server.asked().concat();
    assert!(asked.contains("accept: application/vnd.docker.distribution.manifest.v2+json"));
    assert!(!asked.contains("hf_token"), "the token is Hugging Face's");
}

#[tokio::test]
async fn a_fetch_cut_at_random_points_goes_on_there_to_the_last_byte() {
    let server = RegistryServer::start();
    let weights = weights();
    server.put_ollama("library/m", "latest", &weights, "MIT");
    let registry = registry(&server.url, &server.url, None);
    let offer = look_up(&registry, "m").await.unwrap();
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let cuts: Vec<Trouble> = (0..5).map(|_| Trouble::Cut(dice.below(12_000))).collect();
        server.trouble(cuts);
        let mut whole = Vec::new();
        let mut broken = 0;
        while whole.len() < weights.len() {
            let (start, bytes, error) = fetch(&registry, &offer, whole.len() as u64).await.unwrap();
            assert_eq!(start, whole.len() as u64);
            whole.extend_from_slice(&bytes);
            broken += usize::from(matches!(error, Some(NetError::Reset { .. })));
        }
        assert_eq!(whole, weights, "seed {seed}");
        assert_eq!(broken, 5, "seed {seed}: every cut was noticed");
    }
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_is_taken_from_the_beginning() {
    let server = RegistryServer::start();
    let weights = weights();
    server.put_ollama("library/m", "latest", &weights, "MIT");
    server.trouble([Trouble::NoRange]);
    let registry = registry(&server.url, &server.url, None);
    let offer = look_up(&registry, "m").await.unwrap();
    assert_eq!(fetch(&registry, &offer, 100).await.unwrap(), (0, weights, None));
}

#[tokio::test]
async fn a_body_that_stalls_ends_with_what_came_and_one_that_is_altered_has_another_checksum() {
    let server = RegistryServer::start();
    let weights = weights();
    server.put_ollama("library/m", "latest", &weights, "MIT");
    server.trouble([Trouble::Stall(1000), Trouble::Altered]);
    let registry = patient_registry(&server.url, &server.url, None, SHORT);
    let offer = look_up(&registry, "m").await.unwrap();
    let (_, bytes, error) = fetch(&registry, &offer, 0).await.unwrap();
    assert_eq!(bytes, weights[..1000]);
    assert!(matches!(error, Some(NetError::Timeout { .. })), "{error:?}");
    let (_, bytes, error) = fetch(&registry, &offer, 0).await.unwrap();
    assert_eq!((bytes.len(), error), (weights.len(), None));
    assert_ne!(sha256(&bytes), offer.weights.sha256);
}

#[tokio::test]
async fn other_lengths_and_other_parts_than_announced_are_refused_before_the_body() {
    let server = RegistryServer::start();
    let weights = weights();
    server.put_ollama("library/m", "latest", &weights, "MIT");
    let registry = registry(&server.url, &server.url, None);
    let offer = look_up(&registry, "m").await.unwrap();
    server.trouble([Trouble::Length(59_000), Trouble::Length(61_000)]);
    for length in ["59000", "61000"] {
        let error = fetch(&registry, &offer, 0).await.unwrap_err().to_string();
        assert!(error.contains(length) && error.contains("60000"), "{error}");
    }
    let path = blob("library/m", &weights);
    for (range, says) in [
        ("content-range: bytes 0-9/60000\r\n", "another part"),
        ("content-range: bytes 100-59999/70000\r\n", "another part"),
        ("", "without saying which"),
    ] {
        server.say_once(&path, "206 Partial Content", range, "0123456789");
        let error = fetch(&registry, &offer, 100).await.unwrap_err();
        assert!(
            matches!(&error, RegistryError::NotARegistry { reason, .. } if reason.contains(says)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_unknown_tag_names_the_nearest_where_the_registry_lists_them() {
    let server = RegistryServer::start();
    let registry = registry(&server.url, &server.url, None);
    let error = look_up(&registry, "gemma:2b").await.unwrap_err().to_string();
    assert!(
        error.contains("no model `gemma:2b`") && error.contains("ollama.com/library"),
        "{error}"
    );
    server.put(
        "/v2/library/gemma/tags/list",
        br#"{"name":"gemma","tags":["7b","2b-instruct","2b-text"]}"#,
    );
    let error = look_up(&registry, "gemma:2b-instrct")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("Did you mean `gemma:2b-instruct`?"), "{error}");
    let error = look_up(&registry, "gemma:xyz").await.unwrap_err().to_string();
    assert!(error.contains("2b-instruct, 2b-text, 7b"), "{error}");
}

#[tokio::test]
async fn refusals_mean_what_they_say() {
    let server = RegistryServer::start();
    let registry = registry(&server.url, &server.url, None);
    let path = "/v2/library/m/manifests/latest";
    for (status, headers, wait) in [
        (
            "429 Too Many Requests",
            "retry-after: 7\r\n",
            Some(Duration::from_secs(7)),
        ),
        ("503 Service Unavailable", "retry-after: soon\r\n", None),
        ("502 Bad Gateway", "", None),
    ] {
        server.say_once(path, status, headers, "");
        let error = look_up(&registry, "m").await.unwrap_err();
        assert!(error.is_passing() && error.retry_after() == wait, "{error:?}");
    }
    server.say_once(path, "401 Unauthorized", "", "");
    let error = look_up(&registry, "m").await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { status: 401, .. }) && !error.is_passing());
    server.say_once("/api/models/O/R?blobs=true", "401 Unauthorized", "", "");
    let error = look_up(&registry, "hf.co/O/R").await.unwrap_err().to_string();
    assert!(
        error.contains("does not exist, is private") && error.contains("HF_TOKEN"),
        "{error}"
    );
    for (headers, body, says) in [
        (
            "content-type: text/html; charset=utf-8\r\n",
            "<html>Sign in</html>",
            "web page",
        ),
        (
            "content-type: application/json\r\n",
            "{\"layers\":",
            "not the JSON",
        ),
        (
            "content-type: application/json\r\n",
            "{\"layers\":3}",
            "not the JSON",
        ),
        ("", "{\"layers\":[]}", "no GGUF file"),
        (
            "",
            r#"{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../x","size":5}]}"#,
            "no SHA-256",
        ),
    ] {
        server.say_once(path, "200 OK", headers, body);
        let error = look_up(&registry, "m").await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_named_with_what_was_tried() {
    let registry = registry("http://127.0.0.1:1", "http://127.0.0.1:1", None);
    for (reference, tried) in [
        ("gemma:2b", "http://127.0.0.1:1/v2/library/gemma/manifests/2b"),
        ("hf.co/O/R", "http://127.0.0.1:1/api/models/O/R"),
    ] {
        let error = look_up(&registry, reference).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1:1 refused the connection") && text.contains(tried),
            "{text}"
        );
        assert!(!error.is_passing());
    }
}

#[tokio::test]
async fn hugging_faces_token_goes_to_it_and_not_to_where_it_redirects() {
    let (hub, cdn) = (RegistryServer::start(), RegistryServer::start());
    let weights = weights();
    hub.put_huggingface(
        "Org/Repo",
        &[("m-Q4_K_M.gguf", &weights), ("m-Q8_0.gguf", b"other")],
    );
    cdn.put("/there?signature=x%2Fy", &weights);
    let registry = registry("http://127.0.0.1:1", &hub.url, Some("hf_secret"));
    let offer = look_up(&registry, "hf.co/Org/Repo").await.unwrap();
    assert_eq!(
        (offer.name.as_str(), offer.licence.as_deref()),
        ("m-q4_k_m", Some("apache-2.0"))
    );
    let location = format!("location: {}/there?signature=x%2Fy\r\n", cdn.url);
    hub.say_once(offer.weights.url.path(), "302 Found", &location, "");
    let (start, bytes, error) = fetch(&registry, &offer, 50_000).await.unwrap();
    assert_eq!((start, &bytes[..], error), (50_000, &weights[50_000..], None));
    assert_eq!(
        hub.asked()
            .iter()
            .filter(|a| a.contains("authorization: bearer hf_secret"))
            .count(),
        2
    );
    let asked = cdn.asked().concat();
    assert!(
        asked.contains("range: bytes=50000-") && !asked.contains("hf_secret"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_checksum_that_is_only_at_the_file_is_asked_for_there() {
    let hub = RegistryServer::start();
    let weights = weights();
    let description = r#"{"siblings":[{"rfilename":"m.gguf"}]}"#;
    hub.put("/api/models/O/R?blobs=true", description.as_bytes());
    let headers = format!(
        "x-linked-etag: \"{}\"\r\nx-linked-size: 60000\r\nlocation: http://127.0.0.1:1/\r\n",
        sha256(&weights)
    );
    hub.say_once("/O/R/resolve/main/m.gguf", "302 Found", &headers, "");
    let registry = registry(&hub.url, &hub.url, None);
    let offer = look_up(&registry, "hf:O/R/m.gguf").await.unwrap();
    assert_eq!(
        (offer.weights.size_bytes, offer.weights.sha256),
        (60_000, sha256(&weights))
    );
    let error = look_up(&registry, "hf:O/R/m.gguf").await.unwrap_err().to_string();
    assert!(error.contains("no checksum"), "{error}");
}

#[tokio::test]
async fn no_registry_leads_us_to_a_metadata_service() {
    let server = RegistryServer::start();
    let registry = registry(&server.url, &server.url, None);
    let location = "location: http://169.254.169.254/latest/meta-data/\r\n";
    server.say_once(
        "/v2/library/m/manifests/latest",
        "307 Temporary Redirect",
        location,
        "",
    );
    let error = look_up(&registry, "m").await.unwrap_err();
    assert!(
        matches!(
            &error,
            RegistryError::Network {
                source: NetError::Blocked {
                    refusal: Refusal::Metadata,
                    ..
                },
                ..
            }
        ),
        "{error}"
    );
}
