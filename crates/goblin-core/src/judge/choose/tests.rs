use super::*;
use crate::judge::authority::Evaluation;
use crate::model::ModelInfo;

fn offer(provider: &str, name: &str) -> Offer {
    Offer {
        provider: provider.into(),
        provider_local: true,
        health: Health::Ok,
        model: ModelInfo {
            capabilities: vec![Capability::Chat, Capability::Decide],
            quantization: Some("Q4_0".into()),
            ..ModelInfo::named(name)
        },
    }
}

fn far(provider: &str, name: &str) -> Offer {
    Offer {
        provider_local: false,
        ..offer(provider, name)
    }
}

fn roster() -> Vec<Offer> {
    [
        "gemma:2b",
        "phi3:3.8b",
        "qwen2.5:3b",
        "mistral:7b",
        "deepseek-coder",
    ]
    .map(|name| offer("ollama", name))
    .into()
}

fn choose(offers: &[Offer], answerer: Option<&str>) -> Judges {
    choose_with(offers, answerer, &JudgeSettings::default(), &[])
}

fn choose_with(
    offers: &[Offer],
    answerer: Option<&str>,
    settings: &JudgeSettings,
    records: &[Record],
) -> Judges {
    Judges::choose(&Choosing {
        offers,
        answerer: answerer.and_then(|name| offers.iter().find(|o| o.model.name == name)),
        local_only: false,
        settings,
        records,
    })
}

fn names(judges: &[Judge]) -> Vec<&str> {
    judges
        .iter()
        .map(|j| j.model.rsplit('/').next().unwrap())
        .collect()
}

fn safety(judges: &Judges) -> &Judge {
    judges.safety_judge().expect("a judge")
}

#[test]
fn safety_is_gemmas_whoever_answered_and_marked_where_it_answered_itself() {
    for (answerer, own) in [("phi3:3.8b", false), ("gemma:2b", true)] {
        let judges = choose(&roster(), Some(answerer));
        let judge = safety(&judges);
        assert_eq!(judge.model, "ollama/gemma:2b");
        assert_eq!(judge.self_judged, own, "{answerer}");
        assert_eq!(judge.authority(QuestionSet::Prompt), Authority::Grant);
        assert_eq!(
            judge.authority(QuestionSet::Confidence),
            Authority::None,
            "not its concern"
        );
        assert!(judge.reasons()[0].starts_with("granted, not measured"));
        assert_eq!(judges.notes.iter().any(|n| n.contains("its own answer")), own);
    }
}

#[test]
fn confidence_is_the_next_ones_where_the_first_answered() {
    for (answerer, wanted) in [
        ("gemma:2b", ["phi3:3.8b", "qwen2.5:3b", "mistral:7b"]),
        ("phi3:3.8b", ["qwen2.5:3b", "mistral:7b", "phi3:3.8b"]),
        ("qwen2.5:3b", ["phi3:3.8b", "mistral:7b", "qwen2.5:3b"]),
    ] {
        let judges = choose(&roster(), Some(answerer));
        assert_eq!(names(&judges.confidence), wanted, "{answerer}");
        for judge in &judges.confidence {
            assert_eq!(judge.self_judged, judge.model.ends_with(answerer));
            assert_eq!(judge.acts(), !judge.self_judged, "{answerer}: {}", judge.model);
        }
    }
}

#[test]
fn the_same_weights_elsewhere_are_the_same_judge() {
    let mut offers = roster();
    let mut twin = offer("tier", "an-alias");
    twin.model.digest = Some("d1".into());
    offers[1].model.digest = Some("d1".into());
    offers.push(twin);
    let judges = choose(&offers, Some("an-alias"));
    assert_eq!(
        names(&judges.confidence),
        ["qwen2.5:3b", "mistral:7b", "phi3:3.8b"]
    );
    assert!(judges.confidence[2].self_judged && !judges.confidence[2].acts());
}

#[test]
fn a_starter_is_no_judge_and_that_is_said() {
    let mut starter = offer("engine", "smollm2-135m-instruct");
    starter.model.starter = true;
    let judges = choose(&[starter], Some("smollm2-135m-instruct"));
    assert!(matches!(&judges.safety, SafetyJudge::Absent { why } if why.contains("`gemma:2b`")));
    assert!(judges.confidence.is_empty());
    assert_eq!(judges.notes.len(), 2, "{:?}", judges.notes);
    assert!(judges.notes[0].starts_with("Nobody judges safety"));
    assert!(judges.notes[1].starts_with("Nobody judges confidence"));
}

#[test]
fn a_starter_the_operator_names_is_granted_and_one_that_is_only_advisory_is_not() {
    let mut starter = offer("engine", "smollm2-135m-instruct");
    starter.model.starter = true;
    let named = JudgeSettings {
        safety: vec!["engine/smollm2-135m-instruct".into()],
        ..JudgeSettings::default()
    };
    let judges = choose_with(std::slice::from_ref(&starter), None, &named, &[]);
    assert_eq!(
        safety(&judges).authority(QuestionSet::Transcript),
        Authority::Grant
    );
    let advisory = JudgeSettings {
        advisory: vec!["smollm2-135m-instruct".into()],
        ..JudgeSettings::default()
    };
    let judges = choose_with(&[starter], None, &advisory, &[]);
    assert!(!safety(&judges).acts());
    assert_eq!(judges.confidence.len(), 1);
    assert!(!judges.confidence[0].acts());
}

