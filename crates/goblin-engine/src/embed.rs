//! Texts as vectors: whole texts, as many in a step as fit.
//!
//! A text's vector is made of all its tokens at once (mean, first or last, as the model's file says), so a text is
//! never spread over two steps, and nothing stays in the context between steps. Requests that wait take turns, text
//! by text. A request that is dropped is let go between two steps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::limits::MAX_EMBED_INPUTS;
use goblin_core::provider::ProviderError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::engine::{Loaded, Shared};
use crate::handle::{Job, stopped};
use crate::options::EMBED_TEXTS;
use crate::prepare::rejected;
use crate::sequence::Token;
use crate::vocabulary;

/// A request, cut into tokens.
pub(crate) struct EmbedJob {
    /// Never empty, nor any of them.
    texts: Vec<Vec<Token>>,
    /// How many numbers of each vector are wanted.
    dimensions: Option<usize>,
    reply: oneshot::Sender<Result<EmbedResponse, ProviderError>>,
    _permit: OwnedSemaphorePermit,
}

impl EmbedJob {
    /// Sends an error.
    pub(crate) fn fail(self, error: ProviderError) {
        // Nobody waits any more when this fails.
        let _ = self.reply.send(Err(error));
    }
}

/// Checks `request` and cuts its texts into tokens. In them nothing is read as a control token.
pub(crate) fn prepare(
    loaded: &Loaded,
    request: &EmbedRequest,
    reply: oneshot::Sender<Result<EmbedResponse, ProviderError>>,
    permit: OwnedSemaphorePermit,
) -> Result<EmbedJob, ProviderError> {
    let count = request.inputs.len();
    if count == 0 || count > MAX_EMBED_INPUTS {
        return Err(rejected(
            "input",
            format!("1 to {MAX_EMBED_INPUTS} texts are possible; there are {count}."),
        ));
    }
    let length = u32::try_from(loaded.model.n_embd_out()).unwrap_or(0);
    if let Some(dimensions) = request.dimensions
        && !(1..=length).contains(&dimensions)
    {
        return Err(rejected(
            "dimensions",
            format!("`dimensions` is {dimensions}; a vector of this model has {length} numbers."),
        ));
    }
    let mut texts = Vec::with_capacity(count);
    for (i, input) in request.inputs.iter().enumerate() {
        let tokens = vocabulary::text_tokens(&loaded.model, input, true)?;
        if input.is_empty() || tokens.is_empty() {
            return Err(rejected(
                &format!("input[{i}]"),
                "The text is empty; an empty text has no vector.",
            ));
        }
        texts.push(fitted(tokens, loaded, request.truncate)?);
    }
    Ok(EmbedJob {
        texts,
        dimensions: request.dimensions.map(|n| n as usize),
        reply,
        _permit: permit,
    })
}

/// `tokens`, cut to the context where the caller allows it. A token that ends every text stays at the end.
fn fitted(mut tokens: Vec<Token>, loaded: &Loaded, may_cut: bool) -> Result<Vec<Token>, ProviderError> {
    let context_window = loaded.plan.context_tokens;
    let most = context_window as usize;
    if tokens.len() <= most {
        return Ok(tokens);
    }
    if !may_cut {
        return Err(ProviderError::ContextExceeded {
            prompt_tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
            context_window,
        });
    }
    let vocab = loaded.model.vocab();
    let last = tokens
        .last()
        .copied()
        .filter(|t| vocab.is_control(LlamaToken(*t)));
    tokens.truncate(most);
    if let (Some(end), Some(place)) = (last, tokens.last_mut()) {
        *place = end;
    }
    Ok(tokens)
}

/// A request the thread is working on.
struct Run {
    job: EmbedJob,
    vectors: Vec<Vec<f32>>,
    /// Texts that are in the step being computed.
    placed: usize,
}

impl Run {
    /// Tokens of each text that is still to be placed.
    fn left(&self) -> impl Iterator<Item = &Vec<Token>> {
        self.job.texts.iter().skip(self.vectors.len() + self.placed)
    }
}

/// The thread of a model that makes vectors.
pub(crate) struct Embedder<'m> {
    shared: Arc<Shared>,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    runs: VecDeque<Run>,
    /// Tokens in a step.
    room: usize,
}

impl<'m> Embedder<'m> {
    pub(crate) fn new(shared: &Arc<Shared>, context: LlamaContext<'m>) -> Self {
        let room = shared.plan.total_cells as usize;
        Self {
            shared: Arc::clone(shared),
            context,
            batch: LlamaBatch::new(room, 1),
            runs: VecDeque::new(),
            room,
        }
    }

    /// Works until told to stop; sleeps while there is nothing to do.
    pub(crate) fn run(mut self, work: &Receiver<Job>) {
        loop {
            self.shared.counting.loop_turns.fetch_add(1, Ordering::SeqCst);
            if self.runs.is_empty() {
                match work.recv() {
                    Ok(job) => self.take(job),
                    Err(_) => return,
                }
            }
            while let Ok(job) = work.try_recv() {
                self.take(job);
            }
            if self.shared.stopping.load(Ordering::SeqCst) {
                self.fail_all(&stopped());
                return;
            }
            self.runs.retain(|run| !run.job.reply.is_closed());
            if !self.runs.is_empty() {
                self.step();
            }
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Embed(job) => self.runs.push_back(Run {
                job: *job,
                vectors: Vec::new(),
                placed: 0,
            }),
            // Nobody asks a model for vectors for these: the handle refuses them.
            Job::Chat(job) => job.answer.fail(stopped()),
            Job::Decide(job) => {
                let _ = job.reply.send(Err(stopped()));
            }
            Job::Wake => {}
        }
    }

