use goblin_core::intent::Intent;
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::policy::{Policy, PolicyRole};
use goblin_core::screen::ScreenSettings;
use goblin_core::trace::VerifyMode;

use super::*;

fn usable(text: &str) -> Config {
    let (_dir, path) = file(text);
    let request = Request {
        file: Some(path),
        ..Request::default()
    };
    load(&home(&[]), &request).unwrap().config
}

#[test]
fn the_manual_says_the_policy_the_code_has() {
    let config = usable("");
    let (said, known) = (config.policy, Policy::default());
    assert_eq!(said.intents, known.intents);
    for (role, model) in &known.roles {
        let other = &said.roles[role];
        assert_eq!(
            (&other.reference, other.context_tokens),
            (&model.reference, model.context_tokens)
        );
        assert!(
            model.names.iter().all(|name| other.names.contains(name)),
            "{other:?}"
        );
    }
    assert_eq!(said.roles.len(), known.roles.len());
    assert_eq!(
        (said.cost_weight, said.cost_priority_weight),
        (known.cost_weight, known.cost_priority_weight)
    );
    assert_eq!(said.long_text_tokens, known.long_text_tokens);
    assert_eq!(config.trust.judges, JudgeSettings::default());
    assert_eq!(config.trust.screen, ScreenSettings::default());
    assert_eq!(config.trust.verify, VerifyMode::Hold);
    assert_eq!(config.trace_days, Some(90));
}

#[test]
fn a_policy_is_written_in_words_and_numbers() {
    let config = usable(
        "[roster]\ntop = \"openai/gpt-5\"\n[policy.intents.chat]\nrole = \"quick\"\nnext = [\"top\"]\ntemperature = 1\n\
         quality = [\"quick 0.4\", \"top 0.9\"]\n[prices]\nmodels = [\"openai/gpt-5 1.25 10\"]\n",
    );
    let row = &config.policy.intents[&Intent::Chat];
    assert_eq!(
        (row.role, &row.next[..]),
        (PolicyRole::Quick, &[PolicyRole::Top][..])
    );
    assert_eq!(row.quality[&PolicyRole::Top], 0.9);
    assert_eq!(config.policy.prices[0].output, 10.0);
    assert!(config.policy.roles[&PolicyRole::Top].is("openai", "gpt-5"));
    assert_eq!(config.money.baseline.as_deref(), Some("openai/gpt-5-mini"));
    assert!(config.money.budgets.is_empty());
    let config =
        usable("[money]\nbaseline = \"\"\nbudgets = [\"everybody 50 month\", \"user:* 5 day local\"]\n");
    assert_eq!((config.money.baseline, config.money.budgets.len()), (None, 2));
    assert_eq!(usable("[trace]\nkeep_days = 0\n").trace_days, None);
}

#[test]
fn what_cannot_be_a_policy_is_named_with_its_reason() {
    for (text, key, words) in [
        (
            "[trust]\nsafety_threshold = 1.5\n",
            "trust.safety_threshold",
            "from 0 to 1",
        ),
        (
            "[trust]\nsafety_threshold = \"high\"\n",
            "trust.safety_threshold",
            "from 0 to 1",
        ),
        (
            "[trust]\ncritical_threshold = 0.9\n",
            "trust.critical_threshold",
            "above trust.confidence_threshold",
        ),
        ("[trust]\nverify = \"maybe\"\n", "trust.verify", "one of"),
        ("[trust]\ncategories = []\n", "trust.categories", "1 to 25"),
        (
            "[roster]\nsafety = [\"goblin\"]\n",
            "roster.safety",
            "must be one model",
        ),
        (
            "[policy.intents.code]\nrole = \"boss\"\n",
            "policy.intents.code.role",
            "one of",
        ),
        (
            "[policy.intents.code]\nnext = [\"top\", \"top\"]\n",
            "policy.intents.code.next",
            "asked twice",
        ),
        (
            "[policy.intents.code]\nnext = [\"code\"]\n",
            "policy.intents.code.next",
            "asked twice",
        ),
        (
            "[policy.intents.code]\nnext = [\"boss\"]\n",
            "policy.intents.code.next",
            "is no role",
        ),
        (
            "[policy.intents.code]\nquality = [\"top 7\"]\n",
            "policy.intents.code.quality",
            "from 0 to 1",
        ),
        (
            "[prices]\nmodels = [\"gpt-5 1\"]\n",
            "prices.models",
            "is no price",
        ),
        (
            "[prices]\nmodels = [\"a/b 1 1\", \"a/b 2 2\"]\n",
            "prices.models",
            "two prices",
        ),
        (
            "[money]\nbaseline = \"gpt-5\"\n",
            "money.baseline",
            "provider/model",
        ),
        (
            "[money]\nbudgets = [\"user 5 day\"]\n",
            "money.budgets",
            "needs whose",
        ),
        (
            "[money]\nbudgets = [\"user:* 5 day\", \"user:* 6 day local\"]\n",
            "money.budgets",
            "for the same",
        ),
        (
            "[costs]\nhosts = [\"models\"]\n",
            "costs.hosts",
            "is no cost of a month",
        ),
        (
            "[costs]\ncurrency = \"EUR\"\n",
            "costs.currency",
            "what one is in this currency",
        ),
        (
            "[policy.intents.cod]\nrole = \"top\"\n",
            "policy.intents.cod",
            "no such setting",
        ),
    ] {
        let problems = problems(text, &home(&[]));
        let found = problems.iter().find(|p| p.contains(key));
        assert!(found.is_some_and(|p| p.contains(words)), "{text} {problems:?}");
    }
}

