//! Models as judges: found, asked, one run for each model and set of questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use goblin_core::eval::EvalSet;
use goblin_core::eval::cases::JudgedCase;
use goblin_core::eval::run::{FORM, RunHeader};
use goblin_core::judge::choose::Choosing;
use goblin_core::judge::questions::{QuestionSet, question_set_hash};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::judge::transcript::Transcript;
use goblin_core::judge::{Judge, Judges};
use goblin_core::model::{Capability, nearest};
use goblin_core::origin::Origin;
use goblin_core::owner::Owner;
use goblin_core::provider::Health;
use goblin_core::route::Offer;
use goblin_core::trace::{About, Concern};
use goblin_dispatch::Dispatch;
use goblin_dispatch::answer::Who;
use goblin_dispatch::evaluate::{Evaluating, JudgeAsked};
use goblin_dispatch::judge::Judging;
use tokio::time::interval;

use super::cases::{self, Cases};
use super::progress::Progress;
use crate::cli::EvalRun;
use crate::command::Interrupted;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::output::complain;
use crate::wiring::{self, Process};

/// Longest a verdict may take. Nobody waits for it; on a machine that is busy otherwise a small limit would only leave
/// cases without an answer.
const VERDICT: Duration = Duration::from_secs(3600);
/// Longest wait for providers to say what they have.
const STARTING: Duration = Duration::from_secs(600);
/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Runs each set with each model and returns the files.
///
/// # Errors
///
/// [`Interrupted`]; when a model is not there or cannot judge, or a run cannot be kept.
pub(super) async fn run(
    wanted: &EvalRun,
    sets: &[EvalSet],
    dir: &Path,
    config: &Config,
) -> anyhow::Result<Vec<PathBuf>> {
    let process = Process::new(config.clone());
    let mut providers = wiring::upstreams(config, false)?;
    providers.extend(wiring::discover(config).await?);
    let embedded = Embedded::start(&process).await;
    if let Some(problem) = embedded.problem() {
        complain(format_args!("note: the engine did not start: {problem}"));
    }
    providers.extend(embedded.handle());
    let dispatch = wiring::dispatch(&process, None, providers, Arc::default());
    let done = tokio::select! {
        done = with(&dispatch, wanted, sets, dir, &process) => done,
        _ = tokio::signal::ctrl_c() => Err(Interrupted::CAN_GO_ON.into()),
    };
    process.draining.cancel();
    embedded.stop().await;
    done
}

async fn with(
    dispatch: &Arc<Dispatch>,
    wanted: &EvalRun,
    sets: &[EvalSet],
    dir: &Path,
    process: &Process,
) -> anyhow::Result<Vec<PathBuf>> {
    let offers = settled(dispatch).await;
    let mut files = Vec::new();
    for name in &wanted.models {
        let offer = find(&offers, name)?;
        let bench = Bench {
            dispatch,
            offers: &offers,
            offer,
            settings: settings(offer, &process.config),
            process,
        };
        for set in sets {
            let cases = cases::judged(*set, wanted)?;
            for questions in questions_of(*set) {
                files.push(bench.run(wanted, *set, *questions, &cases, dir).await?);
            }
        }
    }
    Ok(files)
}

/// What a judge is asked about the cases of a set.
fn questions_of(set: EvalSet) -> &'static [QuestionSet] {
    match set {
        EvalSet::Safety => &[QuestionSet::Transcript, QuestionSet::Categories],
        EvalSet::Confidence => &[QuestionSet::Confidence],
        EvalSet::Xstest | EvalSet::XstestAll => &[QuestionSet::Prompt],
        EvalSet::Routing => &[],
    }
}

/// Only this model, for everything, asked as the operator has it asked.
fn settings(offer: &Offer, config: &Config) -> JudgeSettings {
    JudgeSettings {
        safety: vec![offer.id()],
        confidence: vec![offer.id()],
        advisory: Vec::new(),
        known_guards: false,
        ..config.trust.judges.clone()
    }
}

/// What is on offer once every provider has started.
async fn settled(dispatch: &Arc<Dispatch>) -> Vec<Offer> {
    let began = Instant::now();
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let all = dispatch.providers_status().await;
        let starting = all.iter().any(|(_, s)| matches!(s.health, Health::Starting(_)));
        if !starting || began.elapsed() > STARTING {
            return dispatch.offers().await;
        }
    }
}

