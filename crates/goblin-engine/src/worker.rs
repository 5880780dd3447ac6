//! The decode thread's loop: take work in, plan a step, decode, hand tokens out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use goblin_core::event::{FinishReason, TokenLogprob, TopLogprob, Usage};
use goblin_core::provider::ProviderError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::decide::{BRANCHES, DecideJob, DecideRun};
use crate::engine::{BATCH, Loaded, Shared};
use crate::handle::{Job, stopped};
use crate::options::UBATCH;
use crate::prepare::ChatJob;
use crate::sampler::{Likelihood, Scratch};
use crate::sequence::{Sequences, Token, common_prefix};
use crate::share::shares;
use crate::vocabulary::push_piece;

/// Prompt tokens in a step while answers are generated, before the rate is known.
const FIRST_CHUNK: usize = 128;
/// Fewest prompt tokens in a step.
const LEAST_CHUNK: usize = 32;
/// How long the prompt part of a step may take, in seconds, while answers are generated or another model computes.
const CHUNK_SECONDS: f64 = 0.4;
/// And while none are, so that a dropped request is noticed.
const ALONE_CHUNK_SECONDS: f64 = 1.5;
/// Free sequences may hold this part of one sequence's context together. Every cell in use makes every step's mask
/// wider, so what rests must not outweigh what runs.
const IDLE_PART: u32 = 2;
/// A prompt waits for another that is being evaluated if that spares it at least this many tokens.
const WORTH_WAITING: usize = 16;

/// Sequences in llama.cpp's context: chats, the decider's shared text, and its branches.
pub(crate) fn sequence_count(chats: u32, branches: usize) -> u32 {
    chats + 1 + u32::try_from(branches).unwrap_or(0)
}

/// An answer that has a sequence.
struct Running {
    job: ChatJob,
    sequence: usize,
    /// Tokens of the prompt that are in the context.
    fed: usize,
    cached: usize,
    /// The token chosen last; not yet in the context.
    next: Option<Token>,
    generated: u32,
    /// Where in the batch its logits are wanted, in this step.
    output: Option<i32>,
}

impl Running {
    /// Tokens of the prompt that are still to be evaluated.
    fn left(&self) -> usize {
        self.job.prompt.len() - self.fed
    }
}

/// Why a running answer leaves.
enum Leave {
    Finished(FinishReason),
    Abandoned,
}

/// What a step holds, so that its results can be booked.
#[derive(Default)]
struct Step {
    /// (running answer, prompt tokens fed).
    fed: Vec<(usize, usize)>,
    /// Tokens of the decider's shared text.
    shared: usize,
    /// Where each question of the wave ends in the batch.
    wave: Vec<i32>,
    wave_tokens: usize,
    /// Answers that got one token.
    answers: usize,
}

/// The decode thread.
pub(crate) struct Worker<'m> {
    shared: Arc<Shared>,
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    sequences: Sequences,
    running: Vec<Running>,
    /// Chats that have a place but wait for a prompt they share a prefix with.
    waiting: VecDeque<ChatJob>,
    deciding: Option<DecideRun>,
    to_decide: VecDeque<DecideJob>,
    scratch: Scratch,
    piece: Vec<u8>,
    chats: usize,
    context_tokens: usize,
}

impl<'m> Worker<'m> {
    pub(crate) fn new(shared: &Arc<Shared>, loaded: &'m Loaded, context: LlamaContext<'m>) -> Self {
        let chats = shared.plan.sequences as usize;
        let model: &'m LlamaModel = &loaded.model;
        Self {
            shared: Arc::clone(shared),
            model,
            context,
            batch: LlamaBatch::new(BATCH as usize, 1),
            sequences: Sequences::new(
                chats,
                1,
                loaded.rewinds,
                (shared.plan.context_tokens / IDLE_PART) as usize,
            ),
            running: Vec::with_capacity(chats),
            waiting: VecDeque::new(),
            deciding: None,
            to_decide: VecDeque::new(),
            scratch: Scratch::default(),
            piece: Vec::new(),
            chats,
            context_tokens: shared.plan.context_tokens as usize,
        }
    }

