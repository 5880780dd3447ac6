//! How an answer ends: accepted, escalated, delivered all the same, refused, failed.

use super::attempt::{Attempt, Sureness};
use super::cascade::{Cascade, step_ended};
use super::{Action, End, Failure, Refusal};
use crate::event::{FinishReason, Parsed};
use crate::trace::{Confidence, StepOutcome, VerifyMode};

const NOT_SURE: &str = "It was not sure enough.";
const JUDGE_FAILED: &str = "Nobody could say how sure it was: the judge failed.";

impl Cascade {
    /// Does what follows once an answer is whole and enough is known of it.
    pub(super) fn settle(&mut self, out: &mut Vec<Action>) {
        if self.over {
            return;
        }
        if self.closing.is_some() {
            return self.close(out);
        }
        let Some(attempt) = self.current.as_ref().filter(|a| a.ended && a.safe) else {
            return;
        };
        if self.prompt_waits {
            return;
        }
        if self.visible == Some(attempt.rung) && self.settings.verify != VerifyMode::Final {
            self.show_rest(out);
        }
        let waits = |a: &Attempt| matches!(a.sureness, Sureness::Waiting);
        if self.current.as_ref().is_some_and(|a| !waits(a)) {
            self.decide(out);
        }
    }

    /// The reader has seen its beginning, and it is safe: the rest follows, whatever else is not known yet.
    fn show_rest(&mut self, out: &mut Vec<Action>) {
        let Some(mut attempt) = self.current.take() else {
            return;
        };
        for parsed in attempt.rest() {
            self.show(&mut attempt, parsed, out);
        }
        self.current = Some(attempt);
    }

    fn decide(&mut self, out: &mut Vec<Action>) {
        let Some(attempt) = &self.current else { return };
        let rung = attempt.rung;
        let why = match (attempt.fault, &attempt.sureness) {
            (Some(fault), _) => fault.why(),
            (None, Sureness::Known(confidence)) if self.is_binding(rung, confidence) => {
                if confidence.value >= self.settings.thresholds.confidence {
                    return self.accept(out);
                }
                NOT_SURE
            }
            (None, Sureness::Failed) => JUDGE_FAILED,
            (None, _) => return self.accept(out),
        };
        if !self.escalate(why, out) {
            self.deliver(why, out);
        }
    }

    fn accept(&mut self, out: &mut Vec<Action>) {
        if let Some(attempt) = self.current.take() {
            self.finish(attempt, None, out);
        }
    }

    /// Asks a better model, if one may be asked and its answer may be shown. The answer so far is kept.
    pub(super) fn escalate(&mut self, why: &str, out: &mut Vec<Action>) -> bool {
        if !self.settings.escalate || (self.visible.is_some() && self.is_plain()) {
            return false;
        }
        let Some((rung, running_usd)) = self.current.as_ref().map(|a| (a.rung, self.running_cost(a))) else {
            return false;
        };
        // What this rung has cost is gone before the next one can be paid for.
        self.spent_usd += running_usd;
        let Some(next) = self.better_than(rung) else {
            self.spent_usd -= running_usd;
            return false;
        };
        self.unask_answer(out);
        let Some(attempt) = self.current.take() else {
            return false;
        };
        if !attempt.ended {
            out.push(Action::Cancel { rung });
        }
        out.push(step_ended(&attempt, StepOutcome::Escalated, Some(why)));
        if attempt.may_stand() && self.kept.as_ref().is_none_or(|kept| attempt.beats(kept)) {
            self.kept = Some(attempt);
        }
        self.start(next, out);
        true
    }

    /// No better model could be asked: the best answer there is, marked; refused when it is most likely wrong.
    fn deliver(&mut self, why: &str, out: &mut Vec<Action>) {
        let Some(current) = self.current.take() else {
            return;
        };
        let better = |kept: &Attempt| kept.beats(&current) || Self::has_bad_call(&current);
        let better = self.take_kept(better);
        let (attempt, why) = match better {
            // One that was cut off or broken may not have been asked about yet.
            Some(kept) => {
                let why = format!("It was no better than `{}`.", self.rung(kept.rung).id);
                out.push(step_ended(&current, StepOutcome::Escalated, Some(&why)));
                return self.fall_back(kept, out);
            }
            None => (current, why),
        };
        if Self::has_bad_call(&attempt) && attempt.is_blank() {
            self.current = Some(attempt);
            return self.fail(Failure::ToolCall, out);
        }
        let replaceable = self.visible.is_none() || !self.is_plain();
        let critical = attempt
            .confidence()
            .filter(|c| self.is_binding(attempt.rung, c))
            .filter(|c| attempt.fault.is_none() && c.value < self.settings.thresholds.critical);
        if let Some(value) = critical.filter(|_| replaceable).map(|c| c.value) {
            self.current = Some(attempt);
            return self.reject(Refusal::Unsure { value }, out);
        }
        self.finish(attempt, Some(why), out);
    }

