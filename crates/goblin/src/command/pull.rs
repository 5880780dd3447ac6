//! `goblin models pull | update`: models from registries into the engine's folder.

mod progress;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use goblin_core::clock::Clock;
use goblin_net::{HttpClient, NetOptions, Url};
use goblin_providers::registry::{Offer, Reference, Registry, RegistryError, RegistryOptions, RemoteFile};
use goblin_store::data_dir::DataPaths;
use goblin_store::download::{Begun, Download, Wanted, has_sha256};
use goblin_store::model_files::{ModelFile, ModelFiles, ModelSource, Origin, is_name, licence_beside};
use goblin_store::ollama_store;
use goblin_store::private_file::write_private;
use serde_json::json;

use crate::command::Interrupted;
use crate::config::Config;
use crate::machine;
use crate::model_choice::list_models;
use crate::output::{Output, bytes, complain};
use progress::Progress;
use transfer::{Patience, fetch, off};

/// Longest wait for a registry to begin its answer, and between two pieces of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest name of a licence that is shown, in characters.
const MAX_LICENCE_NAME: usize = 80;

/// A model to be fetched.
pub(crate) struct Wish {
    /// What.
    pub(crate) reference: Reference,
    /// Its name here; `None`: made from the reference.
    pub(crate) name: Option<String>,
}

/// What every pull needs.
pub(crate) struct Puller {
    registry: Registry,
    files: ModelFiles,
    stores: Vec<PathBuf>,
    as_json: bool,
    output: Output,
}

