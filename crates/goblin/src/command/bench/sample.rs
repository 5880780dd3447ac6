//! One timed answer.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Message, Role, Sampling};
use goblin_core::event::{Parsed, Usage};
use goblin_core::id::Ids;

use crate::command::bench::subject::Subject;

/// Longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Words that are one token in most vocabularies.
const WORDS: [&str; 24] = [
    "time", "water", "house", "green", "light", "people", "river", "music", "paper", "stone", "bread",
    "field", "night", "road", "table", "winter", "garden", "bridge", "letter", "window", "market", "cloud",
    "story", "hand",
];

/// What one answer showed, in seconds and tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// From asking to the first content.
    pub(super) first: f64,
    pub(super) prompt_bytes: usize,
    /// Tokens evaluated, as counted by the server; estimated where it does not say.
    pub(super) prompt_tokens: u32,
    pub(super) completion_tokens: u32,
    /// From the first content to the last.
    pub(super) generating: f64,
}

impl Sample {
    /// Tokens per second after the first.
    pub(super) fn decode(&self) -> Option<f64> {
        let timed = self.completion_tokens.checked_sub(1).filter(|n| *n > 0)?;
        (self.generating > 0.0).then(|| f64::from(timed) / self.generating)
    }
}

/// A prompt of about so many tokens that no cache has seen: it begins with an id.
fn prompt(tokens: u32) -> String {
    let salt = Ids::Random.next_id();
    let mut text = format!("{salt}\n");
    let mut n = salt
        .bytes()
        .fold(7_usize, |n, byte| n.wrapping_mul(31).wrapping_add(byte.into()));
    for _ in 0..tokens.saturating_sub(16) {
        n = n.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let _ = write!(text, "{} ", WORDS[(n >> 16) % WORDS.len()]);
    }
    text.push_str("\nCount from one to one thousand in words, without a break.");
    text
}

/// Asks for an answer of at most `limit` tokens to a prompt of about `prompt_tokens`.
pub(super) async fn sample(subject: &Subject, prompt_tokens: u32, limit: u32) -> anyhow::Result<Sample> {
    let timed = tokio::time::timeout(PATIENCE, answer(subject, prompt(prompt_tokens), limit));
    timed
        .await
        .with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?
}

async fn answer(subject: &Subject, text: String, limit: u32) -> anyhow::Result<Sample> {
    let mut sample = Sample {
        prompt_bytes: text.len(),
        ..Sample::default()
    };
    let request = ChatRequest {
        model: subject.asked.clone(),
        messages: vec![Message::text(Role::User, text)],
        stream: true,
        sampling: Sampling {
            max_tokens: Some(limit),
            temperature: Some(0.7),
            ..Sampling::default()
        },
        ..ChatRequest::default()
    };
    let began = Instant::now();
    let mut stream = (subject.handle.chat)(request).await?;
    let (mut first, mut last, mut usage) = (None, began, Usage::default());
    while let Some(event) = stream.next().await {
        let event = event?;
        if event.parsed.is_content() {
            last = Instant::now();
            first.get_or_insert(last);
            sample.completion_tokens += 1;
        }
        if let Parsed::Usage(counted) = event.parsed {
            usage = counted;
        }
    }
    let Some(first) = first else {
        bail!("it answered nothing");
    };
    sample.first = first.duration_since(began).as_secs_f64();
    sample.generating = last.duration_since(first).as_secs_f64();
    if usage.completion_tokens > 0 {
        sample.completion_tokens = usage.completion_tokens;
    }
    sample.prompt_tokens = match usage.prompt_tokens.saturating_sub(usage.cached_tokens) {
        // Bytes of ordinary text.
        0 => u32::try_from(sample.prompt_bytes / 4).unwrap_or(u32::MAX),
        counted => counted,
    };
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_prompts_begin_alike_and_a_long_one_is_long() {
        let (one, two) = (prompt(512), prompt(512));
        assert_ne!(one[..30], two[..30]);
        assert!(one.split_whitespace().count() > 480);
        assert!(prompt(16).len() < 150);
    }
}
