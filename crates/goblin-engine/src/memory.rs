//! How much memory is free, so that a context that cannot fit is refused with numbers instead of being killed.
//!
//! Sources: proc(5) for `/proc/meminfo`, cgroups(7) for `/proc/self/cgroup`, the kernel's
//! `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` for the files of a group.

use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";
/// cgroup v1 writes a number near 2^63 for no limit.
const NO_LIMIT_V1: u64 = 1 << 60;
/// Least and most bytes that stay free.
const HEADROOM: (u64, u64) = (128 << 20, 1 << 30);

/// Bytes this process may still allocate: the machine's available memory, or what the narrowest of its control
/// groups leaves of its limit, whichever is less. `None` where neither is known (then nothing is refused).
pub(crate) fn available_bytes() -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| parse_meminfo(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let group = left_of_groups(&groups, Path::new(CGROUPS), read);
    match (machine, group) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What is left of `free` bytes for models: the rest of the machine, and what cannot be foreseen, keep a part.
pub(crate) fn without_headroom(free: u64) -> u64 {
    free.saturating_sub((free / 16).clamp(HEADROOM.0, HEADROOM.1))
}

/// Bytes of memory this process has that no file stands behind; `None` where that is not known.
pub(crate) fn anonymous_bytes() -> Option<u64> {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| parse_kilobytes(&text, "RssAnon:"))
}

/// The least any group of the process leaves, its ancestors included: each has a limit of its own. `groups` is
/// `/proc/self/cgroup`, `read` gives a file's text.
fn left_of_groups(groups: &str, mount: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        // number:controllers:path; version 2 has number 0 and no controllers.
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next(), fields.next(), fields.next());
        let (Some(controllers), Some(path)) = (controllers, path) else {
            continue;
        };
        let (root, files) = if controllers.is_empty() {
            (mount.to_path_buf(), &VERSION_2)
        } else if controllers.split(',').any(|c| c == "memory") {
            (mount.join("memory"), &VERSION_1)
        } else {
            continue;
        };
        for folder in folders(&root, path) {
            let left = left_of(&folder, files, &read);
            least = match (least, left) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    least
}

/// The folders of the group at `path` and of everything above it, down to `root` itself. In a container the path
/// may name a place outside of what is mounted; then only `root` exists, and it is the group.
fn folders(root: &Path, path: &str) -> Vec<PathBuf> {
    let below = Path::new(path.trim_start_matches('/'));
    let inside = below
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    let below = if inside { below } else { Path::new("") };
    below.ancestors().map(|above| root.join(above)).collect()
}

/// How a version names its files.
struct Files {
    limit: &'static str,
    used: &'static str,
    /// Entries of `memory.stat` that are page cache the kernel gives back when memory is wanted.
    cache: [&'static str; 2],
}

const VERSION_2: Files = Files {
    limit: "memory.max",
    used: "memory.current",
    cache: ["inactive_file", "active_file"],
};
const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: ["total_inactive_file", "total_active_file"],
};

/// What one group leaves of its limit; `None` without a limit.
fn left_of(folder: &Path, files: &Files, read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let number = |file: &str| read(&folder.join(file))?.trim().parse::<u64>().ok();
    let limit = number(files.limit).filter(|n| *n < NO_LIMIT_V1)?;
    let used = number(files.used)?;
    let stat = read(&folder.join("memory.stat")).unwrap_or_default();
    Some(limit.saturating_sub(used.saturating_sub(parse_cache(&stat, files.cache))))
}

/// The sum of `entries` of a `memory.stat`, in bytes.
fn parse_cache(stat: &str, entries: [&str; 2]) -> u64 {
    let values = stat.lines().filter_map(|line| line.split_once(' '));
    values
        .filter(|(name, _)| entries.contains(name))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}

/// `MemAvailable` of proc(5), in bytes.
fn parse_meminfo(text: &str) -> Option<u64> {
    parse_kilobytes(text, "MemAvailable:")
}

/// The number behind `name` in a table of proc(5), in bytes.
fn parse_kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        left_of_groups(groups, Path::new("/cg"), |path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn available_memory_is_read_from_the_kernels_table() {
        let text = "MemTotal:       100 kB\nMemAvailable:    64 kB\n";
        assert_eq!(parse_meminfo(text), Some(65536));
        assert_eq!(parse_meminfo("MemTotal: 1 kB"), None);
    }

    #[test]
    fn a_part_of_what_is_free_stays_free() {
        assert_eq!(without_headroom(16 << 30), 15 << 30);
        assert_eq!(without_headroom(64 << 30), 63 << 30);
        assert_eq!(without_headroom(1 << 30), (1 << 30) - (128 << 20));
        assert_eq!(without_headroom(1), 0);
        assert!(anonymous_bytes().is_none_or(|n| n > 0));
    }

    #[test]
    fn the_narrowest_group_above_the_process_counts() {
        let files = [
            ("/cg/a/b/memory.max", "max\n"),
            ("/cg/a/b/memory.current", "10\n"),
            ("/cg/a/memory.max", "1000\n"),
            ("/cg/a/memory.current", "400\n"),
            ("/cg/memory.max", "5000\n"),
            ("/cg/memory.current", "500\n"),
        ];
        assert_eq!(left("0::/a/b\n", &files), Some(600));
        assert_eq!(left("0::/\n", &files), Some(4500));
        assert_eq!(left("0::/a/b\n", &files[..2]), None);
        assert_eq!(left("", &files), None);
    }

    #[test]
    fn page_cache_is_not_used_up() {
        let files = [
            ("/cg/memory.max", "1000"),
            ("/cg/memory.current", "900"),
            (
                "/cg/memory.stat",
                "anon 200\nfile 700\ninactive_file 300\nactive_file 350\n",
            ),
        ];
        assert_eq!(left("0::/\n", &files), Some(750));
    }

    #[test]
    fn a_path_outside_of_the_container_means_its_root() {
        let files = [("/cg/memory.max", "1000"), ("/cg/memory.current", "100")];
        assert_eq!(left("0::/../../outside\n", &files), Some(900));
        assert_eq!(left("0::/docker/0123\n", &files), Some(900));
    }

    #[test]
    fn the_first_version_is_read_by_its_own_names() {
        let groups = "12:cpu,cpuacct:/x\n5:memory:/user\n1:name=systemd:/user\n";
        let files = [
            ("/cg/memory/user/memory.limit_in_bytes", "1000\n"),
            ("/cg/memory/user/memory.usage_in_bytes", "800\n"),
            (
                "/cg/memory/user/memory.stat",
                "inactive_file 1\ntotal_inactive_file 100\ntotal_active_file 50\n",
            ),
            ("/cg/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/cg/memory/memory.usage_in_bytes", "5\n"),
        ];
        assert_eq!(left(groups, &files), Some(350));
        assert_eq!(left(groups, &files[3..]), None);
    }
}
