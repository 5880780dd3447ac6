//! Two models that answer, one elsewhere, and two judges, all by hand; and a client that reads what comes.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use goblin_core::decide::{
    DecideCost, DecideMethod, DecideRequest, DecideResponse, Decision, OptionProbability,
};
use goblin_core::error::ApiError;
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::owner::Owner;
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::Trace;
use goblin_core::trust::Settings;
use goblin_core::trust::window::Windows;
use goblin_core::wire::openai::parse_chat_request;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, AnswerStream, Ask, Refused, Who};
use goblin_dispatch::cascade::Trust;
use tokio::sync::{mpsc, oneshot};

use crate::house::{Call, House, Scripted, model, scripted, soon};

/// One window, when a space follows.
pub(crate) const SENTENCE: &str = "One two three four.";

/// What a test wants otherwise.
pub(crate) struct Setup {
    pub(crate) with_judges: bool,
    pub(crate) judges: JudgeSettings,
    pub(crate) models: Vec<&'static str>,
    /// Is there a model elsewhere?
    pub(crate) cloud: bool,
    pub(crate) screen: ScreenSettings,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            with_judges: true,
            judges: judges(),
            models: vec!["phi3:3.8b", "mistral:7b"],
            cloud: false,
            screen: ScreenSettings::default(),
        }
    }
}

/// The judges of the bench are the judges.
pub(crate) fn judges() -> JudgeSettings {
    JudgeSettings {
        safety: vec!["judges/watch".to_owned()],
        confidence: vec!["judges/sage".to_owned()],
        ..JudgeSettings::default()
    }
}

/// What a judge says to every question it is asked together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// It is good, with this probability.
    Says {
        value: f64,
        mass: f64,
    },
    Fails,
}

impl Verdict {
    pub(crate) fn says(value: f64) -> Self {
        Self::Says { value, mass: 1.0 }
    }
}

/// Questions that reached a judge, and the way to answer them.
pub(crate) struct Question {
    request: DecideRequest,
    answer: oneshot::Sender<Result<DecideResponse, ProviderError>>,
}

impl Question {
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.request.questions.iter().map(|q| q.id.as_str()).collect()
    }

    /// The text it is about.
    pub(crate) fn shared(&self) -> &str {
        &self.request.shared
    }

    /// Has whoever asked gone?
    pub(crate) fn is_dropped(&self) -> bool {
        self.answer.is_closed()
    }

    pub(crate) fn answer(self, verdict: Verdict) {
        let answer = match verdict {
            Verdict::Fails => Err(ProviderError::Broken {
                reason: "on purpose".to_owned(),
            }),
            Verdict::Says { value, mass } => Ok(DecideResponse {
                decisions: self
                    .request
                    .questions
                    .iter()
                    .map(|q| decision(q, value, mass))
                    .collect(),
                cost: DecideCost::default(),
                method: DecideMethod::Readout,
            }),
        };
        let _ = self.answer.send(answer);
    }
}

/// Puts `value` of the mass on the option that means that all is well.
fn decision(question: &goblin_core::decide::Question, value: f64, mass: f64) -> Decision {
    let asks_for_good = ["prompt", "correct_and_complete"].contains(&question.id.as_str());
    let good = |name: &str| match name {
        "yes" => asks_for_good,
        "no" => !asks_for_good,
        other => other == "safe",
    };
    let others = (question.options.len() - 1) as f64;
    let of = |name: &str| match good(name) {
        true => value * mass,
        false => (1.0 - value) * mass / others,
    };
    let options = question.options.iter().map(|option| OptionProbability {
        name: option.name.clone(),
        probability: of(&option.name),
    });
    Decision {
        id: question.id.clone(),
        options: options.collect(),
        mass,
    }
}

/// A house with models and judges in it.
pub(crate) struct Bench {
    pub(crate) house: House,
    pub(crate) up: Scripted,
    pub(crate) calls: mpsc::UnboundedReceiver<Call>,
    pub(crate) cloud_calls: mpsc::UnboundedReceiver<Call>,
    questions: mpsc::UnboundedReceiver<Question>,
}

