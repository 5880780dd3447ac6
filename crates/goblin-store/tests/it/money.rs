//! What answers cost and what may be spent: reserved, written down, booked, added up.

use goblin_core::budget::{Bound, BudgetKind, OnReached, Rule, Scope, Spender, bounds};
use goblin_core::costs::Chosen;
use goblin_core::costs::month::Month;
use goblin_core::event::Usage;
use goblin_core::intent::Intent;
use goblin_core::money::UsageBy;
use goblin_core::owner::Owner;
use goblin_store::book::{Booked, Entry};
use goblin_store::error::StoreError;
use goblin_store::processes::SILENT_MS;
use goblin_store::spending::{Booking, Hold, OpenUsage, Reserved, Spent};
use goblin_store::traces::NewTrace;
use goblin_store::turns::Parent;
use goblin_store::usage::NewUsage;
use goblin_store::usage_report::UsageQuery;
use tokio::task::JoinSet;

use crate::accounts::deed;
use crate::desk::{Desk, on_both_kept};
use crate::traces::trace;

on_both_kept! {
    what_was_spent_in_periods_long_over_is_forgotten,
    what_was_spent_before_there_was_a_budget_counts,
    usage_is_added_up_by_day_model_key_and_user,
    what_a_month_costs_is_found_with_what_nobody_got,
    questions_that_repeat_and_who_answered_first_are_counted,
    a_reservation_is_raised_and_let_go_of_at_the_end,
    many_that_ended_are_booked_together,
    of_two_hundred_at_once_only_as_many_are_let_through_as_fit,
    what_a_dead_process_had_written_down_is_spent_and_the_rest_is_free_again,
    who_was_taken_for_dead_is_counted_once_when_it_ends_after_all,
}

const USD: u64 = 1_000_000_000;

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap()
}

fn bounds_of(desk: &Desk, rules: &[&str]) -> Vec<Bound> {
    let rules: Vec<Rule> = rules.iter().map(|text| rule(text)).collect();
    let spender = Spender {
        user: &desk.owner.user,
        key: None,
        teams: &[],
    };
    bounds(&rules, spender, desk.clock.now())
}

fn open(desk: &Desk, id: &str) -> OpenUsage {
    OpenUsage {
        id: id.into(),
        owner: desk.owner.clone(),
        key: None,
        request_id: "r".into(),
        door: "openai".into(),
        turn: None,
        model: Some("m".into()),
        provider: Some("up".into()),
        local: Some(false),
        tokens: Usage::default(),
        cost: Some(0),
        at: desk.clock.now(),
        spent: Vec::new(),
    }
}

fn holds(bounds: &[Bound], nano: u64) -> Vec<Hold> {
    let of = |bound: &Bound| Hold {
        bound: bound.clone(),
        nano,
    };
    bounds.iter().map(of).collect()
}

fn cost(nano: u64) -> NewUsage {
    NewUsage {
        request_id: "r".into(),
        door: "openai".into(),
        model: Some("m".into()),
        provider: Some("up".into()),
        local: Some(false),
        outcome: "complete".into(),
        cost: Some(nano),
        ..NewUsage::default()
    }
}

fn booked(id: &str, bounds: &[Bound], nano: u64, written: u64) -> NewUsage {
    let of = |bound: &Bound| Spent {
        scope: bound.scope.clone(),
        nano,
        written,
    };
    NewUsage {
        booking: Booking {
            id: id.into(),
            spent: bounds.iter().map(of).collect(),
        },
        ..cost(nano)
    }
}

async fn spending(desk: &Desk, scope: &Scope) -> (u64, u64) {
    desk.store.find_spending(&desk.owner.tenant, scope).await.unwrap()
}

/// Something in every table of this file.
pub(crate) async fn spend(desk: &Desk) {
    let tenant = &desk.owner.tenant;
    desk.store
        .put_budget(tenant, &rule("everybody 5 day"), "u", &deed("budget.set"))
        .await
        .unwrap();
    let bounds = bounds_of(desk, &["everybody 5 day"]);
    let held = desk
        .store
        .reserve(&open(desk, "under-way"), &holds(&bounds, 7))
        .await
        .unwrap();
    assert_eq!(held, Reserved::Held);
}

