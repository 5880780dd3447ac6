//! Two models asked for one answer: the second when the first says nothing, whoever begins first answers, and both are in
//! the trace with what they cost. "After no time at all" is as soon as the first has been asked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use goblin_core::budget::Rule;
use goblin_core::owner::Owner;
use goblin_core::policy::{Policy, Price};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::resilience::hedge::Hedging;
use goblin_core::route::alias::Aliases;
use goblin_core::trace::{StepOutcome, Trace};
use goblin_core::wire::openai::parse_chat_request;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, AnswerStream, Ask, Who};
use goblin_dispatch::money::MoneyOptions;
use goblin_store::usage::UsageRow;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::house::{Call, HANG, House, Scripted, read, scripted, soon};

const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

/// One thousand nano-dollars a token read, two thousand a token written, at each of three clouds under one name.
fn options(after: Option<Duration>, budgets: &[&str]) -> Options {
    let price = |model: &str| Price {
        model: model.to_owned(),
        input: 1.0,
        output: 2.0,
    };
    Options {
        hedging: Hedging(after),
        breaks: true,
        aliases: Aliases::parse(&["all one/small two/small three/small".to_owned()]).unwrap(),
        policy: Policy {
            prices: vec![price("one/small"), price("two/small"), price("three/small")],
            ..Policy::default()
        },
        money: MoneyOptions {
            baseline: None,
            budgets: budgets.iter().map(|text| Rule::parse(text).unwrap()).collect(),
        },
        ..Options::default()
    }
}

/// A house with three clouds, and what reaches each.
struct Three {
    house: House,
    one: Scripted,
    two: Scripted,
    calls: [UnboundedReceiver<Call>; 3],
}

async fn three(local: bool, options: Options, refuses: Option<ProviderError>) -> Three {
    let (one, first) = scripted("one", None);
    let (two, second) = scripted("two", None);
    let (other, third) = scripted("three", None);
    // So short that the tokens of a question to it are counted.
    let two = two.with_window(60).refusing(refuses.into_iter().collect());
    let handle = |provider: &Scripted| ProviderHandle {
        local,
        ..provider.handle()
    };
    Three {
        house: House::with(vec![handle(&one), handle(&two), handle(&other)], options).await,
        one,
        two,
        calls: [first, second, third],
    }
}

