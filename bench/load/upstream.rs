//! A model server that costs nearly nothing: it gives the answers OpenAI's and Ollama's clients expect, out of memory.
//!
//! One thread for each connection, std only; `tier.sh` compiles it with `rustc -O`. What it does is decided by the
//! model's name:
//!
//! * `fast`: the whole answer at once; as a stream 23 frames (role, 20 words, finish, `[DONE]`), each its own write
//! * `paced`: the same with 5 ms before each frame
//! * `nagle`: as `paced`, on a connection that lets Nagle's algorithm hold frames back: what a stall looks like
//! * `hold`: the first word, then nothing until the client goes away
//! * `mute`: not even a status line until the client goes away
//!
//! As a real llama-server does (b11434), it closes a connection on which it streamed in OpenAI's words; Ollama's lines
//! leave theirs open.
//!
//! It listens on a port of 127.0.0.1 that the system chooses. The first line it prints is the port. After that it
//! prints a line for each request with a text `tag-NUMBER` in it: `asked NUMBER MICROSECONDS`, and for `hold` and
//! `mute`, when the client goes away, `closed NUMBER MICROSECONDS` (since 1970). It ends when its standard input does.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Words of an answer.
const WORDS: usize = 20;
/// Pause before each frame of a paced answer.
const PACE: Duration = Duration::from_millis(5);
/// Longest a connection is kept without a word from the client.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest request.
const MOST_BYTES: usize = 1 << 20;
/// Threads hold one request and one answer; 600 of them must be cheap.
const STACK: usize = 128 * 1024;

const MODELS: [&str; 5] = ["fast", "paced", "nagle", "hold", "mute"];

