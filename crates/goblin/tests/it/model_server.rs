//! An Ollama of a few lines on loopback: it answers every chat with `Hi` and every text with a vector.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts one that answers until the test's process ends; its address.
pub(crate) fn start() -> SocketAddr {
    start_saying("Hi")
}

/// The same with another answer, which JSON takes as it is.
pub(crate) fn start_saying(said: &'static str) -> SocketAddr {
    start_both(r#"{"models":[{"name":"m:latest","digest":"d"}]}"#, said)
}

/// The same with another list of models.
pub(crate) fn start_with(tags: &'static str) -> SocketAddr {
    start_both(tags, "Hi")
}

fn start_both(tags: &'static str, said: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up is none of this server's business.
            let _served = answer(stream, tags, said);
        }
    });
    address
}

fn answer(stream: TcpStream, tags: &str, said: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_lowercase();
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    let chat = format!(
        r#"{{"message":{{"role":"assistant","content":"{said}"}},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":1}}"#
    );
    let (status, body) = match path {
        "/api/tags" => ("200 OK", tags),
        "/api/ps" => ("200 OK", r#"{"models":[]}"#),
        "/api/version" => ("200 OK", r#"{"version":"0.17.4"}"#),
        "/api/show" => (
            "200 OK",
            r#"{"capabilities":["completion","embedding"],"model_info":{"llama.context_length":4096}}"#,
        ),
        "/api/chat" => ("200 OK", chat.as_str()),
        "/api/embed" => ("200 OK", r#"{"embeddings":[[1.0]],"prompt_eval_count":4}"#),
        _ => ("404 Not Found", r#"{"error":"not found"}"#),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    (&stream).write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes())
}