/// Budgets' part of the story.
pub(crate) async fn keeping_budgets(desk: &Desk) {
    let (store, tenant) = (&desk.store, &desk.owner.tenant);
    let set = |text: &'static str| async move {
        let deed = deed("budget.set");
        store.put_budget(tenant, &rule(text), "u", &deed).await.unwrap()
    };
    let first = set("user:* 5 month").await;
    let other = set("model:openai/* 2.5 day local").await;
    let again = set("user:* 6 month local").await;
    assert_eq!((&again.id, again.rule.limit), (&first.id, 6 * USD));
    assert_eq!(again.rule.on_reached, OnReached::Local);
    assert_eq!(store.list_budgets(tenant).await.unwrap(), [other.clone(), again]);
    assert!(store.list_budgets("others").await.unwrap().is_empty());
    let gone = deed("budget.removed");
    assert!(matches!(
        store.delete_budget("others", &other.id, &gone).await,
        Err(StoreError::NotFound("budget"))
    ));
    store.delete_budget(tenant, &other.id, &gone).await.unwrap();
    assert_eq!(store.list_budgets(tenant).await.unwrap().len(), 1);
    assert!(store.list_team_ids(tenant, "nobody").await.unwrap().is_empty());
}

async fn what_was_spent_before_there_was_a_budget_counts(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    store.insert_usage(owner, cost(USD)).await.unwrap();
    let unknown = NewUsage {
        cost: None,
        ..cost(0)
    };
    store.insert_usage(owner, unknown).await.unwrap();
    let other = NewUsage {
        provider: Some("grok".into()),
        ..cost(3 * USD)
    };
    store.insert_usage(owner, other).await.unwrap();
    let bounds = bounds_of(desk, &["user:* 9 day", "model:up/* 9 day", "everybody 9 month"]);
    for bound in &bounds {
        let expected = match bound.scope.kind {
            BudgetKind::Model => USD,
            _ => 4 * USD,
        };
        assert_eq!(spending(desk, &bound.scope).await, (expected, 0), "{bound:?}");
    }
    let reserved = store
        .reserve(&open(desk, "a"), &holds(&bounds, 5 * USD))
        .await
        .unwrap();
    assert_eq!(reserved, Reserved::Held);
    let Reserved::Reached(reached) = store.reserve(&open(desk, "b"), &holds(&bounds, 1)).await.unwrap()
    else {
        panic!("nothing is left");
    };
    assert_eq!(reached.bound.scope.kind, BudgetKind::Everybody);
    assert_eq!(
        (reached.spent, reached.reserved, reached.needed),
        (4 * USD, 5 * USD, 1)
    );
}

async fn a_reservation_is_raised_and_let_go_of_at_the_end(desk: &Desk) {
    let (store, bounds) = (&desk.store, bounds_of(desk, &["user:* 1 day"]));
    let scope = &bounds[0].scope;
    for nano in [100, 400] {
        let held = store
            .reserve(&open(desk, "a"), &holds(&bounds, nano))
            .await
            .unwrap();
        assert_eq!(held, Reserved::Held);
        assert_eq!(spending(desk, scope).await, (0, nano), "replaced, not added");
    }
    let too_much = store
        .reserve(&open(desk, "a"), &holds(&bounds, USD + 1))
        .await
        .unwrap();
    assert!(matches!(too_much, Reserved::Reached(_)));
    assert_eq!(spending(desk, scope).await, (0, 400), "what was held stays held");
    store
        .insert_usage(&desk.owner, booked("a", &bounds, 250, 0))
        .await
        .unwrap();
    assert_eq!(spending(desk, scope).await, (250, 0));
    let late = OpenUsage {
        cost: Some(9),
        ..open(desk, "a")
    };
    store.checkpoint_usage(&[late]).await.unwrap();
    desk.clock.advance_ms(SILENT_MS + 1);
    let next = desk.reopened().await;
    next.store.mark_interrupted().await.unwrap();
    let rows = store.list_usage(&desk.owner, None, 10).await.unwrap().items;
    assert_eq!(rows.len(), 1, "what has ended is not opened again");
    assert_eq!((rows[0].usage.cost, rows[0].id.as_str()), (Some(250), "a"));
}

