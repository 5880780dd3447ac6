//! Several models: they answer side by side, make room for each other, and leave when nobody comes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, KeepAlive};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::id::Ids;
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{ChatStream, Health, ProviderError, ProviderHandle};
use goblin_engine::{OnOffer, READ_AGAIN, Resident, ResidentOptions, SWAP_AFTER};

use crate::models::{Answer, HANG, answer, ask, collect, gemma_file, starter_file};

const SMOL: &str = "smol";
const GEMMA: &str = "gemma";
/// Either model alone, not both.
const FOR_ONE: u64 = 350_000_000;
const FOR_BOTH: u64 = 2_000_000_000;
/// One second more than an idle model is kept.
const LONG_MS: i64 = 1_801_000;

/// Models, a clock moved by hand, and a list that can be changed.
struct Place {
    models: Resident,
    handle: ProviderHandle,
    clock: Clock,
    list: Arc<Mutex<Vec<OnOffer>>>,
}

fn on_offer(name: &str, path: &Path) -> OnOffer {
    OnOffer {
        name: name.to_owned(),
        path: path.to_owned(),
        digest: None,
        starter: false,
    }
}

fn both() -> Vec<OnOffer> {
    vec![on_offer(SMOL, &starter_file()), on_offer(GEMMA, &gemma_file())]
}

impl Place {
    fn open(list: Vec<OnOffer>, memory_bytes: u64) -> Self {
        let list = Arc::new(Mutex::new(list));
        let clock = Clock::manual(Timestamp(1_000_000));
        let options = ResidentOptions {
            threads: Some(1),
            context_tokens: Some(512),
            sequences: Some(2),
            gpu_layers: None,
            memory_bytes: Some(memory_bytes),
            max_models: 3,
            idle_unload: Some(Duration::from_secs(1800)),
            clock: clock.clone(),
        };
        let read = Arc::clone(&list);
        let read = Arc::new(move || Ok(read.lock().expect("not poisoned").clone()));
        let models = Resident::open(options, read, Ids::counting()).expect("the CPU is new enough");
        Self {
            handle: models.handle(),
            models,
            clock,
            list,
        }
    }

    async fn info(&self, name: &str) -> Option<ModelInfo> {
        let status = (self.handle.status)().await;
        status.models.into_iter().find(|m| m.name == name)
    }

    async fn state(&self, name: &str) -> ModelState {
        self.info(name).await.expect("it is on offer").state
    }