#[test]
fn a_guard_model_judges_safety_first_and_confidence_never() {
    let mut offers = roster();
    offers.push(offer("ollama", "llama-guard3:1b"));
    let judges = choose(&offers, Some("phi3:3.8b"));
    let judge = safety(&judges);
    assert!(judge.is_guard() && judge.acts());
    assert_eq!(judge.model, "ollama/llama-guard3:1b");
    assert!(judge.reasons()[0].contains("a known guard model"));
    let settings = JudgeSettings {
        known_guards: false,
        confidence: vec!["llama-guard3:1b".into()],
        ..JudgeSettings::default()
    };
    let judges = choose_with(&offers, None, &settings, &[]);
    assert_eq!(safety(&judges).model, "ollama/gemma:2b");
    assert!(judges.confidence.is_empty());
}

#[test]
fn a_judge_that_cannot_be_asked_is_absent() {
    let cannot: [fn(&mut Offer); 3] = [
        |o| o.model.capabilities = vec![Capability::Chat],
        |o| o.model.state = ModelState::Down,
        |o| o.health = Health::Down("gone".into()),
    ];
    for make in cannot {
        let mut gemma = offer("ollama", "gemma:2b");
        make(&mut gemma);
        assert!(choose(&[gemma], None).safety_judge().is_none());
    }
}

#[test]
fn nothing_is_sent_elsewhere_unless_a_judge_there_is_named_with_its_provider() {
    let offers = [
        far("cloud", "gemma:2b"),
        far("cloud", "phi3:3.8b"),
        far("cloud", "llama-guard3:8b"),
    ];
    assert!(choose(&offers, None).safety_judge().is_none());
    let settings = JudgeSettings {
        safety: vec!["cloud/gemma:2b".into()],
        ..JudgeSettings::default()
    };
    let judges = choose_with(&offers, None, &settings, &[]);
    assert!(!safety(&judges).local);
    let judges = Judges::choose(&Choosing {
        offers: &offers,
        answerer: None,
        local_only: true,
        settings: &settings,
        records: &[],
    });
    assert!(judges.safety_judge().is_none());
    assert!(
        judges.notes[0].contains("on this operator's machines"),
        "{:?}",
        judges.notes
    );
}

#[test]
fn of_two_that_offer_a_judge_the_one_that_has_it_in_memory_is_asked() {
    let mut loaded = offer("second", "gemma:2b");
    loaded.model.state = ModelState::Loaded;
    let offers = [offer("first", "gemma:2b"), loaded];
    assert_eq!(safety(&choose(&offers, None)).model, "second/gemma:2b");
}

#[test]
fn a_record_takes_a_grant_away_and_the_next_with_authority_judges() {
    let settings = JudgeSettings::default();
    let set = QuestionSet::Confidence;
    let phi = Manner::Chat(Template::Phi3);
    let evaluation = Evaluation {
        model: "phi3:3.8b".into(),
        quantization: "Q4_0".into(),
        question_set: set.as_str().into(),
        question_set_hash: crate::judge::questions::question_set_hash(&settings.categories, set),
        prompt_hash: crate::judge::questions::prompt_hash(phi, &settings.categories, set),
        auroc: 0.6,
        false_refusals_xstest: None,
        items: 500,
    };
    let record = Record {
        source: "phi3.json".into(),
        given_for: None,
        evaluation,
    };
    let judges = choose_with(
        &roster(),
        Some("gemma:2b"),
        &settings,
        std::slice::from_ref(&record),
    );
    assert_eq!(
        names(&judges.confidence),
        ["qwen2.5:3b", "mistral:7b", "phi3:3.8b"]
    );
    assert!(!judges.confidence[2].acts());
    assert!(
        judges.notes.iter().any(|n| n.contains("AUROC is 0.60")),
        "{:?}",
        judges.notes
    );
    // A good one is worth more than a grant, but the order of the operator stays.
    let mut good = record;
    good.evaluation.auroc = 0.8;
    let judges = choose_with(&roster(), Some("gemma:2b"), &settings, &[good]);
    assert_eq!(judges.confidence[0].authority(set), Authority::Record);
    assert_eq!(judges.confidence_judge().unwrap().model, "ollama/phi3:3.8b");
}

#[test]
fn a_good_record_alone_gives_an_advisory_judge_authority() {
    let settings = JudgeSettings {
        safety: Vec::new(),
        advisory: vec!["new-model".into()],
        ..JudgeSettings::default()
    };
    let manner = Manner::Chat(Template::Plain);
    let records: Vec<Record> = QuestionSet::about(Concern::Safety)
        .take(1)
        .map(|set| Record {
            source: "r".into(),
            given_for: None,
            evaluation: Evaluation {
                model: "new-model".into(),
                quantization: "Q4_0".into(),
                question_set: set.as_str().into(),
                question_set_hash: crate::judge::questions::question_set_hash(&settings.categories, set),
                prompt_hash: crate::judge::questions::prompt_hash(manner, &settings.categories, set),
                auroc: 0.9,
                false_refusals_xstest: Some(0.01),
                items: 1,
            },
        })
        .collect();
    let judges = choose_with(&[offer("up", "new-model")], None, &settings, &records);
    let judge = safety(&judges);
    assert_eq!(judge.authority(QuestionSet::Prompt), Authority::Record);
    assert_eq!(
        judge.authority(QuestionSet::Transcript),
        Authority::None,
        "only what was measured"
    );
}
