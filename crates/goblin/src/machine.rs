//! What this machine has: memory, disk, CPU.

use std::path::Path;

use sysinfo::{Disks, System};

/// Why this program cannot run on this CPU, as a sentence; `None` when it can. To be asked before anything else: the
/// C of the database and of the encryption is compiled for newer CPUs too, not only the engine.
pub(crate) fn cpu_problem() -> Option<String> {
    goblin_core::cpu::missing().map(goblin_core::cpu::sentence)
}

/// Memory this process may use, in bytes: the machine's, or its cgroup's limit where that is lower.
pub(crate) fn memory_bytes() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map(|c| c.total_memory).filter(|n| *n > 0);
    limit.map_or(system.total_memory(), |n| n.min(system.total_memory()))
}

/// Memory that further models may take now, in bytes: what the system could give without swapping, within the limit of
/// the cgroup where there is one.
pub(crate) fn free_memory_bytes() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let free = system.available_memory();
    match system.cgroup_limits().filter(|c| c.total_memory > 0) {
        Some(limit) => free.min(limit.free_memory),
        None => free,
    }
}

/// Cores this process may use.
pub(crate) fn cores() -> u32 {
    let cores = std::thread::available_parallelism();
    cores.map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// Bytes that can still be written below `path`, and the size of that disk; `None` where the system does not say.
/// A path that is not there yet counts where it would be made.
pub(crate) fn disk_bytes(path: &Path) -> Option<(u64, u64)> {
    let there = path.ancestors().find_map(|p| p.canonicalize().ok())?;
    let disks = Disks::new_with_refreshed_list();
    let disk = disks
        .iter()
        .filter(|d| there.starts_with(d.mount_point()))
        .max_by_key(|d| d.mount_point().components().count())?;
    Some((disk.available_space(), disk.total_space()))
}

/// Instructions of this CPU that the engine makes use of.
#[cfg(feature = "engine")]
#[allow(unused_mut, reason = "only some architectures have something to add")]
pub(crate) fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("AVX2", std::is_x86_feature_detected!("avx2")),
            ("FMA", std::is_x86_feature_detected!("fma")),
            ("F16C", std::is_x86_feature_detected!("f16c")),
            ("AVX-512", std::is_x86_feature_detected!("avx512f")),
        ];
        found.extend(known.into_iter().filter(|(_, has)| *has).map(|(name, _)| name));
    }
    #[cfg(target_arch = "aarch64")]
    found.push("NEON");
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_that_runs_the_tests_is_not_refused() {
        assert_eq!(cpu_problem(), None);
    }

    #[test]
    fn memory_and_disk_are_known_even_for_a_folder_that_is_not_there_yet() {
        assert!(memory_bytes() > 64 << 20);
        assert!(free_memory_bytes() <= memory_bytes() && cores() > 0);
        let dir = tempfile::tempdir().unwrap();
        let (free, total) = disk_bytes(&dir.path().join("not/yet")).unwrap();
        assert!(free <= total && total > 0);
    }
}
