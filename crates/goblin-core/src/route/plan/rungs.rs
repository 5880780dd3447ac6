//! From roles to the models that are there: each rung the role's model, else the nearest to it; behind the rungs
//! whatever else could answer when all of them fail.

use std::time::Duration;

use super::Judged;
use crate::model::ModelState;
use crate::policy::{IntentPolicy, Policy, PolicyRole, RoleModel};
use crate::route::{Ladder, Offer, Table, names};
use crate::trace::Considered;

/// The models of a ladder.
pub(super) struct Climb {
    /// Worth escalating to, each expected better than the one before. Servers of the same model stand together.
    rungs: Vec<Judged>,
    /// Only for when every rung fails.
    spare: Vec<Judged>,
    /// Roles whose model nobody offers.
    pub(super) absent: Vec<(PolicyRole, RoleModel)>,
}

/// Builds the ladder of `roles` from the models that are there.
pub(super) fn build(
    roles: &[PolicyRole],
    row: &IntentPolicy,
    mut able: Vec<Judged>,
    policy: &Policy,
    table: &Table<'_>,
    weight: f64,
) -> Climb {
    let mut climb = Climb {
        rungs: Vec::new(),
        spare: Vec::new(),
        absent: Vec::new(),
    };
    if let Some(preferred) = table.default_model {
        climb.rungs = take(&mut able, |j| names(&j.offer, preferred));
    }
    let only_starters = able.iter().all(|j| j.offer.model.starter);
    let best_first = roles.first() == Some(&PolicyRole::Cloud);
    for (place, role) in roles.iter().enumerate() {
        let floor = climb.rungs.last().map(|j| j.quality).filter(|_| !best_first);
        let rises = |j: &Judged| floor.is_none_or(|floor| j.quality > floor);
        let chosen = if *role == PolicyRole::Cloud {
            cloud(&mut able, weight, rises)
        } else {
            let model = policy.roles.get(role);
            let own = take(&mut able, |j| {
                model.is_some_and(|m| m.is(&j.offer.provider, &j.offer.model.name)) && j.speaks
            });
            if own.is_empty()
                && let Some(model) = model
                && !climb
                    .rungs
                    .iter()
                    .any(|j| model.is(&j.offer.provider, &j.offer.model.name))
            {
                climb.absent.push((*role, model.clone()));
            }
            let aim = row.quality.get(role).copied().unwrap_or(0.5);
            match own.is_empty() {
                false => own,
                true if place == 0 && climb.rungs.is_empty() => {
                    nearest(&mut able, aim, only_starters, |_| true)
                }
                true => nearest(&mut able, aim, false, rises),
            }
        };
        climb.rungs.extend(chosen);
    }
    if climb.rungs.is_empty() {
        // Only models elsewhere, or only such that do not speak the language well: better than nobody.
        climb.rungs = nearest(&mut able, 1.0, true, |_| true);
        if climb.rungs.is_empty() {
            climb.rungs = cloud(&mut able, weight, |_| true);
        }
        if climb.rungs.is_empty() && !able.is_empty() {
            climb.rungs = vec![able.remove(0)];
        }
    }
    able.sort_by(|a, b| {
        order(a)
            .cmp(&order(b))
            .then(b.worth(weight).total_cmp(&a.worth(weight)))
    });
    climb.spare = able;
    climb
}

/// What stands behind the rungs: the starter last, what is in memory first, then what stays here.
fn order(j: &Judged) -> (bool, bool, bool, bool) {
    (
        j.offer.model.starter,
        !j.speaks,
        j.offer.model.state != ModelState::Loaded,
        !j.offer.stays_local(),
    )
}

/// Takes out all that are `wanted`, in the order they have.
fn take(able: &mut Vec<Judged>, wanted: impl Fn(&Judged) -> bool) -> Vec<Judged> {
    let (taken, left) = std::mem::take(able).into_iter().partition(wanted);
    *able = left;
    taken
}

/// Takes out the operator's model, on all its servers, whose expected quality is nearest to `aim`.
fn nearest(able: &mut Vec<Judged>, aim: f64, starters: bool, fits: impl Fn(&Judged) -> bool) -> Vec<Judged> {
    let found = able
        .iter()
        .filter(|j| j.offer.stays_local() && (starters || !j.offer.model.starter) && j.speaks && fits(j))
        .min_by(|a, b| {
            let far = |j: &Judged| (j.quality - aim).abs();
            let loaded = |j: &Judged| j.offer.model.state != ModelState::Loaded;
            far(a)
                .total_cmp(&far(b))
                .then(b.quality.total_cmp(&a.quality))
                .then(loaded(a).cmp(&loaded(b)))
        })
        .map(|j| j.offer.model.name.clone());
    match found {
        Some(name) => take(able, |j| j.offer.model.name == name && j.offer.stays_local()),
        None => Vec::new(),
    }
}

/// Takes out the model elsewhere that is worth most.
fn cloud(able: &mut Vec<Judged>, weight: f64, fits: impl Fn(&Judged) -> bool) -> Vec<Judged> {
    let found = able
        .iter()
        .filter(|j| !j.offer.stays_local() && fits(j))
        .max_by(|a, b| a.worth(weight).total_cmp(&b.worth(weight)))
        .map(|j| j.offer.id());
    match found {
        Some(id) => take(able, |j| j.offer.id() == id),
        None => Vec::new(),
    }
}

impl Climb {
    /// Every model, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Judged> {
        self.rungs.iter().chain(&self.spare)
    }

    /// Those that begin too late go behind those that do not; what is then no step up any more only stands ready.
    pub(super) fn ordered_by_latency(mut self, longest: Option<Duration>) -> Self {
        let Some(longest) = longest else {
            return self;
        };
        let late = |j: &Judged| j.first_token.is_some_and(|time| time > longest);
        let (slow, quick): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rungs).into_iter().partition(late);
        self.rungs = quick;
        let mut behind = Vec::new();
        for judged in slow {
            let top = self.rungs.last().map(|j| j.quality);
            match top.is_none_or(|top| judged.quality >= top) {
                true => self.rungs.push(judged),
                false => behind.push(judged),
            }
        }
        behind.append(&mut self.spare);
        behind.sort_by_key(late);
        self.spare = behind;
        self
    }

    /// For the trace, with their places.
    pub(super) fn considered(&self) -> Vec<Considered> {
        let places = self.all().enumerate();
        places
            .map(|(at, judged)| judged.considered(Some(at), None))
            .collect()
    }

    /// The ladder.
    pub(super) fn into_ladder(self) -> Ladder {
        let rungs = self.rungs.len();
        let offers = self.rungs.into_iter().chain(self.spare);
        Ladder {
            candidates: offers.map(|judged| judged.offer).collect::<Vec<Offer>>(),
            rungs,
            explicit: false,
            alias: false,
        }
    }
}
