//! The task that carries a chat turn to its end, whoever is watching, and saves it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use goblin_core::chat::ChatRequest;
use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Problem, Turn, TurnStatus, TurnTiming, TurnUsage};
use goblin_core::error::ApiError;
use goblin_core::event::{FinishReason, Parsed, Usage};
use goblin_core::limits::MAX_ANSWER_BYTES;
use goblin_core::owner::Owner;
use goblin_core::route::Ladder;
use goblin_core::trace::RouteRecord;
use goblin_core::turn_event::{Delta, Saved, Traced, TurnEvent};
use goblin_core::wire::problem;
use goblin_store::error::StoreError;
use goblin_store::store::Store;
use goblin_store::traces::NewTrace;
use goblin_store::turn_log::TurnWriter;
use goblin_store::turns::FinishedTurn;
use goblin_store::usage::NewUsage;

use crate::Dispatch;
use crate::answer::{AnswerItem, AnswerStream, Who};
use crate::cache::{Look, Source};
use crate::cascade::Cascading;
use crate::climb::Climb;
use crate::job::Job;
use crate::meter::Meter;
use crate::money::Tab;
use crate::span::Work;
use crate::table::View;
use crate::traces::Slot;
use crate::traces::unchecked::Unchecked;

/// The first pause before a failed save is tried again; it doubles, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries to save.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Tries to save an ended turn: about a minute. After that it is told as not saved.
const SAVE_TRIES: u32 = 18;

/// A turn that has been saved and is about to be answered.
pub(crate) struct Run {
    pub(crate) owner: Owner,
    pub(crate) store: Store,
    pub(crate) turn: Turn,
    pub(crate) chat: Chat,
    pub(crate) log: TurnWriter,
    pub(crate) view: View,
    pub(crate) ladder: Ladder,
    /// How the ladder was made; `None` where a model was named, whose answer is not checked.
    pub(crate) route: Option<RouteRecord>,
    /// The model asked for.
    pub(crate) model: String,
    pub(crate) request: ChatRequest,
    /// Another answer is wanted than the one that is there.
    pub(crate) anew: bool,
}

/// What is known of the answer so far, beside its text.
#[derive(Default)]
struct Outcome {
    model: Option<(String, bool)>,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    first_token_ms: Option<u64>,
    bytes: usize,
}

/// What a chat's question is looked up by: only common ones are, and only where goblin chooses the model.
fn common_look(dispatch: &Dispatch, owner: &Owner, model: &str, request: &ChatRequest) -> Option<Look> {
    let settings = dispatch.options.trust.for_turn(model, request);
    dispatch.look(owner, (model, false), request, Some(&settings), (None, None))
}

/// Answers the turn, saves it and closes its log. A panic in between is a failed turn, not a hanging one.
pub(crate) async fn run(dispatch: Arc<Dispatch>, run: Run) {
    let Run {
        owner,
        store,
        turn,
        chat,
        log,
        view,
        ladder,
        route,
        model,
        mut request,
        anew,
    } = run;
    let mut work = Work::turn(&dispatch, &request.origin);
    request.origin = work.origin();
    let turn_id = turn.id.clone();
    let first = TurnEvent::Turn {
        turn: Box::new(turn.clone()),
        chat: Box::new(chat),
    };
    append(&log, first);
    let meter = Meter::of_turn(&dispatch, Who::owner(owner.clone()), &turn_id);
    let tab = meter.tab().clone();
    let deadline = Some(dispatch.options.turn_deadline);
    let traced = Slot::default();
    let look = (route.is_some() && !anew)
        .then(|| common_look(&dispatch, &owner, &model, &request))
        .flatten();
    let settings = dispatch.options.trust.for_turn(&model, &request).within(deadline);
    let settings = dispatch.within_means(&tab, &ladder, settings).await;
    let source = match (route, settings) {
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Ok(Source::climb(Climb {
            meter: meter.traced(Unchecked::begun(&dispatch, &model, traced.filler())),
            dispatch: Arc::clone(&dispatch),
            view,
            ladder,
            job: Job::Chat(Box::new(request)),
            deadline,
            continues: false,
        })),
        (Some(route), Ok(settings)) => Ok(Source::cascade(Cascading {
            settings,
            continues: false,
            dispatch: Arc::clone(&dispatch),
            view,
            ladder,
            route,
            request,
            model,
            meter,
            keep: Some(traced.filler()),
        })),
    };
    let stream = match source {
        Ok(source) => dispatch.through_cache(source, look),
        Err(error) => AnswerStream::failed(error),
    };
    let mut outcome = Outcome::default();
    let followed = AssertUnwindSafe(follow(&dispatch, &turn, &log, stream, &mut outcome))
        .catch_unwind()
        .await;
    let ended = followed.unwrap_or_else(|_| Err(ApiError::internal("the task answering a turn panicked")));
    let (status, error) = match ended {
        Ok(status) => (status, None),
        Err(error) => {
            work.failed(error.code.as_str());
            tracing::warn!(turn = turn_id, error = %error, internal = error.internal, "turn failed");
            (TurnStatus::Failed, Some(problem::body(&error, Some(&turn_id))))
        }
    };
    work.status(status.as_str());
    if let Some(trace) = traced.take() {
        let new = NewTrace {
            request_id: turn_id.clone(),
            turn: Some(turn_id.clone()),
            trace,
        };
        dispatch.keep_turn_trace(&owner, new).await;
    }
    let end = ended_turn(&dispatch, &turn, &outcome, status, error);
    let usage = usage_of(&turn_id, &tab, &outcome, status);
    let saved = match save(&dispatch, &store, &owner, &end, &usage).await {
        Ok(turn) => turn,
        Err(error) => {
            tracing::error!(%error, turn = turn_id, "an answer was not saved, and is given up");
            let lost = ApiError::unavailable("The answer could not be saved. Copy it if you need it.");
            let end = FinishedTurn {
                status: TurnStatus::Incomplete,
                error: Some(problem::body(&lost, Some(&turn_id))),
                ..end
            };
            merged(turn, end, dispatch.clock.now())
        }
    };
    dispatch.open_turns.close(&turn_id);
    append(
        &log,
        TurnEvent::Done(Saved {
            turn: Box::new(saved),
        }),
    );
}

