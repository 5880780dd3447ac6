//! Requests, read and written.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::decide::{AnswerOption, Frame};
use crate::error::ApiError;
use crate::limits::MAX_TEXT_BYTES;
use crate::wire::fields::{
    Object, array, get, join, model_name, object, object_of, one_of, optional, required, short_string,
    string, top,
};
use crate::wire::json::kind;
use crate::wire::openai::tools::within;

/// Most questions of one request.
pub const MAX_QUESTIONS: usize = 64;
/// Most spellings of one option.
const MAX_SPELLINGS: usize = 64;
/// Most options of a choice.
const MAX_CHOICES: usize = 255;
/// Fewest and most levels of a score.
const LEVELS: std::ops::RangeInclusive<usize> = 2..=10;
/// Most bytes of what stands around the texts, and most marks in them.
const MAX_FRAME_BYTES: usize = 4096;
/// See [`MAX_FRAME_BYTES`].
const MAX_MARKS: usize = 16;
/// Most bytes of a question's or an option's name.
const MAX_NAME_BYTES: usize = 256;

/// Questions about one state.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemOneRequest {
    /// The model's name as the caller wrote it.
    pub model: String,
    /// What the questions are about: a string, an object or an array.
    pub state: Value,
    /// At least one question, at most 64, in the caller's order.
    pub questions: Vec<SystemOneQuestion>,
    /// Ours, with questions of type `token` only: what stands around the texts.
    pub frame: Frame,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemOneQuestion {
    /// Names the answer.
    pub id: String,
    /// What is asked: a string, an object or an array; of a `noul` that says what yes or no means, perhaps null.
    pub instructions: Value,
    /// What may be answered.
    pub kind: Kind,
}

/// What may be answered. A description is a string, an object, an array, or null.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Yes or no; what each means, or null.
    Noul {
        /// What counts as yes.
        yes: Value,
        /// What counts as no.
        no: Value,
    },
    /// One of these: name and description.
    Choice(Vec<(String, Value)>),
    /// A level, from low to high.
    Score(Vec<Value>),
    /// Ours: the next token after state and instructions, as they stand, read by these spellings.
    Token(Vec<AnswerOption>),
}

/// A string as it is, anything else as JSON; null is nothing.
pub(super) fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads the body of `POST /v1/systemone`.
///
/// # Errors
/// `invalid_json` for what is not JSON, otherwise `invalid_request` with the path of the field at fault.
pub fn parse(body: &Bytes) -> Result<SystemOneRequest, ApiError> {
    let fields = top(body)?;
    let model = required(&fields, "", "model", model_name)?;
    if get(&fields, "images").is_some() {
        return Err(ApiError::invalid(
            "images",
            "`images` is not supported: decisions are made about texts only. Leave it out.",
        ));
    }
    let state = required(&fields, "", "state", content)?;
    let questions = required(&fields, "", "questions", object)?;
    if questions.is_empty() {
        return Err(ApiError::invalid(
            "questions",
            "`questions` is empty. Ask at least one.",
        ));
    }
    let read = |(id, raw): &(std::borrow::Cow<'_, str>, &RawValue)| {
        let shown: String = id.chars().take(60).collect();
        let path = join("questions", &shown);
        named(id, &path)?;
        read_question(id, raw, &path)
    };
    let questions: Vec<SystemOneQuestion> = questions.iter().map(read).collect::<Result<_, _>>()?;
    let tokens = questions
        .iter()
        .filter(|q| matches!(q.kind, Kind::Token(_)))
        .count();
    if tokens != 0 && tokens != questions.len() {
        return Err(ApiError::invalid(
            "questions",
            "`questions` mixes the type `token` with others. Ask them in two requests: only for `token` the state is \
             read as it stands.",
        ));
    }
    let frame = match get(&fields, "goblin") {
        Some(raw) if tokens != 0 => read_frame(raw)?,
        _ => Frame::default(),
    };
    Ok(SystemOneRequest {
        model,
        state,
        questions,
        frame,
    })
}

