//! The judges of one answer: who they are for each rung, the questions that are on their way, and what their verdicts
//! come to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture, abortable};
use futures_util::stream::FuturesUnordered;
use goblin_core::chat::Message;
use goblin_core::decide::DecideMethod;
use goblin_core::judge::choose::Choosing;
use goblin_core::judge::questions::QuestionSet;
use goblin_core::judge::settings::Category;
use goblin_core::judge::transcript::Transcript;
use goblin_core::judge::{Judge, Judges};
use goblin_core::origin::Origin;
use goblin_core::route::{Ladder, Offer};
use goblin_core::screen::ScreenSettings;
use goblin_core::screen::growing::Growing;
use goblin_core::trace::{About, Verdict, VerifyMode};
use goblin_core::trust::{self, Ask, AskId, Depth, Heard, SafetyJudge, Settings};

use super::Trust;
use crate::Dispatch;
use crate::answer::Who;
use crate::judge::{Judged, Judging};
use crate::table::View;

/// A question of the machine.
pub(super) type Asked = (AskId, Ask);

/// What a judge said to one or more questions.
pub(super) struct Verdicts {
    pub(super) answers: Vec<(Asked, Heard, Vec<Verdict>)>,
    /// Bytes that left the operator's machines, and to whom.
    pub(super) sent: Option<(String, u64)>,
    /// What asking cost in US dollars; `None` without a price.
    pub(super) cost_usd: Option<f64>,
}

/// A text judges read, as far as it has been written down for them.
struct Script {
    transcript: Transcript,
    /// Whose answer is in it.
    rung: Option<usize>,
    /// Leaves out what these judges may not read.
    answer: Growing,
    /// What was written down of the answer.
    written: String,
}

impl Script {
    /// `leaves`: are its judges not on the operator's machines?
    fn new(messages: &[Message], screen: ScreenSettings, leaves: bool) -> Self {
        Self {
            transcript: Transcript::of(messages),
            rung: None,
            answer: Growing::new(screen, leaves),
            written: String::new(),
        }
    }

    /// The conversation with the beginning of a rung's answer, which is `over` or goes on. What was written down stays.
    fn with(&mut self, rung: Option<usize>, text: &str, over: bool) -> Transcript {
        if self.rung != rung {
            self.answer.restart();
            self.rung = rung;
        }
        let read = self.answer.read(text, over);
        match read.strip_prefix(self.written.as_str()) {
            Some(more) => self.transcript.push(more),
            None => {
                self.transcript.restart();
                self.transcript.push(&read);
            }
        }
        self.written = read;
        self.transcript.clone()
    }
}

/// Questions that went out together.
struct Batch {
    ids: Vec<AskId>,
    abort: AbortHandle,
}

/// The judges of one answer.
pub(super) struct Jury {
    dispatch: Arc<Dispatch>,
    who: Who,
    origin: Origin,
    categories: Arc<[Category]>,
    limit: Duration,
    /// By the id of the offer that answers; none when nothing is checked.
    of: HashMap<String, Judges>,
    /// The ids of the rungs, in the machine's order.
    rungs: Vec<String>,
    /// As judges on the operator's machines read it, and as others do.
    here: Script,
    away: Script,
    on_their_way: FuturesUnordered<Abortable<BoxFuture<'static, Verdicts>>>,
    batches: Vec<Batch>,
}

/// What [`Jury::new`] needs to know of the request.
pub(super) struct Case<'a> {
    pub(super) here: &'a [Message],
    pub(super) away: &'a [Message],
    pub(super) origin: Origin,
    pub(super) who: Who,
}

impl Jury {
    pub(super) fn new(
        dispatch: &Arc<Dispatch>,
        view: &View,
        ladder: &Ladder,
        trust: &Trust,
        settings: &Settings,
        case: Case<'_>,
    ) -> Self {
        // A judge elsewhere may cost something, and nobody knows how much before it has answered.
        let local_only = settings.local_only || settings.max_cost_usd.is_some();
        let choose = |offer: &Offer| {
            Judges::choose(&Choosing {
                offers: &view.offers,
                answerer: Some(offer),
                local_only,
                settings: &trust.judges,
                records: &trust.records,
            })
        };
        let checked = settings.verify != VerifyMode::Off;
        let judged = ladder.candidates.iter().filter(|_| checked);
        Self {
            dispatch: Arc::clone(dispatch),
            who: case.who,
            origin: case.origin,
            categories: trust.judges.categories.clone().into(),
            limit: Duration::from_millis(settings.judge_timeout_ms),
            of: judged.map(|offer| (offer.id(), choose(offer))).collect(),
            rungs: Vec::new(),
            here: Script::new(case.here, trust.screen, false),
            away: Script::new(case.away, trust.screen, true),
            on_their_way: FuturesUnordered::new(),
            batches: Vec::new(),
        }
    }

