//! Drives [`goblin_core::trust`]: asks rungs and judges as it says, tells it what they answer, and hands on what it
//! releases. What is decided is decided there; here is I/O, time and the record of it.
//!
//! Nothing happens until the stream is polled. Dropping it drops the rung that runs and every question to a judge.

mod judges;
mod record;
mod rungs;
mod screen;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use goblin_core::chat::ChatRequest;
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::judge::authority::Record as Evaluated;
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::route::{LOCAL, Ladder, Offer};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::{RouteRecord, Trace, VerifyMode};
use goblin_core::trust::cascade::Cascade;
use goblin_core::trust::structure::Form;
use goblin_core::trust::{Action, End, Event, Failure, Refusal, Settings, SettingsError};
use goblin_core::turn_event::{Checking, Retracted, Superseded};
use goblin_core::wire::openai::IncomingChat;
use tokio::time::{Instant, sleep_until};

use crate::Dispatch;
use crate::answer::{AnswerItem, AnswerStream, Items, Refused};
use crate::attempt::{Attempt, Failures};
use crate::climb::Limit;
use crate::meter::Meter;
use crate::table::View;
use judges::Jury;
use record::Recorder;
use rungs::{FromRung, Rungs};
use screen::Screened;

/// What the operator set about checked answers.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// What a request that says nothing gets.
    pub settings: Settings,
    /// Who may judge, and what is asked.
    pub judges: JudgeSettings,
    /// What was measured of judges.
    pub records: Arc<[Evaluated]>,
    /// What is done about secrets, personal data and attempts to take a model over.
    pub screen: ScreenSettings,
}

impl Trust {
    /// What holds for a request of an API door that asked for a model by the name `model`.
    pub fn for_request(&self, incoming: &IncomingChat) -> Settings {
        let asked = &incoming.goblin;
        let base = self.base(&incoming.model, &incoming.request);
        let verify = match (asked.verify, incoming.enable_verification) {
            (Some(verify), _) => verify,
            (None, Some(false)) => VerifyMode::Off,
            (None, _) => self.settings.verify,
        };
        Settings {
            verify: seen(verify, incoming.stream),
            confidence: self.settings.confidence && incoming.enable_confidence_scoring != Some(false),
            escalate: self.settings.escalate && incoming.auto_escalate != Some(false),
            max_steps: asked.max_steps.unwrap_or(self.settings.max_steps),
            max_cost_usd: asked.max_cost_usd.or(self.settings.max_cost_usd),
            local_only: asked.local_only || base.local_only,
            events: asked.events && incoming.stream,
            ..base
        }
    }

    /// What holds for a request that cannot say what it wants; `request.model` is the name asked for.
    pub fn for_plain(&self, request: &ChatRequest) -> Settings {
        Settings {
            verify: seen(self.settings.verify, request.stream),
            events: false,
            ..self.base(&request.model, request)
        }
    }

    /// What holds for a chat's turn: its page takes superseding and retracting.
    pub fn for_turn(&self, model: &str, request: &ChatRequest) -> Settings {
        Settings {
            events: true,
            ..self.base(model, request)
        }
    }

    /// What holds for every request that asked for a model by the name `model`.
    fn base(&self, model: &str, request: &ChatRequest) -> Settings {
        Settings {
            judge_timeout_ms: self.judges.timeout_seconds.saturating_mul(1000),
            require_judge: self.judges.require_judge,
            local_only: model == LOCAL || self.settings.local_only,
            caller_limit: request.sampling.max_tokens,
            ..self.settings.clone()
        }
    }
}

/// Who gets the answer in one piece sees nothing of it before its end: then the choice may always be made.
fn seen(verify: VerifyMode, stream: bool) -> VerifyMode {
    match verify {
        VerifyMode::Off => VerifyMode::Off,
        _ if !stream => VerifyMode::Final,
        streamed => streamed,
    }
}

/// Takes a trace that is whole, or as far as it came when its caller left.
pub(crate) type KeepTrace = Box<dyn FnOnce(Trace) + Send>;

/// Everything [`cascade_as`] needs.
pub(crate) struct Cascading {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) view: View,
    /// First choice first.
    pub(crate) ladder: Ladder,
    /// How the ladder was made.
    pub(crate) route: RouteRecord,
    pub(crate) request: ChatRequest,
    pub(crate) settings: Settings,
    /// May a model go on where the stream of another breaks?
    pub(crate) continues: bool,
    /// The model asked for.
    pub(crate) model: String,
    pub(crate) meter: Meter,
    /// Called once, at the latest when the stream is dropped.
    pub(crate) keep: Option<KeepTrace>,
}

