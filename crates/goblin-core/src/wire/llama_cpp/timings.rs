//! What every answer says of its cost.

use std::time::Duration;

use serde_json::Value;

use crate::event::{Spent, Usage};

/// Reads `timings`: `cache_n`, `prompt_n`, `prompt_ms`, `predicted_n`, `predicted_ms`. `None` when there are none.
pub(in crate::wire) fn read_timings(answer: &Value) -> Option<Spent> {
    let timings = answer.get("timings")?;
    let count = |name: &str| {
        let n = timings.get(name).and_then(Value::as_u64)?;
        Some(u32::try_from(n).unwrap_or(u32::MAX))
    };
    let time = |name: &str| {
        let milliseconds = timings.get(name).and_then(Value::as_f64).unwrap_or(0.0);
        Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default()
    };
    let cached_tokens = count("cache_n").unwrap_or(0);
    Some(Spent {
        usage: Usage {
            prompt_tokens: count("prompt_n")?.saturating_add(cached_tokens),
            completion_tokens: count("predicted_n")?,
            cached_tokens,
            reasoning_tokens: 0,
        },
        prompt_eval: time("prompt_ms"),
        eval: time("predicted_ms"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_from_the_cache_are_part_of_the_prompt() {
        let answer = json!({"timings": {"cache_n": 30, "prompt_n": 12, "prompt_ms": 60.5, "predicted_n": 9, "predicted_ms": 180.0}});
        let spent = read_timings(&answer).unwrap();
        assert_eq!((spent.usage.prompt_tokens, spent.usage.cached_tokens), (42, 30));
        assert_eq!(spent.usage.completion_tokens, 9);
        assert_eq!(spent.prompt_eval, Duration::from_micros(60_500));
        assert_eq!(spent.eval, Duration::from_millis(180));
    }

    #[test]
    fn nonsense_is_not_measured() {
        assert_eq!(read_timings(&json!({})), None);
        assert_eq!(read_timings(&json!({"timings": {"prompt_n": "x"}})), None);
        let odd =
            json!({"timings": {"prompt_n": 1, "predicted_n": 1, "prompt_ms": -4.0, "predicted_ms": 1e300}});
        let spent = read_timings(&odd).unwrap();
        assert_eq!((spent.prompt_eval, spent.eval), (Duration::ZERO, Duration::ZERO));
    }
}
