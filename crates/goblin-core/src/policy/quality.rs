//! What a model of which nothing but its size is known is expected to be worth.

use crate::model::ModelInfo;

/// A model elsewhere of which nothing is known.
pub(super) const CLOUD: f64 = 0.9;
/// Neither its size nor its number of parameters is known.
const UNKNOWN: f64 = 0.4;
/// A quantised weight takes about this many bytes (Q4_K_M: 0.57–0.62).
const BYTES_A_WEIGHT: f64 = 0.6;

/// A guess from the number of parameters: it grows with their logarithm, as the published scores of one family's sizes
/// do. Never more than what any role is given.
pub(super) fn of_size(model: &ModelInfo) -> f64 {
    let told = model.parameters.as_deref().and_then(billions);
    let counted = model.size_bytes.map(|bytes| bytes as f64 / BYTES_A_WEIGHT / 1e9);
    match told.or(counted) {
        Some(billions) if billions > 0.0 => (0.3 + 0.16 * billions.ln()).clamp(0.05, 0.85),
        _ => UNKNOWN,
    }
}

/// `135M`, `3.8B`, `8x7B` in billions.
fn billions(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.chars().next_back()?;
    let factor = match unit.to_ascii_uppercase() {
        'T' => 1e3,
        'B' => 1.0,
        'M' => 1e-3,
        'K' => 1e-6,
        _ => return None,
    };
    let number = text.get(..text.len() - unit.len_utf8())?;
    let product = number.split(['x', 'X']).map(|part| part.trim().parse::<f64>());
    let number = product.product::<Result<f64, _>>().ok()?;
    (number.is_finite() && number > 0.0).then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_are_written() {
        for (text, expected) in [("135M", 0.135), ("3.8B", 3.8), ("8x7B", 56.0), ("1.1T", 1100.0)] {
            let read = billions(text).unwrap();
            assert!((read - expected).abs() < 1e-9, "{text} {read}");
        }
        for text in ["", "big", "B", "-1B", "7", "éB", "infB"] {
            assert_eq!(billions(text), None, "{text}");
        }
    }

    #[test]
    fn a_larger_model_is_expected_to_be_better_within_bounds() {
        let of = |parameters: &str| {
            of_size(&ModelInfo {
                parameters: Some(parameters.to_owned()),
                ..ModelInfo::named("m")
            })
        };
        let sizes: Vec<f64> = ["135M", "1B", "3B", "7B", "70B", "900B"].map(of).to_vec();
        assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]), "{sizes:?}");
        assert!(sizes.iter().all(|q| (0.05..=0.85).contains(q)), "{sizes:?}");
        assert!((of_size(&ModelInfo::named("m")) - UNKNOWN).abs() < 1e-9);
    }
}
