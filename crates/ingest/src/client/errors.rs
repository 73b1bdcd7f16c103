use std::sync::atomic::{AtomicU64, Ordering};

use metrics::label::BrokerError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The number of errors of a consumer's clients by kind, over all clients that it has had.
#[derive(Debug, Default)]
pub(crate) struct ClientErrors([AtomicU64; BrokerError::ALL.len()]);

impl ClientErrors {
    pub(crate) fn count(&self, error: &KafkaError) {
        let kind = match error {
            KafkaError::MessageConsumptionFatal(_) => BrokerError::Fatal,
            // A consequence of our own configuration, not an error.
            KafkaError::PartitionEOF(_) => return,
            other => other
                .rdkafka_error_code()
                .map_or(BrokerError::Other, classify),
        };
        self.0[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> [u64; BrokerError::ALL.len()] {
        std::array::from_fn(|index| self.0[index].load(Ordering::Relaxed))
    }
}

const fn classify(code: RDKafkaErrorCode) -> BrokerError {
    use RDKafkaErrorCode as Code;
    match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::NetworkException
        | Code::BrokerNotAvailable => BrokerError::Transport,
        Code::Resolve => BrokerError::Resolve,
        Code::OperationTimedOut
        | Code::MessageTimedOut
        | Code::TimedOutQueue
        | Code::RequestTimedOut => BrokerError::Timeout,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::IllegalSASLState
        | Code::UnsupportedSASLMechanism => BrokerError::Auth,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => BrokerError::Authorization,
        Code::SSL => BrokerError::Tls,
        Code::UnknownTopic
        | Code::UnknownPartition
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId => BrokerError::UnknownTopic,
        Code::UnsupportedFeature
        | Code::NotImplemented
        | Code::UnsupportedVersion
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType => BrokerError::Unsupported,
        Code::BadMessage | Code::BadCompression | Code::InvalidMessage => BrokerError::Corrupt,
        Code::Fatal => BrokerError::Fatal,
        _ => BrokerError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_counted_by_what_an_operator_does_about_it() {
        use RDKafkaErrorCode as Code;
        for (code, expected) in [
            (Code::BrokerTransportFailure, BrokerError::Transport),
            (Code::AllBrokersDown, BrokerError::Transport),
            (Code::Resolve, BrokerError::Resolve),
            (Code::OperationTimedOut, BrokerError::Timeout),
            (Code::Authentication, BrokerError::Auth),
            (Code::SaslAuthenticationFailed, BrokerError::Auth),
            (Code::TopicAuthorizationFailed, BrokerError::Authorization),
            (Code::SSL, BrokerError::Tls),
            (Code::UnknownTopicOrPartition, BrokerError::UnknownTopic),
            (Code::UnsupportedVersion, BrokerError::Unsupported),
            (Code::InvalidMessage, BrokerError::Corrupt),
            (Code::Fatal, BrokerError::Fatal),
            (Code::AutoOffsetReset, BrokerError::Other),
        ] {
            let errors = ClientErrors::default();
            errors.count(&KafkaError::Global(code));
            errors.count(&KafkaError::PartitionEOF(3));
            let mut totals = [0; BrokerError::ALL.len()];
            totals[expected as usize] = 1;
            assert_eq!(errors.totals(), totals, "{code:?}");
        }
    }
}