impl Puller {
    /// Asks nobody yet. `mirror` takes the place of both configured registries.
    ///
    /// # Errors
    ///
    /// When no client can be made.
    pub(crate) fn new(
        config: &Config,
        mirror: Option<&Url>,
        as_json: bool,
        output: Output,
    ) -> anyhow::Result<Self> {
        let named = &config.registry;
        let address = |text: &str| mirror.map_or_else(|| Url::parse(text), |url| Ok(url.clone()));
        let client = HttpClient::build(NetOptions {
            connect_timeout: CONNECT,
            first_byte_timeout: PATIENCE,
            idle_timeout: PATIENCE,
            ..NetOptions::default()
        })?;
        let options = RegistryOptions {
            ollama: address(&named.ollama_url)?,
            huggingface: address(&named.huggingface_url)?,
            huggingface_token: named.huggingface_token.clone(),
        };
        Ok(Self {
            registry: Registry::new(client, options),
            files: ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System),
            stores: named.ollama_stores.clone(),
            as_json,
            output,
        })
    }

    /// What the registry has now. Tries again where that may help.
    ///
    /// # Errors
    ///
    /// What failed, what was tried, and what to do.
    pub(crate) async fn look_up(&self, reference: &Reference) -> anyhow::Result<Offer> {
        let mut patience = Patience::default();
        loop {
            let error = match self.registry.look_up(reference).await {
                Ok(offer) => return Ok(offer),
                Err(error) => error,
            };
            let note = |text: &str| complain(format_args!("note: {reference}: {text}"));
            if !error.is_passing() || !patience.wait(error.retry_after(), note).await? {
                return Err(advise(error));
            }
        }
    }

    /// Fetches every one of these; `Ok(false)`: some failed, which has been said.
    ///
    /// # Errors
    ///
    /// [`Interrupted`]; that all together would not fit on the disk.
    pub(crate) async fn pull(&self, wishes: Vec<Wish>) -> anyhow::Result<bool> {
        if cfg!(not(feature = "engine")) {
            bail!("Nothing was pulled: this build has no engine that could use it.");
        }
        tokio::select! {
            done = self.pull_all(wishes) => done,
            _ = tokio::signal::ctrl_c() => Err(Interrupted::CAN_GO_ON.into()),
        }
    }

    async fn pull_all(&self, wishes: Vec<Wish>) -> anyhow::Result<bool> {
        let several = wishes.len() > 1;
        let mut all_well = true;
        let mut offers = Vec::new();
        for wish in wishes {
            match self.look_up(&wish.reference).await {
                Ok(mut offer) => {
                    offer.name = wish.name.unwrap_or(offer.name);
                    offers.push(offer);
                }
                Err(error) => {
                    all_well = false;
                    self.failed(&wish.reference.to_string(), &error);
                }
            }
        }
        if several {
            self.tell_total(&offers)?;
        }
        for offer in &offers {
            if let Err(error) = self.pull_one(offer).await {
                all_well = false;
                self.failed(&offer.reference, &error);
            }
        }
        Ok(all_well)
    }

    fn failed(&self, reference: &str, error: &anyhow::Error) {
        complain(format_args!("error: `{reference}` was not pulled: {error:#}"));
        if self.as_json {
            let line = json!({"status": "failed", "reference": reference, "error": format!("{error:#}")});
            self.output.line(line);
        }
    }

    fn tell_total(&self, offers: &[Offer]) -> anyhow::Result<()> {
        let total: u64 = offers.iter().map(|o| o.weights.size_bytes).sum();
        if self.as_json {
            self.output
                .line(json!({"status": "total", "models": offers.len(), "total": total}));
        } else {
            self.output
                .line(format_args!("{} models, {} in all", offers.len(), bytes(total)));
        }
        let folder = self.files.folder();
        match machine::disk_bytes(folder) {
            Some((free, _)) if free < total => bail!(
                "Together they need {}, and {} has only {} free. Free some space, choose another data directory, or \
                 pull some of them.",
                bytes(total),
                folder.display(),
                bytes(free)
            ),
            _ => Ok(()),
        }
    }

    async fn pull_one(&self, offer: &Offer) -> anyhow::Result<()> {
        if !is_name(&offer.name) {
            bail!("`{}` cannot be its name here; give one with --name", offer.name);
        }
        let all = list_models(&self.files)?;
        if let Some(same) = there(&all, offer) {
            self.done(&same, "already there");
            return Ok(());
        }
        let taken = all
            .iter()
            .find(|m| m.name == offer.name && m.source != ModelSource::Pulled);
        if let Some(other) = taken {
            bail!(
                "there is another model named `{}` ({}); give this one a name with --name, or remove that one first",
                other.name,
                other.path.display()
            );
        }
        if let Some(model) = self.in_ollama(offer)? {
            self.done(
                &model,
                "an Ollama of this machine has it; it is used where it lies",
            );
            return Ok(());
        }
        let model = self.fetch(offer).await?;
        self.done(&model, "pulled");
        Ok(())
    }

    /// The same content in an Ollama's store, taken into the list.
    fn in_ollama(&self, offer: &Offer) -> anyhow::Result<Option<ModelFile>> {
        let found = ollama_store::read(&self.stores);
        let same = found.models.into_iter().find(|m| {
            (&m.sha256, m.size_bytes) == (&offer.weights.sha256, offer.weights.size_bytes)
                && check_gguf(&m.path).is_ok()
        });
        let Some(same) = same else { return Ok(None) };
        if let Some(folder) = self.files.folder().parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let model = self.files.add(
            &same.path,
            Some(&offer.name),
            Some(same.sha256),
            ModelSource::OllamaStore,
        )?;
        Ok(Some(model))
    }

    async fn fetch(&self, offer: &Offer) -> anyhow::Result<ModelFile> {
        let licence = self.licence(offer).await?;
        let folder = self.files.folder().to_owned();
        let wanted = Wanted {
            file_name: file_name(offer),
            size_bytes: offer.weights.size_bytes,
            sha256: offer.weights.sha256.clone(),
            source: offer.reference.clone(),
        };
        let path = match off(move || Download::begin(&folder, wanted)).await?? {
            Begun::There(path) => path,
            Begun::Partly(download) => self.fetch_weights(offer, *download).await?,
        };
        if let Some(text) = &licence.text {
            let beside = licence_beside(&path);
            write_private(&beside, text.as_bytes()).with_context(|| beside.display().to_string())?;
        }
        let origin = Origin {
            reference: offer.reference.clone(),
            sha256: offer.weights.sha256.clone(),
            licence: licence.name,
        };
        Ok(self.files.put_pulled(&path, &offer.name, origin)?)
    }

    async fn fetch_weights(&self, offer: &Offer, download: Download) -> anyhow::Result<PathBuf> {
        let file = &offer.weights;
        let mut progress = Progress::begin(
            &offer.name,
            &file.sha256,
            file.size_bytes,
            download.received(),
            self.as_json,
            self.output,
        );
        let download = fetch(&self.registry, file, download, &mut progress).await?;
        progress.checking();
        let checked = off(move || {
            let arrived = download.finish()?;
            match check_gguf(arrived.path()) {
                Ok(()) => Ok(arrived.accept()?),
                Err(error) => {
                    arrived.discard()?;
                    Err(error.context("it came whole and was thrown away, because the engine cannot use it"))
                }
            }
        });
        checked.await?
    }

    async fn licence(&self, offer: &Offer) -> anyhow::Result<Licence> {
        let mut texts = Vec::new();
        for file in &offer.licence_texts {
            texts.push(self.read_text(file).await.context("its licence")?);
        }
        let text = texts.join("\n\n");
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let first = first.map(|l| {
            l.chars()
                .filter(|c| !c.is_control())
                .take(MAX_LICENCE_NAME)
                .collect()
        });
        Ok(Licence {
            name: offer.licence.clone().or(first),
            text: (!text.is_empty()).then_some(text),
        })
    }

    async fn read_text(&self, file: &RemoteFile) -> anyhow::Result<String> {
        let read = self.registry.read(file).await.map_err(advise)?;
        if !has_sha256(&read, &file.sha256) {
            bail!("what came is not the announced file");
        }
        Ok(String::from_utf8_lossy(&read).into_owned())
    }

    fn done(&self, model: &ModelFile, how: &str) {
        if self.as_json {
            self.output.line(json!({
                "status": "success", "name": model.name, "path": model.path, "sha256": model.sha256,
                "size_bytes": model.size_bytes, "licence": model.licence, "reference": model.reference, "how": how,
            }));
            return;
        }
        let size = model.size_bytes.map_or_else(String::new, bytes);
        let licence = model
            .licence
            .as_ref()
            .map_or_else(String::new, |l| format!(", licence: {l}"));
        self.output
            .line(format_args!("`{}`: {how} ({size}{licence})", model.name));
    }
}

