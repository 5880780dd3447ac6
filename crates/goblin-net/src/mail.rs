//! Letters to people, over SMTP (RFC 5321; STARTTLS of RFC 3207, or TLS from the first byte, RFC 8314).

use std::fmt;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// How long a server may take for one command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How what is sent is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    /// From the first byte.
    Tls,
    /// A server that does not offer it is sent nothing.
    StartTls,
    /// Not at all.
    Plain,
}

/// A mail server, as an operator names it. Its password is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MailServer {
    host: String,
    port: u16,
    protection: Protection,
    login: Option<(String, String)>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("protection", &self.protection)
            .finish_non_exhaustive()
    }
}

impl MailServer {
    /// Reads `smtps://USER:PASSWORD@HOST:465` (TLS from the first byte), `smtp://USER:PASSWORD@HOST:587` (STARTTLS, which
    /// the server must offer) or `smtp://HOST:25?tls=none`. User and password may be left out; special characters in
    /// them are written as %XX.
    ///
    /// # Errors
    /// A sentence with what is wrong, which does not repeat the address: it may hold a password.
    pub fn parse(address: &str) -> Result<Self, String> {
        const FORM: &str = "it must look like smtp://USER:PASSWORD@mail.example.org:587 (STARTTLS) or \
                            smtps://USER:PASSWORD@mail.example.org:465";
        let url = Url::parse(address).map_err(|_| FORM.to_owned())?;
        let host = url.host().ok_or_else(|| FORM.to_owned())?;
        let mut protection = match url.scheme() {
            "smtps" => Protection::Tls,
            "smtp" => Protection::StartTls,
            _ => return Err(FORM.to_owned()),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(FORM.to_owned());
        }
        for (name, value) in url.query_pairs() {
            protection = match (name.as_ref(), value.as_ref(), protection) {
                ("tls", "required", protection) => protection,
                ("tls", "none", Protection::StartTls) => Protection::Plain,
                _ => {
                    return Err("after `?` only tls=required, or with smtp:// tls=none, can stand".to_owned());
                }
            };
        }
        let login = login_of(&url)?;
        if login.is_some() && protection == Protection::Plain && !is_here(&host) {
            return Err(
                "with tls=none the password would travel readable by others; leave tls=none or the \
                        password out"
                    .to_owned(),
            );
        }
        let usual = if protection == Protection::Tls { 465 } else { 587 };
        Ok(Self {
            // As TLS wants it, an IPv6 address has no brackets.
            host: host.to_string().trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual),
            protection,
            login,
        })
    }

    /// Is what is sent readable by others on the way?
    pub fn is_plain(&self) -> bool {
        self.protection == Protection::Plain
    }
}

fn login_of(url: &Url) -> Result<Option<(String, String)>, String> {
    let read = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(|text| text.into_owned())
            .map_err(|_| "user and password must be UTF-8".to_owned())
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => Ok(Some((read(user)?, read(password)?))),
        _ => Err("user and password must both be there, or none of them".to_owned()),
    }
}

fn is_here(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The address it goes to.
    pub to: String,
    /// What it is about, on one line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a letter was not taken. Says nothing of whom it was for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It can never be sent as it is.
    #[error("the letter cannot be sent: {0}")]
    Unfit(&'static str),
    /// The server said no for good.
    #[error("the mail server refuses for good{}", code(*.0))]
    Refused(Option<u16>),
    /// The server said no for now, or cannot be reached.
    #[error("the mail server does not take it now: {reason}{}", code(*.status))]
    Later {
        /// What kind of trouble.
        reason: &'static str,
        /// What it answered.
        status: Option<u16>,
    },
}

fn code(status: Option<u16>) -> String {
    status
        .map(|status| format!(" (SMTP {status})"))
        .unwrap_or_default()
}

impl MailError {
    /// Is it worth another try?
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Later { .. })
    }
}

