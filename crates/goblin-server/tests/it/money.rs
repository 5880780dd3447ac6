//! What was used and what may be spent, over the API; and what each door says when there is no money left.

use goblin_core::budget::Rule;
use goblin_core::policy::Price;
use goblin_core::provider::ProviderHandle;
use http::Method;
use serde_json::{Value, json};

use crate::people::{Person, app_with, owner, public_app};
use crate::provider::MODEL;
use crate::test_app::TestApp;

fn elsewhere(handle: ProviderHandle) -> ProviderHandle {
    ProviderHandle {
        local: false,
        ..handle
    }
}

/// A server whose model is elsewhere and costs a dollar a million tokens.
async fn paid(budgets: &'static [&'static str]) -> TestApp {
    app_with(|setup| {
        setup.able = elsewhere;
        setup.policy.prices.push(Price {
            model: MODEL.to_owned(),
            input: 1.0,
            output: 1.0,
        });
        setup.money.budgets = budgets.iter().map(|text| Rule::parse(text).unwrap()).collect();
    })
    .await
}

async fn put(app: &TestApp, by: &Person, body: &Value) -> (u16, Value) {
    let mut set = by.call(app, Method::PUT, "/api/budgets").json(body).send().await;
    (set.status.as_u16(), set.json().await)
}

async fn ask(app: &TestApp, by: &Person, path: &str) -> (u16, Value) {
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50});
    let mut said = by.call(app, Method::POST, path).json(&body).send().await;
    (said.status.as_u16(), said.json().await)
}

#[tokio::test]
async fn budgets_are_set_listed_held_and_taken_away_by_admins() {
    let app = paid(&["model:grok/* 9 day"]).await;
    let owner = owner(&app).await;
    assert_eq!(ask(&app, &owner, "/v1/chat/completions").await.0, 200);
    let (status, set) = put(
        &app,
        &owner,
        &json!({"kind": "user", "subject": owner.id, "usd": 0.000001, "period": "day"}),
    )
    .await;
    assert_eq!(status, 200, "{set}");
    assert_eq!(
        (&set["on_reached"], &set["usd"]),
        (&json!("refuse"), &json!(0.000001))
    );
    assert!(
        set["spent_usd"].as_f64().unwrap() > 0.0,
        "what was spent before counts: {set}"
    );
    let listed: Value = owner.get(&app, "/api/budgets").await.json().await;
    let ids: Vec<bool> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["id"].is_null())
        .collect();
    assert_eq!(ids, [true, false], "the configuration's first: {listed}");
    app.clock.advance_ms(2_000);
    for (path, status) in [
        ("/v1/chat/completions", 429),
        ("/api/chat/completions", 429),
        ("/chat/completions", 429),
    ] {
        let (found, said) = ask(&app, &owner, path).await;
        assert_eq!(found, status, "{path}: {said}");
        let error = &said["error"];
        let named = [&error["code"], &error["type"]].contains(&&json!("insufficient_quota"));
        assert!(named, "{path}: {said}");
        let message = said.to_string();
        assert!(
            message.contains("0.000001 USD a day") && message.contains("begins anew"),
            "{path}: {said}"
        );
    }
    let id = set["id"].as_str().unwrap();
    let gone = owner
        .call(&app, Method::DELETE, &format!("/api/budgets/{id}"))
        .send()
        .await;
    assert_eq!(gone.status, 204);
    let audit = owner.get(&app, "/api/audit").await.text().await;
    assert!(
        audit.contains("budget.set") && audit.contains("budget.removed"),
        "{audit}"
    );
}

#[tokio::test]
async fn a_budget_that_makes_no_sense_is_refused_with_its_field() {
    let app = public_app().await;
    let owner = owner(&app).await;
    for (body, field) in [
        (json!({"kind": "nobody", "usd": 1, "period": "day"}), "kind"),
        (json!({"kind": "user", "usd": 1, "period": "day"}), "subject"),
        (
            json!({"kind": "everybody", "subject": "x", "usd": 1, "period": "day"}),
            "subject",
        ),
        (json!({"kind": "everybody", "period": "day"}), "usd"),
        (json!({"kind": "everybody", "usd": 0, "period": "day"}), "usd"),
        (json!({"kind": "everybody", "usd": -1, "period": "day"}), "usd"),
        (
            json!({"kind": "everybody", "usd": 1, "period": "total"}),
            "period",
        ),
        (
            json!({"kind": "everybody", "usd": 1, "period": "day", "on_reached": "x"}),
            "on_reached",
        ),
        (
            json!({"kind": "model", "subject": "gpt", "usd": 1, "period": "day"}),
            "subject",
        ),
        (
            json!({"kind": "everybody", "usd": 1, "period": "day", "more": 1}),
            "more",
        ),
    ] {
        let (status, said) = put(&app, &owner, &body).await;
        assert_eq!((status, &said["param"]), (422, &json!(field)), "{body}: {said}");
    }
    let missing = "/api/budgets/01931234-0000-7000-8000-00000000000f";
    assert_eq!(owner.call(&app, Method::DELETE, missing).send().await.status, 404);
}

