//! What a question is about: a scored classifier over words, shape and the conversation, with its confidence and the
//! runner-up. No model is asked; a question takes microseconds.

mod language;
mod lexicon;
mod scan;
mod score;
mod shape;
mod typos;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::{Message, Role};
use crate::trace::Feature;
use lexicon::Concept;
use score::Evidence;

/// Bytes of a message that are looked at, from its beginning and from its end.
const LOOKED_AT: usize = 2_000;
/// Below this much evidence the last message is read together with what was said before.
const CLEAR: f64 = 2.0;
/// How much an earlier question of the same conversation counts, the newest first.
const EARLIER: [f64; 3] = [0.7, 0.4, 0.2];
/// Scores this far apart are taken to be e times as likely.
const SHARPNESS: f64 = 0.7;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Write, change or find the fault in a program.
    Code,
    /// Say how or why something is.
    Explain,
    /// Make a given text short.
    Summarize,
    /// Make something up: a story, a poem, a name.
    Creative,
    /// Say it in another language.
    Translation,
    /// Put something in one of several classes.
    Classification,
    /// How is something now?
    Status,
    /// Answer from a text that was given.
    Rag,
    /// Find something in what is stored.
    Retrieval,
    /// Talk.
    Chat,
    /// About law and contracts.
    Legal,
    /// Work something out in steps.
    Reasoning,
}

impl Intent {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Code,
        Self::Explain,
        Self::Summarize,
        Self::Creative,
        Self::Translation,
        Self::Classification,
        Self::Status,
        Self::Rag,
        Self::Retrieval,
        Self::Chat,
        Self::Legal,
        Self::Reasoning,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Explain => "explain",
            Self::Summarize => "summarize",
            Self::Creative => "creative",
            Self::Translation => "translation",
            Self::Classification => "classification",
            Self::Status => "status",
            Self::Rag => "rag",
            Self::Retrieval => "retrieval",
            Self::Chat => "chat",
            Self::Legal => "legal",
            Self::Reasoning => "reasoning",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|intent| intent.as_str() == text)
    }
}

/// Points for each intent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Scores([f64; Intent::ALL.len()]);

impl Scores {
    fn add(&mut self, intent: Intent, points: f64) {
        if let Some(score) = self.0.get_mut(intent as usize) {
            *score += points;
        }
    }

    /// The most that any intent but chat has.
    fn clearest(&self) -> f64 {
        let scores = Intent::ALL.iter().zip(self.0);
        scores
            .filter(|(intent, _)| **intent != Intent::Chat)
            .map(|(_, score)| score)
            .fold(0.0, f64::max)
    }
}

/// What a question was read as.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The likeliest intent.
    pub intent: Intent,
    /// How likely it is, 0–1, against the others.
    pub confidence: f64,
    /// The next likely.
    pub runner_up: Option<Intent>,
    /// The question's language (ISO 639-3), when certain.
    pub language: Option<&'static str>,
    /// What it was read by.
    pub features: Vec<Feature>,
}

impl Reading {
    /// Is it certain to be asked in another language than English?
    pub fn is_foreign(&self) -> bool {
        self.language
            .is_some_and(|language| language != language::ENGLISH)
    }
}

/// What one message says by itself.
struct Examined {
    text: String,
    found: scan::Found,
    shape: shape::Shape,
    scores: Scores,
}

impl Examined {
    fn of(message: &Message, has_document: bool) -> Self {
        let text = looked_at(message);
        let found = scan::scan(&text);
        let shape = shape::look(&text);
        let scores = score::score(&Evidence {
            found: &found,
            shape,
            has_document,
            has_text: !text.trim().is_empty(),
        });
        Self {
            text,
            found,
            shape,
            scores,
        }
    }
}

/// Reads what the last question of a conversation is about. `has_document`: a document that the answer must use is given
/// beside it.
pub fn read(messages: &[Message], has_document: bool) -> Reading {
    let mut questions = messages.iter().rev().filter(|m| m.role == Role::User);
    let Some(last) = questions.next() else {
        return Reading {
            intent: Intent::Chat,
            confidence: 0.0,
            runner_up: None,
            language: None,
            features: Vec::new(),
        };
    };
    let Examined {
        text,
        found,
        shape,
        mut scores,
    } = Examined::of(last, has_document);
    let mut features = features_of(&found, shape, has_document);
    if scores.clearest() < CLEAR && !found.has(Concept::Chat) {
        let carried = earlier(questions, &mut scores);
        if carried > 0.0 {
            features.push(feature("earlier_questions", carried));
        }
    }
    let (intent, confidence, runner_up) = likeliest(&scores);
    Reading {
        intent,
        confidence,
        runner_up,
        language: language::of(&text, messages),
        features,
    }
}

/// Adds what earlier questions were about, less and less. Returns how much that was.
fn earlier<'a>(questions: impl Iterator<Item = &'a Message>, scores: &mut Scores) -> f64 {
    let mut carried = 0.0;
    for (message, weight) in questions.zip(EARLIER) {
        let before = Examined::of(message, false).scores;
        // What was hardly about anything says nothing now.
        if before.clearest() < CLEAR {
            continue;
        }
        for (score, points) in scores.0.iter_mut().zip(before.0) {
            *score += weight * points;
            carried += weight * points;
        }
    }
    carried
}

fn likeliest(scores: &Scores) -> (Intent, f64, Option<Intent>) {
    let mut ranked: Vec<(Intent, f64)> = Intent::ALL.into_iter().zip(scores.0).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let best = ranked.first().copied().unwrap_or((Intent::Chat, 0.0));
    let sum: f64 = ranked
        .iter()
        .map(|(_, score)| ((score - best.1) / SHARPNESS).exp())
        .sum();
    let second = ranked
        .get(1)
        .filter(|(_, score)| *score > 0.0)
        .map(|(intent, _)| *intent);
    (best.0, 1.0 / sum, second)
}

/// The message's text in lower case with plain apostrophes; of a long one its beginning and its end.
fn looked_at(message: &Message) -> String {
    let whole = message.joined_text();
    let mut text = String::with_capacity(whole.len().min(2 * LOOKED_AT + 1));
    let mut take = |part: &str| {
        for c in part.chars() {
            match c {
                '\u{2019}' | '\u{2018}' | '\u{02bc}' => text.push('\''),
                c => text.extend(c.to_lowercase()),
            }
        }
    };
    if whole.len() <= 2 * LOOKED_AT {
        take(&whole);
    } else {
        let head = whole.floor_char_boundary(LOOKED_AT);
        let tail = whole.ceil_char_boundary(whole.len() - LOOKED_AT);
        take(whole.get(..head).unwrap_or_default());
        take("\n");
        take(whole.get(tail..).unwrap_or_default());
    }
    text
}

fn feature(name: &str, value: f64) -> Feature {
    Feature {
        name: name.to_owned(),
        value,
    }
}

fn features_of(found: &scan::Found, shape: shape::Shape, has_document: bool) -> Vec<Feature> {
    let words = lexicon::WORDS.iter().map(|(concept, _)| *concept);
    let mut features: Vec<Feature> = words
        .filter(|concept| found.has(*concept))
        .map(|concept| feature(concept.as_str(), found.count(concept)))
        .collect();
    let mut seen = |name, value: f64| {
        if value > 0.0 {
            features.push(feature(name, value));
        }
    };
    seen("shape:code", shape.code);
    seen("shape:crash", f64::from(u8::from(shape.crash)));
    seen("shape:arithmetic", f64::from(u8::from(shape.arithmetic)));
    seen("document", f64::from(u8::from(has_document)));
    features
}

#[cfg(test)]
mod tests;
