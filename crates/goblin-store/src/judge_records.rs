//! Records of judges: what an evaluation found of a model that judges, one JSON file each, as `goblin eval report
//! --records` writes them. A goblin reads them at its start; they give verdicts authority or take it away.
//!
//! A file that cannot be read stops the start: passing over it could give authority to a judge that was measured and
//! found poor. Every call blocks on disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use goblin_core::judge::authority::{Evaluation, Record, same_model};

use crate::private_file::write_private;

/// Largest file that is read, in bytes; a record has a few hundred.
const MAX_BYTES: u64 = 64 << 10;
/// Most files of a folder.
pub const MAX_RECORDS: usize = 1_000;

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JudgeRecordError {
    /// The system does not let it be read or written.
    #[error("The record of a judge {} cannot be used: {reason}.", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no record.
    #[error(
        "{} is no record of a judge: {reason}. `goblin eval report --records` writes such files; move this one away.",
        path.display()
    )]
    NotOne {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was given for another model than it is of.
    #[error(
        "The record {} is of the model `{found}`, not of `{wanted}`, for which it is given. Name the right file.",
        path.display()
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model it is of.
        found: String,
        /// The model it was given for.
        wanted: String,
    },
    /// The folder holds too many.
    #[error("{} holds more than {MAX_RECORDS} records of judges. Keep those of the models in use.", .0.display())]
    TooMany(PathBuf),
}

/// Reads one. `given_for`: the model it has to be of, when the operator said so.
///
/// # Errors
/// See [`JudgeRecordError`].
pub fn read_record(path: &Path, given_for: Option<&str>) -> Result<Record, JudgeRecordError> {
    let not_one = |reason: String| JudgeRecordError::NotOne {
        path: path.to_owned(),
        reason,
    };
    let bytes = read_bounded(path).map_err(|reason| JudgeRecordError::Io {
        path: path.to_owned(),
        reason,
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(not_one(format!("it has more than {} KiB", MAX_BYTES >> 10)));
    }
    let evaluation: Evaluation =
        serde_json::from_slice(&bytes).map_err(|error| not_one(error.to_string()))?;
    evaluation.check().map_err(not_one)?;
    if let Some(wanted) = given_for
        && !same_model(wanted, &evaluation.model)
    {
        return Err(JudgeRecordError::OtherModel {
            path: path.to_owned(),
            found: evaluation.model,
            wanted: wanted.to_owned(),
        });
    }
    Ok(Record {
        source: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        given_for: given_for.map(str::to_owned),
        evaluation,
    })
}

/// Reads every `*.json` of a folder, by name. A folder that is not there holds none.
///
/// # Errors
/// The first file that cannot be used; see [`JudgeRecordError`].
pub fn list_records(folder: &Path) -> Result<Vec<Record>, JudgeRecordError> {
    let failed = |reason: io::Error| JudgeRecordError::Io {
        path: folder.to_owned(),
        reason,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        if files.len() == MAX_RECORDS {
            return Err(JudgeRecordError::TooMany(folder.to_owned()));
        }
        files.push(path);
    }
    files.sort();
    files.iter().map(|path| read_record(path, None)).collect()
}

/// Writes one under a name made of its model, quantisation and questions, in place of an older one. Returns where.
///
/// # Errors
/// [`JudgeRecordError::Io`].
pub fn write_record(folder: &Path, evaluation: &Evaluation) -> Result<PathBuf, JudgeRecordError> {
    let path = folder.join(file_name(evaluation));
    let text = serde_json::to_string_pretty(evaluation).map_err(io::Error::from);
    text.and_then(|text| {
        fs::create_dir_all(folder)?;
        write_private(&path, (text + "\n").as_bytes())
    })
    .map_err(|reason| JudgeRecordError::Io {
        path: path.clone(),
        reason,
    })?;
    Ok(path)
}

fn file_name(evaluation: &Evaluation) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '.' => c,
        _ => '-',
    };
    let parts = [
        &evaluation.model,
        &evaluation.quantization,
        &evaluation.question_set,
    ];
    let name = parts
        .map(|part| part.chars().map(plain).collect::<String>())
        .join("-");
    // A leading point would hide it.
    format!("{}.json", name.trim_start_matches('.'))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