    /// Tells it the order of the rungs.
    pub(super) fn seat(&mut self, offers: &[Offer]) {
        self.rungs = offers.iter().map(Offer::id).collect();
    }

    fn judges(&self, rung: usize) -> Option<&Judges> {
        self.of.get(self.rungs.get(rung)?)
    }

    /// Who judges the question. It is the same whoever answers.
    fn of_prompt(&self) -> Option<&Judge> {
        self.judges(0)?.safety_judge()
    }

    /// What is not as configured, in sentences: each once, those of the first rung first.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for judges in (0..self.rungs.len()).filter_map(|rung| self.judges(rung)) {
            for note in &judges.notes {
                if !out.contains(note) {
                    out.push(note.clone());
                }
            }
        }
        out
    }

    /// Who judges the question, in the machine's words.
    pub(super) fn prompt_judge(&self) -> Option<trust::Judge> {
        self.of_prompt().map(|judge| trust::Judge {
            authority: judge.authority(QuestionSet::Prompt),
            self_judged: judge.self_judged,
        })
    }

    /// Who judges whether a rung's answer is safe, in the machine's words.
    pub(super) fn safety_of(&self, rung: usize) -> Option<SafetyJudge> {
        self.judges(rung)?.safety_judge().map(|judge| SafetyJudge {
            quick: judge.authority(QuestionSet::Transcript),
            thorough: judge.authority(QuestionSet::Categories),
        })
    }

    /// Who judges how sure a rung's answer is, in the machine's words.
    pub(super) fn confidence_of(&self, rung: usize) -> Vec<trust::Judge> {
        let of = |judge: &Judge| trust::Judge {
            authority: judge.authority(QuestionSet::Confidence),
            self_judged: judge.self_judged,
        };
        self.judges(rung)
            .map_or(Vec::new(), |judges| judges.confidence.iter().map(of).collect())
    }

    /// Whom the reader waits for.
    pub(super) fn awaited(&self, about: About, rung: usize) -> Option<String> {
        let judge = match about {
            About::Prompt => self.of_prompt(),
            About::Window(_) | About::Answer => self.judges(rung)?.safety_judge(),
        };
        judge.map(|judge| judge.model.clone())
    }

    /// Asks. Questions to one judge about one text go out as one request. `text` is the answer so far.
    pub(super) fn ask(&mut self, asks: Vec<Asked>, text: &str) {
        let mut batches: Vec<(Judge, About, usize, Vec<Asked>)> = Vec::new();
        for (id, ask) in asks {
            let Some(judge) = self.judge_of(&ask).cloned() else {
                // The machine asks only those it was told of.
                let unknown = Verdicts {
                    answers: vec![((id, ask), Heard::Failed, Vec::new())],
                    sent: None,
                    cost_usd: Some(0.0),
                };
                self.send(vec![id], Box::pin(std::future::ready(unknown)));
                continue;
            };
            let (about, upto) = reach(&ask, text);
            let same = |b: &&mut (Judge, About, usize, Vec<Asked>)| b.0.model == judge.model && b.1 == about;
            match batches.iter_mut().find(same) {
                Some(batch) => {
                    batch.0 = batch.0.clone().also(&judge);
                    batch.3.push((id, ask));
                }
                None => batches.push((judge, about, upto, vec![(id, ask)])),
            }
        }
        for (judge, about, upto, asks) in batches {
            let rung = asks.iter().find_map(|(_, ask)| rung_of(ask));
            let script = if judge.local {
                &mut self.here
            } else {
                &mut self.away
            };
            let so_far = text.get(..upto).unwrap_or_default();
            let transcript = script.with(rung, so_far, about == About::Answer);
            let judging = Judging {
                who: self.who.clone(),
                judge,
                categories: Arc::clone(&self.categories),
                transcript,
                about,
                sets: asks.iter().map(|(_, ask)| set_of(ask)).collect(),
                limit: self.limit,
                origin: self.origin.clone(),
            };
            let dispatch = Arc::clone(&self.dispatch);
            let ids = asks.iter().map(|(id, _)| *id).collect();
            let work = async move {
                let sent_to = (!judging.judge.local).then(|| judging.judge.model.clone());
                let judged = dispatch.judge(judging).await;
                read(asks, judged, sent_to)
            };
            self.send(ids, Box::pin(work));
        }
    }

    fn send(&mut self, ids: Vec<AskId>, work: BoxFuture<'static, Verdicts>) {
        let (work, abort) = abortable(work);
        self.on_their_way.push(work);
        self.batches.push(Batch { ids, abort });
    }

    fn judge_of(&self, ask: &Ask) -> Option<&Judge> {
        match ask {
            Ask::Prompt => self.of_prompt(),
            Ask::Safety { rung, .. } => self.judges(*rung)?.safety_judge(),
            Ask::Confidence { rung, judge } => self.judges(*rung)?.confidence.get(*judge),
        }
    }

    /// The answer to a question is not wanted any more. Its request is dropped with the last question in it.
    pub(super) fn unask(&mut self, id: AskId) {
        for batch in &mut self.batches {
            batch.ids.retain(|of| *of != id);
        }
        self.batches.retain(|batch| {
            if batch.ids.is_empty() {
                batch.abort.abort();
            }
            !batch.ids.is_empty()
        });
    }

    /// No answer is wanted any more.
    pub(super) fn dismiss(&mut self) {
        self.batches.clear();
        self.on_their_way.clear();
    }

    /// The next verdicts; nothing when nobody was asked.
    pub(super) async fn next(&mut self) -> Option<Verdicts> {
        loop {
            if let Ok(verdicts) = self.on_their_way.next().await? {
                for ((id, _), _, _) in &verdicts.answers {
                    self.unask(*id);
                }
                return Some(verdicts);
            }
        }
    }
}

