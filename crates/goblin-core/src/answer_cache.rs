//! When an answer may be given again, and to whom: the key of a request, what is kept of an answer, and the rules. Pure.
//!
//! Only answers that finished cleanly and, where they were checked, were accepted are kept. A request has to say that it
//! wants the same answer again (temperature 0, or `goblin.cache: "use"`), unless the operator keeps answers to common
//! questions of the names that let goblin choose.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::chat::{ChatRequest, Part, Role};
use crate::event::{FinishReason, Parsed};
use crate::judge::hex;
use crate::trace::{CacheUse, StepOutcome, Trace, VerifyMode};
use crate::wire::openai::CacheUse as Asked;

/// Longest question that counts as a common one, in bytes.
const COMMON_BYTES: usize = 300;
/// Largest answer that is kept, in bytes of text.
pub const MOST_BYTES: usize = 256 * 1024;
/// Most events of an answer that is kept.
pub const MOST_EVENTS: usize = 16 * 1024;

/// What requests must have in common to get the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    fn of(parts: &serde_json::Value) -> Self {
        Self(Sha256::digest(parts.to_string()).into())
    }

    /// As text, for a store whose keys are texts.
    pub fn to_hex(self) -> String {
        hex(&self.0, 64)
    }
}

/// Whose request it is and how it is answered, beside what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Nothing is shared between tenants.
    pub tenant: &'a str,
    /// The name asked for.
    pub model: &'a str,
    /// Everything else that makes the answer another one: how it is checked, what it may cost, which policy is in force.
    pub terms: &'a str,
}

/// The key of exactly this request; nothing when there is something in it that these words do not have.
pub fn exact(scope: Scope<'_>, request: &ChatRequest) -> Option<Key> {
    if !request.untranslated.is_empty() {
        return None;
    }
    Some(Key::of(&json!({
        "kind": "exact",
        "tenant": scope.tenant,
        "model": scope.model,
        "terms": scope.terms,
        "messages": request.messages,
        "tools": request.tools,
        "choice": format!("{:?}", request.tool_choice),
        "parallel": request.parallel_tool_calls,
        "sampling": format!("{:?}", request.sampling),
        "format": format!("{:?}", request.format),
        "think": format!("{:?}", request.think),
        "context": request.context_tokens,
    })))
}

/// The key of a common question: the first of a conversation, short and plain, with case, spacing and punctuation folded.
pub fn common(scope: Scope<'_>, request: &ChatRequest) -> Option<Key> {
    let plain = request.tools.is_empty() && request.format == crate::chat::ResponseFormat::Text;
    let [before @ .., question] = request.messages.as_slice() else {
        return None;
    };
    let systems = before.iter().all(|message| message.role == Role::System);
    if !plain || !systems || question.role != Role::User || !request.untranslated.is_empty() {
        return None;
    }
    let [Part::Text { text }] = question.parts.as_slice() else {
        return None;
    };
    let folded = folded(text);
    if folded.is_empty() || text.len() > COMMON_BYTES {
        return None;
    }
    Some(Key::of(&json!({
        "kind": "common",
        "tenant": scope.tenant,
        "model": scope.model,
        "terms": scope.terms,
        "system": before,
        "question": folded,
        "sampling": format!("{:?}", request.sampling),
    })))
}

/// Letters and digits in lower case, one space where anything else stood.
fn folded(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// What the cache may do for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// May a kept answer be given?
    pub read: bool,
    /// May its answer be kept?
    pub write: bool,
}

impl Use {
    const NOT: Self = Self {
        read: false,
        write: false,
    };

    /// What was asked for, else what a sampling temperature of 0 says: the same answer again.
    pub fn of(asked: Option<Asked>, temperature: Option<f32>) -> Self {
        match asked {
            Some(Asked::Use) => Self {
                read: true,
                write: true,
            },
            Some(Asked::Refresh) => Self {
                read: false,
                write: true,
            },
            Some(Asked::Off) => Self::NOT,
            None if temperature == Some(0.0) => Self {
                read: true,
                write: true,
            },
            None => Self::NOT,
        }
    }

