//! Bounds on what callers may send. Each is checked before anything is allocated for it.

/// Largest request body in bytes (10 MiB).
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// Most messages in one request.
pub const MAX_MESSAGES: usize = 10_000;
/// Deepest nesting of JSON arrays and objects.
pub const MAX_JSON_DEPTH: usize = 100;
/// Most tools in one request.
pub const MAX_TOOLS: usize = 128;
/// Most stop texts.
pub const MAX_STOPS: usize = 16;
/// Most bytes in one stop text.
pub const MAX_STOP_BYTES: usize = 1024;
/// Most entries of `logit_bias`.
pub const MAX_LOGIT_BIAS: usize = 1024;
/// Most images in one request.
pub const MAX_IMAGES: usize = 64;
/// Most files (PDFs) in one request.
pub const MAX_FILES: usize = 16;
/// Most tokens of context a caller may ask for.
pub const MAX_CONTEXT_TOKENS: u32 = 10_000_000;
/// Longest time a caller may ask for a model to stay in memory, in seconds (100 years); longer is for ever.
pub const MAX_KEEP_ALIVE_SECONDS: u64 = 3_155_760_000;
/// Most texts to be embedded at once.
pub const MAX_EMBED_INPUTS: usize = 2048;
/// Largest `max_tokens`.
pub const MAX_MAX_TOKENS: u32 = 1_000_000;
/// Most characters in a chat's title or folder.
pub const MAX_TITLE_CHARS: usize = 200;
/// Most bytes of one question or system prompt (1 MiB).
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Most files of one question.
pub const MAX_ATTACHMENTS: usize = 10;
/// Most bytes of all files a model is given with one question, those of earlier turns included (32 MiB). Earlier turns
/// whose files would be more are left out.
pub const MAX_PROMPT_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Most bytes of one answer kept (4 MiB); beyond it the answer ends with `length`.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Largest page of a list.
pub const MAX_PAGE: u32 = 200;
