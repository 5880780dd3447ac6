//! What is spent survives a `kill -9`: the real binary, a cloud of a few lines that stops in the middle of its answer,
//! and a look at what was booked after the next start.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::process::{Running, until};

/// Speaks Chat Completions as OpenAI's API reference has it: five words, and then nothing for as long as it is asked.
fn cloud() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A client that hangs up is none of this server's business.
                let _served = answer(&stream);
            });
        }
    });
    address
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let (name, said) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = said.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if first.contains("/models") {
        let list =
            json!({"object": "list", "data": [{"id": "gpt-5", "object": "model", "owned_by": "openai"}]});
        let list = list.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        return stream.write_all(format!("{head}content-length: {}\r\n\r\n{list}", list.len()).as_bytes());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    for word in ["one", " two", " three", " four", " five"] {
        let choice =
            json!({"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": null});
        let chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": [choice],
        });
        stream.write_all(format!("data: {chunk}\n\n").as_bytes())?;
    }
    // Until the other side is no more.
    reader.read_line(&mut String::new()).map(|_| ())
}

fn get(goblin: &Running, path: &str) -> Value {
    let (status, text) = goblin.ask("GET", path, &[], "");
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Asks in a chat of its own and waits until all that was said is saved, and so what it cost until then.
fn ask(goblin: &Running) -> BufReader<TcpStream> {
    let (status, chat) = goblin.ask("POST", "/api/chats", &[], r#"{"model": "openai/gpt-5"}"#);
    assert_eq!(status, 201, "{chat}");
    let chat: Value = serde_json::from_str(&chat).unwrap();
    let turns = format!("/api/chats/{}/turns", chat["id"].as_str().unwrap());
    let (status, stream) = goblin.begin("POST", &turns, &[], r#"{"content": "count"}"#);
    assert_eq!(status, 200, "{}", goblin.logs());
    until("the answer so far is saved", || {
        let page = get(goblin, &turns);
        let answer = page["items"][0]["answer"].as_str()?.to_owned();
        answer.ends_with("five").then_some(())
    });
    stream
}

#[test]
fn what_was_spent_survives_a_kill_and_what_was_reserved_is_free_again() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("http://{}/v1", cloud());
    let environment = [
        ("OPENAI_BASE_URL", address.as_str()),
        ("OPENAI_API_KEY", "sk-canary-0001"),
    ];
    let start = || {
        let arguments = ["serve", "--port", "0", "--set", "money.budgets=everybody 5 month"];
        Running::start(home.path(), &arguments, &environment)
    };
    let budget = |goblin: &Running| {
        let budgets = get(goblin, "/api/budgets");
        let of = |field: &str| budgets["items"][0][field].as_f64().unwrap();
        (of("spent_usd"), of("reserved_usd"))
    };
    let goblin = start();
    let _first = ask(&goblin);
    // What is saved of the second was saved later than all of the first.
    let _second = ask(&goblin);
    let (spent, reserved) = budget(&goblin);
    assert!(spent == 0.0 && reserved > 0.1, "{spent} {reserved}");
    goblin.signal("KILL");
    drop(goblin);

    let goblin = start();
    let report = get(&goblin, "/api/usage?by=model");
    let item = &report["items"][0];
    assert_eq!(
        (&item["id"], &item["requests"]),
        (&json!("openai/gpt-5"), &json!(2)),
        "{report}"
    );
    assert_eq!(
        (&item["estimated"], &item["unknown_cost"]),
        (&json!(2), &json!(0)),
        "{report}"
    );
    assert!(item["completion_tokens"].as_u64().unwrap() >= 5, "{report}");
    let cost = item["cost_usd"].as_f64().unwrap();
    let (spent, reserved) = budget(&goblin);
    assert!(cost > 0.0 && (spent - cost).abs() < 1e-12, "{cost} {spent}");
    assert_eq!(reserved, 0.0);
}