/// Sends letters by one server.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// A mailer. `from` is an address, or `Name <address>`; `roots_pem`: the certificate authorities to trust in the
    /// place of the public ones.
    ///
    /// # Errors
    /// A sentence with what is wrong.
    pub fn build(server: &MailServer, from: &str, roots_pem: Option<&[u8]>) -> Result<Self, String> {
        let from: Mailbox = from
            .parse()
            .map_err(|_| "it must be an e-mail address, or `Name <address>`".to_owned())?;
        let tls = || tls(&server.host, roots_pem);
        let tls = match server.protection {
            Protection::Tls => Tls::Wrapper(tls()?),
            Protection::StartTls => Tls::Required(tls()?),
            Protection::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .timeout(Some(TIMEOUT))
            .tls(tls);
        if let Some((user, password)) = &server.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self {
            transport: builder.build(),
            from,
        })
    }

    /// Hands a letter to the server.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let to: Mailbox = letter
            .to
            .parse()
            .map_err(|_| MailError::Unfit("its address is none"))?;
        if letter.subject.contains(['\r', '\n']) {
            return Err(MailError::Unfit("its subject has several lines"));
        }
        let body = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .multipart(body)
            .map_err(|_| MailError::Unfit("it cannot be put together"))?;
        self.transport.send(message).await.map(|_| ()).map_err(|error| {
            let status = error.status().map(u16::from);
            if error.is_permanent() {
                return MailError::Refused(status);
            }
            let reason = if error.is_timeout() {
                "it took too long"
            } else if error.is_tls() || is_of_tls(&error) {
                "TLS could not be agreed on, or its certificate is not trusted"
            } else if error.is_client() {
                "it does not offer what is needed"
            } else if status.is_some() {
                "it says so"
            } else {
                "it cannot be reached"
            };
            MailError::Later { reason, status }
        })
    }
}

/// Did the handshake fail? The library tells that as any other trouble of a connection.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_bad_data = |error: &std::io::Error| error.kind() == std::io::ErrorKind::InvalidData;
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref::<std::io::Error>().is_some_and(is_bad_data))
}

fn tls(host: &str, roots_pem: Option<&[u8]>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = roots_pem {
        let roots = Certificate::from_pem(pem).map_err(|_| "its certificates cannot be read".to_owned())?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(roots);
    }
    builder
        .build_rustls()
        .map_err(|_| "TLS cannot be set up".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_read_and_bad_ones_answered_without_repeating_them() {
        let read = |address| MailServer::parse(address).unwrap();
        let whole = read("smtp://ada%40example.org:p%3Ass@mail.example.org");
        assert_eq!((whole.host.as_str(), whole.port), ("mail.example.org", 587));
        assert_eq!(whole.protection, Protection::StartTls);
        assert_eq!(whole.login, Some(("ada@example.org".into(), "p:ss".into())));
        assert_eq!(read("smtps://mail.example.org").port, 465);
        assert_eq!(read("smtp://[::1]:2525?tls=none").host, "::1");
        assert!(read("smtp://u:p@localhost?tls=none").is_plain());
        assert!(!format!("{whole:?}").contains("p:ss"));
        for bad in [
            "smtp://u:hunter2@mail.example.org?tls=none",
            "smtps://u:hunter2@mail.example.org?tls=none",
            "smtp://u:hunter2@mail.example.org?tls=maybe",
            "smtp://u:hunter2@mail.example.org/path",
            "smtp://hunter2@mail.example.org",
            "smtp://:hunter2@mail.example.org",
            "http://u:hunter2@mail.example.org",
            "mail.example.org:25",
            "",
        ] {
            let sentence = MailServer::parse(bad).unwrap_err();
            assert!(!sentence.contains("hunter2"), "{bad}: {sentence}");
        }
    }

    #[test]
    fn senders_that_are_none_are_refused() {
        let server = MailServer::parse("smtps://mail.example.org").unwrap();
        for good in ["goblin@example.org", "Goblin <goblin@example.org>"] {
            assert!(Mailer::build(&server, good, None).is_ok(), "{good}");
        }
        for bad in ["goblin", "", "a@example.org\r\nBcc: b@example.org"] {
            assert!(Mailer::build(&server, bad, None).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn nothing_that_breaks_a_header_is_sent() {
        let server = MailServer::parse("smtp://127.0.0.1:1?tls=none").unwrap();
        let mailer = Mailer::build(&server, "goblin@example.org", None).unwrap();
        let letter = |to: &str, subject: &str| Letter {
            to: to.into(),
            subject: subject.into(),
            text: String::new(),
            html: String::new(),
        };
        for unfit in [
            letter("a@example.org\r\nBcc: b@example.org", "x"),
            letter("a@example.org, b@example.org", "x"),
            letter("a@example.org", "x\r\nBcc: b@example.org"),
        ] {
            assert!(
                matches!(mailer.send(&unfit).await, Err(MailError::Unfit(_))),
                "{unfit:?}"
            );
        }
        let away = mailer.send(&letter("a@example.org", "x")).await.unwrap_err();
        assert!(away.is_passing(), "{away}");
    }
}
