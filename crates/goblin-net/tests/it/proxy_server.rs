//! Proxies that say what they were asked for. Wherever a name should lead, they connect to one server on loopback.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::raw_server::soon;

/// A proxy that runs as long as the test.
pub(crate) struct ProxyServer {
    /// `host:port`.
    pub(crate) address: String,
    asked: mpsc::UnboundedReceiver<String>,
}

impl ProxyServer {
    /// What it was asked for next.
    pub(crate) async fn asked(&mut self) -> String {
        soon(self.asked.recv()).await.unwrap()
    }

    /// Was it asked for nothing more?
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

/// How a proxy behaves.
#[derive(Clone)]
pub(crate) struct Behaviour {
    /// Where every connection leads.
    pub(crate) to: SocketAddr,
    /// `user:password` it wants.
    pub(crate) login: Option<&'static str>,
    /// It is an HTTP proxy that refuses every target.
    pub(crate) refuses: bool,
    /// It is reached over TLS.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Behaviour {
    pub(crate) fn to(url: &goblin_net::Url) -> Self {
        Self {
            to: url.address().parse().unwrap(),
            login: None,
            refuses: false,
            tls: None,
        }
    }
}

pub(crate) async fn http_proxy(behaviour: Behaviour) -> ProxyServer {
    start(behaviour, |stream, behaviour, told| async move {
        match behaviour.tls.clone() {
            None => http(stream, behaviour, told).await,
            Some(tls) => http(tls.accept(stream).await?, behaviour, told).await,
        }
    })
    .await
}

pub(crate) async fn socks_proxy(behaviour: Behaviour) -> ProxyServer {
    start(behaviour, socks).await
}

async fn start<F>(
    behaviour: Behaviour,
    script: impl Fn(TcpStream, Behaviour, mpsc::UnboundedSender<String>) -> F + Send + 'static,
) -> ProxyServer
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, asked) = mpsc::unbounded_channel();
    let tracker = TaskTracker::new();
    let tasks = tracker.clone();
    tracker.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tasks.spawn(script(stream, behaviour.clone(), told.clone()));
        }
    });
    ProxyServer { address, asked }
}

/// RFC 9110 §9.3.6. Tells the first line and what proves who asks.
async fn http(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    behaviour: Behaviour,
    told: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let first = head.lines().next().unwrap().to_owned();
    let shown = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.to_owned())
    });
    let _ = told.send(format!("{first} {}", shown.as_deref().unwrap_or("nobody")));
    let empty = "\r\ncontent-length: 0\r\n\r\n";
    if behaviour
        .login
        .is_some_and(|wanted| shown.as_deref() != Some(wanted))
    {
        let refusal = format!("HTTP/1.1 407 Proxy Authentication Required{empty}");
        return stream.write_all(refusal.as_bytes()).await;
    }
    if behaviour.refuses {
        return stream
            .write_all(format!("HTTP/1.1 403 Forbidden{empty}").as_bytes())
            .await;
    }
    let mut target = TcpStream::connect(behaviour.to).await?;
    if first.starts_with("CONNECT ") {
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
    } else {
        target.write_all(head.as_bytes()).await?;
    }
    copy_bidirectional(&mut stream, &mut target).await.map(drop)
}

/// RFC 1928, RFC 1929. Tells the kind of address and the address.
async fn socks(
    mut stream: TcpStream,
    behaviour: Behaviour,
    told: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let methods = {
        assert_eq!(stream.read_u8().await?, 5);
        counted(&mut stream).await?
    };
    let wanted = if behaviour.login.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        let _ = told.send("no way to prove who asks".to_owned());
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, wanted]).await?;
    if let Some(login) = behaviour.login {
        assert_eq!(stream.read_u8().await?, 1);
        let (user, password) = (counted(&mut stream).await?, counted(&mut stream).await?);
        let shown = [user, password]
            .map(|part| String::from_utf8(part).unwrap())
            .join(":");
        if shown != login {
            let _ = told.send(format!("wrong {shown}"));
            return stream.write_all(&[1, 1]).await;
        }
        stream.write_all(&[1, 0]).await?;
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut ip = [0; 4];
            stream.read_exact(&mut ip).await?;
            format!("address {}", std::net::Ipv4Addr::from(ip))
        }
        3 => format!("name {}", String::from_utf8(counted(&mut stream).await?).unwrap()),
        other => panic!("address type {other}"),
    };
    let port = stream.read_u16().await?;
    let _ = told.send(format!("{host}:{port}"));
    let mut target = TcpStream::connect(behaviour.to).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut target).await.map(drop)
}

/// Bytes after their number.
async fn counted(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
