//! What an engine is told, what it decides from that, and why it may refuse.

use std::path::PathBuf;

use goblin_core::cpu;
use thiserror::Error;

use crate::gguf::{GgufError, GgufInfo};
use crate::{memory, threads};

/// Sequences (answers generated at once) when none are configured.
pub const DEFAULT_SEQUENCES: u32 = 4;
/// Most sequences. llama.cpp holds at most 256 per context; some are the decider's.
pub const MAX_SEQUENCES: u32 = 128;
/// Tokens of context per sequence when none are configured, for models trained for more.
pub const DEFAULT_CONTEXT_TOKENS: u32 = 8192;
/// The smallest context, in tokens.
pub const MIN_CONTEXT_TOKENS: u32 = 256;
/// The default context shrinks to this, in tokens, before an engine refuses to start.
const SHRINK_TO: u32 = 2048;
/// Context for models that do not say what they were trained for (llama.cpp's default), in tokens.
const UNKNOWN_CONTEXT_TOKENS: u32 = 2048;
/// Tokens computed together in one pass (llama.cpp's `n_ubatch`).
pub(crate) const UBATCH: u32 = 512;

/// How to run a model.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// The GGUF file.
    pub path: PathBuf,
    /// The name it is offered under.
    pub name: String,
    /// Threads. `None`: [`crate::threads::default_threads`]. Never more than affinity and cgroup allow.
    pub threads: Option<u32>,
    /// Tokens of context of each sequence (prompt and answer together). `None`: what the model was trained
    /// for, at most [`DEFAULT_CONTEXT_TOKENS`], less where a quarter of the free memory would not hold it.
    pub context_tokens: Option<u32>,
    /// Answers generated at once. `None`: [`DEFAULT_SEQUENCES`].
    pub sequences: Option<u32>,
    /// Layers computed on the GPU, where the engine was built with `cuda`, `vulkan` or `metal`. `None`: all
    /// that llama.cpp likes to.
    pub gpu_layers: Option<u32>,
    /// Most memory for weights and context, in bytes. `None`: what is free when the engine starts.
    pub memory_limit_bytes: Option<u64>,
    /// A Jinja chat template instead of the one in the file.
    pub chat_template: Option<String>,
    /// A small model that only shows that everything works.
    pub starter: bool,
}

/// Why an engine does not run. `Display` is a sentence for a person.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EngineError {
    /// The file is no usable model.
    #[error("the model file cannot be used: {0}")]
    Gguf(#[from] GgufError),
    /// The CPU lacks what the engine was compiled for.
    #[error("{}", cpu::sentence(missing))]
    CpuTooOld {
        /// The missing feature.
        missing: &'static str,
    },
    /// Weights and context need more memory than there is.
    #[error(
        "the model needs {weights_bytes} bytes for its weights and {context_bytes} bytes for {sequences} sequences of {context_tokens} tokens and one for the decider; {available_bytes} bytes are available. Use fewer sequences, a shorter context or a smaller model"
    )]
    OutOfMemory {
        /// Bytes of the weights.
        weights_bytes: u64,
        /// Bytes of keys and values.
        context_bytes: u64,
        /// Bytes that may be used.
        available_bytes: u64,
        /// Sequences asked for.
        sequences: u32,
        /// Tokens of each.
        context_tokens: u32,
    },
    /// An option makes no sense.
    #[error("{0}")]
    Option(String),
    /// The chat template cannot be compiled.
    #[error("the model's chat template is broken: {0}")]
    Template(String),
    /// llama.cpp refused the model or the context.
    #[error("llama.cpp could not load the model: {0}")]
    Load(String),
    /// The engine was shut down.
    #[error("the engine was shut down")]
    Stopped,
}

/// What an engine uses, after defaults and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnginePlan {
    /// Threads of one decode step.
    pub threads: u32,
    /// Sequences for chats.
    pub sequences: u32,
    /// Tokens of context of each sequence.
    pub context_tokens: u32,
    /// Cells of KV memory: every sequence at its longest, and as much again for the decider.
    pub total_cells: u32,
    /// Bytes of KV memory.
    pub context_bytes: u64,
}

