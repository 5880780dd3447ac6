//! Runs labelled cases, one after the other, and keeps each answer as soon as it is there, so that a run that was
//! stopped goes on where it was.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goblin_core::eval::cases::{JudgedCase, RoutingCase};
use goblin_core::eval::run::{JudgedLine, Lines, RoutedLine, Run, RunError, RunHeader, read_run};
use goblin_core::intent::Intent;
use goblin_core::judge::Judge;
use goblin_core::judge::questions::QuestionSet;
use goblin_core::judge::settings::Category;
use goblin_core::judge::transcript::Transcript;
use goblin_core::origin::Origin;
use goblin_core::trace::{About, Verdict};
use goblin_store::run_file::{RunFile, RunFileError};
use tokio::time::Instant;

use crate::Dispatch;
use crate::answer::Who;
use crate::judge::Judging;

/// A run cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] RunFileError),
    /// What is in its file is no run.
    #[error("{path} is no run that could go on: {error}. Delete it, or choose another place.")]
    NotARun {
        /// The file.
        path: String,
        /// What is wrong.
        error: RunError,
    },
    /// It is another run.
    #[error(
        "{path} is a run of something else ({differences}). Choose another place for this one, or delete that one."
    )]
    Different {
        /// The file.
        path: String,
        /// What differs.
        differences: String,
    },
    /// A line cannot be written.
    #[error("an answer cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
}

/// Who is asked what about the cases.
#[derive(Clone)]
pub struct JudgeAsked {
    /// Who.
    pub judge: Judge,
    /// The kinds of harm that are looked for.
    pub categories: Arc<[Category]>,
    /// What.
    pub set: QuestionSet,
    /// Longest a verdict may take.
    pub limit: Duration,
    /// Whose questions these are.
    pub who: Who,
}

/// What the router says of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouterSays {
    /// What it is about.
    pub intent: Intent,
    /// How sure it is, 0–1.
    pub confidence: f64,
    /// What it thinks of next.
    pub runner_up: Option<Intent>,
}

/// A run that is under way, and its file.
pub struct Evaluating {
    file: Arc<RunFile>,
    header: RunHeader,
    /// What was answered, by the case's id: its hash.
    answered: HashMap<String, String>,
}

impl Evaluating {
    /// Begins a run, or goes on with the one in the file if it is the same: same cases, model and questions. Cases that
    /// failed are asked again.
    ///
    /// # Errors
    /// What is wrong with the file, or what differs.
    pub async fn open(path: &Path, header: RunHeader) -> Result<Self, EvaluateError> {
        let at = path.to_owned();
        let (file, text) = off(move || RunFile::open(&at)).await??;
        let file = Arc::new(file);
        let mut evaluating = Self {
            file,
            header,
            answered: HashMap::new(),
        };
        if text.trim().is_empty() {
            let line = serde_json::to_string(&evaluating.header)?;
            evaluating.append(line).await?;
            return Ok(evaluating);
        }
        let shown = path.display().to_string();
        let run = read_run(&text).map_err(|error| EvaluateError::NotARun {
            path: shown.clone(),
            error,
        })?;
        let differences = run.header.differs_from(&evaluating.header).join("; ");
        if !differences.is_empty() {
            return Err(EvaluateError::Different {
                path: shown,
                differences,
            });
        }
        evaluating.answered = answered(&run);
        Ok(evaluating)
    }