    /// Computes the vectors of as many texts as fit.
    fn step(&mut self) {
        let order = pack(&self.sizes(), self.room, EMBED_TEXTS as usize);
        self.fill(&order);
        let tokens = self.batch.n_tokens();
        let shared = Arc::clone(&self.shared);
        let turn = shared.turnstile().enter();
        let begin = Instant::now();
        let decoded = self.context.decode(&mut self.batch);
        drop(turn);
        if let Err(error) = decoded {
            tracing::error!(%error, "a step that makes vectors failed");
            self.fail_all(&ProviderError::Interrupted {
                reason: format!("a step failed: {error}"),
            });
            return;
        }
        let tokens = usize::try_from(tokens).unwrap_or(0);
        self.shared.counting.step(tokens, 0, begin.elapsed());
        if let Err(error) = self.read(&order) {
            self.fail_all(&error);
            return;
        }
        self.reply();
        // The next step begins with somebody else.
        if self.runs.len() > 1 {
            self.runs.rotate_left(1);
        }
    }

    /// The lengths of the texts each request still wants, as far as a step could hold them.
    fn sizes(&self) -> Vec<Vec<usize>> {
        let of = |run: &Run| run.left().take(EMBED_TEXTS as usize).map(Vec::len).collect();
        self.runs.iter().map(of).collect()
    }

    /// Puts one text of each request in `order` into the batch, each as a sequence of its own.
    fn fill(&mut self, order: &[usize]) {
        self.batch.clear();
        self.context.clear_kv_cache();
        for (sequence, run) in (0_i32..).zip(order) {
            let Some(tokens) = self.runs[*run].left().next().cloned() else {
                continue;
            };
            self.runs[*run].placed += 1;
            for (position, token) in (0_i32..).zip(tokens) {
                // `pack` left room for it.
                let added = self.batch.add(LlamaToken(token), position, &[sequence], true);
                debug_assert!(added.is_ok());
            }
        }
    }

    /// Takes the vectors of the texts in `order`.
    fn read(&mut self, order: &[usize]) -> Result<(), ProviderError> {
        for run in &mut self.runs {
            run.placed = 0;
        }
        for (sequence, run) in (0_i32..).zip(order) {
            let found = self.context.embeddings_seq_ith(sequence);
            let found = found.map_err(|error| ProviderError::Interrupted {
                reason: format!("a text has no vector: {error}"),
            })?;
            let run = &mut self.runs[*run];
            let vector = unit(found, run.job.dimensions).ok_or_else(|| ProviderError::Interrupted {
                reason: "a vector holds no usable numbers".to_owned(),
            })?;
            run.vectors.push(vector);
        }
        Ok(())
    }

    /// Answers the requests that are done.
    fn reply(&mut self) {
        let mut rest = VecDeque::with_capacity(self.runs.len());
        for run in self.runs.drain(..) {
            if run.vectors.len() < run.job.texts.len() {
                rest.push_back(run);
                continue;
            }
            let prompt_tokens = run.job.texts.iter().map(Vec::len).sum::<usize>();
            let EmbedJob {
                reply,
                _permit: permit,
                ..
            } = run.job;
            // The place is free before the caller hears of the end: who asks again at once finds it.
            drop(permit);
            let _ = reply.send(Ok(EmbedResponse {
                vectors: run.vectors,
                prompt_tokens: u32::try_from(prompt_tokens).unwrap_or(u32::MAX),
            }));
        }
        self.runs = rest;
    }

    fn fail_all(&mut self, error: &ProviderError) {
        for run in self.runs.drain(..) {
            run.job.fail(error.clone());
        }
    }
}

/// Which requests' next texts go into a step: in turns, text by text, until `room` tokens or `most` texts are reached.
/// `sizes` are the lengths of the texts of each request, of which none is longer than `room`. A request whose next
/// text does not fit is done for this step.
fn pack(sizes: &[Vec<usize>], room: usize, most: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut at = vec![0; sizes.len()];
    let mut used = 0;
    let mut open: Vec<usize> = (0..sizes.len()).collect();
    while !open.is_empty() {
        open.retain(|request| {
            let next = sizes[*request].get(at[*request]);
            let Some(size) = next.filter(|size| used + **size <= room && order.len() < most) else {
                return false;
            };
            used += size;
            at[*request] += 1;
            order.push(*request);
            true
        });
    }
    order
}

/// The first `dimensions` numbers of `vector` as a vector of length one; `None` when there is no direction in it.
fn unit(vector: &[f32], dimensions: Option<usize>) -> Option<Vec<f32>> {
    let kept = &vector[..dimensions.unwrap_or(vector.len()).min(vector.len())];
    let length = kept.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0)
        .then(|| kept.iter().map(|x| (f64::from(*x) / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_take_turns_and_a_step_is_bounded() {
        assert_eq!(pack(&[vec![10; 4], vec![10; 2]], 100, 32), [0, 1, 0, 1, 0, 0]);
        assert_eq!(pack(&[vec![10; 4], vec![10; 2]], 35, 32), [0, 1, 0]);
        assert_eq!(pack(&[vec![10; 4]], 100, 3), [0, 0, 0]);
        assert_eq!(pack(&[vec![90, 20, 5]], 100, 32), [0], "texts keep their order");
        assert_eq!(pack(&[vec![100]], 100, 32), [0]);
        assert!(pack(&[], 100, 32).is_empty());
    }

    #[test]
    fn a_vector_has_length_one_also_when_it_is_cut() {
        assert_eq!(unit(&[3.0, 4.0], None), Some(vec![0.6, 0.8]));
        assert_eq!(unit(&[3.0, 4.0], Some(1)), Some(vec![1.0]));
        assert_eq!(unit(&[0.0, 0.0], None), None);
        assert_eq!(unit(&[f32::NAN, 1.0], None), None);
    }
}
