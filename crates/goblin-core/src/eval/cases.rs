//! Labelled cases, read from the files of `evals/`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::chat::{Message, Role};
use crate::intent::Intent;

/// Most bytes of a file of cases.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes a repeated context may grow to.
const MAX_CONTEXT_BYTES: usize = 4 * 1024 * 1024;
/// A case is held out when the first byte of its id's hash is below this: 30 % of 256.
const HELD_OUT_BELOW: u8 = 77;

/// A file of cases cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct CaseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// A text a judge is asked about, and what is true of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedCase {
    /// Names it.
    pub id: String,
    /// Cases of one kind, for example XSTest's `homonyms`.
    pub group: Option<String>,
    /// The question.
    pub prompt: String,
    /// The answer; `None`: the question itself is judged.
    pub answer: Option<String>,
    /// Is it safe, or correct and complete?
    pub good: bool,
}

impl JudgedCase {
    /// Hash of everything a judge or a reader of its answer is told.
    pub fn hash(&self) -> String {
        let answer = self.answer.as_deref();
        let label = if self.good { "good" } else { "bad" };
        fingerprint([&self.id, &self.prompt, answer.unwrap_or("\u{0}"), label])
    }
}

/// A question, and what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingCase {
    /// Names it.
    pub id: String,
    /// ISO 639-1 code of the language most of it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// What makes it a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The conversation, oldest first.
    pub messages: Vec<CaseMessage>,
    /// The request's `intent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// The request's `latency_target`, any text: some cases are about a wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_target: Option<String>,
    /// The request's `cost_priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_priority: Option<bool>,
    /// The request's `model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The request's `context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// A context that is this text so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_repeat: Option<(String, usize)>,
    /// What is right.
    pub expect: Expected,
}

/// One message of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// What is right for a routing case. What is absent is not asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What it is certainly not about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent_not: Option<Intent>,
    /// The role that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// A role that must not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_not: Option<String>,
    /// The model that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The request is refused with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<u16>,
}

impl RoutingCase {
    /// The conversation as a request carries it.
    pub fn conversation(&self) -> Vec<Message> {
        let message = |m: &CaseMessage| Message::text(m.role, m.content.clone());
        self.messages.iter().map(message).collect()
    }

    /// The context, repeated where it is to be.
    pub fn whole_context(&self) -> Option<String> {
        match (&self.context, &self.context_repeat) {
            (Some(text), _) => Some(text.clone()),
            (None, Some((text, times))) => Some(text.repeat(*times)),
            (None, None) => None,
        }
    }

    /// Is it kept away from whoever makes the classifier?
    pub fn held_out(&self) -> bool {
        held_out(&self.id)
    }

    /// Hash of the whole case.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        fingerprint([text.as_str()])
    }
}

/// Is the case of this name held out? The first byte of the SHA-256 of its id decides, so that it never changes sides.
pub fn held_out(id: &str) -> bool {
    Sha256::digest(id)
        .first()
        .is_some_and(|byte| *byte < HELD_OUT_BELOW)
}

/// 16 hexadecimal digits of the SHA-256 of `parts`, each told apart from the next.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    crate::judge::fingerprint(parts)
}

/// The first `limit` of `items` in an order that `seed` and their names alone decide. Without a limit all, as they are.
pub fn chosen<T>(mut items: Vec<T>, id: impl Fn(&T) -> &str, seed: u64, limit: Option<usize>) -> Vec<T> {
    if let Some(limit) = limit {
        items.sort_by_cached_key(|item| Sha256::digest(format!("{seed}:{}", id(item))).to_vec());
        items.truncate(limit);
    }
    items
}

/// A line of `safety.jsonl` or `confidence.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgedLine {
    id: String,
    #[serde(default)]
    model: Option<String>,
    prompt: String,
    answer: String,
    expect: Label,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Label {
    Safe { is_safe: bool },
    Sure { confidence: Level },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    High,
    Low,
}

/// Reads questions with answers: one JSON object a line, `expect` with `is_safe` or with `confidence: high|low`.
///
/// # Errors
/// The first line that is no such case, or an id that is there twice.
pub fn read_judged(text: &str) -> Result<Vec<JudgedCase>, CaseError> {
    let case = |line: JudgedLine| JudgedCase {
        id: line.id,
        group: line.model,
        prompt: line.prompt,
        answer: Some(line.answer),
        good: match line.expect {
            Label::Safe { is_safe } => is_safe,
            Label::Sure { confidence } => matches!(confidence, Level::High),
        },
    };
    let cases: Vec<JudgedCase> = lines(text)?.into_iter().map(case).collect();
    unique(cases.iter().map(|case| case.id.as_str()))?;
    Ok(cases)
}

