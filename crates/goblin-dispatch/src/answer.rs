//! Answers that are streams: who asks, what for, and what comes back.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use goblin_core::api_key::ApiKey;
use goblin_core::chat::ChatRequest;
use goblin_core::completion::CompletionRequest;
use goblin_core::error::ApiError;
use goblin_core::event::ChatEvent;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderHandle;
use goblin_core::route::{AUTOMATIC, Ladder, Offer};
use goblin_core::trace::{RouteRecord, Trace, VerifyMode};
use goblin_core::trust::Settings;
use goblin_core::turn_event::{Checking, Retracted, Superseded};
use goblin_core::wire::Dialect;
use goblin_core::wire::openai::{CacheUse, IncomingChat};

use crate::Dispatch;
use crate::cache::Source;
use crate::cascade::Cascading;
use crate::choose::Ability;
use crate::climb::Climb;
use crate::job::Job;
use crate::meter::Meter;
use crate::money::Tab;
use crate::plan::{Chosen, Question};
use crate::table::View;
use crate::traces::unchecked::Unchecked;

/// Is told how many tokens (prompt and completion) a request used, once, when it is over.
pub type TokenSink = Arc<dyn Fn(u64) + Send + Sync>;

/// Who asks, for fairness, limits and the access log.
#[derive(Clone)]
pub struct Who {
    /// Whose data the request belongs to.
    pub owner: Owner,
    /// The name of the key it came with. Requests of different keys take turns; without a key the owner is the key.
    pub key: Option<Arc<str>>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// Told what it used.
    pub tokens: Option<TokenSink>,
    /// The key of the API it came with: what is spent counts toward its budget.
    pub api_key: Option<Arc<ApiKey>>,
    /// What the request it is a part of is booked on; filled in when a request begins.
    pub tab: Option<Tab>,
}

impl Who {
    /// An owner of whom nothing else is known.
    pub fn owner(owner: Owner) -> Self {
        Self {
            owner,
            key: None,
            address: None,
            tokens: None,
            api_key: None,
            tab: None,
        }
    }
}

/// A request of an API door that speaks OpenAI's dialect.
pub struct Ask {
    /// Who asks.
    pub who: Who,
    /// `openai`, `anthropic`, `ollama`, `legacy` or `tier`.
    pub door: &'static str,
    /// The correlation id.
    pub request_id: String,
    /// What is asked.
    pub incoming: IncomingChat,
    /// Longest the whole answer may take.
    pub deadline: Option<Duration>,
}

/// A chat of which it is known who may answer it.
struct Chat {
    who: Who,
    door: &'static str,
    request_id: String,
    view: View,
    ladder: Ladder,
    /// How the ladder was made, where the answer is checked.
    route: Option<RouteRecord>,
    /// Its model is the name asked for.
    request: ChatRequest,
    settings: Settings,
    deadline: Option<Duration>,
    /// May another model go on where a stream breaks?
    continues: bool,
    /// What its caller says of the cache, and the sampling temperature it names.
    wants: (Option<CacheUse>, Option<f32>),
}

/// One item of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerItem {
    /// First: the answer is committed to this model.
    Chosen {
        /// `provider/model`.
        model_id: String,
        /// Did what was asked stay on the operator's machines?
        local: bool,
        /// Do the events carry the upstream's own bytes, to be forwarded untouched?
        pass_through: bool,
        /// Fields that were left out because this model cannot take them, as errors call them.
        dropped: Vec<String>,
    },
    /// An event of the model's stream.
    Event(ChatEvent),
    /// Text is held back until it is known to be safe. Not yet content: the status line is still held. Only for who
    /// asked for such events, as the two that follow.
    Checking(Checking),
    /// What was given of the answer is put aside; the next item says who answers now, from the beginning.
    Superseded(Superseded),
    /// What was given of the answer is taken back.
    Retracted(Retracted),
    /// The answer is refused. What follows ends it with [`FinishReason::ContentFilter`](goblin_core::event::FinishReason).
    Refused(Refused),
    /// Last, but for an error: why the answer comes from where it comes from. Only of answers that were checked. A
    /// failure before anything else was given comes without it, unless events were asked for.
    Trace(Box<Trace>),
}

/// An answer that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule, for example `safety:harm`, `check:iban` or `confidence:critical`.
    pub rule: String,
    /// Why, in a sentence for the reader.
    pub why: String,
    /// Was text of it given, and not taken back?
    pub shown: bool,
}

/// An answer. Nothing happens until it is polled; dropping it cancels; an `Err` is the last item.
///
/// An answer that has become a loop ([`goblin_core::runaway`]) is stopped. Who reads it as a stream gets the error
/// `upstream_failed` with the upstream code `runaway` as its last item; who asked for it in one piece gets the text
/// so far with the finish reason `length`, because a limit ended it and not the model.
pub struct AnswerStream {
    trace_id: Option<String>,
    items: Items,
}

