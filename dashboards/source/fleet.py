"""All nodes at a glance: is the service there, and is it fresh?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import Query, board, graph, number


def build() -> Dashboard:
    return board(
        "tapecast-fleet",
        "Tapecast / Fleet",
        "Is the service there, is it fresh, and do its nodes agree?",
        [
            (
                "Now",
                [
                    number(
                        "Nodes ready",
                        "short",
                        "Nodes that are caught up and take sessions.",
                        "sum(tapecast_ready{NODE})",
                        [(None, "red"), (1, "green")],
                    ),
                    number("Sessions", "short", "Sessions open.", "sum(tapecast_sessions{NODE})"),
                    number(
                        "Messages",
                        "mps",
                        "Messages of streams sent, counted for each session that got them.",
                        "sum(rate(tapecast_messages_sent_total{NODE}[RATE]))",
                    ),
                    number(
                        "Egress",
                        "bps",
                        "What clients are sent, frame heads included.",
                        "8 * sum(rate(tapecast_bytes_sent_total{NODE}[RATE]))",
                    ),
                    number(
                        "Behind Kafka",
                        "s",
                        "The worst partition of the worst node.",
                        "max(tapecast_consumer_lag_seconds{NODE})",
                        [(None, "green"), (1, "orange"), (5, "red")],
                    ),
                    number(
                        "Books live",
                        "percentunit",
                        "The share of books that can be trusted and are fresh.",
                        'sum(tapecast_books{NODE,state="live"}) / sum(tapecast_books{NODE})',
                        [(None, "red"), (0.8, "orange"), (0.95, "green")],
                    ),
                ],
            ),
            (
                "Clients",
                [
                    graph(
                        "Sessions",
                        "short",
                        "A balancer that spreads well shows lines close to each other.",
                        Query("sum by (instance) (tapecast_sessions{NODE})", "{{instance}}"),
                    ),
                    graph(
                        "Messages sent",
                        "mps",
                        "Counted once for each session that got them.",
                        Query(
                            "sum by (instance) (rate(tapecast_messages_sent_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Egress",
                        "bps",
                        "Compare it with what the network card and the balancer can do.",
                        Query(
                            "8 * sum by (instance) (rate(tapecast_bytes_sent_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Sessions opened and closed",
                        "ops",
                        "A step in both at once is a reconnect storm.",
                        Query("sum(rate(tapecast_sessions_opened_total{NODE}[RATE]))", "opened"),
                        Query(
                            "sum by (reason) (rate(tapecast_sessions_closed_total{NODE}[RATE]))",
                            "closed: {{reason}}",
                        ),
                    ),
                    graph(
                        "Handshakes refused",
                        "ops",
                        "`full` and `draining` send a client to another node.",
                        Query(
                            "sum by (reason) (rate(tapecast_handshakes_refused_total{NODE}[RATE]))",
                            "{{reason}}",
                        ),
                    ),
                    graph(
                        "Slow clients caught up",
                        "ops",
                        "By an exact net change, by a snapshot, or by skipping trades.",
                        Query(
                            "sum by (instance) (rate(tapecast_catch_ups_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
            (
                "Freshness and agreement",
                [
                    graph(
                        "Behind Kafka",
                        "s",
                        "Age of the last record read while others wait behind it.",
                        Query(
                            "max by (instance) (tapecast_consumer_lag_seconds{NODE})",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Records read",
                        "ops",
                        "Every node reads everything, so the lines lie on each other.",
                        Query(
                            "sum by (instance) (rate(tapecast_records_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Instruments",
                        "short",
                        "The same on every node; another number is another configuration or start.",
                        Query("tapecast_instruments{NODE}", "{{instance}}"),
                    ),
                    graph(
                        "Ready and draining",
                        "short",
                        "1 is yes.",
                        Query("tapecast_ready{NODE}", "{{instance}} ready"),
                        Query("tapecast_draining{NODE}", "{{instance}} draining"),
                    ),
                    graph(
                        "Versions",
                        "short",
                        "Nodes by what they run; two lines for a while are an upgrade.",
                        Query(
                            "count by (version, revision) (tapecast_build_info{NODE})",
                            "{{version}} {{revision}}",
                        ),
                    ),
                    graph(
                        "CPU",
                        "short",
                        "Cores in use.",
                        Query(
                            "rate(process_cpu_seconds_total{NODE}[RATE])",
                            "{{instance}}",
                        ),
                    ),
                ],
            ),
        ],
    )