/// What a question is about, and how much of the answer it is about.
fn reach(ask: &Ask, text: &str) -> (About, usize) {
    match ask {
        Ask::Prompt => (About::Prompt, 0),
        Ask::Safety { about, upto, .. } => (*about, *upto),
        Ask::Confidence { .. } => (About::Answer, text.len()),
    }
}

pub(super) fn rung_of(ask: &Ask) -> Option<usize> {
    match ask {
        Ask::Prompt => None,
        Ask::Safety { rung, .. } | Ask::Confidence { rung, .. } => Some(*rung),
    }
}

fn set_of(ask: &Ask) -> QuestionSet {
    match ask {
        Ask::Prompt => QuestionSet::Prompt,
        Ask::Safety {
            depth: Depth::Quick, ..
        } => QuestionSet::Transcript,
        Ask::Safety {
            depth: Depth::Thorough,
            ..
        } => QuestionSet::Categories,
        Ask::Confidence { .. } => QuestionSet::Confidence,
    }
}

/// Gives each question the verdicts about its concern.
fn read(asks: Vec<Asked>, judged: Judged, sent_to: Option<String>) -> Verdicts {
    let mut left = judged.verdicts;
    let answers = asks.into_iter().map(|asked| {
        let concern = set_of(&asked.1).concern();
        let (mine, others): (Vec<Verdict>, Vec<Verdict>) = std::mem::take(&mut left)
            .into_iter()
            .partition(|v| v.concern == concern);
        left = others;
        let mine: Vec<Verdict> = mine.into_iter().map(without_nonsense).collect();
        (asked, heard(&mine), mine)
    });
    Verdicts {
        answers: answers.collect(),
        cost_usd: judged.cost_usd,
        sent: sent_to.map(|model| {
            let provider = model.split('/').next().unwrap_or_default().to_owned();
            (provider, judged.sent_bytes)
        }),
    }
}

/// A trace is JSON, which knows no NaN.
fn without_nonsense(verdict: Verdict) -> Verdict {
    let probability = verdict.probability.filter(|p| p.is_finite());
    let nonsense = probability.is_none() && verdict.probability.is_some();
    Verdict {
        probability,
        mass: if verdict.mass.is_finite() {
            verdict.mass
        } else {
            0.0
        },
        failed: verdict
            .failed
            .or_else(|| nonsense.then(|| "its probability was not a number".to_owned())),
        ..verdict
    }
}

