//! The state machine: what it knows, and what each event leads to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::attempt::{Attempt, Fault, Lowest};
use super::judging::Pending;
use super::ladder::cost;
use super::structure::Form;
use super::{Action, Effect, End, Event, Failure, Found, Judge, Refusal, Rung, Settings, SettingsError};
use crate::event::{FinishReason, Parsed};
use crate::trace::{About, Authority, Confidence, Safety, StepOutcome, VerifyMode};

/// One question and its answer on their way. See the [module](super) for what it holds to.
#[derive(Debug)]
pub struct Cascade {
    pub(super) settings: Settings,
    pub(super) rungs: Vec<Rung>,
    pub(super) form: Arc<Form>,
    /// Who judges the user's question.
    pub(super) prompt_judge: Option<Judge>,
    pub(super) now_ms: u64,
    asked_ms: Option<u64>,
    /// Nothing leaves the operator's machines: as asked for, or because of what was found.
    pub(super) local_only: bool,
    /// Rungs that were asked.
    pub(super) tried: BTreeSet<usize>,
    /// Of those: the ones that answered.
    pub(super) steps: u32,
    pub(super) spent_usd: f64,
    pub(super) current: Option<Box<Attempt>>,
    /// The best complete answer that was not sure enough.
    pub(super) kept: Option<Box<Attempt>>,
    /// Short answers of earlier rungs, normalised.
    answers: Vec<(usize, String)>,
    /// Whose text the reader sees.
    pub(super) visible: Option<usize>,
    /// Does everything wait for the verdict about the user's question?
    pub(super) prompt_waits: bool,
    pub(super) prompt_lowest: Option<Lowest>,
    pub(super) pending: Vec<Pending>,
    pub(super) next_ask: u32,
    /// A rule that refuses, found before the question was asked.
    refused: Option<String>,
    found: Vec<String>,
    /// How it will end, once the last verdicts are in that only are recorded.
    pub(super) closing: Option<End>,
    /// The lowest verdict about the answer it ended with.
    pub(super) answer_lowest: Option<Lowest>,
    refused_by: Option<String>,
    pub(super) over: bool,
}

impl Cascade {
    /// A cascade over the rungs of a ladder, first choice first. `prompt_judge` judges the user's question; `form` is
    /// what the request asks the answer to look like.
    ///
    /// # Errors
    /// What contradicts itself in the settings or the ladder.
    pub fn new(
        settings: Settings,
        rungs: Vec<Rung>,
        prompt_judge: Option<Judge>,
        form: Arc<Form>,
    ) -> Result<Self, SettingsError> {
        check(&settings, &rungs)?;
        let checked = settings.verify != VerifyMode::Off;
        Ok(Self {
            local_only: settings.local_only,
            settings,
            rungs,
            form,
            prompt_judge: prompt_judge.filter(|_| checked),
            now_ms: 0,
            asked_ms: None,
            tried: BTreeSet::new(),
            steps: 0,
            spent_usd: 0.0,
            current: None,
            kept: None,
            answers: Vec::new(),
            visible: None,
            prompt_waits: false,
            prompt_lowest: None,
            pending: Vec::new(),
            next_ask: 0,
            refused: None,
            found: Vec::new(),
            closing: None,
            answer_lowest: None,
            refused_by: None,
            over: false,
        })
    }

    /// These rungs are not asked any more: what made another fail holds for them as well.
    pub fn rule_out(&mut self, rungs: impl IntoIterator<Item = usize>) {
        self.tried.extend(rungs);
    }

