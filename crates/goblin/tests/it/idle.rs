//! A server that has nothing to do uses no CPU time, whatever its threads have done before.
#![cfg(all(feature = "engine", target_os = "linux"))]

use std::hint::black_box;

use crate::process::{Running, until};
use crate::tiers::{ask_until_loaded, home_with_model, question};

/// How much a look at an idle server works itself, in clock ticks of CPU time. One thread of the server that spins would
/// get about as much meanwhile, on a busy machine as well as on a free one.
pub(crate) const YARDSTICK: u64 = 60;
/// What a server may use meanwhile for its clocks and metrics.
const NOTHING: u64 = YARDSTICK / 10;

/// CPU time of `who` in clock ticks, in user mode and in the kernel: of a process all its threads together, of
/// `thread-self` this one (fields 14 and 15 of proc_pid_stat(5)).
fn cpu_ticks(who: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{who}/stat")).unwrap();
    // The second field is a name, which may hold anything; the third begins behind it.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap());
    ticks.sum()
}

/// CPU time the server uses while this thread uses [`YARDSTICK`].
fn used_meanwhile(server: &Running) -> u64 {
    let pid = server.id().to_string();
    let before = cpu_ticks(&pid);
    let end = cpu_ticks("thread-self") + YARDSTICK;
    while cpu_ticks("thread-self") < end {
        black_box((0..100_000_u64).fold(0, |sum, n| black_box(sum ^ n)));
    }
    cpu_ticks(&pid) - before
}

/// Waits until the server computes nothing; the CPU time it took until then, in clock ticks.
pub(crate) fn until_it_sleeps(server: &Running) -> u64 {
    let pid = server.id().to_string();
    let before = cpu_ticks(&pid);
    until("all threads sleep", || {
        (used_meanwhile(server) <= NOTHING).then(|| cpu_ticks(&pid) - before)
    })
}

#[test]
fn threads_that_have_computed_sleep_when_there_is_nothing_to_do() {
    let home = home_with_model();
    let settings = [
        "engine.threads=2",
        "engine.sequences=2",
        "engine.context_tokens=1024",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let command: Vec<&str> = ["up", "--port", "0"].into_iter().chain(settings).collect();
    let server = Running::start(home.path(), &command, &[]);
    ask_until_loaded(&server, &question(false));

    // The same look sees it when it works, so that what follows means something.
    let (pid, mut asked) = (server.id().to_string(), 0);
    let before = cpu_ticks(&pid);
    until("answers use CPU time", || {
        let mut another = question(false);
        asked += 1;
        another["messages"][0]["content"] = format!("Tell me about goblin number {asked}.").into();
        let (status, answer) = server.ask("POST", "/v1/chat/completions", &[], &another.to_string());
        assert_eq!(status, 200, "{answer}");
        (cpu_ticks(&pid) - before > YARDSTICK).then_some(())
    });
    until_it_sleeps(&server);
    assert_eq!(
        server.ask("GET", "/health", &[], "").0,
        200,
        "asleep and not dead"
    );
}