/// The answer, checked; its trace has this id.
pub(crate) fn cascade_as(cascading: Cascading, trace_id: String) -> AnswerStream {
    AnswerStream::new(Some(trace_id.clone()), checked(cascading, trace_id))
}

fn checked(cascading: Cascading, trace_id: String) -> Items {
    Box::pin(try_stream! {
        let mut driver = Driver::new(cascading, trace_id)?;
        driver.begin();
        loop {
            while let Some(item) = driver.ready.pop_front() {
                yield item;
            }
            match driver.end.take() {
                None => driver.step().await,
                Some(None) => break,
                Some(Some(error)) => Err(*error)?,
            }
        }
    })
}

/// An answer on its way.
struct Driver {
    machine: Cascade,
    rungs: Rungs,
    jury: Jury,
    recorder: Recorder,
    meter: Meter,
    failures: Failures,
    limit: Limit,
    started: Instant,
    /// Items for the reader.
    ready: VecDeque<AnswerItem>,
    /// It has ended: with this error, or well.
    end: Option<Option<Box<ApiError>>>,
    /// Who was last said to answer.
    chosen: Option<usize>,
    /// What each rung's server counted.
    usage: HashMap<usize, Usage>,
    /// Why steps ended, by rung.
    whys: HashMap<usize, String>,
    /// The wishes that each goes without.
    dropped: HashMap<usize, Vec<String>>,
    /// What was found in the question, and refuses it.
    screened: Screened,
    events: bool,
    /// Did the caller ask for log-probabilities?
    wants_logprobs: bool,
    /// Waiting for the next event allocates nothing.
    actions: Vec<Action>,
}

