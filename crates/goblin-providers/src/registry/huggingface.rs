//! Hugging Face: `/api/models/REPOSITORY?blobs=true` and `/REPOSITORY/resolve/REVISION/FILE`.

use goblin_core::model::nearest;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::registry::answers::{expect_success, json, sha256};
use crate::registry::reference::file_name;
use crate::registry::{
    Choice, HuggingFaceName, Offer, Reference, Registry, RegistryError, RemoteFile, without_query,
};

/// Most files named in an error.
const MAX_FILES_SHOWN: usize = 12;
/// Which quantisation is taken when none is named, the first that is there: small without losing much.
const USUAL: [&str; 8] = [
    "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "Q5_K_M", "Q8_0", "F16", "BF16",
];

#[derive(Deserialize)]
struct Description {
    /// The commit that is described; fetching from it gives what was described.
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, rename = "cardData")]
    card: Option<Value>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

pub(crate) async fn look_up(
    registry: &Registry,
    reference: &Reference,
    name: &HuggingFaceName,
) -> Result<Offer, RegistryError> {
    let base = &registry.options.huggingface;
    let address = base.address();
    let url = base
        .join(&format!("api/models/{}", name.repository))
        .with_query(&[("blobs", "true")]);
    let what = format!("repository `{}`", name.repository);
    let response = registry
        .describe(registry.request(Method::GET, url.clone(), true))
        .await?;
    let response = expect_success(response, &address, &what).map_err(explain)?;
    let description: Description = json(response, &address, &without_query(&url)).await?;
    let sibling = choose(&description.siblings, name, &address)?;
    let revision = description
        .sha
        .as_deref()
        .filter(|s| s.bytes().all(|b| b.is_ascii_hexdigit()));
    let path = format!(
        "{}/resolve/{}/{}",
        name.repository,
        revision.filter(|s| !s.is_empty()).unwrap_or("main"),
        sibling.rfilename
    );
    let lfs = sibling.lfs.as_ref();
    let described = (
        lfs.and_then(|l| l.sha256.as_deref()).and_then(sha256),
        lfs.and_then(|l| l.size).or(sibling.size).filter(|n| *n > 0),
    );
    let url = base.join(&path);
    let (sha256, size_bytes) = match described {
        (Some(sha256), Some(size)) => (sha256, size),
        _ => linked(registry, &url, &sibling.rfilename).await?,
    };
    Ok(Offer {
        reference: reference.to_string(),
        name: file_name(&sibling.rfilename),
        weights: RemoteFile {
            url,
            size_bytes,
            sha256,
            with_token: true,
        },
        licence: licence(&description),
        licence_texts: Vec::new(),
    })
}

/// A repository that does not exist and one that is private look alike from outside.
fn explain(error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Unauthorized {
            address,
            what,
            status,
            ..
        } => RegistryError::Unauthorized {
            address,
            what,
            status,
            hint: "it does not exist, is private, or its licence must be accepted on its page first. With access, set \
                   HF_TOKEN to a token of your account",
        },
        other => other,
    }
}

/// Checksum and length as the file's own address tells them, before it redirects to where the bytes are.
async fn linked(
    registry: &Registry,
    url: &goblin_net::Url,
    file: &str,
) -> Result<(String, u64), RegistryError> {
    let response = registry
        .send(registry.request(Method::HEAD, url.clone(), true), false)
        .await?;
    let text = |name: &str| response.headers.get(name).and_then(|v| v.to_str().ok());
    let checksum = text("x-linked-etag").and_then(sha256);
    let size = text("x-linked-size")
        .and_then(|s| s.parse().ok())
        .filter(|n: &u64| *n > 0);
    match (checksum, size) {
        (Some(checksum), Some(size)) => Ok((checksum, size)),
        _ => Err(RegistryError::Unsupported {
            what: format!("file `{file}`"),
            reason: "no checksum is published for it, so it could not be verified".to_owned(),
        }),
    }
}