fn main() -> io::Result<()> {
    let slots: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1024);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    // Whoever started this holds the other end, so it cannot outlive them.
    thread::spawn(|| {
        let _ended = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let pages = Arc::new(Pages::new(slots));
    for stream in listener.incoming().flatten() {
        let pages = Arc::clone(&pages);
        let _refused = thread::Builder::new().stack_size(STACK).spawn(move || {
            let _closed = serve(stream, &pages);
        });
    }
    Ok(())
}

/// What is the same for every request, written once.
struct Pages {
    models: Vec<u8>,
    props: Vec<u8>,
    tags: Vec<u8>,
    running: Vec<u8>,
    show: Vec<u8>,
    whole: Vec<u8>,
    whole_ollama: Vec<u8>,
    frames: Vec<Vec<u8>>,
    lines: Vec<Vec<u8>>,
}

impl Pages {
    fn new(slots: usize) -> Self {
        let each = |write: fn(&str) -> String| MODELS.map(write).join(",");
        let listed = each(|m| {
            format!(
                r#"{{"id":"{m}","object":"model","created":0,"owned_by":"bench","meta":{{"n_ctx":8192,"n_ctx_train":8192}}}}"#
            )
        });
        let tags = each(|m| {
            format!(
                r#"{{"name":"{m}:latest","model":"{m}:latest","digest":"{m}","size":100000000,"details":{{"family":"llama","parameter_size":"135M","quantization_level":"Q4_1"}}}}"#
            )
        });
        let running = each(|m| {
            format!(
                r#"{{"name":"{m}:latest","model":"{m}:latest","digest":"{m}","size":100000000,"size_vram":0,"context_length":8192}}"#
            )
        });
        let text: String = (0..WORDS).map(|_| " word").collect();
        Self {
            models: page(&format!(
                r#"{{"object":"list","data":[{listed}],"goblin":{{"slots":{slots}}}}}"#
            )),
            props: page(&format!(
                r#"{{"total_slots":{slots},"default_generation_settings":{{"n_ctx":8192}},"chat_template":"{{{{ messages }}}}","build_info":"bench","endpoint_slots":false}}"#
            )),
            tags: page(&format!(r#"{{"models":[{tags}]}}"#)),
            running: page(&format!(r#"{{"models":[{running}]}}"#)),
            show: page(
                r#"{"capabilities":["completion"],"details":{"family":"llama"},"model_info":{"general.architecture":"llama","llama.context_length":8192}}"#,
            ),
            whole: page(&format!(
                r#"{{"id":"chatcmpl-0123456789","object":"chat.completion","created":1700000000,"model":"fast","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":200,"completion_tokens":{WORDS},"total_tokens":220}}}}"#
            )),
            whole_ollama: page(&format!(
                r#"{{"model":"fast","created_at":"2026-01-01T00:00:00Z","message":{{"role":"assistant","content":"{text}"}},"done":true,"done_reason":"stop","prompt_eval_count":200,"eval_count":{WORDS}}}"#
            )),
            frames: frames(),
            lines: lines(),
        }
    }
}

/// A 200 with a body of JSON.
fn page(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// One chunk of a chunked body.
fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

/// The 23 frames of a stream of OpenAI's; the last one also ends the body.
fn frames() -> Vec<Vec<u8>> {
    let frame = |delta: &str, finish: &str, usage: &str| {
        chunk(&format!(
            "data: {{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
             \"model\":\"fast\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}]{usage}}}\n\n"
        ))
    };
    let mut all = vec![frame(r#"{"role":"assistant","content":""}"#, "null", "")];
    all.extend((0..WORDS).map(|_| frame(r#"{"content":" word"}"#, "null", "")));
    let usage = format!(r#","usage":{{"prompt_tokens":200,"completion_tokens":{WORDS},"total_tokens":220}}"#);
    all.push(frame("{}", "\"stop\"", &usage));
    let mut done = chunk("data: [DONE]\n\n");
    done.extend_from_slice(b"0\r\n\r\n");
    all.push(done);
    all
}

/// The same answer in Ollama's lines.
fn lines() -> Vec<Vec<u8>> {
    let line = |content: &str, rest: &str| {
        chunk(&format!(
            "{{\"model\":\"fast\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{content}\"}},{rest}}}\n"
        ))
    };
    let mut all: Vec<Vec<u8>> = (0..WORDS).map(|_| line(" word", r#""done":false"#)).collect();
    let mut done = line(
        "",
        &format!(r#""done":true,"done_reason":"stop","prompt_eval_count":200,"eval_count":{WORDS}"#),
    );
    done.extend_from_slice(b"0\r\n\r\n");
    all.push(done);
    all
}

/// A request as far as it matters here.
struct Request {
    target: String,
    body: String,
}

impl Request {
    /// The text after `"NAME":`, without spaces.
    fn field(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("\"{name}\":"))?;
        Some(rest.trim_start())
    }

    fn model(&self) -> &str {
        let name = self.field("model").and_then(|rest| rest.strip_prefix('"'));
        let name = name
            .and_then(|rest| rest.split_once('"'))
            .map_or("", |(name, _)| name);
        name.strip_suffix(":latest").unwrap_or(name)
    }

    fn streams(&self, usual: bool) -> bool {
        self.field("stream")
            .map_or(usual, |rest| rest.starts_with("true"))
    }

    fn tag(&self) -> Option<&str> {
        let (_, rest) = self.body.split_once("tag-")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()
    }
}

fn serve(mut stream: TcpStream, pages: &Pages) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = Vec::with_capacity(8192);
    while let Some(request) = read_request(&mut stream, &mut buffer)? {
        if let Some(tag) = request.tag() {
            say("asked", tag);
        }
        match request.target.as_str() {
            "/v1/chat/completions" if request.streams(false) => {
                return stream_answer(&mut stream, &request, "text/event-stream", &pages.frames);
            }
            "/api/chat" if request.streams(true) => {
                stream_answer(&mut stream, &request, "application/x-ndjson", &pages.lines)?;
            }
            "/v1/chat/completions" | "/api/chat" if request.model() == "mute" => {
                wait_for_close(&mut stream, &request)?
            }
            "/v1/chat/completions" => stream.write_all(&pages.whole)?,
            "/api/chat" => stream.write_all(&pages.whole_ollama)?,
            "/v1/models" | "/models" => stream.write_all(&pages.models)?,
            "/props" => stream.write_all(&pages.props)?,
            "/health" => stream.write_all(&page(r#"{"status":"ok"}"#))?,
            "/tokenize" => stream.write_all(&page(r#"{"tokens":[1,2,3,4]}"#))?,
            "/apply-template" => stream.write_all(&page(r#"{"prompt":"word"}"#))?,
            "/api/version" => stream.write_all(&page(r#"{"version":"0.17.4"}"#))?,
            "/api/tags" => stream.write_all(&pages.tags)?,
            "/api/ps" => stream.write_all(&pages.running)?,
            "/api/show" => stream.write_all(&pages.show)?,
            _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
    }
    Ok(())
}

fn stream_answer(
    stream: &mut TcpStream,
    request: &Request,
    kind: &str,
    frames: &[Vec<u8>],
) -> io::Result<()> {
    let model = request.model();
    if model == "mute" {
        return wait_for_close(stream, request);
    }
    stream.set_nodelay(model != "nagle")?;
    let close = if request.target == "/api/chat" {
        ""
    } else {
        "connection: close\r\n"
    };
    let head =
        format!("HTTP/1.1 200 OK\r\n{close}content-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    if model == "hold" {
        stream.write_all(&frames[0])?;
        stream.write_all(&frames[1])?;
        return wait_for_close(stream, request);
    }
    for frame in frames {
        if model != "fast" {
            thread::sleep(PACE);
        }
        stream.write_all(frame)?;
    }
    Ok(())
}

/// Says nothing more, and notes when the client goes away. The connection is of no use after that.
fn wait_for_close(stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    let mut more = [0; 64];
    while stream.read(&mut more).is_ok_and(|n| n > 0) {}
    if let Some(tag) = request.tag() {
        say("closed", tag);
    }
    Err(io::ErrorKind::ConnectionAborted.into())
}

fn say(what: &str, tag: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{what} {tag} {}", now.as_micros());
}

/// The next request, or `None` when the client has closed. What follows it stays in `buffer`.
fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some((request, used)) = parse(buffer)? {
            buffer.drain(..used);
            return Ok(Some(request));
        }
        let mut piece = [0; 16 * 1024];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            n => buffer.extend_from_slice(&piece[..n]),
        }
    }
}

/// A whole request at the beginning of `bytes`, and how many bytes it has.
fn parse(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let bad = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let Some(head_end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if bytes.len() > MOST_BYTES {
            Err(bad("a head without an end"))
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| bad("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("");
    let mut length = 0;
    let mut in_pieces = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value
                .trim()
                .parse()
                .map_err(|_| bad("a length that is no number"))?;
        }
        in_pieces |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    if length > MOST_BYTES || bytes.len() > 2 * MOST_BYTES {
        return Err(bad("a request that is too large"));
    }
    let rest = &bytes[head_end + 4..];
    let body = if in_pieces {
        joined(rest)?
    } else {
        rest.get(..length).map(|body| (body.to_vec(), length))
    };
    Ok(body.map(|(body, used)| {
        let body = String::from_utf8_lossy(&body).into_owned();
        let target = target.split('?').next().unwrap_or("").to_owned();
        (Request { target, body }, head_end + 4 + used)
    }))
}

/// The whole body at the beginning of `bytes` that comes in chunks (RFC 9112, section 7.1), and how many bytes they are.
fn joined(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "a chunk without a size");
    let mut body = Vec::new();
    let mut at = 0;
    while let Some(line) = bytes[at..].windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&bytes[at..at + line]).map_err(|_| bad())?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| bad())?;
        let start = at + line + 2;
        // With the line's end behind it.
        let Some(chunk) = bytes.get(start..start.saturating_add(size).saturating_add(2)) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
    Ok(None)
}
