//! A run as it is kept: its first line says what was asked of whom, each further line is one case. Lines are only ever
//! added, so that a run that was stopped can go on.

use serde::{Deserialize, Serialize};

use super::EvalSet;
use crate::clock::Timestamp;
use crate::decide::DecideMethod;
use crate::intent::Intent;

/// The form this goblin writes.
pub const FORM: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`FORM`].
    pub form: u32,
    /// What is evaluated.
    pub set: EvalSet,
    /// Hash of the chosen cases with their labels.
    pub cases_hash: String,
    /// How many were chosen.
    pub cases: usize,
    /// Chooses them, where there is a limit.
    pub seed: u64,
    /// Most cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Who is evaluated: `provider/model`, or `router`.
    pub subject: String,
    /// The model's content, 64 hexadecimal digits, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// For example `Q4_K_M`, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantisation: Option<String>,
    /// For example `135M`, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// The set of questions a judge is asked; absent for the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<String>,
    /// Their fingerprint, the same for every chat model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_set_hash: Option<String>,
    /// Hash of the questions as asked, template included; of the router, of its policy.
    pub questions_hash: String,
    /// What a probability must reach; absent for the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The program that began it.
    pub goblin: String,
    /// When.
    pub started_at: Timestamp,
}

impl RunHeader {
    /// What keeps `other` from going on with this run, in words; nothing when it may.
    pub fn differs_from(&self, other: &Self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
        let number = |value: &Option<usize>| value.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let threshold = |value: Option<f64>| value.map_or_else(|| "the usual".to_owned(), |t| t.to_string());
        let fields = [
            ("form", self.form.to_string(), other.form.to_string()),
            ("set", self.set.as_str().to_owned(), other.set.as_str().to_owned()),
            ("cases", self.cases_hash.clone(), other.cases_hash.clone()),
            ("seed", self.seed.to_string(), other.seed.to_string()),
            ("limit", number(&self.limit), number(&other.limit)),
            ("subject", self.subject.clone(), other.subject.clone()),
            ("model file", text(&self.digest), text(&other.digest)),
            (
                "quantisation",
                text(&self.quantisation),
                text(&other.quantisation),
            ),
            ("questions", text(&self.questions), text(&other.questions)),
            (
                "questions' hash",
                self.questions_hash.clone(),
                other.questions_hash.clone(),
            ),
            ("threshold", threshold(self.threshold), threshold(other.threshold)),
        ];
        let different = fields.into_iter().filter(|(_, ours, theirs)| ours != theirs);
        different
            .map(|(what, ours, theirs)| format!("{what}: {ours} there, {theirs} now"))
            .collect()
    }
}

/// A judge's answer about one case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgedLine {
    /// The case.
    pub id: String,
    /// Its hash.
    pub case_hash: String,
    /// Is it good?
    pub good: bool,
    /// Cases of one kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// That it is good, 0–1; absent when there is no verdict.
    pub probability: Option<f64>,
    /// Of several options, the likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Probability on all valid options together. Below 0.5 there is no verdict.
    pub mass: f64,
    /// How it was read.
    pub backend: DecideMethod,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Tokens of the text evaluated.
    pub evaluated_tokens: u32,
    /// Tokens of the text taken from a cache.
    pub cached_tokens: u32,
    /// Tokens of the questions.
    pub question_tokens: u32,
    /// Why there is no answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What the router made of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutedLine {
    /// The case.
    pub id: String,
    /// Its hash.
    pub case_hash: String,
    /// ISO 639-1 code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// What makes it a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Was it kept away from whoever made the router?
    pub held_out: bool,
    /// What it is about.
    pub expected: Intent,
    /// What the router says it is about.
    pub found: Intent,
    /// 0–1.
    pub confidence: f64,
    /// What the router thinks of next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_up: Option<Intent>,
    /// How long it took, in microseconds.
    pub us: f64,
}

/// The lines of a run, by what it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Lines {
    /// Of a judge.
    Judged(Vec<JudgedLine>),
    /// Of the router.
    Routed(Vec<RoutedLine>),
}

/// A run that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its first line.
    pub header: RunHeader,
    /// The others. Of a case that was asked twice, the last answer.
    pub lines: Lines,
}

/// A file is no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Its first line is none.
    #[error("it does not begin with the first line of a run: {0}")]
    Header(String),
    /// Another version wrote it.
    #[error("it has form {0}, this goblin reads {FORM}")]
    Form(u32),
    /// A line is none. The last line of a file may be cut; this is another.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a run. A last line that does not end was cut when its writer was stopped, and is left out.
