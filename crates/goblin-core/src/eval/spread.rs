//! Many measurements in a few numbers.

use serde::{Deserialize, Serialize};

/// How measurements are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Half are less.
    pub median: f64,
    /// 90 % are less.
    pub p90: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// `None` of nothing. What is no number is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let most = *values.last()?;
        Some(Self {
            count: values.len(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            median: quantile(&values, 0.5),
            p90: quantile(&values, 0.9),
            most,
        })
    }
}

/// The smallest of the sorted `values` that at least the part `q` of them does not exceed; 0 of nothing.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let rank = (q.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measurements_that_were_made() {
        let spread = Spread::of((1..=10).map(f64::from).chain([f64::NAN])).expect("measurements");
        assert_eq!(spread.count, 10);
        let found = [spread.mean, spread.median, spread.p90, spread.most];
        assert_eq!(found.map(|f| (f * 10.0) as i32), [55, 50, 90, 100]);
        assert_eq!(Spread::of([f64::NAN]), None);
    }
}
