//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;

use crate::app::State;
use crate::config::TrustedProxies;

/// The client's address: the peer's, or, where the peer is a trusted proxy, the last address of `X-Forwarded-For` that is
/// not one. What an untrusted client writes into that header is never looked at.
pub fn client_addr(request: &HttpRequest) -> IpAddr {
    match request.app_data::<State>() {
        Some(state) => behind(request, &state.config.trusted_proxies),
        None => behind(request, &TrustedProxies::default()),
    }
}

fn behind(request: &HttpRequest, trusted: &TrustedProxies) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical());
    if !trusted.contains(peer) {
        return peer;
    }
    let headers = request.headers().get_all("x-forwarded-for");
    let hops: Vec<&str> = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        let Some(address) = parse(hop.trim()) else { break };
        client = address;
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

/// An address, with or without a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted: TrustedProxies = "10.0.0.0/8, ::1".parse().unwrap();
        let mut request = TestRequest::default().peer_addr(format!("{peer}:9").parse().unwrap());
        for value in forwarded {
            request = request.append_header(("X-Forwarded-For", *value));
        }
        behind(&request.to_http_request(), &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("192.0.2.1", &["1.1.1.1"]), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 2.2.2.2"]), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "2.2.2.2, 10.0.0.9"]), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["forged, unknown"]), "10.0.0.1");
        assert_eq!(seen("[::1]", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("[::ffff:10.0.0.1]", &["::ffff:1.1.1.1"]), "1.1.1.1");
    }
}