    /// Works until told to stop; sleeps while there is nothing to do.
    pub(crate) fn run(mut self, work: &Receiver<Job>) {
        loop {
            self.shared.counting.loop_turns.fetch_add(1, Ordering::SeqCst);
            if self.is_idle() {
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
            self.drop_abandoned();
            self.admit();
            let step = self.plan();
            if self.batch.n_tokens() > 0 {
                self.step(&step);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.waiting.is_empty()
            && self.deciding.is_none()
            && self.to_decide.is_empty()
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Chat(job) => self.waiting.push_back(*job),
            Job::Decide(job) => self.to_decide.push_back(*job),
            // Nobody asks a model that answers for vectors: the handle refuses it.
            Job::Embed(job) => job.fail(stopped()),
            Job::Wake => {}
        }
    }

    /// Lets go of everything whose reader has gone.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|job| !job.answer.is_abandoned());
        self.to_decide.retain(|job| !job.reply.is_closed());
        for at in (0..self.running.len()).rev() {
            if self.running[at].job.answer.is_abandoned() {
                self.leave(at, Leave::Abandoned);
            }
        }
        if self
            .deciding
            .as_ref()
            .is_some_and(|run| run.job.reply.is_closed())
        {
            self.deciding = None;
            self.sequences.release(self.chats);
        }
    }

    /// Gives sequences to chats that wait, and the decider its next request.
    fn admit(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(job) = self.waiting.pop_front() else {
                break;
            };
            if self.better_later(&job.prompt) {
                self.waiting.push_back(job);
            } else {
                self.place(job);
            }
        }
        if self.deciding.is_none()
            && let Some(job) = self.to_decide.pop_front()
        {
            self.drop_idle(&job.shared);
            let placement = self.sequences.occupy(self.chats, &job.shared);
            self.make_room(self.chats, placement.cached, placement.copy_from);
            self.shared
                .counting
                .cached_tokens
                .fetch_add(placement.cached as u64, Ordering::SeqCst);
            self.deciding = Some(DecideRun::new(job, placement.cached));
        }
    }

    /// Is a prompt being evaluated now that begins like this one? Then its keys and values can be shared
    /// when they are there, instead of being computed twice.
    fn better_later(&self, prompt: &[Token]) -> bool {
        if !self.sequences.reuses() {
            return false;
        }
        let wanted = &prompt[..prompt.len().saturating_sub(1)];
        let there = self.sequences.available(wanted);
        self.running
            .iter()
            .filter(|r| r.next.is_none())
            .any(|r| common_prefix(&r.job.prompt, wanted) >= there + WORTH_WAITING)
    }

    /// Clears what rests and is too much, except what the prompts that wait and `next` would reuse.
    fn drop_idle(&mut self, next: &[Token]) {
        let waiting = self.waiting.iter().map(|job| job.prompt.as_slice());
        let deciding = self.to_decide.iter().map(|job| job.shared.as_slice());
        let wanted = waiting.chain(deciding).chain(std::iter::once(next));
        for sequence in self.sequences.drop_idle(wanted) {
            if let Err(error) = self
                .context
                .clear_kv_cache_seq(Some(number(sequence)), None, None)
            {
                tracing::warn!(%error, "a sequence could not be cleared");
            }
        }
        self.count_idle();
    }

    fn count_idle(&self) {
        let idle = self.sequences.idle() as u64;
        self.shared.counting.idle_tokens.store(idle, Ordering::SeqCst);
    }

    fn place(&mut self, mut job: ChatJob) {
        self.drop_idle(&job.prompt);
        let Some(placement) = self.sequences.take(&job.prompt) else {
            // Places and sequences are equally many, so this cannot be; the caller hears the truth anyway.
            job.answer.fail(ProviderError::Overloaded { retry_after: None });
            return;
        };
        self.make_room(placement.sequence, placement.cached, placement.copy_from);
        self.shared
            .counting
            .cached_tokens
            .fetch_add(placement.cached as u64, Ordering::SeqCst);
        job.answer.start();
        let running = Running {
            job,
            sequence: placement.sequence,
            fed: placement.cached,
            cached: placement.cached,
            next: None,
            generated: 0,
            output: None,
        };
        self.running.push(running);
        if self.running.last().is_some_and(|r| r.job.max_tokens == 0) {
            self.leave(self.running.len() - 1, Leave::Finished(FinishReason::Length));
        }
    }

