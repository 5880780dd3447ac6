//! What context each model is run with, and whether a prompt fits it.
//!
//! Ollama loads a model anew when a request brings another `num_ctx`, and (before it knew `truncate`) cut what did not
//! fit without a word. So every request of a model carries the same number; it only rises, to powers of two, as far as
//! the model was trained and the operator allows, and is forgotten when the idle model leaves memory. It has no
//! tokenizer to ask, so a prompt's size is judged by its bytes: cautiously at first, then by what earlier answers cost.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goblin_core::chat::ChatRequest;
use goblin_core::context_rule::{CountMethod, prompt_bytes};
use goblin_core::provider::{ProviderError, TokenCount};

/// The context a model is given at least, where it can hold it: Ollama's own default.
const LEAST_CONTEXT: u32 = 4096;
/// Bytes of one token when nothing was measured: less than any language spends on average.
const CAUTIOUS_BYTES_PER_TOKEN: f64 = 2.0;
/// More bytes than one token of real text has on average.
const MOST_BYTES_PER_TOKEN: f64 = 12.0;
/// A prompt of fewer bytes says more of its template than of its text.
const LEAST_MEASURED_BYTES: usize = 256;
/// Tokens a template puts around a message.
const TEMPLATE_TOKENS: usize = 16;
/// Tokens of one image, generously.
const IMAGE_TOKENS: usize = 1024;
/// Tokens kept free for an answer without a limit of its own.
const ANSWER_ROOM: u32 = 512;
/// Most models remembered.
const MAX_MODELS: usize = 1024;

/// How large a prompt is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prompt {
    pub(super) bytes: usize,
    pub(super) messages: usize,
    pub(super) images: usize,
    /// The context the caller asked for.
    pub(super) asked: Option<u32>,
    /// Most tokens of the answer.
    pub(super) max_tokens: Option<u32>,
}

impl Prompt {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let parts = request.messages.iter().flat_map(|m| &m.parts);
        let image = |part: &&goblin_core::chat::Part| matches!(part, goblin_core::chat::Part::Image { .. });
        Self {
            bytes: prompt_bytes(request),
            messages: request.messages.len() + request.tools.len() + 1,
            images: parts.filter(image).count(),
            asked: request.context_tokens,
            max_tokens: request.sampling.max_tokens,
        }
    }

    /// Of a text without a template.
    pub(super) fn of_text(bytes: usize, asked: Option<u32>, max_tokens: Option<u32>) -> Self {
        Self {
            bytes,
            messages: 0,
            images: 0,
            asked,
            max_tokens,
        }
    }

    /// Bytes an answer's cost says something about; none when images are in it.
    pub(super) fn measurable_bytes(&self) -> usize {
        if self.images == 0 { self.bytes } else { 0 }
    }

    fn tokens(&self, bytes_per_token: f64) -> u32 {
        let around = self.messages * TEMPLATE_TOKENS + self.images * IMAGE_TOKENS;
        // `as` saturates.
        (self.bytes as f64 / bytes_per_token).ceil() as u32 + around as u32
    }
}

/// What the server says of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The context it is loaded with now.
    pub(super) loaded: Option<u32>,
    /// The context its file sets.
    pub(super) set: Option<u32>,
    /// The context it was trained with.
    pub(super) trained: Option<u32>,
    /// Does this version cut a prompt that does not fit, whatever it is told?
    pub(super) cuts: bool,
}

/// What to send, and what to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// `num_ctx`.
    pub(super) context_tokens: u32,
    /// Likely tokens of the prompt.
    pub(super) likely_tokens: u32,
}

#[derive(Debug, Default)]
struct Known {
    context_tokens: u32,
    running: usize,
    bytes_per_token: Option<f64>,
}

/// The contexts of one server's models.
#[derive(Debug)]
pub(super) struct Contexts {
    most: u32,
    models: Mutex<HashMap<String, Known>>,
}

/// An answer under way: its model is not taken to be idle.
#[derive(Debug)]
pub(super) struct Running {
    contexts: Arc<Contexts>,
    model: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(known) = self.contexts.lock().get_mut(&self.model) {
            known.running = known.running.saturating_sub(1);
        }
    }
}

/// `m` and `m:latest` are one model.
pub(super) fn full_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model);
    match name.contains(':') {
        true => model.to_owned(),
        false => format!("{model}:latest"),
    }
}

