//! Which questions are asked, and what their answers lead to.

use super::attempt::{Lowest, Sureness};
use super::calibration::Known;
use super::cascade::Cascade;
use super::{Action, Ask, AskId, Depth, Failure, Heard, Judge, Refusal, Settings};
use crate::event::FinishReason;
use crate::trace::{About, Confidence, VerifyMode};

/// Less probability than this on the valid options is no verdict.
const LEAST_MASS: f64 = 0.5;

/// A question on its way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: AskId,
    ask: Ask,
    asked_ms: u64,
    /// May its answer act?
    acts: bool,
}

impl Pending {
    pub(super) fn late_at(&self, settings: &Settings) -> u64 {
        self.asked_ms.saturating_add(settings.judge_timeout_ms)
    }

    fn is_about_answer(&self) -> bool {
        self.ask != Ask::Prompt
    }

    fn is_about_window(&self) -> bool {
        matches!(
            self.ask,
            Ask::Safety {
                about: About::Window(_),
                ..
            }
        )
    }
}

/// What a safety verdict says.
enum Found {
    Safe,
    /// Not clearly safe: the categories decide.
    Doubtful,
    Unsafe,
}

impl Cascade {
    /// Can the safety judge of this rung act?
    pub(super) fn safety_acts(&self, rung: usize) -> bool {
        let judge = self.rung(rung).safety;
        self.settings.verify != VerifyMode::Off && judge.is_some_and(|judge| judge.acts())
    }

    /// Can what is known of this rung's confidence act?
    pub(super) fn confidence_acts(&self, rung: usize) -> bool {
        let rung = self.rung(rung);
        let asked = self.settings.verify != VerifyMode::Off && self.settings.confidence;
        asked && rung.local && (rung.calibration.is_some() || rung.confidence.iter().any(acts))
    }

    fn ask(&mut self, ask: Ask, acts: bool, out: &mut Vec<Action>) {
        let id = AskId(self.next_ask);
        self.next_ask = self.next_ask.wrapping_add(1);
        let asked_ms = self.now_ms;
        self.pending.push(Pending {
            id,
            ask,
            asked_ms,
            acts,
        });
        out.push(Action::Ask { id, ask });
    }

    pub(super) fn ask_prompt(&mut self, out: &mut Vec<Action>) {
        if let Some(judge) = self.prompt_judge {
            self.prompt_waits = judge.authority.acts();
            self.ask(Ask::Prompt, self.prompt_waits, out);
        }
    }

    /// Asks about all windows that are whole, unless a question about some is on its way: then what has come since is
    /// asked about when that is answered. Nobody is asked where nothing would follow, or nothing is shown anyway.
    pub(super) fn ask_windows(&mut self, out: &mut Vec<Action>) {
        let streams = matches!(self.settings.verify, VerifyMode::Hold | VerifyMode::Optimistic);
        let Some(attempt) = self.current.as_ref().filter(|a| streams && !a.ended) else {
            return;
        };
        let (rung, closed, upto) = (attempt.rung, attempt.closed(), attempt.closed_bytes());
        let busy = self.pending.iter().any(Pending::is_about_window);
        if busy || closed <= attempt.verified || attempt.is_blank() || !self.safety_acts(rung) {
            return;
        }
        let quick = self.rung(rung).safety.is_some_and(|judge| judge.quick.acts());
        let ask = Ask::Safety {
            rung,
            about: About::Window(closed - 1),
            depth: if quick { Depth::Quick } else { Depth::Thorough },
            upto,
        };
        self.ask(ask, true, out);
        self.tell_checking(About::Window(closed - 1), out);
    }

    /// The answer is whole: is it safe, and is it correct and complete?
    pub(super) fn ask_about_answer(&mut self, out: &mut Vec<Action>) {
        let Some(attempt) = self.current.as_ref() else {
            return;
        };
        if self.settings.verify == VerifyMode::Off || attempt.is_blank() {
            return;
        }
        let (rung, upto) = (attempt.rung, attempt.text.len());
        let whole = attempt.fault.is_none() && attempt.calls.is_empty();
        let own = attempt.finish != Some(FinishReason::ContentFilter);
        if let Some(judge) = self.rung(rung).safety {
            let only_quick = judge.quick.acts() && !judge.thorough.acts();
            let ask = Ask::Safety {
                rung,
                about: About::Answer,
                depth: if only_quick { Depth::Quick } else { Depth::Thorough },
                upto,
            };
            self.ask(ask, judge.acts(), out);
        }
        if self.settings.confidence && whole && own {
            self.ask_confidence(out);
        }
        if self.pending.iter().any(|p| p.acts) {
            self.tell_checking(About::Answer, out);
        }
    }

