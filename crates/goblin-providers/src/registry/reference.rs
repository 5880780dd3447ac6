//! How a person names a model of a registry.

use std::fmt;

use goblin_net::Url;
use thiserror::Error;

/// Longest reference, in bytes.
const MAX_REFERENCE: usize = 300;
/// Longest part between slashes, in bytes.
const MAX_PART: usize = 128;
/// The registry meant when none is named.
const OLLAMA_HOST: &str = "registry.ollama.ai";
/// Ways to begin a name of Hugging Face, without a scheme.
const HUGGING_FACE: [&str; 4] = ["hf.co/", "huggingface.co/", "www.huggingface.co/", "hf:"];

/// Why a text names no model. `Display` says what to write.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{text}` names no model: {reason}. Write NAME[:TAG], NAMESPACE/NAME[:TAG], HOST/NAMESPACE/NAME[:TAG], \
     hf.co/ORGANISATION/REPOSITORY[:QUANTISATION] or hf:ORGANISATION/REPOSITORY/FILE.gguf."
)]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

/// A model of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Of a registry that speaks Ollama's protocol.
    Ollama(OllamaName),
    /// Of Hugging Face.
    HuggingFace(HuggingFaceName),
}

/// A name as Ollama writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OllamaName {
    /// Another registry than the configured one.
    pub host: Option<Url>,
    /// `library` unless named.
    pub namespace: String,
    /// The model.
    pub name: String,
    /// `latest` unless named.
    pub tag: String,
}

/// A repository of Hugging Face, and which of its files is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuggingFaceName {
    /// `ORGANISATION/REPOSITORY`.
    pub repository: String,
    /// Which file.
    pub choice: Choice,
}

/// Which file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The usual one.
    Usual,
    /// The one whose name ends with this, in any case, for example `Q4_K_M`.
    Quantisation(String),
    /// The one at this path.
    File(String),
}

impl Reference {
    /// Reads what a person wrote, also an address copied from the browser.
    ///
    /// # Errors
    /// [`ReferenceError`], a sentence with the forms that are understood.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let text = text.trim();
        let failed = |reason| ReferenceError {
            text: text.chars().take(MAX_REFERENCE).collect(),
            reason,
        };
        if text.len() > MAX_REFERENCE {
            return Err(failed("it is longer than 300 bytes"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err(failed("only http and https are spoken")),
            None => (None, text),
        };
        let lower = rest.to_lowercase();
        let rest = HUGGING_FACE
            .iter()
            .find(|begin| lower.starts_with(**begin))
            .map_or((rest, false), |begin| (&rest[begin.len()..], true));
        match rest {
            (rest, true) => hugging_face(rest).map(Self::HuggingFace).map_err(failed),
            (rest, false) => ollama(scheme, rest).map(Self::Ollama).map_err(failed),
        }
    }

    /// The name it gets on this machine: lower-case letters, digits, `-`, `_`, `.` and `:`. That of a file of Hugging
    /// Face is made from the file's, which is known once the repository was asked.
    pub fn local_name(&self) -> String {
        match self {
            Self::Ollama(name) => {
                let tag = Some(&name.tag).filter(|tag| *tag != "latest");
                let tag = tag.map_or_else(String::new, |tag| format!(":{}", clean(tag)));
                match name.namespace.as_str() {
                    "library" => format!("{}{tag}", clean(&name.name)),
                    other => format!("{}-{}{tag}", clean(other), clean(&name.name)),
                }
            }
            Self::HuggingFace(name) => match &name.choice {
                Choice::File(path) => file_name(path),
                Choice::Usual | Choice::Quantisation(_) => file_name(&name.repository),
            },
        }
    }
}

/// A name made from a path's last part without `.gguf`.
pub(crate) fn file_name(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or(path);
    let lower = last.to_lowercase();
    clean(lower.strip_suffix(".gguf").unwrap_or(&lower))
}

fn clean(text: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    text.chars().map(keep).take(90).collect()
}

fn ollama(scheme: Option<&str>, text: &str) -> Result<OllamaName, &'static str> {
    if text.starts_with("ollama:") {
        return Err("`ollama:` means the Ollama of this machine, whose models are added, not pulled");
    }
    let parts: Vec<&str> = text.split('/').collect();
    let (host, namespace, last) = match parts.as_slice() {
        [last] if scheme.is_none() => (None, "library", *last),
        [namespace, last] if scheme.is_none() => (None, *namespace, *last),
        [host, namespace, last] => (Some(*host), *namespace, *last),
        _ => return Err("it has too few or too many parts between slashes"),
    };
    let (name, tag) = last.split_once(':').unwrap_or((last, "latest"));
    for part in [namespace, name, tag] {
        check_part(part)?;
    }
    let host = match host {
        None => None,
        Some(host) if host.eq_ignore_ascii_case(OLLAMA_HOST) => None,
        Some(host) => {
            check_host(host)?;
            let address = format!("{}://{host}", scheme.unwrap_or("https"));
            Some(Url::parse(&address).map_err(|_| "its host is no address")?)
        }
    };
    Ok(OllamaName {
        host,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        tag: tag.to_owned(),
    })
}