/// A licence's name and text, where they are known.
struct Licence {
    name: Option<String>,
    text: Option<String>,
}

/// The same model, if it is in the list with its file.
fn there(all: &[ModelFile], offer: &Offer) -> Option<ModelFile> {
    let same = |m: &&ModelFile| {
        m.sha256.as_ref() == Some(&offer.weights.sha256) && m.size_bytes == Some(offer.weights.size_bytes)
    };
    let mut same = all.iter().filter(same);
    same.clone()
        .find(|m| m.name == offer.name)
        .or_else(|| same.next())
        .cloned()
}

/// The name and the beginning of the checksum: an update lies beside what it replaces until it is in the list.
fn file_name(offer: &Offer) -> String {
    let digest: String = offer.weights.sha256.chars().take(12).collect();
    format!("{}-{digest}.gguf", offer.name.replace(':', "-"))
}

/// What `goblin models add` checks.
#[cfg(feature = "engine")]
fn check_gguf(path: &Path) -> anyhow::Result<()> {
    goblin_engine::usable(path, None)?;
    Ok(())
}

#[cfg(not(feature = "engine"))]
fn check_gguf(_: &Path) -> anyhow::Result<()> {
    bail!("this build has no engine that could use it")
}

/// Adds what can be done to what went wrong.
fn advise(error: RegistryError) -> anyhow::Error {
    let advice = match &error {
        RegistryError::Network { .. } | RegistryError::NotARegistry { .. } => {
            ". Is this machine online, and may it go out directly (goblin uses no proxy for this)? Otherwise name a \
             mirror with --registry URL, or with `registry.ollama_url` and `registry.huggingface_url`; or fetch the \
             GGUF file on another machine and use it with `goblin models add FILE`"
        }
        RegistryError::Busy { .. } => ". Run the same command later",
        _ => "",
    };
    anyhow::anyhow!("{error}{advice}.")
}
