//! How far a pull is: a bar for eyes, lines for logs, JSON for programs.

use std::io::IsTerminal;

use goblin_core::clock::{Clock, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::output::{Output, bytes, complain};

/// A plain line each so many percent.
const LINE_STEP: u64 = 10;

/// Shows how far one file is.
pub(crate) struct Progress {
    form: Form,
    output: Output,
    name: String,
    digest: String,
    total: u64,
    /// What was there when it began, which does not count for the speed.
    began_with: u64,
    began_at: Timestamp,
    /// The last step that was shown.
    step: Option<u64>,
}

enum Form {
    Bar(ProgressBar),
    Lines,
    Json,
}

impl Progress {
    /// Begins to show. `there`: bytes that need not be fetched.
    pub(crate) fn begin(
        name: &str,
        sha256: &str,
        total: u64,
        there: u64,
        as_json: bool,
        output: Output,
    ) -> Self {
        let form = match (as_json, std::io::stderr().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Bar(bar(name, total, there)),
            (false, false) => Form::Lines,
        };
        let mut progress = Self {
            form,
            output,
            name: name.to_owned(),
            digest: format!("sha256:{sha256}"),
            total,
            began_with: there,
            began_at: Clock::System.now(),
            step: None,
        };
        if there > 0 {
            progress.note(&format!("{} are there already; going on", bytes(there)));
        }
        progress.at(there);
        progress
    }

    /// So many bytes are there now.
    pub(crate) fn at(&mut self, completed: u64) {
        let percent = percent(completed, self.total);
        let step = match &self.form {
            Form::Bar(bar) => {
                bar.set_position(completed);
                return;
            }
            Form::Lines => percent / LINE_STEP,
            Form::Json => percent,
        };
        if self.step == Some(step) {
            return;
        }
        self.step = Some(step);
        if let Form::Json = self.form {
            let line = json!({
                "status": "pulling", "name": self.name, "digest": self.digest, "total": self.total,
                "completed": completed,
            });
            self.output.line(line);
            return;
        }
        let pace = self.pace(completed);
        self.output.line(format_args!(
            "{}: {percent} % ({} of {}{pace})",
            self.name,
            bytes(completed),
            bytes(self.total)
        ));
    }

    /// Something worth knowing, which is no progress.
    pub(crate) fn note(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.println(format!("{}: {text}", self.name)),
            Form::Lines => self.output.line(format_args!("{}: {text}", self.name)),
            Form::Json => self
                .output
                .line(json!({"status": "note", "name": self.name, "note": text})),
        }
    }

    /// What was fetched is looked into.
    pub(crate) fn checking(&self) {
        match &self.form {
            Form::Bar(bar) => bar.set_message("checking"),
            Form::Lines => {}
            Form::Json => self
                .output
                .line(json!({"status": "verifying", "name": self.name, "digest": self.digest})),
        }
    }

    /// `, 12.3 MiB/s, 8 s left`, once that can be said.
    fn pace(&self, completed: u64) -> String {
        let ms = Clock::System.now().ms_since(self.began_at);
        let fetched = completed.saturating_sub(self.began_with);
        if ms < 500 || fetched == 0 {
            return String::new();
        }
        let each_second = fetched.saturating_mul(1000) / ms;
        let left = self.total.saturating_sub(completed) / each_second.max(1);
        format!(", {}/s, {left} s left", bytes(each_second))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn percent(completed: u64, total: u64) -> u64 {
    completed.saturating_mul(100).checked_div(total).unwrap_or(100)
}

fn bar(name: &str, total: u64, there: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_position(there);
    let form = "{prefix} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}";
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.set_style(style.progress_chars("=> ")),
        Err(error) => complain(format_args!("note: the progress bar is not shown well: {error}")),
    }
    bar.set_prefix(name.to_owned());
    // Speed and time left count what is fetched, not what was there.
    bar.reset_eta();
    bar
}
