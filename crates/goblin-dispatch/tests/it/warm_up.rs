//! The roster: kept in memory as long as its roles want, and brought there at the start without getting in the way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, KeepAlive};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::roster::{Role, Roster, keep_alive_of};
use goblin_core::tier_status::InstanceState;
use goblin_dispatch::warm_up::FreeMemory;
use goblin_dispatch::{Dispatch, Options};
use tokio::sync::{mpsc, oneshot};

use crate::house::{Scripted, model, read, scripted, soon};
use crate::log::Lines;
use crate::tier::{ask, saying, tier, verdict, who};

fn roster(models: &[(&str, Option<u64>)]) -> Options {
    let role = |(n, (name, seconds)): (usize, &(&str, Option<u64>))| Role {
        role: format!("role-{n}"),
        reference: (*name).to_owned(),
        names: vec![(*name).to_owned()],
        keep_alive: keep_alive_of(seconds.map(Duration::from_secs)),
    };
    Options {
        roster: Roster::new(models.iter().enumerate().map(role)),
        ..Options::default()
    }
}

/// A server that loads models when it is told to, each as soon as the test lets it.
struct Shelf {
    scripted: Scripted,
    models: Arc<Mutex<Vec<ModelInfo>>>,
    loads: mpsc::UnboundedSender<Loading>,
}

/// A model that is being loaded.
struct Loading {
    model: String,
    keep_alive: Option<KeepAlive>,
    done: oneshot::Sender<Result<(), ProviderError>>,
}

impl Shelf {
    fn with(names: &[&str]) -> (Self, mpsc::UnboundedReceiver<Loading>) {
        let out = |name: &&str| ModelInfo {
            state: ModelState::Available,
            size_bytes: Some(1 << 30),
            ..model(name)
        };
        let models: Vec<ModelInfo> = names.iter().map(out).collect();
        let (scripted, _calls) = scripted("shelf", Some(1));
        scripted.offers(models.clone());
        let (loads, loading) = mpsc::unbounded_channel();
        let shelf = Self {
            scripted,
            models: Arc::new(Mutex::new(models)),
            loads,
        };
        (shelf, loading)
    }

    fn holds(&self, name: &str, held: bool) {
        let mut models = self.models.lock().unwrap();
        let state = if held {
            ModelState::Loaded
        } else {
            ModelState::Available
        };
        models.iter_mut().find(|m| m.name == name).unwrap().state = state;
        self.scripted.offers(models.clone());
    }

    /// Lets the load end well.
    fn lets(&self, loading: Loading) {
        self.holds(&loading.model, true);
        loading.done.send(Ok(())).unwrap();
    }

    fn handle(&self) -> ProviderHandle {
        let loads = self.loads.clone();
        ProviderHandle {
            manage: Some(Arc::new(move |action| {
                let Action::Load { model, keep_alive } = action else {
                    panic!("only loads are expected");
                };
                let (done, ended) = oneshot::channel();
                let _ = loads.send(Loading {
                    model,
                    keep_alive,
                    done,
                });
                Box::pin(async move { ended.await.unwrap().map(|()| Outcome::Done) })
            })),
            ..self.scripted.handle()
        }
    }
}

fn begin(tier: &Arc<Dispatch>, free: Option<u64>) -> tokio::task::JoinHandle<()> {
    let free: FreeMemory = Arc::new(move |_| free);
    tokio::spawn(Arc::clone(tier).warm_up(free))
}

