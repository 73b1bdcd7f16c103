//! Source addresses for clients on the same machine.

use std::net::Ipv4Addr;

/// Clients of one source address. It has some 28,000 ports, of which Linux tries every other one
/// first (`__inet_hash_connect`); when those 14,000 are taken, each connect searches them all.
const CLIENTS_AN_ADDRESS: usize = 10_000;

/// The source addresses for that many clients of one process; each process has its own.
pub(crate) fn addresses(process: usize, clients: usize) -> Vec<Ipv4Addr> {
    let count = clients.div_ceil(CLIENTS_AN_ADDRESS).max(1);
    (0..count)
        .map(|number| address(process, number * CLIENTS_AN_ADDRESS))
        .collect()
}

/// The source address of one client, by its number within the process.
pub(crate) fn address(process: usize, client: usize) -> Ipv4Addr {
    let [process, number] = [process, client / CLIENTS_AN_ADDRESS].map(|at| at % 255);
    let byte = |at: usize| u8::try_from(at).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 0, byte(process), byte(number + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_clients_come_from_where_everybody_does() {
        assert_eq!(addresses(0, 0), [Ipv4Addr::LOCALHOST]);
        assert_eq!(addresses(0, CLIENTS_AN_ADDRESS), [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn no_two_processes_share_an_address_and_none_has_too_many_clients() {
        let each = 3 * CLIENTS_AN_ADDRESS;
        let mut all: Vec<_> = (0..6)
            .flat_map(|process| addresses(process, each))
            .collect();
        assert_eq!(all.len(), 18);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 18);
        let of = |client| address(2, client);
        assert_eq!(of(0), of(CLIENTS_AN_ADDRESS - 1));
        assert_ne!(of(0), of(CLIENTS_AN_ADDRESS));
    }
}
