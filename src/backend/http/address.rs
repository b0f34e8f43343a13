//! Which addresses a request may go to.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::Uri;

/// Resolves the host of a target once, and returns its first address; none when one of them may not be
/// asked: a name that stands for both is not to be trusted.
pub(super) async fn resolve(target: &Uri) -> Result<SocketAddr, String> {
    let port = match (target.port_u16(), target.scheme_str()) {
        (Some(port), Some("http" | "https")) => port,
        (None, Some("http")) => 80,
        (None, Some("https")) => 443,
        _ => return Err(format!("`{target}` is no address of http or https")),
    };
    let host = target.host().unwrap_or_default().trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<SocketAddr> = found.map_err(|fault| format!("`{host}` cannot be resolved: {fault}"))?.collect();
    match found.iter().find_map(|address| refusal(address.ip())) {
        Some(why) => Err(format!("`{host}` may not be asked: {why}")),
        None => found.first().copied().ok_or_else(|| format!("`{host}` has no address")),
    }
}

/// Returns why an address may not be asked, if so. Metadata of clouds is at link-local addresses, and
/// hands out credentials to whoever asks from the machine.
fn refusal(ip: IpAddr) -> Option<String> {
    /// Where Amazon has its metadata for IPv6.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        v4 => v4,
    };
    let kind = match ip {
        IpAddr::V4(v4) if v4.is_link_local() => "link-local",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local",
        IpAddr::V6(METADATA) => "that of a cloud's metadata",
        // What cloud shells and Alibaba use for the same.
        IpAddr::V4(v4) if v4.octets() == [100, 100, 100, 200] => "that of a cloud's metadata",
        ip if ip.is_unspecified() => "unspecified",
        ip if ip.is_multicast() => "multicast",
        _ => return None,
    };
    Some(format!("its address {ip} is {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_asked_is_asked() {
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("93.184.215.14", true),
            ("::1", true),
            ("169.254.169.254", false),
            ("169.254.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("100.100.100.200", false),
            ("0.0.0.0", false),
            ("::", false),
            ("224.0.0.1", false),
        ] {
            let ip: IpAddr = address.parse().expect("an address");
            assert_eq!(refusal(ip).is_none(), allowed, "{address}: {:?}", refusal(ip));
        }
    }
}