impl Contexts {
    /// No context is raised beyond `most` tokens.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            models: Mutex::new(HashMap::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most tokens a model can be given.
    pub(super) fn cap(&self, facts: &Facts) -> u32 {
        let allowed = self.most.min(facts.trained.unwrap_or(u32::MAX));
        allowed.max(facts.loaded.unwrap_or(0))
    }

    /// Decides what context a request is sent with.
    ///
    /// # Errors
    /// [`ProviderError::ContextExceeded`] when the prompt cannot fit; where the server would cut instead of refusing,
    /// already when it may not fit.
    pub(super) fn plan(
        self: &Arc<Self>,
        model: &str,
        prompt: &Prompt,
        facts: &Facts,
    ) -> Result<(Plan, Running), ProviderError> {
        let model = full_name(model);
        let mut models = self.lock();
        if models.len() >= MAX_MODELS {
            models.retain(|_, known| known.running > 0);
        }
        let known = models.entry(model.clone()).or_default();
        let cap = self.cap(facts);
        let ratio = known.bytes_per_token;
        let likely_tokens = prompt.tokens(ratio.map_or(CAUTIOUS_BYTES_PER_TOKEN, |r| r / 1.1));
        let surely = match (facts.cuts, ratio) {
            (true, _) => likely_tokens,
            (false, Some(ratio)) => prompt.tokens(ratio * 1.5),
            (false, None) => (prompt.bytes as f64 / MOST_BYTES_PER_TOKEN) as u32,
        };
        if surely >= cap {
            return Err(ProviderError::ContextExceeded {
                prompt_tokens: likely_tokens.max(cap.saturating_add(1)),
                context_window: cap,
            });
        }
        let floor = [
            Some(known.context_tokens),
            facts.loaded,
            facts.set,
            Some(LEAST_CONTEXT),
        ];
        let floor = floor
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(LEAST_CONTEXT)
            .min(cap);
        let room = prompt.max_tokens.unwrap_or(ANSWER_ROOM).min(cap / 4);
        let needed = likely_tokens.saturating_add(room).max(prompt.asked.unwrap_or(0));
        let raised = needed.checked_next_power_of_two().unwrap_or(u32::MAX);
        known.context_tokens = if needed > floor { raised.min(cap) } else { floor };
        known.running += 1;
        let plan = Plan {
            context_tokens: known.context_tokens,
            likely_tokens,
        };
        drop(models);
        let contexts = Arc::clone(self);
        Ok((plan, Running { contexts, model }))
    }

    /// The context the model's requests carry now, if any was sent.
    pub(super) fn remembered(&self, model: &str) -> Option<u32> {
        let tokens = self
            .lock()
            .get(&full_name(model))
            .map(|known| known.context_tokens);
        tokens.filter(|tokens| *tokens > 0)
    }

    /// Learns from an answer what a prompt of so many bytes cost.
    pub(super) fn measured(&self, model: &str, bytes: usize, prompt_tokens: u32) {
        if bytes < LEAST_MEASURED_BYTES || prompt_tokens == 0 {
            return;
        }
        if let Some(known) = self.lock().get_mut(&full_name(model)) {
            let new = bytes as f64 / f64::from(prompt_tokens);
            // Fewer bytes for a token are believed at once, more only slowly.
            known.bytes_per_token = Some(match known.bytes_per_token {
                Some(old) if new > old => old * 0.9 + new * 0.1,
                _ => new,
            });
        }
    }

    /// Counts a prompt as well as it can be without its tokenizer.
    pub(super) fn count(&self, model: &str, prompt: &Prompt, facts: &Facts) -> TokenCount {
        let ratio = self
            .lock()
            .get(&full_name(model))
            .and_then(|known| known.bytes_per_token);
        TokenCount {
            prompt_tokens: prompt.tokens(ratio.unwrap_or(CAUTIOUS_BYTES_PER_TOKEN)),
            context_window: self.cap(facts),
            method: match ratio {
                Some(_) => CountMethod::MeasuredRatio,
                None => CountMethod::Estimate,
            },
        }
    }

