//! Texts as vectors, with the starter told by its header to make them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::id::Ids;
use goblin_core::model::Capability;
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_engine::{Engine, OnOffer, Resident, ResidentOptions, usable};

use crate::models::{HANG, answer, ask, options, param_of, start, starter, starter_file};

/// llama.cpp's `llama_pooling_type`.
const MEAN: u32 = 1;
const LAST: u32 = 3;

/// The starter with a pooling type in its header. What is put in has a length that leaves the alignment of the
/// tensors as it is.
fn embedder_file(dir: &Path, pooling: u32) -> PathBuf {
    let whole = std::fs::read(starter_file()).expect("the starter can be read");
    let number = |key: &str, value: u32| {
        let mut out = (key.len() as u64).to_le_bytes().to_vec();
        out.extend(key.as_bytes());
        // 4 is a number of 32 bits.
        out.extend(4u32.to_le_bytes());
        out.extend(value.to_le_bytes());
        out
    };
    let more = [number("llama.pooling_type", pooling), number("general.filler", 0)].concat();
    assert_eq!(more.len() % 32, 0);
    let entries = u64::from_le_bytes(whole[16..24].try_into().expect("eight bytes"));
    let out = [&whole[..16], &(entries + 2).to_le_bytes(), &more, &whole[24..]].concat();
    let path = dir.join(format!("embedder-{pooling}.gguf"));
    std::fs::write(&path, out).expect("there is room on the disk");
    path
}

async fn embedder(dir: &Path, pooling: u32) -> Engine {
    let mut options = options(embedder_file(dir, pooling));
    options.context_tokens = Some(256);
    start(options).await
}

fn texts(inputs: &[&str]) -> EmbedRequest {
    EmbedRequest {
        model: crate::models::STARTER.to_owned(),
        inputs: inputs.iter().map(|t| (*t).to_owned()).collect(),
        ..EmbedRequest::default()
    }
}

