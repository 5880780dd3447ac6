//! A trace in one line: what stands under an answer and in a list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Confidence, Step, StepOutcome, Trace, Verdict, VerifyMode};

/// What is shown of a trace before it is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TraceSummary {
    /// Names the trace.
    pub trace_id: String,
    /// Milliseconds since 1970 at the question.
    pub created_at_ms: i64,
    /// The model asked for.
    pub asked_for: String,
    /// Whose answer it is, `provider/model`; absent when nobody answered.
    pub model: Option<String>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// How it was checked.
    pub verify: VerifyMode,
    /// How many models were asked for an answer.
    pub steps: u32,
    /// Did a judge with authority look at it?
    pub checked: bool,
    /// How sure the answer is; absent when nobody judged.
    pub confidence: Option<Confidence>,
    /// The rule an answer was refused by.
    pub refused_by: Option<String>,
    /// What it cost in US dollars; absent when a model without a price was asked.
    pub cost_usd: Option<f64>,
    /// Did anything leave the operator's machines?
    pub left_machine: bool,
}

impl StepOutcome {
    /// The wire and SQL form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Accepted => "accepted",
            Self::LowConfidence => "low_confidence",
            Self::Escalated => "escalated",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Trace {
    /// The attempt whose answer was delivered; where none was, the last one, which ended it. An earlier answer may be
    /// delivered after all, when a better model did no better.
    pub fn answering_step(&self) -> Option<&Step> {
        let given = |step: &&Step| matches!(step.outcome, StepOutcome::Accepted | StepOutcome::LowConfidence);
        self.steps.iter().rev().find(given).or(self.steps.last())
    }

    /// How it ended: refused when a rule refused it, else as the attempt did that answered; failed when nobody was asked.
    pub fn outcome(&self) -> StepOutcome {
        if self.refused_by().is_some() {
            return StepOutcome::Rejected;
        }
        self.answering_step()
            .map_or(StepOutcome::Failed, |step| step.outcome)
    }

    /// The rule it was refused by.
    pub fn refused_by(&self) -> Option<&str> {
        self.safety.as_ref()?.refused_by.as_deref()
    }

    /// Every verdict: those on the question first, then each attempt's.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        let answers = self.steps.iter().flat_map(|step| &step.verdicts);
        self.prompt_verdicts.iter().chain(answers)
    }

    /// Did a judge with authority look at it, and come to a verdict?
    pub fn is_checked(&self) -> bool {
        self.verdicts()
            .any(|verdict| verdict.authority.acts() && verdict.probability.is_some())
    }

    /// The trace in one line.
    pub fn summary(&self) -> TraceSummary {
        TraceSummary {
            trace_id: self.trace_id.clone(),
            created_at_ms: self.created_at_ms,
            asked_for: self.model.clone(),
            model: self.answering_step().map(|step| step.model.clone()),
            outcome: self.outcome(),
            verify: self.verify,
            steps: u32::try_from(self.steps.len()).unwrap_or(u32::MAX),
            checked: self.is_checked(),
            confidence: self.confidence.clone(),
            refused_by: self.refused_by().map(str::to_owned),
            cost_usd: self.cost_usd,
            left_machine: self.left_machine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{About, Authority, Concern, Safety};
    use super::*;
    use crate::decide::DecideMethod;

    fn verdict(authority: Authority, probability: Option<f64>) -> Verdict {
        Verdict {
            concern: Concern::Safety,
            about: About::Prompt,
            question: "safe".into(),
            choice: None,
            probability,
            mass: 0.9,
            model: "ollama/gemma:2b".into(),
            backend: DecideMethod::Readout,
            authority,
            self_judged: false,
            question_hash: "h".into(),
            ms: 3,
            cached_tokens: 0,
            evaluated_tokens: 40,
            question_tokens: 12,
            failed: None,
        }
    }

    fn step(model: &str, outcome: StepOutcome) -> Step {
        Step {
            cost_usd: Some(0.0),
            outcome,
            ..Step::begun(model.into(), "ollama".into(), true, 0)
        }
    }

    #[test]
    fn a_trace_is_summed_up_by_the_attempt_that_answered() {
        let trace = Trace {
            trace_id: "t".into(),
            model: "goblin".into(),
            steps: vec![
                step("ollama/gemma:2b", StepOutcome::Escalated),
                step("ollama/mistral:7b", StepOutcome::Accepted),
            ],
            ..Trace::default()
        };
        let line = trace.summary();
        assert_eq!(line.model.as_deref(), Some("ollama/mistral:7b"));
        assert_eq!((line.outcome, line.steps), (StepOutcome::Accepted, 2));
        assert!(!line.checked && line.refused_by.is_none());
        // An earlier answer is given after all, when a better model did no better.
        let kept = Trace {
            steps: vec![
                step("ollama/gemma:2b", StepOutcome::LowConfidence),
                step("ollama/mistral:7b", StepOutcome::Failed),
            ],
            ..trace
        };
        let line = kept.summary();
        assert_eq!(line.model.as_deref(), Some("ollama/gemma:2b"));
        assert_eq!(line.outcome, StepOutcome::LowConfidence);
    }

    #[test]
    fn a_refusal_is_the_outcome_even_before_anybody_was_asked() {
        let refused = Trace {
            safety: Some(Safety {
                probability: Some(0.1),
                category: Some("harm".into()),
                authority: Authority::Grant,
                found: Vec::new(),
                refused_by: Some("safety:harm".into()),
            }),
            ..Trace::default()
        };
        assert_eq!(refused.outcome(), StepOutcome::Rejected);
        assert_eq!(refused.summary().refused_by.as_deref(), Some("safety:harm"));
        assert_eq!(Trace::default().outcome(), StepOutcome::Failed);
    }

    #[test]
    fn only_a_verdict_with_authority_counts_as_checked() {
        let with = |verdict| Trace {
            prompt_verdicts: vec![verdict],
            ..Trace::default()
        };
        assert!(!with(verdict(Authority::None, Some(0.9))).is_checked());
        assert!(!with(verdict(Authority::Grant, None)).is_checked());
        assert!(with(verdict(Authority::Grant, Some(0.9))).is_checked());
        let mut later = Trace {
            steps: vec![step("a/b", StepOutcome::Accepted)],
            ..Trace::default()
        };
        later.steps[0]
            .verdicts
            .push(verdict(Authority::Record, Some(0.4)));
        assert!(later.is_checked());
    }

    #[test]
    fn an_outcome_has_one_word_on_the_wire_and_in_the_database() {
        for outcome in [
            StepOutcome::Running,
            StepOutcome::Accepted,
            StepOutcome::LowConfidence,
            StepOutcome::Escalated,
            StepOutcome::Rejected,
            StepOutcome::Failed,
            StepOutcome::Cancelled,
        ] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