/// The licence's name, from the model card or the tags.
fn licence(description: &Description) -> Option<String> {
    let card = description.card.as_ref();
    let text = |key: &str| card.and_then(|c| c[key].as_str()).filter(|t| !t.is_empty());
    let tag = || description.tags.iter().find_map(|t| t.strip_prefix("license:"));
    let name = match text("license") {
        Some("other") => text("license_name").or(Some("other")),
        named => named.or_else(tag),
    };
    name.map(|n| n.chars().filter(|c| !c.is_control()).take(80).collect())
}

/// The file that is meant. Projectors (`mmproj`) and later parts are no models of their own.
fn choose<'a>(
    siblings: &'a [Sibling],
    name: &HuggingFaceName,
    address: &str,
) -> Result<&'a Sibling, RegistryError> {
    let is_model = |s: &&Sibling| {
        let lower = s.rfilename.to_lowercase();
        lower.ends_with(".gguf") && !lower.contains("mmproj") && safe(&s.rfilename)
    };
    let all: Vec<&Sibling> = siblings.iter().filter(is_model).collect();
    let found: Vec<&Sibling> = match &name.choice {
        Choice::File(path) => siblings
            .iter()
            .filter(|s| s.rfilename == *path && safe(path))
            .collect(),
        Choice::Quantisation(wanted) => with_quantisation(&all, wanted),
        Choice::Usual if all.len() == 1 => all.clone(),
        Choice::Usual => USUAL
            .iter()
            .map(|q| with_quantisation(&all, q))
            .find(|found| !found.is_empty())
            .unwrap_or_default(),
    };
    let what = || match &name.choice {
        Choice::File(text) | Choice::Quantisation(text) => format!("`{text}` in `{}`", name.repository),
        Choice::Usual => format!("usual GGUF file in `{}`", name.repository),
    };
    match found.as_slice() {
        [one] if is_part(&one.rfilename) => Err(cut(&one.rfilename)),
        [one] => Ok(one),
        [first, ..] if found.iter().all(|s| is_part(&s.rfilename)) => Err(cut(&first.rfilename)),
        [] => Err(RegistryError::NotFound {
            address: address.to_owned(),
            what: what(),
            hint: listing(&all, &name.choice),
        }),
        several => Err(RegistryError::NotFound {
            address: address.to_owned(),
            what: format!("single {}", what()),
            hint: listing(several, &Choice::Usual),
        }),
    }
}

fn cut(file: &str) -> RegistryError {
    RegistryError::Unsupported {
        what: format!("`{file}`"),
        reason: "it is cut into several files; choose a quantisation that comes in one".to_owned(),
    }
}

fn listing(files: &[&Sibling], choice: &Choice) -> String {
    let names: Vec<&str> = files.iter().map(|s| s.rfilename.as_str()).collect();
    if names.is_empty() {
        return ". It has no GGUF file: look for a repository of the same model with GGUF in its name"
            .to_owned();
    }
    let near = match choice {
        Choice::File(wanted) => nearest(wanted, names.iter().copied()),
        Choice::Quantisation(_) | Choice::Usual => None,
    };
    if let Some(near) = near {
        return format!(". Did you mean `{near}`?");
    }
    let more = names.len().saturating_sub(MAX_FILES_SHOWN);
    let shown = names[..names.len() - more].join(", ");
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(". It has {shown}{more}; name one after a colon")
}

/// Files named for the quantisation: `m-Q4_K_M.gguf`, `m.q4_k_m.gguf`, `Q4_K_M/m.gguf`.
fn with_quantisation<'a>(all: &[&'a Sibling], wanted: &str) -> Vec<&'a Sibling> {
    let wanted = wanted.to_lowercase();
    let named = |s: &&&Sibling| {
        let lower = s.rfilename.to_lowercase();
        let stem = lower.strip_suffix(".gguf").unwrap_or(&lower);
        let stem = whole_name(stem);
        let before = stem.strip_suffix(&wanted);
        before.is_some_and(|b| b.is_empty() || b.ends_with(['-', '.', '_', '/']))
            || lower.starts_with(&format!("{wanted}/"))
    };
    all.iter().filter(named).copied().collect()
}