    /// Begins a run anew; what the file held is gone.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub async fn begin(path: &Path, header: RunHeader) -> Result<Self, EvaluateError> {
        let at = path.to_owned();
        let file = off(move || {
            let (file, _) = RunFile::open(&at)?;
            file.clear().map(|()| file)
        });
        let evaluating = Self {
            file: Arc::new(file.await??),
            header,
            answered: HashMap::new(),
        };
        evaluating
            .append(serde_json::to_string(&evaluating.header)?)
            .await?;
        Ok(evaluating)
    }

    /// Has the case been answered, as it is now?
    fn has(&self, id: &str, hash: &str) -> bool {
        self.answered.get(id).is_some_and(|known| known == hash)
    }

    /// Of `cases`, how many were answered before.
    pub fn answered_of(&self, cases: &[JudgedCase]) -> usize {
        cases
            .iter()
            .filter(|case| self.has(&case.id, &case.hash()))
            .count()
    }

    /// Asks a judge about each of `cases` that has no answer yet. `tell` hears of every answer. Dropped in between, it
    /// loses the answer that is being made and no other.
    ///
    /// # Errors
    /// When an answer cannot be kept.
    pub async fn judge(
        &mut self,
        dispatch: &Arc<Dispatch>,
        asked: &JudgeAsked,
        cases: &[JudgedCase],
        mut tell: impl FnMut(&JudgedLine),
    ) -> Result<(), EvaluateError> {
        for case in cases {
            let hash = case.hash();
            if self.has(&case.id, &hash) {
                continue;
            }
            let line = judged(dispatch, asked, case, hash).await;
            self.append(serde_json::to_string(&line)?).await?;
            tell(&line);
            if line.failed.is_none() {
                self.answered.insert(line.id, line.case_hash);
            }
        }
        Ok(())
    }

    /// Asks the router about each of `cases` that has an intent and no answer yet.
    ///
    /// # Errors
    /// When an answer cannot be kept.
    pub async fn route(
        &mut self,
        cases: &[RoutingCase],
        read: impl Fn(&RoutingCase) -> RouterSays,
    ) -> Result<(), EvaluateError> {
        for case in cases {
            let hash = case.hash();
            let Some(expected) = case.expect.intent.filter(|_| !self.has(&case.id, &hash)) else {
                continue;
            };
            let begun = Instant::now();
            let says = read(case);
            let line = RoutedLine {
                id: case.id.clone(),
                case_hash: hash,
                lang: case.lang.clone(),
                tags: case.tags.clone(),
                held_out: case.held_out(),
                expected,
                found: says.intent,
                confidence: says.confidence,
                runner_up: says.runner_up,
                us: begun.elapsed().as_secs_f64() * 1e6,
            };
            self.append(serde_json::to_string(&line)?).await?;
            self.answered.insert(line.id, line.case_hash);
        }
        Ok(())
    }

    async fn append(&self, line: String) -> Result<(), EvaluateError> {
        let file = Arc::clone(&self.file);
        Ok(off(move || file.append(&line)).await??)
    }
}

/// What blocks, on a thread for that.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EvaluateError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| EvaluateError::Ending)
}

fn answered(run: &Run) -> HashMap<String, String> {
    match &run.lines {
        Lines::Judged(lines) => lines
            .iter()
            .filter(|line| line.failed.is_none())
            .map(|line| (line.id.clone(), line.case_hash.clone()))
            .collect(),
        Lines::Routed(lines) => lines
            .iter()
            .map(|line| (line.id.clone(), line.case_hash.clone()))
            .collect(),
    }
}

async fn judged(dispatch: &Arc<Dispatch>, asked: &JudgeAsked, case: &JudgedCase, hash: String) -> JudgedLine {
    let mut transcript = Transcript::of_question(&case.prompt);
    let about = match &case.answer {
        Some(answer) => {
            transcript.push(answer);
            About::Answer
        }
        None => About::Prompt,
    };
    let begun = Instant::now();
    let judged = dispatch
        .judge(Judging {
            who: asked.who.clone(),
            judge: asked.judge.clone(),
            categories: Arc::clone(&asked.categories),
            transcript,
            about,
            sets: vec![asked.set],
            limit: asked.limit,
            origin: Origin::default(),
        })
        .await;
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    JudgedLine {
        id: case.id.clone(),
        case_hash: hash,
        good: case.good,
        group: case.group.clone(),
        ms,
        ..read(&judged.verdicts)
    }
}

/// Several verdicts on one text, as one: the lowest counts, as it would for an answer.
fn read(verdicts: &[Verdict]) -> JudgedLine {
    let Some(first) = verdicts.first() else {
        return JudgedLine {
            failed: Some("this judge is not asked such a question".to_owned()),
            ..JudgedLine::default()
        };
    };
    let lowest = verdicts
        .iter()
        .filter(|v| v.probability.is_some())
        .min_by(|a, b| {
            a.probability
                .unwrap_or(1.0)
                .total_cmp(&b.probability.unwrap_or(1.0))
        });
    let count = |of: fn(&Verdict) -> u32| verdicts.iter().map(of).fold(0, u32::saturating_add);
    let told = lowest.unwrap_or(first);
    let chosen = (verdicts.len() > 1).then(|| told.question.clone());
    // Without a single token the judge was not there; else it answered, and what it said is no verdict.
    let tokens = count(|v| {
        v.evaluated_tokens
            .saturating_add(v.cached_tokens)
            .saturating_add(v.question_tokens)
    });
    let away = verdicts
        .iter()
        .find(|v| v.failed.is_some() && v.mass == 0.0 && tokens == 0);
    JudgedLine {
        probability: lowest
            .and_then(|v| v.probability)
            .filter(|_| verdicts.iter().all(|v| v.failed.is_none())),
        choice: told.choice.clone().or(chosen),
        mass: verdicts.iter().map(|v| v.mass).fold(1.0, f64::min),
        backend: first.backend,
        evaluated_tokens: count(|v| v.evaluated_tokens),
        cached_tokens: count(|v| v.cached_tokens),
        question_tokens: count(|v| v.question_tokens),
        failed: away.and_then(|v| v.failed.clone()),
        ..JudgedLine::default()
    }
}