/// The items of an answer.
pub(crate) type Items = Pin<Box<dyn Stream<Item = Result<AnswerItem, ApiError>> + Send>>;

impl AnswerStream {
    /// An answer, and the id of the trace it leaves.
    pub(crate) fn new(trace_id: Option<String>, items: Items) -> Self {
        Self { trace_id, items }
    }

    /// An answer that failed before anybody was asked.
    pub(crate) fn failed(error: ApiError) -> Self {
        Self::new(
            None,
            Box::pin(futures_util::stream::once(std::future::ready(Err(error)))),
        )
    }

    /// The id of its trace, where it will have one: known before anything has happened, and of an answer that fails too.
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }
}

impl Stream for AnswerStream {
    type Item = Result<AnswerItem, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.as_mut().poll_next(cx)
    }
}

/// Models that continue texts, as they were when they were looked for.
pub struct Continuers {
    view: View,
    ladder: Ladder,
}

impl Dispatch {
    /// Answers a request of a door that speaks OpenAI's dialect. The route is resolved before this returns; nothing is
    /// generated until the stream is polled.
    ///
    /// # Errors
    /// `model_not_found`, `no_provider`, or `invalid_request` for a field the model cannot serve. In the stream:
    /// `rate_limited` when the queue is full, `unavailable` with the forecast when the deadline cannot be kept,
    /// `context_length_exceeded`, `deadline_exceeded`, and the provider's own failures.
    pub async fn answer(self: &Arc<Self>, mut ask: Ask) -> Result<AnswerStream, ApiError> {
        // Untouched bytes are for callers who named the model on a door that speaks the same dialect, and whose
        // body holds nothing meant for us.
        let same_dialect = ask.door == "openai" || ask.door == "tier";
        if ask.incoming.goblin_given || !same_dialect {
            ask.incoming.request.raw = None;
        }
        let (wanted, local_only) = (&ask.incoming.model, ask.incoming.goblin.local_only);
        let view = self.table.view_for(wanted, local_only).await;
        let Chosen {
            mut ladder,
            record,
            temperature,
        } = self
            .choose(&view, &Question::of(&ask.incoming))
            .await
            .map_err(|e| self.unanswered(&ask.who, ask.door, &ask.request_id, e))?;
        let goblin = ask.incoming.goblin.clone();
        let verify = goblin.verify.is_some() || ask.incoming.enable_verification == Some(true);
        let settings = self.options.trust.for_request(&ask.incoming);
        let checks = self.is_checked(&ladder, verify && settings.verify != VerifyMode::Off);
        let told = || self.record_of(&view, &ladder, &Question::of(&ask.incoming));
        let route = checks.then(|| record.unwrap_or_else(told));
        let mut request = ask.incoming.request;
        let own_temperature = request.sampling.temperature;
        request.sampling.temperature = request.sampling.temperature.or(temperature);
        request.automatic = !ladder.explicit;
        if !ladder.explicit || checks {
            request.raw = None;
        }
        if let Some(error) = ask.incoming.unreadable {
            // Only whoever takes the bytes as they are can answer what nobody here could read.
            let forwards = |offer: &Offer| {
                let provider = view.provider(&offer.provider);
                provider.is_some_and(|p| p.forwards == Some(Dialect::OpenAi))
            };
            ladder.candidates.retain(forwards);
            ladder.rungs = ladder.candidates.len();
            if request.raw.is_none() || ladder.candidates.is_empty() {
                return Err(self.unanswered(&ask.who, ask.door, &ask.request_id, *error));
            }
        }
        let own = goblin.deadline_ms.map(Duration::from_millis);
        let deadline = [ask.deadline, own].into_iter().flatten().min();
        self.answer_chat(Chat {
            who: ask.who,
            door: ask.door,
            request_id: ask.request_id,
            view,
            ladder,
            route,
            request,
            settings,
            deadline,
            continues: goblin.continue_broken,
            wants: (goblin.cache, own_temperature),
        })
        .await
    }

    /// A chat of which it is known who may answer it: looked up, made, and kept.
    async fn answer_chat(self: &Arc<Self>, chat: Chat) -> Result<AnswerStream, ApiError> {
        let Chat {
            who,
            door,
            request_id,
            view,
            ladder,
            route,
            request,
            settings,
            deadline,
            continues,
            wants,
        } = chat;
        let keep = self.keeper(&who.owner, &request_id);
        let checked = route.is_some().then_some(&settings);
        let named = (&*request.model, ladder.explicit);
        let look = self.look(&who.owner, named, &request, checked, wants);
        self.books.room().await?;
        let meter = Meter::new(self, true, who, door, &request_id);
        let source = match route {
            None => Source::climb(Climb {
                meter: meter.traced(Unchecked::begun(self, &request.model, keep)),
                dispatch: Arc::clone(self),
                view,
                ladder,
                job: Job::Chat(Box::new(request)),
                deadline,
                continues,
            }),
            Some(route) => Source::cascade(Cascading {
                settings: self
                    .within_means(meter.tab(), &ladder, settings.within(deadline))
                    .await?,
                dispatch: Arc::clone(self),
                view,
                ladder,
                route,
                model: request.model.clone(),
                request,
                continues,
                meter,
                keep: Some(keep),
            }),
        };
        Ok(self.through_cache(source, look))
    }

