//! Ollama's registry: `/v2/NAMESPACE/NAME/manifests/TAG` and `/v2/NAMESPACE/NAME/blobs/DIGEST`.

use goblin_core::model::nearest;
use goblin_net::Url;
use http::header::ACCEPT;
use http::{HeaderValue, Method};
use serde::Deserialize;

use crate::registry::answers::{expect_success, json, sha256};
use crate::registry::{
    MAX_LICENCE_BYTES, Offer, OllamaName, Reference, Registry, RegistryError, RemoteFile, without_query,
};

/// What is asked for.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Most tags named in an error.
const MAX_TAGS_SHOWN: usize = 10;

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<String>,
}

pub(crate) async fn look_up(
    registry: &Registry,
    reference: &Reference,
    name: &OllamaName,
) -> Result<Offer, RegistryError> {
    let base = name.host.as_ref().unwrap_or(&registry.options.ollama);
    let model = base.join(&format!("v2/{}/{}", name.namespace, name.name));
    let url = model.join(&format!("manifests/{}", name.tag));
    let mut request = registry.request(Method::GET, url.clone(), false);
    request.headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST));
    let what = format!("model `{reference}`");
    let address = base.address();
    let response = registry.describe(request).await?;
    let response = match expect_success(response, &address, &what) {
        Err(RegistryError::NotFound { address, what, .. }) => {
            let hint = hint(registry, &model, name).await;
            return Err(RegistryError::NotFound { address, what, hint });
        }
        other => other?,
    };
    let manifest: Manifest = json(response, &address, &without_query(&url)).await?;
    let file = |layer: &Layer| remote_file(&model, &address, layer);
    let weights = file(weights(&manifest, &what)?)?;
    let licences = layers(&manifest, "license").filter(|l| l.size > 0 && l.size <= MAX_LICENCE_BYTES);
    Ok(Offer {
        reference: reference.to_string(),
        name: reference.local_name(),
        weights,
        licence: None,
        licence_texts: licences.map(file).collect::<Result<_, _>>()?,
    })
}

fn layers<'a>(manifest: &'a Manifest, kind: &'a str) -> impl Iterator<Item = &'a Layer> {
    manifest
        .layers
        .iter()
        .filter(move |l| l.media_type.strip_prefix("application/vnd.ollama.image.") == Some(kind))
}

/// The one layer with the GGUF.
fn weights<'a>(manifest: &'a Manifest, what: &str) -> Result<&'a Layer, RegistryError> {
    let unsupported = |reason: &str| RegistryError::Unsupported {
        what: what.to_owned(),
        reason: reason.to_owned(),
    };
    if layers(manifest, "adapter").next().is_some() {
        return Err(unsupported(
            "it is an adapter for another model, which the engine does not load",
        ));
    }
    let mut all = manifest
        .layers
        .iter()
        .filter(|l| l.media_type == "application/vnd.ollama.image.model");
    match (all.next(), all.next()) {
        (Some(layer), None) => Ok(layer),
        (None, _) => Err(unsupported(
            "it has no GGUF file (a cloud model, or one in another format)",
        )),
        (Some(_), Some(_)) => Err(unsupported("its weights are cut into several files")),
    }
}

fn remote_file(model: &Url, address: &str, layer: &Layer) -> Result<RemoteFile, RegistryError> {
    let wrong = |reason: &str| RegistryError::NotARegistry {
        address: address.to_owned(),
        reason: reason.to_owned(),
    };
    let sha256 = sha256(&layer.digest).ok_or_else(|| wrong("a digest in its manifest is no SHA-256"))?;
    if layer.size == 0 {
        return Err(wrong("its manifest names a file of 0 bytes"));
    }
    Ok(RemoteFile {
        url: model.join(&format!("blobs/sha256:{sha256}")),
        size_bytes: layer.size,
        sha256,
        with_token: false,
    })
}

/// What the registry has instead, where it lists its tags (Docker's `/tags/list`; ollama.com's does not).
async fn hint(registry: &Registry, model: &Url, name: &OllamaName) -> String {
    let request = registry.request(Method::GET, model.join("tags/list"), false);
    let listed = match registry.describe(request).await {
        Ok(response) if response.status.is_success() => json::<Tags>(response, "", "").await.ok(),
        _ => None,
    };
    let Some(Tags { mut tags }) = listed.filter(|t| !t.tags.is_empty()) else {
        return ". Names and tags are listed on https://ollama.com/library".to_owned();
    };
    if let Some(near) = nearest(&name.tag, tags.iter().map(String::as_str)) {
        return format!(". Did you mean `{}:{near}`?", name.name);
    }
    tags.sort();
    tags.truncate(MAX_TAGS_SHOWN);
    format!(". It has the tags {}", tags.join(", "))
}
