//! What is kept of a checked answer: what it cost and would have cost, who judged whom, and each verdict counted once.

use goblin_core::judge::settings::JudgeSettings;
use goblin_core::trace::{Authority, Concern, StepOutcome, Trace};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::bench::{Bench, Setup};
use crate::house::soon;

/// The trace of an answer of the first model, which is sure; 7 tokens were read and 2 made.
async fn sure(setup: Setup, goblin: &str) -> Trace {
    let mut bench = Bench::new(setup).await;
    let (mut client, call) = bench.begun(goblin).await;
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    client.trace()
}

/// Of the metric's lines the sum, whatever their labels.
fn sum(rendered: &str, metric: &str) -> usize {
    let lines = rendered.lines().filter_map(|line| {
        let rest = line.strip_prefix(metric)?;
        let rest = rest.strip_prefix('{').map_or(rest, |labelled| {
            labelled.rsplit_once('}').map_or("", |(_, value)| value)
        });
        rest.strip_prefix(' ')?.trim().parse::<usize>().ok()
    });
    lines.sum()
}

#[tokio::test]
async fn each_verdict_and_each_request_to_a_judge_is_counted_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let measured = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let trace = sure(Setup::default(), "{}").await;
    let verdicts = trace.verdicts().count();
    assert_eq!(verdicts, 11);
    let rendered = measured.render();
    for (metric, count) in [
        ("goblin_verdicts_total", verdicts),
        ("goblin_verdict_duration_seconds_count", verdicts),
        // About the question, about harm, about correctness.
        ("goblin_verdict_requests_total", 3),
        ("goblin_verdict_request_duration_seconds_count", 3),
    ] {
        assert_eq!(sum(&rendered, metric), count, "{metric} in {rendered}");
    }
}

#[tokio::test]
async fn what_an_answer_would_have_cost_is_only_told_when_every_price_is_known() {
    let (priced, unpriced) = ("elsewhere-large", "elsewhere-new");
    let prices = vec![("cloud/elsewhere-large", 10.0, 30.0)];
    for (cloud, expected) in [
        (vec![], Some(0.0)),
        (vec![priced], Some((7.0 * 10.0 + 2.0 * 30.0) / 1e6)),
        (vec![unpriced], None),
        (vec![priced, unpriced], None),
    ] {
        let setup = Setup {
            cloud: cloud.clone(),
            prices: prices.clone(),
            ..Setup::default()
        };
        let trace = sure(setup, "{}").await;
        assert_eq!(trace.cost_usd, Some(0.0));
        let told = trace.would_have_cost_usd;
        let same = told.zip(expected).map_or(told == expected, |(told, expected)| {
            (told - expected).abs() < 1e-12
        });
        assert!(same, "{cloud:?}: {told:?}");
    }
}

#[tokio::test]
async fn judges_elsewhere_are_part_of_the_cost_and_make_it_unknown_where_they_have_no_price() {
    let all = vec![("judges/watch", 10.0, 30.0), ("judges/sage", 10.0, 30.0)];
    for prices in [all.clone(), all[..1].to_vec()] {
        let known = prices.len() == all.len();
        let setup = Setup {
            judges_away: true,
            prices,
            ..Setup::default()
        };
        let trace = sure(setup, "{}").await;
        let verdicts = trace.prompt_verdicts.len() + trace.steps[0].verdicts.len();
        // The judges of the bench read nothing and write one token for each question.
        let expected = known.then_some(verdicts as f64 * 30.0 / 1e6);
        let same = trace
            .cost_usd
            .zip(expected)
            .map(|(told, expected)| (told - expected).abs() < 1e-12);
        assert_eq!(same, expected.map(|_| true), "{:?}", trace.cost_usd);
        assert_eq!(
            trace.steps[0].cost_usd,
            Some(0.0),
            "that of the answer stays its own"
        );
    }
}

#[tokio::test]
async fn under_a_limit_of_cost_a_model_without_a_price_is_skipped() {
    let mut bench = Bench::new(Setup {
        models: vec!["phi3:3.8b"],
        cloud: vec!["elsewhere-new", "elsewhere-large"],
        prices: vec![("cloud/elsewhere-large", 10.0, 30.0)],
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{\"max_cost_usd\":1}").await;
    call.text("Maybe.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.5).await;
    let call = soon(client.until(bench.cloud_calls.recv())).await.unwrap();
    assert_eq!(call.request.model, "elsewhere-large");
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    let trace = client.trace();
    assert_eq!(trace.steps[1].outcome, StepOutcome::Accepted);
    let cost = (7.0 * 10.0 + 2.0 * 30.0) / 1e6;
    assert!((trace.cost_usd.unwrap() - cost).abs() < 1e-12);
    let passed_over = trace.route.candidates.iter().find_map(|considered| {
        (considered.model == "cloud/elsewhere-new").then(|| considered.passed_over.clone().unwrap())
    });
    assert!(passed_over.unwrap().contains("no price"));
}

#[tokio::test]
async fn a_model_that_judges_itself_is_marked_so_and_only_what_it_says_of_safety_acts() {
    let own = || Setup {
        with_judges: false,
        all_judge: true,
        judges: JudgeSettings {
            safety: vec!["up/phi3:3.8b".to_owned()],
            confidence: vec!["up/phi3:3.8b".to_owned()],
            ..JudgeSettings::default()
        },
        models: vec!["phi3:3.8b"],
        cloud: vec!["elsewhere-large"],
        ..Setup::default()
    };
    let mut bench = Bench::new(own()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Maybe.");
    call.finish();
    let value = |id: &str| if id == "correct_and_complete" { 0.1 } else { 0.97 };
    bench.question(&mut client).await.answer_each(value, 1.0);
    client.rest().await;
    // It is most likely wrong, says who said it; nobody else says so.
    assert_eq!((client.text().as_str(), client.error.as_ref()), ("Maybe.", None));
    assert!(bench.cloud_calls.try_recv().is_err());
    let trace = client.trace();
    assert!(trace.steps[0].verdicts.iter().all(|verdict| verdict.self_judged));
    let acts = |concern| {
        let mut of = trace.steps[0].verdicts.iter().filter(|v| v.concern == concern);
        of.all(|verdict| verdict.authority.acts())
    };
    assert!(acts(Concern::Safety) && !acts(Concern::Confidence));
    let confidence = trace.confidence.unwrap();
    assert!(confidence.self_judged && confidence.authority == Authority::None);

    let mut bench = Bench::new(own()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Take it.");
    call.finish();
    bench.question(&mut client).await.answer_each(|_| 0.1, 1.0);
    client.rest().await;
    assert!(client.refused().unwrap().rule.starts_with("safety:"));
}
