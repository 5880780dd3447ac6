//! Typed questions: next-token probabilities of given tokens after a text.
//!
//! The shared text is evaluated once into a sequence of its own, or taken from whichever sequence holds its
//! beginning (for example the chat it is about), and stays there for the next request. Every question
//! branches off it by sharing its cells, and all questions of a wave are evaluated in one batch. Running
//! answers go on generating in the same steps.

use goblin_core::decide::{DecideCost, DecideRequest, DecideResponse, Decision, Frame, OptionProbability};
use goblin_core::provider::ProviderError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::engine::Loaded;
use crate::prepare::rejected;
use crate::sampler::log_sum;
use crate::sequence::Token;
use crate::vocabulary;

/// Questions evaluated in one batch, each in a sequence of its own.
pub(crate) const BRANCHES: usize = 16;
/// Tokens of all questions in one batch.
pub(crate) const WAVE_TOKENS: usize = 1024;
/// Most questions in one request.
const MAX_QUESTIONS: usize = 256;
/// Most options of one question, and most spellings of one option.
const MAX_OPTIONS: usize = 64;

/// A request, cut into tokens.
pub(crate) struct DecideJob {
    pub(crate) shared: Vec<Token>,
    pub(crate) questions: Vec<AskedQuestion>,
    pub(crate) reply: oneshot::Sender<Result<DecideResponse, ProviderError>>,
    pub(crate) _permit: OwnedSemaphorePermit,
}

/// A question, cut into tokens.
pub(crate) struct AskedQuestion {
    id: String,
    /// Follow the first [`Self::branch_at`] tokens of the shared text. Never empty.
    pub(crate) tokens: Vec<Token>,
    /// How much of the shared text is in front of `tokens`.
    pub(crate) branch_at: usize,
    options: Vec<(String, Vec<Token>)>,
}

impl AskedQuestion {
    /// Reads the answer from the logits after the question.
    pub(crate) fn answer(&self, logits: &[f32]) -> Decision {
        let total = log_sum(logits);
        let probability = |token: &Token| {
            logits
                .get(*token as usize)
                .map_or(0.0, |l| (f64::from(*l) - total).exp())
        };
        let options: Vec<OptionProbability> = self
            .options
            .iter()
            .map(|(name, tokens)| OptionProbability {
                name: name.clone(),
                probability: tokens.iter().map(probability).sum::<f64>().min(1.0),
            })
            .collect();
        let mass = options.iter().map(|o| o.probability).sum::<f64>().min(1.0);
        Decision {
            id: self.id.clone(),
            options,
            mass,
        }
    }
}

/// Checks `request` and cuts it into tokens. In the texts nothing is read as a control token but the marks the request
/// names, so that a transcript cannot pretend to end.
pub(crate) fn prepare(
    loaded: &Loaded,
    request: &DecideRequest,
    reply: oneshot::Sender<Result<DecideResponse, ProviderError>>,
    permit: OwnedSemaphorePermit,
) -> Result<DecideJob, ProviderError> {
    if request.questions.is_empty() || request.questions.len() > MAX_QUESTIONS {
        return Err(rejected(
            "questions",
            format!("1 to {MAX_QUESTIONS} questions are possible."),
        ));
    }
    let Frame {
        before, after, marks, ..
    } = &request.frame;
    // What stands around the texts is ours, and begins the first of them.
    let mut shared = match before.is_empty() {
        true => Vec::new(),
        false => vocabulary::prompt_tokens(&loaded.model, before)?,
    };
    let begins = shared.is_empty();
    shared.extend(vocabulary::marked_tokens(
        &loaded.model,
        &request.shared,
        marks,
        begins,
    )?);
    let after = match after.is_empty() {
        true => Vec::new(),
        false => vocabulary::mark_tokens(&loaded.model, after)?,
    };
    let context_window = loaded.plan.context_tokens;
    let mut questions = Vec::with_capacity(request.questions.len());
    for (i, question) in request.questions.iter().enumerate() {
        let param = format!("questions[{i}]");
        let begins = shared.is_empty();
        let mut tokens = vocabulary::marked_tokens(&loaded.model, &question.text, marks, begins)?;
        tokens.extend(&after);
        let mut branch_at = shared.len();
        if tokens.is_empty() {
            // Nothing follows the shared text: its last token is evaluated again for its logits.
            branch_at = shared.len().saturating_sub(1);
            tokens.extend(shared.last());
        }
        if tokens.is_empty() || tokens.len() > WAVE_TOKENS {
            let message = format!(
                "A question has 1 to {WAVE_TOKENS} tokens; this one has {}.",
                tokens.len()
            );
            return Err(rejected(&param, message));
        }
        let needed = branch_at + tokens.len();
        if needed > context_window as usize {
            let prompt_tokens = u32::try_from(needed).unwrap_or(u32::MAX);
            return Err(ProviderError::ContextExceeded {
                prompt_tokens,
                context_window,
            });
        }
        let options = options(loaded, &param, question)?;
        questions.push(AskedQuestion {
            id: question.id.clone(),
            tokens,
            branch_at,
            options,
        });
    }
    Ok(DecideJob {
        shared,
        questions,
        reply,
        _permit: permit,
    })
}

