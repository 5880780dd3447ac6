//! From the file's values to settings. What cannot be taken is reported and left out, so that it hides nothing else.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Mismatch, Targets};
use crate::model::nearest;

impl Targets {
    /// Takes every setting that can be taken, and says which could not: unknown ones, and values of another kind. No value
    /// is repeated, since it may be a secret.
    pub fn read(file: &Map<String, Value>) -> (Self, Vec<Mismatch>) {
        let known = serde_json::to_value(Self::default()).unwrap_or_default();
        let mut found = Vec::new();
        let sections: Vec<&str> = known
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        for name in file.keys().filter(|name| known.get(name.as_str()).is_none()) {
            found.push(unknown(name, nearest(name, sections.iter().copied())));
        }
        let mut section = |name: &'static str| {
            Section {
                name,
                keys: known.get(name).and_then(Value::as_object),
                given: file.get(name),
                found: &mut found,
            }
            .take()
        };
        let (page, backend, models) = (section("page"), section("backend"), section("models"));
        let targets = Self {
            page: whole(page),
            backend: whole(backend),
            models: whole(models),
        };
        (targets, found)
    }
}

/// Each of its settings has been tried alone.
fn whole<T: DeserializeOwned + Default>(settings: Map<String, Value>) -> T {
    serde_json::from_value(Value::Object(settings)).unwrap_or_default()
}

/// One of the three, while it is read.
struct Section<'a> {
    name: &'static str,
    keys: Option<&'a Map<String, Value>>,
    given: Option<&'a Value>,
    found: &'a mut Vec<Mismatch>,
}

impl Section<'_> {
    /// Those of its settings that are known and of the right kind.
    fn take(self) -> Map<String, Value> {
        let mut taken = Map::new();
        let Some(given) = self.given else {
            return taken;
        };
        let Some(given) = given.as_object() else {
            self.found.push(other_kind(self.name));
            return taken;
        };
        for (key, value) in given {
            let path = format!("{}.{key}", self.name);
            let Some(usual) = self.keys.and_then(|keys| keys.get(key)) else {
                let names = self.keys.into_iter().flatten().map(|(name, _)| name.as_str());
                self.found.push(unknown(&path, nearest(key, names)));
                continue;
            };
            if is_like(value, usual) {
                taken.insert(key.clone(), value.clone());
            } else {
                self.found.push(other_kind(&path));
            }
        }
        taken
    }
}

/// Is `value` of the kind of a setting whose default is `usual`? A secret's is nothing.
fn is_like(value: &Value, usual: &Value) -> bool {
    match usual {
        Value::Null => value.is_string() || value.get("file").is_some_and(Value::is_string),
        Value::String(_) => value.is_string(),
        Value::Number(n) if n.is_u64() => value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()),
        Value::Number(_) => value.as_f64().is_some_and(|n| n >= 0.0),
        Value::Array(_) => value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string)),
        Value::Object(_) => value
            .as_object()
            .is_some_and(|all| all.values().all(|n| n.as_f64().is_some_and(|n| n >= 0.0))),
        Value::Bool(_) => value.is_boolean(),
    }
}

fn unknown(key: &str, nearest: Option<&str>) -> Mismatch {
    Mismatch {
        key: key.to_owned(),
        problem: "there is no such setting".to_owned(),
        fix: match nearest {
            Some(nearest) => format!("Did you mean `{nearest}`?"),
            None => "deploy/targets.example.toml shows all of them.".to_owned(),
        },
    }
}

fn other_kind(key: &str) -> Mismatch {
    Mismatch {
        key: key.to_owned(),
        problem: "a value of another kind is expected".to_owned(),
        fix: "deploy/targets.example.toml shows how it is written.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_taken_is_named_and_hides_nothing() {
        let file = json!({
            "page": {"url": "https://chat.example.org", "vite_api_ulr": "hidden"},
            "backend": {"copies": "two, hidden", "plan": "starter", "jwt_secret_key": 7},
            "models": {"memory_gib": 8, "allow": ["10.0.0.1"], "roster_gib": {"a": -1}, "key": {"file": "key"}},
            "modles": {},
        });
        let (targets, found) = Targets::read(file.as_object().unwrap());
        let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        let all = [
            "modles",
            "page.vite_api_ulr",
            "backend.copies",
            "backend.jwt_secret_key",
            "models.roster_gib",
        ];
        assert_eq!(keys.len(), all.len(), "{found:?}");
        assert!(all.iter().all(|key| keys.contains(key)), "{found:?}");
        assert!(
            found.iter().any(|one| one.fix == "Did you mean `vite_api_url`?"),
            "{found:?}"
        );
        assert_eq!(targets.page.url, "https://chat.example.org");
        assert_eq!(
            (targets.backend.plan.as_str(), targets.backend.copies),
            ("starter", 0)
        );
        assert_eq!((targets.models.memory_gib, targets.models.allow.len()), (8.0, 1));
        assert!(!format!("{found:?} {targets:?}").contains("hidden"));
        assert!(Targets::read(json!({"page": "hidden"}).as_object().unwrap()).1[0].key == "page");
    }

    #[test]
    fn every_variable_of_the_backend_has_its_setting() {
        let written = serde_json::to_value(Targets::default().backend).unwrap();
        let given = written.as_object().unwrap().iter();
        let all: Map<String, Value> = given
            .filter(|(_, usual)| usual.is_string() || usual.is_null())
            .map(|(key, _)| (key.clone(), json!("set")))
            .collect();
        let (targets, found) = Targets::read(json!({"backend": all}).as_object().unwrap());
        assert_eq!(found, []);
        let set = targets.backend.variables();
        // Its address and its plan are set nowhere.
        assert_eq!(set.len(), all.len() - 2, "{set:?}");
        for (name, _) in set {
            assert!(all.contains_key(&name.to_lowercase()), "{name}");
        }
    }
}