    /// Neither?
    pub fn is_not(self) -> bool {
        self == Self::NOT
    }
}

/// An answer as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Who answered, `provider/model`.
    pub model_id: String,
    /// Did what was asked stay on the operator's machines?
    pub local: bool,
    /// Its events, as they came.
    pub events: Vec<Parsed>,
    /// Why it came from where it came from, where it was checked.
    pub trace: Option<Box<Trace>>,
}

impl Kept {
    /// May it be given again? `trace`: whole, where it was checked.
    pub fn is_sound(&self) -> bool {
        let ended = self.events.iter().rev().find_map(|event| match event {
            Parsed::Finished { reason } => Some(*reason),
            _ => None,
        });
        let clean = matches!(ended, Some(FinishReason::Stop | FinishReason::ToolCalls));
        let says = self.events.iter().any(Parsed::is_content);
        clean && says && self.trace.as_deref().is_none_or(is_accepted)
    }

    /// Was it checked and accepted, as the first answer? Only such ones answer common questions.
    pub fn is_accepted_at_once(&self) -> bool {
        self.trace.as_deref().is_some_and(|trace| {
            trace.verify != VerifyMode::Off && trace.steps.len() == 1 && is_accepted(trace)
        })
    }

    /// Bytes it takes, roughly.
    pub fn bytes(&self) -> usize {
        let of = |event: &Parsed| match event {
            Parsed::Text { text, logprobs } => text.len() + logprobs.len() * 64,
            Parsed::Reasoning { text } => text.len(),
            Parsed::ToolCall { arguments, .. } => arguments.len(),
            Parsed::Sealed { seal, .. } => seal.len(),
            _ => 0,
        };
        let each = size_of::<Parsed>();
        let trace = self
            .trace
            .as_ref()
            .map_or(0, |trace| 2048 + trace.steps.len() * 1024);
        self.events.iter().map(|event| each + of(event)).sum::<usize>() + trace + self.model_id.len()
    }
}

fn is_accepted(trace: &Trace) -> bool {
    trace
        .steps
        .last()
        .is_some_and(|step| step.outcome == StepOutcome::Accepted)
}