    /// Forgets the context of models that left memory while nothing of ours ran on them.
    pub(super) fn forget_idle(&self, loaded: &HashSet<String>) {
        for (model, known) in self.lock().iter_mut() {
            if known.running == 0 && !loaded.contains(model) {
                known.context_tokens = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts = Facts {
        loaded: None,
        set: None,
        trained: Some(32_768),
        cuts: false,
    };

    fn contexts() -> Arc<Contexts> {
        Arc::new(Contexts::new(16_384))
    }

    fn text(bytes: usize) -> Prompt {
        Prompt::of_text(bytes, None, None)
    }

    fn planned(contexts: &Arc<Contexts>, prompt: Prompt, facts: Facts) -> Result<u32, ProviderError> {
        contexts
            .plan("m", &prompt, &facts)
            .map(|(plan, _)| plan.context_tokens)
    }

    #[test]
    fn the_context_only_rises_and_in_powers_of_two() {
        let contexts = contexts();
        assert_eq!(planned(&contexts, text(10), FACTS), Ok(4096));
        assert_eq!(planned(&contexts, text(10_000), FACTS), Ok(8192));
        assert_eq!(
            planned(&contexts, text(10), FACTS),
            Ok(8192),
            "short ones use it too"
        );
        let asked = Prompt::of_text(10, Some(9000), None);
        assert_eq!(planned(&contexts, asked, FACTS), Ok(16_384));
        assert_eq!(contexts.remembered("m:latest"), Some(16_384));
        let greedy = Prompt::of_text(10, Some(1_000_000), None);
        assert_eq!(
            planned(&contexts, greedy, FACTS),
            Ok(16_384),
            "never beyond what is allowed"
        );
    }

    #[test]
    fn a_model_is_never_given_more_than_it_was_trained_with_nor_less_than_it_runs_with() {
        let short = Facts {
            trained: Some(2048),
            ..FACTS
        };
        assert_eq!(planned(&contexts(), text(10), short), Ok(2048));
        let large = Facts {
            loaded: Some(40_960),
            ..FACTS
        };
        assert_eq!(planned(&contexts(), text(10), large), Ok(40_960));
        let set = Facts {
            set: Some(8192),
            ..FACTS
        };
        assert_eq!(planned(&contexts(), text(10), set), Ok(8192));
    }

    #[test]
    fn a_prompt_that_cannot_fit_is_refused_with_both_numbers() {
        let refused = planned(&contexts(), text(400_000), FACTS);
        assert_eq!(
            refused,
            Err(ProviderError::ContextExceeded {
                prompt_tokens: 200_000,
                context_window: 16_384,
            })
        );
        // 50 kB may be 12,500 tokens or 25,000: a server that refuses by itself is asked, one that cuts is not.
        assert_eq!(planned(&contexts(), text(50_000), FACTS), Ok(16_384));
        let cuts = Facts { cuts: true, ..FACTS };
        assert!(planned(&contexts(), text(50_000), cuts).is_err());
    }

    #[test]
    fn what_answers_cost_makes_the_next_estimate_better() {
        let contexts = contexts();
        planned(&contexts, text(1000), FACTS).unwrap();
        let before = contexts.count("m", &text(4000), &FACTS);
        assert_eq!(
            (before.prompt_tokens, before.method),
            (2000, CountMethod::Estimate)
        );
        contexts.measured("m", 100, 90);
        assert_eq!(
            contexts.count("m", &text(4000), &FACTS),
            before,
            "too short to say much"
        );
        contexts.measured("m", 1000, 250);
        let after = contexts.count("m", &text(4000), &FACTS);
        assert_eq!(
            (after.prompt_tokens, after.method),
            (1000, CountMethod::MeasuredRatio)
        );
        contexts.measured("m", 1000, 500);
        assert_eq!(
            contexts.count("m", &text(4000), &FACTS).prompt_tokens,
            2000,
            "the worst is believed at once"
        );
    }

    #[test]
    fn an_idle_model_that_left_memory_begins_again() {
        let contexts = contexts();
        let (_, running) = contexts.plan("m", &text(10_000), &FACTS).unwrap();
        contexts.forget_idle(&HashSet::new());
        assert_eq!(contexts.remembered("m"), Some(8192), "an answer is under way");
        drop(running);
        contexts.forget_idle(&HashSet::from(["m:latest".to_owned()]));
        assert_eq!(contexts.remembered("m"), Some(8192), "it is still loaded");
        contexts.forget_idle(&HashSet::new());
        assert_eq!(contexts.remembered("m"), None);
    }

    #[test]
    fn a_name_without_a_tag_is_the_latest() {
        assert_eq!(full_name("m"), "m:latest");
        assert_eq!(full_name("h:1/n/m"), "h:1/n/m:latest");
        assert_eq!(full_name("n/m:7b"), "n/m:7b");
    }
}