impl Three {
    async fn ask(&self, model: &str, fields: &str) -> AnswerStream {
        let body = format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],"stream":true,"max_tokens":100{fields}}}"#
        );
        let ask = Ask {
            who: Who::owner(Owner::local()),
            door: "openai",
            request_id: "r1".into(),
            incoming: parse_chat_request(&Bytes::from(body)).unwrap(),
            deadline: None,
        };
        self.house.dispatch.answer(ask).await.unwrap()
    }

    /// The next request that reaches this one of the three.
    async fn called(&mut self, at: usize) -> Call {
        soon(self.calls[at].recv()).await.unwrap()
    }

    async fn trace(&self, id: &str) -> Trace {
        soon(async {
            loop {
                if let Some(trace) = self.house.store.find_trace(&Owner::local(), id).await.unwrap() {
                    return trace;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn booked(&self) -> UsageRow {
        soon(async {
            loop {
                let rows = self.house.store.list_usage(&Owner::local(), None, 200).await;
                if let Some(row) = rows.unwrap().items.into_iter().next() {
                    return row;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    fn stopped(&self) -> (usize, usize) {
        let count = |provider: &Scripted| provider.dropped.load(Ordering::SeqCst);
        (count(&self.one), count(&self.two))
    }
}

/// Reads until it is known who answers, and gives the rest back.
async fn begun(mut stream: AnswerStream) -> (String, AnswerStream) {
    let first = soon(stream.next()).await.unwrap().unwrap();
    let AnswerItem::Chosen { model_id, .. } = first else {
        panic!("{first:?}");
    };
    (model_id, stream)
}

fn outcomes(trace: &Trace) -> Vec<(&str, StepOutcome)> {
    let steps = trace.steps.iter();
    steps.map(|step| (step.model.as_str(), step.outcome)).collect()
}

#[tokio::test]
async fn a_second_that_begins_first_answers_and_the_first_is_stopped_and_paid() {
    let mut three = three(false, options(AT_ONCE, &["user:* 1 day"]), None).await;
    let stream = three.ask("all", "").await;
    let id = stream.trace_id().unwrap().to_owned();
    let reader = tokio::spawn(begun(stream));
    let _silent = three.called(0).await;
    let call = three.called(1).await;
    call.text("one two three");
    let (chosen, rest) = soon(reader).await.unwrap();
    assert_eq!(chosen, "two/small");
    assert_eq!(
        three.stopped(),
        (1, 0),
        "the first's connection closed with the second's first word"
    );
    call.finish();
    assert_eq!(read(rest).await, (None, "one two three".to_owned(), None));
    let trace = three.trace(&id).await;
    assert_eq!(
        outcomes(&trace),
        [
            ("one/small", StepOutcome::Cancelled),
            ("two/small", StepOutcome::Accepted)
        ]
    );
    let why = trace.steps[0].why.as_deref().unwrap();
    assert!(why.contains("Hedged") && why.contains("two/small"), "{why}");
    let row = three.booked().await.usage;
    let (lost, won) = (trace.steps[0].cost_usd.unwrap(), trace.steps[1].cost_usd.unwrap());
    assert!(lost > 0.0, "a hedge is never free");
    assert_eq!(
        (trace.steps[1].prompt_tokens, trace.steps[1].tokens),
        (7, 2),
        "each by its own"
    );
    assert!(
        (lost + won - row.cost.unwrap() as f64 / 1e9).abs() < 1e-12,
        "{trace:?}"
    );
    assert!(row.estimated, "nobody counted what was stopped");
    assert_eq!(row.provider.as_deref(), Some("two"));
    assert!(three.calls[2].try_recv().is_err(), "one hedge, not two");
}

#[tokio::test]
async fn of_two_slow_ones_the_first_to_begin_answers_and_no_third_is_asked() {
    let mut three = three(false, options(AT_ONCE, &[]), None).await;
    let stream = three.ask("all", "").await;
    let id = stream.trace_id().unwrap().to_owned();
    let reader = tokio::spawn(read(stream));
    let call = three.called(0).await;
    let _silent = three.called(1).await;
    call.text("late");
    call.finish();
    let (chosen, text, error) = soon(reader).await.unwrap();
    assert_eq!(
        (chosen.as_deref(), text.as_str(), error),
        (Some("one/small"), "late", None)
    );
    assert_eq!(three.stopped().1, 1, "the second was stopped");
    let trace = three.trace(&id).await;
    assert_eq!(
        outcomes(&trace),
        [
            ("two/small", StepOutcome::Cancelled),
            ("one/small", StepOutcome::Accepted)
        ]
    );
    assert!(trace.steps[0].cost_usd.unwrap() > 0.0);
    assert!(
        trace.sent.iter().any(|sent| sent.to == "two"),
        "what left is told"
    );
    assert!(three.calls[2].try_recv().is_err());
}

#[tokio::test]
async fn a_first_that_begins_in_time_is_alone() {
    for after in [None, Some(HANG * 100)] {
        let mut three = three(false, options(after, &[]), None).await;
        let reader = tokio::spawn(read(three.ask("all", "").await));
        let call = three.called(0).await;
        call.text("soon");
        call.finish();
        let (chosen, ..) = soon(reader).await.unwrap();
        assert_eq!(chosen.as_deref(), Some("one/small"));
        assert!(three.calls[1].try_recv().is_err(), "{after:?}");
    }
}

#[tokio::test]
async fn no_second_is_asked_where_a_budget_has_no_room_for_both() {
    // A hundred tokens cost 0.0002 dollars and a short question little: enough for one.
    let mut three = three(false, options(AT_ONCE, &["user:* 0.0003 day"]), None).await;
    let reader = tokio::spawn(read(three.ask("all", "").await));
    let call = three.called(0).await;
    // The second was got ready: its place and its tokens come before its money.
    soon(async {
        while three.two.counts.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    call.text("alone");
    call.finish();
    let (chosen, text, error) = soon(reader).await.unwrap();
    assert_eq!(
        (chosen.as_deref(), text.as_str(), error),
        (Some("one/small"), "alone", None)
    );
    assert!(three.calls[1].try_recv().is_err(), "it was not started");
}

#[tokio::test]
async fn what_may_not_leave_the_machine_is_not_hedged() {
    let mut three = three(true, options(AT_ONCE, &[]), None).await;
    let reader = tokio::spawn(read(three.ask("all", r#","goblin":{"local_only":true}"#).await));
    let call = three.called(0).await;
    call.text("here");
    call.finish();
    let (chosen, ..) = soon(reader).await.unwrap();
    assert_eq!(chosen.as_deref(), Some("one/small"));
    assert!(three.calls[1].try_recv().is_err());
}

#[tokio::test]
async fn a_second_that_fails_leaves_the_first_to_answer_and_is_not_asked_again() {
    let refuses = Some(ProviderError::Broken { reason: "boo".into() });
    let mut three = three(false, options(AT_ONCE, &[]), refuses).await;
    let stream = three.ask("all", "").await;
    let id = stream.trace_id().unwrap().to_owned();
    let reader = tokio::spawn(read(stream));
    let call = three.called(0).await;
    call.fail(ProviderError::Broken {
        reason: "me too".into(),
    });
    // Both have failed or will: the third is next.
    let third = three.called(2).await;
    third.text("third");
    third.finish();
    let (chosen, ..) = soon(reader).await.unwrap();
    assert_eq!(chosen.as_deref(), Some("three/small"));
    let trace = three.trace(&id).await;
    assert_eq!(outcomes(&trace).len(), 3, "{trace:?}");
    assert_eq!(outcomes(&trace)[2], ("three/small", StepOutcome::Accepted));
    assert!(three.calls[1].try_recv().is_err());
}

#[tokio::test]
async fn being_stopped_is_not_held_against_a_model() {
    let mut three = three(false, options(AT_ONCE, &[]), None).await;
    for _ in 0..10 {
        let reader = tokio::spawn(read(three.ask("all", "").await));
        let _silent = three.called(0).await;
        let call = three.called(1).await;
        call.text("second");
        call.finish();
        soon(reader).await.unwrap();
    }
    let reader = tokio::spawn(read(three.ask("one/small", "").await));
    let call = three.called(0).await;
    call.text("well");
    call.finish();
    assert_eq!(soon(reader).await.unwrap().1, "well");
}