    /// Takes an event that happened at `at_ms` (milliseconds from any fixed moment) and adds what is to be done to
    /// `out`. Events of rungs that were cancelled and of questions that were withdrawn are welcome and ignored, as is
    /// everything after [`Action::End`].
    pub fn on(&mut self, at_ms: u64, event: Event, out: &mut Vec<Action>) {
        if self.over {
            return;
        }
        self.now_ms = self.now_ms.max(at_ms);
        if matches!(event, Event::Left) {
            return self.left(out);
        }
        if self.deadline_at().is_some_and(|deadline| self.now_ms >= deadline) {
            return self.late(out);
        }
        match event {
            Event::Asked => self.begin(out),
            Event::Found(found) => self.note_found(found, out),
            Event::Said { rung, parsed } => self.said(rung, parsed, out),
            Event::Ended { rung } => self.ended(rung, out),
            Event::Failed { rung, next_may_help } => self.rung_failed(rung, next_may_help, out),
            Event::Judged { ask, heard } => self.judged(ask, heard, out),
            Event::Tick => self.late_judges(out),
            Event::Left => {}
        }
    }

    /// When [`Event::Tick`] is due, if nothing else happens before: at the deadline, or when a judge is late.
    pub fn wake_at(&self) -> Option<u64> {
        let judges = self.pending.iter().map(|p| p.late_at(&self.settings));
        judges.chain(self.deadline_at()).min().filter(|_| !self.over)
    }

    /// The whole text so far of the rung that answers now.
    pub fn text(&self) -> &str {
        self.current.as_ref().map_or("", |attempt| &attempt.text)
    }

    /// The rungs, as they were given.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// What the answers cost so far, in US dollars, as far as there are prices.
    pub fn spent_usd(&self) -> f64 {
        self.spent_usd + self.current.as_ref().map_or(0.0, |a| self.running_cost(a))
    }

    /// How safe question and answer are, as far as is known; nothing when nothing was checked.
    pub fn safety(&self) -> Option<Safety> {
        let lowest = [&self.prompt_lowest, &self.answer_lowest].into_iter().flatten();
        let lowest = lowest.min_by(|a, b| a.probability.total_cmp(&b.probability));
        let judges = self.rungs.iter().filter_map(|rung| rung.safety);
        let prompt = self.prompt_judge.map(|judge| judge.authority);
        let mut authority = judges.map(|judge| judge.authority()).chain(prompt);
        if lowest.is_none() && self.found.is_empty() && self.refused_by.is_none() {
            return None;
        }
        Some(Safety {
            probability: lowest.map(|l| l.probability),
            category: lowest.and_then(|l| l.category.clone()),
            authority: authority.find(|a| a.acts()).unwrap_or(Authority::None),
            found: self.found.clone(),
            refused_by: self.refused_by.clone(),
        })
    }

    pub(super) fn deadline_at(&self) -> Option<u64> {
        Some(self.asked_ms?.saturating_add(self.settings.deadline_ms?))
    }

    /// Does the client see one answer and no other?
    pub(super) fn is_plain(&self) -> bool {
        !self.settings.events
    }

    pub(super) fn rung(&self, index: usize) -> &Rung {
        static NOBODY: std::sync::LazyLock<Rung> = std::sync::LazyLock::new(Rung::default);
        self.rungs.get(index).unwrap_or(&NOBODY)
    }

    fn cost_of(&self, attempt: &Attempt) -> f64 {
        cost(self.rung(attempt.rung), attempt.usage, attempt.tokens)
    }

    /// What an attempt has cost that is not counted as spent yet, because it still runs.
    pub(super) fn running_cost(&self, attempt: &Attempt) -> f64 {
        if attempt.ended { 0.0 } else { self.cost_of(attempt) }
    }

    /// What an attempt cost is spent, once it is over.
    pub(super) fn spend(&mut self, attempt: &Attempt) {
        self.spent_usd += self.cost_of(attempt);
    }

    fn begin(&mut self, out: &mut Vec<Action>) {
        if self.asked_ms.is_some() {
            return;
        }
        self.asked_ms = Some(self.now_ms);
        if let Some(rule) = self.refused.take() {
            return self.reject(Refusal::Check { rule }, out);
        }
        let acts = self.prompt_judge.is_some_and(|judge| judge.authority.acts());
        if self.settings.require_judge && self.settings.verify != VerifyMode::Off && !acts {
            return self.fail(Failure::JudgeUnavailable, out);
        }
        out.extend(self.ruled_out().into_iter().map(Action::Note));
        self.note_absent(out);
        self.ask_prompt(out);
        match self.any_next() {
            Some(next) => self.start(next, out),
            None => self.fail(self.why_no_rung(), out),
        }
    }

