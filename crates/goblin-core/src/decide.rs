//! Typed questions about a text, answered as probabilities read in one forward pass.

mod readout;

use serde::{Deserialize, Serialize};

use crate::chat::KeepAlive;
use crate::origin::Origin;

/// How an answer that is one word begins, written for the model. Small chat models begin a sentence otherwise, and then
/// there is no verdict: SmolLM2-135M-Instruct says yes or no with a probability of 0.37 to 0.53 where its turn begins, and
/// of 0.69 to 0.85 after this; letters it gives with 0.8 either way. A quotation mark behind it, which helps some models
/// that were not taught to chat, halves that of letters.
pub(crate) const CUE: &str = "Answer:";

/// One question: a text that follows the shared prefix, and the tokens whose probability is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Names the answer.
    pub id: String,
    /// Follows the shared text; the model's *next* token is read.
    pub text: String,
    /// Answer options. The spellings of one option are summed (`Yes`, ` yes`, `YES`).
    pub options: Vec<AnswerOption>,
    /// The same as a typed question, for servers with a door of their own for such. `None`: it is asked as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<Typed>,
}

/// A question without the words that make one token of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Typed {
    /// What is asked.
    pub instructions: String,
    /// What each option means, in the order of the question's options; empty where the name says it.
    pub meanings: Vec<String>,
}

/// One option of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerOption {
    /// Names the option in the answer.
    pub name: String,
    /// Spellings; each must begin with a token of its own and is read by that first token.
    pub spellings: Vec<String>,
}

/// Several questions about one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecideRequest {
    /// The model's name as its provider knows it.
    pub model: String,
    /// The text all questions share. Evaluated once.
    pub shared: String,
    /// The questions, each branching off the shared text.
    pub questions: Vec<Question>,
    /// What stands around the texts.
    pub frame: Frame,
    /// How long the model stays in memory. `None` = the server's setting.
    pub keep_alive: Option<KeepAlive>,
    /// Where it comes from.
    pub origin: Origin,
}

/// What stands around the texts of a request: a model's own turn marks. A server that puts its own around every text
/// leaves the frame out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Goes before the shared text. Control tokens in it are read as such.
    #[serde(default)]
    pub before: String,
    /// Follows each question, likewise.
    #[serde(default)]
    pub after: String,
    /// Control tokens that may stand in the texts themselves and are read as such. Whoever puts a stranger's text into
    /// the request has made sure that it spells none of them.
    #[serde(default)]
    pub marks: Vec<String>,
    /// The texts are what the model was trained on, word by word: a server's own door for typed questions, which puts
    /// other words around them, is not used.
    #[serde(default)]
    pub exact: bool,
}

impl Frame {
    /// Nothing stands around the texts.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl DecideRequest {
    /// What a model reads for `question`, for servers that take a text as it stands.
    pub fn whole(&self, question: &Question) -> String {
        let Frame { before, after, .. } = &self.frame;
        format!("{before}{}{}{after}", self.shared, question.text)
    }

    /// Bytes in front of the part that differs between questions.
    pub fn shared_bytes(&self) -> usize {
        self.frame.before.len() + self.shared.len()
    }
}

/// One option's probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptionProbability {
    /// The option.
    pub name: String,
    /// Probability over the full vocabulary, 0–1, spellings summed, *not* renormalised.
    pub probability: f64,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Which question.
    pub id: String,
    /// In the order of the question's options.
    pub options: Vec<OptionProbability>,
    /// Probability on all valid options together. Below 0.5 there is *no verdict*.
    pub mass: f64,
}

/// What the work cost, so that "the prefix was not recomputed" can be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideCost {
    /// Tokens of the shared text evaluated now.
    pub shared_evaluated: u32,
    /// Tokens of the shared text taken from a cache.
    pub shared_cached: u32,
    /// Tokens of all questions.
    pub question_tokens: u32,
}

/// How probabilities came about, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecideMethod {
    /// The server answers typed questions by itself (`/v1/systemone`).
    Native,
    /// Read from the next token's probabilities.
    #[default]
    Readout,
    /// The model was made to write one of the options: 1 for that, 0 for the others. No probability at all, so it may
    /// be shown but never be compared with a threshold as if it were one.
    Constrained,
}

/// Answers, and what they cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecideResponse {
    /// One per question, in order.
    pub decisions: Vec<Decision>,
    /// Tokens evaluated.
    pub cost: DecideCost,
    /// How they were found.
    pub method: DecideMethod,
}