    /// The kept answer, when it is as wanted and may be shown.
    fn take_kept(&mut self, wanted: impl Fn(&Attempt) -> bool) -> Option<Box<Attempt>> {
        let (plain, visible) = (self.is_plain(), self.visible);
        let may = |kept: &Attempt| !plain || visible.is_none_or(|v| v == kept.rung);
        self.kept.take_if(|kept| may(kept) && wanted(kept))
    }

    /// The kept answer is the answer after all.
    pub(super) fn fall_back(&mut self, mut kept: Box<Attempt>, out: &mut Vec<Action>) {
        let asked = kept.safe;
        // Its judge may have turned out to write words only since it was put aside: then nobody says that it is safe.
        kept.safe |= !self.safety_acts(kept.rung);
        self.current = Some(kept);
        if !asked {
            self.ask_about_answer(out);
        }
        self.settle(out);
    }

    /// Shows everything of an answer and ends with it, once the last verdicts are in that only are recorded.
    fn finish(&mut self, mut attempt: Box<Attempt>, low: Option<&str>, out: &mut Vec<Action>) {
        let rung = attempt.rung;
        if attempt.shown && self.visible != Some(rung) {
            // It was shown before and superseded: it comes again as a whole.
            attempt.rest().for_each(drop);
            let text = attempt.text.clone();
            let parsed = Parsed::Text {
                text,
                logprobs: Vec::new(),
            };
            self.show(&mut attempt, parsed, out);
        }
        for parsed in attempt.rest() {
            self.show(&mut attempt, parsed, out);
        }
        let mut reason = attempt.finish.unwrap_or(FinishReason::Stop);
        if Self::has_bad_call(&attempt) {
            if reason == FinishReason::ToolCalls {
                reason = FinishReason::Stop;
            }
        } else {
            for parsed in attempt.take_calls() {
                self.show(&mut attempt, parsed, out);
            }
        }
        if self.visible.is_some_and(|shown| shown != rung) {
            // It has nothing to show; what another has shown is not its answer.
            self.take_over(rung, out);
        }
        let outcome = match low {
            None => StepOutcome::Accepted,
            Some(_) => StepOutcome::LowConfidence,
        };
        out.push(step_ended(&attempt, outcome, low));
        self.closing = Some(End::Finished {
            rung,
            reason,
            low: low.map(str::to_owned),
            confidence: None,
        });
        self.current = Some(attempt);
        self.close(out);
    }

    /// Ends, when nothing more is to be recorded.
    fn close(&mut self, out: &mut Vec<Action>) {
        if self.pending.is_empty() {
            self.close_now(out);
        }
    }

    fn close_now(&mut self, out: &mut Vec<Action>) {
        let Some(mut end) = self.closing.take() else {
            return;
        };
        if let End::Finished { confidence, .. } = &mut end {
            *confidence = self.confidence();
        }
        if let Some(attempt) = &self.current {
            self.answer_lowest.clone_from(&attempt.lowest);
        }
        self.end(end, out);
    }

    fn confidence(&self) -> Option<Confidence> {
        self.current.as_ref()?.confidence().cloned()
    }

    /// The deadline passed: what is whole and safe is the answer, else there is none.
    pub(super) fn late(&mut self, out: &mut Vec<Action>) {
        if self.closing.is_some() {
            return self.close_now(out);
        }
        let why = "The deadline came before it was known how sure it is.";
        let complete = |a: &Attempt| a.ended && a.safe && !a.is_blank() && !Self::has_bad_call(a);
        if !self.prompt_waits {
            if self.current.as_deref().is_some_and(complete) {
                return self.finish_late(why, out);
            }
            if let Some(kept) = self.take_kept(complete) {
                self.cancel_current(StepOutcome::Cancelled, "The deadline passed.", out);
                self.current = Some(kept);
                return self.finish_late("The deadline came before a better model had answered.", out);
            }
        }
        self.fail(Failure::Deadline, out);
    }

    fn finish_late(&mut self, why: &str, out: &mut Vec<Action>) {
        if let Some(attempt) = self.current.take() {
            self.finish(attempt, Some(why), out);
            self.close_now(out);
        }
    }

    pub(super) fn reject(&mut self, refusal: Refusal, out: &mut Vec<Action>) {
        let confidence = self.confidence();
        self.cancel_current(StepOutcome::Rejected, &refusal.rule(), out);
        let shown = self.visible.take();
        let taken_back = shown.filter(|_| !self.is_plain());
        out.extend(taken_back.map(|rung| Action::Retract { rung }));
        self.end(
            End::Rejected {
                refusal,
                shown: shown.is_some() && taken_back.is_none(),
                confidence,
            },
            out,
        );
    }

    pub(super) fn fail(&mut self, failure: Failure, out: &mut Vec<Action>) {
        let why = match failure {
            Failure::JudgeUnavailable => "The safety judge failed.",
            Failure::Deadline => "The deadline passed.",
            Failure::ToolCall => "Its tool calls could not be used.",
            Failure::Upstream | Failure::NoRung => "No model could answer.",
        };
        self.cancel_current(StepOutcome::Cancelled, why, out);
        let shown = self.visible.is_some();
        self.end(End::Failed { failure, shown }, out);
    }
}
