//! The roster of a model tier: the models its roles name, how long each stays in memory, and whether they fit there.

use std::time::Duration;

use crate::chat::KeepAlive;
use crate::model::ModelInfo;

/// Of a model's weights, what a context and the work on it take beside them.
const BESIDE_WEIGHTS: u64 = 8;
/// And what any model takes.
const AT_LEAST: u64 = 256 << 20;

/// One role and its model, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// For example `safety`.
    pub role: String,
    /// How the model is written in `goblin models pull`.
    pub reference: String,
    /// Names providers may know it by.
    pub names: Vec<String>,
    /// How long it stays in memory unused.
    pub keep_alive: KeepAlive,
}

/// A model of the roster, with all roles it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterModel {
    /// Its roles, in their order.
    pub roles: Vec<String>,
    /// How it is written in `goblin models pull`.
    pub reference: String,
    /// Names providers may know it by.
    pub names: Vec<String>,
    /// How long it stays in memory unused: the longest that one of its roles asks for.
    pub keep_alive: KeepAlive,
}

impl RosterModel {
    /// Is this the name of the model? `m` and `m:latest` are the same.
    pub fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| untagged(known) == untagged(name))
    }
}

/// The models of all roles, each once, in the order of the roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    models: Vec<RosterModel>,
}

impl Roster {
    /// Puts roles that share a model together.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Self {
        let mut models: Vec<RosterModel> = Vec::new();
        for role in roles {
            let Role {
                role,
                reference,
                names,
                keep_alive,
            } = role;
            match models.iter_mut().find(|m| m.reference == reference) {
                Some(shared) => {
                    shared.roles.push(role);
                    shared.keep_alive = longest(shared.keep_alive, keep_alive);
                }
                None => models.push(RosterModel {
                    roles: vec![role],
                    reference,
                    names,
                    keep_alive,
                }),
            }
        }
        Self { models }
    }

    /// The models, in the order of the roles.
    pub fn models(&self) -> &[RosterModel] {
        &self.models
    }

    /// The model of that name, if a role has it.
    pub fn find(&self, name: &str) -> Option<&RosterModel> {
        self.models.iter().find(|m| m.is_called(name))
    }

    /// How long a model stays in memory after a request that does not say: as long as its roles want it to, and where
    /// it has none as its server likes.
    pub fn keep_alive(&self, name: &str) -> Option<KeepAlive> {
        self.find(name).map(|m| m.keep_alive)
    }
}

/// The longer of two times.
fn longest(a: KeepAlive, b: KeepAlive) -> KeepAlive {
    match (a, b) {
        (KeepAlive::For(a), KeepAlive::For(b)) => KeepAlive::For(a.max(b)),
        _ => KeepAlive::Forever,
    }
}

/// Whole seconds; -1 is always.
pub fn keep_alive_seconds(keep: KeepAlive) -> i64 {
    match keep {
        KeepAlive::Forever => -1,
        KeepAlive::For(time) => i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
    }
}

/// The time of a setting in seconds; `None` is always.
pub fn keep_alive_of(time: Option<Duration>) -> KeepAlive {
    time.map_or(KeepAlive::Forever, KeepAlive::For)
}

/// The name without the tag `latest`, which some leave out.
pub(crate) fn untagged(name: &str) -> &str {
    name.strip_suffix(":latest").unwrap_or(name)
}

/// Bytes of memory a model of this many bytes of weights takes with a context of the usual size, generously.
pub fn memory_needed(weights: u64) -> u64 {
    weights
        .saturating_add(weights / BESIDE_WEIGHTS)
        .saturating_add(AT_LEAST)
}

/// Bytes of memory a model takes: what its server says it takes, else what its weights let expect; `None` when not
/// even their size is known.
pub fn memory_of(model: &ModelInfo) -> Option<u64> {
    model.memory_bytes.or_else(|| model.size_bytes.map(memory_needed))
}

/// The first models, in order, that fit into `room` bytes together, and how many bytes all of them lack; `None` when
/// all fit. The number is how many of the models fit.
pub fn fit_together(models: &[u64], room: u64) -> Option<(usize, u64)> {
    let all = models.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let lacking = all.checked_sub(room).filter(|n| *n > 0)?;
    let mut left = room;
    let fitting = models.iter().take_while(|n| match left.checked_sub(**n) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    Some((fitting.count(), lacking))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(role: &str, reference: &str, seconds: Option<u64>) -> Role {
        Role {
            role: role.into(),
            reference: reference.into(),
            names: vec![reference.into()],
            keep_alive: keep_alive_of(seconds.map(Duration::from_secs)),
        }
    }

    #[test]
    fn a_model_of_several_roles_stays_as_long_as_the_most_patient_one_wants() {
        let roster = Roster::new([
            role("safety", "gemma:2b", Some(60)),
            role("top", "mistral:7b", Some(5)),
            role("quick", "gemma:2b", Some(600)),
            role("code", "coder:latest", None),
            role("chat", "coder:latest", Some(1)),
        ]);
        let roles: Vec<_> = roster.models().iter().map(|m| m.roles.join("+")).collect();
        assert_eq!(roles, ["safety+quick", "top", "code+chat"]);
        let kept = |name| roster.keep_alive(name).map(keep_alive_seconds);
        assert_eq!(kept("gemma:2b"), Some(600));
        assert_eq!(kept("mistral:7b"), Some(5));
        assert_eq!(kept("coder"), Some(-1), "a name without a tag is the latest");
        assert_eq!(kept("other:7b"), None);
    }

    #[test]
    fn models_fit_in_their_order_or_it_is_said_how_much_is_missing() {
        assert_eq!(fit_together(&[3, 4, 5], 12), None);
        assert_eq!(fit_together(&[3, 4, 5], 11), Some((2, 1)));
        assert_eq!(
            fit_together(&[9, 1], 5),
            Some((0, 5)),
            "the order of the roles holds"
        );
        assert_eq!(fit_together(&[], 0), None);
    }

    #[test]
    fn a_loaded_model_takes_what_its_server_says() {
        let mut model = ModelInfo::named("m");
        assert_eq!(memory_of(&model), None);
        model.size_bytes = Some(4 << 30);
        assert_eq!(memory_of(&model), Some((4 << 30) + (512 << 20) + (256 << 20)));
        model.memory_bytes = Some(5 << 30);
        assert_eq!(memory_of(&model), Some(5 << 30));
    }
}
