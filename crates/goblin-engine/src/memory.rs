//! How much memory is free, so that a context that cannot fit is refused with numbers instead of being killed.

/// Bytes this process may still allocate: the machine's available memory, or what the cgroup leaves of its
/// limit, whichever is less. `None` where neither is known (then nothing is refused).
pub(crate) fn available_bytes() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| parse_meminfo(&text));
    let limit = read_number("/sys/fs/cgroup/memory.max");
    let used = read_number("/sys/fs/cgroup/memory.current");
    let cgroup = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
    match (machine, cgroup) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// A file that holds one number; `max` and anything else is `None`.
fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `MemAvailable` of proc(5), in bytes.
fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_from_the_kernels_table() {
        let text = "MemTotal:       100 kB\nMemAvailable:    64 kB\n";
        assert_eq!(parse_meminfo(text), Some(65536));
        assert_eq!(parse_meminfo("MemTotal: 1 kB"), None);
    }
}
