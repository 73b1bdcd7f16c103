//! The broker's configuration.

use std::path::Path;

/// The ports of a node that is both broker and controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    /// For clients.
    pub(super) clients: u16,
    /// For the controller.
    pub(super) controller: u16,
}

/// An additional listener that advertises another port, such as that of a proxy in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The loopback port to listen on.
    pub port: u16,
    /// The loopback port to advertise to clients.
    pub advertised: u16,
}

impl Ports {
    /// Reads them from the properties, so that a broker keeps its address across restarts.
    pub(super) fn parse(properties: &str) -> Option<Self> {
        let listeners = properties
            .lines()
            .find_map(|line| line.strip_prefix("listeners="))?;
        let mut listeners = listeners.split(',');
        let (clients, controller) = (listeners.next()?, listeners.next()?);
        let port = |listener: &str| listener.rsplit_once(':')?.1.parse().ok();
        Some(Self {
            clients: port(clients)?,
            controller: port(controller)?,
        })
    }
}

/// The broker's properties.
pub(super) fn properties(ports: Ports, listeners: &[Listener], data: &Path) -> String {
    let Ports {
        clients,
        controller,
    } = ports;
    let data = data.display();
    let each = |write: &dyn Fn(usize, &Listener) -> String| -> String {
        let listeners = listeners.iter().enumerate();
        listeners
            .map(|(number, listener)| write(number, listener))
            .collect()
    };
    let ports = each(&|number, listener| format!(",EXTRA{number}://127.0.0.1:{}", listener.port));
    let advertised =
        each(&|number, listener| format!(",EXTRA{number}://127.0.0.1:{}", listener.advertised));
    let protocols = each(&|number, _| format!(",EXTRA{number}:PLAINTEXT"));
    format!(
        "\
# Written by testkit at each start; changes are overwritten.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}{ports}
advertised.listeners=CLIENTS://127.0.0.1:{clients}{advertised}
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={data}

# One node: everything that is usually kept thrice is kept once.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
min.insync.replicas=1
num.partitions=1

# What tests do: topics come and go, records are up to 16 MiB.
auto.create.topics.enable=true
delete.topic.enable=true
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
group.initial.rebalance.delay.ms=0

# Captures carry the timestamps of the day on which they were taken, and would be past any age.
log.retention.ms=-1
# A broker that was killed reads again what it had not flushed, so little may be left unflushed.
log.flush.interval.ms=1000
log.flush.scheduler.interval.ms=1000
log.flush.offset.checkpoint.interval.ms=1000
# A controller holds a killed broker for alive this long, and until then refuses the new one.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# Small, since several run beside each other and the heap is 512 MiB; the cleaner alone would take
# 128 MiB of it.
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_keeps_its_ports() {
        let ports = Ports {
            clients: 19_092,
            controller: 20_001,
        };
        let listener = Listener {
            port: 20_002,
            advertised: 20_003,
        };
        for listeners in [&[][..], &[listener, listener][..]] {
            let properties = properties(ports, listeners, Path::new("/data"));
            assert_eq!(Ports::parse(&properties), Some(ports));
        }
        assert_eq!(Ports::parse("node.id=1\n"), None);
    }
}
