//! Mail: which server takes it, and who it comes from.

use goblin_net::{MailServer, Mailer};
use secrecy::ExposeSecret;

use crate::config::check::Reader;

impl Reader<'_> {
    /// Who sends mail; `None` when nobody does.
    pub(super) fn mail(&mut self) -> Option<Mailer> {
        let address = self.secret("mail.smtp_url")?;
        let server = match MailServer::parse(address.expose_secret()) {
            Ok(server) => server,
            Err(wrong) => {
                self.problem("mail.smtp_url", format!("{wrong}."));
                return None;
            }
        };
        if self.list("server.frontend_url").is_empty() {
            self.problem(
                "mail.smtp_url",
                "letters need an address to lead to. Set FRONTEND_URL to where people find the page, for example \
                 https://chat.example.org.",
            );
        }
        let Some(from) = self.text("mail.from") else {
            self.problem(
                "mail.from",
                "letters need a sender. Set MAIL_FROM, for example goblin@example.org.",
            );
            return None;
        };
        let roots = match self.text("mail.ca_file").map(std::fs::read).transpose() {
            Ok(roots) => roots,
            Err(error) => {
                self.problem("mail.ca_file", format!("it cannot be read: {error}."));
                return None;
            }
        };
        match Mailer::build(&server, &from, roots.as_deref()) {
            Ok(mailer) => Some(mailer),
            Err(wrong) => {
                self.problem("mail.from", format!("{wrong}."));
                None
            }
        }
    }
}