///
/// # Errors
/// What is wrong, and where.
pub fn read_run(text: &str) -> Result<Run, RunError> {
    let whole = text
        .rfind('\n')
        .map_or("", |end| text.get(..end).unwrap_or_default());
    let mut rows = whole.lines().enumerate();
    let first = rows.next().map_or("", |(_, line)| line);
    let header: RunHeader = serde_json::from_str(first).map_err(|e| RunError::Header(e.to_string()))?;
    if header.form != FORM {
        return Err(RunError::Form(header.form));
    }
    let rows: Vec<(usize, &str)> = rows.filter(|(_, line)| !line.trim().is_empty()).collect();
    let lines = match header.set {
        EvalSet::Routing => Lines::Routed(read_lines(&rows, |line: &RoutedLine| &line.id)?),
        _ => Lines::Judged(read_lines(&rows, |line: &JudgedLine| &line.id)?),
    };
    Ok(Run { header, lines })
}

fn read_lines<T: for<'de> Deserialize<'de>>(
    rows: &[(usize, &str)],
    id: impl Fn(&T) -> &str,
) -> Result<Vec<T>, RunError> {
    let mut out: Vec<T> = Vec::with_capacity(rows.len());
    let mut places = std::collections::HashMap::new();
    for (place, row) in rows {
        let line: T = serde_json::from_str(row).map_err(|e| RunError::Line {
            line: place + 1,
            reason: e.to_string(),
        })?;
        let at = *places.entry(id(&line).to_owned()).or_insert(out.len());
        match out.get_mut(at) {
            Some(earlier) => *earlier = line,
            None => out.push(line),
        }
    }
    Ok(out)
}

#[cfg(test)]
pub(crate) fn header(set: EvalSet) -> RunHeader {
    RunHeader {
        form: FORM,
        set,
        cases_hash: "00".to_owned(),
        cases: 2,
        seed: 1,
        limit: None,
        subject: "engine/small".to_owned(),
        digest: None,
        quantisation: Some("Q4_1".to_owned()),
        parameters: Some("135M".to_owned()),
        questions: Some("transcript".to_owned()),
        question_set_hash: Some("33".to_owned()),
        questions_hash: "11".to_owned(),
        threshold: None,
        goblin: "0.1.0".to_owned(),
        started_at: Timestamp(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[JudgedLine]) -> String {
        let mut out = serde_json::to_string(&header(EvalSet::Safety)).expect("a header") + "\n";
        for line in lines {
            out += &serde_json::to_string(line).expect("a line");
            out.push('\n');
        }
        out
    }

    fn line(id: &str, probability: Option<f64>) -> JudgedLine {
        JudgedLine {
            id: id.to_owned(),
            probability,
            mass: 1.0,
            ..JudgedLine::default()
        }
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_a_second_answer_replaces_the_first() {
        let failed = JudgedLine {
            failed: Some("away".to_owned()),
            ..line("a", None)
        };
        let whole = text(&[failed, line("b", Some(0.25)), line("a", Some(0.5))]);
        for cut in ["", "{\"id\":\"c\",", "{"] {
            let run = read_run(&format!("{whole}{cut}")).expect("a run");
            let Lines::Judged(lines) = run.lines else {
                panic!("judged")
            };
            assert_eq!(lines, [line("a", Some(0.5)), line("b", Some(0.25))]);
        }
    }

    #[test]
    fn every_beginning_of_a_run_is_one_or_is_told_to_be_none() {
        let whole = text(&[line("a", Some(0.5)), line("b", None)]);
        let head = whole.find('\n').expect("a line");
        for end in 0..=whole.len() {
            let read = read_run(&whole[..end]);
            assert_eq!(read.is_ok(), end > head, "{end}");
        }
    }

    #[test]
    fn what_is_no_run_is_told() {
        assert!(matches!(read_run("hello\n"), Err(RunError::Header(_))));
        assert!(matches!(read_run(""), Err(RunError::Header(_))));
        let newer = text(&[]).replace("\"form\":1", "\"form\":9");
        assert_eq!(read_run(&newer), Err(RunError::Form(9)));
        let broken = text(&[]) + "no\n{}\n";
        assert!(matches!(read_run(&broken), Err(RunError::Line { line: 2, .. })));
    }

    #[test]
    fn a_run_goes_on_only_with_the_same_model_questions_and_cases() {
        let ours = header(EvalSet::Safety);
        let mut later = ours.clone();
        later.started_at = Timestamp(5);
        later.goblin = "0.2.0".to_owned();
        assert_eq!(ours.differs_from(&later), Vec::<String>::new());
        later.questions_hash = "22".to_owned();
        later.limit = Some(5);
        assert_eq!(
            ours.differs_from(&later),
            ["limit: none there, 5 now", "questions' hash: 11 there, 22 now"]
        );
    }
}