/// What stands around the texts, for questions of type `token`.
fn read_frame(raw: &RawValue) -> Result<Frame, ApiError> {
    within(raw, "goblin", MAX_FRAME_BYTES)?;
    let frame: Frame = serde_json::from_str(raw.get()).map_err(|_| {
        ApiError::invalid(
            "goblin",
            "`goblin` must be an object with the strings `before` and `after`, the list `marks` and the boolean `exact`.",
        )
    })?;
    if frame.marks.len() > MAX_MARKS || frame.marks.iter().any(String::is_empty) {
        return Err(ApiError::invalid(
            "goblin.marks",
            format!("`goblin.marks` must have at most {MAX_MARKS} entries, none of them empty."),
        ));
    }
    Ok(frame)
}

/// A name of a question or an option.
fn named(name: &str, path: &str) -> Result<(), ApiError> {
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains('\0') {
        return Ok(());
    }
    Err(ApiError::invalid(
        path,
        format!("The name at `{path}` must have 1 to {MAX_NAME_BYTES} bytes and no NUL character."),
    ))
}

fn read_question(id: &str, raw: &RawValue, path: &str) -> Result<SystemOneQuestion, ApiError> {
    let fields = object(raw, path)?;
    let kinds = [("noul", 0), ("choice", 1), ("score", 2), ("token", 3)];
    let asked = required(&fields, path, "type", |r, p| one_of(r, p, &kinds))?;
    let kind = match asked {
        0 => read_noul(&fields, path)?,
        1 => Kind::Choice(required(&fields, path, "criteria", read_choices)?),
        2 => Kind::Score(required(&fields, path, "criteria", read_levels)?),
        _ => Kind::Token(required(&fields, path, "criteria", read_spellings)?),
    };
    // What yes or no means may say all there is to ask.
    let says = matches!(&kind, Kind::Noul { yes, no } if !(yes.is_null() && no.is_null()));
    let instructions = match says {
        true => optional(&fields, path, "instructions", content)?.unwrap_or_default(),
        false => required(&fields, path, "instructions", content)?,
    };
    Ok(SystemOneQuestion {
        id: id.to_owned(),
        instructions,
        kind,
    })
}

fn read_noul(fields: &Object<'_>, path: &str) -> Result<Kind, ApiError> {
    let criteria = optional(fields, path, "criteria", object)?.unwrap_or_default();
    let path = join(path, "criteria");
    let meaning = |name: &str| -> Result<Value, ApiError> {
        Ok(optional(&criteria, &path, name, content)?.unwrap_or_default())
    };
    Ok(Kind::Noul {
        yes: meaning("true")?,
        no: meaning("false")?,
    })
}

fn read_choices(raw: &RawValue, path: &str) -> Result<Vec<(String, Value)>, ApiError> {
    let options = object_of::<{ MAX_CHOICES + 1 }>(raw, path)?;
    if options.is_empty() || options.len() > MAX_CHOICES {
        return Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must have 1 to {MAX_CHOICES} options, not {}.",
                options.len()
            ),
        ));
    }
    let read = |(name, raw): &(std::borrow::Cow<'_, str>, &RawValue)| {
        let shown: String = name.chars().take(60).collect();
        let path = join(path, &shown);
        named(name, &path)?;
        let description = match kind(raw) {
            "null" => Value::Null,
            _ => content(raw, &path)?,
        };
        Ok((name.clone().into_owned(), description))
    };
    options.iter().map(read).collect()
}

fn read_levels(raw: &RawValue, path: &str) -> Result<Vec<Value>, ApiError> {
    let levels = array::<{ *LEVELS.end() }>(raw, path)?;
    if !LEVELS.contains(&levels.len()) {
        return Err(ApiError::invalid(
            path,
            format!(
                "`{path}` must have {} to {} levels, from low to high, not {}.",
                LEVELS.start(),
                LEVELS.end(),
                levels.len()
            ),
        ));
    }
    let read = |(i, raw)| content(raw, &format!("{path}[{i}]"));
    levels.into_iter().enumerate().map(read).collect()
}