/// A stem without `-00001-of-00003`.
fn whole_name(stem: &str) -> &str {
    let Some((rest, total)) = stem.rsplit_once("-of-") else {
        return stem;
    };
    let digits = |t: &str| t.len() == 5 && t.bytes().all(|b| b.is_ascii_digit());
    match rest.rsplit_once('-') {
        Some((whole, part)) if digits(part) && digits(total) => whole,
        _ => stem,
    }
}

fn is_part(path: &str) -> bool {
    let lower = path.to_lowercase();
    let stem = lower.strip_suffix(".gguf").unwrap_or(&lower);
    whole_name(stem) != stem
}

/// A path that stays below the repository.
fn safe(path: &str) -> bool {
    path.len() <= 512
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|p| !p.is_empty() && p != "." && p != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(files: &[&str], choice: Choice) -> Result<String, String> {
        let siblings: Vec<Sibling> = files
            .iter()
            .map(|f| Sibling {
                rfilename: (*f).to_owned(),
                size: None,
                lfs: None,
            })
            .collect();
        let name = HuggingFaceName {
            repository: "o/r".to_owned(),
            choice,
        };
        choose(&siblings, &name, "h:443")
            .map(|s| s.rfilename.clone())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_usual_file_is_small_without_losing_much_and_a_lone_one_is_taken() {
        let files = [
            "README.md",
            "m-Q8_0.gguf",
            "m-Q4_K_M.gguf",
            "mmproj-m-Q4_K_M.gguf",
        ];
        assert_eq!(pick(&files, Choice::Usual).unwrap(), "m-Q4_K_M.gguf");
        assert_eq!(pick(&["only.gguf"], Choice::Usual).unwrap(), "only.gguf");
        let quantisation = |q: &str| Choice::Quantisation(q.to_owned());
        assert_eq!(pick(&files, quantisation("q8_0")).unwrap(), "m-Q8_0.gguf");
        assert_eq!(
            pick(&["m.q4_0.gguf"], quantisation("Q4_0")).unwrap(),
            "m.q4_0.gguf"
        );
        assert_eq!(
            pick(&["Q4_0/m.gguf"], quantisation("Q4_0")).unwrap(),
            "Q4_0/m.gguf"
        );
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let files = ["m-Q8_0.gguf", "m-IQ4_XS.gguf"];
        let error = pick(&files, Choice::Quantisation("Q4_K_M".to_owned())).unwrap_err();
        assert!(error.contains("m-Q8_0.gguf, m-IQ4_XS.gguf"), "{error}");
        let error = pick(&files, Choice::File("m-Q8.gguf".to_owned())).unwrap_err();
        assert!(error.contains("Did you mean `m-Q8_0.gguf`?"), "{error}");
        let error = pick(&["model.safetensors"], Choice::Usual).unwrap_err();
        assert!(error.contains("no GGUF file"), "{error}");
        let parts = ["b-Q4_0-00001-of-00002.gguf", "b-Q4_0-00002-of-00002.gguf"];
        let error = pick(&parts, Choice::Usual).unwrap_err();
        assert!(error.contains("several files"), "{error}");
        let error = pick(&["../x-Q4_0.gguf"], Choice::Quantisation("Q4_0".to_owned())).unwrap_err();
        assert!(error.contains("has no"), "{error}");
        let error = pick(&["a-Q4_0.gguf", "b-Q4_0.gguf"], Choice::Usual).unwrap_err();
        assert!(error.contains("a-Q4_0.gguf, b-Q4_0.gguf"), "{error}");
    }

    #[test]
    fn the_licence_is_read_from_card_or_tags() {
        let of = |text: &str| licence(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"cardData":{"license":"mit"}}"#).as_deref(), Some("mit"));
        assert_eq!(
            of(r#"{"tags":["gguf","license:apache-2.0"]}"#).as_deref(),
            Some("apache-2.0")
        );
        assert_eq!(
            of(r#"{"cardData":{"license":"other","license_name":"gemma"}}"#).as_deref(),
            Some("gemma")
        );
        assert_eq!(of("{}"), None);
    }
}
