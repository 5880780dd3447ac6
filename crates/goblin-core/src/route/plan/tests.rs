use super::*;
use crate::chat::{Message, Role};
use crate::intent;
use crate::model::ModelInfo;
use crate::provider::Health;

fn offer(provider: &str, name: &str, local: bool) -> Offer {
    Offer {
        provider: provider.into(),
        provider_local: local,
        health: Health::Ok,
        model: ModelInfo {
            state: ModelState::Loaded,
            ..ModelInfo::named(name)
        },
    }
}

fn sized(name: &str, parameters: &str) -> Offer {
    let mut offer = offer("ollama", name, true);
    offer.model.parameters = Some(parameters.to_owned());
    offer
}

fn matter(text: &str) -> Matter {
    Matter {
        reading: intent::read(&[Message::text(Role::User, text)], false),
        hints: Hints::default(),
        needs: Needs::default(),
        prompt_tokens: 20,
        counted: CountMethod::Estimate,
        tools: false,
    }
}

fn made(wanted: &str, matter: &Matter, offers: &[Offer], policy: &Policy) -> Plan {
    plan(
        wanted,
        matter,
        &Planning {
            policy,
            version: "v",
            table: Table {
                offers,
                absent: &[],
                default_model: None,
                no_model_help: "Run `make models`.",
            },
            first_token: &|_| None,
        },
    )
}

fn rungs(plan: &Plan) -> Vec<&str> {
    let rungs = plan.ladder.candidates.iter().take(plan.ladder.rungs);
    rungs.map(|o| o.model.name.as_str()).collect()
}

fn roster() -> Vec<Offer> {
    [
        "gemma:2b",
        "phi3:3.8b",
        "qwen2.5:3b",
        "mistral:7b",
        "deepseek-coder",
    ]
    .map(|name| offer("ollama", name, true))
    .to_vec()
}

#[test]
fn the_roster_answers_as_the_table_says() {
    let mut offers = roster();
    offers.push(offer("openai", "big", false));
    let policy = Policy::default();
    for (text, expected) in [
        (
            "Write a Python function that sorts a list",
            vec!["deepseek-coder", "mistral:7b", "big"],
        ),
        ("Explain how transformers work", vec!["mistral:7b", "big"]),
        (
            "Hello there, how are you?",
            vec!["phi3:3.8b", "qwen2.5:3b", "mistral:7b", "big"],
        ),
        (
            "Is this spam or not spam: 'you won'",
            vec!["gemma:2b", "phi3:3.8b", "mistral:7b", "big"],
        ),
        (
            "What is the probability of two sixes? Solve step by step",
            vec!["qwen2.5:3b", "mistral:7b", "big"],
        ),
    ] {
        let plan = made("goblin", &matter(text), &offers, &policy);
        assert_eq!(rungs(&plan), expected, "{text}");
        assert!(plan.nobody.is_none());
    }
}

#[test]
fn hints_and_constraints_come_before_the_table() {
    let policy = Policy::default();
    let offers = roster();
    let explain = "Explain how transformers work";
    let mut quick = matter(explain);
    quick.hints.latency = Some(LatencyTarget::UltraLow);
    assert_eq!(
        made("goblin", &quick, &offers, &policy).record.role.as_deref(),
        Some("quick")
    );
    assert_eq!(
        made("goblin/fast", &matter(explain), &offers, &policy)
            .record
            .role
            .as_deref(),
        Some("quick")
    );
    assert_eq!(
        made("goblin/code", &matter(explain), &offers, &policy)
            .record
            .role
            .as_deref(),
        Some("code")
    );
    let german = matter("Erkläre mir bitte, wie ein Kühlschrank funktioniert und warum er kalt wird");
    let plan = made("goblin", &german, &offers, &policy);
    assert_eq!(
        (plan.record.role.as_deref(), plan.record.language.as_deref()),
        (Some("reasoning"), Some("deu"))
    );
    assert_eq!(rungs(&plan), ["qwen2.5:3b"], "the others count as English only");
    let mut long = matter("Hello there, how are you?");
    long.prompt_tokens = 6_000;
    assert_eq!(
        made("goblin", &long, &offers, &policy).record.role.as_deref(),
        Some("reasoning")
    );
    let mut summary = matter("Summarize the key points");
    summary.prompt_tokens = 8_001;
    assert_eq!(
        made("goblin", &summary, &offers, &policy).record.role.as_deref(),
        Some("reasoning")
    );
    summary.prompt_tokens = 8_000;
    assert_eq!(
        made("goblin", &summary, &offers, &policy).record.role.as_deref(),
        Some("top")
    );
}

