//! Where log lines go: standard error, without waiting for whoever reads it.
//!
//! A pipe or a terminal whose reader has stopped takes nothing more, and a write would wait for it, and with it the request
//! that is logged. So a piece is written only when the system says that it is taken at once. What is not taken is lost, and
//! counted; when somebody reads again, the log says how much.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a pipe that takes anything takes whole, in bytes (`PIPE_BUF` of Linux).
const PIECE: usize = 4096;

/// What became of the lines before.
#[derive(Debug, Default)]
pub(super) struct LogSink {
    /// Lines are JSON.
    json: bool,
    /// It goes into a file, which takes everything at once and need not be asked.
    is_file: bool,
    behind: Mutex<Behind>,
}

#[derive(Debug, Default)]
struct Behind {
    lost: u64,
    /// The last line was broken off.
    cut: bool,
}

impl LogSink {
    /// For lines that go to `out`.
    pub(super) fn new(json: bool, out: &impl AsFd) -> Self {
        let file = out.as_fd().try_clone_to_owned().map(File::from);
        Self {
            json,
            is_file: file.and_then(|file| file.metadata()).is_ok_and(|it| it.is_file()),
            behind: Mutex::default(),
        }
    }

    /// Writes a line, or loses it.
    ///
    /// # Errors
    /// When nobody will ever read it.
    pub(super) fn line(&self, out: &mut (impl Write + AsFd), line: &[u8]) -> io::Result<()> {
        // Nothing waits behind it.
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        if behind.lost > 0 && self.takes(out) {
            out.write_all(self.note(&behind).as_bytes())?;
            *behind = Behind::default();
        }
        for (at, piece) in line.chunks(PIECE).enumerate() {
            if !self.takes(out) {
                behind.lost += 1;
                behind.cut |= at > 0;
                metrics::counter!("goblin_log_lines_lost_total").increment(1);
                return Ok(());
            }
            out.write_all(piece)?;
        }
        Ok(())
    }

    fn takes(&self, out: &impl AsFd) -> bool {
        self.is_file || takes(out)
    }

    fn note(&self, behind: &Behind) -> String {
        let ended = if behind.cut { "\n" } else { "" };
        let said = format!(
            "{} lines of this log are lost, because nobody read it",
            behind.lost
        );
        match self.json {
            true => format!("{ended}{{\"level\":\"WARN\",\"message\":\"{said}\"}}\n"),
            false => format!("{ended}WARN {said}\n"),
        }
    }
}

/// Is a piece taken at once, or known to be taken never?
fn takes(out: &impl AsFd) -> bool {
    let mut asked = [PollFd::new(out, PollFlags::OUT)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // What cannot be asked, such as a file of some systems, is written to.
    poll(&mut asked, Some(&at_once)).map_or(true, |ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn lines_that_nobody_reads_are_lost_and_the_log_says_how_many() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let sink = LogSink::new(true, &writer);
        let long = format!("{{\"message\":\"{}\"}}\n", "x".repeat(10_000));
        let mut written = 0;
        while sink.behind.lock().unwrap().lost == 0 {
            sink.line(&mut writer, long.as_bytes()).unwrap();
            written += 1;
        }
        for _ in 0..9 {
            sink.line(&mut writer, b"{}\n").unwrap();
        }
        let mut log = vec![0; 40_000];
        reader.read_exact(&mut log).unwrap();
        sink.line(&mut writer, b"{\"message\":\"the last\"}\n").unwrap();
        drop(writer);
        reader.read_to_end(&mut log).unwrap();
        let log = String::from_utf8(log).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        let [whole @ .., note, last] = lines.as_slice() else {
            panic!("{}", lines.len())
        };
        assert_eq!(*last, "{\"message\":\"the last\"}");
        assert!(note.contains("10 lines of this log are lost"), "{note}");
        let whole = whole.iter().filter(|line| line.len() == long.len() - 1).count();
        assert_eq!(whole, written - 1, "the lines before are whole");
    }

    #[test]
    fn a_log_whose_reader_has_gone_is_an_error_and_no_wait() {
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        let sink = LogSink::new(false, &writer);
        assert!(sink.line(&mut writer, b"x\n").is_err());
    }
}
