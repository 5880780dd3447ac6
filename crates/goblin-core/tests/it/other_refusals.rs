//! Bad input to the doors of the model tier, as tables: what is sent, the field, and a word of the sentence.

use bytes::Bytes;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::manage::Action;
use goblin_core::wire::ollama::{Change, Generate, parse_digest};
use goblin_core::wire::{anthropic, ollama, openai, systemone};

pub(crate) type Reader = fn(&Bytes) -> Result<(), ApiError>;

const CHAT: Reader = |body| ollama::parse_chat(body).map(drop);
const GENERATE: Reader = |body| ollama::parse_generate(body).map(drop);
const EMBED: Reader = |body| ollama::parse_embed(body).map(drop);
const SHOW: Reader = |body| ollama::parse_show(body).map(drop);
const PULL: Reader = |body| ollama::parse_name(Change::Pull, body).map(drop);
const COPY: Reader = |body| ollama::parse_name(Change::Copy, body).map(drop);
const CREATE: Reader = |body| ollama::parse_name(Change::Create, body).map(drop);
pub(crate) const MESSAGES: Reader = |body| anthropic::parse_messages(body).map(drop);
pub(crate) const COUNT: Reader = |body| anthropic::parse_count_tokens(body).map(drop);
const SYSTEM_ONE: Reader = |body| systemone::parse(body).map(drop);
const EMBEDDINGS: Reader = |body| openai::parse_embeddings(body).map(drop);

const READERS: [Reader; 11] = [
    CHAT, GENERATE, EMBED, SHOW, PULL, COPY, CREATE, MESSAGES, COUNT, SYSTEM_ONE, EMBEDDINGS,
];

fn refused(read: Reader, body: &str) -> ApiError {
    match read(&Bytes::copy_from_slice(body.as_bytes())) {
        Err(error) => error,
        Ok(()) => panic!("taken, but should be refused: {:.200}", body),
    }
}

pub(crate) fn check(table: &[(Reader, String, &str, &str)]) {
    for (read, body, param, word) in table {
        let error = refused(*read, body);
        let body: String = body.chars().take(200).collect();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{body}: {error}");
        assert_eq!(error.param.as_deref(), Some(*param), "{body}: {error}");
        assert!(error.message.contains(word), "{body}: {}", error.message);
    }
}

#[test]
fn what_is_not_json_is_called_so_at_every_door() {
    for read in READERS {
        for body in [
            &b""[..],
            b"{",
            b"hello",
            b"{\"model\":\"m\",}",
            b"{\"model\": \"\xff\"}",
            b"{} {}",
        ] {
            let error = read(&Bytes::copy_from_slice(body)).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidJson, "{body:?}: {error}");
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(read, &deep).param.as_deref(), Some("body"));
        assert_eq!(refused(read, "[]").param.as_deref(), Some("body"));
        assert!(refused(read, "{}").message.contains("missing"));
    }
}

fn chat(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#)
}