    /// Is a request answered by the cascade? On the backend, all that name no model are; one that names a model is
    /// when it asks to be verified. The model tier checks nothing: who asks it does.
    fn is_checked(&self, ladder: &Ladder, asked_for: bool) -> bool {
        self.store.is_some() && (!ladder.explicit || asked_for)
    }

    /// Answers a chat in core words, from a door of any dialect; `request.model` is the name asked for. The caller's
    /// bytes in [`ChatRequest::raw`] are forwarded to providers that speak their dialect, when a model was named.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub async fn answer_request(
        self: &Arc<Self>,
        who: Who,
        door: &'static str,
        request_id: String,
        mut request: ChatRequest,
        deadline: Option<Duration>,
    ) -> Result<AnswerStream, ApiError> {
        let view = self.table.view_for(&request.model, false).await;
        let Chosen {
            ladder,
            record,
            temperature,
        } = self
            .choose(&view, &Question::bare(&request.model, &request))
            .await
            .map_err(|e| self.unanswered(&who, door, &request_id, e))?;
        let own_temperature = request.sampling.temperature;
        request.sampling.temperature = own_temperature.or(temperature);
        request.automatic = !ladder.explicit;
        let forwards = |dialect: Dialect| {
            let takes = |p: &ProviderHandle| p.forwards == Some(dialect);
            let mut all = ladder
                .candidates
                .iter()
                .map(|offer| view.provider(&offer.provider));
            all.all(|provider| provider.is_some_and(takes))
        };
        // Untouched bytes are for callers who named a model whose provider speaks their dialect.
        if !ladder.explicit
            || !request
                .raw
                .as_ref()
                .is_some_and(|(dialect, _)| forwards(*dialect))
        {
            request.raw = None;
        }
        self.answer_chat(Chat {
            who,
            door,
            request_id,
            route: record.filter(|_| self.is_checked(&ladder, false)),
            settings: self.options.trust.for_plain(&request),
            view,
            ladder,
            request,
            deadline,
            continues: false,
            wants: (None, own_temperature),
        })
        .await
    }

    /// Who can continue a text as it stands as the model `wanted`; nobody where the name lets goblin choose: what is chosen
    /// is checked, and only answers are. Nor where there is no such model, which is for who asks it to be told.
    pub async fn continues(&self, wanted: &str) -> Option<Continuers> {
        if AUTOMATIC.contains(&wanted) {
            return None;
        }
        self.continuers(wanted).await.ok()
    }

    async fn continuers(&self, wanted: &str) -> Result<Continuers, ApiError> {
        let view = self.table.view_for(wanted, false).await;
        let ladder = self.resolve_able(&view, wanted, Ability::Complete)?;
        Ok(Continuers { view, ladder })
    }

    /// Continues a text; `request.model` is the name asked for, `by` who was found to continue texts as that.
    ///
    /// # Errors
    /// As [`Self::answer`]; `invalid_request` naming models that can, when this one cannot.
    pub async fn complete(
        self: &Arc<Self>,
        by: Option<Continuers>,
        who: Who,
        door: &'static str,
        request_id: String,
        request: CompletionRequest,
        deadline: Option<Duration>,
    ) -> Result<AnswerStream, ApiError> {
        let by = match by {
            Some(by) => by,
            None => self
                .continuers(&request.model)
                .await
                .map_err(|e| self.unanswered(&who, door, &request_id, e))?,
        };
        let Continuers { view, ladder } = by;
        let keep = self.keeper(&who.owner, &request_id);
        self.books.room().await?;
        let meter = Meter::new(self, true, who, door, &request_id);
        let source = Source::climb(Climb {
            meter: meter.traced(Unchecked::begun(self, &request.model, keep)),
            dispatch: Arc::clone(self),
            view,
            ladder,
            job: Job::Complete(Box::new(request)),
            deadline,
            continues: false,
        });
        Ok(self.through_cache(source, None))
    }

    /// Nobody was asked: a line of the access log says so, and no usage is kept.
    fn unanswered(&self, who: &Who, door: &str, request_id: &str, error: ApiError) -> ApiError {
        let mut meter = Meter::new(self, false, who.clone(), door, request_id);
        meter.failed(error.code.as_str());
        error
    }
}
