//! Who would judge answers, and whether what they find may act.

use goblin_core::judge::choose::Choosing;
use goblin_core::judge::{Judge, Judges};
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::provider::{Health, IN_PROCESS};
use goblin_core::route::Offer;
use goblin_core::status::PartState;
use goblin_store::model_files::ModelFile;

use super::{Asked, Finding};
use crate::config::Config;
use crate::judge_records;

/// Looks at the servers' models, and at the files the engine would load.
pub(super) fn judges(config: &Config, asked: &[Asked<'_>], files: &[ModelFile]) -> Finding {
    let records = match judge_records::read(config) {
        Ok(records) => records,
        Err(error) => {
            return Finding::bad(
                PartState::Down,
                "what was measured of judges cannot be read, so goblin would not start",
                error.to_string(),
                "Move that file away or mend it; `goblin eval report --records` writes it anew.",
            );
        }
    };
    let mut offers: Vec<Offer> = asked.iter().flat_map(offers_of).collect();
    if config.engine.enabled {
        offers.extend(files.iter().map(offer_of_file));
    }
    let judges = Judges::choose(&Choosing {
        offers: &offers,
        answerer: None,
        local_only: false,
        settings: &config.trust.judges,
        records: &records,
    });
    let found = format!(
        "safety: {}; confidence: {}",
        told(judges.safety_judge()),
        told(judges.confidence_judge())
    );
    if config.trust.judges.require_judge && !judges.safety_judge().is_some_and(Judge::acts) {
        return Finding::bad(
            PartState::Down,
            found,
            "trust.require_judge is set, so every checked question is refused.",
            "Fetch a judge (`goblin models pull gemma:2b`), name one that is there in roster.safety, or unset \
             trust.require_judge.",
        );
    }
    Finding::ok(found)
}

fn told(judge: Option<&Judge>) -> String {
    match judge {
        None => "nobody; answers are shown as not checked by a capable model".to_owned(),
        Some(judge) => format!("`{}`, {}", judge.model, judge.reasons().join(", ")),
    }
}

fn offers_of<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = Offer> + 'a {
    let handle = asked.handle;
    asked.status.models.iter().map(|model| Offer {
        provider: handle.id.clone(),
        provider_local: handle.local,
        health: asked.status.health.clone(),
        model: model.clone(),
    })
}

/// The engine reads probabilities off every model it loads.
fn offer_of_file(file: &ModelFile) -> Offer {
    Offer {
        provider: IN_PROCESS.into(),
        provider_local: true,
        health: Health::Ok,
        model: ModelInfo {
            capabilities: vec![Capability::Chat, Capability::Decide],
            digest: file.sha256.clone(),
            ..ModelInfo::named(&file.name)
        },
    }
}

#[cfg(test)]
mod tests {
    use goblin_store::model_files::ModelSource;

    use super::*;
    use crate::config::{Environment, Request, load};

    fn file(name: &str) -> ModelFile {
        ModelFile {
            name: name.into(),
            path: format!("/m/{name}.gguf").into(),
            size_bytes: Some(1 << 30),
            sha256: None,
            source: ModelSource::Pulled,
            reference: None,
            licence: None,
            added_at: None,
        }
    }

    fn looked(variables: &[(&str, &str)], files: &[ModelFile]) -> Finding {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().to_str().unwrap();
        let environment = Environment::of(&[&[("HOME", home)], variables].concat());
        let config = load(&environment, &Request::default()).unwrap().config;
        judges(&config, &[], files)
    }

    #[test]
    fn a_judge_that_is_there_is_named_with_its_grant_and_its_absence_is_said() {
        let nobody = looked(&[], &[file("smollm2-135m-instruct")]);
        assert_eq!(nobody.state, PartState::Ok);
        assert!(nobody.to_string().contains("safety: nobody"), "{nobody}");
        let there = looked(&[], &[file("gemma:2b"), file("phi3:3.8b")]).to_string();
        for part in [
            "safety: `engine/gemma:2b`, granted, not measured",
            "confidence: `engine/phi3:3.8b`",
        ] {
            assert!(there.contains(part), "{part}: {there}");
        }
    }

    #[test]
    fn a_required_judge_that_is_missing_is_what_keeps_it_from_answering() {
        let required = [("GOBLIN_TRUST__REQUIRE_JUDGE", "true")];
        let refused = looked(&required, &[]);
        assert_eq!(refused.state, PartState::Down);
        assert!(refused.to_string().contains("roster.safety"), "{refused}");
        assert_eq!(looked(&required, &[file("gemma:2b")]).state, PartState::Ok);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_found_before_the_start() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join(".local/share/goblin/judge-records");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("broken.json"), "{}").unwrap();
        let environment = Environment::of(&[("HOME", home.path().to_str().unwrap())]);
        let config = load(&environment, &Request::default()).unwrap().config;
        let found = judges(&config, &[], &[]);
        assert_eq!(found.state, PartState::Down);
        assert!(found.to_string().contains("broken.json"), "{found}");
    }
}
