//! Names an operator gives to models: one name for several of them, asked in the order in which they are written, or
//! shared out by weight. Pure.
//!
//! A line is the name and what it stands for, with spaces between: `gpt openai/gpt-5 anthropic/claude-sonnet-4-5`. With
//! a weight at each, `fast groq/a*3 openai/b*1`, three of four requests go to the first, and the others stand ready.

use std::collections::BTreeMap;

use super::AUTOMATIC;

/// Longest name of an alias.
const MAX_NAME: usize = 64;
/// Most models of one alias.
const MAX_TARGETS: usize = 16;
/// Largest weight.
const MAX_WEIGHT: u32 = 1000;

/// A model an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `provider/model`.
    pub model: String,
    /// Its share of the requests, relative to the other weights; 0 where the order decides.
    pub weight: u32,
}

/// Every alias, with the models it stands for in the end: one that stands for another is taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, Vec<Target>>);

impl Aliases {
    /// Reads the lines of a configuration.
    ///
    /// # Errors
    /// A sentence for everything that is wrong: names that cannot be, aliases that lead back to themselves, models that
    /// would be asked again after they failed.
    pub fn parse(lines: &[String]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut written: BTreeMap<String, Vec<Target>> = BTreeMap::new();
        for line in lines {
            match read(line) {
                Err(problem) => problems.push(problem),
                Ok((name, _)) if written.contains_key(&name) => {
                    problems.push(format!(
                        "`{name}` is written twice. Write all it stands for in one line."
                    ));
                }
                Ok((name, targets)) => {
                    written.insert(name, targets);
                }
            }
        }
        let mut aliases = BTreeMap::new();
        for name in written.keys() {
            match flat(name, &written, &mut Vec::new()) {
                Ok(targets) => {
                    aliases.insert(name.clone(), targets);
                }
                Err(problem) => problems.push(problem),
            }
        }
        match problems.is_empty() {
            true => Ok(Self(aliases)),
            false => {
                problems.dedup();
                Err(problems)
            }
        }
    }

    /// What `name` stands for, when it is an alias.
    pub fn get(&self, name: &str) -> Option<&[Target]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Every alias and what it stands for, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Target])> {
        self.0
            .iter()
            .map(|(name, targets)| (name.as_str(), targets.as_slice()))
    }
}

/// The order in which the models of an alias are asked: as written, or by weight. `chance` is in 0–1.
pub fn ordered(targets: &[Target], chance: f64) -> Vec<&Target> {
    let all: u32 = targets.iter().map(|target| target.weight).sum();
    let mut order: Vec<&Target> = targets.iter().collect();
    if all == 0 {
        return order;
    }
    let mut left = chance.clamp(0.0, 1.0) * f64::from(all);
    let drawn = targets.iter().position(|target| {
        left -= f64::from(target.weight);
        left < 0.0
    });
    let first = drawn.unwrap_or(targets.len() - 1);
    order[..=first].rotate_right(1);
    order
}

fn read(line: &str) -> Result<(String, Vec<Target>), String> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
        return Err(format!(
            "`{name}` cannot be the name of an alias. Take up to {MAX_NAME} letters, digits, `-`, `_`, `.` and `:`."
        ));
    }
    if AUTOMATIC.contains(&name) {
        return Err(format!(
            "`{name}` is the name that lets goblin choose. Take another one."
        ));
    }
    let targets: Vec<Target> = words.map(|word| target(name, word)).collect::<Result<_, _>>()?;
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Err(format!(
            "`{name}` stands for {} models. Write 1 to {MAX_TARGETS} after it, like `{name} openai/gpt-5 ollama/mistral:7b`.",
            targets.len()
        ));
    }
    let weighed = targets.iter().filter(|target| target.weight > 0).count();
    if weighed != 0 && weighed != targets.len() {
        return Err(format!(
            "Of the models of `{name}` only some have a weight. Give one to each, like `openai/gpt-5*3`, or to none."
        ));
    }
    Ok((name.to_owned(), targets))
}

fn target(name: &str, word: &str) -> Result<Target, String> {
    let (model, weight) = match word.split_once('*') {
        None => (word, 0),
        Some((model, weight)) => match weight.parse::<u32>() {
            Ok(weight) if (1..=MAX_WEIGHT).contains(&weight) => (model, weight),
            _ => {
                return Err(format!(
                    "`{word}` of `{name}` has no weight that is a whole number from 1 to {MAX_WEIGHT}."
                ));
            }
        },
    };
    Ok(Target {
        model: model.to_owned(),
        weight,
    })
}