#[tokio::test]
async fn usage_is_ones_own_or_for_admins_everybodys() {
    let app = paid(&[]).await;
    let owner = owner(&app).await;
    assert_eq!(ask(&app, &owner, "/v1/chat/completions").await.0, 200);
    for by in ["day", "model", "key", "user"] {
        let path = format!("/api/usage?by={by}&everybody=true");
        let report: Value = owner.get(&app, &path).await.json().await;
        assert_eq!(report["by"], by, "{report}");
        assert_eq!(report["total"]["requests"], 1, "{report}");
        assert!(report["total"]["cost_usd"].as_f64().unwrap() > 0.0, "{report}");
    }
    for (query, field) in [
        ("by=week", "by"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2020-01-01&to=2026-01-01", "from"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("everybody=perhaps", "everybody"),
        ("of=me", "of"),
    ] {
        let mut refused = owner.get(&app, &format!("/api/usage?{query}")).await;
        let said: Value = refused.json().await;
        assert_eq!(
            (refused.status.as_u16(), &said["param"]),
            (422, &json!(field)),
            "{query}: {said}"
        );
    }
}

#[tokio::test]
async fn the_budget_a_key_was_made_with_holds() {
    let app = paid(&[]).await;
    let owner = owner(&app).await;
    let wish = json!({"name": "ci", "budget": {"usd": 0.000001, "period": "total"}});
    let made: Value = owner.post(&app, "/api/keys", &wish).await.json().await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]});
    let mut refused = app
        .call(Method::POST, "/v1/chat/completions")
        .header("x-api-key", made["key"].as_str().unwrap())
        .json(&body)
        .send()
        .await;
    let said: Value = refused.json().await;
    assert_eq!(refused.status, 429, "{said}");
    assert_eq!(said["error"]["code"], "insufficient_quota", "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("The budget of this key, 0.000001 USD in all,"),
        "{message}"
    );
    assert_eq!(
        ask(&app, &owner, "/v1/chat/completions").await.0,
        200,
        "it is only the key's"
    );
}

#[tokio::test]
async fn what_a_month_costs_is_told_to_admins() {
    let app = paid(&[]).await;
    let owner = owner(&app).await;
    assert_eq!(ask(&app, &owner, "/v1/chat/completions").await.0, 200);
    for path in ["/api/costs", "/api/dashboard/costs"] {
        let report: Value = owner.get(&app, path).await.json().await;
        assert_eq!(report["providers"]["requests"], 1, "{path}: {report}");
        assert!(
            report["providers"]["cost_usd"].as_f64().unwrap() > 0.0,
            "{report}"
        );
        assert_eq!(report["forecast"]["state"], "too_few_days", "{report}");
        assert_eq!(report["findings"][0]["kind"], "no_budget", "{report}");
    }
    assert_eq!(ask(&app, &owner, "/v1/chat/completions").await.0, 200);
    let again: Value = owner.get(&app, "/api/costs").await.json().await;
    assert_eq!(
        again["providers"]["requests"], 1,
        "not read again at once: {again}"
    );
    app.clock.advance_ms(30_000);
    let later: Value = owner.get(&app, "/api/costs").await.json().await;
    assert_eq!(later["providers"]["requests"], 2, "{later}");
    for query in ["month=2026-13", "month=9000-01", "of=me"] {
        let mut refused = owner.get(&app, &format!("/api/costs?{query}")).await;
        let said: Value = refused.json().await;
        assert_eq!(refused.status, 422, "{query}: {said}");
    }
    let stranger = app.call(Method::GET, "/api/costs").send().await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn admins_reach_every_check_below_the_api() {
    let app = public_app().await;
    let owner = owner(&app).await;
    let all: Value = owner.get(&app, "/api/admin/health").await.json().await;
    assert_eq!(all["draining"], false, "{all}");
    assert!(
        all["items"].as_array().is_some_and(|items| !items.is_empty()),
        "{all}"
    );
    assert_eq!(
        app.call(Method::GET, "/api/admin/health").send().await.status,
        401
    );
}
