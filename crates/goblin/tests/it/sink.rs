//! Whoever is told things over HTTP, of a few lines on loopback: it keeps what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// How it answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// With this status.
    Answers(u16),
    /// Never; the connection stays open.
    Hangs,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) path: String,
    /// All lines, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Told {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Keeps everything until the test's process ends.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                // A client that hangs up is none of this server's business.
                if let Ok(one) = read(&stream) {
                    kept.lock().unwrap().push(one);
                }
                match manner {
                    Manner::Hangs => open.push(stream),
                    Manner::Answers(status) => {
                        let head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n");
                        let _answered =
                            (&stream).write_all(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes());
                    }
                }
            }
        });
        Self { address, told }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// The bodies sent to a path.
    pub(crate) fn at(&self, path: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.path == path).collect()
    }

    /// Every span, with the name of the service that told it.
    pub(crate) fn spans(&self) -> Vec<(String, Value)> {
        let mut spans = Vec::new();
        for told in self.at("/v1/traces") {
            let body: Value = serde_json::from_slice(&told.body).unwrap();
            let of = &body["resourceSpans"][0];
            let service = attribute(&of["resource"], "service.name")["stringValue"].clone();
            let service = service.as_str().unwrap_or_default().to_owned();
            for span in of["scopeSpans"][0]["spans"].as_array().unwrap() {
                spans.push((service.clone(), span.clone()));
            }
        }
        spans
    }
}

/// An attribute of a span or a resource.
pub(crate) fn attribute(of: &Value, name: &str) -> Value {
    let all = of["attributes"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|pair| pair["key"] == name);
    found.map(|pair| pair["value"].clone()).unwrap_or_default()
}

fn read(stream: &TcpStream) -> std::io::Result<Told> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_lowercase();
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or(0);
        }
        head.push_str(&lower);
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Told {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        head,
        body,
    })
}