    /// Says which judge is missing.
    fn note_absent(&self, out: &mut Vec<Action>) {
        if self.settings.verify == VerifyMode::Off {
            return;
        }
        let mut note = |text: &str| out.push(Action::Note(text.to_owned()));
        match self.prompt_judge {
            None => note("No safety judge is there: only the checks inside this process were made."),
            Some(judge) if !judge.authority.acts() => {
                note("Safety was not checked by a capable model: its verdict is shown and changes nothing.");
            }
            Some(_) => {}
        }
        if self.settings.confidence && self.rungs.iter().all(|rung| rung.confidence.is_empty()) {
            note("No confidence judge is there: nobody says how sure the answer is.");
        }
    }

    fn note_found(&mut self, found: Found, out: &mut Vec<Action>) {
        if !self.found.contains(&found.rule) {
            self.found.push(found.rule.clone());
        }
        match found.effect {
            Effect::Note => {}
            Effect::KeepLocal => self.local_only = true,
            Effect::Refuse if self.asked_ms.is_none() => self.refused = Some(found.rule),
            Effect::Refuse => self.reject(Refusal::Check { rule: found.rule }, out),
        }
    }

    pub(super) fn start(&mut self, (rung, max_tokens): (usize, Option<u32>), out: &mut Vec<Action>) {
        self.tried.insert(rung);
        let look_at = self.settings.early_exit_after.max(1);
        let attempt = Attempt::new(rung, self.settings.windows, look_at, max_tokens);
        self.current = Some(Box::new(attempt));
        out.push(Action::Start { rung, max_tokens });
    }

    fn said(&mut self, rung: usize, parsed: Parsed, out: &mut Vec<Action>) {
        let most = self.settings.max_answer_bytes;
        let Some(attempt) = self.current.as_mut().filter(|a| a.rung == rung && !a.ended) else {
            return;
        };
        let begun = attempt.begun;
        let took = attempt.take(parsed, most);
        self.steps += u32::from(attempt.begun && !begun);
        if let Some(fault) = took.stop {
            out.push(Action::Cancel { rung });
            attempt.finish = Some(FinishReason::Length);
            attempt.fault = Some(fault);
            return self.over_with(rung, out);
        }
        if took.closed {
            self.ask_windows(out);
        }
        self.release(out);
        self.look_for_early_exit(out);
    }

    /// After so many tokens, and again after as many more: is it worth going on?
    fn look_for_early_exit(&mut self, out: &mut Vec<Action>) {
        let Some(attempt) = self.current.as_mut().filter(|a| a.stats.tokens() >= a.look_at) else {
            return;
        };
        attempt.look_at = attempt
            .look_at
            .saturating_add(self.settings.early_exit_after.max(1));
        let (rung, features) = (attempt.rung, attempt.stats.features());
        let early = self.rung(rung).calibration.and_then(|c| c.early);
        if self.settings.verify != VerifyMode::Off
            && early.zip(features).is_some_and(|(early, f)| early.gives_up(f))
        {
            self.escalate("Its first tokens were too unlikely.", out);
        }
    }

    fn ended(&mut self, rung: usize, out: &mut Vec<Action>) {
        if self.current.as_ref().is_some_and(|a| a.rung == rung && !a.ended) {
            self.over_with(rung, out);
        }
    }

