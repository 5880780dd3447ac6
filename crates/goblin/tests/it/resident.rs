//! Several models of one engine through the doors of the real program, Ollama's and OpenAI's.
#![cfg(feature = "engine")]

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Running, run, starter_model, stderr, until};

const KEY: &str = "a-key-for-this-test-only-0123456789";
const AUTH: &[(&str, &str)] = &[("x-api-key", KEY)];

fn start(home: &Path) -> Running {
    let small = [
        "engine.threads=1",
        "engine.sequences=2",
        "engine.context_tokens=512",
    ];
    let small = small.into_iter().flat_map(|setting| ["--set", setting]);
    let command: Vec<&str> = ["models", "serve", "--port", "0"]
        .into_iter()
        .chain(small)
        .collect();
    Running::start(home, &command, &[("LOCAL_LLM_API_KEY", KEY)])
}

/// The starter with a pooling type in its header: it makes vectors. What is put in keeps the tensors aligned.
fn write_embedder(path: &Path) {
    let whole = std::fs::read(starter_model()).unwrap();
    let number = |key: &str, value: u32| {
        let parts = [
            &(key.len() as u64).to_le_bytes()[..],
            key.as_bytes(),
            &4u32.to_le_bytes(),
            &value.to_le_bytes(),
        ];
        parts.concat()
    };
    let more = [number("llama.pooling_type", 1), number("general.filler", 0)].concat();
    let entries = u64::from_le_bytes(whole[16..24].try_into().unwrap()) + 2;
    let out = [&whole[..16], &entries.to_le_bytes(), &more, &whole[24..]].concat();
    std::fs::write(path, out).unwrap();
}

fn post(server: &Running, path: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = server.ask("POST", path, AUTH, &body.to_string());
    let read =
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{path}: {answer}\n{}", server.logs()));
    (status, read)
}

/// The names of the models in memory.
fn running(server: &Running) -> Vec<String> {
    let told: Value = serde_json::from_str(&server.ask("GET", "/api/ps", AUTH, "").1).unwrap_or_default();
    let models = told["models"].as_array().cloned().unwrap_or_default();
    models
        .iter()
        .map(|m| m["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn models_of_the_engine_are_loaded_asked_and_unloaded_through_every_door() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join(".local/share/goblin/models");
    std::fs::create_dir_all(&models).unwrap();
    std::os::unix::fs::symlink(starter_model(), models.join("SmolLM2-135M-Instruct-Q4_1.gguf")).unwrap();
    let server = start(home.path());
    until("the default model is loaded", || {
        (running(&server) == ["smollm2-135m-instruct"]).then_some(())
    });

    // A file that comes while it runs is on offer without a restart.
    let vectors = home.path().join("vectors.gguf");
    write_embedder(&vectors);
    let added = run(
        home.path(),
        &["models", "add", "vectors.gguf", "--name", "vectors"],
        &[],
    );
    assert_eq!(added.status.code(), Some(0), "{}", stderr(&added));
    until("the new model is on offer", || {
        let (_, tags) = server.ask("GET", "/api/tags", AUTH, "");
        tags.contains("\"vectors\"").then_some(())
    });

    let (status, made) = post(
        &server,
        "/v1/embeddings",
        &json!({"model": "vectors", "input": ["a cat", "a kitten"], "dimensions": 32}),
    );
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["data"][1]["embedding"].as_array().unwrap().len(), 32);
    assert!(made["usage"]["prompt_tokens"].as_u64().unwrap() >= 4, "{made}");
    let (status, made) = post(
        &server,
        "/api/embed",
        &json!({"model": "vectors", "input": "a cat"}),
    );
    assert_eq!(
        (status, made["embeddings"][0].as_array().unwrap().len()),
        (200, 576)
    );
    let (status, refused) = post(
        &server,
        "/v1/embeddings",
        &json!({"model": "vectors", "input": "word ".repeat(900)}),
    );
    assert_eq!(
        (status, refused["error"]["code"].as_str()),
        (400, Some("context_length_exceeded"))
    );
    let (status, refused) = post(
        &server,
        "/v1/embeddings",
        &json!({"model": "smollm2-135m-instruct", "input": "a cat"}),
    );
    assert_eq!(status, 400);
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("vectors"),
        "{refused}"
    );

    let (status, shown) = post(&server, "/api/show", &json!({"model": "vectors"}));
    assert_eq!((status, &shown["capabilities"]), (200, &json!(["embedding"])));
    let mut both = running(&server);
    both.sort();
    assert_eq!(both, ["smollm2-135m-instruct", "vectors"]);

    // Ollama's way to unload and load: no prompt, and how long to stay.
    let leave = json!({"model": "smollm2-135m-instruct", "prompt": "", "keep_alive": 0, "stream": false});
    let (status, told) = post(&server, "/api/generate", &leave);
    assert_eq!(
        (status, told["done_reason"].as_str()),
        (200, Some("unload")),
        "{told}"
    );
    until("it has left", || (running(&server) == ["vectors"]).then_some(()));
    let come = json!({"model": "smollm2-135m-instruct", "prompt": "", "stream": false});
    assert_eq!(post(&server, "/api/generate", &come).0, 200);
    until("it is back", || (running(&server).len() == 2).then_some(()));

    // And a file that goes takes its model along.
    let removed = run(home.path(), &["models", "rm", "vectors"], &[]);
    assert_eq!(removed.status.code(), Some(0), "{}", stderr(&removed));
    until("the removed model is gone", || {
        (running(&server) == ["smollm2-135m-instruct"]).then_some(())
    });
    let (status, gone) = post(
        &server,
        "/api/embed",
        &json!({"model": "vectors", "input": "a cat"}),
    );
    assert_eq!(status, 404, "{gone}");
}
