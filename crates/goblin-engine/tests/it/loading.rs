//! Starting: what is refused before llama.cpp sees it, and what is reported.

use std::io::Write;

use goblin_core::id::Ids;
use goblin_core::provider::{Health, ProviderError};
use goblin_engine::gguf::{self, GgufError};
use goblin_engine::{Engine, EngineError, EngineOptions, SystemInfo, usable};

use crate::models::{answer, ask, options, starter_file};

fn refused(options: EngineOptions) -> EngineError {
    match Engine::start(options, Ids::counting()) {
        Err(error) => error,
        Ok(_) => panic!("the engine started"),
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_engine_was_compiled_for_this_cpu() {
    let info = SystemInfo::read().unwrap();
    assert!(
        info.avx2,
        "llama.cpp was compiled without AVX2: five times slower. See .cargo/config.toml"
    );
    assert!(info.fma && info.f16c, "{info:?}");
}

#[test]
fn the_header_tells_what_the_starter_is() {
    let info = gguf::inspect(&starter_file()).unwrap();
    assert_eq!(info.architecture, "llama");
    assert_eq!(info.parameters, "135M");
    assert_eq!(info.quantisation, Some("Q4_1"));
    assert_eq!(info.context_length, Some(8192));
    assert_eq!((info.tensor_count, info.vocabulary), (272, 49_152));
    assert!(info.chat_template.unwrap().contains("<|im_start|>"));
    // 30 layers × 3 heads × (64 + 64) values × 2 bytes
    assert_eq!(info.kv_bytes_per_token, 23_040);
    assert!(
        (130_000_000..140_000_000).contains(&info.parameter_count),
        "{}",
        info.parameter_count
    );
}

#[test]
fn a_truncated_or_altered_model_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(starter_file()).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    };
    for cut in [0, 3, 20, 1_000, 1_700_000, whole.len() / 2, whole.len() - 1] {
        let path = write("cut.gguf", &whole[..cut]);
        let error = refused(options(path));
        assert!(matches!(error, EngineError::Gguf(_)), "cut at {cut}: {error}");
    }
    let mut altered = whole.clone();
    altered[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    let error = refused(options(write("altered.gguf", &altered)));
    assert!(
        matches!(error, EngineError::Gguf(GgufError::Damaged(_))),
        "{error}"
    );
    let error = refused(options(write("page.gguf", b"<html>404</html>")));
    assert_eq!(error, EngineError::Gguf(GgufError::NotGguf));
    let error = refused(options(dir.path().join("absent.gguf")));
    assert!(
        matches!(error, EngineError::Gguf(GgufError::Unreadable(_))),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_llama_cpp_refuses_is_an_error_and_not_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(starter_file()).unwrap();
    // An architecture nobody has heard of, of the same length.
    let header = bytes.len().min(4096);
    for at in 0..header - 5 {
        if &bytes[at..at + 5] == b"llama" {
            bytes[at..at + 5].copy_from_slice(b"lumpa");
        }
    }
    let path = dir.path().join("lumpa.gguf");
    std::fs::write(&path, &bytes).unwrap();
    let engine = Engine::start(options(path), Ids::counting()).unwrap();
    let error = engine.ready().await.unwrap_err();
    assert!(matches!(error, EngineError::Load(_)), "{error}");
    assert!(error.to_string().contains("lumpa"), "{error}");
    let handle = engine.handle();
    assert!(matches!((handle.status)().await.health, Health::Down(_)));
    assert!(matches!(
        answer(&handle, ask("Hi")).await,
        Err(ProviderError::Unavailable { .. })
    ));
    engine.shutdown();
}

#[test]
fn a_context_larger_than_memory_is_refused_with_numbers() {
    let error = refused(EngineOptions {
        memory_limit_bytes: Some(150_000_000),
        context_tokens: Some(8192),
        sequences: Some(8),
        ..options(starter_file())
    });
    let EngineError::OutOfMemory {
        context_bytes,
        available_bytes,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(context_bytes, 9 * 8192 * 23_040);
    assert_eq!(available_bytes, 150_000_000);
}

#[test]
fn a_broken_template_is_refused_before_anything_is_loaded() {
    let error = refused(EngineOptions {
        chat_template: Some("{% if %}".to_owned()),
        ..options(starter_file())
    });
    assert!(matches!(error, EngineError::Template(_)), "{error}");
    assert!(usable(&starter_file(), Some("{% if %}")).is_err());
    assert!(usable(&starter_file(), None).is_ok());
}

#[test]
fn a_model_that_cannot_write_is_refused_before_anything_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(starter_file()).unwrap();
    for (from, to, why) in [
        (&b"llama"[..], &b"llada"[..], "llada"),
        (b".block_count", b".block_cound", "block_count"),
        (b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz", "tokenizer"),
    ] {
        let mut bytes = whole.clone();
        let at = bytes.windows(from.len()).position(|w| w == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        let path = dir.path().join("other.gguf");
        std::fs::write(&path, &bytes).unwrap();
        let error = refused(options(path));
        assert!(
            matches!(error, EngineError::Gguf(GgufError::NoText(_))),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_loads_the_status_says_so() {
    let engine = Engine::start(options(starter_file()), Ids::counting()).unwrap();
    let handle = engine.handle();
    let early = (handle.status)().await;
    assert!(
        matches!(&early.health, Health::Starting(how_far) if how_far.contains('%'))
            || early.health == Health::Ok,
        "{early:?}"
    );
    engine.ready().await.unwrap();
    assert_eq!((handle.status)().await.health, Health::Ok);
    engine.shutdown();
}