async fn many_that_ended_are_booked_together(desk: &Desk) {
    let (store, bounds) = (&desk.store, bounds_of(desk, &["user:* 1 day"]));
    store
        .reserve(&open(desk, "held"), &holds(&bounds, 400))
        .await
        .unwrap();
    let at = desk.clock.now();
    let of = |entry: Entry| Booked {
        owner: desk.owner.clone(),
        at,
        entry,
    };
    let traced = |id: &str| {
        of(Entry::Trace(Box::new(NewTrace {
            trace: trace(desk, id),
            ..NewTrace::default()
        })))
    };
    let used = |usage: NewUsage| of(Entry::Usage(Box::new(usage)));
    let mut entries: Vec<Booked> = (1..=100).map(|nano| used(cost(nano))).collect();
    entries.extend((0..77).map(|n| traced(&format!("t-{n}"))));
    entries.push(used(booked("held", &bounds, 250, 0)));
    store.book(&[]).await.unwrap();
    store.book(&entries).await.unwrap();
    let rows = store.list_usage(&desk.owner, None, 200).await.unwrap().items;
    let total: u64 = rows.iter().filter_map(|row| row.usage.cost).sum();
    assert_eq!((rows.len(), total), (101, 5_050 + 250));
    assert!(
        rows.iter()
            .all(|row| row.at == at && row.usage.outcome == "complete")
    );
    assert_eq!(
        spending(desk, &bounds[0].scope).await.1,
        0,
        "nothing is held any more"
    );
    let traces = store.list_traces(&desk.owner, None, 100).await.unwrap().items;
    assert_eq!(traces.len(), 77);
}

async fn what_was_spent_in_periods_long_over_is_forgotten(desk: &Desk) {
    let (store, bounds) = (&desk.store, bounds_of(desk, &["user:* 1 day"]));
    store
        .reserve(&open(desk, "a"), &holds(&bounds, 400))
        .await
        .unwrap();
    store
        .insert_usage(&desk.owner, booked("a", &bounds, 400, 0))
        .await
        .unwrap();
    let scope = &bounds[0].scope;
    let after = |days: i64| async move {
        desk.clock.advance_ms(days * 86_400_000);
        store.remove_old(Default::default()).await.unwrap();
        spending(desk, scope).await.0
    };
    assert_eq!(after(99).await, 400);
    store.insert_usage(&Owner::local(), cost(5)).await.unwrap();
    assert_eq!(
        after(2).await,
        400 + 5,
        "what is forgotten is added up anew from the usage"
    );
}

async fn of_two_hundred_at_once_only_as_many_are_let_through_as_fit(desk: &Desk) {
    // Each needs a hundredth of a dollar, and there is one: of two copies of goblin together.
    let other = desk.reopened().await;
    let rules = ["everybody 1 month", "user:* 1.5 day"];
    let mut all = JoinSet::new();
    for n in 0..200 {
        let (store, bounds) = match n % 2 {
            0 => (desk.store.clone(), bounds_of(desk, &rules)),
            _ => (other.store.clone(), bounds_of(desk, &rules)),
        };
        let (owner, open) = (desk.owner.clone(), open(desk, &format!("r-{n}")));
        all.spawn(async move {
            match store.reserve(&open, &holds(&bounds, USD / 100)).await.unwrap() {
                Reserved::Reached(reached) => {
                    assert_eq!(reached.bound.scope.kind, BudgetKind::Everybody);
                    0
                }
                Reserved::Held => {
                    let id = open.id.clone();
                    store
                        .insert_usage(&owner, booked(&id, &bounds, USD / 100, 0))
                        .await
                        .unwrap();
                    1
                }
            }
        });
    }
    let let_through: u64 = all.join_all().await.into_iter().sum();
    assert_eq!(let_through, 100);
    for bound in bounds_of(desk, &rules) {
        assert_eq!(spending(desk, &bound.scope).await, (USD, 0));
    }
}

