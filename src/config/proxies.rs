//! Which proxies are trusted to name the client's address.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses and ranges: `10.0.0.0/8, 192.168.1.7, ::1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<(IpAddr, u32)>);

/// A text that is no list of addresses and ranges.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range such as 10.0.0.0/8: {0}")]
pub struct NotARange(String);

impl TrustedProxies {
    /// Whether `address` is one of them. An IPv4 address in IPv6 clothes counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, prefix)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(u128::from(network.to_bits()) << 96, u128::from(address.to_bits()) << 96, *prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same_prefix(network.to_bits(), address.to_bits(), *prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn same_prefix(left: u128, right: u128, prefix: u32) -> bool {
    (left ^ right).leading_zeros() >= prefix
}

impl FromStr for TrustedProxies {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| range(item).ok_or_else(|| NotARange(item.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn range(item: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = item.split_once('/').map_or((item, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= longest))?;
    Some((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.0.0.0/8", "10.255.0.1", true)]
    #[case("10.0.0.0/8", "11.0.0.1", false)]
    #[case("192.168.1.7", "192.168.1.7", true)]
    #[case("192.168.1.7", "192.168.1.8", false)]
    #[case("10.1.1.1, ::1", "::1", true)]
    #[case("127.0.0.1", "::ffff:127.0.0.1", true)]
    #[case("0.0.0.0/0", "8.8.8.8", true)]
    #[case("0.0.0.0/0", "2001:db8::1", false)]
    #[case("2001:db8::/32", "2001:db8:1::5", true)]
    #[case("", "127.0.0.1", false)]
    fn an_address_is_trusted_where_a_range_holds_it(
        #[case] list: TrustedProxies,
        #[case] address: IpAddr,
        #[case] trusted: bool,
    ) {
        assert_eq!(list.contains(address), trusted);
    }

    #[rstest]
    #[case("10.0.0.0/33")]
    #[case("10.0.0.0/-1")]
    #[case("proxy.example")]
    #[case("10.0.0/8")]
    fn other_texts_are_refused(#[case] list: &str) {
        assert!(list.parse::<TrustedProxies>().is_err());
    }
}
