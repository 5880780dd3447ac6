//! The roster at work: the configured roles in core words, how much memory is free for their models, and their
//! warm-up.

use std::sync::Arc;

use goblin_core::provider::{IN_PROCESS, ProviderHandle};
use goblin_core::roster::{Role, Roster, keep_alive_of};
use goblin_dispatch::Dispatch;

use crate::config::{Config, UpstreamKind};
use crate::machine;
use crate::wiring::Process;

/// Kept free beside models: the system, this process, other programs.
pub(crate) const KEPT_FREE: u64 = 512 << 20;

/// The configured roles. A model is known to a provider by its reference or by the name it has on this machine.
pub(crate) fn of(config: &Config) -> Roster {
    Roster::new(config.roster.iter().map(|role| Role {
        role: role.role.to_owned(),
        reference: role.model.to_string(),
        names: vec![role.model.to_string(), role.model.local_name()],
        keep_alive: keep_alive_of(role.keep_alive),
    }))
}

/// The roster of a process that has these providers: none where a model tier is among them, which has its own.
pub(crate) fn for_providers(config: &Config, providers: &[ProviderHandle]) -> Roster {
    let is_tier = |p: &ProviderHandle| {
        let server = config.upstream.server(&p.id);
        server.is_some_and(|s| s.kind == UpstreamKind::Goblin)
    };
    if providers.iter().any(is_tier) {
        return Roster::default();
    }
    of(config)
}

/// Does this provider keep its models in this machine's memory?
pub(crate) fn is_here(config: &Config, provider: &str) -> bool {
    if provider == IN_PROCESS {
        return true;
    }
    match config.upstream.server(provider) {
        Some(server) => match server.url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        },
        // Without an address it was found on this machine.
        None => provider == "ollama",
    }
}

/// Begins to bring the roster into memory, in the background, unless that is switched off. Stops with the process.
pub(crate) fn warm_up(process: &Process, dispatch: &Arc<Dispatch>) {
    if !process.config.tier.warm_up {
        return;
    }
    let config = Arc::clone(&process.config);
    let free = Arc::new(move |provider: &str| {
        is_here(&config, provider).then(|| machine::free_memory_bytes().saturating_sub(KEPT_FREE))
    });
    let work = Arc::clone(dispatch).warm_up(free);
    let draining = process.draining.clone();
    process
        .tracker
        .spawn(async move { draining.run_until_cancelled(work).await });
}
