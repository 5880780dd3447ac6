//! How many threads the engine may use: physical cores, never above what affinity and cgroup allow.

use std::collections::BTreeSet;
use std::path::Path;

/// Threads to use when none are configured: one for each physical core this process may run on, and never
/// more than the cgroup's CPU quota. llama.cpp's threads wait for each other actively, so two threads on one
/// core, or more threads than the quota, are many times slower than fewer.
pub fn default_threads() -> u32 {
    let allowed = allowed();
    let cores = physical_cores(Path::new("/sys/devices/system/cpu"), allowed_cpus().as_ref());
    let threads = cores.map_or(allowed, |cores| cores.min(allowed)).max(1);
    u32::try_from(threads).unwrap_or(1)
}

/// The most threads a configuration may ask for: what affinity and cgroup allow.
pub fn most_threads() -> u32 {
    u32::try_from(allowed()).unwrap_or(1)
}

/// Logical CPUs by affinity, and no more than the cgroup's quota pays for.
fn allowed() -> usize {
    // This counts by affinity everywhere, and on Linux it knows some mounts of cgroups beside the usual ones.
    let by_std = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cpu_quota(Path::new("/")).map_or(by_std, |quota| quota.min(by_std))
}

/// The CPUs this process may run on (`Cpus_allowed_list` of proc(5)); `None` where that is not known.
fn allowed_cpus() -> Option<BTreeSet<u32>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(parse_list(list))
}

/// Whole CPUs the cgroups of this process may use, at least one; `None` without a limit. The smallest limit between a
/// group and the root counts. `root` is `/` but for tests.
///
/// Sources: cgroups(7) for `/proc/self/cgroup`, the kernel's `cgroup-v2.rst` for `cpu.max`, and its `sched-bwc.rst` for
/// version 1.
fn cpu_quota(root: &Path) -> Option<usize> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let v2 = controllers.is_empty();
        if !v2 && !controllers.split(',').any(|name| name == "cpu") {
            return None;
        }
        let mount = root.join("sys/fs/cgroup").join(controllers);
        let read = if v2 { limit_of_v2 } else { limit_of_v1 };
        // In a container the names of the groups above may not be there: what is not there sets no limit.
        let inner = Path::new(group.trim_start_matches('/'));
        inner
            .ancestors()
            .filter_map(|group| read(&mount.join(group)))
            .min()
    });
    limits.min()
}

/// The limit of one group of version 2.
fn limit_of_v2(group: &Path) -> Option<usize> {
    parse_cpu_max(&std::fs::read_to_string(group.join("cpu.max")).ok()?)
}

/// The limit of one group of version 1.
fn limit_of_v1(group: &Path) -> Option<usize> {
    let read = |name| std::fs::read_to_string(group.join(name)).ok();
    whole_cpus(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?)
}

/// `QUOTA PERIOD` in microseconds, where the quota may be `max`; the period is 100,000 when it is left out.
fn parse_cpu_max(text: &str) -> Option<usize> {
    let mut fields = text.split_whitespace();
    whole_cpus(fields.next()?, fields.next().unwrap_or("100000"))
}

/// `quota` µs of CPU time in each `period` µs as whole CPUs, at least one. `max`, -1 and what cannot be read are no
/// limit.
fn whole_cpus(quota: &str, period: &str) -> Option<usize> {
    let quota: u64 = quota.trim().parse().ok()?;
    let period: u64 = period.trim().parse().ok().filter(|period| *period > 0)?;
    usize::try_from((quota / period).max(1)).ok()
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
    fn a_quota_is_rounded_down_to_whole_cpus_and_max_is_none() {
        for (text, expected) in [
            ("max 100000\n", None),
            ("max", None),
            ("400000 100000\n", Some(4)),
            ("150000 100000\n", Some(1)),
            ("199999 100000", Some(1)),
            ("250000 50000", Some(5)),
            ("20000 100000", Some(1)),
            ("300000", Some(3)),
            ("100000 0", None),
            ("-1 100000", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(parse_cpu_max(text), expected, "{text:?}");
        }
        assert_eq!(whole_cpus("-1\n", "100000\n"), None, "version 1 without a limit");
        assert_eq!(whole_cpus("200000\n", "100000\n"), Some(2));
    }

    /// A machine with these files; the quota of this process there.
    fn quota_of(files: &[(&str, &str)]) -> Option<usize> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        cpu_quota(root.path())
    }

    #[test]
    fn the_smallest_quota_of_a_group_and_those_above_it_counts() {
        let group = ("proc/self/cgroup", "0::/pods/goblin\n");
        let own = ("sys/fs/cgroup/pods/goblin/cpu.max", "600000 100000\n");
        let above = ("sys/fs/cgroup/pods/cpu.max", "300000 100000\n");
        let free = ("sys/fs/cgroup/pods/cpu.max", "max 100000\n");
        assert_eq!(quota_of(&[group, own]), Some(6));
        assert_eq!(quota_of(&[group, own, above]), Some(3));
        assert_eq!(quota_of(&[group, own, free]), Some(6));
        assert_eq!(quota_of(&[group, free]), None);
        assert_eq!(quota_of(&[group]), None);
        assert_eq!(quota_of(&[]), None, "not Linux");
    }

    #[test]
    fn a_container_that_sees_only_itself_is_limited_too() {
        let mounted = ("sys/fs/cgroup/cpu.max", "200000 100000\n");
        assert_eq!(quota_of(&[("proc/self/cgroup", "0::/\n"), mounted]), Some(2));
        let hidden = ("proc/self/cgroup", "0::/docker/0123abcd\n");
        assert_eq!(quota_of(&[hidden, mounted]), Some(2));
    }

    #[test]
    fn the_first_version_of_cgroups_is_read_where_its_controller_says_cpu() {
        let groups = (
            "proc/self/cgroup",
            "9:cpuset:/other\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/\n0::/\n",
        );
        let group = "sys/fs/cgroup/cpu,cpuacct/docker/x";
        let quota = format!("{group}/cpu.cfs_quota_us");
        let period = format!("{group}/cpu.cfs_period_us");
        let limited = [groups, (&*quota, "250000\n"), (&*period, "100000\n")];
        assert_eq!(quota_of(&limited), Some(2));
        let unlimited = [groups, (&*quota, "-1\n"), (&*period, "100000\n")];
        assert_eq!(quota_of(&unlimited), None);
        let elsewhere = ("sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "100000\n");
        assert_eq!(quota_of(&[groups, elsewhere]), None);
    }

    #[test]
    fn the_default_never_exceeds_what_is_allowed() {
        assert!((1..=most_threads()).contains(&default_threads()));
    }
}