impl Bench {
    pub(crate) async fn new(setup: Setup) -> Self {
        let (up, calls) = scripted("up", Some(4));
        up.offers(setup.models.iter().map(|name| model(name)).collect());
        let (cloud, cloud_calls) = scripted("cloud", Some(4));
        cloud.offers(vec![model("elsewhere-large")]);
        let (asked, questions) = mpsc::unbounded_channel();
        let mut providers = vec![up.handle()];
        if setup.cloud {
            providers.push(ProviderHandle {
                local: false,
                ..cloud.handle()
            });
        }
        if setup.with_judges {
            providers.push(deciding(asked));
        }
        let trust = Trust {
            settings: Settings {
                windows: Windows {
                    sentence_after: 3,
                    at_most: 40,
                },
                ..Settings::default()
            },
            judges: setup.judges,
            screen: setup.screen,
            ..Trust::default()
        };
        let options = Options {
            trust: Arc::new(trust),
            ..Options::default()
        };
        Self {
            house: House::with(providers, options).await,
            up,
            calls,
            cloud_calls,
            questions,
        }
    }

    /// Asks `goblin` with these fields in the `goblin` object.
    pub(crate) async fn ask(&self, goblin: &str) -> Client {
        self.ask_about(goblin, "hi").await
    }

    /// The same, when the question was found safe and has reached the first model.
    pub(crate) async fn begun(&mut self, goblin: &str) -> (Client, Call) {
        let mut client = self.ask(goblin).await;
        self.prompt(&mut client, 0.95).await;
        let call = self.call(&mut client).await;
        (client, call)
    }

    pub(crate) async fn ask_about(&self, goblin: &str, content: &str) -> Client {
        self.ask_with(goblin, content, r#""seed":1"#).await
    }

    pub(crate) async fn ask_with(&self, goblin: &str, content: &str, more: &str) -> Client {
        self.send(&format!(
            r#"{{"model":"goblin","messages":[{{"role":"user","content":"{content}"}}],"stream":true,"goblin":{goblin},{more}}}"#
        ))
        .await
    }

    pub(crate) async fn ask_model(&self, model: &str, goblin: &str) -> Client {
        self.send(&format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],"stream":true,"goblin":{goblin}}}"#
        ))
        .await
    }

    pub(crate) async fn ask_unstreamed(&self) -> Client {
        self.send(r#"{"model":"goblin","messages":[{"role":"user","content":"hi"}]}"#)
            .await
    }

    async fn send(&self, body: &str) -> Client {
        let ask = Ask {
            who: Who::owner(Owner::local()),
            door: "openai",
            request_id: "r1".into(),
            incoming: parse_chat_request(&Bytes::from(body.to_owned())).unwrap(),
            deadline: None,
        };
        Client {
            stream: Some(self.house.dispatch.answer(ask).await.unwrap()),
            items: Vec::new(),
            error: None,
        }
    }

    /// The next request that reaches a model.
    pub(crate) async fn call(&mut self, client: &mut Client) -> Call {
        soon(client.until(self.calls.recv())).await.unwrap()
    }

    /// The next questions that reach a judge.
    pub(crate) async fn question(&mut self, client: &mut Client) -> Question {
        soon(client.until(self.questions.recv())).await.unwrap()
    }

    /// The question about the question is answered.
    pub(crate) async fn prompt(&mut self, client: &mut Client, value: f64) {
        let asked = self.question(client).await;
        assert_eq!(asked.ids(), ["prompt"]);
        asked.answer(Verdict::says(value));
    }

    /// The question about a window is answered.
    pub(crate) async fn window(&mut self, client: &mut Client, value: f64) {
        let asked = self.question(client).await;
        assert!(asked.ids().contains(&"transcript"), "{:?}", asked.ids());
        asked.answer(Verdict::says(value));
    }

    /// The questions about the whole answer are answered.
    pub(crate) async fn answer(&mut self, client: &mut Client, safety: f64, confidence: f64) {
        for _ in 0..2 {
            let asked = self.question(client).await;
            let sure = asked.ids() == ["correct_and_complete"];
            assert!(sure || asked.ids().len() == 9, "{:?}", asked.ids());
            asked.answer(Verdict::says(if sure { confidence } else { safety }));
        }
    }
}

