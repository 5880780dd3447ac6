//! Asking judges: one judge, one or more sets of questions, about one text.
//!
//! A question to a judge is a verdict: it takes the place that is kept for such, so that it never stands behind a long
//! answer where the gate can help it. What comes back are verdicts as a trace holds them, also where asking failed: they
//! say why there is none.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::decide::DecideResponse;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::judge::Judge;
use goblin_core::judge::questions::{Asked, QuestionSet, ask, smaller_room};
use goblin_core::judge::settings::Category;
use goblin_core::judge::transcript::Transcript;
use goblin_core::origin::Origin;
use goblin_core::trace::{About, Verdict};
use tokio::time::Instant;

use crate::Dispatch;
use crate::answer::Who;
use crate::span::Work;

/// How often a text is made shorter for a judge whose context does not hold it.
const SHORTER_AT_MOST: usize = 4;

/// What is asked, of whom, about what.
#[derive(Clone)]
pub struct Judging {
    /// Whose question it is about.
    pub who: Who,
    /// Who is asked.
    pub judge: Judge,
    /// The kinds of harm that are looked for.
    pub categories: Arc<[Category]>,
    /// Question and answer so far.
    pub transcript: Transcript,
    /// What the verdicts are about.
    pub about: About,
    /// What is asked, in one batch.
    pub sets: Vec<QuestionSet>,
    /// Longest it may take, the wait for a place included.
    pub limit: Duration,
    /// Where the request comes from.
    pub origin: Origin,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// One for each question; of a text that is judged in parts, one for each question and part. Empty when the judge is
    /// not asked any of the sets.
    pub verdicts: Vec<Verdict>,
    /// Bytes of text the judge was sent.
    pub sent_bytes: u64,
    /// What the requests that were answered cost in US dollars: 0 on the operator's machines, `None` without a price.
    pub cost_usd: Option<f64>,
    /// Did the judge's context hold only a part of the text?
    pub partial: bool,
}

impl Judged {
    /// Is there a question without a verdict?
    pub fn failed(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.failed.is_some())
    }
}

impl Dispatch {
    /// Asks a judge. Never fails: a verdict that is not there says why. Dropping the future cancels the question.
    pub async fn judge(self: &Arc<Self>, mut judging: Judging) -> Judged {
        let started = Instant::now();
        let about = match judging.about {
            About::Prompt => "prompt",
            About::Window(_) => "window",
            About::Answer => "answer",
        };
        let mut work = Work::judge(self, &judging.origin, about, judging.sets.len());
        judging.origin = work.origin();
        let mut judged = Judged {
            cost_usd: Some(0.0),
            ..Judged::default()
        };
        let mut room = None;
        for attempt in 0..=SHORTER_AT_MOST {
            let asked = judging.asked(room);
            judged.partial = asked.iter().any(|a| a.partial);
            judged.verdicts.clear();
            let smaller = smaller_room(&asked).filter(|_| attempt < SHORTER_AT_MOST);
            match self.ask_all(&judging, asked, started, &mut judged).await {
                Ok(()) => break,
                // Its tokens were shorter than thought.
                Err(asked) => match smaller {
                    Some(smaller) => room = Some(smaller),
                    None => {
                        let why = "its context does not hold the text";
                        judged.verdicts = judging.failed(&asked, why, since(started));
                        break;
                    }
                },
            }
        }
        if judged.failed() {
            work.failed("no_verdict");
        }
        judged
    }

    /// Part after part. Gives them back when one does not fit the judge's context.
    async fn ask_all(
        self: &Arc<Self>,
        judging: &Judging,
        asked: Vec<Asked>,
        started: Instant,
        judged: &mut Judged,
    ) -> Result<(), Vec<Asked>> {
        for part in &asked {
            let left = judging.limit.saturating_sub(started.elapsed());
            let mut request = part.request.clone();
            request.origin = judging.origin.clone();
            let texts = request.questions.iter().map(|q| q.text.len()).sum::<usize>();
            judged.sent_bytes += (request.shared.len() + texts) as u64;
            let begun = Instant::now();
            let decided = self
                .decide_as_verdict(judging.who.clone(), request, Some(left))
                .await;
            match decided {
                Ok(decided) => {
                    let cost = self.cost_of(&judging.judge, &decided.response);
                    judged.cost_usd = judged.cost_usd.zip(cost).map(|(sum, cost)| sum + cost);
                    judged
                        .verdicts
                        .extend(part.verdicts(&judging.judge, &decided.response, since(begun)))
                }
                Err(error) if error.code == ErrorCode::ContextLengthExceeded => return Err(asked),
                Err(error) => {
                    let failed = part.failed(&judging.judge, &why(&error), since(begun));
                    judged.verdicts.extend(failed);
                }
            }
        }
        Ok(())
    }
}

impl Dispatch {
    /// Of one request: all it read, and a token for each answer.
    fn cost_of(&self, judge: &Judge, answered: &DecideResponse) -> Option<f64> {
        let read = answered.cost;
        let read = read.shared_evaluated + read.shared_cached + read.question_tokens;
        let written = u32::try_from(answered.decisions.len()).unwrap_or(u32::MAX);
        self.options.policy.cost(&judge.model, judge.local, read, written)
    }
}

impl Judging {
    fn asked(&self, room: Option<usize>) -> Vec<Asked> {
        ask(
            &self.judge,
            &self.categories,
            &self.transcript,
            self.about,
            &self.sets,
            room,
        )
    }

    fn failed(&self, asked: &[Asked], why: &str, ms: u64) -> Vec<Verdict> {
        let of = |part: &Asked| part.failed(&self.judge, why, ms);
        asked.iter().flat_map(of).collect()
    }
}

fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A sentence without an upstream's words.
fn why(error: &ApiError) -> String {
    format!("{}: {}", error.code.as_str(), error.message)
}