    /// Makes llama.cpp's sequence hold exactly the first `keep` tokens, its own or another's.
    fn make_room(&mut self, sequence: usize, keep: usize, copy_from: Option<usize>) {
        let keep = u32::try_from(keep).unwrap_or(u32::MAX);
        let outcome = match copy_from {
            Some(source) => {
                let removed = self
                    .context
                    .clear_kv_cache_seq(Some(number(sequence)), None, None);
                removed.map(|_| ()).and_then(|()| {
                    self.context
                        .kv_cache_seq_cp(signed(source), signed(sequence), Some(0), Some(keep))
                })
            }
            None => self
                .context
                .clear_kv_cache_seq(Some(number(sequence)), Some(keep), None)
                .map(|_| ()),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "a sequence could not be prepared");
        }
    }

    /// Fills the batch with one token of each answer and a bounded piece of the prompts.
    fn plan(&mut self) -> Step {
        self.batch.clear();
        let mut step = Step::default();
        for running in &mut self.running {
            running.output = None;
            if let Some(token) = running.next {
                let position = running.fed + running.generated as usize - 1;
                running.output = add(&mut self.batch, token, position, running.sequence, true);
                step.answers += 1;
            }
        }
        let mut room = self.chunk(step.answers);
        if self.deciding.as_ref().is_some_and(DecideRun::shared_is_there) {
            self.plan_wave(&mut step);
            // A wave is short and bounded; the prompts go on beside it.
            room = room.saturating_sub(step.wave_tokens).max(LEAST_CHUNK);
        }
        self.plan_prompts(&mut step, room);
        step
    }

    /// The prompts' part of a step, the decider's shared text among them.
    fn plan_prompts(&mut self, step: &mut Step, room: usize) {
        let chats = self.running.iter().map(Running::left);
        let decider = self
            .deciding
            .as_ref()
            .map_or(0, |run| run.job.shared.len() - run.fed);
        let left: Vec<usize> = chats.chain(std::iter::once(decider)).collect();
        let mut shares = shares(&left, room);
        step.shared = shares.pop().unwrap_or(0);
        if let Some(run) = &self.deciding {
            for position in run.fed..run.fed + step.shared {
                let token = run.job.shared[position];
                add(&mut self.batch, token, position, self.chats, false);
            }
        }
        for (at, (running, take)) in self.running.iter_mut().zip(shares).enumerate() {
            for position in running.fed..running.fed + take {
                let token = running.job.prompt[position];
                let last = position + 1 == running.job.prompt.len();
                let index = add(&mut self.batch, token, position, running.sequence, last);
                if last {
                    running.output = index;
                }
            }
            if take > 0 {
                step.fed.push((at, take));
            }
        }
    }

    /// The decider's next wave of questions.
    fn plan_wave(&mut self, step: &mut Step) {
        let Some(run) = &self.deciding else { return };
        // The decider has as many cells as a chat: the shared text and one wave.
        let cells = self.context_tokens.saturating_sub(run.job.shared.len());
        for (branch, question) in (self.chats + 1..).zip(run.next_wave(cells)) {
            let until = u32::try_from(question.branch_at).unwrap_or(u32::MAX);
            let copied =
                self.context
                    .kv_cache_seq_cp(signed(self.chats), signed(branch), Some(0), Some(until));
            if let Err(error) = copied {
                tracing::warn!(%error, "a branch could not be made");
            }
            let mut end = None;
            for (offset, token) in question.tokens.iter().enumerate() {
                let last = offset + 1 == question.tokens.len();
                end = add(&mut self.batch, *token, question.branch_at + offset, branch, last);
            }
            step.wave.extend(end);
            step.wave_tokens += question.tokens.len();
        }
    }

    /// How many prompt tokens this step may hold.
    fn chunk(&self, answers: usize) -> usize {
        let most = UBATCH as usize - answers.min(UBATCH as usize - LEAST_CHUNK);
        let seconds = if answers > 0 || self.shared.turnstile().is_busy() {
            CHUNK_SECONDS
        } else {
            ALONE_CHUNK_SECONDS
        };
        let wanted = self
            .shared
            .counting
            .prefill_rate()
            .map_or(FIRST_CHUNK, |rate| (rate * seconds) as usize);
        wanted.clamp(LEAST_CHUNK, most)
    }

    fn step(&mut self, step: &Step) {
        let turn = self.shared.turnstile().enter();
        let begin = Instant::now();
        let decoded = self.context.decode(&mut self.batch);
        drop(turn);
        if let Err(error) = decoded {
            tracing::error!(%error, "a decode step failed");
            self.context.clear_kv_cache();
            self.sequences.forget_all();
            self.fail_all(&ProviderError::Interrupted {
                reason: format!("a decode step failed: {error}"),
            });
            return;
        }
        let fed: usize = step.fed.iter().map(|(_, n)| n).sum();
        let prompt = fed + step.shared + step.wave_tokens;
        self.shared.counting.step(prompt, step.answers, begin.elapsed());
        self.book(step);
        self.read_decisions(step);
        self.read_answers();
    }

    /// Remembers what is in the context now.
    fn book(&mut self, step: &Step) {
        for running in &self.running {
            if let Some(token) = running.next {
                self.sequences.extend(running.sequence, &[token]);
            }
        }
        for (at, take) in &step.fed {
            let running = &mut self.running[*at];
            let tokens = &running.job.prompt[running.fed..running.fed + take];
            self.sequences.extend(running.sequence, tokens);
            running.fed += take;
        }
        if let Some(run) = &mut self.deciding
            && step.shared > 0
        {
            self.sequences
                .extend(self.chats, &run.job.shared[run.fed..run.fed + step.shared]);
            run.fed += step.shared;
            run.cost.shared_evaluated += number(step.shared);
        }
    }

    /// Reads a wave's answers, and replies after the last one.
    fn read_decisions(&mut self, step: &Step) {
        let Some(mut run) = self.deciding.take() else {
            return;
        };
        for (branch, index) in (self.chats + 1..).zip(&step.wave) {
            let decision = run.job.questions[run.decisions.len()].answer(self.context.get_logits_ith(*index));
            run.decisions.push(decision);
            if let Err(error) = self.context.clear_kv_cache_seq(Some(number(branch)), None, None) {
                tracing::warn!(%error, "a branch could not be cleared");
            }
        }
        run.cost.question_tokens += number(step.wave_tokens);
        if run.decisions.len() == run.job.questions.len() {
            self.sequences.release(self.chats);
            run.reply();
        } else {
            self.deciding = Some(run);
        }
    }

    /// Chooses and sends a token for every answer that has logits.
    fn read_answers(&mut self) {
        for at in (0..self.running.len()).rev() {
            if let Some(index) = self.running[at].output
                && let Some(reason) = self.advance(at, index)
            {
                self.leave(at, Leave::Finished(reason));
            }
        }
    }

    /// One more token for answer `at`; `Some` when it ends with it.
    fn advance(&mut self, at: usize, index: i32) -> Option<FinishReason> {
        let running = &mut self.running[at];
        let logits = self.context.get_logits_ith(index);
        // A grammar that allows nothing more is complete.
        let Some(pick) = running.job.sampler.pick(logits, &mut self.scratch) else {
            return Some(FinishReason::Stop);
        };
        if self.model.vocab().is_eog(LlamaToken(pick.token)) {
            return Some(FinishReason::Stop);
        }
        running.next = Some(pick.token);
        running.generated += 1;
        self.shared
            .counting
            .generated_tokens
            .fetch_add(1, Ordering::SeqCst);
        self.piece.clear();
        push_piece(self.model, pick.token, running.job.special, &mut self.piece);
        let likelihood = pick.likelihood.map(|l| entry(self.model, pick.token, &l));
        if running.job.answer.token(&self.piece, likelihood) {
            return Some(FinishReason::Stop);
        }
        let used = running.job.prompt.len() + running.generated as usize;
        if running.generated >= running.job.max_tokens || used >= self.context_tokens {
            return Some(FinishReason::Length);
        }
        None
    }

    /// Ends answer `at`. What its sequence holds stays for the next prompt.
    fn leave(&mut self, at: usize, how: Leave) {
        let running = self.running.remove(at);
        self.sequences.release(running.sequence);
        if self.running.is_empty() {
            self.count_idle();
        } else {
            // The others should not carry what nobody may ever ask for again.
            self.drop_idle(&[]);
        }
        if let Leave::Finished(reason) = how {
            let usage = Usage {
                prompt_tokens: number(running.job.prompt.len()),
                completion_tokens: running.generated,
                cached_tokens: number(running.cached),
                reasoning_tokens: 0,
            };
            // The place is free before the reader hears of the end: who asks again at once finds it.
            let ChatJob {
                answer,
                _permit: permit,
                ..
            } = running.job;
            drop(permit);
            answer.finish(reason, usage);
        }
    }

    fn fail_all(&mut self, error: &ProviderError) {
        for running in self.running.drain(..) {
            self.sequences.release(running.sequence);
            running.job.answer.fail(error.clone());
        }
        for job in self.waiting.drain(..) {
            job.answer.fail(error.clone());
        }
        if let Some(run) = self.deciding.take() {
            self.sequences.release(self.chats);
            run.fail(error.clone());
        }
        for job in self.to_decide.drain(..) {
            let _ = job.reply.send(Err(error.clone()));
        }
    }
}

/// Adds a token; its index in the batch when there was room.
fn add(
    batch: &mut LlamaBatch<'static>,
    token: Token,
    position: usize,
    sequence: usize,
    output: bool,
) -> Option<i32> {
    let index = batch.n_tokens();
    let added = batch.add(LlamaToken(token), signed(position), &[signed(sequence)], output);
    added.is_ok().then_some(index)
}

/// A token's log-probability as core words say it.
fn entry(model: &LlamaModel, token: Token, likelihood: &Likelihood) -> TokenLogprob {
    let one = |token: Token, logprob: f32| {
        let mut bytes = Vec::new();
        push_piece(model, token, true, &mut bytes);
        TopLogprob {
            token: String::from_utf8_lossy(&bytes).into_owned(),
            logprob,
            bytes: Some(bytes),
        }
    };
    TokenLogprob {
        chosen: one(token, likelihood.chosen),
        top_logprobs: likelihood.top.iter().map(|(t, l)| one(*t, *l)).collect(),
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn signed(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

const _: () = assert!(
    BRANCHES as u32 + 1 + crate::options::MAX_SEQUENCES <= 256,
    "llama.cpp's LLAMA_MAX_SEQ"
);
