//! From what was found to a score for each intent. Additive, so that every part can be shown.

use super::lexicon::Concept;
use super::scan::Found;
use super::shape::Shape;
use super::{Intent, Scores};

/// What a question is scored by.
pub(super) struct Evidence<'a> {
    pub(super) found: &'a Found,
    pub(super) shape: Shape,
    /// Is a document given with it?
    pub(super) has_document: bool,
    /// Are pictures or tools no part of it: it is text alone.
    pub(super) has_text: bool,
}

/// Everything is talk until something says otherwise.
const TALK: f64 = 1.0;

/// Scores of one message.
pub(super) fn score(evidence: &Evidence<'_>) -> Scores {
    let mut found = evidence.found.clone();
    found.less(Concept::CodeTermOrNot, Concept::NotCode);
    found.less(Concept::ProgLanguage, Concept::NotCode);
    found.less(Concept::CreativeTermOrNot, Concept::NotCreative);
    found.less(Concept::CreativeTerm, Concept::NotCreative);
    found.less(Concept::Summarize, Concept::NotSummarize);
    found.less(Concept::Status, Concept::NotStatus);
    found.less(Concept::Explain, Concept::NotExplain);
    found.less(Concept::Classify, Concept::NotClassify);
    let found = &found;
    let shape = evidence.shape;
    let mut scores = Scores::default();
    scores.add(Intent::Chat, TALK);
    if !evidence.has_text {
        return scores;
    }
    let codeness = code(&mut scores, found, shape);
    translation(&mut scores, found, shape, codeness);
    creative(&mut scores, found);
    explain(&mut scores, found, shape);
    summarize(&mut scores, found);
    classify(&mut scores, found, shape);
    status(&mut scores, found, shape);
    given_text(&mut scores, found, shape, evidence.has_document);
    retrieval(&mut scores, found);
    legal(&mut scores, found);
    reasoning(&mut scores, found, shape, codeness);
    chat(&mut scores, found, shape);
    scores
}

/// How much of it is about programs.
fn code(scores: &mut Scores, found: &Found, shape: Shape) -> f64 {
    let doing = found.has(Concept::Make) || found.has(Concept::Fix);
    let language = found.count(Concept::ProgLanguage).min(2.0);
    let terms = found.count(Concept::CodeTerm).min(2.0);
    let maybe = found.count(Concept::CodeTermOrNot).min(2.0);
    let sure = language + terms > 0.0 || shape.code >= 0.5 || shape.crash;
    let perhaps_language = found.has(Concept::ProgLanguageOrNot) && (sure || maybe > 0.0);
    let mut codeness = 1.1 * language + 1.3 * terms + if sure || doing { 0.9 } else { 0.25 } * maybe;
    if perhaps_language {
        codeness += 1.2;
    }
    if shape.code >= 0.3 {
        codeness += 3.0 * shape.code;
    }
    if shape.crash {
        codeness += 2.5;
    }
    if doing && codeness > 0.0 {
        codeness += 1.3;
    }
    if found.has(Concept::Fix) && (sure || maybe > 0.0) {
        codeness += 0.8;
    }
    if found.has(Concept::NotCode) {
        codeness -= 1.0;
    }
    let codeness = codeness.max(0.0);
    scores.add(Intent::Code, codeness);
    codeness
}

fn translation(scores: &mut Scores, found: &Found, shape: Shape, codeness: f64) {
    let verb = found.has(Concept::Translate);
    let target = found.has(Concept::InLanguage);
    let language = found.has(Concept::HumanLanguage);
    let leads = found.leads(Concept::Translate);
    let mut score = match (verb, target, language) {
        (true, true, _) => 5.0,
        (true, false, true) => 4.0,
        (true, false, false) => 3.0,
        (false, true, _) if found.has(Concept::Ask) || found.has(Concept::Explain) => 3.6,
        (false, true, _) => 1.4,
        (false, false, true) => 0.3,
        (false, false, false) => 0.0,
    };
    if verb && !target && !leads && shape.question {
        // Something is asked about a translation, or it is another kind of one.
        score -= 1.8;
    }
    if verb && !target && !language && codeness > 1.0 {
        // From one programming language to another.
        score = 0.5;
        scores.add(Intent::Code, 1.5);
    }
    if leads {
        score += 0.5;
    }
    scores.add(Intent::Translation, score);
}

fn creative(scores: &mut Scores, found: &Found) {
    let make = found.has(Concept::Make);
    let sure = found.count(Concept::CreativeTerm).min(2.0);
    let maybe = found.count(Concept::CreativeTermOrNot).min(2.0);
    let mut score = if make { 2.6 } else { 1.5 } * sure.min(1.0) + 0.6 * (sure - 1.0).max(0.0);
    score += if make { 1.9 } else { 0.4 } * maybe.min(1.0);
    if make && sure > 0.0 {
        score += 0.6;
    }
    scores.add(Intent::Creative, score);
}