    /// Waits until `name` is as wanted.
    async fn until(&self, name: &str, wanted: ModelState) {
        let wait = async {
            while self.info(name).await.is_none_or(|m| m.state != wanted) {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(HANG, wait).await;
        reached.unwrap_or_else(|_| panic!("{name} never was {wanted:?}"));
    }

    async fn manage(&self, action: Action) -> Result<Outcome, ProviderError> {
        let manage = self.handle.manage.as_ref().expect("it can be managed");
        tokio::time::timeout(HANG, manage(action))
            .await
            .expect("it hangs")
    }

    /// An answer that goes on until it is stopped, or for `tokens`.
    async fn long(&self, model: &str, tokens: Option<u32>) -> ChatStream {
        let mut request = to(model, "Go on.");
        request.sampling.max_tokens = tokens;
        // A comma for ever, in both vocabularies a token that does not end.
        request.sampling.logit_bias = vec![(28, 100.0)];
        let begun = tokio::time::timeout(HANG, (self.handle.chat)(request)).await;
        begun.expect("no place").expect("a place is free")
    }
}

fn to(model: &str, text: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        ..ask(text)
    }
}

async fn next_text(stream: &mut ChatStream) {
    let wait = async {
        while let Some(event) = stream.next().await {
            if matches!(event.expect("no error").parsed, Parsed::Text { .. }) {
                return;
            }
        }
        panic!("the answer ended");
    };
    tokio::time::timeout(HANG, wait).await.expect("no text came");
}

fn unavailable(result: Result<Answer, ProviderError>) -> String {
    match result {
        Err(ProviderError::Unavailable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_is_on_offer_with_what_it_says_before_anything_is_loaded() {
    let place = Place::open(both(), FOR_BOTH);
    let smol = place.info(SMOL).await.unwrap();
    assert_eq!(
        (smol.state, smol.context_window),
        (ModelState::Available, Some(512))
    );
    assert_eq!(
        (
            smol.size_bytes,
            smol.memory_bytes,
            smol.slots,
            smol.trained_context
        ),
        (Some(98_362_432), None, Some(2), Some(8192))
    );
    assert_eq!(
        (smol.family.as_deref(), smol.quantization.as_deref()),
        (Some("llama"), Some("Q4_1"))
    );
    assert!(smol.can(Capability::Chat) && smol.can(Capability::Decide) && !smol.can(Capability::Embed));
    assert_eq!(place.info(GEMMA).await.unwrap().family.as_deref(), Some("gemma3"));
    let Ok(Outcome::Described(told)) = place
        .manage(Action::Show {
            model: SMOL.to_owned(),
            verbose: false,
        })
        .await
    else {
        panic!("it cannot be described")
    };
    assert_eq!(told["details"]["parameter_size"], "135M");
    assert_eq!(told["model_info"]["llama.block_count"], 30);
    assert!(told["template"].as_str().unwrap().contains("<|im_start|>"));
    assert_eq!(
        place.state(SMOL).await,
        ModelState::Available,
        "describing loads nothing"
    );
    place.models.shutdown();
    assert!(matches!((place.handle.status)().await.health, Health::Down(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_models_are_in_memory_and_answer_side_by_side() {
    let place = Place::open(both(), FOR_BOTH);
    let mut smol = place.long(SMOL, None).await;
    next_text(&mut smol).await;
    // The first goes on for ever, so the second can only come in between.
    let said = answer(&place.handle, to(GEMMA, "The sky is")).await.unwrap();
    assert!(said.usage.completion_tokens > 0);
    next_text(&mut smol).await;
    let status = (place.handle.status)().await;
    assert_eq!(status.health, Health::Ok);
    assert!(
        status
            .models
            .iter()
            .all(|m| m.state == ModelState::Loaded && m.memory_bytes.is_some())
    );
    assert_eq!((status.slots, status.free_slots), (Some(4), Some(3)));
    place.models.shutdown();
    let cut = collect(smol).await;
    assert!(matches!(cut, Err(ProviderError::Interrupted { .. })), "{cut:?}");
    assert!(answer(&place.handle, to(SMOL, "Hi")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_room_for_one_the_other_waits_for_the_answer_and_then_takes_its_place() {
    let place = Place::open(both(), FOR_ONE);
    let mut smol = place.long(SMOL, Some(60)).await;
    next_text(&mut smol).await;
    let mut wanted = Box::pin(answer(&place.handle, to(GEMMA, "The sky is")));
    assert!(futures_util::poll!(&mut wanted).is_pending());
    next_text(&mut smol).await;
    assert_eq!(place.state(SMOL).await, ModelState::Loaded, "it is answering");
    assert_ne!(place.state(GEMMA).await, ModelState::Loaded);
    // Both are looked at: the answer that was under way is whole before the other begins.
    let (whole, said) = tokio::join!(collect(smol), wanted);
    let whole = whole.unwrap();
    assert_eq!(
        (whole.finish, whole.usage.completion_tokens),
        (Some(FinishReason::Length), 60)
    );
    assert!(said.unwrap().usage.completion_tokens > 0);
    assert_eq!(place.state(GEMMA).await, ModelState::Loaded);
    assert_eq!(place.state(SMOL).await, ModelState::Available);
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_has_waited_long_goes_before_those_who_come_for_the_busy_model() {
    let place = Place::open(both(), FOR_ONE);
    let mut smol = place.long(SMOL, None).await;
    next_text(&mut smol).await;
    let mut patient = Box::pin(answer(&place.handle, to(GEMMA, "The sky is")));
    assert!(futures_util::poll!(&mut patient).is_pending());
    place
        .clock
        .advance_ms(i64::try_from(SWAP_AFTER.as_millis()).unwrap() + 1);
    // From now on, or from the keeper's next look at the clock on, the busy model begins nothing new: a newcomer is
    // answered before the patient one at most as often as it takes the keeper to look.
    let mut overtaken = None;
    let shut = async {
        while overtaken.is_none() {
            let mut newcomer = Box::pin(answer(&place.handle, to(SMOL, "Hi")));
            tokio::select! {
                biased;
                answered = &mut newcomer => assert!(answered.is_ok(), "{answered:?}"),
                () = next_texts(&mut smol, 40) => overtaken = Some(newcomer),
            };
        }
    };
    let reached = tokio::time::timeout(HANG, shut).await;
    reached.expect("newcomers go on overtaking");
    let newcomer = overtaken.expect("one waits");
    drop(smol);
    let order = Mutex::new(Vec::new());
    let (first, second) = tokio::join!(
        async {
            let said = patient.await;
            order.lock().unwrap().push(GEMMA);
            said
        },
        async {
            let said = newcomer.await;
            order.lock().unwrap().push(SMOL);
            said
        }
    );
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(*order.lock().unwrap(), [GEMMA, SMOL]);
    place.models.shutdown();
}

async fn next_texts(stream: &mut ChatStream, count: usize) {
    for _ in 0..count {
        next_text(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_share_a_load_and_one_who_leaves_does_not_end_it() {
    let place = Place::open(both(), FOR_BOTH);
    let mut first = Box::pin(answer(&place.handle, to(SMOL, "One")));
    let second = answer(&place.handle, to(SMOL, "Two"));
    let mut second = Box::pin(second);
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert!(second.await.is_ok());
    // All leave while it is on its way: nothing is broken.
    let mut alone = Box::pin(answer(&place.handle, to(GEMMA, "Three")));
    assert!(futures_util::poll!(&mut alone).is_pending());
    drop(alone);
    assert!(answer(&place.handle, to(GEMMA, "Four")).await.is_ok());
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_models_leave_and_the_default_one_stays() {
    let place = Place::open(both(), FOR_BOTH);
    place.models.bring_up(vec![SMOL.to_owned()]).await;
    assert_eq!((place.handle.status)().await.models[0].name, SMOL);
    answer(&place.handle, to(GEMMA, "The sky is")).await.unwrap();
    place.clock.advance_ms(LONG_MS);
    place.until(GEMMA, ModelState::Available).await;
    assert_eq!(place.state(SMOL).await, ModelState::Loaded);
    // A request may say otherwise.
    let mut briefly = to(SMOL, "Hi");
    briefly.keep_alive = Some(KeepAlive::For(Duration::ZERO));
    answer(&place.handle, briefly).await.unwrap();
    place.until(SMOL, ModelState::Available).await;
    let mut forever = to(GEMMA, "The sky is");
    forever.keep_alive = Some(KeepAlive::Forever);
    answer(&place.handle, forever).await.unwrap();
    let mut shortly = to(SMOL, "Hi");
    shortly.keep_alive = Some(KeepAlive::For(Duration::from_secs(5)));
    answer(&place.handle, shortly).await.unwrap();
    place.clock.advance_ms(LONG_MS);
    place.until(SMOL, ModelState::Available).await;
    assert_eq!(place.state(GEMMA).await, ModelState::Loaded);
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_does_not_load_is_told_and_the_others_go_on_answering() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(starter_file()).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        on_offer(name.trim_end_matches(".gguf"), &path)
    };
    let mut altered = whole.clone();
    for at in 0..4091 {
        if &altered[at..at + 5] == b"llama" {
            altered[at..at + 5].copy_from_slice(b"lumpa");
        }
    }
    let mut list = both();
    list.push(write("cut.gguf", &whole[..whole.len() / 2]));
    list.push(write("lumpa.gguf", &altered));
    let place = Place::open(list, FOR_BOTH);
    let mut smol = place.long(SMOL, None).await;
    next_text(&mut smol).await;
    assert_eq!(place.state("cut").await, ModelState::Down);
    let cut = unavailable(answer(&place.handle, to("cut", "Hi")).await);
    assert!(cut.contains("truncated"), "{cut}");
    // Only llama.cpp finds out about this one.
    assert_eq!(place.state("lumpa").await, ModelState::Available);
    let lumpa = unavailable(answer(&place.handle, to("lumpa", "Hi")).await);
    assert!(lumpa.contains("lumpa"), "{lumpa}");
    assert_eq!(place.state("lumpa").await, ModelState::Down);
    assert_eq!((place.handle.status)().await.health, Health::Ok);
    next_text(&mut smol).await;
    let unknown = answer(&place.handle, to("absent", "Hi")).await;
    assert!(
        matches!(unknown, Err(ProviderError::ModelNotFound { .. })),
        "{unknown:?}"
    );
    // At the start the next one takes its place.
    place
        .models
        .bring_up(vec!["lumpa".to_owned(), GEMMA.to_owned()])
        .await;
    assert_eq!(place.state(GEMMA).await, ModelState::Loaded);
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fits_nowhere_is_refused_with_both_numbers() {
    let place = Place::open(both(), 200_000_000);
    let refused = unavailable(answer(&place.handle, to(GEMMA, "The sky is")).await);
    assert!(
        refused.contains("253113024") && refused.contains("200000000"),
        "{refused}"
    );
    assert_eq!(place.state(GEMMA).await, ModelState::Down);
    assert!(answer(&place.handle, to(SMOL, "Hi")).await.is_ok());
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_and_go_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("copy.gguf");
    std::fs::copy(starter_file(), &file).unwrap();
    let place = Place::open(vec![on_offer("copy", &file)], FOR_BOTH);
    let mut copy = place.long("copy", Some(80)).await;
    next_text(&mut copy).await;
    std::fs::remove_file(&file).unwrap();
    place.list.lock().unwrap().push(on_offer(GEMMA, &gemma_file()));
    assert!(
        place.info(GEMMA).await.is_none(),
        "the list is not read for every question"
    );
    place
        .clock
        .advance_ms(i64::try_from(READ_AGAIN.as_millis()).unwrap());
    assert_eq!(place.state(GEMMA).await, ModelState::Available);
    assert!(place.info("copy").await.is_none());
    let refused = answer(&place.handle, to("copy", "Hi")).await;
    assert!(
        matches!(refused, Err(ProviderError::ModelNotFound { .. })),
        "{refused:?}"
    );
    assert_eq!(
        collect(copy).await.unwrap().usage.completion_tokens,
        80,
        "what was under way ends well"
    );
    place.models.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_brought_in_and_taken_out_by_hand() {
    let place = Place::open(both(), FOR_BOTH);
    let load = |model: &str| Action::Load {
        model: model.to_owned(),
        keep_alive: None,
    };
    let unload = |model: &str| Action::Unload {
        model: model.to_owned(),
    };
    assert!(matches!(place.manage(load(GEMMA)).await, Ok(Outcome::Done)));
    assert_eq!(place.state(GEMMA).await, ModelState::Loaded);
    assert!(matches!(place.manage(unload(GEMMA)).await, Ok(Outcome::Done)));
    assert_eq!(place.state(GEMMA).await, ModelState::Available);
    assert!(
        matches!(place.manage(unload(GEMMA)).await, Ok(Outcome::Done)),
        "it is out already"
    );
    let mut smol = place.long(SMOL, None).await;
    next_text(&mut smol).await;
    assert!(matches!(place.manage(unload(SMOL)).await, Ok(Outcome::Done)));
    next_text(&mut smol).await;
    assert_eq!(
        place.state(SMOL).await,
        ModelState::Loaded,
        "it leaves after its answer"
    );
    drop(smol);
    place.until(SMOL, ModelState::Available).await;
    let absent = place.manage(load("absent")).await;
    assert!(matches!(absent, Err(ProviderError::ModelNotFound { .. })));
    let refused = place
        .manage(Action::Delete {
            model: SMOL.to_owned(),
        })
        .await;
    let Err(ProviderError::Rejected { message, .. }) = refused else {
        panic!("it was deleted")
    };
    assert!(message.contains("goblin models rm"), "{message}");
    place.models.shutdown();
}