/// Checks `options` against the model and the machine, before anything is allocated.
pub(crate) fn plan(options: &EngineOptions, info: &GgufInfo) -> Result<EnginePlan, EngineError> {
    if options.name.is_empty() {
        return Err(EngineError::Option("the model needs a name".to_owned()));
    }
    let available = options.memory_limit_bytes.or_else(memory::available_bytes);
    let sequences = options.sequences.unwrap_or(DEFAULT_SEQUENCES);
    if !(1..=MAX_SEQUENCES).contains(&sequences) {
        return Err(EngineError::Option(format!(
            "sequences is {sequences}; 1 to {MAX_SEQUENCES} are possible"
        )));
    }
    let trained = info.context_length.unwrap_or(UNKNOWN_CONTEXT_TOKENS);
    let context_tokens = match options.context_tokens {
        Some(n) if n < MIN_CONTEXT_TOKENS => {
            return Err(EngineError::Option(format!(
                "context_tokens is {n}; at least {MIN_CONTEXT_TOKENS} are needed"
            )));
        }
        Some(n) if n > trained => {
            return Err(EngineError::Option(format!(
                "context_tokens is {n}; the model was trained for {trained}"
            )));
        }
        Some(n) => n,
        None => shrunk(trained.min(DEFAULT_CONTEXT_TOKENS), sequences, info, available),
    };
    let context_bytes = context_bytes(context_tokens, sequences, info);
    if let Some(available_bytes) = available
        && info.file_bytes.saturating_add(context_bytes) > available_bytes
    {
        return Err(EngineError::OutOfMemory {
            weights_bytes: info.file_bytes,
            context_bytes,
            available_bytes,
            sequences,
            context_tokens,
        });
    }
    let total_cells = context_tokens
        .checked_mul(sequences + 1)
        .filter(|n| *n <= i32::MAX as u32);
    let Some(total_cells) = total_cells else {
        return Err(EngineError::Option(format!(
            "{sequences} sequences of {context_tokens} tokens are too many"
        )));
    };
    let threads = options
        .threads
        .unwrap_or_else(threads::default_threads)
        .clamp(1, threads::most_threads());
    Ok(EnginePlan {
        threads,
        sequences,
        context_tokens,
        total_cells,
        context_bytes,
    })
}

fn context_bytes(context_tokens: u32, sequences: u32, info: &GgufInfo) -> u64 {
    let cells = u64::from(context_tokens) * u64::from(sequences + 1);
    cells.saturating_mul(info.kv_bytes_per_token)
}

/// `tokens`, halved until the context takes at most a quarter of the free memory.
fn shrunk(tokens: u32, sequences: u32, info: &GgufInfo, available: Option<u64>) -> u32 {
    let Some(available) = available else { return tokens };
    let mut tokens = tokens;
    while tokens / 2 >= SHRINK_TO && context_bytes(tokens, sequences, info) > available / 4 {
        tokens /= 2;
    }
    tokens
}

/// Refuses a CPU that cannot run the compiled C++, before any of it is called.
pub(crate) fn check_cpu() -> Result<(), EngineError> {
    cpu::missing().map_or(Ok(()), |missing| Err(EngineError::CpuTooOld { missing }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of 100 MB with 20,000 bytes of KV memory per token.
    fn info() -> GgufInfo {
        GgufInfo {
            version: 3,
            architecture: "llama".to_owned(),
            name: None,
            parameters: "135M".to_owned(),
            parameter_count: 135_000_000,
            quantisation: None,
            context_length: Some(8192),
            chat_template: None,
            vocabulary: 49152,
            tensor_count: 272,
            file_bytes: 100_000_000,
            kv_bytes_per_token: 20_000,
            layers: 30,
            purpose: None,
            rewinds: true,
        }
    }

    fn options(memory: u64) -> EngineOptions {
        EngineOptions {
            name: "m".to_owned(),
            memory_limit_bytes: Some(memory),
            threads: Some(1),
            ..EngineOptions::default()
        }
    }

    #[test]
    fn the_total_is_explicit() {
        let plan = plan(&options(8_000_000_000), &info()).unwrap();
        assert_eq!((plan.sequences, plan.context_tokens), (4, 8192));
        assert_eq!(plan.total_cells, 5 * 8192);
        assert_eq!(plan.context_bytes, 5 * 8192 * 20_000);
    }

    #[test]
    fn the_default_context_shrinks_on_a_small_machine() {
        assert_eq!(
            plan(&options(2_000_000_000), &info()).unwrap().context_tokens,
            4096
        );
        assert_eq!(plan(&options(600_000_000), &info()).unwrap().context_tokens, 2048);
    }

    #[test]
    fn a_context_larger_than_memory_is_refused_with_numbers() {
        let wanted = EngineOptions {
            context_tokens: Some(8192),
            ..options(500_000_000)
        };
        let text = plan(&wanted, &info()).unwrap_err().to_string();
        assert!(text.contains("819200000") && text.contains("500000000"), "{text}");
        assert!(matches!(
            plan(&options(10_000), &info()),
            Err(EngineError::OutOfMemory { .. })
        ));
    }

    #[test]
    fn nonsense_is_refused() {
        let of = |o: EngineOptions| plan(&o, &info()).unwrap_err().to_string();
        let fits = options(8_000_000_000);
        assert!(
            of(EngineOptions {
                sequences: Some(0),
                ..fits.clone()
            })
            .contains("1 to 128")
        );
        assert!(
            of(EngineOptions {
                context_tokens: Some(10),
                ..fits.clone()
            })
            .contains("256")
        );
        assert!(
            of(EngineOptions {
                context_tokens: Some(9000),
                ..fits.clone()
            })
            .contains("8192")
        );
        assert!(
            of(EngineOptions {
                name: String::new(),
                ..fits
            })
            .contains("name")
        );
    }

    #[test]
    fn more_threads_than_allowed_are_never_used() {
        let many = EngineOptions {
            threads: Some(10_000),
            ..options(8_000_000_000)
        };
        assert!(plan(&many, &info()).unwrap().threads <= threads::most_threads());
    }
}