/// The trace of an answer that is given again: nobody was asked, nothing left, and it cost nothing.
pub fn given_again(before: &Trace, trace_id: String, now_ms: i64) -> Trace {
    let mut notes = before.notes.clone();
    notes.push(format!(
        "Taken from the cache: the answer of trace `{}`. No model was asked.",
        before.trace_id
    ));
    Trace {
        trace_id,
        created_at_ms: now_ms,
        notes,
        steps: Vec::new(),
        sent: Vec::new(),
        left_machine: false,
        would_have_cost_usd: before.cost_usd,
        cost_usd: Some(0.0),
        cache: CacheUse::Hit,
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;
    use crate::trace::Step;

    const SCOPE: Scope<'_> = Scope {
        tenant: "t",
        model: "goblin",
        terms: "hold",
    };

    fn request(text: &str) -> ChatRequest {
        ChatRequest {
            messages: vec![Message::text(Role::User, text)],
            ..ChatRequest::default()
        }
    }

    fn kept(reason: FinishReason, trace: Option<Trace>) -> Kept {
        let text = Parsed::Text {
            text: "hi".to_owned(),
            logprobs: Vec::new(),
        };
        Kept {
            model_id: "a/b".to_owned(),
            local: true,
            events: vec![Parsed::Started, text, Parsed::Finished { reason }],
            trace: trace.map(Box::new),
        }
    }

    fn traced(outcome: StepOutcome) -> Trace {
        Trace {
            trace_id: "one".to_owned(),
            verify: VerifyMode::Hold,
            cost_usd: Some(0.25),
            left_machine: true,
            steps: vec![step(outcome)],
            ..Trace::default()
        }
    }

    fn step(outcome: StepOutcome) -> Step {
        Step {
            outcome,
            ..Step::begun("a/b".to_owned(), "a".to_owned(), true, 0)
        }
    }

    #[test]
    fn the_exact_key_is_of_all_that_makes_another_answer() {
        let key = |scope, request: &ChatRequest| exact(scope, request).unwrap();
        let one = key(SCOPE, &request("hi"));
        assert_eq!(one, key(SCOPE, &request("hi")));
        let mut hotter = request("hi");
        hotter.sampling.temperature = Some(0.5);
        let mut seeded = request("hi");
        seeded.sampling.seed = Some(1);
        let mut tools = request("hi");
        tools.messages.insert(0, Message::text(Role::System, "be kind"));
        for other in [hotter, seeded, tools, request("hi ")] {
            assert_ne!(one, key(SCOPE, &other));
        }
        for scope in [
            Scope { tenant: "u", ..SCOPE },
            Scope {
                model: "goblin/best",
                ..SCOPE
            },
            Scope {
                terms: "off",
                ..SCOPE
            },
        ] {
            assert_ne!(one, key(scope, &request("hi")));
        }
        let mut streamed = request("hi");
        streamed.stream = true;
        assert_eq!(one, key(SCOPE, &streamed), "how it is read makes no other answer");
        streamed.untranslated.push("audio".to_owned());
        assert_eq!(exact(SCOPE, &streamed), None);
        assert_eq!(one.to_hex().len(), 64);
    }

    #[test]
    fn common_questions_are_the_same_but_for_case_spaces_and_marks() {
        let key = |text: &str| common(SCOPE, &request(text));
        assert!(key("What is TLS?").is_some());
        assert_eq!(key("What is TLS?"), key("  what   is tls "));
        assert_ne!(key("What is TLS?"), key("What is DNS?"));
        assert_eq!((key("?!"), key(&"long ".repeat(100))), (None, None));
        let mut later = request("What is TLS?");
        later.messages.insert(0, Message::text(Role::Assistant, "hello"));
        assert_eq!(
            common(SCOPE, &later),
            None,
            "in the middle of a conversation it means something else"
        );
    }

    #[test]
    fn what_is_asked_for_goes_before_what_the_temperature_says() {
        let both = Use {
            read: true,
            write: true,
        };
        assert_eq!(Use::of(None, Some(0.0)), both);
        assert_eq!(Use::of(Some(Asked::Use), Some(1.0)), both);
        assert!(Use::of(None, None).is_not() && Use::of(None, Some(0.7)).is_not());
        assert!(Use::of(Some(Asked::Off), Some(0.0)).is_not());
        let refresh = Use::of(Some(Asked::Refresh), None);
        assert!(!refresh.read && refresh.write);
    }

    #[test]
    fn only_whole_and_accepted_answers_are_kept() {
        assert!(kept(FinishReason::Stop, None).is_sound());
        assert!(!kept(FinishReason::Length, None).is_sound());
        assert!(!kept(FinishReason::ContentFilter, None).is_sound());
        let accepted = kept(FinishReason::Stop, Some(traced(StepOutcome::Accepted)));
        assert!(accepted.is_sound() && accepted.is_accepted_at_once());
        assert!(!kept(FinishReason::Stop, Some(traced(StepOutcome::Failed))).is_sound());
        assert!(!kept(FinishReason::Stop, None).is_accepted_at_once());
        assert!(accepted.bytes() > 2048);
    }

    #[test]
    fn an_answer_given_again_says_so_and_costs_nothing() {
        let again = given_again(&traced(StepOutcome::Accepted), "two".to_owned(), 7);
        assert_eq!(
            (again.cost_usd, again.would_have_cost_usd),
            (Some(0.0), Some(0.25))
        );
        assert_eq!((again.cache, again.left_machine), (CacheUse::Hit, false));
        assert!(again.steps.is_empty() && again.notes[0].contains("`one`"));
    }

    #[test]
    fn what_is_kept_is_read_back_as_it_was() {
        let one = kept(FinishReason::Stop, Some(traced(StepOutcome::Accepted)));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), one);
    }
}