    fn ask_confidence(&mut self, out: &mut Vec<Action>) {
        let Some(rung) = self.current.as_ref().map(|a| a.rung) else {
            return;
        };
        if let Some(confidence) = self.calibrated(None, None) {
            return self.set_sureness(Sureness::Known(confidence));
        }
        if let Some(judge) = self.rung(rung).confidence.first().copied() {
            self.ask_confidence_of(0, &judge, out);
        }
    }

    fn ask_confidence_of(&mut self, judge: usize, who: &Judge, out: &mut Vec<Action>) {
        let Some(rung) = self.current.as_ref().map(|a| a.rung) else {
            return;
        };
        let local = self.rung(rung).local;
        let binding = local && (acts(who) || self.rung(rung).calibration.is_some());
        if binding {
            self.set_sureness(Sureness::Waiting);
        }
        self.ask(Ask::Confidence { rung, judge }, binding, out);
    }

    fn set_sureness(&mut self, sureness: Sureness) {
        if let Some(attempt) = &mut self.current {
            attempt.sureness = sureness;
        }
    }

    /// What the weights of this rung make of what is known.
    fn calibrated(&self, judged: Option<f64>, judge: Option<Judge>) -> Option<Confidence> {
        let attempt = self.current.as_ref()?;
        let known = Known {
            judge: judged,
            tokens: attempt.stats.features(),
            agrees: attempt.agrees,
        };
        let value = self.rung(attempt.rung).calibration.as_ref()?.confidence(&known)?;
        Some(Confidence {
            value,
            calibrated: true,
            method: "calibrated".to_owned(),
            authority: judge.map_or(crate::trace::Authority::Record, |j| j.authority),
            self_judged: judge.is_some_and(|j| j.self_judged),
        })
    }

    /// A judge answered, or failed.
    pub(super) fn judged(&mut self, id: AskId, heard: Heard, out: &mut Vec<Action>) {
        let Some(at) = self.pending.iter().position(|p| p.id == id) else {
            return;
        };
        let Pending { ask, acts, .. } = self.pending.remove(at);
        let heard = sound(heard);
        match ask {
            Ask::Prompt => self.prompt_judged(acts, heard, out),
            Ask::Safety {
                about, depth, upto, ..
            } => {
                self.safety_judged((about, depth, upto), acts, heard, out);
            }
            Ask::Confidence { judge, .. } => self.confidence_judged(judge, acts, heard, out),
        }
        self.settle(out);
    }

    fn prompt_judged(&mut self, acts: bool, heard: Heard, out: &mut Vec<Action>) {
        if let Heard::Probability { value, category, .. } = &heard {
            Lowest::note(&mut self.prompt_lowest, *value, category.as_deref());
        }
        if !acts {
            return;
        }
        match heard {
            Heard::Failed => self.fail(Failure::JudgeUnavailable, out),
            Heard::Word => {
                self.only_words(out);
                self.prompt_waits = false;
                self.release(out);
            }
            Heard::Probability { value, .. } if value >= self.settings.thresholds.safety => {
                self.prompt_waits = false;
                self.release(out);
            }
            Heard::Probability { value, category, .. } => {
                let about = About::Prompt;
                self.refuse_unsafe(about, category, value, out);
            }
        }
    }

    fn safety_judged(
        &mut self,
        (about, depth, upto): (About, Depth, usize),
        acts: bool,
        heard: Heard,
        out: &mut Vec<Action>,
    ) {
        let Some(attempt) = self.current.as_mut() else {
            return;
        };
        let rung = attempt.rung;
        if let Heard::Probability { value, category, .. } = &heard {
            Lowest::note(&mut attempt.lowest, *value, category.as_deref());
        }
        if !acts {
            return;
        }
        match heard {
            Heard::Failed => self.fail(Failure::JudgeUnavailable, out),
            Heard::Word => {
                self.only_words(out);
                self.found_safe(about, out);
            }
            Heard::Probability { value, category, .. } => match self.weigh(rung, depth, value) {
                Found::Safe => self.found_safe(about, out),
                Found::Doubtful => {
                    let ask = Ask::Safety {
                        rung,
                        about,
                        depth: Depth::Thorough,
                        upto,
                    };
                    self.ask(ask, true, out);
                }
                Found::Unsafe => self.refuse_unsafe(about, category, value, out),
            },
        }
    }

    fn refuse_unsafe(
        &mut self,
        about: About,
        category: Option<String>,
        probability: f64,
        out: &mut Vec<Action>,
    ) {
        let refusal = Refusal::Unsafe {
            about,
            category,
            probability,
        };
        self.reject(refusal, out);
    }

