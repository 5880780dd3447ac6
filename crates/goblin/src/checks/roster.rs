//! Do the roster's models fit into memory together?

use goblin_core::roster::{RosterModel, fit_together, memory_needed};
use goblin_core::status::PartState;
use goblin_store::model_files::ModelFile;

use super::{Asked, Finding};
use crate::config::Config;
use crate::output::bytes;
use crate::roster;

/// Looks at those that are on this machine.
pub(super) fn roster(config: &Config, asked: &[Asked<'_>], files: &[ModelFile], memory: u64) -> Finding {
    let all = roster::of(config);
    let weights = |wanted: &RosterModel| {
        let here = asked.iter().filter(|a| roster::is_here(config, &a.handle.id));
        let served = here
            .flat_map(|a| &a.status.models)
            .find(|m| wanted.is_called(&m.name))
            .and_then(|m| m.size_bytes);
        let file = |f: &&ModelFile| {
            wanted.is_called(&f.name) || f.reference.as_ref().is_some_and(|r| wanted.is_called(r))
        };
        served.or_else(|| files.iter().find(file).and_then(|f| f.size_bytes))
    };
    let present: Vec<(&RosterModel, u64)> = all
        .models()
        .iter()
        .filter_map(|m| Some((m, memory_needed(weights(m)?))))
        .collect();
    if present.is_empty() {
        return Finding::ok("none of its models is on this machine");
    }
    let needs: Vec<u64> = present.iter().map(|(_, need)| *need).collect();
    let together = needs.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let room = memory.saturating_sub(roster::KEPT_FREE);
    let absent = all.models().len() - present.len();
    let Some((fitting, lacking)) = fit_together(&needs, room) else {
        let beside = match absent {
            0 => String::new(),
            n => format!("; {n} more are not here (`goblin models roster`)"),
        };
        return Finding::ok(format!(
            "its {} models here fit into memory together ({} of {}){beside}",
            present.len(),
            bytes(together),
            bytes(memory)
        ));
    };
    let named = |part: &[(&RosterModel, u64)]| {
        let names = part
            .iter()
            .map(|(m, need)| format!("{} (`{}`, {})", m.roles.join("+"), m.reference, bytes(*need)));
        names.collect::<Vec<_>>().join(", ")
    };
    let (fit, out) = present.split_at(fitting);
    let fit = match fit {
        [] => "nothing fits".to_owned(),
        fit => format!("{} fit", named(fit)),
    };
    Finding::bad(
        PartState::Degraded,
        format!(
            "its models here need {} together, {} more than there is for them: {fit}; not beside them: {}",
            bytes(together),
            bytes(lacking),
            named(out)
        ),
        "A request for a model that is out must wait until it has been loaded in the place of another.",
        "Give roles smaller models, or the same one, in [tier.models]; leave a role out with an empty model; or add \
         memory.",
    )
}

#[cfg(test)]
mod tests {
    use goblin_store::model_files::ModelSource;

    use super::*;
    use crate::config::{Environment, Request, load};

    fn file(name: &str, gib: u64) -> ModelFile {
        ModelFile {
            name: name.into(),
            path: format!("/m/{name}.gguf").into(),
            size_bytes: Some(gib << 30),
            sha256: None,
            source: ModelSource::Pulled,
            reference: Some(name.into()),
            licence: None,
            added_at: None,
        }
    }

    #[test]
    fn a_roster_that_does_not_fit_names_the_roles_and_what_is_missing() {
        let config = load(&Environment::of(&[("HOME", "/h")]), &Request::default())
            .unwrap()
            .config;
        let files = [file("gemma:2b", 2), file("phi3:3.8b", 2), file("mistral:7b", 4)];
        let fits = roster(&config, &[], &files, 32 << 30);
        assert_eq!(fits.state, PartState::Ok, "{fits}");
        let tight = roster(&config, &[], &files, 6 << 30);
        assert_eq!(tight.state, PartState::Degraded);
        let said = tight.to_string();
        for part in [
            "safety (`gemma:2b`, 2.5 GiB), confidence",
            "not beside them: top (`mistral:7b`",
            "4.2 GiB more",
            "[tier.models]",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let none = roster(&config, &[], &[], 1 << 30);
        assert_eq!(none.state, PartState::Ok);
    }
}
