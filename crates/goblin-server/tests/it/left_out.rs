//! Wishes that a model cannot take: refused by name, or left out and listed in a header, as the operator chose.

use goblin_core::chat::Untranslated;
use goblin_core::maker::Maker;
use serde_json::{Value, json};

use crate::cloud_doors::{handle, healthy, posted};
use crate::test_app::{Setup, TestApp};

const DROPPED: &str = "x-goblin-dropped";
/// Says 422 where others say 400.
const LEGACY: &str = "/api/chat/completions";
const CLAUDE: &str = "anthropic/claude-sonnet-4-5";

/// For each door, a request with wishes that its model cannot take, and what they are called.
fn wishes() -> [(&'static str, Value, &'static str); 5] {
    let messages = json!([{"role": "user", "content": "Hi."}]);
    [
        (
            "/v1/chat/completions",
            json!({"model": CLAUDE, "messages": messages, "logit_bias": {"5": 1}, "seed": 3}),
            "seed, logit_bias",
        ),
        (
            LEGACY,
            json!({"model": CLAUDE, "messages": messages, "seed": 3}),
            "seed",
        ),
        (
            "/v1/responses",
            json!({"model": CLAUDE, "input": "Hi.", "text": {"verbosity": "low"}}),
            "text.verbosity",
        ),
        (
            "/v1/messages",
            json!({"model": "openai/gpt-5-nano", "messages": messages, "max_tokens": 50, "temperature": 0.5}),
            "temperature",
        ),
        (
            "/api/chat",
            json!({"model": CLAUDE, "messages": messages, "options": {"seed": 3}}),
            "seed",
        ),
    ]
}

#[tokio::test]
async fn a_wish_that_cannot_be_taken_is_refused_or_left_out_and_listed_as_the_operator_chose() {
    for untranslated in [Untranslated::Refuse, Untranslated::Header] {
        let clouds = [
            (Maker::Anthropic, healthy(Maker::Anthropic).await),
            (Maker::OpenAi, healthy(Maker::OpenAi).await),
        ];
        let app = TestApp::start(Setup {
            upstreams: clouds
                .iter()
                .map(|(maker, cloud)| handle(*maker, cloud))
                .collect(),
            untranslated,
            ..Setup::default()
        })
        .await;
        for (door, mut asked, names) in wishes() {
            for stream in [false, true] {
                asked["stream"] = stream.into();
                let mut reply = app.post(door, &asked).await;
                let (status, dropped) = (reply.status, reply.header(DROPPED).to_owned());
                let body = reply.text().await;
                match untranslated {
                    Untranslated::Refuse => {
                        let refused = if door == LEGACY { 422 } else { 400 };
                        assert_eq!((status.as_u16(), &*dropped), (refused, ""), "{door} {body}");
                        let first = names.split(',').next().unwrap();
                        assert!(body.contains(first), "{door} {body}");
                    }
                    Untranslated::Header => {
                        assert_eq!((status.as_u16(), &*dropped), (200, names), "{door} {body}");
                        assert!(body.contains("Hello"), "{door} {body}");
                    }
                }
            }
        }
        let asked: usize = clouds.iter().map(|(_, cloud)| posted(cloud).len()).sum();
        match untranslated {
            Untranslated::Refuse => assert_eq!(asked, 0, "nothing was asked"),
            Untranslated::Header => {
                assert_eq!(asked, 2 * wishes().len(), "each was asked once");
                for request in posted(&clouds[0].1) {
                    let body: Value = serde_json::from_str(&request.body).unwrap();
                    assert!(
                        body.get("seed").is_none() && body.get("logit_bias").is_none(),
                        "{body}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_asked_and_the_answers_shape_are_never_left_out() {
    let cloud = healthy(Maker::Anthropic).await;
    let app = TestApp::start(Setup {
        upstreams: vec![handle(Maker::Anthropic, &cloud)],
        untranslated: Untranslated::Header,
        ..Setup::default()
    })
    .await;
    for (field, value) in [
        ("audio", json!({"voice": "x"})),
        ("n", json!(2)),
        ("grammar", json!("root ::= \"x\"")),
    ] {
        let mut asked = json!({"model": CLAUDE, "messages": [{"role": "user", "content": "Hi."}], "seed": 1});
        asked[field] = value;
        let mut reply = app.post("/v1/chat/completions", &asked).await;
        assert_eq!(reply.status, 400, "{field}");
        assert_eq!(reply.header(DROPPED), "", "{field}");
        assert_eq!(reply.json().await["error"]["param"], field);
    }
    assert!(posted(&cloud).is_empty(), "nothing was asked");
    // What can be taken is taken, and nothing is listed.
    let asked =
        json!({"model": CLAUDE, "messages": [{"role": "user", "content": "Hi."}], "temperature": 0.5});
    let reply = app.post("/v1/chat/completions", &asked).await;
    assert_eq!((reply.status.as_u16(), reply.header(DROPPED)), (200, ""));
}
