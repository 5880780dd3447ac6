//! `goblin costs`, without a goblin that runs.

use serde_json::{Value, json};

use crate::process::{printed_well, run, stderr};

#[test]
fn what_a_month_costs_is_told_without_a_running_backend() {
    let home = tempfile::tempdir().unwrap();
    let environment = [("NO_COLOR", "1")];
    let costs = |arguments: &[&str]| run(home.path(), &[&["costs"], arguments].concat(), &environment);
    let early = costs(&[]);
    assert_eq!(early.status.code(), Some(1));
    assert!(
        stderr(&early).contains("There is no database"),
        "{}",
        stderr(&early)
    );
    printed_well(&run(home.path(), &["migrate", "up"], &[]), &["migrate", "up"]);

    let hosts = ["--set", "costs.hosts=backend 7.5 own,models ? rented"];
    let text = printed_well(&costs(&hosts), &hosts);
    for part in [
        "so far (UTC), in USD",
        "7.50",
        "unknown",
        "at least 7.50",
        "No forecast yet",
        "costs.hosts",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(!text.contains('\x1b'), "{text}");

    let arguments = ["--month", "2026-10", "--json"];
    let report: Value = serde_json::from_str(&printed_well(&costs(&arguments), &arguments)).unwrap();
    assert_eq!(
        (&report["month"], &report["forecast"]["state"], &report["fixed"]),
        (&json!("2026-10"), &json!("over"), &json!([])),
        "one box rents nothing: {report}"
    );
    // What is reckoned with a default price says where that is from.
    let arguments = [
        &arguments[..],
        &["--set", "server.frontend_url=https://chat.example.org"],
    ]
    .concat();
    let report: Value = serde_json::from_str(&printed_well(&costs(&arguments), &arguments)).unwrap();
    let page = json!([{"name": "page", "monthly_usd": 20.0, "assumed": true,
                       "note": "Vercel Pro, one seat; vercel.com/pricing, 2026-11-28"}]);
    assert_eq!(report["fixed"], page, "{report}");
    for (month, code) in [("2026-13", 2), ("9000-01", 1)] {
        assert_eq!(costs(&["--month", month]).status.code(), Some(code), "{month}");
    }
}
