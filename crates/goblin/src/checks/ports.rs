//! The two ports goblin listens on: free, taken by a goblin, or taken by something else.

use std::net::SocketAddr;

use goblin_core::status::PartState;

use super::Finding;
use crate::client;

/// Who listens on the backend's port.
pub(super) async fn of_backend(address: SocketAddr) -> Finding {
    if let Some(finding) = unless_in_use(
        address,
        "Choose another address with HOST or another port with PORT.",
    ) {
        return finding;
    }
    match client::system_status(&client::base_url(address)).await {
        Ok(status) => Finding::ok(format!("a goblin {} is running on {address}", status.version)),
        Err(_) => Finding::bad(
            PartState::Degraded,
            format!("{address} is in use"),
            "Another program, or a goblin that does not answer here, listens on it.",
            "Stop that program, or choose another port with PORT or --port.",
        ),
    }
}

/// Who listens on the model tier's port. A backend alone does not need it.
pub(super) async fn of_tier(address: SocketAddr) -> Finding {
    let other = "Choose another address or port with tier.host and tier.port.";
    if let Some(finding) = unless_in_use(address, other) {
        return finding;
    }
    match client::is_tier(&client::base_url(address)).await {
        Ok(true) => Finding::ok(format!("a goblin model tier is running on {address}")),
        Ok(false) | Err(_) => Finding::bad(
            PartState::Degraded,
            format!("{address} is in use"),
            "Another program, or a model tier that does not answer here, listens on it; `goblin models serve` cannot.",
            "Stop that program, or choose another port with tier.port or `goblin models serve --port`, if models are \
             to be served from this machine.",
        ),
    }
}

/// What is found out without asking anybody; `None`: somebody listens there.
fn unless_in_use(address: SocketAddr, fix: &str) -> Option<Finding> {
    if address.port() == 0 {
        return Some(Finding::ok("any free one is taken"));
    }
    match std::net::TcpListener::bind(address) {
        Ok(_) => Some(Finding::ok(format!("{address} is free"))),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => None,
        Err(e) => Some(Finding::bad(
            PartState::Down,
            format!("{address} cannot be listened on"),
            e.to_string(),
            fix,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_taken_by_a_stranger_is_told_from_a_free_one() {
        let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = stranger.local_addr().unwrap();
        // It hangs up on whoever asks, so the checks need not wait.
        let hang_up = std::thread::spawn(move || {
            drop(stranger.accept());
            drop(stranger.accept());
        });
        for finding in [of_backend(address).await, of_tier(address).await] {
            assert_eq!(finding.state, PartState::Degraded, "{finding}");
            assert!(finding.to_string().contains("Another program"), "{finding}");
        }
        hang_up.join().unwrap();
        for finding in [of_backend(address).await, of_tier(address).await] {
            assert_eq!(finding.state, PartState::Ok, "{finding}");
            assert!(finding.to_string().ends_with("is free"), "{finding}");
        }
    }
}
