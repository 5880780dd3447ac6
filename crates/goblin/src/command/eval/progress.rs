//! How far a run is: a bar for eyes, lines for logs. Both go to standard error.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::complain;

/// A plain line each so many percent.
const LINE_STEP: usize = 20;

/// Shows how far one run is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    title: String,
    cases: usize,
    done: Cell<usize>,
    failed: Cell<usize>,
}

impl Progress {
    /// Begins to show. `there`: cases that were answered before.
    pub(super) fn begin(title: &str, cases: usize, there: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(title, cases, there));
        let progress = Self {
            bar,
            title: title.to_owned(),
            cases,
            done: Cell::new(there),
            failed: Cell::new(0),
        };
        if there > 0 {
            progress.note(&format!("{there} of {cases} cases were answered before"));
        } else if progress.bar.is_none() {
            progress.note(&format!("{cases} cases"));
        }
        progress
    }

    /// One more case; `failed`: why it has no answer. The first reason is told.
    pub(super) fn step(&self, failed: Option<&str>) {
        if let Some(why) = failed {
            if self.failed.get() == 0 {
                self.note(&format!("a case has no answer: {why}"));
            }
            self.failed.set(self.failed.get() + 1);
        }
        let before = self.done.get();
        self.done.set(before + 1);
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => {
                let step = |done: usize| done * 100 / self.cases.max(1) / LINE_STEP;
                if step(before + 1) > step(before) {
                    self.note(&format!("{} of {} cases", before + 1, self.cases));
                }
            }
        }
    }

    fn note(&self, text: &str) {
        let say = || complain(format_args!("{}: {text}", self.title));
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if self.failed.get() > 0 {
            self.note(&format!(
                "{} cases have no answer; the same command asks them again",
                self.failed.get()
            ));
        }
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(title: &str, cases: usize, there: usize) -> ProgressBar {
    let bar = ProgressBar::new(cases as u64).with_message(title.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed} left {eta}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_position(there as u64);
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
