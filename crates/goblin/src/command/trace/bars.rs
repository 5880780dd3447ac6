//! Probabilities, times and money as text.

/// Cells of a probability's bar.
const BAR: usize = 20;
/// Cells of the time axis.
pub(super) const AXIS: usize = 36;

/// A probability, or a share of the whole, as a bar, with a stroke where the threshold is: `███████████···│····`.
pub(crate) fn probability(value: f64, threshold: Option<f64>) -> String {
    let (filled, mark) = (cells(value), threshold.map(cells));
    let mut bar = String::new();
    for at in 0..=BAR {
        if mark == Some(at) {
            bar.push('│');
        }
        if at < BAR {
            bar.push(if at < filled { '█' } else { '·' });
        }
    }
    bar
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between 0 and 20"
)]
fn cells(share: f64) -> usize {
    (share.clamp(0.0, 1.0) * BAR as f64).round() as usize
}

/// An attempt on the time axis: nothing before it, `░` until its first word, `█` until its end.
pub(super) fn span(start_ms: u64, first_ms: Option<u64>, end_ms: u64, total_ms: u64) -> String {
    let total = total_ms.max(1);
    let cells = u64::try_from(AXIS).unwrap_or(u64::MAX);
    let cell = |ms: u64| usize::try_from(ms.min(total) * cells / total).unwrap_or(AXIS);
    let start = cell(start_ms).min(AXIS - 1);
    let end = cell(end_ms).max(start + 1);
    let first = first_ms.map_or(end, cell).clamp(start, end);
    let mut line = " ".repeat(start);
    line.push_str(&"░".repeat(first - start));
    line.push_str(&"█".repeat(end - first));
    line.push_str(&" ".repeat(AXIS - end));
    line
}

/// `840 ms`, `1.84 s`, `61 s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        _ => format!("{} s", ms / 1000),
    }
}

/// `$0`, `$0.000012`, `$1.20`.
pub(super) fn dollars(usd: f64) -> String {
    if usd == 0.0 {
        "$0".to_owned()
    } else if usd < 0.01 {
        format!("${usd:.6}")
    } else {
        format!("${usd:.4}")
    }
}

/// `812 B`, `1.2 KB`.
pub(super) fn bytes(n: u64) -> String {
    if n < 1000 {
        format!("{n} B")
    } else {
        format!("{}.{} KB", n / 1000, n % 1000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_probability_and_where_the_threshold_is() {
        assert_eq!(probability(0.5, None), "██████████··········");
        assert_eq!(probability(0.5, Some(0.7)), "██████████····│······");
        assert_eq!(probability(1.0, Some(1.0)), "████████████████████│");
        assert_eq!(probability(0.0, Some(0.0)), "│····················");
        assert_eq!(probability(f64::NAN, None).chars().count(), 20);
    }

    #[test]
    fn a_span_always_fills_the_axis_and_is_never_invisible() {
        for (start, first, end) in [
            (0, Some(0), 0),
            (0, None, 1000),
            (999, Some(1000), 1000),
            (1000, Some(2000), 9000),
            (500, Some(100), 400),
        ] {
            let line = span(start, first, end, 1000);
            assert_eq!(line.chars().count(), AXIS, "{start} {first:?} {end}");
            assert!(
                line.contains('█') || line.contains('░'),
                "{start} {first:?} {end}"
            );
        }
        assert_eq!(
            span(0, Some(500), 1000, 1000).find('█'),
            Some("░".len() * AXIS / 2)
        );
        assert_eq!(span(0, None, 0, 0).chars().count(), AXIS);
    }

    #[test]
    fn times_money_and_sizes_are_written_for_people() {
        assert_eq!(
            [duration(840), duration(1849), duration(61_000)],
            ["840 ms", "1.84 s", "61 s"]
        );
        assert_eq!(
            [dollars(0.0), dollars(0.000_012), dollars(1.2)],
            ["$0", "$0.000012", "$1.2000"]
        );
        assert_eq!([bytes(812), bytes(1234)], ["812 B", "1.2 KB"]);
    }
}