    /// The quick question decides alone only where the thorough ones may not.
    fn weigh(&self, rung: usize, depth: Depth, value: f64) -> Found {
        let safety = self.settings.thresholds.safety;
        let thorough = self.rung(rung).safety.is_some_and(|judge| judge.thorough.acts());
        match depth {
            Depth::Quick if thorough && value < self.settings.clearly_safe.max(safety) => Found::Doubtful,
            Depth::Quick | Depth::Thorough if value >= safety => Found::Safe,
            Depth::Quick | Depth::Thorough => Found::Unsafe,
        }
    }

    fn found_safe(&mut self, about: About, out: &mut Vec<Action>) {
        let Some(attempt) = self.current.as_mut() else {
            return;
        };
        match about {
            About::Window(n) => attempt.verified = attempt.verified.max(n.saturating_add(1)),
            About::Answer => {
                attempt.safe = true;
                attempt.verified = attempt.closed();
                self.withdraw(Pending::is_about_window, out);
            }
            About::Prompt => {}
        }
        self.release(out);
        self.ask_windows(out);
    }

    /// The safety judge turned out to write words only: from now on it is as absent.
    fn only_words(&mut self, out: &mut Vec<Action>) {
        let note = "The safety judge could only write a word, which is no probability: it changed nothing.";
        out.push(Action::Note(note.to_owned()));
        self.prompt_judge = None;
        for rung in &mut self.rungs {
            rung.safety = None;
        }
        // What it still says is recorded.
        for pending in self
            .pending
            .iter_mut()
            .filter(|p| matches!(p.ask, Ask::Safety { .. }))
        {
            pending.acts = false;
        }
        if let Some(attempt) = self.current.as_mut().filter(|a| a.ended) {
            attempt.safe = true;
        }
    }

    fn confidence_judged(&mut self, judge: usize, binding: bool, heard: Heard, out: &mut Vec<Action>) {
        let Some(rung) = self.current.as_ref().map(|a| a.rung) else {
            return;
        };
        let Some(who) = self.rung(rung).confidence.get(judge).copied() else {
            return;
        };
        if let Heard::Probability { value, .. } = heard {
            let confidence = self.calibrated(Some(value), Some(who)).unwrap_or(Confidence {
                value,
                calibrated: false,
                method: "judge".to_owned(),
                authority: who.authority,
                self_judged: who.self_judged,
            });
            return self.set_sureness(Sureness::Known(confidence));
        }
        if !binding {
            return;
        }
        let next = self.rung(rung).confidence.iter().enumerate().skip(judge + 1);
        let next = next.filter(|(_, who)| acts(who)).map(|(i, who)| (i, *who)).next();
        match next {
            Some((next, who)) => self.ask_confidence_of(next, &who, out),
            // A word is no reason to ask a better model.
            None if heard == Heard::Word => self.set_sureness(Sureness::Unknown),
            None => self.set_sureness(Sureness::Failed),
        }
    }

    /// Judges that have not answered in time have failed.
    pub(super) fn late_judges(&mut self, out: &mut Vec<Action>) {
        let late = |p: &Pending, now| p.late_at(&self.settings) <= now;
        let late: Vec<AskId> = self
            .pending
            .iter()
            .filter(|p| late(p, self.now_ms))
            .map(|p| p.id)
            .collect();
        for id in late {
            // One of them may have ended everything.
            if self.pending.iter().any(|p| p.id == id) {
                out.push(Action::Unask(id));
                self.judged(id, Heard::Failed, out);
            }
        }
    }

    /// Nothing more need be known of the answer.
    pub(super) fn unask_answer(&mut self, out: &mut Vec<Action>) {
        self.withdraw(Pending::is_about_answer, out);
    }

    fn withdraw(&mut self, which: fn(&Pending) -> bool, out: &mut Vec<Action>) {
        self.pending.retain(|p| {
            if which(p) {
                out.push(Action::Unask(p.id));
            }
            !which(p)
        });
    }
}

/// May this judge's confidence act?
fn acts(judge: &Judge) -> bool {
    judge.authority.acts() && !judge.self_judged
}

/// What is no probability, or has too little on the valid options, is no verdict.
fn sound(heard: Heard) -> Heard {
    match heard {
        Heard::Probability {
            value,
            mass,
            category,
        } if (0.0..=1.0 + 1e-6).contains(&value) && mass >= LEAST_MASS && mass.is_finite() => {
            Heard::Probability {
                value: value.min(1.0),
                mass,
                category,
            }
        }
        Heard::Probability { .. } => Heard::Failed,
        other => other,
    }
}
