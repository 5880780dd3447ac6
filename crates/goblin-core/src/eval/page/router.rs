//! The router's part of the page.

use crate::eval::bounds::Rate;
use crate::eval::plot::escaped;
use crate::eval::routed::Routed;
use crate::eval::says;
use crate::intent::Intent;

pub(super) fn write(routed: &Routed, out: &mut String) {
    intents(routed, out);
    confusion(routed, out);
    rates("By language", "Language", &routed.languages, out);
    rates("By what makes it hard", "Tag", &routed.tags, out);
    mistakes(routed, out);
}

fn intents(routed: &Routed, out: &mut String) {
    *out += "<h3>Each intent, held-out cases</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>Intent</th><th>Cases</th>\
             <th>Found (95 %)</th><th>Said to be</th><th>Of those, right (95 %)</th></tr></thead>\n<tbody>\n";
    for figures in &routed.intents {
        *out += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            figures.intent.as_str(),
            figures.recall.of,
            says::rate(&figures.recall),
            figures.precision.of,
            says::rate(&figures.precision)
        );
    }
    *out += "</tbody></table></div>\n";
}

fn confusion(routed: &Routed, out: &mut String) {
    *out += "<h3>What was taken for what</h3>\n<p class=\"quiet\">A row is what a case is about, a column what was found. \
             All cases.</p>\n<div class=\"wide\"><table>\n<thead><tr><th></th>";
    for intent in Intent::ALL {
        *out += &format!("<th>{}</th>", intent.as_str());
    }
    *out += "</tr></thead>\n<tbody>\n";
    for (expected, row) in Intent::ALL.iter().zip(&routed.confusion) {
        *out += &format!("<tr><td>{}</td>", expected.as_str());
        for (found, count) in Intent::ALL.iter().zip(row) {
            let class = match (count, expected == found) {
                (0, _) => "none",
                (_, true) => "right",
                (_, false) => "wrong",
            };
            *out += &format!("<td class=\"{class}\">{count}</td>");
        }
        *out += "</tr>\n";
    }
    *out += "</tbody></table></div>\n";
}

fn rates(title: &str, heading: &str, rates: &[(String, Rate)], out: &mut String) {
    if rates.is_empty() {
        return;
    }
    *out += &format!(
        "<details><summary>{title}</summary>\n<div class=\"wide\"><table>\n<thead><tr><th>{heading}</th><th>Cases</th>\
         <th>Right (95 %)</th></tr></thead>\n<tbody>\n"
    );
    for (name, rate) in rates {
        *out += &format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(name),
            rate.of,
            says::rate(rate)
        );
    }
    *out += "</tbody></table></div>\n</details>\n";
}

fn mistakes(routed: &Routed, out: &mut String) {
    if routed.mistakes.is_empty() {
        return;
    }
    *out += "<details><summary>What went wrong (open cases only)</summary>\n<div class=\"wide\"><table>\n<thead><tr>\
             <th>Case</th><th class=\"text\">Is</th><th class=\"text\">Taken for</th><th>Confidence</th></tr></thead>\n\
             <tbody>\n";
    for mistake in &routed.mistakes {
        *out += &format!(
            "<tr><td>{}</td><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{:.2}</td></tr>\n",
            escaped(&mistake.id),
            mistake.expected.as_str(),
            mistake.found.as_str(),
            mistake.confidence
        );
    }
    *out += "</tbody></table></div>\n</details>\n";
}