    /// The rung's stream is over, by itself or because it was stopped.
    fn over_with(&mut self, rung: usize, out: &mut Vec<Action>) {
        let acts = self.safety_acts(rung);
        let limit = self.settings.caller_limit;
        let Some(mut attempt) = self.current.take() else {
            return;
        };
        self.steps += u32::from(!attempt.begun);
        attempt.begun = true;
        attempt.ended = true;
        let seen = attempt.bad_call(&self.form).or(attempt.fault);
        attempt.fault = seen.or_else(|| attempt.judge_form(&self.form, limit));
        attempt.safe = !acts || attempt.is_blank();
        self.spend(&attempt);
        self.compare(&mut attempt, out);
        let fault = attempt.fault;
        self.current = Some(attempt);
        // What is not shown need not be judged.
        if fault.is_some_and(|fault| self.escalate(fault.why(), out)) {
            return;
        }
        self.ask_about_answer(out);
        self.settle(out);
    }

    /// Did an earlier rung give the same answer?
    fn compare(&mut self, attempt: &mut Attempt, out: &mut Vec<Action>) {
        let Some(text) = attempt.normalised() else { return };
        let same = self.answers.iter().find(|(_, answer)| *answer == text);
        if let Some((other, _)) = same {
            let (a, b) = (&self.rung(attempt.rung).id, &self.rung(*other).id);
            out.push(Action::Note(format!("`{a}` gave the same answer as `{b}`.")));
        }
        attempt.agrees = (!self.answers.is_empty()).then_some(same.is_some());
        self.answers.push((attempt.rung, text));
    }

    /// Shows what may be shown.
    pub(super) fn release(&mut self, out: &mut Vec<Action>) {
        let Some(mut attempt) = self.current.take() else {
            return;
        };
        // One that was put aside is shown as a whole, at its end, or not at all.
        let put_aside = attempt.shown && self.visible != Some(attempt.rung);
        if let Some(windows) = self.may_show(&attempt).filter(|_| !put_aside) {
            while let Some(parsed) = attempt.next_of(windows) {
                self.show(&mut attempt, parsed, out);
            }
        }
        let waits = attempt.waits() && !attempt.told_checking;
        let window = About::Window(attempt.verified);
        self.current = Some(attempt);
        if waits {
            self.tell_checking(if self.prompt_waits { About::Prompt } else { window }, out);
        }
    }

    /// Says that text waits for a verdict, if some does.
    pub(super) fn tell_checking(&mut self, about: About, out: &mut Vec<Action>) {
        if let Some(attempt) = self.current.as_mut().filter(|a| a.waits()) {
            attempt.told_checking = true;
            let held_tokens = attempt.held_tokens;
            out.push(Action::Checking { about, held_tokens });
        }
    }

    /// How many of the attempt's windows may be shown: `None` nothing, `Some(None)` everything.
    fn may_show(&self, attempt: &Attempt) -> Option<Option<u32>> {
        if self.prompt_waits {
            return None;
        }
        match self.settings.verify {
            VerifyMode::Off | VerifyMode::Optimistic => Some(None),
            VerifyMode::Final => None,
            VerifyMode::Hold if self.safety_acts(attempt.rung) => Some(Some(attempt.verified)),
            VerifyMode::Hold if self.may_replace(attempt.rung) => Some(Some(attempt.closed())),
            VerifyMode::Hold => Some(None),
        }
    }

    /// Could the end of this rung's answer lead to another answer, though it came whole?
    fn may_replace(&self, rung: usize) -> bool {
        self.settings.escalate && (self.form.binds_text() || self.confidence_acts(rung))
    }

    pub(super) fn show(&mut self, attempt: &mut Attempt, parsed: Parsed, out: &mut Vec<Action>) {
        let by = attempt.rung;
        self.take_over(by, out);
        attempt.shown = true;
        attempt.told_checking = false;
        out.push(Action::Release { rung: by, parsed });
    }

    /// From now on the reader sees this rung's answer: what another has shown is put aside.
    pub(super) fn take_over(&mut self, by: usize, out: &mut Vec<Action>) {
        if let Some(shown) = self.visible.replace(by).filter(|shown| *shown != by) {
            out.push(Action::Supersede { shown, by });
        }
    }