#[test]
fn who_asks_for_the_best_gets_it_first() {
    let mut offers = roster();
    offers.push(offer("openai", "big", false));
    let plan = made(
        "goblin/best",
        &matter("Explain how transformers work"),
        &offers,
        &Policy::default(),
    );
    assert_eq!(rungs(&plan), ["big", "mistral:7b"]);
    let here = made(
        "goblin/best",
        &matter("Explain how transformers work"),
        &roster(),
        &Policy::default(),
    );
    assert_eq!(rungs(&here), ["mistral:7b"]);
}

#[test]
fn an_absent_model_is_told_and_the_nearest_takes_its_place() {
    let offers = [
        sized("tiny", "500M"),
        sized("middle", "7B"),
        sized("large", "32B"),
    ];
    let plan = made(
        "goblin",
        &matter("Write a Python function that sorts a list"),
        &offers,
        &Policy::default(),
    );
    // Code is expected at 0.60; seven billion parameters are guessed at 0.61.
    assert_eq!(rungs(&plan).first(), Some(&"middle"));
    assert_eq!(plan.record.role.as_deref(), Some("code"));
    let absent: Vec<&str> = plan
        .record
        .candidates
        .iter()
        .filter(|c| c.passed_over.as_deref() == Some("not installed"))
        .map(|c| c.model.as_str())
        .collect();
    assert!(absent.contains(&"deepseek-coder"), "{absent:?}");
    assert_eq!(plan.ladder.candidates.len(), 3, "all stand ready");
    assert!(plan.ladder.rungs < 3, "the tiny one is no step up");
}

#[test]
fn a_starter_answers_only_where_it_is_alone() {
    let mut starter = sized("starter", "135M");
    starter.model.starter = true;
    let plan = made(
        "goblin",
        &matter("What's the status?"),
        &[starter.clone()],
        &Policy::default(),
    );
    assert_eq!(rungs(&plan), ["starter"]);
    let plan = made(
        "goblin",
        &matter("What's the status?"),
        &[starter, sized("m", "7B")],
        &Policy::default(),
    );
    assert_eq!(rungs(&plan), ["m"]);
    assert_eq!(
        plan.ladder.candidates.last().map(|o| o.model.name.as_str()),
        Some("starter")
    );
}

#[test]
fn every_model_that_is_passed_over_is_told_with_its_reason() {
    let mut offers = roster();
    offers.push(offer("openai", "big", false));
    let policy = Policy::default();
    let reason = |plan: &Plan, name: &str| {
        let found = plan.record.candidates.iter().find(|c| c.model.ends_with(name));
        found.and_then(|c| c.passed_over.clone()).unwrap_or_default()
    };
    let mut asked = matter("Explain how transformers work");
    asked.needs.local_only = true;
    let plan = made("goblin", &asked, &offers, &policy);
    assert!(reason(&plan, "big").contains("does not run on this operator's machines"));
    assert!(plan.ladder.candidates.iter().all(Offer::stays_local));
    let local = made(
        "goblin/local",
        &matter("Explain how transformers work"),
        &offers,
        &policy,
    );
    assert!(local.ladder.candidates.iter().all(Offer::stays_local));
    let mut cheap = matter("Explain how transformers work");
    cheap.hints.max_cost_usd = Some(0.001);
    assert!(reason(&made("goblin", &cheap, &offers, &policy), "big").contains("no price"));
    let mut priced = policy.clone();
    priced.prices.push(crate::policy::Price {
        model: "openai/big".into(),
        input: 10.0,
        output: 30.0,
    });
    assert!(reason(&made("goblin", &cheap, &offers, &priced), "big").contains("would cost about $0.0152"));
    for offer in &mut offers {
        offer.model.context_window = Some(2_048);
    }
    offers[0].model.context_window = Some(2_049);
    let mut long = matter("Explain how transformers work");
    long.prompt_tokens = 2_000;
    let plan = made("goblin", &long, &offers, &policy);
    assert!(
        reason(&plan, "mistral:7b").contains("2048 tokens"),
        "{:?}",
        plan.record.candidates
    );
    assert_eq!(
        plan.ladder.candidates.len(),
        1,
        "one is asked, and says both numbers"
    );
}

