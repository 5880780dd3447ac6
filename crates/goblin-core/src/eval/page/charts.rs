//! What is drawn of a judge.

use crate::eval::counts_of;
use crate::eval::judged::Judged;
use crate::eval::plot::{Axis, Chart, Layer};
use crate::eval::run::RunHeader;
use crate::eval::says;

/// Largest radius of a bin's dot.
const LARGEST: f64 = 9.0;

/// A chart with its heading and what it shows.
pub(super) fn figure(title: &str, explains: &str, chart: &Chart) -> String {
    format!(
        "<figure>\n{}\n<figcaption><b>{title}</b> {explains}</figcaption>\n</figure>\n",
        chart.svg()
    )
}

pub(super) fn roc(run: &RunHeader, judged: &Judged) -> Option<String> {
    let area = judged.auroc?;
    let (good, bad) = says::words(run);
    let points = judged.roc.iter().map(|p| (p.let_through, p.accepted));
    let above = |threshold: Option<f64>| threshold.is_none_or(|t| t >= judged.threshold);
    let here = judged.roc.iter().rev().find(|p| above(p.threshold));
    let says = format!("at the threshold {}", judged.threshold);
    let dots = here.map(|p| (p.let_through, p.accepted, 5.0, says)).into_iter();
    let chart = Chart {
        describe: format!("ROC curve with an area of {area:.2}; 0.5 is chance"),
        x: Axis::part(match bad {
            "poor" => "poor cases accepted",
            _ => "unsafe cases let through",
        }),
        y: Axis::part(match good {
            "good" => "good cases accepted",
            _ => "safe cases accepted",
        }),
        layers: vec![
            Layer::Line("chance", vec![(0.0, 0.0), (1.0, 1.0)]),
            Layer::Line("main", points.collect()),
            Layer::Dots(dots.collect()),
        ],
    };
    let explains = format!(
        "Area {}. Along the dashed line it guesses. The dot is the threshold {}.",
        says::with_interval(area, judged.auroc_interval),
        judged.threshold
    );
    Some(figure("Does it tell them apart?", &explains, &chart))
}

pub(super) fn reliability(judged: &Judged) -> Option<String> {
    let error = judged.ece?;
    let most = judged
        .reliability
        .iter()
        .map(|bin| bin.count)
        .max()
        .unwrap_or(1)
        .max(1);
    let filled = judged.reliability.iter().filter(|bin| bin.count > 0);
    let bars = filled
        .clone()
        .filter_map(|bin| Some((bin.from, bin.to, bin.good_rate?)));
    let dots = filled.filter_map(|bin| {
        let radius = 2.0 + (LARGEST - 2.0) * (bin.count as f64 / most as f64).sqrt();
        let says = format!(
            "{}, of which {}",
            counts_of(bin.count),
            says::percent(bin.good_rate?)
        );
        Some((bin.mean_probability?, bin.good_rate?, radius, says + " are good"))
    });
    let chart = Chart {
        describe: format!("Reliability diagram; the expected calibration error is {error:.2}"),
        x: Axis::part("probability it gave"),
        y: Axis::part("part that was good"),
        layers: vec![
            Layer::Bars(bars.collect()),
            Layer::Line("chance", vec![(0.0, 0.0), (1.0, 1.0)]),
            Layer::Dots(dots.collect()),
        ],
    };
    let explains = format!(
        "ECE {error:.2}. On the dashed line a probability means what it says. A larger dot stands for more cases."
    );
    Some(figure("Does a probability mean what it says?", &explains, &chart))
}

pub(super) fn risk_coverage(judged: &Judged) -> Option<String> {
    let area = judged.risk_coverage_area?;
    let base = judged.bad as f64 / (judged.good + judged.bad) as f64;
    let points = judged.risk_coverage.iter().map(|p| (p.coverage, p.risk));
    let chart = Chart {
        describe: format!("Risk by coverage; the mean risk is {area:.2}, by chance {base:.2}"),
        x: Axis::part("part accepted, the surest first"),
        y: Axis::part("of those, not good"),
        layers: vec![
            Layer::Line("chance", vec![(0.0, base), (1.0, base)]),
            Layer::Line("main", points.collect()),
        ],
    };
    let explains = format!("Mean risk {area:.2}; the dashed line is chance, {base:.2}.");
    Some(figure("What is wrong among the surest?", &explains, &chart))
}

pub(super) fn times(judged: &Judged) -> Option<String> {
    let ms = judged.ms?;
    let first = judged.times.first().map(|(ms, _)| (*ms, 0.0));
    let points = first.into_iter().chain(judged.times.iter().copied());
    let chart = Chart {
        describe: format!(
            "Time of a verdict: median {:.0} ms, most {:.0} ms",
            ms.median, ms.most
        ),
        x: Axis {
            label: "milliseconds",
            to: ms.most.max(1.0) * 1.05,
            percent: false,
        },
        y: Axis::part("verdicts that took no longer"),
        layers: vec![Layer::Line("main", points.collect())],
    };
    let explains = format!(
        "Half took at most {:.0} ms, nine of ten {:.0} ms.",
        ms.median, ms.p90
    );
    Some(figure("How long does it take?", &explains, &chart))
}
