//! A chat's turns from outside: begin one, stop one, read one.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use futures_util::StreamExt;
use goblin_core::attachment::Attachment;
use goblin_core::chat::ChatRequest;
use goblin_core::conversation::{Chat, Turn, TurnStatus};
use goblin_core::error::ApiError;
use goblin_core::origin::Origin;
use goblin_core::owner::Owner;
use goblin_core::route::Ladder;
use goblin_core::turn_event::{Saved, TurnEvent};
use goblin_store::store::Store;
use goblin_store::turn_log::Events;
use goblin_store::turns::{self, Parent};

use crate::Dispatch;
use crate::attachments::{self, Files};
use crate::plan::{Chosen, Question};
use crate::prompt::{self, Asks, Material, Planned};
use crate::runner::{self, Run};

/// How long `stop` waits for the runner to save.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A new question.
#[derive(Clone, Debug, Default)]
pub struct NewTurn {
    /// The question.
    pub content: String,
    /// Ids of the files attached to it, in order.
    pub attachments: Vec<String>,
    /// `None`: after the chat's head. `Some(None)`: a new first turn. `Some(Some(id))`: after that turn.
    pub parent: Option<Option<String>>,
    /// The model; absent = the chat's, else automatic.
    pub model: Option<String>,
    /// Where the question comes from.
    pub origin: Origin,
}

/// A question in another one's place.
#[derive(Clone, Debug, Default)]
pub struct EditedTurn {
    /// The question.
    pub content: String,
    /// Ids of its files; absent = those of the question before.
    pub attachments: Option<Vec<String>>,
    /// The model; absent = the chat's, else automatic.
    pub model: Option<String>,
    /// Where the question comes from.
    pub origin: Origin,
}

/// A question whose place in its chat is known.
struct Asked {
    parent: Option<String>,
    content: String,
    attachments: Vec<Attachment>,
    model: Option<String>,
    origin: Origin,
    /// Another answer is wanted than the one that is there.
    anew: bool,
}

impl Dispatch {
    /// Asks a new question in a chat and starts its answer; the turn's id is returned as soon as the question
    /// is saved.
    ///
    /// # Errors
    /// `not_found` for the chat, the parent or an attachment, route errors, `context_length_exceeded`,
    /// `payload_too_large` for files, `unavailable` while draining.
    pub async fn create_turn(
        self: &Arc<Self>,
        owner: &Owner,
        chat_id: &str,
        new: NewTurn,
    ) -> Result<String, ApiError> {
        let store = self.chat_store()?;
        let chat = find_chat(store, owner, chat_id).await?;
        let parent = match new.parent {
            None => chat.head.clone(),
            Some(parent) => parent,
        };
        if let Some(id) = &parent {
            let turn = find_turn(store, owner, id).await?;
            if turn.chat_id != chat.id {
                return Err(ApiError::invalid(
                    "parent",
                    "The turn named as `parent` is in another chat.",
                ));
            }
        }
        let question = Asked {
            parent,
            content: new.content,
            attachments: store.list_attachments(owner, &new.attachments).await?,
            model: new.model,
            origin: new.origin,
            anew: false,
        };
        self.begin(owner, chat, question).await
    }

    /// Answers a turn's question again, as a sibling.
    ///
    /// # Errors
    /// As [`Self::create_turn`].
    pub async fn regenerate_turn(
        self: &Arc<Self>,
        owner: &Owner,
        turn_id: &str,
        model: Option<String>,
        origin: Origin,
    ) -> Result<String, ApiError> {
        let store = self.chat_store()?;
        let turn = find_turn(store, owner, turn_id).await?;
        let chat = find_chat(store, owner, &turn.chat_id).await?;
        let question = Asked {
            parent: turn.parent,
            content: turn.content,
            attachments: turn.attachments,
            model,
            origin,
            anew: true,
        };
        self.begin(owner, chat, question).await
    }

    /// Asks another question in a turn's place, as a sibling.
    ///
    /// # Errors
    /// As [`Self::create_turn`].
    pub async fn edit_turn(
        self: &Arc<Self>,
        owner: &Owner,
        turn_id: &str,
        edited: EditedTurn,
    ) -> Result<String, ApiError> {
        let store = self.chat_store()?;
        let turn = find_turn(store, owner, turn_id).await?;
        let chat = find_chat(store, owner, &turn.chat_id).await?;
        let attachments = match edited.attachments {
            None => turn.attachments,
            Some(ids) => store.list_attachments(owner, &ids).await?,
        };
        let question = Asked {
            parent: turn.parent,
            content: edited.content,
            attachments,
            model: edited.model,
            origin: edited.origin,
            anew: false,
        };
        self.begin(owner, chat, question).await
    }

