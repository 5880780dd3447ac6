//! Every dependency's licence is one that `deny.toml` allows.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// An SPDX expression: `OR` binds looser than `AND`; `/` is an old way to write `OR`.
struct Expression<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a [String],
}

impl Expression<'_> {
    fn either(&mut self) -> bool {
        let mut fits = self.both();
        while self.words.get(self.at) == Some(&"OR") {
            self.at += 1;
            // Both sides are read in any case, to come past them.
            fits = self.both() || fits;
        }
        fits
    }

    fn both(&mut self) -> bool {
        let mut fits = self.one();
        while self.words.get(self.at) == Some(&"AND") {
            self.at += 1;
            fits = self.one() && fits;
        }
        fits
    }

    fn one(&mut self) -> bool {
        let word = self.words.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        if word == "(" {
            let fits = self.either();
            self.at += 1;
            return fits;
        }
        let mut name = word.to_owned();
        if self.words.get(self.at) == Some(&"WITH") {
            name = format!(
                "{word} WITH {}",
                self.words.get(self.at + 1).copied().unwrap_or_default()
            );
            self.at += 2;
        }
        self.allowed.contains(&name)
    }
}

fn fits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    Expression {
        words: spaced.split_whitespace().collect(),
        at: 0,
        allowed,
    }
    .either()
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = [
        "MIT".to_owned(),
        "Apache-2.0 WITH LLVM-exception".to_owned(),
        "Zlib".to_owned(),
    ];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Zlib", true),
        ("MIT AND (GPL-3.0 OR LGPL-3.0)", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Unlicense/MIT", true),
    ] {
        assert_eq!(fits(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let deny: toml::Table = std::fs::read_to_string(root.join("deny.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    let allowed: Vec<String> = allowed.iter().map(|a| a.as_str().unwrap().to_owned()).collect();
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // What was built is downloaded, so nothing is fetched here.
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            &host,
        ])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(
            fits(licence, &allowed),
            "{} {}: {licence}",
            package["name"],
            package["version"]
        );
        let source = package["source"].as_str();
        assert!(
            source.is_none_or(|s| s.ends_with("crates.io-index")),
            "{}: {source:?}",
            package["name"]
        );
    }
}