fn find<'a>(offers: &'a [Offer], name: &str) -> anyhow::Result<&'a Offer> {
    let untagged = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    let means = |offer: &&Offer| {
        [offer.id(), offer.model.name.clone()]
            .map(|n| untagged(&n))
            .contains(&untagged(name))
    };
    let Some(offer) = offers.iter().find(means) else {
        let ids: Vec<String> = offers.iter().map(Offer::id).collect();
        let hint = nearest(name, ids.iter().map(String::as_str));
        let hint = hint.map_or_else(
            || " `goblin models list` shows what is there.".to_owned(),
            |near| format!(" Did you mean `{near}`?"),
        );
        bail!("There is no model `{name}`.{hint}");
    };
    if !offer.model.can(Capability::Decide) {
        bail!(
            "`{}` cannot judge: its server does not say how likely an answer is.",
            offer.id()
        );
    }
    Ok(offer)
}

/// One model, ready to be asked.
struct Bench<'a> {
    dispatch: &'a Arc<Dispatch>,
    offers: &'a [Offer],
    offer: &'a Offer,
    settings: JudgeSettings,
    process: &'a Process,
}

impl Bench<'_> {
    async fn run(
        &self,
        wanted: &EvalRun,
        set: EvalSet,
        questions: QuestionSet,
        cases: &Cases<JudgedCase>,
        dir: &Path,
    ) -> anyhow::Result<PathBuf> {
        let judge = self.judge(questions.concern())?;
        let header = self.header(wanted, set, questions, cases, &judge);
        let name = super::file_name(set, wanted, Some(questions.as_str()), &header.subject);
        let path = dir.join(name);
        let mut run = Evaluating::open(&path, header).await?;
        let title = format!("{} · {} · {}", set.as_str(), self.offer.id(), questions.as_str());
        let there = run.answered_of(&cases.all);
        let progress = Progress::begin(&title, cases.all.len(), there);
        if there < cases.all.len() {
            self.warm_up(&judge, questions).await;
            let asked = JudgeAsked {
                judge,
                categories: self.settings.categories.clone().into(),
                set: questions,
                limit: VERDICT,
                who: who(),
            };
            run.judge(self.dispatch, &asked, &cases.all, |line| {
                progress.step(line.failed.as_deref())
            })
            .await?;
        }
        progress.end();
        Ok(path)
    }

    fn judge(&self, concern: Concern) -> anyhow::Result<Judge> {
        let judges = Judges::choose(&Choosing {
            offers: self.offers,
            answerer: None,
            local_only: false,
            settings: &self.settings,
            records: &[],
        });
        let judge = match concern {
            Concern::Safety => judges.safety_judge(),
            Concern::Confidence => judges.confidence_judge(),
        };
        judge.cloned().with_context(|| {
            let why = judges.notes.join("; ");
            format!("`{}` cannot be asked: {why}", self.offer.id())
        })
    }

    /// Not counted: whatever a first answer does that later ones do not, loading the model above all.
    async fn warm_up(&self, judge: &Judge, questions: QuestionSet) {
        let mut transcript = Transcript::of_question("What is the capital of France?");
        let about = match questions {
            QuestionSet::Prompt => About::Prompt,
            _ => {
                transcript.push("Paris.");
                About::Answer
            }
        };
        let judged = self.dispatch.judge(Judging {
            who: who(),
            judge: judge.clone(),
            categories: self.settings.categories.clone().into(),
            transcript,
            about,
            sets: vec![questions],
            limit: VERDICT,
            origin: Origin::default(),
        });
        judged.await;
    }

    fn header(
        &self,
        wanted: &EvalRun,
        set: EvalSet,
        questions: QuestionSet,
        cases: &Cases<JudgedCase>,
        judge: &Judge,
    ) -> RunHeader {
        let categories = &self.settings.categories;
        let model = &self.offer.model;
        RunHeader {
            form: FORM,
            set,
            cases_hash: cases.hash.clone(),
            cases: cases.all.len(),
            seed: wanted.seed,
            limit: wanted.limit.map(|limit| limit as usize),
            subject: self.offer.id(),
            digest: model.digest.clone(),
            quantisation: model.quantization.clone(),
            parameters: model.parameters.clone(),
            questions: Some(questions.as_str().to_owned()),
            question_set_hash: Some(question_set_hash(categories, questions)),
            questions_hash: judge.prompt_hash(categories, questions),
            threshold: Some(match questions.concern() {
                Concern::Safety => self.process.config.trust.thresholds.safety,
                Concern::Confidence => self.process.config.trust.thresholds.confidence,
            }),
            goblin: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.process.clock.now(),
        }
    }
}

fn who() -> Who {
    Who::owner(Owner::local())
}
