use std::sync::Arc;
use std::time::Duration;

use super::kind::{choice, cores, duration, integer};
use super::limits::Limits;
use super::public::Public;
use super::section::section;
use super::session::Session;
use super::streams::Streams;

section! {
    Fanout in "fanout":
    /// Threads that send; they share the connections.
    fixed shards: usize = cores(), default "cores";
    /// How long messages may wait for others to be sent with them, in whole milliseconds: fewer sends,
    /// later messages. With 0 an idle shard sends at once, and batches grow with the load alone.
    fixed flush_delay: Duration = duration(Duration::ZERO, Duration::from_millis(100)), default "0s";
    /// The percentage of the time that a fully loaded shard works while its sends are below 4 KiB. While it
    /// rests, messages gather and take fewer sends. With 100 it never rests.
    fixed busy_percent: u32 = integer(10, 100), default "90";
    /// How shards send: many sessions with one io_uring system call, where available, or one system call
    /// each.
    fixed send: bool = choice(&[("batched", true), ("single", false)]), default "batched";
}

/// Settings of the fan-out; `access` and `tls` come from [`super::auth`] and [`super::tls`].
pub(super) fn settings(
    (public, limits, session, streams, fanout): (&Public, &Limits, &Session, &Streams, &Fanout),
    access: ::fanout::Access,
    tls: Option<::fanout::TlsIdentity>,
) -> ::fanout::Settings {
    ::fanout::Settings {
        listen: public.listen,
        shards: fanout.shards,
        sessions: limits.sessions,
        session: ::fanout::SessionSettings {
            streams_per_session: limits.streams_per_session,
            streams_per_request: limits.streams_per_request,
            grouped_views_per_session: limits.grouped_views_per_session,
            instruments_per_answer: limits.instruments_per_answer,
            inbound_message_bytes: limits.inbound_message_bytes,
            inbound_rate: limits.inbound_messages_per_second,
            inbound_burst: limits.inbound_burst,
            ping_interval: session.ping_interval,
            pong_timeout: session.pong_timeout,
            idle_session_timeout: limits.idle_session_timeout,
            run_bytes: streams.run_bytes_per_stream,
            ring_budget: streams.run_bytes_per_shard,
            run_bytes_for_slow: streams.run_bytes_for_slow,
            run_bytes_per_slow: streams.run_bytes_per_slow_session,
        },
        handshake_timeout: limits.handshake_timeout,
        handshake_delay: limits.handshake_delay,
        handshakes: limits.handshakes,
        send_buffer: Some(session.send_buffer_bytes),
        receive_buffer: Some(session.receive_buffer_bytes),
        not_sent: Some(session.not_sent_bytes),
        flush_delay: fanout.flush_delay,
        busy_percent: fanout.busy_percent,
        batched_sends: fanout.send,
        drain_delay: session.drain_delay,
        drain_for: session.drain_for,
        connections_per_address: limits.connections_per_address,
        connection_rate: limits.connections_per_second,
        connection_rate_per_address: limits.connections_per_second_per_address,
        http_rate_per_address: limits.http_requests_per_second_per_address,
        trusted_proxies: public.trusted_proxies.clone().unwrap_or_default(),
        tls,
        access: Arc::new(access),
    }
}
