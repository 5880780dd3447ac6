//! What an engine is told, what it decides from that, and why it may refuse.

use std::path::PathBuf;

use goblin_core::cpu;
use thiserror::Error;

use crate::decide::BRANCHES;
use crate::gguf::{self, GgufError, GgufInfo};
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
/// Texts whose vectors are made in one step.
pub(crate) const EMBED_TEXTS: u32 = 32;
/// Longest text a model for vectors takes when none is configured, in tokens. It is computed in one piece.
const EMBED_TEXT_TOKENS: u32 = 2048;
/// Tokens of one step that makes vectors, when texts are shorter.
const EMBED_STEP: u32 = 512;
/// Working space of a step, in numbers for each token and each number of its state: what llama.cpp's graphs of the
/// usual architectures take on the CPU.
const STATE_COPIES: u64 = 12;

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
        "the model needs {weights_bytes} bytes for its weights, {context_bytes} bytes for {sequences} sequences of {context_tokens} tokens and one for the decider, and {working_bytes} bytes to compute; {available_bytes} bytes are available. Use fewer sequences, a shorter context or a smaller model"
    )]
    OutOfMemory {
        /// Bytes of the weights.
        weights_bytes: u64,
        /// Bytes of keys and values.
        context_bytes: u64,
        /// Bytes for what a step computes.
        working_bytes: u64,
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
    /// Sequences for chats; of a model for vectors, requests at once.
    pub sequences: u32,
    /// Tokens of context of each sequence; of a model for vectors, of a text.
    pub context_tokens: u32,
    /// Cells of KV memory: every sequence at its longest, and as much again for the decider. Of a model for vectors:
    /// tokens of one step.
    pub total_cells: u32,
    /// Bytes of KV memory.
    pub context_bytes: u64,
    /// Bytes for what a step computes, estimated.
    pub working_bytes: u64,
}

impl EnginePlan {
    /// Bytes the model takes in memory, its weights included.
    pub fn needs_bytes(&self, info: &GgufInfo) -> u64 {
        info.file_bytes
            .saturating_add(self.context_bytes)
            .saturating_add(self.working_bytes)
    }
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
        None => shrunk(trained, sequences, info, available),
    };
    let Needs {
        cells,
        context_bytes,
        working_bytes,
    } = Needs::of(context_tokens, sequences, info);
    let plan = EnginePlan {
        threads: options
            .threads
            .unwrap_or_else(threads::default_threads)
            .clamp(1, threads::most_threads()),
        sequences,
        context_tokens,
        total_cells: u32::try_from(cells)
            .ok()
            .filter(|n| *n <= i32::MAX as u32)
            .ok_or_else(|| {
                EngineError::Option(format!(
                    "{sequences} sequences of {context_tokens} tokens are too many"
                ))
            })?,
        context_bytes,
        working_bytes,
    };
    match available {
        Some(available_bytes) if plan.needs_bytes(info) > available_bytes => Err(EngineError::OutOfMemory {
            weights_bytes: info.file_bytes,
            context_bytes,
            working_bytes,
            available_bytes,
            sequences,
            context_tokens,
        }),
        _ => Ok(plan),
    }
}

/// What a context takes.
struct Needs {
    cells: u64,
    context_bytes: u64,
    working_bytes: u64,
}

impl Needs {
    fn of(context_tokens: u32, sequences: u32, info: &GgufInfo) -> Self {
        let state = info.embedding_length.saturating_mul(4 * STATE_COPIES);
        if info.embeds() {
            let step = u64::from(context_tokens.max(EMBED_STEP));
            let encoder = gguf::is_encoder(&info.architecture);
            // llama.cpp computes the likelihood of every token of every text, and keeps it, though nobody asks.
            let likelihoods = if encoder { 0 } else { info.vocabulary * 8 };
            return Self {
                cells: step,
                context_bytes: if encoder {
                    0
                } else {
                    step.saturating_mul(info.kv_bytes_per_token)
                },
                working_bytes: step.saturating_mul(state.saturating_add(likelihoods)),
            };
        }
        // As much again as a sequence is the decider's.
        let cells = u64::from(context_tokens) * u64::from(sequences + 1);
        let outputs = u64::from(sequences) + 1 + BRANCHES as u64;
        Self {
            cells,
            context_bytes: cells.saturating_mul(info.kv_bytes_per_token),
            working_bytes: u64::from(UBATCH)
                .saturating_mul(state)
                .saturating_add(outputs.saturating_mul(info.vocabulary * 4)),
        }
    }
}

/// The context of a model that was trained for `trained` tokens: halved until it takes at most a quarter of the free
/// memory.
fn shrunk(trained: u32, sequences: u32, info: &GgufInfo, available: Option<u64>) -> u32 {
    let (most, least) = match info.embeds() {
        true => (EMBED_TEXT_TOKENS, EMBED_STEP),
        false => (DEFAULT_CONTEXT_TOKENS, SHRINK_TO),
    };
    let mut tokens = trained.min(most);
    let Some(available) = available else { return tokens };
    let takes = |tokens: u32| {
        let needs = Needs::of(tokens, sequences, info);
        let works = if info.embeds() { needs.working_bytes } else { 0 };
        needs.context_bytes.saturating_add(works)
    };
    while tokens / 2 >= least && takes(tokens) > available / 4 {
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
    use crate::gguf::Pooling;

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
            pooling: None,
            embedding_length: 576,
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
    fn a_model_for_vectors_computes_whole_texts_and_shrinks_them_to_what_is_free() {
        let info = GgufInfo {
            pooling: Some(Pooling::Mean),
            ..info()
        };
        let roomy = plan(&options(8_000_000_000), &info).unwrap();
        assert_eq!((roomy.context_tokens, roomy.total_cells), (2048, 2048));
        assert_eq!(roomy.context_bytes, 2048 * 20_000);
        assert!(roomy.working_bytes > 2048 * 49_152 * 8);
        let tight = plan(&options(1_000_000_000), &info).unwrap();
        assert_eq!(tight.context_tokens, 512);
        let encoder = GgufInfo {
            architecture: "nomic-bert".to_owned(),
            context_length: Some(256),
            ..info
        };
        let small = plan(&options(1_000_000_000), &encoder).unwrap();
        assert_eq!(
            (small.context_tokens, small.total_cells, small.context_bytes),
            (256, 512, 0)
        );
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