/// A provider of two models that judge and do not chat.
fn deciding(asked: mpsc::UnboundedSender<Question>) -> ProviderHandle {
    let (judges, _) = scripted("judges", Some(8));
    let judge = |name| ModelInfo {
        capabilities: vec![Capability::Decide],
        ..model(name)
    };
    judges.offers(vec![judge("watch"), judge("sage")]);
    ProviderHandle {
        decide: Some(Arc::new(move |request: DecideRequest| {
            let (answer, answered) = oneshot::channel();
            let _ = asked.send(Question { request, answer });
            Box::pin(async move {
                answered.await.unwrap_or_else(|_| {
                    Err(ProviderError::Broken {
                        reason: "the test is over".to_owned(),
                    })
                })
            })
        })),
        ..judges.handle()
    }
}

/// Somebody who reads an answer.
pub(crate) struct Client {
    stream: Option<AnswerStream>,
    pub(crate) items: Vec<AnswerItem>,
    pub(crate) error: Option<ApiError>,
}

impl Client {
    /// Where nobody has to read: a chat's turn goes on by itself.
    pub(crate) fn nobody() -> Self {
        Self {
            stream: None,
            items: Vec::new(),
            error: None,
        }
    }

    /// Reads on until something else has happened.
    pub(crate) async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let Some(stream) = &mut self.stream else {
                return work.await;
            };
            tokio::select! {
                biased;
                done = &mut work => return done,
                item = stream.next() => self.take(item),
            }
        }
    }

    fn take(&mut self, item: Option<Result<AnswerItem, ApiError>>) {
        match item {
            Some(Ok(item)) => self.items.push(item),
            Some(Err(error)) => self.error = Some(error),
            None => self.stream = None,
        }
    }

    /// Reads what is there, until there is nothing to be read without something else happening.
    pub(crate) async fn settle(&mut self) {
        while let Some(stream) = &mut self.stream {
            match futures_util::poll!(stream.next()) {
                std::task::Poll::Ready(item) => self.take(item),
                std::task::Poll::Pending => return,
            }
        }
    }

    /// Reads until this is all that is seen.
    pub(crate) async fn until_text(&mut self, text: &str) {
        while self.text() != text {
            let stream = self.stream.as_mut().expect("it is over");
            let item = soon(stream.next()).await;
            assert!(item.is_some(), "it ended with {:?}", self.text());
            self.take(item);
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(&mut self) {
        while let Some(stream) = &mut self.stream {
            let item = stream.next().await;
            self.take(item);
        }
    }

    /// What is seen now.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                AnswerItem::Event(event) => {
                    if let Parsed::Text { text: more, .. } = &event.parsed {
                        text.push_str(more);
                    }
                }
                AnswerItem::Superseded(_) | AnswerItem::Retracted(_) => text.clear(),
                _ => {}
            }
        }
        text
    }

    pub(crate) fn chosen(&self) -> Vec<&str> {
        let chosen = self.items.iter().filter_map(|item| match item {
            AnswerItem::Chosen { model_id, .. } => Some(model_id.as_str()),
            _ => None,
        });
        chosen.collect()
    }

    pub(crate) fn finish(&self) -> Option<FinishReason> {
        self.items.iter().find_map(|item| match item {
            AnswerItem::Event(event) => match event.parsed {
                Parsed::Finished { reason } => Some(reason),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn refused(&self) -> Option<Refused> {
        self.items.iter().find_map(|item| match item {
            AnswerItem::Refused(refused) => Some(refused.clone()),
            _ => None,
        })
    }

    /// The trace, which is the last item.
    pub(crate) fn trace(&self) -> Trace {
        match self.items.last() {
            Some(AnswerItem::Trace(trace)) => (**trace).clone(),
            other => panic!("the last item is {other:?}"),
        }
    }
}