    /// Stops a turn; what was there is kept. A turn that has ended is returned as it is.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn stop_turn(&self, owner: &Owner, turn_id: &str) -> Result<Turn, ApiError> {
        let store = self.chat_store()?;
        let turn = find_turn(store, owner, turn_id).await?;
        if turn.status != TurnStatus::Streaming {
            return Ok(turn);
        }
        let Some(mut events) = self.turn_log.subscribe(turn_id, 0).await else {
            return Ok(self.settled(store, owner, turn).await);
        };
        self.turn_log.request_stop(turn_id).await;
        let saved = async { while events.next().await.is_some() {} };
        // Not in time: it is told as it is, and its runner goes on trying.
        let _in_time = tokio::time::timeout(STOP_WAIT, saved).await;
        find_turn(store, owner, turn_id).await
    }

    /// Deletes a chat and stops the answers it is being given. It can be restored for a while, with what was answered.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete_chat(&self, owner: &Owner, chat_id: &str) -> Result<(), ApiError> {
        let store = self.chat_store()?;
        store.delete_chat(owner, chat_id).await?;
        for turn_id in self.open_turns.of_chat(chat_id) {
            self.turn_log.request_stop(&turn_id).await;
        }
        Ok(())
    }

    /// The process ends: every running turn ends as incomplete, with what it has.
    pub fn cut_turns(&self) {
        self.cut.cancel();
    }

    /// A turn read as running: ended, when nobody here answers it.
    async fn settled(&self, store: &Store, owner: &Owner, turn: Turn) -> Turn {
        let running = self.open_turns.is_open(&turn.id) || turn.status != TurnStatus::Streaming;
        if running {
            turn
        } else {
            runner::settle(store, owner, turn).await
        }
    }

    /// A turn's events after index `after`: replayed, then live, then over. When the log is gone: one snapshot.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn turn_events(
        self: &Arc<Self>,
        owner: &Owner,
        turn_id: &str,
        after: u64,
    ) -> Result<Events, ApiError> {
        let store = self.chat_store()?;
        let turn = find_turn(store, owner, turn_id).await?;
        let events = self.turn_log.subscribe(turn_id, after).await;
        let (store, owner, dispatch) = (store.clone(), owner.clone(), Arc::clone(self));
        Ok(Box::pin(stream! {
            let mut seen = after;
            if let Some(mut events) = events {
                while let Some((index, event)) = events.next().await {
                    seen = index;
                    let last = event.is_last();
                    yield (index, event);
                    if last {
                        return;
                    }
                }
            }
            // The log is gone, or ended without a last event: what is saved now is the whole turn.
            match find_turn(&store, &owner, &turn.id).await {
                Ok(turn) => {
                    let turn = Box::new(dispatch.settled(&store, &owner, turn).await);
                    yield (seen.saturating_add(1), Arc::new(TurnEvent::Snapshot(Saved { turn })));
                }
                Err(error) => tracing::warn!(%error, turn = turn.id, "a turn could not be read for a snapshot"),
            }
        }))
    }

    /// Begins a turn in a task of its own: a caller who leaves meanwhile only stops listening.
    async fn begin(self: &Arc<Self>, owner: &Owner, chat: Chat, question: Asked) -> Result<String, ApiError> {
        let (this, owner) = (Arc::clone(self), owner.clone());
        let begun = async move { this.begin_here(&owner, chat, question).await };
        let begun = self.tracker.spawn(begun).await;
        begun.unwrap_or_else(|_| Err(ApiError::internal("the task beginning a turn panicked")))
    }

    async fn begin_here(
        self: &Arc<Self>,
        owner: &Owner,
        chat: Chat,
        question: Asked,
    ) -> Result<String, ApiError> {
        let Asked {
            parent,
            content,
            attachments,
            model,
            origin,
            anew,
        } = question;
        let _beginning = self.open_turns.begin();
        if self.draining.is_cancelled() {
            return Err(ApiError::unavailable(
                "The server is shutting down. Ask again in a moment.",
            ));
        }
        let store = self.chat_store()?;
        let wanted = model
            .or_else(|| chat.model.clone())
            .unwrap_or_else(|| "goblin".to_owned());
        let view = self.table.view_for(&wanted, false).await;
        let before = before(store, owner, parent.as_deref(), &attachments).await?;
        let material = Material {
            chat: &chat,
            path: &before.path,
            question: Asks {
                text: &content,
                attachments: &attachments,
            },
            files: &before.files,
        };
        let whole = material.request(0);
        let Chosen {
            ladder,
            record,
            temperature,
        } = self
            .choose(&view, &Question::bare(&wanted, &whole))
            .await
            .map_err(|error| attachments::of_attachments(error, &attachments))?;
        let mut rungs: Vec<_> = ladder
            .candidates
            .into_iter()
            .filter_map(|offer| {
                view.provider(&offer.provider)
                    .cloned()
                    .map(|handle| (offer, handle))
            })
            .collect();
        let Planned { request, left_out } = prompt::plan(material, &mut rungs).await?;
        let mut request = ChatRequest { origin, ..request };
        request.sampling.temperature = request.sampling.temperature.or(temperature);
        request.automatic = !ladder.explicit;
        let left_out = left_out.saturating_add(before.older);
        let ladder = Ladder {
            rungs: ladder.rungs.min(rungs.len()),
            candidates: rungs.into_iter().map(|(o, _)| o).collect(),
            explicit: ladder.explicit,
            alias: ladder.alias,
        };
        let parent = parent.map_or(Parent::Root, Parent::Turn);
        let new = turns::NewTurn {
            chat: chat.id,
            parent,
            content,
            attachments: attachments.into_iter().map(|file| file.id).collect(),
            model: None,
            left_out,
        };
        let (turn, chat) = store.insert_turn(owner, new).await?;
        let turn_id = turn.id.clone();
        let log = match self.turn_log.begin(&turn.id) {
            Ok(log) => log,
            Err(full) => {
                let error =
                    ApiError::rate_limited("Too many answers are being made. Try again soon.", STOP_WAIT);
                runner::refuse(store, owner, &turn, &error).await;
                return Err(ApiError {
                    internal: Some(full.to_string()),
                    ..error
                });
            }
        };
        self.open_turns.open(&turn_id, &chat.id);
        let run = Run {
            owner: owner.clone(),
            store: store.clone(),
            turn,
            chat,
            log,
            view,
            ladder,
            route: record,
            model: wanted,
            request,
            anew,
        };
        self.tracker.spawn(runner::run(Arc::clone(self), run));
        Ok(turn_id)
    }

    fn chat_store(&self) -> Result<&Store, ApiError> {
        self.store.as_ref().ok_or_else(|| ApiError::not_found("path"))
    }
}