async fn state(tier: &Dispatch, name: &str) -> InstanceState {
    let status = tier.tier_status().await;
    status.instances.iter().find(|i| i.model == name).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn the_roster_is_loaded_one_by_one_in_its_order_and_the_status_shows_it() {
    let (shelf, mut loads) = Shelf::with(&["other", "second", "first"]);
    let tier = tier(
        vec![shelf.handle()],
        roster(&[("first", Some(60)), ("second", None)]),
    );
    let warming = begin(&tier, None);
    let first = soon(loads.recv()).await.unwrap();
    assert_eq!(
        (&*first.model, first.keep_alive),
        ("first", Some(KeepAlive::For(Duration::from_secs(60))))
    );
    assert_eq!(state(&tier, "first").await, InstanceState::Loading);
    assert_eq!(state(&tier, "second").await, InstanceState::Waiting);
    assert!(loads.try_recv().is_err(), "one at a time");
    shelf.lets(first);
    let second = soon(loads.recv()).await.unwrap();
    assert_eq!(
        (&*second.model, second.keep_alive),
        ("second", Some(KeepAlive::Forever))
    );
    assert_eq!(state(&tier, "first").await, InstanceState::Loaded);
    shelf.lets(second);
    soon(warming).await.unwrap();
    assert!(
        loads.try_recv().is_err(),
        "what is not in the roster is left alone"
    );
    let told = tier.tier_status().await.instances;
    let first = told.iter().find(|i| i.model == "first").unwrap();
    assert_eq!(
        (&*first.roles, first.keep_alive_seconds),
        (&["role-0".to_owned()][..], Some(60))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_for_another_model_goes_first_and_the_load_is_tried_again() {
    let (shelf, mut loads) = Shelf::with(&["wanted", "warm"]);
    let (scripted, mut calls) = scripted("shelf", Some(1));
    let shelf = Shelf { scripted, ..shelf };
    shelf.holds("wanted", true);
    let tier = tier(vec![shelf.handle()], roster(&[("warm", Some(60))]));
    let _warming = begin(&tier, None);
    let mut broken_off = soon(loads.recv()).await.unwrap();
    let mut stream = ask(&tier, "a", saying("wanted", "now")).await.unwrap();
    assert!(futures_util::poll!(stream.next()).is_pending());
    let reader = tokio::spawn(read(stream));
    let call = soon(calls.recv()).await.unwrap();
    soon(broken_off.done.closed()).await;
    assert!(loads.try_recv().is_err(), "not while the server is busy");
    call.text("here");
    call.finish();
    soon(reader).await.unwrap();
    let again = soon(loads.recv()).await.unwrap();
    assert_eq!(again.model, "warm");
    let mut same = ask(&tier, "a", saying("warm", "the same")).await.unwrap();
    assert!(futures_util::poll!(same.next()).is_pending());
    tokio::task::yield_now().await;
    assert!(
        !again.done.is_closed(),
        "a request for the model itself waits for it"
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_passed_over_and_what_is_absent_is_told_with_the_command() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let (shelf, mut loads) = Shelf::with(&["large", "small"]);
    shelf.models.lock().unwrap()[0].size_bytes = Some(64 << 30);
    shelf.holds("small", false);
    let models = [("large", None), ("missing:7b", None), ("small", None)];
    let tier = tier(vec![shelf.handle()], roster(&models));
    let warming = begin(&tier, Some(4 << 30));
    let only = soon(loads.recv()).await.unwrap();
    assert_eq!(only.model, "small");
    shelf.lets(only);
    soon(warming).await.unwrap();
    let said = lines.text();
    assert!(said.contains("would not fit into memory"), "{said}");
    assert!(said.contains("goblin models pull missing:7b"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_pushes_a_model_out_is_given_no_more() {
    let (shelf, mut loads) = Shelf::with(&["a", "b", "c"]);
    let tier = tier(
        vec![shelf.handle()],
        roster(&[("a", None), ("b", None), ("c", None)]),
    );
    let warming = begin(&tier, None);
    let a = soon(loads.recv()).await.unwrap();
    shelf.lets(a);
    let b = soon(loads.recv()).await.unwrap();
    shelf.holds("a", false);
    shelf.lets(b);
    soon(warming).await.unwrap();
    assert!(loads.try_recv().is_err(), "c is left out");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_cannot_be_loaded_does_not_stop_the_others() {
    let (shelf, mut loads) = Shelf::with(&["bad", "good"]);
    let tier = tier(vec![shelf.handle()], roster(&[("bad", None), ("good", None)]));
    let warming = begin(&tier, None);
    let bad = soon(loads.recv()).await.unwrap();
    let broken = ProviderError::Broken {
        reason: "its file is cut".into(),
    };
    bad.done.send(Err(broken)).unwrap();
    let good = soon(loads.recv()).await.unwrap();
    assert_eq!(good.model, "good");
    shelf.lets(good);
    soon(warming).await.unwrap();
}

/// What each kind of request said of `keep_alive`.
type Kept = Arc<Mutex<Vec<Option<KeepAlive>>>>;

fn noting(handle: ProviderHandle, kept: &Kept) -> ProviderHandle {
    let [embeds, decides, completes] = std::array::from_fn(|_| Arc::clone(kept));
    let nothing = || {
        Err(ProviderError::Unavailable {
            reason: "it only listens".into(),
        })
    };
    ProviderHandle {
        embed: Some(Arc::new(move |request: EmbedRequest| {
            embeds.lock().unwrap().push(request.keep_alive);
            Box::pin(async { Ok(EmbedResponse::default()) })
        })),
        decide: Some(Arc::new(move |request: DecideRequest| {
            decides.lock().unwrap().push(request.keep_alive);
            Box::pin(async {
                Ok(DecideResponse {
                    decisions: vec![],
                    ..DecideResponse::default()
                })
            })
        })),
        complete: Some(Arc::new(move |request: CompletionRequest| {
            completes.lock().unwrap().push(request.keep_alive);
            Box::pin(async move { nothing() })
        })),
        ..handle
    }
}

#[tokio::test]
async fn a_request_that_does_not_say_keeps_its_model_as_long_as_its_role_wants() {
    let (provider, mut calls) = scripted("one", None);
    provider.offers(vec![
        ModelInfo {
            capabilities: vec![
                Capability::Chat,
                Capability::Embed,
                Capability::Decide,
                Capability::Complete,
            ],
            ..model("judge:latest")
        },
        model("other"),
    ]);
    let kept = Kept::default();
    let tier = tier(
        vec![noting(provider.handle(), &kept)],
        roster(&[("judge", Some(60)), ("judge", Some(1800))]),
    );
    let role = Some(KeepAlive::For(Duration::from_secs(1800)));
    let own = Some(KeepAlive::For(Duration::from_secs(1)));
    let explicit = ChatRequest {
        keep_alive: own,
        ..saying("judge", "hi")
    };
    for (request, expected) in [
        (saying("judge", "hi"), role),
        (verdict("judge", "is it so?"), role),
        (explicit, own),
        (saying("other", "hi"), None),
    ] {
        let reader = tokio::spawn(read(ask(&tier, "a", request).await.unwrap()));
        let call = soon(calls.recv()).await.unwrap();
        assert_eq!(call.request.keep_alive, expected);
        call.text("yes");
        call.finish();
        soon(reader).await.unwrap();
    }
    let embed = EmbedRequest {
        model: "judge".into(),
        inputs: vec!["text".into()],
        ..EmbedRequest::default()
    };
    tier.embed(who("a"), embed, None).await.result.unwrap();
    let decide = DecideRequest {
        model: "judge".into(),
        ..DecideRequest::default()
    };
    tier.decide(who("a"), decide, None).await.unwrap();
    let complete = CompletionRequest {
        model: "judge".into(),
        prompt: "once".into(),
        ..CompletionRequest::default()
    };
    let stream = tier
        .complete(None, who("a"), "tier", "r1".into(), complete, None)
        .await
        .unwrap();
    assert!(read(stream).await.2.is_some());
    assert_eq!(*kept.lock().unwrap(), [role, role, role]);
}
