//! Responses that are kept: only where their caller asks for it, as they were given, for their owner alone; and
//! conversations that go on from them.

use goblin_core::provider::ProviderError;
use goblin_providers::openai_compat::Kind;
use goblin_server::app::{ServerOptions, Surface};
use goblin_store::responses::KeepResponses;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Reply, data, guard};
use crate::fake_upstream::{FakeUpstream, Reply as Said, cut};
use crate::people::{guest, owner, public_app};
use crate::provider::MODEL;
use crate::test_app::{Setup, TestApp};

const DOOR: &str = "/v1/responses";
const DAY_MS: i64 = 86_400_000;

fn asking(more: Value) -> Value {
    let mut body = json!({"model": MODEL, "input": "hi"});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

async fn respond(app: &TestApp, more: Value) -> Value {
    let mut reply = app.post(DOOR, &asking(more)).await;
    let (status, body) = (reply.status, reply.json().await);
    assert_eq!(status, 200, "{body}");
    body
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    let mut reply = app.get(&format!("{DOOR}/{path}")).await;
    (reply.status.as_u16(), reply.json().await)
}

/// The response at the end of a stream.
async fn last(mut reply: Reply) -> Value {
    let events = reply.events().await;
    data(events.last().unwrap())
}

fn id(response: &Value) -> &str {
    response["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_response_is_kept_where_its_caller_asks_and_given_again_as_it_was() {
    let app = TestApp::local().await;
    for quiet in [json!({}), json!({"store": false}), json!({"store": null})] {
        let response = respond(&app, quiet.clone()).await;
        assert_eq!(response["store"], false, "{quiet}");
        assert_eq!(get(&app, id(&response)).await.0, 404, "{quiet}");
    }
    let whole = respond(&app, json!({"store": true, "metadata": {"a": "b"}})).await;
    assert_eq!(
        (&whole["store"], &whole["status"]),
        (&json!(true), &json!("completed"))
    );
    assert_eq!(get(&app, id(&whole)).await, (200, whole.clone()));
    let stream = asking(json!({"store": true, "stream": true}));
    let streamed = last(app.post(DOOR, &stream).await).await;
    assert_eq!(streamed["type"], "response.completed");
    let streamed = &streamed["response"];
    assert_eq!(get(&app, id(streamed)).await, (200, streamed.clone()));
    // A client of OpenAI's may ask for a stream of it, which is refused by name; nothing else is asked there.
    for (query, param) in [("stream=true", "stream"), ("x=1", "x")] {
        let (status, body) = get(&app, &format!("{}?{query}", id(&whole))).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!(param)));
    }
    let mut deleted = app
        .call(Method::DELETE, &format!("{DOOR}/{}", id(&whole)))
        .send()
        .await;
    assert_eq!(
        deleted.json().await,
        json!({"id": whole["id"], "object": "response", "deleted": true})
    );
    assert_eq!(get(&app, id(&whole)).await.0, 404);
    let again = app
        .call(Method::DELETE, &format!("{DOOR}/{}", id(&whole)))
        .send()
        .await;
    assert_eq!(again.status, 404);
    for odd in ["resp_1", "..", "resp_%00", "01234567-89ab-7def-8123-456789abcdef"] {
        assert_eq!(app.get(&format!("{DOOR}/{odd}")).await.status, 404, "{odd}");
    }
}

/// A model that calls a tool until it hears its result, and what it was asked.
async fn with_tools() -> (TestApp, FakeUpstream) {
    let upstream = FakeUpstream::start(|asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let called = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["role"] == "tool");
        let delta = match called {
            true => json!({"content": "Ada is a countess."}),
            false => json!({"tool_calls": [{"index": 0, "id": "call_a", "type": "function",
                "function": {"name": "look_up", "arguments": "{\"name\":\"Ada\"}"}}]}),
        };
        let finish = if called { "stop" } else { "tool_calls" };
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        Said::Bytes(cut(
            "text/event-stream",
            format!("data: {chunk}\n\ndata: [DONE]\n\n"),
        ))
    })
    .await;
    let app = TestApp::start(Setup {
        upstreams: vec![upstream.handle(Kind::Plain)],
        ..Setup::default()
    })
    .await;
    (app, upstream)
}