async fn what_a_dead_process_had_written_down_is_spent_and_the_rest_is_free_again(desk: &Desk) {
    let bounds = bounds_of(desk, &["user:* 1 day"]);
    let scope = bounds[0].scope.clone();
    desk.store
        .reserve(&open(desk, "a"), &holds(&bounds, USD))
        .await
        .unwrap();
    let written = OpenUsage {
        cost: Some(300),
        tokens: Usage {
            completion_tokens: 3,
            ..Usage::default()
        },
        spent: vec![(scope.clone(), 300)],
        ..open(desk, "a")
    };
    desk.store.checkpoint_usage(&[written]).await.unwrap();
    assert_eq!(spending(desk, &scope).await, (0, USD));
    desk.clock.advance_ms(SILENT_MS + 1);
    let next = desk.reopened().await;
    next.store.mark_interrupted().await.unwrap();
    assert_eq!(spending(&next, &scope).await, (300, 0));
    let rows = next.store.list_usage(&desk.owner, None, 10).await.unwrap().items;
    let row = &rows[0].usage;
    assert_eq!(
        (row.outcome.as_str(), row.cost, row.estimated),
        ("interrupted", Some(300), true)
    );
    assert_eq!(row.tokens.completion_tokens, 3);
    next.store.mark_interrupted().await.unwrap();
    assert_eq!(spending(&next, &scope).await, (300, 0), "once");
}

async fn who_was_taken_for_dead_is_counted_once_when_it_ends_after_all(desk: &Desk) {
    let bounds = bounds_of(desk, &["user:* 1 day"]);
    let scope = bounds[0].scope.clone();
    desk.store
        .reserve(&open(desk, "a"), &holds(&bounds, USD))
        .await
        .unwrap();
    let written = OpenUsage {
        cost: Some(300),
        spent: vec![(scope.clone(), 300)],
        ..open(desk, "a")
    };
    desk.store.checkpoint_usage(&[written]).await.unwrap();
    desk.clock.advance_ms(SILENT_MS + 1);
    let next = desk.reopened().await;
    next.store.mark_interrupted().await.unwrap();
    desk.store
        .insert_usage(&desk.owner, booked("a", &bounds, 700, 300))
        .await
        .unwrap();
    assert_eq!(spending(desk, &scope).await, (700, 0));
    let rows = desk.store.list_usage(&desk.owner, None, 10).await.unwrap().items;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].usage.outcome.as_str(), rows[0].usage.cost),
        ("complete", Some(700))
    );
}

async fn usage_is_added_up_by_day_model_key_and_user(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let other = Owner {
        tenant: owner.tenant.clone(),
        user: "other".into(),
    };
    store.insert_owner(&other, Some("Other")).await.unwrap();
    let from = desk.clock.now();
    let one = NewUsage {
        key: Some("k-1".into()),
        tokens: Usage {
            prompt_tokens: 10,
            completion_tokens: 4,
            cached_tokens: 2,
            reasoning_tokens: 1,
        },
        ..cost(500)
    };
    store.insert_usage(owner, one.clone()).await.unwrap();
    let local = NewUsage {
        provider: Some("engine".into()),
        local: Some(true),
        cost: Some(0),
        would_have_cost: Some(70),
        estimated: true,
        key: None,
        ..one.clone()
    };
    store.insert_usage(&other, local).await.unwrap();
    desk.clock.advance_ms(86_400_000);
    let unknown = NewUsage { cost: None, ..one };
    store.insert_usage(owner, unknown).await.unwrap();
    let report = |user: Option<&'static str>, by| async move {
        let asked = UsageQuery {
            user,
            from,
            to: desk.clock.now().plus_ms(1),
            by,
        };
        store.report_usage(&owner.tenant, asked).await.unwrap()
    };
    let days = report(None, UsageBy::Day).await;
    let seen: Vec<_> = days
        .iter()
        .map(|d| (d.id.as_str(), d.requests, d.cost, d.unknown))
        .collect();
    assert_eq!(seen, [("2026-11-23", 2, 500, 0), ("2026-11-24", 1, 0, 1)]);
    assert_eq!(
        (days[0].local, days[0].estimated, days[0].would_have_cost),
        (1, 1, 70)
    );
    assert_eq!((days[0].prompt_tokens, days[0].completion_tokens), (20, 8));
    assert_eq!((days[0].cached_tokens, days[0].reasoning_tokens), (4, 2));
    let models = report(None, UsageBy::Model).await;
    let seen: Vec<_> = models.iter().map(|m| (m.id.as_str(), m.requests)).collect();
    assert_eq!(seen, [("up/m", 2), ("engine/m", 1)]);
    let keys = report(None, UsageBy::Key).await;
    let seen: Vec<_> = keys.iter().map(|k| (k.id.as_str(), k.requests)).collect();
    assert_eq!(seen, [("k-1", 2), ("", 1)]);
    let users = report(None, UsageBy::User).await;
    assert_eq!(users.len(), 2);
    assert_eq!(users[1].name.as_deref(), Some("Other"));
    let own = report(Some("other"), UsageBy::Model).await;
    assert_eq!((own.len(), own[0].requests), (1, 1));
}

