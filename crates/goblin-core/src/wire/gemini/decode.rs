//! Reading Gemini's answers: each piece of a stream is a `GenerateContentResponse`, as is a whole answer.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::event::{ChatEvent, FinishReason, Parsed, TokenLogprob, TopLogprob, Usage};
use crate::maker::Maker;
use crate::provider::ProviderError;
use crate::wire::cloud_errors::cloud_error_in_band;
use crate::wire::reading::{interrupted, read_json};

/// Reads one answer, a `data:` payload at a time.
#[derive(Clone, Debug, Default)]
pub struct ContentDecoder {
    model: String,
    started: bool,
    content: bool,
    finished: bool,
    calls: u32,
    usage: Option<Usage>,
}

impl ContentDecoder {
    /// For the answer of `model`.
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            ..Self::default()
        }
    }

    /// Reads one payload.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] for what is no answer, and for an error after content; before it what the error says.
    /// [`ProviderError::Broken`] where the model gave up on a call it could not write.
    pub fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        let piece = read_json(data, "a piece of the stream")?;
        let mut out = Vec::new();
        self.read(&piece, &mut out)?;
        Ok(out.into_iter().map(ChatEvent::from).collect())
    }

    /// Reads an answer in one piece; a stream that was not asked for as events is an array of pieces.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`ProviderError::Interrupted`] for a body that says nothing.
    pub fn decode_whole(mut self, body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        let whole = read_json(body, "the answer")?;
        let mut out = Vec::new();
        match whole.as_array() {
            Some(pieces) => pieces.iter().try_for_each(|piece| self.read(piece, &mut out))?,
            None => self.read(&whole, &mut out)?,
        }
        self.finish()?;
        let said = out.into_iter().map(ChatEvent::from);
        Ok(said.chain(self.leftover()).collect())
    }

    /// To be asked when the stream has ended.
    ///
    /// # Errors
    /// [`ProviderError::Interrupted`] when it ended before the answer did.
    pub fn finish(&self) -> Result<(), ProviderError> {
        match (self.finished, self.started) {
            (true, _) => Ok(()),
            (false, true) => Err(interrupted("the stream was cut before the answer ended")),
            (false, false) => Err(interrupted("the stream ended without an answer")),
        }
    }

    /// What is left to say when the stream has ended: what it used, which each piece says anew.
    pub fn leftover(&mut self) -> Vec<ChatEvent> {
        let usage = self.usage.take().filter(|_| self.finished);
        usage
            .map(|usage| Parsed::Usage(usage).into())
            .into_iter()
            .collect()
    }

    fn read(&mut self, piece: &Value, out: &mut Vec<Parsed>) -> Result<(), ProviderError> {
        // An error may come wrapped in an array, as a stream's only piece.
        let piece = piece.get(0).unwrap_or(piece);
        if let Some(error) = cloud_error_in_band(Maker::Gemini, piece, &self.model, self.content) {
            return Err(error);
        }
        self.count(&piece["usageMetadata"]);
        let Some(candidate) = piece["candidates"].as_array().and_then(|all| all.first()) else {
            if piece["promptFeedback"]["blockReason"].is_string() {
                self.begin(out);
                self.end(FinishReason::ContentFilter, out);
            }
            return Ok(());
        };
        self.begin(out);
        let mut logprobs = read_logprobs(&candidate["logprobsResult"]);
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            self.part(part, &mut logprobs, out);
        }
        if !logprobs.is_empty() {
            let text = String::new();
            out.push(Parsed::Text { text, logprobs });
        }
        self.content |= out.iter().any(Parsed::is_content);
        match candidate["finishReason"].as_str() {
            None => Ok(()),
            Some(reason) => self.finished_by(reason, out),
        }
    }

    fn begin(&mut self, out: &mut Vec<Parsed>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Parsed::Started);
        }
    }

    fn part(&mut self, part: &Value, logprobs: &mut Vec<TokenLogprob>, out: &mut Vec<Parsed>) {
        if let Some(call) = part.get("functionCall") {
            let index = self.calls;
            self.calls += 1;
            let args = call.get("args").cloned().unwrap_or_else(|| json!({}));
            let given = call["id"].as_str().filter(|id| !id.is_empty());
            out.push(Parsed::ToolCall {
                index,
                id: Some(given.map_or_else(|| format!("call_{index}"), str::to_owned)),
                name: call["name"].as_str().map(str::to_owned),
                arguments: args.to_string(),
            });
            if let Some(signature) = part["thoughtSignature"].as_str() {
                let seal = format!("gemini:{signature}");
                out.push(Parsed::Sealed { index, seal });
            }
            return;
        }
        let Some(text) = part["text"].as_str().filter(|t| !t.is_empty()) else {
            return;
        };
        let text = text.to_owned();
        out.push(match part["thought"].as_bool() {
            Some(true) => Parsed::Reasoning { text },
            _ => Parsed::Text {
                text,
                logprobs: std::mem::take(logprobs),
            },
        });
    }

    fn finished_by(&mut self, reason: &str, out: &mut Vec<Parsed>) -> Result<(), ProviderError> {
        let reason = match reason {
            "STOP" if self.calls > 0 => FinishReason::ToolCalls,
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY"
            | "LANGUAGE" => FinishReason::ContentFilter,
            other if self.content => {
                return Err(interrupted(format!("the answer was given up: {}", word(other))));
            }
            // `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `OTHER` and what is to come.
            other => {
                return Err(ProviderError::Broken {
                    reason: format!("the model gave its answer up: {}", word(other)),
                });
            }
        };
        self.end(reason, out);
        Ok(())
    }

    fn end(&mut self, reason: FinishReason, out: &mut Vec<Parsed>) {
        if !std::mem::replace(&mut self.finished, true) {
            out.push(Parsed::Finished { reason });
        }
    }

    /// Thinking is counted beside the answer there, and is part of it here.
    fn count(&mut self, usage: &Value) {
        if !usage.is_object() {
            return;
        }
        let tokens = |name: &str| {
            usage[name]
                .as_u64()
                .map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX))
        };
        let thought = tokens("thoughtsTokenCount");
        self.usage = Some(Usage {
            prompt_tokens: tokens("promptTokenCount").saturating_add(tokens("toolUsePromptTokenCount")),
            completion_tokens: tokens("candidatesTokenCount").saturating_add(thought),
            cached_tokens: tokens("cachedContentTokenCount"),
            reasoning_tokens: thought,
        });
    }
}

/// A reason fit for the log.
fn word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(60)
        .collect()
}

/// One entry for each token, with its likeliest rivals.
fn read_logprobs(result: &Value) -> Vec<TokenLogprob> {
    let token = |value: &Value| TopLogprob {
        token: value["token"].as_str().unwrap_or_default().to_owned(),
        logprob: value["logProbability"].as_f64().unwrap_or(0.0) as f32,
        bytes: None,
    };
    let rivals = result["topCandidates"].as_array();
    let chosen = result["chosenCandidates"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    let read = |(i, value): (usize, &Value)| {
        let top = rivals
            .and_then(|all| all.get(i))
            .and_then(|top| top["candidates"].as_array());
        TokenLogprob {
            chosen: token(value),
            top_logprobs: top.into_iter().flatten().map(token).collect(),
        }
    };
    chosen.map(read).collect()
}
