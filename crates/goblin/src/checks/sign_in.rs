//! Who else vouches for people: do they answer, and where do they send people back to?

use goblin_auth::oidc::Federation;
use goblin_core::checks::CheckResult;
use goblin_core::clock::Clock;
use goblin_core::status::PartState;

use super::{Finding, timed};
use crate::accounts;
use crate::config::Config;

/// One result for each provider; none where people sign in by what is kept here only.
pub(super) async fn sign_ins(config: &Config) -> Vec<CheckResult> {
    let federation = match accounts::federation(config, config.server.address, &Clock::System) {
        Ok(federation) => federation,
        Err(error) => {
            let finding = Finding::bad(
                PartState::Degraded,
                "providers cannot be set up",
                format!("{error:#}."),
                "Correct what it names.",
            );
            return vec![timed("sign_in", async { finding }).await];
        }
    };
    let mut results = Vec::new();
    for provider in &federation.providers {
        let name = format!("sign_in:{}", provider.id());
        results.push(timed(&name, of_provider(&federation, provider.id())).await);
    }
    if let Some(supabase) = &federation.supabase {
        let looked = async {
            match supabase.look().await {
                Ok(()) => Finding::ok(format!("the keys of {} are there", supabase.issuer())),
                Err(why) => Finding::bad(
                    PartState::Degraded,
                    format!("tokens of {} cannot be checked", supabase.issuer()),
                    format!("{why}."),
                    "Check SUPABASE_URL, and whether this machine reaches it.",
                ),
            }
        };
        results.push(timed("sign_in:supabase", looked).await);
    }
    results
}

async fn of_provider(federation: &Federation, id: &str) -> Finding {
    let Some(provider) = federation.find(id) else {
        return Finding::ok("none");
    };
    match provider.look().await {
        Ok(()) => Finding::ok(format!(
            "{} answers; it must know this redirect address: {}",
            provider.name(),
            provider.redirect_uri()
        )),
        Err(why) => Finding::bad(
            PartState::Degraded,
            format!("nobody can sign in at {}", provider.name()),
            format!("{why}."),
            format!(
                "Check the issuer {} and whether this machine reaches it.",
                provider.issuer()
            ),
        ),
    }
}