#[test]
fn a_kind_of_harm_of_ones_own_is_a_name_and_what_it_means() {
    let config = usable(
        "[trust]\ncategories = [\"harm\", \" house_rules : It praises a competitor: by name. \", \"legal: It is about law.\"]\n",
    );
    let told: Vec<(&str, &str)> = config
        .trust
        .judges
        .categories
        .iter()
        .map(|category| (category.name.as_str(), category.meaning.as_str()))
        .collect();
    assert_eq!(told[0].0, "harm");
    assert!(!told[0].1.is_empty(), "what a known one means is known");
    // The first colon parts the name; a known name may mean something else here.
    assert_eq!(
        told[1..],
        [
            ("house_rules", "It praises a competitor: by name."),
            ("legal", "It is about law.")
        ]
    );
    let all = problems(
        "[trust]\ncategories = [\"house_rules\", \"harm\", \"harm: again\"]\n",
        &home(&[]),
    );
    for part in ["must be one line of 1 to 200 bytes", "`harm` is there twice"] {
        let told = |p: &String| p.contains("trust.categories") && p.contains(part);
        assert!(all.iter().any(told), "{part} in {all:#?}");
    }
}

#[test]
fn a_threshold_out_of_range_is_named_by_the_variable_it_came_from() {
    for (variable, key) in [
        ("SAFETY_THRESHOLD", "trust.safety_threshold"),
        ("CONFIDENCE_THRESHOLD", "trust.confidence_threshold"),
        ("CRITICAL_THRESHOLD", "trust.critical_threshold"),
    ] {
        for value in ["1.01", "-0.1", "NaN", "seven"] {
            let all = problems("", &home(&[(variable, value)]));
            let told = all.iter().find(|p| p.contains(variable));
            let told = told.unwrap_or_else(|| panic!("{variable}={value}: {all:#?}"));
            assert!(told.contains(key) && told.contains("from 0 to 1"), "{told}");
        }
        let named = format!("GOBLIN_TRUST__{}", &key.to_uppercase()["trust.".len()..]);
        let all = problems("", &home(&[(&named, "2")]));
        assert!(all.iter().any(|p| p.contains(&named)), "{all:#?}");
    }
    let crossed = problems("", &home(&[("CRITICAL_THRESHOLD", "0.9")]));
    assert!(crossed[0].contains("CRITICAL_THRESHOLD"), "{crossed:#?}");
}

#[test]
fn hosts_count_where_the_configuration_has_them_and_as_the_operator_writes_them() {
    let names = |text: &str| -> Vec<(String, Option<u64>, bool)> {
        let lines = usable(text).cost_plan().fixed.into_iter();
        lines
            .map(|line| (line.name, line.monthly, line.assumed))
            .collect()
    };
    assert!(names("").is_empty(), "one box rents nothing");
    let three = "[server]\nfrontend_url = [\"https://chat.example.org\"]\n\
                 [limits]\nredis_url = \"redis://cache.example.org\"\n\
                 [upstream]\nproxy_url = \"https://models.example.org\"\nproxy_key = [\"k\"]\n";
    let seen: Vec<_> = names(three)
        .into_iter()
        .map(|(name, monthly, _)| (name, monthly))
        .collect();
    assert_eq!(
        seen,
        [
            ("page".to_owned(), Some(20_000_000_000)),
            ("cache".to_owned(), Some(10_000_000_000)),
            ("models".to_owned(), None),
        ]
    );
    let sources: Vec<_> = usable(three).cost_plan().fixed;
    for line in sources.iter().filter(|line| line.monthly.is_some()) {
        assert!(
            line.note.contains("; ") && line.note.ends_with(", 2026-11-28"),
            "{line:?}"
        );
    }
    let own = "[costs]\ncurrency = \"EUR\"\ncurrency_per_usd = 0.5\nhosts = [\"models 40 eight cores\"]\nmore = [\"domain 1\"]\n";
    let own = names(own);
    assert_eq!(
        own,
        [
            ("models".to_owned(), Some(80_000_000_000), false),
            ("domain".to_owned(), Some(2_000_000_000), false)
        ]
    );
}
