//! Two models that answer, one elsewhere, and two judges, all by hand; and a client that reads what comes.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use goblin_core::budget::Rule;
use goblin_core::decide::{DecideCost, DecideMethod, DecideRequest, DecideResponse};
use goblin_core::error::ApiError;
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::owner::Owner;
use goblin_core::policy::{Policy, Price};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::Trace;
use goblin_core::trust::Settings;
use goblin_core::trust::window::Windows;
use goblin_core::wire::openai::parse_chat_request;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, AnswerStream, Ask, Refused, Who};
use goblin_dispatch::cascade::Trust;
use goblin_dispatch::money::MoneyOptions;
use tokio::sync::{mpsc, oneshot};

use crate::house::{Call, House, Scripted, model, scripted, soon};
use crate::verdicts::decision;

/// One window, when a space follows.
pub(crate) const SENTENCE: &str = "One two three four.";

/// What a test wants otherwise.
pub(crate) struct Setup {
    pub(crate) with_judges: bool,
    pub(crate) judges: JudgeSettings,
    pub(crate) models: Vec<&'static str>,
    /// Models elsewhere.
    pub(crate) cloud: Vec<&'static str>,
    /// What models elsewhere cost: US dollars for a million tokens of prompt and of answer.
    pub(crate) prices: Vec<(&'static str, f64, f64)>,
    /// Can the models that answer judge as well?
    pub(crate) all_judge: bool,
    /// Are the judges elsewhere?
    pub(crate) judges_away: bool,
    /// Context of the judges, in tokens.
    pub(crate) judge_window: u32,
    pub(crate) screen: ScreenSettings,
    /// Budgets, as the configuration has them.
    pub(crate) budgets: Vec<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            with_judges: true,
            judges: judges(),
            models: vec!["phi3:3.8b", "mistral:7b"],
            cloud: Vec::new(),
            prices: Vec::new(),
            all_judge: false,
            judges_away: false,
            judge_window: 4096,
            screen: ScreenSettings::default(),
            budgets: Vec::new(),
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
        match verdict {
            Verdict::Fails => {
                let reason = "on purpose".to_owned();
                let _ = self.answer.send(Err(ProviderError::Broken { reason }));
            }
            Verdict::Says { value, mass } => self.answer_each(|_| value, mass),
        }
    }

    /// Each of them by its id.
    pub(crate) fn answer_each(self, value: impl Fn(&str) -> f64, mass: f64) {
        let questions = self.request.questions.iter();
        let response = DecideResponse {
            decisions: questions.map(|q| decision(q, value(&q.id), mass)).collect(),
            cost: DecideCost::default(),
            method: DecideMethod::Readout,
        };
        let _ = self.answer.send(Ok(response));
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
        let (cloud, cloud_calls) = scripted("cloud", Some(4));
        cloud.offers(setup.cloud.iter().map(|name| model(name)).collect());
        let (asked, questions) = mpsc::unbounded_channel();
        let offers = |more: &[Capability]| {
            let of = |name: &&str| {
                let mut model = model(name);
                model.capabilities.extend_from_slice(more);
                model
            };
            up.offers(setup.models.iter().map(of).collect());
        };
        let mut providers = if setup.all_judge {
            offers(&[Capability::Decide]);
            vec![deciding(up.handle(), asked.clone())]
        } else {
            offers(&[]);
            vec![up.handle()]
        };
        if !setup.cloud.is_empty() {
            providers.push(ProviderHandle {
                local: false,
                ..cloud.handle()
            });
        }
        if setup.with_judges {
            providers.push(ProviderHandle {
                local: !setup.judges_away,
                ..deciding(judging(setup.judge_window), asked)
            });
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
            policy: Policy {
                prices: setup.prices.iter().map(price).collect(),
                ..Policy::default()
            },
            money: MoneyOptions {
                baseline: None,
                budgets: setup
                    .budgets
                    .iter()
                    .map(|text| Rule::parse(text).unwrap())
                    .collect(),
            },
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

    /// Every question to a judge is answered so, until the answer is over.
    pub(crate) async fn answer_everything(&mut self, client: &mut Client, verdict: Verdict) {
        while let Some(asked) = self.question_or_end(client).await {
            asked.answer(verdict);
        }
    }

    /// What follows from what was said so far happens, each question to a judge being answered so.
    pub(crate) async fn catch_up(&mut self, client: &mut Client, verdict: Verdict) {
        // A task that never lets go of the thread is told that nothing is there.
        tokio::task::yield_now().await;
        client.settle().await;
        while let Ok(asked) = self.questions.try_recv() {
            asked.answer(verdict);
            tokio::task::yield_now().await;
            client.settle().await;
        }
    }

    /// The next questions that reach a judge; nothing when the answer is over without any.
    pub(crate) async fn question_or_end(&mut self, client: &mut Client) -> Option<Question> {
        while !client.is_over() {
            tokio::select! {
                biased;
                asked = self.questions.recv() => return asked,
                () = client.read_on() => {}
            }
        }
        None
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

fn price((model, input, output): &(&'static str, f64, f64)) -> Price {
    Price {
        model: (*model).to_owned(),
        input: *input,
        output: *output,
    }
}

/// A provider of two models that judge and do not chat.
fn judging(window: u32) -> ProviderHandle {
    let (judges, _) = scripted("judges", Some(8));
    let judges = judges.with_window(window);
    let judge = |name| ModelInfo {
        capabilities: vec![Capability::Decide],
        ..model(name)
    };
    judges.offers(vec![judge("watch"), judge("sage")]);
    judges.handle()
}

/// The same provider, whose questions the test answers.
fn deciding(provider: ProviderHandle, asked: mpsc::UnboundedSender<Question>) -> ProviderHandle {
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
        ..provider
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

    pub(crate) fn is_over(&self) -> bool {
        self.stream.is_none()
    }

    /// Reads one item.
    async fn read_on(&mut self) {
        if let Some(stream) = &mut self.stream {
            let item = soon(stream.next()).await;
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
