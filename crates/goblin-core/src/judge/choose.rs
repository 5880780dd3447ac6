//! Who judges an answer, of all models on offer.

use super::authority::{Record, Subject, same_model, standing};
use super::guard::Guard;
use super::questions::QuestionSet;
use super::settings::JudgeSettings;
use super::template::Template;
use super::{Judge, Judges, Manner, SafetyJudge};
use crate::model::{Capability, ModelState};
use crate::provider::Health;
use crate::route::Offer;
use crate::trace::{Authority, Concern};

/// What the choice is made from.
#[derive(Clone, Copy, Debug)]
pub struct Choosing<'a> {
    /// Every model of every provider that answers.
    pub offers: &'a [Offer],
    /// The model that answers, when it is known.
    pub answerer: Option<&'a Offer>,
    /// May nothing leave the operator's machines?
    pub local_only: bool,
    /// What the operator wants.
    pub settings: &'a JudgeSettings,
    /// What was measured.
    pub records: &'a [Record],
}

/// By whom a judge was granted authority.
const NAMED: &str = "named as a judge";
/// See [`NAMED`].
const KNOWN_GUARD: &str = "a known guard model";

impl Judges {
    /// Chooses them. Safety: the first with authority, whoever answers, else the first there is. Confidence: all there
    /// are, those with authority first, without the model that answers, which comes last and never acts.
    pub fn choose(choosing: &Choosing<'_>) -> Self {
        let mut notes = Vec::new();
        let mut found = choosing.found(Concern::Safety, &mut notes);
        found.sort_by_key(|judge| !judge.acts());
        let safety = match found.into_iter().next() {
            Some(judge) => SafetyJudge::Judge(Box::new(judge)),
            None => SafetyJudge::Absent {
                why: choosing.missing("safety", &choosing.settings.safety),
            },
        };
        let mut confidence = choosing.found(Concern::Confidence, &mut notes);
        confidence.sort_by_key(|judge| (judge.self_judged, !judge.acts()));
        match &safety {
            SafetyJudge::Absent { why } => notes.push(why.clone()),
            SafetyJudge::Judge(judge) if judge.self_judged => {
                notes.push(format!("`{}` judges the safety of its own answer", judge.model));
            }
            SafetyJudge::Judge(_) => {}
        }
        if !confidence.iter().any(|judge| !judge.self_judged) {
            notes.push(choosing.missing("confidence", &choosing.settings.confidence));
        }
        Self {
            safety,
            confidence,
            notes,
        }
    }
}

impl Choosing<'_> {
    /// The judges of a concern that are there, in the order they are wanted; each model once.
    fn found(&self, concern: Concern, notes: &mut Vec<String>) -> Vec<Judge> {
        let settings = self.settings;
        let mut wanted: Vec<(&Offer, Option<&str>)> = Vec::new();
        if concern == Concern::Safety && settings.known_guards {
            let guards = self.offers.iter().filter(|offer| {
                Guard::of(&offer.model.name).is_some() && offer.stays_local() && !offer.model.starter
            });
            wanted.extend(guards.map(|offer| (offer, Some(KNOWN_GUARD))));
        }
        let named = match concern {
            Concern::Safety => &settings.safety,
            Concern::Confidence => &settings.confidence,
        };
        wanted.extend(
            named
                .iter()
                .filter_map(|name| Some((self.offer(name)?, Some(NAMED)))),
        );
        let advisory = settings.advisory.iter();
        wanted.extend(advisory.filter_map(|name| Some((self.offer(name)?, None))));
        let mut judges: Vec<Judge> = Vec::new();
        for (offer, grant) in wanted {
            let taken = judges.iter().any(|judge| judge.model == offer.id());
            if taken || !self.may(offer) {
                continue;
            }
            judges.extend(self.judge(offer, concern, grant, notes));
        }
        judges
    }

    /// The offer a name means: with its provider, else on the operator's machines, one in memory before others.
    fn offer(&self, name: &str) -> Option<&Offer> {
        let exact = self
            .offers
            .iter()
            .find(|offer| offer.id() == name && self.may(offer));
        if exact.is_some() {
            return exact;
        }
        let mut local: Vec<&Offer> = self
            .offers
            .iter()
            .filter(|offer| self.may(offer) && offer.stays_local() && means(name, offer))
            .collect();
        local.sort_by_key(|offer| offer.model.state != ModelState::Loaded);
        local.first().copied()
    }

    /// May this one be asked now?
    fn may(&self, offer: &Offer) -> bool {
        offer.health == Health::Ok
            && offer.model.state != ModelState::Down
            && offer.model.can(Capability::Decide)
            && (offer.stays_local() || !self.local_only)
    }

    fn judge(
        &self,
        offer: &Offer,
        concern: Concern,
        grant: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Option<Judge> {
        let manner = match Guard::of(&offer.model.name) {
            // It answers no other question than its own.
            Some(_) if concern == Concern::Confidence => return None,
            Some(guard) => Manner::Guard(guard),
            None => Manner::Chat(Template::of(&offer.model)),
        };
        let self_judged = self
            .answerer
            .is_some_and(|answerer| same_weights(answerer, offer));
        let sets = QuestionSet::about(concern).map(|set| {
            let subject = Subject {
                model: &offer.model,
                manner,
                categories: &self.settings.categories,
                set,
            };
            let mut standing = standing(&subject, grant, self.records, notes);
            if self_judged && concern == Concern::Confidence {
                standing.authority = Authority::None;
                standing.why = format!("`{}` would judge its own answer", offer.id());
            }
            (set, standing)
        });
        Some(Judge {
            model: offer.id(),
            local: offer.stays_local(),
            self_judged,
            concern,
            context_window: offer.model.context_window,
            manner,
            standing: sets.collect(),
        })
    }

    /// Says that nobody judges, and who was looked for.
    fn missing(&self, what: &str, named: &[String]) -> String {
        let names: Vec<String> = named.iter().map(|name| format!("`{name}`")).collect();
        let names = match names.is_empty() {
            true => "no model is named for it".to_owned(),
            false => format!("none of {} can be asked", names.join(", ")),
        };
        let locally = if self.local_only {
            " on this operator's machines"
        } else {
            ""
        };
        format!("Nobody judges {what}: {names}{locally}")
    }
}

/// Does a bare name, or one with a provider, mean `offer`?
fn means(name: &str, offer: &Offer) -> bool {
    let provider = name.split_once('/').map(|(provider, _)| provider);
    // Only where a provider of that name exists is the first part one: names of models hold slashes too.
    let elsewhere =
        provider.is_some_and(|provider| provider != &*offer.provider && !offer.model.name.contains('/'));
    !elsewhere && same_model(name, &offer.model.name)
}

/// The same weights, whoever offers them.
fn same_weights(a: &Offer, b: &Offer) -> bool {
    match (&a.model.digest, &b.model.digest) {
        (Some(a), Some(b)) if a == b => true,
        _ => same_model(&a.model.name, &b.model.name) || same_model(&b.model.name, &a.model.name),
    }
}

#[cfg(test)]
mod tests;
