//! Answers held to a schema or a grammar, and constraints that make no sense.

use goblin_core::chat::{ResponseFormat, Sampling};
use goblin_core::event::FinishReason;
use serde_json::{Value, json};

use crate::models::{answer, ask, param_of, starter};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_a_schema_parses_and_fits() {
    let engine = starter().await;
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 12},
            "large": {"type": "boolean"},
            "rank": {"enum": [1, 2, 3]},
        },
        "required": ["city", "large", "rank"],
        "additionalProperties": false,
    });
    for temperature in [0.0, 1.0] {
        let mut request = ask("Describe Paris as JSON.");
        request.format = ResponseFormat::JsonSchema {
            name: "city".to_owned(),
            schema: schema.clone(),
        };
        request.sampling = Sampling {
            temperature: Some(temperature),
            seed: Some(5),
            max_tokens: Some(120),
            ..Sampling::default()
        };
        let got = answer(&engine, request).await.unwrap();
        assert_eq!(got.finish, Some(FinishReason::Stop), "{got:?}");
        let value: Value = serde_json::from_str(&got.text).expect(&got.text);
        assert!(
            value["city"].is_string() && value["large"].is_boolean(),
            "{value}"
        );
        assert!([1, 2, 3].contains(&value["rank"].as_i64().unwrap()), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_mode_gives_an_object() {
    let engine = starter().await;
    let mut request = ask("Answer with a small JSON object about a cat.");
    request.format = ResponseFormat::JsonObject;
    request.sampling.max_tokens = Some(200);
    request.sampling.repeat_penalty = Some(1.3);
    let got = answer(&engine, request).await.unwrap();
    assert!(got.text.trim_start().starts_with('{'), "{got:?}");
    if got.finish == Some(FinishReason::Stop) {
        assert!(serde_json::from_str::<Value>(&got.text).unwrap().is_object());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grammar_leaves_only_what_it_allows() {
    let engine = starter().await;
    let mut request = ask("Is Paris in France?");
    request.format = ResponseFormat::Grammar("root ::= (\"maybe\" | \"perhaps\") \"!\"".to_owned());
    let got = answer(&engine, request).await.unwrap();
    assert!(["maybe!", "perhaps!"].contains(&got.text.as_str()), "{got:?}");
    assert_eq!(got.finish, Some(FinishReason::Stop));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_constraints_are_refused_by_field_and_nothing_crashes() {
    let engine = starter().await;
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(20_000), ")".repeat(20_000));
    let doubling: String = (0..45)
        .map(|i| format!("r{i} ::= r{n} | r{n}\n", n = i + 1))
        .collect();
    let doubling = format!("root ::= r0\n{doubling}r45 ::= \"a\"\n");
    let grammars = [
        &doubling,
        "",
        "nonsense",
        "root ::= undefined-rule",
        "root ::= root \"a\"",
        "root ::= \"unclosed",
        "start ::= \"a\"",
        "root ::= [a-",
        "root ::= \"a\"{2000}{2000}",
        "root ::= \"\0\"",
        &deep,
    ];
    for grammar in grammars {
        let mut request = ask("Hi");
        request.format = ResponseFormat::Grammar(grammar.to_owned());
        assert_eq!(
            param_of(answer(&engine, request).await),
            "grammar",
            "{grammar:.60}"
        );
    }
    let mut doubling = json!({"$ref": "#/r0", "r45": {"type": "string"}});
    for i in 0..45 {
        let next = json!({"$ref": format!("#/r{}", i + 1)});
        doubling[format!("r{i}")] = json!({"anyOf": [next, next]});
    }
    let schemas = [
        doubling,
        json!(7),
        json!({"type": "nonsense"}),
        json!({"$ref": "#/nowhere"}),
        json!({"type": "string", "pattern": "(["}),
        json!({"type": "array", "items": {"type": "string"}, "minItems": 100_000}),
    ];
    for schema in schemas {
        let mut request = ask("Hi");
        request.format = ResponseFormat::JsonSchema {
            name: "x".to_owned(),
            schema: schema.clone(),
        };
        assert_eq!(
            param_of(answer(&engine, request).await),
            "response_format",
            "{schema}"
        );
    }
    assert!(answer(&engine, ask("Hi")).await.is_ok());
}
