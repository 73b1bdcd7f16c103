use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What went wrong between this node and its brokers: the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BrokerTrouble {
    /// A broker could not be reached, or the connection to it broke.
    Transport,
    /// The name of a broker's host could not be resolved.
    Resolve,
    /// A broker did not answer in time.
    Timeout,
    /// The broker did not accept who this node is.
    Auth,
    /// This node may not read a topic, or not use the cluster so.
    Authorization,
    /// The TLS handshake failed, such as for a certificate that is not trusted.
    Tls,
    /// The topic or partition is not there.
    UnknownTopic,
    /// The broker does not support what is asked of it.
    Unsupported,
    /// What a broker sent was damaged.
    Corrupt,
    /// The client cannot go on.
    Fatal,
    /// Anything else.
    Other,
}

impl BrokerTrouble {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them, in the order of [`Progress::troubles`](crate::Progress::troubles).
    pub const ALL: [Self; 11] = [
        Self::Transport,
        Self::Resolve,
        Self::Timeout,
        Self::Auth,
        Self::Authorization,
        Self::Tls,
        Self::UnknownTopic,
        Self::Unsupported,
        Self::Corrupt,
        Self::Fatal,
        Self::Other,
    ];

    fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::NetworkException
            | Code::BrokerNotAvailable => Self::Transport,
            Code::Resolve => Self::Resolve,
            Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut => Self::Timeout,
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::IllegalSASLState
            | Code::UnsupportedSASLMechanism => Self::Auth,
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed => Self::Authorization,
            Code::SSL => Self::Tls,
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId => Self::UnknownTopic,
            Code::UnsupportedFeature
            | Code::NotImplemented
            | Code::UnsupportedVersion
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType => Self::Unsupported,
            Code::BadMessage | Code::BadCompression | Code::InvalidMessage => Self::Corrupt,
            Code::Fatal => Self::Fatal,
            _ => Self::Other,
        }
    }
}

/// The errors of all clients of one consumer, one after the other, and of those who ask for it.
#[derive(Debug, Default)]
pub(crate) struct Troubles([AtomicU64; BrokerTrouble::COUNT]);

impl Troubles {
    pub(crate) fn count(&self, error: &KafkaError) {
        let trouble = match error {
            KafkaError::MessageConsumptionFatal(_) => BrokerTrouble::Fatal,
            // What follows on a decision of ours is none.
            KafkaError::PartitionEOF(_) => return,
            other => other
                .rdkafka_error_code()
                .map_or(BrokerTrouble::Other, BrokerTrouble::of),
        };
        self.0[trouble as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> [u64; BrokerTrouble::COUNT] {
        std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_counted_by_what_an_operator_does_about_it() {
        use RDKafkaErrorCode as Code;
        for (code, expected) in [
            (Code::BrokerTransportFailure, BrokerTrouble::Transport),
            (Code::AllBrokersDown, BrokerTrouble::Transport),
            (Code::Resolve, BrokerTrouble::Resolve),
            (Code::OperationTimedOut, BrokerTrouble::Timeout),
            (Code::Authentication, BrokerTrouble::Auth),
            (Code::SaslAuthenticationFailed, BrokerTrouble::Auth),
            (Code::TopicAuthorizationFailed, BrokerTrouble::Authorization),
            (Code::SSL, BrokerTrouble::Tls),
            (Code::UnknownTopicOrPartition, BrokerTrouble::UnknownTopic),
            (Code::UnsupportedVersion, BrokerTrouble::Unsupported),
            (Code::InvalidMessage, BrokerTrouble::Corrupt),
            (Code::Fatal, BrokerTrouble::Fatal),
            (Code::AutoOffsetReset, BrokerTrouble::Other),
        ] {
            let troubles = Troubles::default();
            troubles.count(&KafkaError::Global(code));
            troubles.count(&KafkaError::PartitionEOF(3));
            let mut totals = [0; BrokerTrouble::COUNT];
            totals[expected as usize] = 1;
            assert_eq!(troubles.totals(), totals, "{code:?}");
        }
        for (at, trouble) in BrokerTrouble::ALL.into_iter().enumerate() {
            assert_eq!(trouble as usize, at);
        }
    }
}