/// Saves how a turn ended. A full disk or a database held by a backup may be over in a moment, so it is tried again
/// for about a minute; when the process is stopping, only a few times.
#[allow(
    clippy::disallowed_methods,
    reason = "back-off: nothing tells when the database can be written again"
)]
async fn save(
    dispatch: &Dispatch,
    store: &Store,
    owner: &Owner,
    end: &FinishedTurn,
    usage: &NewUsage,
) -> Result<Turn, StoreError> {
    let mut pause = FIRST_PAUSE;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match store.finish_turn(owner, end.clone(), Some(usage.clone())).await {
            Err(error) if !matches!(error, StoreError::NotFound(_)) => error,
            over => return over,
        };
        let most = if dispatch.draining.is_cancelled() {
            4
        } else {
            SAVE_TRIES
        };
        if tries >= most {
            return Err(error);
        }
        tracing::warn!(%error, turn = end.turn, "an answer was not saved; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A turn that says it is being answered but is not: the process that answered it could not save its end. It becomes
/// incomplete, with what was checkpointed.
pub(crate) async fn settle(store: &Store, owner: &Owner, turn: Turn) -> Turn {
    let end = FinishedTurn {
        turn: turn.id.clone(),
        answer: turn.answer.clone(),
        reasoning: turn.reasoning.clone(),
        status: TurnStatus::Incomplete,
        finish_reason: None,
        model: turn.model.clone(),
        local: turn.local,
        error: None,
        usage: None,
        left_out: turn.left_out,
        timing: None,
    };
    match store.finish_turn(owner, end, None).await {
        Ok(turn) => turn,
        Err(error) => {
            tracing::error!(%error, turn = turn.id, "a turn nobody answers could not be ended");
            turn
        }
    }
}

/// Ends a turn that never began to be answered.
pub(crate) async fn refuse(store: &Store, owner: &Owner, turn: &Turn, error: &ApiError) {
    let end = FinishedTurn {
        turn: turn.id.clone(),
        answer: String::new(),
        reasoning: None,
        status: TurnStatus::Failed,
        finish_reason: None,
        model: None,
        local: None,
        error: Some(problem::body(error, Some(&turn.id))),
        usage: None,
        left_out: turn.left_out,
        timing: None,
    };
    if let Err(error) = store.finish_turn(owner, end, None).await {
        tracing::error!(%error, turn = turn.id, "a refused turn was not saved");
    }
}

fn ended_turn(
    dispatch: &Dispatch,
    turn: &Turn,
    outcome: &Outcome,
    status: TurnStatus,
    error: Option<Problem>,
) -> FinishedTurn {
    let (answer, reasoning) = dispatch.open_turns.text(&turn.id);
    let total_ms = dispatch.clock.now().ms_since(turn.created_at);
    let (model, local) = outcome.model.clone().unzip();
    FinishedTurn {
        turn: turn.id.clone(),
        answer,
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        status,
        finish_reason: outcome.finish_reason.map(|r| r.as_str().to_owned()),
        model,
        local,
        error,
        usage: outcome.usage.map(|u| TurnUsage {
            prompt_tokens: u.prompt_tokens,
            completion_tokens: u.completion_tokens,
            total_tokens: u.total(),
            cached_tokens: u.cached_tokens,
        }),
        left_out: turn.left_out,
        timing: outcome.first_token_ms.map(|first_token_ms| TurnTiming {
            first_token_ms,
            total_ms,
        }),
    }
}

/// Appends to the log. A full log loses nothing that matters: the answer is bounded before it, and the saved
/// turn is whole.
fn append(log: &TurnWriter, event: TurnEvent) {
    if let Err(error) = log.append(event) {
        tracing::warn!(%error, "an event was not logged");
    }
}

/// Reads the answer to its end, into the log and the open turns. Returns how it ended.
async fn follow(
    dispatch: &Dispatch,
    turn: &Turn,
    log: &TurnWriter,
    mut stream: AnswerStream,
    outcome: &mut Outcome,
) -> Result<TurnStatus, ApiError> {
    let stop = log.stopped();
    loop {
        let item = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(TurnStatus::Stopped),
            () = dispatch.cut.cancelled() => return Ok(TurnStatus::Incomplete),
            item = stream.next() => item,
        };
        let event = match item {
            None => return Ok(TurnStatus::Complete),
            Some(Err(error)) => return Err(error),
            Some(Ok(AnswerItem::Event(event))) => event,
            Some(Ok(other)) => {
                told(dispatch, turn, log, outcome, other);
                continue;
            }
        };
        if event.parsed.is_content() && outcome.first_token_ms.is_none() {
            outcome.first_token_ms = Some(dispatch.clock.now().ms_since(turn.created_at));
        }
        match event.parsed {
            Parsed::Text { text, .. } if !text.is_empty() => {
                outcome.bytes += text.len();
                dispatch.open_turns.grow(&turn.id, &text, "");
                append(log, TurnEvent::Delta(Delta { text }));
            }
            Parsed::Reasoning { text } => {
                outcome.bytes += text.len();
                dispatch.open_turns.grow(&turn.id, "", &text);
                append(log, TurnEvent::Reasoning(Delta { text }));
            }
            Parsed::Finished { reason } => outcome.finish_reason = Some(reason),
            Parsed::Usage(usage) => outcome.usage = Some(usage),
            _ => {}
        }
        if outcome.bytes >= MAX_ANSWER_BYTES {
            outcome.finish_reason = Some(FinishReason::Length);
            return Ok(TurnStatus::Complete);
        }
    }
}

/// Everything an answer says beside its events.
fn told(dispatch: &Dispatch, turn: &Turn, log: &TurnWriter, outcome: &mut Outcome, item: AnswerItem) {
    match item {
        AnswerItem::Chosen { model_id, local, .. } => {
            dispatch.open_turns.chosen(&turn.id, &model_id, local);
            outcome.model = Some((model_id, local));
        }
        AnswerItem::Checking(checking) => append(log, TurnEvent::Checking(checking)),
        AnswerItem::Superseded(superseded) => {
            outcome.bytes = 0;
            dispatch.open_turns.restart(&turn.id);
            append(log, TurnEvent::Superseded(superseded));
        }
        AnswerItem::Retracted(retracted) => {
            outcome.bytes = 0;
            dispatch.open_turns.restart(&turn.id);
            append(log, TurnEvent::Retracted(retracted));
        }
        AnswerItem::Trace(trace) => append(log, TurnEvent::Trace(Traced { trace })),
        // The trace says by which rule; the finish reason says that it is.
        AnswerItem::Refused(_) | AnswerItem::Event(_) => {}
    }
}

/// What the turn used, every model that was asked for it included.
fn usage_of(turn_id: &str, tab: &Tab, outcome: &Outcome, status: TurnStatus) -> NewUsage {
    let (id, local) = outcome.model.clone().unzip();
    let (provider, model) = id.as_deref().and_then(|id| id.split_once('/')).unzip();
    let used = tab.take_closed().unwrap_or_default();
    NewUsage {
        request_id: turn_id.to_owned(),
        door: "chats".to_owned(),
        provider: provider.map(str::to_owned).or(used.provider),
        model: model.map(str::to_owned).or(used.model),
        local: local.or(used.local),
        outcome: status.as_str().to_owned(),
        ..used
    }
}

/// The turn as it would have been saved.
fn merged(turn: Turn, end: FinishedTurn, now: Timestamp) -> Turn {
    Turn {
        answer: end.answer,
        reasoning: end.reasoning,
        status: end.status,
        finish_reason: end.finish_reason,
        model: end.model,
        local: end.local,
        error: end.error,
        usage: end.usage,
        timing: end.timing,
        finished_at: Some(now),
        ..turn
    }
}