fn option(option: &str) -> String {
    chat(&format!(r#""options":{{{option}}}"#))
}

fn chat_message(message: &str) -> String {
    format!(r#"{{"model":"m","messages":[{message}]}}"#)
}

#[test]
fn every_wrong_field_of_an_ollama_chat_is_named_with_its_limit() {
    let image = "iVBORw0KGgo=";
    let many_images = format!(
        r#"{{"role":"user","images":["{image}"{}]}}"#,
        format!(r#","{image}""#).repeat(64)
    );
    let images_apart = format!(r#"{{"role":"user","images":["{image}"]}},"#).repeat(65);
    let many_messages = r#"{"role":"user","content":"x"},"#.repeat(10_001);
    check(&[
        (CHAT, r#"{"messages":[]}"#.into(), "model", "missing"),
        (
            CHAT,
            r#"{"model":7}"#.into(),
            "model",
            "must be a string, not a number",
        ),
        (
            CHAT,
            format!(r#"{{"model":"{}"}}"#, "m".repeat(300)),
            "model",
            "1 to 256 bytes",
        ),
        (
            CHAT,
            r#"{"model":"m","messages":"hi"}"#.into(),
            "messages",
            "array",
        ),
        (CHAT, chat(r#""model":"n""#), "model", "twice"),
        (
            CHAT,
            chat_message(many_messages.trim_end_matches(',')),
            "messages",
            "10000",
        ),
        (CHAT, chat_message("7"), "messages[0]", "object"),
        (
            CHAT,
            chat_message(r#"{"content":"x"}"#),
            "messages[0].role",
            "missing",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"wizard"}"#),
            "messages[0].role",
            "`tool`, not `wizard`",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"user","content":"a\u0000b"}"#),
            "messages[0].content",
            "NUL",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"user","content":[]}"#),
            "messages[0].content",
            "string",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"user","images":["x"]}"#),
            "messages[0].images[0]",
            "PNG",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"user","images":["iVBORw0KGgo?"]}"#),
            "messages[0].images[0]",
            "base64",
        ),
        (CHAT, chat_message(&many_images), "messages[0].images", "64"),
        (
            CHAT,
            chat_message(images_apart.trim_end_matches(',')),
            "messages",
            "65 images; the limit is 64",
        ),
        (
            CHAT,
            chat_message(&format!(r#"{{"role":"system","images":["{image}"]}}"#)),
            "messages[0].images",
            "`user`",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"user","tool_calls":[{}]}"#),
            "messages[0].tool_calls",
            "assistant",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#),
            "messages[0].tool_calls[0].function.arguments",
            "must be an object, not a string",
        ),
        (
            CHAT,
            chat_message(r#"{"role":"assistant","tool_calls":[{"function":{}}]}"#),
            "messages[0].tool_calls[0].function.name",
            "missing",
        ),
        (CHAT, chat(r#""options":[]"#), "options", "object"),
        (
            CHAT,
            option(r#""temperature":3"#),
            "options.temperature",
            "from 0 to 2, not 3",
        ),
        (CHAT, option(r#""top_k":"x""#), "options.top_k", "number"),
        (
            CHAT,
            option(r#""num_ctx":0"#),
            "options.num_ctx",
            "from 1 to 10000000",
        ),
        (
            CHAT,
            option(r#""num_ctx":99999999"#),
            "options.num_ctx",
            "from 1 to 10000000",
        ),
        (
            CHAT,
            option(r#""num_predict":-3"#),
            "options.num_predict",
            "from -2 to 1000000",
        ),
        (
            CHAT,
            option(r#""num_predict":0"#),
            "options.num_predict",
            "-1 for no limit",
        ),
        (
            CHAT,
            option(r#""num_predict":1000001"#),
            "options.num_predict",
            "1000000",
        ),
        (CHAT, option(r#""stop":7"#), "options.stop", "up to 16"),
        (CHAT, option(r#""stop":["a",""]"#), "options.stop[1]", "1 to 1024"),
        (CHAT, chat(r#""format":"xml""#), "format", "`json`"),
        (CHAT, chat(r#""format":7"#), "format", "JSON Schema"),
        (CHAT, chat(r#""think":"hard""#), "think", "`max`, not `hard`"),
        (CHAT, chat(r#""think":1"#), "think", "boolean"),
        (CHAT, chat(r#""keep_alive":"ten""#), "keep_alive", "`5m`"),
        (CHAT, chat(r#""keep_alive":1e300"#), "keep_alive", "3155760000"),
        (CHAT, chat(r#""keep_alive":true"#), "keep_alive", "seconds"),
        (CHAT, chat(r#""top_logprobs":21"#), "top_logprobs", "from 0 to 20"),
        (CHAT, chat(r#""logprobs":1"#), "logprobs", "boolean"),
        (CHAT, chat(r#""stream":"no""#), "stream", "boolean"),
        (CHAT, chat(r#""tools":{}"#), "tools", "array"),
        (
            CHAT,
            chat(r#""tools":[{"type":"function","function":{}}]"#),
            "tools[0].function.name",
            "missing",
        ),
    ]);
}

#[test]
fn every_wrong_field_of_the_other_ollama_doors_is_named() {
    check(&[
        (
            GENERATE,
            r#"{"model":"m","prompt":[]}"#.into(),
            "prompt",
            "string",
        ),
        (
            GENERATE,
            r#"{"model":"m","prompt":"x","template":"{{ .Prompt }}"}"#.into(),
            "template",
            "`raw`",
        ),
        (
            GENERATE,
            r#"{"model":"m","prompt":"x","context":[1,2]}"#.into(),
            "context",
            "/api/chat",
        ),
        (
            GENERATE,
            r#"{"model":"m","prompt":"x","raw":true,"system":"s"}"#.into(),
            "system",
            "`raw`",
        ),
        (
            GENERATE,
            r#"{"model":"m","prompt":"x","suffix":"y","think":true}"#.into(),
            "think",
            "`suffix`",
        ),
        (
            GENERATE,
            r#"{"model":"m","prompt":"x","images":["?"]}"#.into(),
            "images[0]",
            "base64",
        ),
        (EMBED, r#"{"model":"m"}"#.into(), "input", "missing"),
        (
            EMBED,
            r#"{"model":"m","input":[]}"#.into(),
            "input",
            "at least one",
        ),
        (
            EMBED,
            r#"{"model":"m","input":["a",""]}"#.into(),
            "input",
            "empty",
        ),
        (EMBED, r#"{"model":"m","prompt":""}"#.into(), "prompt", "empty"),
        (
            EMBED,
            r#"{"model":"m","input":["a",7]}"#.into(),
            "input[1]",
            "token ids",
        ),
        (
            EMBED,
            format!(r#"{{"model":"m","input":["a"{}]}}"#, r#","a""#.repeat(2048)),
            "input",
            "2048",
        ),
        (
            EMBED,
            r#"{"model":"m","input":"a","dimensions":0}"#.into(),
            "dimensions",
            "from 1",
        ),
        (
            SHOW,
            r#"{"model":"m","verbose":"x"}"#.into(),
            "verbose",
            "boolean",
        ),
        (PULL, r#"{"model":""}"#.into(), "model", "1 to 256"),
        (PULL, r#"{"name":7}"#.into(), "name", "string"),
        (PULL, r#"{"model":"m","insecure":true}"#.into(), "insecure", "TLS"),
        (COPY, r#"{"source":"a"}"#.into(), "destination", "missing"),
        (
            CREATE,
            r#"{"model":"m","path":"/etc/passwd"}"#.into(),
            "path",
            "blobs",
        ),
        (CREATE, r#"{"model":"m","from":[]}"#.into(), "from", "string"),
    ]);
    for digest in [
        "",
        "sha256:",
        "../../etc/passwd",
        "sha256:zz",
        &format!("sha256:{}", "A".repeat(64)),
    ] {
        assert_eq!(
            parse_digest(digest).unwrap_err().param.as_deref(),
            Some("digest"),
            "{digest}"
        );
    }
    let digits = "0".repeat(64);
    assert_eq!(
        parse_digest(&format!("sha256-{digits}")),
        Ok(format!("sha256:{digits}"))
    );
}

fn question(question: &str) -> String {
    format!(r#"{{"model":"m","state":"s","questions":{{"q":{question}}}}}"#)
}

#[test]
fn every_wrong_field_of_a_decision_and_of_embeddings_is_named() {
    let options: Vec<String> = (0..256).map(|i| format!(r#""o{i}":null"#)).collect();
    let many: Vec<String> = (0..65).map(|i| format!(r#""q{i}":{{}}"#)).collect();
    let choice = |criteria: &str| {
        question(&format!(
            r#"{{"type":"choice","instructions":"i","criteria":{criteria}}}"#
        ))
    };
    let score = |criteria: &str| {
        question(&format!(
            r#"{{"type":"score","instructions":"i","criteria":{criteria}}}"#
        ))
    };
    check(&[
        (
            SYSTEM_ONE,
            r#"{"model":"m","questions":{}}"#.into(),
            "state",
            "missing",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":" ","questions":{}}"#.into(),
            "state",
            "empty",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":7}"#.into(),
            "state",
            "not a number",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":"s","questions":{}}"#.into(),
            "questions",
            "at least one",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":"s","questions":[]}"#.into(),
            "questions",
            "object",
        ),
        (
            SYSTEM_ONE,
            format!(
                r#"{{"model":"m","state":"s","questions":{{{}}}}}"#,
                many.join(",")
            ),
            "questions",
            "64",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":"s","questions":{"":{}}}"#.into(),
            "questions.",
            "1 to 256",
        ),
        (
            SYSTEM_ONE,
            r#"{"model":"m","state":"s","images":["x"]}"#.into(),
            "images",
            "texts only",
        ),
        (
            SYSTEM_ONE,
            question(r#"{"instructions":"i"}"#),
            "questions.q.type",
            "missing",
        ),
        (
            SYSTEM_ONE,
            question(r#"{"type":"essay","instructions":"i"}"#),
            "questions.q.type",
            "`essay`",
        ),
        (
            SYSTEM_ONE,
            question(r#"{"type":"noul"}"#),
            "questions.q.instructions",
            "missing",
        ),
        (
            SYSTEM_ONE,
            question(r#"{"type":"noul","instructions":"a\u0000"}"#),
            "questions.q.instructions",
            "NUL",
        ),
        (
            SYSTEM_ONE,
            question(r#"{"type":"choice","instructions":"i"}"#),
            "questions.q.criteria",
            "missing",
        ),
        (
            SYSTEM_ONE,
            choice("{}"),
            "questions.q.criteria",
            "1 to 255 options, not 0",
        ),
        (
            SYSTEM_ONE,
            choice(&format!("{{{}}}", options.join(","))),
            "questions.q.criteria",
            "1 to 255 options, not 256",
        ),
        (
            SYSTEM_ONE,
            choice(r#"{"a":7}"#),
            "questions.q.criteria.a",
            "string",
        ),
        (
            SYSTEM_ONE,
            score(r#"["low"]"#),
            "questions.q.criteria",
            "2 to 10 levels",
        ),
        (SYSTEM_ONE, score(r#"{"low":1}"#), "questions.q.criteria", "array"),
        (
            SYSTEM_ONE,
            score(&format!("[{}]", [r#""l""#; 11].join(","))),
            "questions.q.criteria",
            "10",
        ),
        (EMBEDDINGS, r#"{"model":"m"}"#.into(), "input", "missing"),
        (EMBEDDINGS, r#"{"model":"m","input":""}"#.into(), "input", "empty"),
        (
            EMBEDDINGS,
            r#"{"model":"m","input":[1,2]}"#.into(),
            "input[0]",
            "token ids",
        ),
        (
            EMBEDDINGS,
            r#"{"model":"m","input":{}}"#.into(),
            "input",
            "array of strings",
        ),
        (
            EMBEDDINGS,
            r#"{"model":"m","input":"x","encoding_format":"hex"}"#.into(),
            "encoding_format",
            "`base64`",
        ),
        (
            EMBEDDINGS,
            r#"{"model":"m","input":"x","dimensions":99999999}"#.into(),
            "dimensions",
            "65536",
        ),
    ]);
}

#[test]
fn what_an_empty_prompt_or_conversation_means_depends_on_how_long_the_model_stays() {
    let wanted = |body: &'static str| ollama::parse_generate(&Bytes::from_static(body.as_bytes())).unwrap();
    assert!(matches!(wanted(r#"{"model":"m"}"#).wanted, Generate::Load));
    assert!(matches!(
        wanted(r#"{"model":"m","prompt":"","keep_alive":-1}"#).wanted,
        Generate::Load
    ));
    assert!(matches!(
        wanted(r#"{"model":"m","keep_alive":"0"}"#).wanted,
        Generate::Unload
    ));
    let raw = wanted(r#"{"model":"m","prompt":"a","raw":true,"options":{"num_ctx":4096}}"#).wanted;
    assert!(matches!(raw, Generate::Complete(c) if c.prompt == "a" && c.context_tokens == Some(4096)));
    let gap = wanted(r#"{"model":"m","prompt":"a","suffix":"b"}"#).wanted;
    assert!(matches!(gap, Generate::Complete(c) if c.suffix.as_deref() == Some("b")));
    let asked =
        wanted(r#"{"name":"m","prompt":"a","system":"s","context":[ ],"template":"","stream":false}"#);
    assert!(!asked.stream && asked.model == "m");
    assert!(matches!(asked.wanted, Generate::Chat(c) if c.messages.len() == 2));
    let chat = |body: &'static str| {
        ollama::parse_chat(&Bytes::from_static(body.as_bytes()))
            .unwrap()
            .wanted
    };
    assert_eq!(chat(r#"{"model":"m","messages":[]}"#), ollama::Wanted::Load);
    assert_eq!(chat(r#"{"model":"m","keep_alive":0}"#), ollama::Wanted::Unload);
}

#[test]
fn changes_of_the_models_become_actions() {
    let read =
        |change, body: &str| ollama::parse_name(change, &Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let pull = read(Change::Pull, r#"{"name":"gemma:2b"}"#);
    assert!(pull.stream && matches!(pull.action, Action::Pull { model } if model == "gemma:2b"));
    let delete = read(Change::Delete, r#"{"model":"m","stream":true}"#);
    assert!(!delete.stream && matches!(delete.action, Action::Delete { model } if model == "m"));
    let copy = read(Change::Copy, r#"{"source":"a","destination":"b"}"#);
    assert!(
        matches!(copy.action, Action::Copy { source, destination } if source == "a" && destination == "b")
    );
    let create = read(
        Change::Create,
        r#"{"name":"m","files":{"x.gguf":"sha256:0"},"stream":false}"#,
    );
    assert!(!create.stream);
    let Action::Create { fields } = create.action else {
        panic!("not a creation");
    };
    assert_eq!(
        serde_json::Value::Object(fields),
        serde_json::json!({"files": {"x.gguf": "sha256:0"}, "model": "m"})
    );
    let embed = ollama::parse_embed(&Bytes::from_static(br#"{"model":"m","prompt":"x"}"#)).unwrap();
    assert!(embed.legacy && embed.request.truncate && embed.request.inputs == ["x"]);
}
