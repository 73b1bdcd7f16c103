use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use node::Config;

use super::broker::DemoBroker;
use super::market_sim::MarketSim;

/// The default of `public.listen` and of `tapecast tail`.
const DEFAULT_PORT: u16 = 8080;

/// Prints what there is to see, and where.
pub(super) fn show(config: &Config, broker: &DemoBroker) {
    let text = text(config.fanout.listen, config.admin, &broker.address());
    // The terminal may be gone.
    let _shown = std::io::stderr().write_all(text.as_bytes());
}

fn text(listen: SocketAddr, admin: SocketAddr, broker: &str) -> String {
    let (page, admin) = (reachable(listen), reachable(admin));
    let first = MarketSim::names().next().unwrap_or_default();
    let count = MarketSim::names().count();
    let url = if page == SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)) {
        String::new()
    } else {
        format!(" --url ws://{page}/ws")
    };
    format!(
        "\ntapecast demo: {count} simulated instruments, through an in-process Kafka ({broker})

  page       http://{page}/
  terminal   tapecast tail {first}{url}
  metrics    http://{admin}/metrics
  health     http://{admin}/healthz  http://{admin}/readyz

Press Ctrl-C to stop.\n\n"
    )
}

/// The address for a browser on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_names_addresses_that_work() {
        let usual = text(
            "127.0.0.1:8080".parse().unwrap(),
            "127.0.0.1:9464".parse().unwrap(),
            "127.0.0.1:5",
        );
        assert!(usual.contains("http://127.0.0.1:8080/\n"));
        assert!(usual.contains("tapecast tail BINANCE:BTC-USDT\n"));
        let other = text(
            "0.0.0.0:81".parse().unwrap(),
            "[::]:82".parse().unwrap(),
            "127.0.0.1:5",
        );
        assert!(other.contains("http://127.0.0.1:81/\n"));
        assert!(other.contains("--url ws://127.0.0.1:81/ws\n"));
        assert!(other.contains("http://[::1]:82/metrics\n"));
    }
}