/// A row of XSTest.
#[derive(Deserialize)]
struct XstestRow {
    id: String,
    prompt: String,
    #[serde(rename = "type")]
    kind: String,
    label: String,
}

/// Reads XSTest's table of prompts; `label` is `safe` or `unsafe`. The question itself is judged.
///
/// # Errors
/// The first row that is none, or an id that is there twice.
pub fn read_xstest(text: &str) -> Result<Vec<JudgedCase>, CaseError> {
    bounded(text)?;
    let mut cases = Vec::new();
    for (place, row) in csv::Reader::from_reader(text.as_bytes())
        .deserialize::<XstestRow>()
        .enumerate()
    {
        let error = |reason: String| CaseError {
            line: place + 2,
            reason,
        };
        let row = row.map_err(|e| error(e.to_string()))?;
        let good = match row.label.as_str() {
            "safe" => true,
            "unsafe" => false,
            other => {
                return Err(error(format!(
                    "the label `{other}` is neither `safe` nor `unsafe`"
                )));
            }
        };
        cases.push(JudgedCase {
            id: format!("xstest-{}", row.id),
            group: Some(row.kind),
            prompt: row.prompt,
            answer: None,
            good,
        });
    }
    unique(cases.iter().map(|case| case.id.as_str()))?;
    Ok(cases)
}

/// Reads routing cases: one JSON object a line.
///
/// # Errors
/// The first line that is no such case, an id that is there twice, or a context that would be too large.
pub fn read_routing(text: &str) -> Result<Vec<RoutingCase>, CaseError> {
    let cases: Vec<RoutingCase> = lines(text)?;
    for (place, case) in cases.iter().enumerate() {
        if let Some((text, times)) = &case.context_repeat
            && text.len().saturating_mul(*times) > MAX_CONTEXT_BYTES
        {
            return Err(CaseError {
                line: place + 1,
                reason: format!("its context has more than {MAX_CONTEXT_BYTES} bytes"),
            });
        }
    }
    unique(cases.iter().map(|case| case.id.as_str()))?;
    Ok(cases)
}

fn bounded(text: &str) -> Result<(), CaseError> {
    let reason = format!("there are more than {MAX_FILE_BYTES} bytes");
    match text.len() > MAX_FILE_BYTES {
        true => Err(CaseError { line: 1, reason }),
        false => Ok(()),
    }
}

fn lines<T: for<'de> Deserialize<'de>>(text: &str) -> Result<Vec<T>, CaseError> {
    bounded(text)?;
    let written = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let read = written.map(|(place, line)| {
        serde_json::from_str(line).map_err(|e| CaseError {
            line: place + 1,
            reason: e.to_string(),
        })
    });
    read.collect()
}

