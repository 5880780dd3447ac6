//! What answers cost, and what happens when there is no money for them: scripted models, counted to the nano-dollar.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use goblin_core::budget::Rule;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::event::{FinishReason, Parsed, Usage};
use goblin_core::owner::Owner;
use goblin_core::policy::{Policy, Price};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::trace::CacheUse;
use goblin_core::wire::openai::parse_chat_request;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, AnswerStream, Ask, Who};
use goblin_dispatch::cache::Caching;
use goblin_dispatch::money::MoneyOptions;
use goblin_store::answer_cache::{AnswerCache, CacheLimits};
use goblin_store::usage::UsageRow;
use tokio::task::JoinSet;

use crate::bench::{Bench, Setup, Verdict};
use crate::chat_turns::{new_chat, question};
use crate::house::{Call, House, Scripted, read, scripted, soon};

/// A dollar a million tokens read, two a million written: a thousand and two thousand nano-dollars a token.
fn options(budgets: &[&str]) -> Options {
    let price = |model: &str, input, output| Price {
        model: model.to_owned(),
        input,
        output,
    };
    Options {
        policy: Policy {
            prices: vec![price("cloud/small", 1.0, 2.0), price("base/line", 10.0, 10.0)],
            ..Policy::default()
        },
        money: MoneyOptions {
            baseline: Some("base/line".to_owned()),
            budgets: budgets.iter().map(|text| Rule::parse(text).unwrap()).collect(),
        },
        checkpoint_every: Duration::from_millis(5),
        ..Options::default()
    }
}

fn elsewhere(provider: &Scripted) -> ProviderHandle {
    ProviderHandle {
        local: false,
        ..provider.handle()
    }
}

async fn ask_with(house: &House, model: &str, fields: &str) -> Result<AnswerStream, ApiError> {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],"stream":true{fields}}}"#
    );
    let ask = Ask {
        who: Who::owner(Owner::local()),
        door: "openai",
        request_id: "r1".into(),
        incoming: parse_chat_request(&Bytes::from(body)).unwrap(),
        deadline: None,
    };
    house.dispatch.answer(ask).await
}

