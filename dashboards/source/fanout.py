"""What is sent to clients, and what happens to those that lag."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import Query, board, graph, number, quantiles


def build() -> Dashboard:
    return board(
        "tapecast-fanout",
        "Tapecast / Fan-out and slow clients",
        "What goes to clients, how well it is batched, and what happens to slow ones.",
        [
            (
                "Now",
                [
                    number("Sessions", "short", "Sessions open.", "sum(tapecast_sessions{NODE})"),
                    number(
                        "Subscriptions",
                        "short",
                        "In force.",
                        "sum(tapecast_subscriptions{NODE})",
                    ),
                    number(
                        "Streams watched",
                        "short",
                        "That at least one session subscribes to.",
                        "sum(tapecast_streams_watched{NODE})",
                    ),
                    number(
                        "Sent for one encoded",
                        "short",
                        "How often a message that was encoded once is sent.",
                        "sum(rate(tapecast_messages_sent_total{NODE}[RATE]))"
                        " / sum(rate(tapecast_encoded_messages_total{NODE}[RATE]))",
                    ),
                    number(
                        "Messages a system call",
                        "short",
                        "It rises with the load: batches are as large as the load makes them.",
                        "sum(rate(tapecast_messages_sent_total{NODE}[RATE]))"
                        " / sum(rate(tapecast_sends_total{NODE}[RATE]))",
                    ),
                    number(
                        "Falls a session and minute",
                        "short",
                        "How often a session was too slow for its stream.",
                        "60 * sum(rate(tapecast_cursors_fallen_total{NODE}[RATE]))"
                        " / clamp_min(sum(tapecast_sessions{NODE}), 1)",
                        [(None, "green"), (1, "orange"), (6, "red")],
                    ),
                ],
            ),
            (
                "Out",
                [
                    graph(
                        "Messages by channel and encoding",
                        "mps",
                        "Counted once for each session that got them.",
                        Query(
                            "sum by (channel, encoding) (rate(tapecast_messages_sent_total{NODE}[RATE])) > 0",
                            "{{channel}} {{encoding}}",
                        ),
                    ),
                    graph(
                        "Bytes by encoding",
                        "Bps",
                        "Frame heads included.",
                        Query(
                            "sum by (encoding) (rate(tapecast_bytes_sent_total{NODE}[RATE]))",
                            "{{encoding}}",
                        ),
                    ),
                    graph(
                        "Subscriptions by channel",
                        "short",
                        "In force.",
                        Query(
                            "sum by (channel) (tapecast_subscriptions{NODE})", "{{channel}}"
                        ),
                    ),
                    graph(
                        "From the run to the system call",
                        "s",
                        "Waiting for a shard.",
                        *quantiles("queue", "{{instance}}"),
                    ),
                    graph(
                        "In the system call",
                        "s",
                        "The kernel's copy into the socket.",
                        *quantiles("send", "{{instance}}"),
                    ),
                    graph(
                        "System calls",
                        "ops",
                        "A short one met a full socket: the client or the network is slower than the stream.",
                        Query("sum(rate(tapecast_sends_total{NODE}[RATE]))", "sends"),
                        Query("sum(rate(tapecast_sends_short_total{NODE}[RATE]))", "short"),
                    ),
                    graph(
                        "Runs",
                        "ops",
                        "Runs of frames handed to shards, and heartbeats of quiet streams.",
                        Query("sum(rate(tapecast_runs_total{NODE}[RATE]))", "runs"),
                        Query("sum(rate(tapecast_heartbeats_total{NODE}[RATE]))", "heartbeats"),
                    ),
                ],
            ),
            (
                "Slow clients",
                [
                    graph(
                        "Falls",
                        "ops",
                        "Cursors of slow sessions that fell off their stream's run buffer, and sessions closed for it, as they had chosen.",
                        Query("sum(rate(tapecast_cursors_fallen_total{NODE}[RATE]))", "fallen"),
                        Query(
                            "sum(rate(tapecast_slow_disconnects_total{NODE}[RATE]))", "disconnect"
                        ),
                    ),
                    graph(
                        "Catch-ups",
                        "ops",
                        "By an exact net change, by a snapshot, or by skipping trades. They cost the publisher time: many of them delay everybody.",
                        Query(
                            "sum by (kind) (rate(tapecast_catch_ups_total{NODE}[RATE]))", "{{kind}}"
                        ),
                    ),
                    graph(
                        "Falls by node",
                        "ops",
                        "One node alone has a slow network; all of them have clients that are slow.",
                        Query(
                            "sum by (instance) (rate(tapecast_cursors_fallen_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            (
                "Joining and leaving",
                [
                    graph(
                        "Joins",
                        "ops",
                        "With a snapshot, and by resuming.",
                        Query("sum(rate(tapecast_joins_total{NODE}[RATE]))", "snapshot"),
                        Query("sum(rate(tapecast_joins_resumed_total{NODE}[RATE]))", "resumed"),
                        Query(
                            "sum(rate(tapecast_snapshots_sent_total{NODE}[RATE]))",
                            "snapshots sent",
                        ),
                    ),
                    graph(
                        "Resumes",
                        "ops",
                        "`resumed`, or why it became a snapshot.",
                        Query(
                            "sum by (outcome) (rate(tapecast_resumes_total{NODE}[RATE]))",
                            "{{outcome}}",
                        ),
                    ),
                    graph(
                        "Sessions closed",
                        "ops",
                        "By reason.",
                        Query(
                            "sum by (reason) (rate(tapecast_sessions_closed_total{NODE}[RATE]))",
                            "{{reason}}",
                        ),
                    ),
                    graph(
                        "Requests",
                        "ops",
                        "Messages from clients, answers, and errors in answers.",
                        Query(
                            "sum(rate(tapecast_messages_received_total{NODE}[RATE]))", "received"
                        ),
                        Query("sum(rate(tapecast_answers_sent_total{NODE}[RATE]))", "answers"),
                        Query(
                            "sum by (code) (rate(tapecast_request_errors_total{NODE}[RATE]))",
                            "{{code}}",
                        ),
                    ),
                    graph(
                        "Pings",
                        "ops",
                        "And sessions that did not answer one, or sent too much.",
                        Query("sum(rate(tapecast_pings_total{NODE}[RATE]))", "pings"),
                        Query(
                            "sum(rate(tapecast_heartbeat_failures_total{NODE}[RATE]))",
                            "not answered",
                        ),
                        Query("sum(rate(tapecast_rate_limited_total{NODE}[RATE]))", "sent too much"),
                    ),
                    graph(
                        "From clients",
                        "Bps",
                        "Bytes received.",
                        Query("sum(rate(tapecast_bytes_received_total{NODE}[RATE]))", "received"),
                    ),
                ],
            ),
        ],
    )