fn hugging_face(text: &str) -> Result<HuggingFaceName, &'static str> {
    let (path, chosen) = match text.split_once(':') {
        Some((path, chosen)) => (path, Some(chosen)),
        None => (text, None),
    };
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() < 2 {
        return Err("it does not name a repository");
    }
    let mut file = parts.split_off(2);
    // The addresses of a browser: ORG/REPO/blob/main/FILE.
    if file.len() > 2 && matches!(file[0], "resolve" | "blob") {
        file.drain(..2);
    }
    let choice = match (file.as_slice(), chosen) {
        ([], None) => Choice::Usual,
        ([], Some(chosen)) if chosen.to_lowercase().ends_with(".gguf") => Choice::File(chosen.to_owned()),
        ([], Some(chosen)) => Choice::Quantisation(chosen.to_owned()),
        (file, None) => Choice::File(file.join("/")),
        (_, Some(_)) => return Err("it names a file and a quantisation"),
    };
    let named = match &choice {
        Choice::Usual => "",
        Choice::Quantisation(text) | Choice::File(text) => text,
    };
    for part in parts
        .iter()
        .copied()
        .chain(named.split('/').filter(|_| !named.is_empty()))
    {
        check_part(part)?;
    }
    if matches!(&choice, Choice::File(path) if !path.to_lowercase().ends_with(".gguf")) {
        return Err("its file is no GGUF file");
    }
    Ok(HuggingFaceName {
        repository: parts.join("/"),
        choice,
    })
}

/// A host has a dot or a port in it, or is this machine.
fn check_host(host: &str) -> Result<(), &'static str> {
    let name = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    let known = host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
    if name && known {
        Ok(())
    } else {
        Err("its first part is no host: a name with a dot, or with a port")
    }
}

/// What may stand between slashes: nothing that could leave the path or change the query.
fn check_part(part: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    if part.is_empty() {
        Err("a part of it is empty")
    } else if part.len() > MAX_PART {
        Err("a part of it is longer than 128 bytes")
    } else if !part.chars().all(allowed) || !part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    {
        Err("only letters, digits, `-`, `_`, `.` and `+` are possible, beginning with a letter or digit")
    } else {
        Ok(())
    }
}

/// The one form in which it is remembered; it parses to the same.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ollama(name) => {
                let shown = format!("{}:{}", name.name, name.tag);
                match (&name.host, name.namespace.as_str()) {
                    (None, "library") => f.write_str(&shown),
                    (None, namespace) => write!(f, "{namespace}/{shown}"),
                    (Some(host), namespace) => {
                        let host = host.to_string();
                        let host = host.strip_prefix("https://").unwrap_or(&host);
                        write!(f, "{}/{namespace}/{shown}", host.trim_end_matches('/'))
                    }
                }
            }
            Self::HuggingFace(name) => match &name.choice {
                Choice::Usual => write!(f, "hf.co/{}", name.repository),
                Choice::Quantisation(chosen) => write!(f, "hf.co/{}:{chosen}", name.repository),
                Choice::File(path) => write!(f, "hf.co/{}/{path}", name.repository),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_has_one_spelling_and_a_local_name() {
        for (text, canonical, local) in [
            ("gemma:2b", "gemma:2b", "gemma:2b"),
            ("deepseek-coder", "deepseek-coder:latest", "deepseek-coder"),
            ("library/phi3:3.8b", "phi3:3.8b", "phi3:3.8b"),
            ("Someone/Model:Q4", "Someone/Model:Q4", "someone-model:q4"),
            ("registry.ollama.ai/library/gemma:2b", "gemma:2b", "gemma:2b"),
            (
                "https://registry.ollama.ai/library/gemma",
                "gemma:latest",
                "gemma",
            ),
            ("models.lan/team/m:1", "models.lan/team/m:1", "team-m:1"),
            (
                "http://127.0.0.1:5000/team/m",
                "http://127.0.0.1:5000/team/m:latest",
                "team-m",
            ),
            ("hf.co/Org/Repo-GGUF", "hf.co/Org/Repo-GGUF", "repo-gguf"),
            ("hf.co/Org/Repo:q8_0", "hf.co/Org/Repo:q8_0", "repo"),
            ("hf.co/Org/Repo:M-Q4.gguf", "hf.co/Org/Repo/M-Q4.gguf", "m-q4"),
            (
                "hf:Org/Repo/sub/M-Q4.gguf",
                "hf.co/Org/Repo/sub/M-Q4.gguf",
                "m-q4",
            ),
            (
                "https://huggingface.co/Org/Repo/blob/main/M.gguf",
                "hf.co/Org/Repo/M.gguf",
                "m",
            ),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), canonical, "{text}");
            assert_eq!(reference.local_name(), local, "{text}");
            assert_eq!(Reference::parse(canonical).unwrap(), reference, "{text}");
        }
    }

    #[test]
    fn what_names_no_model_is_refused_with_the_forms() {
        let long = "a".repeat(301);
        for text in [
            "",
            " ",
            "a:b:c",
            "a b",
            "../x",
            "../etc/passwd",
            "a/b/c",
            "a/../b",
            "a//b",
            "a/b/c/d",
            "a?b",
            "a#b",
            "a%2f",
            "ä",
            ".hidden",
            "-x",
            "ftp://h/a/b",
            "ollama:gemma",
            "http://gemma",
            "hf.co/onlyorg",
            "hf.co/Org/Repo/notes.txt",
            "hf.co/Org/Repo/../../x.gguf",
            "hf.co/Org/Repo/f.gguf:Q4",
            "user@host:1/a/b",
            &long,
        ] {
            let refused = Reference::parse(text).unwrap_err().to_string();
            assert!(refused.contains("hf.co/"), "{text}: {refused}");
        }
    }
}
