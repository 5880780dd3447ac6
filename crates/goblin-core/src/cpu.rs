//! What the C parts of this build need of the CPU.
//!
//! The build compiles all C and C++ for x86-64-v3 (`.cargo/config.toml`), Rust for the baseline. So Rust can ask, and
//! must, before any C is called: an instruction the CPU does not have ends the process without a word.

/// The first feature of x86-64-v3 this CPU lacks
/// (<https://gitlab.com/x86-psABIs/x86-64-ABI>, table of microarchitecture levels). `None` when all are there, and on
/// other architectures.
pub fn missing() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let needed = [
            ("AVX", std::arch::is_x86_feature_detected!("avx")),
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("BMI1", std::arch::is_x86_feature_detected!("bmi1")),
            ("BMI2", std::arch::is_x86_feature_detected!("bmi2")),
            ("F16C", std::arch::is_x86_feature_detected!("f16c")),
            ("FMA", std::arch::is_x86_feature_detected!("fma")),
            ("LZCNT", std::arch::is_x86_feature_detected!("lzcnt")),
            ("MOVBE", std::arch::is_x86_feature_detected!("movbe")),
        ];
        first_missing(&needed)
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// What to tell a person whose CPU lacks `missing`.
pub fn sentence(missing: &str) -> String {
    format!(
        "this CPU has no {missing}; this build of goblin needs a CPU of x86-64-v3 (2013 and later). Run it on a newer \
         machine"
    )
}

#[cfg(any(target_arch = "x86_64", test))]
fn first_missing(needed: &[(&'static str, bool)]) -> Option<&'static str> {
    needed.iter().find(|(_, there)| !there).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_missing_feature_is_named_in_a_sentence() {
        assert_eq!(
            first_missing(&[("AVX2", true), ("MOVBE", false), ("FMA", false)]),
            Some("MOVBE")
        );
        assert_eq!(first_missing(&[("AVX2", true)]), None);
        assert!(sentence("MOVBE").contains("no MOVBE"));
    }
}
