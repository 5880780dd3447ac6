use super::*;
use crate::eval::routed::line;
use crate::eval::run::{JudgedLine, Lines, Run, header};
use crate::intent::Intent;

fn judged(subject: &str, of: impl Fn(usize) -> f64) -> Run {
    let line = |n: usize| JudgedLine {
        id: format!("case-{n}"),
        group: Some(if n < 20 { "homonyms" } else { "privacy_public" }.to_owned()),
        good: n.is_multiple_of(2),
        probability: Some(of(n)),
        mass: 0.9,
        ms: n as f64,
        ..JudgedLine::default()
    };
    let mut header = header(EvalSet::Xstest);
    header.subject = subject.to_owned();
    header.cases = 40;
    Run {
        header,
        lines: Lines::Judged((0..40).map(line).collect()),
    }
}

fn routed() -> Run {
    let lines = vec![
        line("code-01", Intent::Code, Intent::Chat),
        line("chat-01", Intent::Chat, Intent::Chat),
    ];
    let mut header = header(EvalSet::Routing);
    header.subject = "router".to_owned();
    header.questions = None;
    Run {
        header,
        lines: Lines::Routed(lines),
    }
}

/// Every tag is closed in order; these need no end.
fn is_well_formed(html: &str) -> bool {
    let alone = ["meta", "path", "rect", "polyline", "!doctype"];
    let mut open: Vec<String> = Vec::new();
    for piece in html.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap_or_default();
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(closed) {
                return false;
            }
        } else if !alone.contains(&name) && !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    open.is_empty()
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let report = Report::of(vec![judged("engine/small", |n| (n as f64) / 40.0), routed()]);
    let html = page(&report);
    assert!(is_well_formed(&html));
    for outside in [
        "<script", "src=", "url(", "@import", "<link", "onload", "http:", "https:", "NaN", "inf",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("prefers-color-scheme: dark"));
    assert_eq!(html.matches("<svg").count(), 4);
    for part in [
        "Does it tell them apart?",
        "Does a probability mean what it says?",
        "How long does it take?",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn what_stands_in_a_run_is_never_markup() {
    let report = Report::of(vec![judged("engine/<b>\"x\"</b>", |_| 0.5)]);
    let html = page(&report);
    assert!(is_well_formed(&html));
    assert!(!html.contains("<b>\"x\""));
    assert!(html.contains("&lt;b&gt;&quot;x&quot;"));
}

#[test]
fn a_report_of_poor_judges_says_so_at_the_top() {
    let report = Report::of(vec![
        judged("engine/small", |_| 0.5),
        judged("engine/other", |_| 0.4),
    ]);
    let html = page(&report);
    let top = html.split("<h2>").next().unwrap_or_default();
    assert!(
        top.contains("None of the 2 runs of judges here gives authority"),
        "{top}"
    );
}

#[test]
fn runs_without_a_verdict_and_no_runs_at_all_are_pages_too() {
    let mut empty = judged("engine/small", |_| f64::NAN);
    assert!(is_well_formed(&page(&Report::of(vec![empty.clone()]))));
    empty.lines = Lines::Judged(Vec::new());
    let html = page(&Report::of(vec![empty]));
    assert!(is_well_formed(&html));
    assert!(!html.contains("NaN"), "{html}");
    assert!(page(&Report::of(Vec::new())).contains("no runs"));
}

#[test]
fn held_out_mistakes_are_not_shown() {
    let mut run = routed();
    let Lines::Routed(lines) = &mut run.lines else {
        panic!("routed")
    };
    lines[0].held_out = true;
    let html = page(&Report::of(vec![run]));
    assert!(!html.contains("code-01"));
    assert!(html.contains("Right, held out"));
}