fn explain(scores: &mut Scores, found: &Found, shape: Shape) {
    let explains = found.count(Concept::Explain).min(2.0);
    let mut score = if explains > 0.0 {
        2.4 + 0.4 * (explains - 1.0)
    } else {
        0.0
    };
    if found.leads(Concept::Explain) {
        score += 0.7;
    }
    if found.has(Concept::Ask) {
        score += if found.leads(Concept::Ask) { 1.6 } else { 0.7 };
    }
    if shape.code >= 0.5 && found.has(Concept::Fix) {
        score -= 1.0;
    }
    scores.add(Intent::Explain, score.max(0.0));
}

fn summarize(scores: &mut Scores, found: &Found) {
    let words = found.count(Concept::Summarize).min(2.0);
    if words > 0.0 {
        let leads = f64::from(u8::from(found.leads(Concept::Summarize)));
        scores.add(Intent::Summarize, 3.2 + 0.6 * (words - 1.0) + 1.2 * leads);
    }
}

fn classify(scores: &mut Scores, found: &Found, shape: Shape) {
    let words = found.count(Concept::Classify).min(3.0);
    let choice = found.has(Concept::Choice);
    let mut score = if words > 0.0 {
        2.6 + 0.8 * (words - 1.0)
    } else {
        0.0
    };
    if found.leads(Concept::Classify) {
        score += 0.8;
    }
    if choice {
        score += 1.6;
    }
    if shape.choices {
        score += if shape.quoted || words > 0.0 || choice {
            1.9
        } else {
            0.5
        };
    }
    scores.add(Intent::Classification, score);
}

fn status(scores: &mut Scores, found: &Found, shape: Shape) {
    let short = shape.words <= 16;
    let state = found.has(Concept::StateWord);
    let now = found.has(Concept::Now);
    let thing = found.has(Concept::Running);
    let mut score = 1.6 * found.count(Concept::Status).min(2.0);
    if short {
        score += match (thing, now, state) {
            (true, true, true) => 3.0,
            (true, true, false) | (true, false, true) => 2.3,
            (false, true, true) => 1.6,
            (false, false, true) if shape.question => 0.9,
            _ => 0.0,
        };
    }
    if score > 0.0 {
        score += if short { 0.7 } else { -0.6 };
    }
    if found.has(Concept::Make) || found.has(Concept::Fix) {
        score -= 1.2;
    }
    scores.add(Intent::Status, score.max(0.0));
}

fn given_text(scores: &mut Scores, found: &Found, shape: Shape, has_document: bool) {
    let words = found.count(Concept::Rag).min(2.0);
    let mut score = if words > 0.0 {
        2.4 + 0.7 * (words - 1.0)
    } else {
        0.0
    };
    if has_document {
        score += 2.6;
    }
    if shape.question_and_text {
        score += if words > 0.0 { 2.0 } else { 1.6 };
    }
    scores.add(Intent::Rag, score);
}

fn retrieval(scores: &mut Scores, found: &Found) {
    let find = found.has(Concept::Find);
    let stored = found.count(Concept::Stored).min(2.0);
    let mut score = match (find, stored > 0.0) {
        (true, true) => 3.0 + 0.4 * (stored - 1.0),
        (true, false) => 1.1,
        (false, true) => 0.3,
        (false, false) => 0.0,
    };
    if find && found.leads(Concept::Find) {
        score += if stored > 0.0 { 1.4 } else { 0.8 };
    }
    scores.add(Intent::Retrieval, score);
}

fn legal(scores: &mut Scores, found: &Found) {
    let sure = found.count(Concept::Legal);
    let maybe = found.count(Concept::LegalOrNot).min(2.0);
    let mut score = if sure > 0.0 { 2.6 + 0.8 * (sure - 1.0) } else { 0.0 };
    score += if sure > 0.0 { 0.5 } else { 0.8 } * maybe;
    scores.add(Intent::Legal, score);
}

fn reasoning(scores: &mut Scores, found: &Found, shape: Shape, codeness: f64) {
    let words = found.count(Concept::Reason).min(2.0);
    let mut score = if words > 0.0 {
        2.2 + 0.8 * (words - 1.0)
    } else {
        0.0
    };
    if found.leads(Concept::Reason) {
        score += 0.6;
    }
    if shape.arithmetic && codeness < 2.0 {
        score += 2.2;
    }
    if found.has(Concept::HowMany) {
        score += match shape.numbers {
            0 => 0.5,
            1 => 1.4,
            _ => 2.2,
        };
    }
    let amounts = found.count(Concept::Quantity).min(3.0);
    if shape.numbers >= 1 && codeness < 1.5 {
        score += 0.7 * amounts;
        if shape.numbers >= 3 && shape.question {
            score += 0.9;
        }
    } else if amounts >= 2.0 && codeness < 1.0 {
        score += 0.9;
    }
    scores.add(Intent::Reasoning, score);
}

fn chat(scores: &mut Scores, found: &Found, shape: Shape) {
    let talk = found.count(Concept::Chat).min(2.0);
    let mut score = 1.3 * talk;
    if talk > 0.0 && shape.words <= 6 {
        score += 1.2;
    }
    if found.has(Concept::Advice) {
        score += 1.8;
    }
    scores.add(Intent::Chat, score);
}
