//! A registry of our own on loopback, in both dialects, that can be told to misbehave. Plain threads, so that the
//! tests of the program use it too.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest, Sha256};

/// The checksum registries publish.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String");
            text
        })
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from(mixed % (limit as u64)).expect("below limit")
    }
}

/// What happens to the body of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// The connection ends after this many bytes of the body.
    Cut(usize),
    /// Nothing more comes after this many bytes, until the client goes.
    Stall(usize),
    /// The whole file comes, whatever range was asked for.
    NoRange,
    /// The announced length is this, and so much comes.
    Length(usize),
    /// One bit is wrong.
    Altered,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    answers: HashMap<String, VecDeque<String>>,
    troubles: VecDeque<Trouble>,
    asked: Vec<String>,
}

/// The registry. Its threads end with the process.
pub(crate) struct RegistryServer {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl RegistryServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("lock")
    }

    /// A model of `NAMESPACE/NAME` under a tag, with a licence.
    pub(crate) fn put_ollama(&self, model: &str, tag: &str, weights: &[u8], licence: &str) {
        let layer = |kind: &str, bytes: &[u8]| {
            format!(
                r#"{{"mediaType":"application/vnd.ollama.image.{kind}","digest":"sha256:{}","size":{}}}"#,
                sha256(bytes),
                bytes.len()
            )
        };
        let config = br#"{"model_format":"gguf"}"#;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
                "config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:{}","size":{}}},
                "layers":[{},{},{},{}]}}"#,
            sha256(config),
            config.len(),
            layer("model", weights),
            layer("template", b"{{ .Prompt }}"),
            layer("license", licence.as_bytes()),
            layer("params", br#"{"stop":["</s>"]}"#),
        );
        let mut state = self.state();
        for blob in [weights, licence.as_bytes()] {
            let path = format!("/v2/{model}/blobs/sha256:{}", sha256(blob));
            state.files.insert(path, blob.to_vec());
        }
        state
            .files
            .insert(format!("/v2/{model}/manifests/{tag}"), manifest.into_bytes());
    }

    /// A repository with files, as Hugging Face describes it.
    pub(crate) fn put_huggingface(&self, repository: &str, files: &[(&str, &[u8])]) {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let mut siblings = vec![r#"{"rfilename":"README.md","size":10,"blobId":"aa"}"#.to_owned()];
        let mut state = self.state();
        for (name, bytes) in files {
            siblings.push(format!(
                r#"{{"rfilename":"{name}","size":{n},"blobId":"bb","lfs":{{"sha256":"{}","size":{n},"pointerSize":134}}}}"#,
                sha256(bytes),
                n = bytes.len()
            ));
            state
                .files
                .insert(format!("/{repository}/resolve/{commit}/{name}"), bytes.to_vec());
        }
        let description = format!(
            r#"{{"id":"{repository}","sha":"{commit}","private":false,"gated":false,"tags":["gguf","license:apache-2.0"],
                "cardData":{{"license":"apache-2.0"}},"siblings":[{}]}}"#,
            siblings.join(",")
        );
        state.files.insert(
            format!("/api/models/{repository}?blobs=true"),
            description.into_bytes(),
        );
    }

    /// A file at a path.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.state().files.insert(path.to_owned(), bytes.to_vec());
    }

    /// What is said the next time this path is asked for, instead of the file.
    pub(crate) fn say_once(&self, path: &str, status: &str, headers: &str, body: &str) {
        let whole = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        self.state()
            .answers
            .entry(path.to_owned())
            .or_default()
            .push_back(whole);
    }

    /// What happens to the next bodies of large files, one after the other.
    pub(crate) fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.state().troubles.extend(troubles);
    }

    /// Heads of all requests, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

/// Path of a blob.
pub(crate) fn blob(model: &str, bytes: &[u8]) -> String {
    format!("/v2/{model}/blobs/sha256:{}", sha256(bytes))
}

/// Bodies shorter than this are descriptions and licences, which no trouble is meant for.
const LARGE: usize = 2_000;

fn answer(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().expect("clone"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let head_only = head.starts_with("HEAD ");
    let range = head.to_lowercase().lines().find_map(|l| {
        l.strip_prefix("range: bytes=")?
            .strip_suffix('-')?
            .parse::<usize>()
            .ok()
    });
    let (said, file, trouble) = {
        let mut state = state.lock().expect("lock");
        state.asked.push(head.to_lowercase());
        let said = state.answers.get_mut(&path).and_then(VecDeque::pop_front);
        let file = state.files.get(&path).cloned();
        let large = said.is_none() && file.as_ref().is_some_and(|f| f.len() >= LARGE);
        let trouble = if large { state.troubles.pop_front() } else { None };
        (said, file, trouble)
    };
    let mut stream = stream;
    // The client may go at any time.
    let _gone = match (said, file) {
        (Some(said), _) => stream.write_all(said.as_bytes()),
        (None, None) => stream.write_all(
            b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        ),
        (None, Some(file)) => send(&mut stream, file, range, trouble, head_only),
    };
    let _gone = stream.shutdown(Shutdown::Write);
    let _gone = stream.read(&mut [0; 64]);
}

fn send(
    stream: &mut TcpStream,
    mut file: Vec<u8>,
    range: Option<usize>,
    trouble: Option<Trouble>,
    head_only: bool,
) -> std::io::Result<()> {
    if let Some(Trouble::Altered) = trouble {
        let middle = file.len() / 2;
        file[middle] ^= 1;
    }
    if let Some(Trouble::Length(length)) = trouble {
        file.resize(length, b'x');
    }
    let range = range.filter(|_| !matches!(trouble, Some(Trouble::NoRange)));
    let total = file.len();
    let (status, body) = match range {
        Some(from) if from < total => ("206 Partial Content", &file[from..]),
        Some(_) => ("416 Range Not Satisfiable", &file[..0]),
        None => ("200 OK", &file[..]),
    };
    let ranged = range.map_or_else(String::new, |from| {
        format!(
            "content-range: bytes {from}-{}/{total}\r\n",
            total.saturating_sub(1)
        )
    });
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/octet-stream\r\n{ranged}content-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    match trouble {
        _ if head_only => Ok(()),
        Some(Trouble::Cut(n)) => stream.write_all(&body[..n.min(body.len())]),
        Some(Trouble::Stall(n)) => {
            stream.write_all(&body[..n.min(body.len())])?;
            let _closed = stream.read(&mut [0; 64]);
            Ok(())
        }
        _ => stream.write_all(body),
    }
}