/// The first tokens of each option's spellings.
fn options(
    loaded: &Loaded,
    param: &str,
    question: &goblin_core::decide::Question,
) -> Result<Vec<(String, Vec<Token>)>, ProviderError> {
    let param = format!("{param}.options");
    if question.options.is_empty() || question.options.len() > MAX_OPTIONS {
        return Err(rejected(
            &param,
            format!("1 to {MAX_OPTIONS} options are possible."),
        ));
    }
    let mut taken: Vec<Token> = Vec::new();
    let mut out = Vec::with_capacity(question.options.len());
    for option in &question.options {
        if option.spellings.is_empty() || option.spellings.len() > MAX_OPTIONS {
            return Err(rejected(
                &param,
                format!("An option has 1 to {MAX_OPTIONS} spellings."),
            ));
        }
        let mut tokens: Vec<Token> = Vec::new();
        for spelling in &option.spellings {
            let first = vocabulary::text_tokens(&loaded.model, spelling, false)?
                .first()
                .copied();
            let Some(first) = first else {
                return Err(rejected(&param, "A spelling is empty."));
            };
            // Two spellings of one option may begin alike; they count once.
            if !tokens.contains(&first) {
                tokens.push(first);
            }
        }
        if tokens.iter().any(|t| taken.contains(t)) {
            return Err(rejected(
                &param,
                "Two options begin with the same token, so they cannot be told apart.",
            ));
        }
        taken.extend(&tokens);
        out.push((option.name.clone(), tokens));
    }
    Ok(out)
}

/// A request the decode thread is working on.
pub(crate) struct DecideRun {
    pub(crate) job: DecideJob,
    /// Tokens of the shared text that are evaluated.
    pub(crate) fed: usize,
    /// Questions answered.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) cost: DecideCost,
}

impl DecideRun {
    pub(crate) fn new(job: DecideJob, cached: usize) -> Self {
        let cost = DecideCost {
            shared_cached: u32::try_from(cached).unwrap_or(u32::MAX),
            ..DecideCost::default()
        };
        Self {
            job,
            fed: cached,
            decisions: Vec::new(),
            cost,
        }
    }

    /// Is the shared text evaluated?
    pub(crate) fn shared_is_there(&self) -> bool {
        self.fed >= self.job.shared.len()
    }

    /// The questions of the next wave: as many as fit `cells`, at least one.
    pub(crate) fn next_wave(&self, cells: usize) -> &[AskedQuestion] {
        let rest = &self.job.questions[self.decisions.len()..];
        let room = cells.min(WAVE_TOKENS);
        let mut tokens = 0;
        let fits = rest
            .iter()
            .take(BRANCHES)
            .take_while(|q| {
                tokens += q.tokens.len();
                tokens <= room
            })
            .count();
        &rest[..fits.max(1).min(rest.len())]
    }

    /// Sends the answers.
    pub(crate) fn reply(self) {
        let response = DecideResponse {
            decisions: self.decisions,
            cost: self.cost,
            ..DecideResponse::default()
        };
        // Nobody waits any more when this fails.
        let _ = self.job.reply.send(Ok(response));
    }

    /// Sends an error.
    pub(crate) fn fail(self, error: ProviderError) {
        let _ = self.job.reply.send(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(tokens: usize) -> AskedQuestion {
        AskedQuestion {
            id: "q".to_owned(),
            tokens: vec![1; tokens],
            branch_at: 0,
            options: vec![("yes".to_owned(), vec![0, 1]), ("no".to_owned(), vec![2])],
        }
    }

    fn run(sizes: &[usize]) -> DecideRun {
        let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
        let job = DecideJob {
            shared: vec![1, 2, 3],
            questions: sizes.iter().map(|n| question(*n)).collect(),
            reply: oneshot::channel().0,
            _permit: permits.try_acquire_owned().unwrap(),
        };
        DecideRun::new(job, 0)
    }

    #[test]
    fn spellings_are_summed_and_nothing_is_renormalised() {
        let decision = question(1).answer(&[0.0, 0.0, 0.0, 0.0]);
        assert!((decision.options[0].probability - 0.5).abs() < 1e-9);
        assert!((decision.options[1].probability - 0.25).abs() < 1e-9);
        assert!((decision.mass - 0.75).abs() < 1e-9);
    }

    #[test]
    fn waves_are_bounded_by_branches_and_tokens() {
        assert_eq!(run(&[10; 40]).next_wave(10_000).len(), BRANCHES);
        assert_eq!(run(&[600, 400, 100]).next_wave(10_000).len(), 2);
        assert_eq!(run(&[600, 400, 100]).next_wave(700).len(), 1);
        assert_eq!(run(&[600]).next_wave(10).len(), 1);
    }
}