#[tokio::test]
async fn a_conversation_goes_on_from_what_was_kept_with_calls_and_their_results() {
    let (app, upstream) = with_tools().await;
    let tool = json!([{"type": "function", "name": "look_up", "parameters": {"type": "object"}}]);
    let body = |more: Value| {
        let mut body = asking(more);
        body["model"] = "up/m:latest".into();
        body
    };
    let first = json!({"store": true, "instructions": "Be brief.", "input": "Who is Ada?", "tools": tool});
    let first = app.post(DOOR, &body(first)).await.json().await;
    assert_eq!(first["output"][0]["type"], "function_call", "{first}");
    let result = json!([{"type": "function_call_output", "call_id": "call_a", "output": "a countess"}]);
    let next = json!({"store": true, "previous_response_id": first["id"], "input": result, "stream": true});
    let second = last(app.post(DOOR, &body(next)).await).await["response"].clone();
    assert_eq!(second["output"][0]["content"][0]["text"], "Ada is a countess.");
    assert_eq!(second["previous_response_id"], first["id"]);
    let third = json!({"previous_response_id": second["id"], "input": "Sure?"});
    let third = app.post(DOOR, &body(third)).await.json().await;
    assert_eq!(third["store"], false);

    let asked: Value = serde_json::from_str(&upstream.questions().pop().unwrap().body).unwrap();
    let said: Vec<(&str, Value)> = asked["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["role"].as_str().unwrap(), m["content"].clone()))
        .collect();
    assert_eq!(
        said,
        [
            // The instructions of the first are not taken along.
            ("user", json!("Who is Ada?")),
            ("assistant", asked["messages"][1]["content"].clone()),
            ("tool", json!("a countess")),
            ("assistant", json!("Ada is a countess.")),
            ("user", json!("Sure?")),
        ]
    );
    assert_eq!(asked["messages"][1]["tool_calls"][0]["id"], "call_a");

    // What the second answers: all of it, oldest first or newest first, page by page.
    let items = |query: &str| {
        let path = format!("{}/input_items?{query}", id(&second));
        async { get(&app, &{ path }).await }
    };
    let (status, all) = items("order=asc").await;
    assert_eq!(status, 200);
    let kinds: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["message", "function_call", "function_call_output"]);
    assert_eq!(
        all["data"][0]["content"],
        json!([{"type": "input_text", "text": "Who is Ada?"}])
    );
    let (_, newest) = items("limit=2").await;
    assert_eq!(
        (&newest["has_more"], &newest["first_id"]),
        (&json!(true), &all["last_id"])
    );
    let (_, rest) = items(&format!("after={}", newest["last_id"].as_str().unwrap())).await;
    assert_eq!(
        (&rest["data"], &rest["has_more"]),
        (&json!([all["data"][0]]), &json!(false))
    );
    for (query, param) in [("limit=0", "limit"), ("order=up", "order"), ("after=x", "after")] {
        let (status, body) = items(query).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!(param)));
    }

    // Without the first, the second can still be seen, and nothing goes on from it.
    app.call(Method::DELETE, &format!("{DOOR}/{}", id(&first)))
        .send()
        .await;
    assert_eq!(get(&app, id(&second)).await.0, 200);
    let (_, own) = items("order=asc").await;
    assert_eq!(own["data"].as_array().unwrap().len(), 1);
    let before = upstream.questions().len();
    let gone = body(json!({"previous_response_id": second["id"]}));
    let mut gone = app.post(DOOR, &gone).await;
    assert_eq!(gone.status, 400);
    assert_eq!(gone.json().await["error"]["param"], "previous_response_id");
    assert_eq!(
        upstream.questions().len(),
        before,
        "nobody is asked half a conversation"
    );
}