/// The rows of the usage, once there are so many; newest first.
async fn booked(house: &House, many: usize) -> Vec<UsageRow> {
    soon(async {
        loop {
            let rows = house
                .store
                .list_usage(&Owner::local(), None, 200)
                .await
                .unwrap()
                .items;
            if rows.len() >= many {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn used(prompt: u32, completion: u32) -> Usage {
    Usage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        ..Usage::default()
    }
}

fn say(call: &Call, parsed: Parsed) {
    call.answer.send(Ok(parsed.into())).unwrap();
}

/// Answers every call with as many tokens as it may have.
fn answering(mut calls: tokio::sync::mpsc::UnboundedReceiver<Call>, usage: Usage, tasks: &mut JoinSet<()>) {
    tasks.spawn(async move {
        while let Some(call) = calls.recv().await {
            call.text("a");
            say(
                &call,
                Parsed::Finished {
                    reason: FinishReason::Stop,
                },
            );
            say(&call, Parsed::Usage(usage));
        }
    });
}

#[tokio::test]
async fn what_the_server_counted_is_what_is_paid_whether_or_not_the_client_asked_for_usage() {
    for fields in ["", r#","stream_options":{"include_usage":true}"#] {
        let (cloud, mut calls) = scripted("cloud", None);
        let house = House::with(vec![elsewhere(&cloud)], options(&[])).await;
        let reader = tokio::spawn(read(ask_with(&house, "cloud/small", fields).await.unwrap()));
        let call = soon(calls.recv()).await.unwrap();
        call.text("one two three");
        call.finish();
        soon(reader).await.unwrap();
        let row = booked(&house, 1).await.remove(0).usage;
        // 7 read, 3 of them from a cache that has no price of its own, and 2 written.
        assert_eq!((row.tokens.prompt_tokens, row.tokens.cached_tokens), (7, 3));
        assert_eq!((row.cost, row.estimated), (Some(7_000 + 2 * 2_000), false));
        assert_eq!(row.would_have_cost, None, "it was not local");
    }
}

#[tokio::test]
async fn a_stream_that_was_cut_is_estimated_and_says_so() {
    let (cloud, mut calls) = scripted("cloud", None);
    let house = House::with(vec![elsewhere(&cloud)], options(&[])).await;
    let mut stream = ask_with(&house, "cloud/small", "").await.unwrap();
    let call_and_first = async {
        let first = stream.next();
        let call = async {
            let call = calls.recv().await.unwrap();
            call.text("one");
            call
        };
        futures_util::future::join(first, call).await.1
    };
    let call = soon(call_and_first).await;
    soon(stream.next()).await.unwrap().unwrap();
    call.text(" two");
    soon(stream.next()).await.unwrap().unwrap();
    drop(stream);
    let row = booked(&house, 1).await.remove(0).usage;
    assert_eq!((row.outcome.as_str(), row.estimated), ("cancelled", true));
    assert_eq!(row.tokens, used(1, 2));
    assert_eq!(row.cost, Some(1_000 + 2 * 2_000));
}

#[tokio::test]
async fn a_stream_without_usage_is_estimated_and_a_price_nobody_knows_is_not_zero() {
    let (other, mut calls) = scripted("other", None);
    let house = House::with(vec![elsewhere(&other)], options(&[])).await;
    let reader = tokio::spawn(read(ask_with(&house, "other/small", "").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    say(
        &call,
        Parsed::Finished {
            reason: FinishReason::Stop,
        },
    );
    drop(call);
    soon(reader).await.unwrap();
    let row = booked(&house, 1).await.remove(0).usage;
    assert_eq!(
        (row.outcome.as_str(), row.cost, row.estimated),
        ("complete", None, true)
    );
}

#[tokio::test]
async fn a_local_answer_costs_nothing_and_would_have_cost_what_the_baseline_costs() {
    let (home, mut calls) = scripted("home", Some(1));
    let house = House::with(vec![home.handle()], options(&[])).await;
    let reader = tokio::spawn(read(ask_with(&house, "home/small", "").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    call.finish();
    soon(reader).await.unwrap();
    let row = booked(&house, 1).await.remove(0).usage;
    assert_eq!((row.cost, row.estimated), (Some(0), false));
    assert_eq!(row.would_have_cost, Some(9 * 10_000));
}

#[tokio::test]
async fn who_fails_before_a_word_is_not_paid() {
    let (cloud, _calls) = scripted("cloud", None);
    let cloud = cloud.refusing(vec![ProviderError::Broken { reason: "boo".into() }]);
    let house = House::with(vec![elsewhere(&cloud)], options(&["user:* 1 day"])).await;
    let (_, _, error) = read(ask_with(&house, "cloud/small", "").await.unwrap()).await;
    assert!(error.is_some());
    let row = booked(&house, 1).await.remove(0).usage;
    assert_eq!(
        (row.outcome.as_str(), row.cost, row.estimated),
        ("failed", Some(0), false)
    );
    let spent = house.number("SELECT spent_nano_usd FROM spending").await;
    let held = house.number("SELECT COUNT(*) FROM budget_holds").await;
    assert_eq!((spent, held), (0, 0), "what was reserved is free again");
}

#[tokio::test]
async fn a_turns_cost_is_booked_with_its_end() {
    let (cloud, mut calls) = scripted("cloud", None);
    let house = House::with(vec![elsewhere(&cloud)], options(&["user:* 1 day"])).await;
    let chat = new_chat(&house).await;
    let asked = goblin_dispatch::chat_turn::NewTurn {
        model: Some("cloud/small".into()),
        ..question("hi")
    };
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, asked)
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    call.finish();
    let row = booked(&house, 1).await.remove(0);
    assert_eq!(row.turn.as_deref(), Some(id.as_str()));
    assert_eq!((row.usage.cost, row.usage.door.as_str()), (Some(11_000), "chats"));
    assert_eq!(house.number("SELECT spent_nano_usd FROM spending").await, 11_000);
}

#[tokio::test]
async fn what_a_running_answer_costs_is_written_down_while_it_runs() {
    let (cloud, mut calls) = scripted("cloud", None);
    let house = House::with(vec![elsewhere(&cloud)], options(&[])).await;
    let reader = tokio::spawn(read(ask_with(&house, "cloud/small", "").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    call.text(" two");
    let written = house
        .number("SELECT cost_nano_usd FROM usage_open WHERE completion_tokens = 2")
        .await;
    assert_eq!(written, 1_000 + 2 * 2_000);
    call.finish();
    soon(reader).await.unwrap();
    assert_eq!(booked(&house, 1).await[0].usage.cost, Some(11_000));
    assert_eq!(house.number("SELECT COUNT(*) FROM usage_open").await, 0);
}

#[tokio::test]
async fn two_hundred_at_once_never_spend_more_than_the_budget() {
    // The most one may cost: a prompt of 66 tokens at most, and 10 written.
    let most = 66 * 1_000 + 10 * 2_000;
    let budget = format!("user:* {} day", most as f64 * 20.0 / 1e9);
    let (cloud, calls) = scripted("cloud", None);
    let house = House::with(vec![elsewhere(&cloud)], options(&[&budget])).await;
    let mut answers = JoinSet::new();
    answering(calls, used(66, 10), &mut answers);
    let mut all = JoinSet::new();
    for _ in 0..200 {
        let stream = ask_with(&house, "cloud/small", r#","max_tokens":10"#)
            .await
            .unwrap();
        all.spawn(async move { read(stream).await.2 });
    }
    let ended = soon(all.join_all()).await;
    let refused: Vec<_> = ended.into_iter().flatten().collect();
    assert_eq!(refused.len(), 180);
    for error in &refused {
        assert_eq!(error.code, ErrorCode::InsufficientQuota);
        assert!(
            error
                .message
                .starts_with("The budget of this user, 0.00172 USD a day,"),
            "{error}"
        );
        assert!(error.message.contains("It begins anew at 20"), "{error}");
    }
    let rows = booked(&house, 200).await;
    let spent: u64 = rows.iter().filter_map(|row| row.usage.cost).sum();
    assert_eq!(spent, most * 20);
    assert_eq!(
        house.number("SELECT spent_nano_usd FROM spending").await,
        i64::try_from(most * 20).unwrap()
    );
    assert_eq!(house.number("SELECT COUNT(*) FROM budget_holds").await, 0);
}

/// A cloud and a model at home, and a budget that is used up.
async fn broke(budget: &str) -> (House, JoinSet<()>) {
    let (cloud, cloud_calls) = scripted("cloud", None);
    let (home, home_calls) = scripted("home", Some(4));
    let house = House::with(vec![elsewhere(&cloud), home.handle()], options(&[budget])).await;
    let mut answers = JoinSet::new();
    answering(cloud_calls, used(5, 5), &mut answers);
    answering(home_calls, used(5, 5), &mut answers);
    (house, answers)
}

async fn last_trace(house: &House, id: &str) -> goblin_core::trace::Trace {
    soon(async {
        loop {
            if let Some(trace) = house.store.find_trace(&Owner::local(), id).await.unwrap() {
                return trace;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn where_the_budget_wants_it_a_local_model_answers_and_the_trace_says_why() {
    let (house, _answers) = broke("everybody 0.000001 month local").await;
    let stream = ask_with(&house, "cloud/small", "").await.unwrap();
    let id = stream.trace_id().unwrap().to_owned();
    let (chosen, text, error) = read(stream).await;
    assert_eq!(
        (chosen.as_deref(), text.as_str(), error),
        (Some("home/small"), "a", None)
    );
    let trace = last_trace(&house, &id).await;
    let note =
        "A local model was asked because the budget of this server, 0.000001 USD a month, was reached.";
    assert_eq!(trace.notes, [note]);
    assert!(!trace.left_machine);
    let row = booked(&house, 1).await.remove(0).usage;
    assert_eq!((row.cost, row.local), (Some(0), Some(true)));
}

#[tokio::test]
async fn what_a_local_model_answers_in_the_place_of_another_is_not_given_again_as_that_ones() {
    let (cloud, _calls) = scripted("cloud", None);
    let (home, home_calls) = scripted("home", Some(4));
    let limits = CacheLimits {
        keep: Duration::from_secs(3600),
        bytes: 1 << 20,
    };
    let options = Options {
        caching: Some(Caching {
            answers: AnswerCache::memory(limits),
            common_queries: false,
        }),
        ..options(&["everybody 0.000001 month local"])
    };
    let house = House::with(vec![elsewhere(&cloud), home.handle()], options).await;
    let mut answers = JoinSet::new();
    answering(home_calls, used(5, 5), &mut answers);
    // Kept: one's own, by its name. Not kept: the same in the place of the cloud's.
    for (model, second) in [("cloud/small", CacheUse::Miss), ("home/small", CacheUse::Hit)] {
        for expected in [CacheUse::Miss, second] {
            let stream = ask_with(&house, model, r#","goblin":{"cache":"use"}"#)
                .await
                .unwrap();
            let id = stream.trace_id().unwrap().to_owned();
            let (chosen, ..) = read(stream).await;
            assert_eq!(chosen.as_deref(), Some("home/small"), "{model}");
            assert_eq!(last_trace(&house, &id).await.cache, expected, "{model}");
        }
    }
}

#[tokio::test]
async fn where_it_does_not_the_request_is_refused_though_a_local_model_is_there() {
    let (house, _answers) = broke("everybody 0.000001 month").await;
    let (chosen, _, error) = read(ask_with(&house, "cloud/small", "").await.unwrap()).await;
    let error = error.unwrap();
    assert_eq!((chosen, error.code), (None, ErrorCode::InsufficientQuota));
    assert!(
        error
            .message
            .contains("has 0.000001 USD left, and this could cost up to"),
        "{error}"
    );
    let (chosen, ..) = read(ask_with(&house, "home/small", "").await.unwrap()).await;
    assert_eq!(
        chosen.as_deref(),
        Some("home/small"),
        "what costs nothing is never refused"
    );
}

#[tokio::test]
async fn names_that_let_goblin_choose_stay_at_home_once_the_budget_is_used_up() {
    let (house, _answers) = broke("everybody 0.000001 month local").await;
    let spend = goblin_store::usage::NewUsage {
        cost: Some(2_000),
        ..Default::default()
    };
    house.store.insert_usage(&Owner::local(), spend).await.unwrap();
    let mut stream = ask_with(&house, "goblin/best", "").await.unwrap();
    let mut trace = None;
    while let Some(item) = soon(stream.next()).await {
        if let AnswerItem::Trace(told) = item.unwrap() {
            trace = Some(told);
        }
    }
    let trace = trace.unwrap();
    assert!(!trace.left_machine && trace.steps[0].local, "{trace:?}");
    assert!(
        trace
            .notes
            .iter()
            .any(|note| note.contains("the budget of this server")),
        "{:?}",
        trace.notes
    );
}

#[tokio::test]
async fn a_model_without_a_price_is_not_asked_while_a_budget_holds() {
    let (other, _calls) = scripted("other", None);
    let house = House::with(vec![elsewhere(&other)], options(&["user:* 5 day"])).await;
    let (_, _, error) = read(ask_with(&house, "other/small", "").await.unwrap()).await;
    let error = error.unwrap();
    assert_eq!(
        (error.code, error.param.as_deref()),
        (ErrorCode::Forbidden, Some("model"))
    );
    assert!(error.message.contains("has no price"), "{error}");
}

#[tokio::test]
async fn a_models_budget_bounds_only_what_goes_to_it() {
    let (cloud, calls) = scripted("cloud", None);
    let house = House::with(vec![elsewhere(&cloud)], options(&["model:other/* 0.000001 day"])).await;
    let mut answers = JoinSet::new();
    answering(calls, used(5, 5), &mut answers);
    let (chosen, ..) = read(ask_with(&house, "cloud/small", "").await.unwrap()).await;
    assert_eq!(chosen.as_deref(), Some("cloud/small"));
}

#[tokio::test]
async fn every_model_and_judge_on_the_way_is_paid_by_who_asked() {
    let mut bench = Bench::new(Setup {
        models: vec!["phi3:3.8b"],
        cloud: vec!["elsewhere-large"],
        judges_away: true,
        prices: vec![
            ("cloud/elsewhere-large", 10.0, 30.0),
            ("judges/watch", 10.0, 30.0),
            ("judges/sage", 10.0, 30.0),
        ],
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("No.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.1).await;
    let better = soon(client.until(bench.cloud_calls.recv())).await.unwrap();
    better.text("Yes.");
    better.finish();
    bench.answer_everything(&mut client, Verdict::says(0.95)).await;
    let trace = client.trace();
    let asked: usize = trace.steps.iter().map(|step| step.verdicts.len()).sum();
    // Both read 7 and wrote 2; only one of them costs something. The judges of the bench read nothing and write one
    // token for each question.
    let judged = (asked + trace.prompt_verdicts.len()) as u64 * 30_000;
    let row = booked(&bench.house, 1).await.remove(0).usage;
    assert_eq!(
        (row.model.as_deref(), row.local),
        (Some("elsewhere-large"), Some(false))
    );
    assert_eq!((row.tokens.prompt_tokens, row.tokens.completion_tokens), (14, 4));
    assert_eq!(
        (row.cost, row.estimated),
        (Some(7 * 10_000 + 2 * 30_000 + judged), false)
    );
    assert!(asked > 0);
}

#[tokio::test]
async fn a_better_model_there_is_no_money_for_leaves_the_answer_there_is() {
    let mut bench = Bench::new(Setup {
        models: vec!["phi3:3.8b"],
        cloud: vec!["elsewhere-large"],
        prices: vec![("cloud/elsewhere-large", 10.0, 30.0)],
        budgets: vec!["user:* 0.000001 day"],
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("No.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.5).await;
    bench.answer_everything(&mut client, Verdict::says(0.95)).await;
    assert_eq!((client.text().as_str(), client.error.as_ref()), ("No.", None));
    assert!(bench.cloud_calls.try_recv().is_err(), "it was not asked");
    let trace = client.trace();
    let why = trace.steps.last().unwrap().why.clone().unwrap_or_default();
    assert!(
        why.starts_with("It was not asked, and nothing was sent. The budget of this user"),
        "{why}"
    );
    assert!(!trace.left_machine && trace.sent.is_empty(), "{:?}", trace.sent);
    assert_eq!(trace.cost_usd, Some(0.0));
    let row = booked(&bench.house, 1).await.remove(0).usage;
    assert_eq!((row.cost, row.local), (Some(0), Some(true)));
}

#[tokio::test]
async fn a_judge_there_is_no_money_for_refuses_by_the_budgets_name() {
    let bench = Bench::new(Setup {
        models: vec!["phi3:3.8b"],
        judges_away: true,
        prices: vec![("judges/watch", 10.0, 30.0), ("judges/sage", 10.0, 30.0)],
        budgets: vec!["user:* 0.000001 day"],
        ..Setup::default()
    })
    .await;
    let mut client = bench.ask("{}").await;
    client.rest().await;
    let error = client.error.as_ref().unwrap();
    assert_eq!(error.code, ErrorCode::InsufficientQuota, "{error}");
    assert!(error.message.starts_with("The budget of this user"), "{error}");
}
