//! Who is let in: addresses and networks, as far as they are checked.

use std::net::IpAddr;

/// Shortest prefixes that somebody rents: shorter ones let in whole parts of the internet.
const LEAST_V4: u8 = 8;
const LEAST_V6: u8 = 16;

/// What is wrong with an address or network of an allow list, and what to do; `None`: nothing.
pub(super) fn fault(text: &str) -> Option<(String, &'static str)> {
    let form = "Write it like 203.0.113.0/24.";
    let Some((address, prefix)) = read(text.trim()) else {
        return Some((format!("`{text}` is neither an address nor a network"), form));
    };
    let least = if address.is_ipv4() { LEAST_V4 } else { LEAST_V6 };
    if prefix == 0 {
        return Some((
            format!("`{text}` is everybody"),
            "Name the ranges the backend calls from.",
        ));
    }
    if prefix < least {
        let problem =
            format!("`{text}` is a whole part of the internet; /{least} is the widest that can be meant");
        return Some((problem, "Name the ranges the backend calls from."));
    }
    if has_digits_beyond(address, prefix) {
        return Some((format!("`{text}` has digits beyond its prefix"), form));
    }
    let nobody = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    nobody.then(|| {
        (
            format!("nobody calls from `{text}`"),
            "Name the ranges the backend calls from.",
        )
    })
}

fn read(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (prefix <= most).then_some((address, prefix))
}

fn has_digits_beyond(address: IpAddr, prefix: u8) -> bool {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
        IpAddr::V6(v6) => v6.to_bits().checked_shl(prefix.into()).unwrap_or(0) != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_somebody_rents_are_fine_and_others_are_named() {
        for good in [
            "203.0.113.7",
            "203.0.113.0/24",
            "10.0.0.0/8",
            "2001:db8::/32",
            "fd00::1",
            " 10.0.0.1/32 ",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for (bad, part) in [
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("0.0.0.0/1", "part of the internet"),
            ("128.0.0.0/1", "part of the internet"),
            ("2000::/3", "part of the internet"),
            ("203.0.113.7/24", "beyond"),
            ("2001:db8::1/32", "beyond"),
            ("300.1.1.1", "neither"),
            ("203.0.113.0/33", "neither"),
            ("203.0.113.0/", "neither"),
            ("203.0.113.0/+8", "neither"),
            ("render", "neither"),
            ("", "neither"),
            ("127.0.0.1", "nobody"),
            ("0.0.0.0", "nobody"),
            ("224.0.0.0/8", "nobody"),
        ] {
            let (problem, fix) = fault(bad).unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(problem.contains(part) && fix.ends_with('.'), "{bad}: {problem}");
        }
    }
}
