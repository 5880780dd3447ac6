//! The records of judges a start goes by: those of the data directory, and those the configuration names.

use std::path::Path;
use std::sync::Arc;

use goblin_core::judge::authority::{Finding, Record};
use goblin_core::judge::questions::QuestionSet;
use goblin_core::trace::Concern;
use goblin_store::data_dir::DataPaths;
use goblin_store::judge_records::{JudgeRecordError, list_records, read_record};

use crate::config::Config;

/// Reads them.
///
/// # Errors
///
/// The first that cannot be used, with what to do.
pub(crate) fn read(config: &Config) -> Result<Arc<[Record]>, JudgeRecordError> {
    let mut records = list_records(&DataPaths::new(&config.data_dir).judge_records())?;
    for named in &config.trust.judge_records {
        let (model, file) = split(named);
        records.push(read_record(Path::new(file), model)?);
    }
    Ok(records.into())
}

/// Says in the log what each means.
pub(crate) fn announce(records: &[Record]) {
    for record in records {
        tracing::info!(record = record.source, "{}", meaning(record));
    }
}

/// `MODEL=FILE`, or a file alone.
fn split(named: &str) -> (Option<&str>, &str) {
    match named.split_once('=') {
        Some((model, file)) if !model.trim().is_empty() => (Some(model.trim()), file.trim()),
        _ => (None, named),
    }
}

/// What a record does, in a sentence.
fn meaning(record: &Record) -> String {
    let found = &record.evaluation;
    let concern = QuestionSet::parse(&found.question_set).map_or(Concern::Safety, QuestionSet::concern);
    let (model, set) = (&found.model, &found.question_set);
    match found.finding(concern) {
        Finding::Gives => format!("verdicts of `{model}` on `{set}` may act: it was measured"),
        Finding::Takes(why) => format!("verdicts of `{model}` on `{set}` only advise: {why}"),
        Finding::Silent(what) => format!("the record of `{model}` on `{set}` changes nothing: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_its_file_or_with_its_model() {
        assert_eq!(split("/records/a.json"), (None, "/records/a.json"));
        assert_eq!(
            split("gemma:2b = /records/a.json"),
            (Some("gemma:2b"), "/records/a.json")
        );
    }
}