/// What an alias stands for, with other aliases taken apart. `path` are those it was reached by.
fn flat(
    name: &str,
    written: &BTreeMap<String, Vec<Target>>,
    path: &mut Vec<String>,
) -> Result<Vec<Target>, String> {
    if path.iter().any(|before| before == name) {
        path.push(name.to_owned());
        return Err(format!("`{}` leads back to itself.", path.join("` → `")));
    }
    path.push(name.to_owned());
    let mut all: Vec<Target> = Vec::new();
    for target in written.get(name).map_or(&[][..], Vec::as_slice) {
        let model = &target.model;
        let found = match written.contains_key(model) {
            true if target.weight > 0 => {
                return Err(format!(
                    "`{model}` of `{name}` is an alias itself. Give weights to models only."
                ));
            }
            true => flat(model, written, path)?,
            false if !is_model(model) => {
                return Err(format!(
                    "`{model}` of `{name}` is neither `provider/model` nor another alias."
                ));
            }
            false => vec![target.clone()],
        };
        for target in found {
            if all.iter().any(|other| other.model == target.model) {
                return Err(format!(
                    "`{name}` names `{}` twice: it would be asked again when it has just failed.",
                    target.model
                ));
            }
            all.push(target);
        }
    }
    path.pop();
    // Weights of several aliases say nothing of one another.
    if all.iter().any(|target| target.weight > 0) && all.iter().any(|target| target.weight == 0) {
        all.iter_mut().for_each(|target| target.weight = 0);
    }
    Ok(all)
}

fn is_model(name: &str) -> bool {
    let parts = name.split_once('/');
    parts.is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty())
        && !AUTOMATIC.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<Aliases, Vec<String>> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Aliases::parse(&lines)
    }

    fn models<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Vec<&'a str> {
        targets.into_iter().map(|target| target.model.as_str()).collect()
    }

    #[test]
    fn an_alias_of_an_alias_stands_for_the_models_of_both_in_order() {
        let aliases = parse(&["best smart local/c", "smart a/x b/y:7b"]).unwrap();
        assert_eq!(models(aliases.get("best").unwrap()), ["a/x", "b/y:7b", "local/c"]);
        assert_eq!(models(aliases.get("smart").unwrap()), ["a/x", "b/y:7b"]);
        assert_eq!(aliases.get("a/x"), None);
        assert_eq!(
            models(ordered(aliases.get("best").unwrap(), 0.99)),
            ["a/x", "b/y:7b", "local/c"]
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_whole_way_round() {
        for (lines, says) in [
            (
                &["a b", "b c", "c a"][..],
                "`a` → `b` → `c` → `a` leads back to itself",
            ),
            (&["a a"], "`a` → `a` leads back to itself"),
            (&["a p/x p/x"], "names `p/x` twice"),
            (&["a b p/x", "b p/x"], "names `p/x` twice"),
            (&["goblin p/x"], "lets goblin choose"),
            (&["p/x p/y"], "cannot be the name"),
            (&["a"], "stands for 0 models"),
            (&["a mistral"], "neither `provider/model` nor another alias"),
            (&["a goblin/best"], "neither `provider/model` nor another alias"),
            (&["a p/x", "a p/y"], "written twice"),
            (&["a p/x*0"], "no weight"),
            (&["a p/x*2 p/y"], "only some have a weight"),
            (&["a b*2 p/x*1", "b p/y"], "weights to models only"),
        ] {
            let problems = parse(lines).unwrap_err();
            assert!(
                problems.iter().any(|p| p.contains(says)),
                "{lines:?}: {problems:?}"
            );
        }
    }

    #[test]
    fn weights_share_out_who_is_asked_first_and_the_others_stand_ready() {
        let aliases = parse(&["fast p/a*3 p/b*1"]).unwrap();
        let targets = aliases.get("fast").unwrap();
        assert_eq!(models(ordered(targets, 0.0)), ["p/a", "p/b"]);
        assert_eq!(models(ordered(targets, 0.74)), ["p/a", "p/b"]);
        assert_eq!(models(ordered(targets, 0.76)), ["p/b", "p/a"]);
        assert_eq!(models(ordered(targets, 1.0)), ["p/b", "p/a"]);
        let drawn = (0..1000).filter(|i| models(ordered(targets, f64::from(*i) / 1000.0))[0] == "p/a");
        assert_eq!(drawn.count(), 750);
    }
}