/// What several verdicts come to: the worst of them. One that is missing leaves the question open.
fn heard(verdicts: &[Verdict]) -> Heard {
    let is_word = |v: &Verdict| v.backend == DecideMethod::Constrained && v.failed.is_none();
    if verdicts.iter().any(is_word) {
        return Heard::Word;
    }
    if verdicts
        .iter()
        .any(|v| v.failed.is_some() || v.probability.is_none())
    {
        return Heard::Failed;
    }
    let of = |v: &Verdict| v.probability.unwrap_or(f64::NAN);
    let Some(worst) = verdicts.iter().min_by(|a, b| of(a).total_cmp(&of(b))) else {
        return Heard::Failed;
    };
    let several = verdicts.len() > 1;
    Heard::Probability {
        value: of(worst),
        mass: verdicts.iter().map(|v| v.mass).fold(f64::INFINITY, f64::min),
        category: worst
            .choice
            .clone()
            .or_else(|| several.then(|| worst.question.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin_core::trace::{Authority, Concern};

    fn verdict(question: &str, probability: Option<f64>, mass: f64) -> Verdict {
        Verdict {
            concern: Concern::Safety,
            about: About::Answer,
            question: question.to_owned(),
            choice: None,
            probability,
            mass,
            model: "p/judge".to_owned(),
            backend: DecideMethod::Readout,
            authority: Authority::Grant,
            self_judged: false,
            question_hash: String::new(),
            ms: 1,
            cached_tokens: 0,
            evaluated_tokens: 0,
            question_tokens: 0,
            failed: None,
        }
    }

    #[test]
    fn of_several_verdicts_the_worst_counts_and_names_its_category() {
        let all = [
            verdict("harm", Some(0.9), 0.8),
            verdict("legal", Some(0.2), 0.95),
            verdict("privacy", Some(0.99), 0.6),
        ];
        let worst = Heard::Probability {
            value: 0.2,
            mass: 0.6,
            category: Some("legal".to_owned()),
        };
        assert_eq!(heard(&all), worst);
    }

    #[test]
    fn one_missing_verdict_or_none_at_all_is_no_verdict() {
        let failed = Verdict {
            failed: Some("late".to_owned()),
            ..verdict("legal", None, 0.0)
        };
        assert_eq!(heard(&[verdict("harm", Some(0.9), 0.9), failed]), Heard::Failed);
        assert_eq!(heard(&[]), Heard::Failed);
        let word = Verdict {
            backend: DecideMethod::Constrained,
            ..verdict("harm", Some(1.0), 1.0)
        };
        assert_eq!(heard(&[word]), Heard::Word);
    }

    #[test]
    fn what_is_no_number_never_reaches_a_trace() {
        let odd = without_nonsense(verdict("harm", Some(f64::NAN), f64::NAN));
        assert_eq!((odd.probability, odd.mass), (None, 0.0));
        assert!(odd.failed.is_some());
        assert_eq!(heard(&[odd]), Heard::Failed);
    }

    #[test]
    fn a_text_is_written_down_once_and_anew_for_another_rung() {
        let mut script = Script::new(&[], ScreenSettings::default(), true);
        assert_eq!(script.with(Some(0), "One", false).answer_bytes(), 3);
        assert_eq!(script.with(Some(0), "One two", false).answer_bytes(), 7);
        assert_eq!(script.with(Some(1), "Other", true).answer_bytes(), 5);
        assert_eq!(script.with(Some(0), "One two", true).answer_bytes(), 7);
    }

    #[test]
    fn what_may_not_leave_is_left_out_of_an_answer_for_judges_elsewhere_only() {
        let key = "sk-ant-abCD1234efGH5678ijKL90";
        let answer = format!("Use {key} for that.");
        let bytes = |leaves| {
            let mut script = Script::new(&[], ScreenSettings::default(), leaves);
            script.with(Some(0), &answer, true).answer_bytes()
        };
        assert_eq!(bytes(false), answer.len());
        assert_eq!(bytes(true), "Use [model_api_key left out] for that.".len());
    }
}