fn read_spellings(raw: &RawValue, path: &str) -> Result<Vec<AnswerOption>, ApiError> {
    let options = object(raw, path)?;
    if options.is_empty() {
        return Err(ApiError::invalid(
            path,
            format!("`{path}` is empty. Name at least one option."),
        ));
    }
    let read = |(name, raw): &(std::borrow::Cow<'_, str>, &RawValue)| {
        let shown: String = name.chars().take(60).collect();
        let path = join(path, &shown);
        named(name, &path)?;
        let spellings = array::<MAX_SPELLINGS>(raw, &path)?;
        if spellings.is_empty() {
            return Err(ApiError::invalid(
                &path,
                format!("`{path}` is empty. Give at least one spelling."),
            ));
        }
        let read = |(i, raw): (usize, &RawValue)| {
            let path = format!("{path}[{i}]");
            let spelling = short_string(raw, &path, MAX_NAME_BYTES)?.into_owned();
            match spelling.is_empty() {
                true => Err(ApiError::invalid(&path, format!("`{path}` is empty."))),
                false => Ok(spelling),
            }
        };
        Ok(AnswerOption {
            name: name.clone().into_owned(),
            spellings: spellings
                .into_iter()
                .enumerate()
                .map(read)
                .collect::<Result<_, _>>()?,
        })
    };
    options.iter().map(read).collect()
}

/// A string, an object or an array; not too long, and nothing empty.
fn content(raw: &RawValue, path: &str) -> Result<Value, ApiError> {
    within(raw, path, MAX_TEXT_BYTES)?;
    match kind(raw) {
        "a string" => {
            let text = string(raw, path)?;
            if text.trim().is_empty() {
                return Err(ApiError::invalid(
                    path,
                    format!("`{path}` is empty. Say something."),
                ));
            }
            Ok(Value::from(text))
        }
        "an object" | "an array" => serde_json::from_str(raw.get()).map_err(|_| {
            ApiError::invalid(
                path,
                format!("`{path}` holds a number or escape that cannot be read."),
            )
        }),
        other => Err(ApiError::invalid(
            path,
            format!("`{path}` must be a string, an object or an array, not {other}."),
        )),
    }
}

/// The body to ask an upstream with.
pub fn encode_request(request: &SystemOneRequest) -> Bytes {
    let questions: Map<String, Value> = request
        .questions
        .iter()
        .map(|question| (question.id.clone(), question_json(question)))
        .collect();
    let mut body = json!({"model": request.model, "state": request.state, "questions": questions});
    if !request.frame.is_empty() {
        body["goblin"] = json!(request.frame);
    }
    body.to_string().into()
}

fn question_json(question: &SystemOneQuestion) -> Value {
    let (word, criteria) = match &question.kind {
        Kind::Noul { yes, no } => {
            let meanings = [("true", yes), ("false", no)];
            let given = meanings.into_iter().filter(|(_, meaning)| !meaning.is_null());
            let criteria: Map<String, Value> = given.map(|(w, m)| (w.to_owned(), m.clone())).collect();
            (
                "noul",
                Some(criteria).filter(|c| !c.is_empty()).map(Value::Object),
            )
        }
        Kind::Choice(options) => ("choice", Some(Value::Object(options.iter().cloned().collect()))),
        Kind::Score(levels) => ("score", Some(Value::Array(levels.clone()))),
        Kind::Token(options) => {
            let spelt = options.iter().map(|o| (o.name.clone(), json!(o.spellings)));
            ("token", Some(Value::Object(spelt.collect())))
        }
    };
    let mut value = json!({"type": word});
    if !question.instructions.is_null() {
        value["instructions"] = question.instructions.clone();
    }
    if let Some(criteria) = criteria {
        value["criteria"] = criteria;
    }
    value
}
