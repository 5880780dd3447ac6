//! The environment, read once. Everything else is given an [`Environment`], so tests own theirs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The variables of the process, as they were at start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the process's environment. Variables that are not UTF-8 are kept with replacement characters, so
    /// that a setting among them is refused by its check instead of being overlooked.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one reader of the environment"
    )]
    pub(crate) fn read() -> Self {
        let variables = std::env::vars_os()
            .map(|(name, value)| {
                (
                    name.to_string_lossy().into_owned(),
                    value.to_string_lossy().into_owned(),
                )
            })
            .collect();
        Self { variables }
    }

    /// An environment of these variables only.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    /// A variable that is set and not empty: an empty one counts as absent, as hosting panels leave them.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.trim().is_empty())
    }

    /// The names that are set and not empty.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables
            .iter()
            .filter(|(_, v)| !v.trim().is_empty())
            .map(|(n, _)| n.as_str())
    }

    /// goblin's folder in the XDG base directory `variable`, or below the home directory. Relative values are
    /// ignored, as the XDG Base Directory Specification says.
    fn xdg(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let base = self.get(variable).map(PathBuf::from).filter(|p| p.is_absolute());
        base.or_else(|| self.get("HOME").map(|home| PathBuf::from(home).join(below_home)))
            .map(|p| p.join("goblin"))
    }

    /// Where `goblin.toml` is looked for.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        self.xdg("XDG_CONFIG_HOME", ".config")
    }

    /// Where data is kept unless a setting says otherwise.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.xdg("XDG_DATA_HOME", ".local/share")
    }

    /// Where the service manager listens (sd_notify(3)).
    pub(crate) fn notify_socket(&self) -> Option<&str> {
        self.get("NOTIFY_SOCKET")
    }

    /// How long the service manager waits for a sign of life of the process `pid` before it ends it
    /// (sd_watchdog_enabled(3)).
    pub(crate) fn watchdog(&self, pid: u32) -> Option<Duration> {
        let is_meant = self
            .get("WATCHDOG_PID")
            .is_none_or(|p| p.trim() == pid.to_string());
        let period = self.get("WATCHDOG_USEC")?.trim().parse().ok()?;
        (is_meant && period > 0).then(|| Duration::from_micros(period))
    }

    /// Has the person asked for output without colours (<https://no-color.org>)?
    pub(crate) fn no_color(&self) -> bool {
        self.get("NO_COLOR").is_some() || self.get("TERM") == Some("dumb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_follows_xdg_and_falls_back_to_home() {
        let at = |vars: &[(&str, &str)]| Environment::of(vars).data_dir();
        assert_eq!(
            at(&[("XDG_DATA_HOME", "/d"), ("HOME", "/h")]),
            Some("/d/goblin".into())
        );
        assert_eq!(
            at(&[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]),
            Some("/h/.local/share/goblin".into())
        );
        assert_eq!(at(&[]), None);
    }

    #[test]
    fn the_watchdog_is_that_of_this_process() {
        let of = |vars: &[(&str, &str)]| Environment::of(vars).watchdog(7);
        assert_eq!(
            of(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "7")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(of(&[("WATCHDOG_USEC", "1000")]), Some(Duration::from_millis(1)));
        assert_eq!(of(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "8")]), None);
        for broken in ["0", "-1", "soon"] {
            assert_eq!(of(&[("WATCHDOG_USEC", broken)]), None, "{broken}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_absent() {
        let environment = Environment::of(&[("PORT", " "), ("HOST", "::1")]);
        assert_eq!(environment.get("PORT"), None);
        assert_eq!(environment.names().collect::<Vec<_>>(), ["HOST"]);
    }
}