async fn embed(handle: &ProviderHandle, request: EmbedRequest) -> Result<EmbedResponse, ProviderError> {
    let embed = handle.embed.as_ref().expect("it makes embeddings");
    tokio::time::timeout(HANG, embed(request))
        .await
        .expect("it hangs")
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

const SENTENCES: [&str; 3] = [
    "A cat sleeps on the warm sofa.",
    "The kitten is napping on a soft couch.",
    "Interest rates rose by two percent in March.",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn related_sentences_are_nearer_than_unrelated_ones_and_vectors_have_length_one() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedder(dir.path(), MEAN).await;
    let handle = engine.handle();
    let status = (handle.status)().await;
    assert_eq!(status.models[0].capabilities, [Capability::Embed]);
    let all = embed(&handle, texts(&SENTENCES)).await.unwrap();
    assert_eq!(all.vectors.len(), 3);
    for vector in &all.vectors {
        assert_eq!(vector.len(), 576);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-4);
    }
    let [cat, kitten, rates] = &all.vectors[..] else {
        unreachable!()
    };
    let (near, far) = (cosine(cat, kitten), cosine(cat, rates));
    assert!(near > far + 0.01, "related {near}, unrelated {far}");
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn together_and_alone_the_vectors_are_the_same_and_few_steps_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    for pooling in [MEAN, LAST] {
        let engine = embedder(dir.path(), pooling).await;
        let handle = engine.handle();
        let mut alone = Vec::new();
        let mut tokens = 0;
        for text in SENTENCES {
            let one = embed(&handle, texts(&[text])).await.unwrap();
            tokens += one.prompt_tokens;
            alone.extend(one.vectors);
        }
        let before = engine.counters();
        let together = embed(&handle, texts(&SENTENCES)).await.unwrap();
        let after = engine.counters();
        assert_eq!(after.decode_steps - before.decode_steps, 1);
        assert_eq!(after.prefill_tokens - before.prefill_tokens, u64::from(tokens));
        assert_eq!(together.prompt_tokens, tokens, "the counts are exact");
        for (a, b) in alone.iter().zip(&together.vectors) {
            assert!(cosine(a, b) > 0.999, "{}", cosine(a, b));
        }
        // More than a step holds.
        let many: Vec<&str> = SENTENCES.into_iter().cycle().take(40).collect();
        let many = embed(&handle, texts(&many)).await.unwrap();
        assert_eq!(many.vectors.len(), 40);
        assert!(cosine(&many.vectors[37], &alone[1]) > 0.999);
        engine.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_embedded_is_refused_by_name_and_cut_only_with_leave() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedder(dir.path(), MEAN).await;
    let handle = engine.handle();
    let long = "word ".repeat(400);
    let refused = embed(&handle, texts(&["short", &long])).await;
    let Err(ProviderError::ContextExceeded {
        prompt_tokens,
        context_window: 256,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!((390..420).contains(&prompt_tokens), "{prompt_tokens}");
    let cut = EmbedRequest {
        truncate: true,
        ..texts(&[&long])
    };
    assert_eq!(embed(&handle, cut).await.unwrap().prompt_tokens, 256);
    assert_eq!(param_of(embed(&handle, texts(&["a", ""])).await), "input[1]");
    assert_eq!(param_of(embed(&handle, texts(&[])).await), "input");
    let short = |dimensions| EmbedRequest {
        dimensions: Some(dimensions),
        ..texts(&SENTENCES[..1])
    };
    let some = embed(&handle, short(64)).await.unwrap();
    assert_eq!(some.vectors[0].len(), 64);
    assert!((cosine(&some.vectors[0], &some.vectors[0]) - 1.0).abs() < 1e-4);
    assert_eq!(param_of(embed(&handle, short(577)).await), "dimensions");
    assert_eq!(
        param_of(answer(&handle, ask("Hi")).await),
        "model",
        "it does not answer"
    );
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_leaves_is_let_go_and_the_next_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let engine = embedder(dir.path(), MEAN).await;
    let handle = engine.handle();
    let long = "word ".repeat(200);
    let many: Vec<&str> = vec![&long; 1000];
    let mut left = Box::pin(embed(&handle, texts(&many)));
    let begun = async {
        while engine.counters().decode_steps == 0 {
            tokio::select! {
                biased;
                done = &mut left => panic!("a thousand texts in no step: {done:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    };
    tokio::time::timeout(HANG, begun).await.expect("no step is made");
    drop(left);
    assert!(embed(&handle, texts(&["Hello"])).await.is_ok());
    assert!(
        engine.counters().decode_steps < 300,
        "the abandoned texts were not computed"
    );
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_answers_makes_no_vectors_and_both_live_side_by_side() {
    assert!(starter().await.embed.is_none());
    let dir = tempfile::tempdir().unwrap();
    let file = embedder_file(dir.path(), MEAN);
    assert!(usable(&file, None).unwrap().embeds());
    let offer = |name: &str, path: &Path| OnOffer {
        name: name.to_owned(),
        path: path.to_owned(),
        digest: None,
        starter: false,
    };
    let list = vec![offer("vectors", &file), offer("starter", &starter_file())];
    let options = ResidentOptions {
        threads: Some(1),
        context_tokens: Some(512),
        sequences: Some(2),
        gpu_layers: None,
        memory_bytes: Some(3_000_000_000),
        max_models: 2,
        idle_unload: Some(Duration::from_secs(60)),
        clock: Clock::System,
    };
    let models = Resident::open(options, Arc::new(move || Ok(list.clone())), Ids::counting()).unwrap();
    models
        .bring_up(vec!["vectors".to_owned(), "starter".to_owned()])
        .await;
    let handle = models.handle();
    let status = (handle.status)().await;
    assert_eq!(
        status.models[0].name, "starter",
        "what makes vectors is not the default"
    );
    let wrong = embed(&handle, texts(&["Hello"])).await;
    assert_eq!(param_of(wrong), "model");
    let right = EmbedRequest {
        model: "vectors".to_owned(),
        ..texts(&["Hello"])
    };
    assert_eq!(embed(&handle, right).await.unwrap().vectors[0].len(), 576);
    assert!(answer(&handle, ask("Hi")).await.is_ok());
    let mut chat = ask("Hi");
    chat.model = "vectors".to_owned();
    assert_eq!(param_of(answer(&handle, chat).await), "model");
    models.shutdown();
}