#[tokio::test]
async fn what_failed_or_was_left_is_not_kept_and_what_cannot_be_kept_fails() {
    let app = TestApp::local().await;
    let body = asking(json!({"store": true, "stream": true, "input": "play"}));
    let speak = async {
        let played = app.provider.played().await;
        played.say("One");
        played
    };
    let (mut reply, played) = tokio::join!(app.post(DOOR, &body), speak);
    let begun = data(&reply.event().await.unwrap())["response"]["id"].clone();
    let begun = begun.as_str().unwrap().to_owned();
    assert_eq!(get(&app, &begun).await.0, 404, "it has not ended");
    played.fail(ProviderError::Interrupted { reason: "cut".into() });
    assert_eq!(last(reply).await["type"], "response.failed");
    assert_eq!(get(&app, &begun).await.0, 404);

    let (reply, played) = tokio::join!(app.post(DOOR, &body), async { app.provider.played().await });
    drop(reply);
    guard(played.dropped()).await;
    let all = app.store.as_ref().unwrap();
    assert_eq!(all.delete_old_responses().await.unwrap(), 0);

    // The database is gone before the end: the response does not claim to be kept.
    let (reply, played) = tokio::join!(app.post(DOOR, &body), async {
        let played = app.provider.played().await;
        played.say("One");
        played
    });
    all.close().await;
    played.finish();
    assert_eq!(last(reply).await["type"], "response.failed");
}

#[tokio::test]
async fn they_are_their_owners_alone_and_go_when_they_are_old_or_too_many() {
    let app = public_app().await;
    let boss = owner(&app).await;
    let member = guest(&app, &boss, "member@example.org", "member").await;
    let body = asking(json!({"store": true}));
    let kept = member.post(&app, DOOR, &body).await.json().await;
    let path = format!("{DOOR}/{}", id(&kept));
    assert_eq!(member.get(&app, &path).await.status, 200);
    for tail in ["", "/input_items"] {
        assert_eq!(boss.get(&app, &format!("{path}{tail}")).await.status, 404);
    }
    assert_eq!(boss.call(&app, Method::DELETE, &path).send().await.status, 404);
    let mut sly = boss
        .post(&app, DOOR, &asking(json!({"previous_response_id": kept["id"]})))
        .await;
    assert_eq!(sly.status, 400);
    let sly = sly.json().await;
    let strange = asking(json!({"previous_response_id": format!("resp_{}", "0".repeat(32))}));
    let strange = boss.post(&app, DOOR, &strange).await.json().await;
    assert_eq!(sly, strange, "another's is as one that is not there");
    app.clock.advance_ms(30 * DAY_MS);
    let member = crate::people::Person::of(
        crate::people::by_program(&app, "member@example.org", crate::people::PASSWORD).await,
    )
    .await;
    assert_eq!(member.get(&app, &path).await.status, 404, "it is too old");

    let few = KeepResponses {
        most: 1,
        ..KeepResponses::default()
    };
    let app = TestApp::with_options(|options| options.keep_responses = Some(few)).await;
    let first = respond(&app, json!({"store": true})).await;
    app.clock.advance_ms(1);
    let second = respond(&app, json!({"store": true})).await;
    assert_eq!(get(&app, id(&first)).await.0, 404);
    assert_eq!(get(&app, id(&second)).await.0, 200);
}

#[tokio::test]
async fn where_nothing_is_kept_that_is_said_by_the_name_of_the_field() {
    let app = TestApp::start(Setup {
        surface: Surface::Backend,
        options: ServerOptions {
            keep_responses: None,
            ..ServerOptions::default()
        },
        ..Setup::default()
    })
    .await;
    for (field, value) in [
        ("store", json!(true)),
        ("previous_response_id", json!(format!("resp_{}", "0".repeat(32)))),
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
    ] {
        let mut reply = app.post(DOOR, &asking(json!({ field: value }))).await;
        assert_eq!(reply.status, 400, "{field}");
        assert_eq!(reply.json().await["error"]["param"], field);
    }
    assert_eq!(app.provider.asked(), 0);
}
