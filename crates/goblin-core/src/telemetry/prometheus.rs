//! Metrics, read from the text they are scraped as: so there is one count of everything, whoever asks for it.
//!
//! Source: Prometheus text exposition format 0.0.4, as our own exporter writes it.

use std::collections::BTreeMap;

use super::names::{label, metric};
use super::scrub::clean;

/// Most points taken of one text: labels are from closed sets, and this holds also when one is not.
const MAX_POINTS: usize = 20_000;
/// Longest value of a label, in characters.
const LONGEST: usize = 128;

/// Labels and their values.
pub type Labels = Vec<(String, String)>;

/// All of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// As it is called over OTLP.
    pub name: String,
    /// UCUM; empty when unknown.
    pub unit: &'static str,
    /// What was counted.
    pub points: Points,
}

/// What was counted, by labels.
#[derive(Clone, Debug, PartialEq)]
pub enum Points {
    /// What only grows.
    Sum(Vec<(Labels, f64)>),
    /// What goes up and down.
    Gauge(Vec<(Labels, f64)>),
    /// How samples are spread.
    Histogram(Vec<Histogram>),
}

/// How samples are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Of which samples.
    pub labels: Labels,
    /// All of them.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Upper bounds, without that of the last bucket.
    pub bounds: Vec<f64>,
    /// How many are in each bucket, one more than bounds.
    pub counts: Vec<u64>,
}

/// Reads a text. What is not understood is left out; summaries are, because their quantiles cannot be added up.
pub fn read(text: &str) -> Vec<Family> {
    let mut families = Vec::new();
    let mut current: Option<(&str, &str, Vec<Sample>)> = None;
    for line in text.lines().take(MAX_POINTS) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            families.extend(current.take().and_then(family));
            current = declared
                .split_once(' ')
                .map(|(name, kind)| (name, kind, Vec::new()));
        } else if let (Some((_, _, samples)), Some(sample)) = (&mut current, Sample::read(line)) {
            samples.push(sample);
        }
    }
    families.extend(current.and_then(family));
    families
}

struct Sample {
    name: String,
    labels: Labels,
    value: f64,
}

impl Sample {
    fn read(line: &str) -> Option<Self> {
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (name, rest) = line.split_at(line.find(['{', ' '])?);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(inside) => labels(inside)?,
            None => (Labels::new(), rest),
        };
        Some(Self {
            name: name.to_owned(),
            labels,
            value: value.trim().parse().ok()?,
        })
    }
}

/// The labels up to the brace that closes them, and what follows it.
fn labels(text: &str) -> Option<(Labels, &str)> {
    let mut found = Labels::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Some((found, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        found.push((name.to_owned(), value));
        rest = &quoted[end..];
    }
}

fn family((name, kind, samples): (&str, &str, Vec<Sample>)) -> Option<Family> {
    let known = metric(name);
    let renames = known.is_some();
    let outside = |labels: Labels| -> Labels {
        let pair = |(name, value): (String, String)| {
            let name = if renames { label(&name).to_owned() } else { name };
            (name, clean(&value, LONGEST))
        };
        labels.into_iter().map(pair).collect()
    };
    let numbers = |samples: Vec<Sample>| {
        let pairs = samples.into_iter().map(|s| (outside(s.labels), s.value));
        pairs.collect::<Vec<_>>()
    };
    let points = match kind {
        "counter" => Points::Sum(numbers(samples)),
        "gauge" => Points::Gauge(numbers(samples)),
        "histogram" => Points::Histogram(
            histograms(name, samples)
                .into_iter()
                .map(|h| Histogram {
                    labels: outside(h.labels),
                    ..h
                })
                .collect(),
        ),
        _ => return None,
    };
    let unit = match name {
        name if name.ends_with("_seconds") => "s",
        name if name.ends_with("_bytes") => "By",
        _ => "",
    };
    Some(Family {
        name: known.as_ref().map_or(name, |known| known.name).to_owned(),
        unit: known.map_or(unit, |known| known.unit),
        points,
    })
}

fn histograms(name: &str, samples: Vec<Sample>) -> Vec<Histogram> {
    let mut by_labels: BTreeMap<Labels, Histogram> = BTreeMap::new();
    for mut sample in samples {
        let part = sample.name.strip_prefix(name).unwrap_or_default().to_owned();
        let bound = sample.labels.iter().position(|(name, _)| name == "le");
        let bound = bound.map(|at| sample.labels.remove(at).1);
        let whole = whole(sample.value);
        let entry = by_labels.entry(sample.labels).or_default();
        match (part.as_str(), bound.as_deref()) {
            ("_bucket", Some("+Inf")) => entry.counts.push(whole),
            ("_bucket", Some(bound)) => {
                let Ok(bound) = bound.parse() else { continue };
                entry.bounds.push(bound);
                entry.counts.push(whole);
            }
            ("_sum", _) => entry.sum = sample.value,
            ("_count", _) => entry.count = whole,
            _ => {}
        }
    }
    let finished = by_labels.into_iter().map(|(labels, mut histogram)| {
        // Each bucket holds those below it too; over OTLP it does not.
        for at in (1..histogram.counts.len()).rev() {
            histogram.counts[at] = histogram.counts[at].saturating_sub(histogram.counts[at - 1]);
        }
        Histogram { labels, ..histogram }
    });
    let sound = |h: &Histogram| h.counts.len() == h.bounds.len() + 1;
    finished.filter(sound).collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are whole, and not below nothing"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_with_their_labels() {
        let text = "# HELP goblin_x_total What x is.\n# TYPE goblin_x_total counter\n\
                    goblin_x_total{route=\"/a/{id}\",said=\"a \\\"b\\\" \\\\ c\"} 3\ngoblin_x_total 4\n\n\
                    # TYPE goblin_y gauge\ngoblin_y -1.5\n# TYPE goblin_z summary\ngoblin_z{quantile=\"0.5\"} 1\n";
        let families = read(text);
        let labels = vec![
            ("route".to_owned(), "/a/{id}".to_owned()),
            ("said".to_owned(), "a \"b\" \\ c".to_owned()),
        ];
        assert_eq!(
            families[0].points,
            Points::Sum(vec![(labels, 3.0), (Vec::new(), 4.0)])
        );
        assert_eq!(families[1].points, Points::Gauge(vec![(Vec::new(), -1.5)]));
        assert_eq!(families.len(), 2, "summaries are left out");
    }

    #[test]
    fn buckets_hold_only_their_own() {
        let text = "# TYPE h_seconds histogram\n\
                    h_seconds_bucket{a=\"1\",le=\"0.5\"} 1\nh_seconds_bucket{a=\"1\",le=\"1\"} 4\n\
                    h_seconds_bucket{a=\"1\",le=\"+Inf\"} 6\nh_seconds_sum{a=\"1\"} 7.5\nh_seconds_count{a=\"1\"} 6\n";
        let families = read(text);
        assert_eq!(families[0].unit, "s");
        let Points::Histogram(points) = &families[0].points else {
            panic!("a histogram")
        };
        assert_eq!(points[0].counts, [1, 3, 2]);
        assert_eq!(points[0].bounds, [0.5, 1.0]);
        assert_eq!((points[0].count, points[0].sum), (6, 7.5));
    }

    #[test]
    fn broken_lines_are_left_out() {
        for text in ["x", "x{", "x{a=\"b", "# TYPE", "# TYPE x", "x{a=\"\\", "{} 1"] {
            let text = format!("# TYPE x counter\n{text}\nx 1\n");
            assert!(read(&text).len() <= 1, "{text}");
        }
    }
}
