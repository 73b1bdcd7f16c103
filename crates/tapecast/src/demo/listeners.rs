use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;

use node::Config;

/// Fails early if an address is taken, and replaces port 0 with a free port, so that the banner can name it.
///
/// The node's own listeners share their port among shards, so they would also share it with another running
/// node; this one does not.
pub(super) fn settle(config: &mut Config) -> anyhow::Result<()> {
    config.fanout.listen = free(config.fanout.listen, "--listen")?;
    config.admin = free(config.admin, "--admin")?;
    Ok(())
}

fn free(wanted: SocketAddr, flag: &str) -> anyhow::Result<SocketAddr> {
    TcpListener::bind(wanted)
        .and_then(|listener| listener.local_addr())
        .with_context(|| {
            format!("cannot listen on {wanted}; choose another address with {flag} HOST:PORT")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn the_error_of_a_taken_address_names_the_flag_that_changes_it() {
        let taken = TcpListener::bind(ANY).unwrap();
        let error = free(taken.local_addr().unwrap(), "--listen").unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("--listen") && text.contains("in use"),
            "{text}"
        );
    }

    #[test]
    fn any_port_becomes_a_port() {
        assert_ne!(free(ANY, "--listen").unwrap().port(), 0);
    }
}