#[test]
fn nobody_at_all_still_has_a_role_and_says_what_to_run() {
    let plan = made(
        "goblin",
        &matter("Write a Python function"),
        &[],
        &Policy::default(),
    );
    assert_eq!(plan.record.role.as_deref(), Some("code"));
    let error = plan.climbable().unwrap_err();
    assert!(error.message.contains("make models"), "{error}");
}

#[test]
fn a_latency_target_orders_and_never_refuses() {
    let offers = roster();
    let policy = Policy::default();
    let mut asked = matter("Hello there, how are you?");
    asked.hints.latency = Some(LatencyTarget::Low);
    let slow = |offer: &Offer| {
        let seconds = if offer.model.name == "phi3:3.8b" { 20 } else { 1 };
        Some(Duration::from_secs(seconds))
    };
    let planning = Planning {
        policy: &policy,
        version: "v",
        table: Table {
            offers: &offers,
            absent: &[],
            default_model: None,
            no_model_help: "",
        },
        first_token: &slow,
    };
    let plan = plan("goblin", &asked, &planning);
    assert_eq!(rungs(&plan), ["qwen2.5:3b", "mistral:7b"]);
    assert_eq!(plan.ladder.candidates.len(), 5);
}

#[test]
fn cost_weighs_as_much_as_the_policy_says() {
    let mut policy = Policy::default();
    let dear = crate::policy::Price {
        model: "a/dear".into(),
        input: 100.0,
        output: 100.0,
    };
    policy.prices = vec![
        dear,
        crate::policy::Price {
            model: "b/fair".into(),
            input: 1.0,
            output: 1.0,
        },
    ];
    let offers = [offer("a", "dear", false), offer("b", "fair", false)];
    let plan = made(
        "goblin",
        &matter("Explain how transformers work"),
        &offers,
        &policy,
    );
    assert_eq!(rungs(&plan), ["fair"]);
}

#[test]
fn an_image_goes_to_models_that_see_and_where_there_is_none_it_is_said_what_would_change_that() {
    let seeing = |provider: &str, local| {
        let mut offer = offer(provider, "seeing", local);
        offer.model.capabilities.push(Capability::Vision);
        offer
    };
    let mut question = matter("What is in this picture?");
    question.needs.vision = Some("messages[0].content".to_owned());
    let policy = Policy::default();
    let mut offers = roster();
    for (wanted, setting) in [("goblin", "upstream.openai_key"), (LOCAL, "upstream.ollama_url")] {
        let error = made(wanted, &question, &offers, &policy).climbable().unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[0].content"));
        assert!(error.message.contains(setting), "{}", error.message);
    }
    offers.push(seeing("openai", false));
    assert_eq!(rungs(&made("goblin", &question, &offers, &policy)), ["seeing"]);
    let error = made(LOCAL, &question, &offers, &policy).climbable().unwrap_err();
    assert!(
        error.message.contains("on this operator's machines") && !error.message.contains("openai_key"),
        "{}",
        error.message
    );
    offers.push(seeing("ollama", true));
    let plan = made(LOCAL, &question, &offers, &policy);
    assert_eq!(plan.ladder.candidates.len(), 1);
    assert!(plan.record.features.iter().any(|f| f.name == "needs:vision"));
}

#[test]
fn a_pdf_goes_to_models_that_read_files_and_where_there_is_none_it_is_said_what_would_change_that() {
    let mut question = matter("What does the contract say?");
    question.needs.files = Some("messages[0].content".to_owned());
    let policy = Policy::default();
    let mut offers = roster();
    for (wanted, way_out) in [("goblin", "upstream.openai_key"), (LOCAL, "its pages as images")] {
        let error = made(wanted, &question, &offers, &policy).climbable().unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[0].content"));
        assert!(error.message.contains(way_out), "{}", error.message);
    }
    let mut reader = offer("openai", "reader", false);
    reader.model.capabilities.push(Capability::Files);
    offers.push(reader);
    let plan = made("goblin", &question, &offers, &policy);
    assert_eq!(rungs(&plan), ["reader"], "others are skipped");
    assert!(plan.record.features.iter().any(|f| f.name == "needs:files"));
}
