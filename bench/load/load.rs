//! A load generator for chat completions: so many connections, each asking again when it was answered. Bounded in
//! requests and in time.
//!
//! One thread for each connection, std only; `tier.sh` compiles it with `rustc -O`. Usage:
//!
//! ```text
//! load PORT PATH KEY BODY-FILE CONNECTIONS REQUESTS SECONDS PIECES [HEADER...]
//! ```
//!
//! Each connection asks once unmeasured, then all begin together. An answer must have exactly PIECES pieces of text
//! (`"content":" …`), or the run has failed. Prints one JSON object:
//!
//! * `served`: answers in all, the unmeasured included
//! * `seconds`: from the beginning of the measured part to its end
//! * `latency_us`, `first_us`: for each measured answer, from sending to its end and to its first text
//! * `gaps_us`: times between two arrivals of text in one answer
//! * `failed`: what went wrong first, or null

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer.
const MOST_BYTES: usize = 1 << 20;
/// How a piece of text looks in every dialect measured here; the empty first piece does not match.
const TEXT: &[u8] = b"\"content\":\" ";

struct Plan {
    port: u16,
    request: Vec<u8>,
    connections: usize,
    requests: usize,
    limit: Duration,
    pieces: usize,
    taken: AtomicUsize,
    start: Barrier,
}

#[derive(Default)]
struct Found {
    served: usize,
    latency_us: Vec<u128>,
    first_us: Vec<u128>,
    gaps_us: Vec<u128>,
    ended: Option<Instant>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = match read_plan(&arguments) {
        Ok(plan) => Arc::new(plan),
        Err(why) => {
            eprintln!("load PORT PATH KEY BODY-FILE CONNECTIONS REQUESTS SECONDS PIECES [HEADER...]: {why}");
            std::process::exit(2);
        }
    };
    let failed: Arc<Mutex<Option<String>>> = Arc::default();
    let threads: Vec<_> = (0..plan.connections)
        .map(|_| {
            let (plan, failed) = (Arc::clone(&plan), Arc::clone(&failed));
            thread::spawn(move || one_connection(&plan, &failed))
        })
        .collect();
    plan.start.wait();
    let began = Instant::now();
    let mut all = Found::default();
    for found in threads.into_iter().filter_map(|thread| thread.join().ok()) {
        all.served += found.served;
        all.latency_us.extend(found.latency_us);
        all.first_us.extend(found.first_us);
        all.gaps_us.extend(found.gaps_us);
        all.ended = all.ended.max(found.ended);
    }
    let seconds = all
        .ended
        .map_or(0.0, |ended| ended.duration_since(began).as_secs_f64());
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    // Debug's quoting is JSON's for what is said here: ASCII without control characters.
    let failed = failed
        .as_ref()
        .map_or("null".to_owned(), |why| format!("{why:?}"));
    println!(
        "{{\"served\":{},\"seconds\":{seconds},\"latency_us\":{:?},\"first_us\":{:?},\"gaps_us\":{:?},\"failed\":{failed}}}",
        all.served, all.latency_us, all.first_us, all.gaps_us
    );
}

fn read_plan(arguments: &[String]) -> Result<Plan, String> {
    let [
        port,
        path,
        key,
        body,
        connections,
        requests,
        seconds,
        pieces,
        headers @ ..,
    ] = arguments
    else {
        return Err("eight arguments are needed".to_owned());
    };
    let number = |text: &String| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
    let body = std::fs::read(body).map_err(|error| format!("{body}: {error}"))?;
    let connections = number(connections)?.clamp(1, 256);
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n\
         {more}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Ok(Plan {
        port: port.parse().map_err(|_| format!("{port} is no port"))?,
        request: [head.into_bytes(), body].concat(),
        connections,
        requests: number(requests)?,
        limit: Duration::from_secs_f64(seconds.parse().map_err(|_| format!("{seconds} is no number"))?),
        pieces: number(pieces)?,
        taken: AtomicUsize::new(0),
        start: Barrier::new(connections + 1),
    })
}

