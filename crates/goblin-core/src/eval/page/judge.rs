//! A judge's part of the page.

use super::charts;
use crate::eval::judged::Judged;
use crate::eval::plot::escaped;
use crate::eval::run::RunHeader;
use crate::eval::says;
use crate::eval::spread::Spread;

pub(super) fn write(run: &RunHeader, judged: &Judged, out: &mut String) {
    let figures = [
        charts::roc(run, judged),
        charts::reliability(judged),
        charts::risk_coverage(judged),
        charts::times(judged),
    ];
    *out += "<div class=\"plots\">\n";
    for figure in figures.into_iter().flatten() {
        *out += &figure;
    }
    *out += "</div>\n";
    quality(judged, out);
    costs(judged, out);
    groups(run, judged, out);
    wrongest(run, judged, out);
}

fn quality(judged: &Judged, out: &mut String) {
    let part = judged.bad as f64 / (judged.good + judged.bad).max(1) as f64;
    let rows = [
        ("AUROC: telling them apart", judged.auroc, Some(0.5)),
        ("AUPRC: finding what is not good", judged.auprc_of_bad, Some(part)),
        (
            "Area under risk and coverage",
            judged.risk_coverage_area,
            Some(part),
        ),
        ("ECE: error of calibration", judged.ece, None),
        ("Brier: squared error", judged.brier, judged.brier_of_base_rate),
    ];
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
    *out += "<h3>How good it is</h3>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th>Found</th>\
             <th>Knowing nothing</th></tr></thead>\n<tbody>\n";
    for (what, found, chance) in rows {
        *out += &format!(
            "<tr><td>{what}</td><td>{}</td><td>{}</td></tr>\n",
            number(found),
            number(chance)
        );
    }
    *out += "</tbody></table></div>\n";
}

fn costs(judged: &Judged, out: &mut String) {
    let rows = [
        ("Milliseconds", judged.ms),
        ("Tokens of the text evaluated", judged.evaluated_tokens),
        ("Tokens of the text from a cache", judged.cached_tokens),
        ("Tokens of the questions", judged.question_tokens),
    ];
    *out += "<h3>What a verdict takes</h3>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th>Mean</th>\
             <th>Median</th><th>90 %</th><th>Most</th></tr></thead>\n<tbody>\n";
    for (what, spread) in rows {
        let Some(Spread {
            mean,
            median,
            p90,
            most,
            ..
        }) = spread
        else {
            continue;
        };
        *out += &format!(
            "<tr><td>{what}</td><td>{mean:.0}</td><td>{median:.0}</td><td>{p90:.0}</td><td>{most:.0}</td></tr>\n"
        );
    }
    *out += "</tbody></table></div>\n";
    let word = |method| {
        let value = serde_json::to_value(method).unwrap_or_default();
        value.as_str().unwrap_or("unknown").to_owned()
    };
    let read = judged
        .backends
        .iter()
        .map(|(m, n)| format!("{} {n} times", word(*m)));
    *out += &format!(
        "<p class=\"quiet\">Read by: {}. Probability on valid options: {:.2} on average.</p>\n",
        read.collect::<Vec<_>>().join(", "),
        judged.mean_mass
    );
}

fn groups(run: &RunHeader, judged: &Judged, out: &mut String) {
    if judged.groups.len() < 2 {
        return;
    }
    let (good, bad) = says::words(run);
    *out += "<details><summary>By kind of case</summary>\n<div class=\"wide\"><table>\n<thead><tr><th>Kind</th>\
             <th class=\"text\">Label</th><th>Wrong side of the threshold (95 %)</th><th>Cases</th>\
             <th>Mean probability</th></tr></thead>\n<tbody>\n";
    for group in &judged.groups {
        let mean = group
            .mean_probability
            .map_or_else(|| "–".to_owned(), |p| format!("{p:.2}"));
        *out += &format!(
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{mean}</td></tr>\n",
            escaped(&group.name.replace('_', " ")),
            if group.good { good } else { bad },
            says::rate(&group.wrong),
            group.wrong.of
        );
    }
    *out += "</tbody></table></div>\n</details>\n";
}

fn wrongest(run: &RunHeader, judged: &Judged, out: &mut String) {
    if judged.wrongest.is_empty() {
        return;
    }
    let (good, bad) = says::words(run);
    *out += "<details><summary>Where it was most wrong</summary>\n<div class=\"wide\"><table>\n<thead><tr><th>Case</th>\
             <th class=\"text\">Label</th><th>Probability it gave</th><th class=\"text\">What it chose</th></tr></thead>\n\
             <tbody>\n";
    for wrong in &judged.wrongest {
        *out += &format!(
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{:.3}</td><td class=\"text\">{}</td></tr>\n",
            escaped(&wrong.id),
            if wrong.good { good } else { bad },
            wrong.probability,
            escaped(wrong.choice.as_deref().unwrap_or("–"))
        );
    }
    *out += "</tbody></table></div>\n</details>\n";
}
