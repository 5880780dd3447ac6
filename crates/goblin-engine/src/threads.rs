//! How many threads the engine may use: physical cores, never above what affinity and cgroup allow.

use std::collections::BTreeSet;
use std::path::Path;

/// Threads to use when none are configured: one for each physical core this process may run on, and never
/// more than the cgroup's CPU quota. llama.cpp's threads wait for each other actively, so two threads on one
/// core, or more threads than the quota, are many times slower than fewer.
pub fn default_threads() -> u32 {
    // `available_parallelism` counts logical CPUs and respects affinity and the cgroup's quota on Linux.
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = physical_cores(Path::new("/sys/devices/system/cpu"), allowed_cpus().as_ref());
    let threads = cores.map_or(allowed, |cores| cores.min(allowed)).max(1);
    u32::try_from(threads).unwrap_or(1)
}

/// The most threads a configuration may ask for: what affinity and cgroup allow.
pub fn most_threads() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(allowed).unwrap_or(1)
}

/// The CPUs this process may run on (`Cpus_allowed_list` of proc(5)); `None` where that is not known.
fn allowed_cpus() -> Option<BTreeSet<u32>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(parse_list(list))
}

/// Physical cores among `allowed`: CPUs with the same `thread_siblings_list` share one.
fn physical_cores(root: &Path, allowed: Option<&BTreeSet<u32>>) -> Option<usize> {
    let mut cores = BTreeSet::new();
    for cpu in allowed? {
        let path = root.join(format!("cpu{cpu}/topology/thread_siblings_list"));
        let siblings = std::fs::read_to_string(path).ok()?;
        cores.insert(parse_list(&siblings));
    }
    Some(cores.len()).filter(|n| *n > 0)
}

/// `0-3,8,10-11` (the kernel's list format) as a set; anything unreadable is left out.
fn parse_list(text: &str) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            // No machine has more CPUs; a damaged list must not fill the memory.
            out.extend(first..=last.min(first.saturating_add(8192)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_lists_are_read() {
        assert_eq!(parse_list("0-2,5\n"), BTreeSet::from([0, 1, 2, 5]));
        assert_eq!(parse_list(""), BTreeSet::new());
        assert_eq!(parse_list("x-3"), BTreeSet::new());
    }

    #[test]
    fn hyperthreads_share_a_core() {
        let dir = tempfile::tempdir().unwrap();
        for (cpu, siblings) in [(0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3")] {
            let topology = dir.path().join(format!("cpu{cpu}/topology"));
            std::fs::create_dir_all(&topology).unwrap();
            std::fs::write(topology.join("thread_siblings_list"), siblings).unwrap();
        }
        let all = BTreeSet::from([0, 1, 2, 3]);
        assert_eq!(physical_cores(dir.path(), Some(&all)), Some(2));
        assert_eq!(physical_cores(dir.path(), Some(&BTreeSet::from([0, 2]))), Some(1));
        assert_eq!(physical_cores(dir.path(), Some(&BTreeSet::from([9]))), None);
    }

    #[test]
    fn the_default_never_exceeds_what_is_allowed() {
        assert!((1..=most_threads()).contains(&default_threads()));
    }
}