fn one_connection(plan: &Plan, failed: &Mutex<Option<String>>) -> Found {
    let mut found = Found::default();
    let fail = |error: io::Error| {
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert_with(|| error.to_string());
    };
    let mut stream = None;
    found.served += 1;
    let warmed_up = ask(&mut stream, plan, &mut Found::default());
    // Also one that failed comes to the start: the others wait for it.
    plan.start.wait();
    if let Err(error) = warmed_up {
        fail(error);
        return found;
    }
    let until = Instant::now() + plan.limit;
    while Instant::now() < until && plan.taken.fetch_add(1, Ordering::Relaxed) < plan.requests {
        if let Err(error) = ask(&mut stream, plan, &mut found) {
            fail(error);
            break;
        }
        found.served += 1;
    }
    found.ended = Some(Instant::now());
    found
}

fn connect(plan: &Plan) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, plan.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Asks once and reads the answer to its end. `kept` is the connection of the answer before, unless the server said that
/// it closes it: making a new one is part of the time.
fn ask(kept: &mut Option<TcpStream>, plan: &Plan, found: &mut Found) -> io::Result<()> {
    let mut answer = Vec::with_capacity(16 * 1024);
    let mut piece = [0; 64 * 1024];
    let (mut pieces, mut seen) = (0, 0);
    let (mut first, mut last): (Option<Instant>, Option<Instant>) = (None, None);
    let sent = Instant::now();
    let mut stream = kept.take().map_or_else(|| connect(plan), Ok)?;
    stream.write_all(&plan.request)?;
    loop {
        let n = stream.read(&mut piece)?;
        let now = Instant::now();
        if n == 0 || answer.len() > MOST_BYTES {
            return Err(bad("an answer without an end", &answer));
        }
        answer.extend_from_slice(&piece[..n]);
        let new = count(&answer[seen..]);
        if new > 0 {
            pieces += new;
            // What stands before the end of the last match is never looked at again.
            seen = answer.len() - (TEXT.len() - 1).min(answer.len());
            first.get_or_insert(now);
            if let Some(last) = last.replace(now) {
                found.gaps_us.push(now.duration_since(last).as_micros());
            }
        }
        if is_whole(&answer)? {
            let first = first.unwrap_or(now);
            found.latency_us.push(now.duration_since(sent).as_micros());
            found.first_us.push(first.duration_since(sent).as_micros());
            break;
        }
    }
    *kept = (!is_last(&answer)).then_some(stream);
    if pieces == plan.pieces {
        Ok(())
    } else {
        Err(bad(&format!("an answer with {pieces} pieces of text"), &answer))
    }
}

fn count(bytes: &[u8]) -> usize {
    bytes.windows(TEXT.len()).filter(|w| *w == TEXT).count()
}

/// Has all of the answer arrived? Only a 200 is one.
fn is_whole(answer: &[u8]) -> io::Result<bool> {
    let Some(head_end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = String::from_utf8_lossy(&answer[..head_end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(bad("an answer that is no 200", answer));
    }
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:"));
    Ok(match length.and_then(|text| text.trim().parse::<usize>().ok()) {
        Some(length) => answer.len() >= head_end + 4 + length,
        None => answer.ends_with(b"0\r\n\r\n"),
    })
}

/// Does the server say that it closes the connection?
fn is_last(answer: &[u8]) -> bool {
    let head = answer.split(|b| *b == b'\n').take_while(|line| line.len() > 1);
    head.map(<[u8]>::to_ascii_lowercase)
        .any(|line| line.starts_with(b"connection: close"))
}

fn bad(what: &str, answer: &[u8]) -> io::Error {
    let start: String = String::from_utf8_lossy(answer)
        .chars()
        .take(300)
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { ' ' })
        .collect();
    io::Error::other(format!("{what}: {start}"))
}