/// What a prompt is made of beside its question.
struct Before {
    /// The turns from the root down to the parent.
    path: Vec<Turn>,
    /// How many more there are above them.
    older: u32,
    /// The files of all of them and of the question.
    files: Files,
}

async fn before(
    store: &Store,
    owner: &Owner,
    parent: Option<&str>,
    asked: &[Attachment],
) -> Result<Before, ApiError> {
    let (mut path, mut older) = (Vec::new(), 0);
    if let Some(parent) = parent {
        let above = store.list_path(owner, parent).await?;
        (path, older) = (above.turns, above.older);
        path.push(find_turn(store, owner, parent).await?);
    }
    let too_old = attachments::too_old(&path, asked)?;
    path.drain(..too_old);
    Ok(Before {
        older: older.saturating_add(u32::try_from(too_old).unwrap_or(u32::MAX)),
        files: attachments::load(store, owner, &path, asked).await?,
        path,
    })
}

async fn find_chat(store: &Store, owner: &Owner, id: &str) -> Result<Chat, ApiError> {
    store
        .find_chat(owner, id)
        .await?
        .ok_or_else(|| ApiError::not_found("chat"))
}

async fn find_turn(store: &Store, owner: &Owner, id: &str) -> Result<Turn, ApiError> {
    store
        .find_turn(owner, id)
        .await?
        .ok_or_else(|| ApiError::not_found("turn"))
}