impl Driver {
    fn new(cascading: Cascading, trace_id: String) -> Result<Self, ApiError> {
        let Cascading {
            dispatch,
            view,
            ladder,
            route,
            request,
            settings,
            continues,
            model,
            meter,
            keep,
        } = cascading;
        let trust = Arc::clone(&dispatch.options.trust);
        let view = Arc::new(view);
        let limit = Limit::from_now(settings.deadline_ms.map(Duration::from_millis));
        let screened = screen::question(&request, &trust.screen);
        let form = Arc::new(Form::of(&request));
        let wants_logprobs = request.sampling.logprobs.is_some();
        let mut rungs = Rungs::new(&dispatch, &view, &ladder, request, &screened, &meter, limit);
        rungs.continues = continues;
        let mut jury = Jury::new(&dispatch, &view, &ladder, &trust, &settings, rungs.case());
        jury.seat(rungs.offers());
        let described = rungs.described(&route, &jury);
        let trace = record::begun(trace_id, dispatch.clock.now(), &settings, route, model);
        let mut recorder = Recorder::new(trace, keep);
        jury.notes().into_iter().for_each(|note| recorder.note(note));
        let machine =
            Cascade::new(settings.clone(), described, jury.prompt_judge(), form).map_err(refused)?;
        Ok(Self {
            events: settings.events,
            machine,
            rungs,
            jury,
            recorder,
            meter,
            failures: Failures::default(),
            limit,
            started: Instant::now(),
            ready: VecDeque::new(),
            end: None,
            chosen: None,
            usage: HashMap::new(),
            whys: HashMap::new(),
            dropped: HashMap::new(),
            screened,
            wants_logprobs,
            actions: Vec::new(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&mut self) {
        for found in self.screened.take_found() {
            self.on(Event::Found(found));
        }
        self.on(Event::Asked);
    }

    /// Waits for the next thing that happens, and does what follows from it.
    async fn step(&mut self) {
        let wake = self
            .machine
            .wake_at()
            .map(|ms| self.started + Duration::from_millis(ms));
        // A verdict goes before the next token: it may release what is there, or make the token needless.
        tokio::select! {
            biased;
            Some(heard) = self.jury.next() => {
                self.recorder.judges_cost(heard.cost_usd);
                if let Some((to, bytes)) = heard.sent {
                    self.recorder.sent(&to, bytes);
                }
                for ((id, ask), heard, verdicts) in heard.answers {
                    self.recorder.verdicts(ask, verdicts);
                    self.on(Event::Judged { ask: id, heard });
                }
            }
            Some((rung, said)) = self.rungs.next() => self.heard_from(rung, said),
            () = sleep_until(wake.unwrap_or(self.started)), if wake.is_some() => self.on(Event::Tick),
            else => self.end = Some(Some(Box::new(ApiError::internal("a checked answer waits for nothing")))),
        }
    }

    fn heard_from(&mut self, rung: usize, said: FromRung) {
        match said {
            FromRung::Began(began, dropped) => {
                self.meter.placed(&began);
                self.dropped.insert(rung, dropped);
            }
            FromRung::Said(event) => {
                let ChatEvent { parsed, .. } = *event;
                if let Parsed::Usage(usage) = parsed {
                    self.usage.insert(rung, usage);
                }
                self.recorder.said(rung, self.now_ms(), &parsed);
                self.on(Event::Said { rung, parsed });
            }
            FromRung::Again(attempt, pause) => {
                if let Some(offer) = self.rungs.offer(rung).cloned() {
                    self.recorder.note(format!(
                        "`{}` failed before its first word and was asked again after {:.1} s: {}",
                        offer.id(),
                        pause.as_secs_f64(),
                        attempt.error.message
                    ));
                    self.rungs.note(&offer, &attempt);
                }
            }
            FromRung::Continued(note) => self.recorder.note(note),
            FromRung::Failed(attempt, asked) => {
                let next_may_help = attempt.next_may_help;
                match asked {
                    true => self.recorder.failed(rung, &attempt.error.message),
                    false => self.recorder.not_asked(rung, &attempt.error.message),
                }
                if let Some(offer) = self.rungs.offer(rung).cloned() {
                    if attempt.whole_provider {
                        let all = self.rungs.offers().iter().enumerate();
                        let same = all.filter(|(_, other)| other.provider == offer.provider);
                        self.machine.rule_out(same.map(|(at, _)| at));
                    }
                    self.rungs.note(&offer, &attempt);
                    self.failures.add(&offer, *attempt);
                }
                self.on(Event::Failed { rung, next_may_help });
            }
            FromRung::Ended => {
                for found in screen::answer(self.machine.text(), self.rungs.screen()) {
                    self.on(Event::Found(found));
                }
                self.on(Event::Ended { rung });
            }
        }
    }

    /// Tells the machine, and does what it says.
    fn on(&mut self, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        self.machine.on(self.now_ms(), event, &mut actions);
        let mut asks = Vec::new();
        for action in actions.drain(..) {
            match action {
                Action::Ask { id, ask } => asks.push((id, ask)),
                action => self.act(action),
            }
        }
        self.actions = actions;
        if !asks.is_empty() {
            self.jury.ask(asks, self.machine.text());
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now_ms();
        match action {
            Action::Start { rung, max_tokens } => {
                self.recorder.started(rung, now, self.rungs.offer(rung));
                let others = self.machine.ready();
                if let Some((to, bytes)) = self.rungs.start(rung, max_tokens, others) {
                    self.recorder.sends(rung, to, bytes);
                }
            }
            Action::Cancel { .. } => self.rungs.cancel(),
            Action::Ask { .. } => {}
            Action::Unask(id) => self.jury.unask(id),
            Action::Checking { about, held_tokens } => {
                let judge = self.jury.awaited(about, self.rungs.last().unwrap_or(0));
                let checking = Checking {
                    about,
                    judge,
                    held_tokens,
                };
                self.tell(AnswerItem::Checking(checking));
            }
            Action::Release { rung, parsed } => self.release(rung, parsed),
            Action::Supersede { shown, by } => self.supersede(shown, by),
            // What it is taken back by is known at the end, which follows.
            Action::Retract { .. } => {}
            Action::StepEnded {
                rung,
                outcome,
                why,
                features,
            } => {
                if let Some(why) = &why {
                    self.whys.insert(rung, why.clone());
                }
                let counted = self.usage.get(&rung).copied();
                let (policy, offer) = (self.rungs.policy(), self.rungs.offer(rung));
                let price = |seen| {
                    let offer = offer?;
                    policy.cost_of(&offer.id(), offer.stays_local(), &counted.unwrap_or(seen))
                };
                self.recorder
                    .step_ended(rung, now, (outcome, why, features), price);
            }
            Action::Note(note) => self.recorder.note(note),
            Action::End(end) => self.ended(end),
        }
    }

    /// Only for readers who take such things.
    fn tell(&mut self, item: AnswerItem) {
        if self.events {
            self.ready.push_back(item);
        }
    }

    fn release(&mut self, rung: usize, mut parsed: Parsed) {
        self.choose(rung);
        if let (false, Parsed::Text { logprobs, .. }) = (self.wants_logprobs, &mut parsed) {
            logprobs.clear();
        }
        self.ready.push_back(AnswerItem::Event(parsed.into()));
    }

    /// Says who answers, when it is not who was last said to.
    fn choose(&mut self, rung: usize) {
        if self.chosen == Some(rung) {
            return;
        }
        let Some(offer) = self.rungs.offer(rung) else {
            return;
        };
        let local = offer.stays_local();
        if self.chosen.is_none() {
            self.meter.chosen(&offer.provider, &offer.model.name, local);
        } else {
            self.meter.answered_by(&offer.provider, &offer.model.name, local);
        }
        self.chosen = Some(rung);
        self.ready.push_back(AnswerItem::Chosen {
            model_id: offer.id(),
            local,
            pass_through: false,
            dropped: self.dropped.get(&rung).cloned().unwrap_or_default(),
        });
    }

    fn supersede(&mut self, shown: usize, by: usize) {
        let id = |rung| self.rungs.offer(rung).map(Offer::id).unwrap_or_default();
        let superseded = Superseded {
            model: id(shown),
            by: id(by),
            local: self.rungs.offer(by).is_some_and(Offer::stays_local),
            why: self.whys.get(&shown).cloned().unwrap_or_default(),
        };
        self.tell(AnswerItem::Superseded(superseded));
    }

    fn ended(&mut self, end: End) {
        self.rungs.cancel();
        self.jury.dismiss();
        for note in self.meter.tab().notes() {
            self.recorder.note(note);
        }
        let error = match &end {
            End::Finished { rung, reason, .. } => {
                self.choose(*rung);
                self.finish(*rung, *reason);
                self.meter.ended("complete");
                None
            }
            End::Rejected { refusal, shown, .. } => {
                self.refuse(refusal, *shown);
                None
            }
            End::Failed { failure, .. } => Some(self.error(*failure)),
            End::Left => None,
        };
        let trace = self.recorder.whole(&end, &self.machine, &self.usage);
        // A failure before the first byte must be the first thing its reader hears.
        if error.is_none() || self.events || self.chosen.is_some() {
            self.ready.push_back(AnswerItem::Trace(Box::new(trace)));
        }
        if let Some(error) = &error {
            self.meter.failed(error.code.as_str());
        }
        self.end = Some(error.map(Box::new));
    }

    fn finish(&mut self, rung: usize, reason: FinishReason) {
        self.ready
            .push_back(AnswerItem::Event(Parsed::Finished { reason }.into()));
        if let Some(usage) = self.usage.get(&rung) {
            self.ready
                .push_back(AnswerItem::Event(Parsed::Usage(*usage).into()));
        }
    }

    fn refuse(&mut self, refusal: &Refusal, shown: bool) {
        let rung = self.chosen.or(self.rungs.last()).unwrap_or(0);
        let why = sentence(refusal);
        if self.chosen.is_some() && !shown {
            let model = self.rungs.offer(rung).map(Offer::id).unwrap_or_default();
            self.tell(AnswerItem::Retracted(Retracted {
                model,
                rule: refusal.rule(),
                why: why.clone(),
            }));
        }
        self.choose(rung);
        self.ready.push_back(AnswerItem::Refused(Refused {
            rule: refusal.rule(),
            why,
            shown,
        }));
        self.finish(rung, FinishReason::ContentFilter);
        self.meter.ended("refused");
    }

    fn error(&mut self, failure: Failure) -> ApiError {
        let refused = self.meter.tab().refusal();
        match failure {
            // Where the judge was not asked because there was no money for it, that is what is said.
            Failure::JudgeUnavailable => refused.unwrap_or_else(|| {
                ApiError::judge_unavailable(
                    "The answer could not be checked, because the model that judges whether it is safe gave no \
                     verdict. Try again soon; the trace names it.",
                )
            }),
            Failure::Upstream => std::mem::take(&mut self.failures).told(),
            Failure::Deadline => *Attempt::late(self.limit.budget().unwrap_or_default()).error,
            Failure::NoRung => ApiError::no_provider(
                "No model may answer this within the limits that were asked for: where it may run, what it may cost, \
                 how many may be asked. The trace says of each why not.",
            ),
            Failure::ToolCall => ApiError::upstream_failed(
                "The model called a tool that does not exist, or with arguments that do not fit, and no better model \
                 could be asked.",
            ),
        }
    }
}

/// A sentence for the reader.
fn sentence(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unsafe { category, .. } => match category {
            Some(category) => format!("A judge found it unsafe ({category})."),
            None => "A judge found it unsafe.".to_owned(),
        },
        Refusal::Check { rule } => format!("The rule `{rule}` does not allow it."),
        Refusal::Unsure { .. } => "It is most likely wrong, and no better model could be asked.".to_owned(),
    }
}

fn refused(error: SettingsError) -> ApiError {
    match error {
        SettingsError::NothingLocal => ApiError::no_provider(
            "Nothing may leave the operator's machines, and no model that could answer is on them.",
        ),
        SettingsError::NoSteps => ApiError::invalid("goblin.max_steps", "Must be at least 1."),
        SettingsError::NotAnAmount => ApiError::invalid("goblin.max_cost_usd", "Must be 0 or more."),
        other => ApiError::internal(other),
    }
}