    fn rung_failed(&mut self, rung: usize, next_may_help: bool, out: &mut Vec<Action>) {
        let Some(attempt) = self.current.take_if(|a| a.rung == rung && !a.ended) else {
            return;
        };
        self.spend(&attempt);
        self.unask_answer(out);
        out.push(step_ended(&attempt, StepOutcome::Failed, None));
        let stuck = self.is_plain() && self.visible.is_some();
        let next = match &self.kept {
            _ if stuck => None,
            Some(kept) => self.better_than(kept.rung),
            // A stream that broke says nothing against the request.
            None if next_may_help || attempt.begun => self.any_next(),
            None => None,
        };
        match (next, self.kept.take()) {
            (Some(next), kept) => {
                self.kept = kept;
                self.start(next, out);
            }
            (None, Some(kept)) if !stuck || self.visible == Some(kept.rung) => self.fall_back(kept, out),
            (None, _) => self.fail(Failure::Upstream, out),
        }
    }

    fn left(&mut self, out: &mut Vec<Action>) {
        self.cancel_current(StepOutcome::Cancelled, "The caller left.", out);
        self.end(End::Left, out);
    }

    /// Stops the rung that runs, if one does, and says how its step ended.
    pub(super) fn cancel_current(&mut self, outcome: StepOutcome, why: &str, out: &mut Vec<Action>) {
        let Some(attempt) = self.current.take() else {
            return;
        };
        let rung = attempt.rung;
        if !attempt.ended {
            self.spend(&attempt);
            out.push(Action::Cancel { rung });
        }
        self.answer_lowest.clone_from(&attempt.lowest);
        out.push(step_ended(&attempt, outcome, Some(why)));
    }

    /// The last action of all.
    pub(super) fn end(&mut self, end: End, out: &mut Vec<Action>) {
        if let End::Rejected { refusal, .. } = &end {
            self.refused_by = Some(refusal.rule());
        }
        let asks = std::mem::take(&mut self.pending);
        out.extend(asks.into_iter().map(|p| Action::Unask(p.id)));
        self.over = true;
        out.push(Action::End(end));
    }

    /// May a confidence refuse or escalate the answer of this rung? Of models elsewhere it is only recorded.
    pub(super) fn is_binding(&self, rung: usize, confidence: &Confidence) -> bool {
        let judged = confidence.authority.acts() && !confidence.self_judged;
        self.rung(rung).local && (confidence.calibrated || judged)
    }

    /// Is the fault one of a tool call?
    pub(super) fn has_bad_call(attempt: &Attempt) -> bool {
        matches!(attempt.fault, Some(Fault::Call(_)))
    }
}

/// How an attempt's step ended.
pub(super) fn step_ended(attempt: &Attempt, outcome: StepOutcome, why: Option<&str>) -> Action {
    Action::StepEnded {
        rung: attempt.rung,
        outcome,
        why: why.map(str::to_owned),
        features: attempt.stats.features(),
    }
}

fn check(settings: &Settings, rungs: &[Rung]) -> Result<(), SettingsError> {
    let t = settings.thresholds;
    for (name, value) in [
        ("safety", t.safety),
        ("confidence", t.confidence),
        ("critical", t.critical),
        ("clearly_safe", settings.clearly_safe),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return Err(SettingsError::NotAProbability(name));
        }
    }
    if rungs.is_empty() {
        return Err(SettingsError::NoRungs);
    }
    for (i, rung) in rungs.iter().enumerate() {
        if rungs.iter().take(i).any(|before| before.id == rung.id) {
            return Err(SettingsError::Loop(rung.id.clone()));
        }
    }
    if settings.local_only && rungs.iter().all(|rung| !rung.local) {
        return Err(SettingsError::NothingLocal);
    }
    if settings.max_steps == 0 {
        return Err(SettingsError::NoSteps);
    }
    if settings.max_cost_usd.is_some_and(|usd| usd.is_nan() || usd < 0.0) {
        return Err(SettingsError::NotAnAmount);
    }
    Ok(())
}