fn unique<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), CaseError> {
    let mut seen = std::collections::HashSet::new();
    for (place, id) in ids.enumerate() {
        if !seen.insert(id) {
            return Err(CaseError {
                line: place + 1,
                reason: format!("the id `{id}` is there twice"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFETY: &str = include_str!("../../../../evals/data/safety.jsonl");
    const CONFIDENCE: &str = include_str!("../../../../evals/data/confidence.jsonl");
    const XSTEST: &str = include_str!("../../../../evals/data/xstest_prompts.csv");
    const SAMPLE: &str = include_str!("../../../../evals/data/xstest_sample.csv");
    const ROUTING: &str = include_str!("../../../../evals/cases/routing.jsonl");
    const SECOND: &str = include_str!("../../../../evals/cases/routing-second.jsonl");
    const ACCEPTANCE: &str = include_str!("../../../../evals/cases/routing-acceptance.jsonl");

    #[test]
    fn the_committed_texts_are_read_with_their_labels() {
        for text in [SAFETY, CONFIDENCE] {
            let cases = read_judged(text).expect("cases");
            assert_eq!(cases.len(), 6);
            assert_eq!(cases.iter().filter(|c| c.good).count(), 3);
            assert!(cases.iter().all(|c| c.answer.is_some()));
        }
        let all = read_xstest(XSTEST).expect("cases");
        assert_eq!(all.len(), 450);
        assert_eq!(all.iter().filter(|c| c.good).count(), 250);
    }

    #[test]
    fn the_sample_is_made_of_rows_of_the_whole() {
        let all = read_xstest(XSTEST).expect("cases");
        let sample = read_xstest(SAMPLE).expect("cases");
        assert_eq!(sample.len(), 100);
        assert_eq!(sample.iter().filter(|c| c.good).count(), 55);
        assert!(sample.iter().all(|case| all.contains(case)));
        let kinds = |cases: &[JudgedCase]| {
            let kinds = cases.iter().filter_map(|c| c.group.clone());
            kinds.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(kinds(&sample), kinds(&all));
    }

    #[test]
    fn there_are_enough_routing_cases_of_every_intent_and_language() {
        let cases = read_routing(ROUTING).expect("cases");
        assert!(cases.len() >= 300, "{}", cases.len());
        for intent in Intent::ALL {
            let of = |c: &&RoutingCase| c.expect.intent == Some(intent);
            let here = cases.iter().filter(of).count();
            assert!(here >= 20, "{intent:?}: {here}");
            assert!(cases.iter().filter(of).any(RoutingCase::held_out), "{intent:?}");
        }
        for lang in ["en", "de", "fr", "es", "zh"] {
            let here = cases.iter().filter(|c| c.lang.as_deref() == Some(lang)).count();
            assert!(here >= 20, "{lang}: {here}");
        }
        let part = cases.iter().filter(|c| c.held_out()).count() as f64 / cases.len() as f64;
        assert!((0.25..0.35).contains(&part), "{part}");
        assert!(cases.iter().all(|c| !c.messages.is_empty() && c.lang.is_some()));
    }

    #[test]
    fn the_second_set_is_held_out_whole_and_repeats_nothing_of_the_first() {
        let (first, second) = (
            read_routing(ROUTING).expect("cases"),
            read_routing(SECOND).expect("cases"),
        );
        assert!(second.len() >= 90, "{}", second.len());
        for case in &second {
            assert!(case.held_out(), "{}", case.id);
            assert!(
                !first
                    .iter()
                    .any(|c| c.id == case.id || c.messages == case.messages),
                "{}",
                case.id
            );
        }
        let both = [ROUTING, SECOND].concat();
        assert_eq!(
            read_routing(&both).expect("cases").len(),
            first.len() + second.len()
        );
    }

    #[test]
    fn the_accepted_cases_are_read_too_with_what_they_ask() {
        let cases = read_routing(ACCEPTANCE).expect("cases");
        assert_eq!(cases.len(), 22);
        let one = |id: &str| cases.iter().find(|c| c.id == id).expect("a case");
        assert_eq!(one("E2").expect.error, Some(422));
        assert_eq!(one("E1").expect.model.as_deref(), Some("mistral:7b"));
        assert_eq!(one("R2").expect.role_not.as_deref(), Some("quick"));
        assert!(one("L3").whole_context().is_some_and(|c| c.len() > 60_000));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let table = [
            ("{\"id\":\"a\"}", 1, "missing field"),
            (
                "\n{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"a\",\"expect\":{\"is_safe\":1}}",
                2,
                "match",
            ),
            (
                "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"a\",\"expect\":{\"is_safe\":true},\"x\":1}",
                1,
                "unknown",
            ),
        ];
        for (text, line, words) in table {
            let error = read_judged(text).expect_err("wrong");
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(words), "{error}");
        }
        let twice = "{\"id\":\"a\",\"messages\":[],\"expect\":{}}\n".repeat(2);
        assert!(read_routing(&twice).expect_err("twice").reason.contains("`a`"));
        let label = read_xstest("id,prompt,type,label\n1,p,t,perhaps\n").expect_err("a label");
        assert_eq!((label.line, label.reason.contains("perhaps")), (2, true));
        let huge = "{\"id\":\"a\",\"messages\":[],\"expect\":{},\"context_repeat\":[\"aaaa\",99999999]}";
        assert!(
            read_routing(huge)
                .expect_err("too large")
                .reason
                .contains("bytes")
        );
    }

    #[test]
    fn a_case_never_changes_sides_and_its_hash_follows_its_content() {
        assert!(held_out("code-03") == held_out("code-03"));
        let mut case = read_judged(SAFETY).expect("cases").remove(0);
        let before = case.hash();
        assert_eq!(before.len(), 16);
        case.good = !case.good;
        assert_ne!(case.hash(), before);
    }

    #[test]
    fn a_limit_chooses_by_the_seed_and_not_by_the_order() {
        let ids: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let mut turned = ids.clone();
        turned.reverse();
        let pick = |ids: Vec<String>, seed| chosen(ids, |id| id, seed, Some(10));
        assert_eq!(pick(ids.clone(), 1), pick(turned, 1));
        assert_ne!(pick(ids.clone(), 1), pick(ids.clone(), 2));
        assert_eq!(chosen(ids.clone(), |id| id, 1, None), ids);
    }
}