async fn what_a_month_costs_is_found_with_what_nobody_got(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let month = Month::of(desk.clock.now());
    let nothing = store.find_cost_facts(&owner.tenant, month).await.unwrap();
    assert_eq!(
        (nothing.first_use, nothing.days.len(), nothing.first_questions),
        (None, 0, 0)
    );
    let first = desk.clock.now();
    store.insert_usage(owner, cost(USD)).await.unwrap();
    let lost = NewUsage {
        outcome: "failed".into(),
        ..cost(USD / 2)
    };
    store.insert_usage(owner, lost).await.unwrap();
    let free = NewUsage {
        outcome: "cancelled".into(),
        ..cost(0)
    };
    store.insert_usage(owner, free).await.unwrap();
    let seen = store.find_cost_facts(&owner.tenant, month).await.unwrap();
    assert_eq!(seen.first_use, Some(first));
    assert_eq!((seen.lost, seen.lost_cost), (1, USD / 2));
    assert_eq!((seen.days[0].requests, seen.days[0].cost), (3, USD + USD / 2));
    assert_eq!((seen.models.len(), seen.users.len()), (1, 1));
    let later = store.find_cost_facts(&owner.tenant, month.plus(1)).await.unwrap();
    assert_eq!(
        (later.days.len(), later.models.len(), later.lost),
        (1, 0, 0),
        "its history has it"
    );
    let others = store.find_cost_facts("others", month).await.unwrap();
    assert_eq!((others.first_use, others.days.len()), (None, 0));
}

async fn questions_that_repeat_and_who_answered_first_are_counted(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    for question in ["What is rain?", " what IS rain?", "Something else"] {
        let chat = desk.chat().await;
        let first = desk.ask(&chat, Parent::Head, question).await;
        // Asked again in its own chat, it counts once; what follows in a chat does not begin one.
        desk.ask(&chat, Parent::beside(&first), question).await;
        desk.ask(&chat, Parent::Head, "What is rain?").await;
    }
    let local = trace(desk, "t-1");
    let away = |id: &str, intent| {
        let mut trace = trace(desk, id);
        trace.route.intent = intent;
        trace.steps[0].local = false;
        trace.cost_usd = Some(0.25);
        trace
    };
    let intent = Some(Intent::Code);
    let mut traces = vec![local, away("t-2", intent), away("t-3", intent), away("t-4", None)];
    traces[0].route.intent = intent;
    for trace in traces {
        let kept = NewTrace {
            request_id: "r".into(),
            turn: None,
            trace,
        };
        store.insert_trace(owner, &kept).await.unwrap();
    }
    let month = Month::of(desk.clock.now());
    let seen = store.find_cost_facts(&owner.tenant, month).await.unwrap();
    assert_eq!((seen.first_questions, seen.repeated), (3, 1));
    let code = Chosen {
        intent: Intent::Code,
        checked: 1,
        accepted: 1,
        away: 2,
        away_cost: USD / 2,
    };
    assert_eq!((seen.traces, seen.chosen), (4, vec![code]));
}
