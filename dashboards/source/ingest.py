"""What arrives from Kafka: how much, how late, how valid."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import Query, board, graph, number, quantiles


def build() -> Dashboard:
    return board(
        "tapecast-ingest",
        "Tapecast / Ingest and Kafka",
        "What comes from Kafka: how much, how late, how good.",
        [
            (
                "Now",
                [
                    number(
                        "Records",
                        "ops",
                        "Read, by all nodes shown.",
                        "sum(rate(tapecast_records_total{NODE}[RATE]))",
                    ),
                    number(
                        "Ingress",
                        "bps",
                        "Keys and values.",
                        "8 * sum(rate(tapecast_record_bytes_total{NODE}[RATE]))",
                    ),
                    number(
                        "Behind Kafka",
                        "s",
                        "The worst partition.",
                        "max(tapecast_consumer_lag_seconds{NODE})",
                        [(None, "green"), (1, "orange"), (5, "red")],
                    ),
                    number(
                        "Records waiting",
                        "short",
                        "Not read yet, all partitions of the worst node.",
                        "max(sum by (instance) (tapecast_consumer_lag_records{NODE}))",
                    ),
                    number(
                        "Partitions behind",
                        "short",
                        "Not caught up with since the start.",
                        "sum(tapecast_partitions_behind{NODE})",
                        [(None, "green"), (1, "orange")],
                    ),
                    number(
                        "Bad records",
                        "percentunit",
                        "The share that could not be used.",
                        'sum(rate(tapecast_records_total{NODE,outcome!~"event|nothing|tombstone"}[RATE]))'
                        " / sum(rate(tapecast_records_total{NODE}[RATE]))",
                        [(None, "green"), (0.001, "orange"), (0.01, "red")],
                    ),
                ],
            ),
            (
                "Flow",
                [
                    graph(
                        "Records by topic",
                        "ops",
                        "The ten busiest topics.",
                        Query(
                            "topk(10, sum by (topic) (rate(tapecast_records_total{NODE}[RATE])))",
                            "{{topic}}",
                        ),
                    ),
                    graph(
                        "Bytes by topic",
                        "Bps",
                        "The ten largest topics.",
                        Query(
                            "topk(10, sum by (topic) (rate(tapecast_record_bytes_total{NODE}[RATE])))",
                            "{{topic}}",
                        ),
                    ),
                    graph(
                        "What records say",
                        "ops",
                        "By what became of it.",
                        Query(
                            "sum by (outcome) (rate(tapecast_events_total{NODE}[RATE]))",
                            "{{outcome}}",
                        ),
                    ),
                    graph(
                        "Records that could not be used",
                        "ops",
                        "By topic and reason; docs/formats.md says what each format wants.",
                        Query(
                            "sum by (topic, outcome) (rate(tapecast_records_total{NODE,"
                            'outcome!~"event|nothing|tombstone"}[RATE]))',
                            "{{topic}} {{outcome}}",
                        ),
                    ),
                    graph(
                        "From the poll to the encoded run",
                        "s",
                        "The publisher's own work.",
                        *quantiles("apply", "{{instance}}"),
                    ),
                    graph(
                        "Partitions",
                        "short",
                        "That are read, and of these, not caught up with since the start.",
                        Query("tapecast_partitions_assigned{NODE}", "{{instance}} read"),
                        Query("tapecast_partitions_behind{NODE}", "{{instance}} behind"),
                    ),
                ],
            ),
            (
                "Lateness",
                [
                    graph(
                        "Behind Kafka, worst partitions",
                        "s",
                        "Age of the last record read while others wait behind it.",
                        Query(
                            "topk(10, max by (topic, partition) (tapecast_consumer_lag_seconds{NODE}))",
                            "{{topic}}/{{partition}}",
                        ),
                    ),
                    graph(
                        "Records waiting, worst partitions",
                        "short",
                        "Records that were not read yet.",
                        Query(
                            "topk(10, max by (topic, partition) (tapecast_consumer_lag_records{NODE}))",
                            "{{topic}}/{{partition}}",
                        ),
                    ),
                    graph(
                        "From Kafka's timestamp to the poll",
                        "s",
                        "The producer, Kafka, the network, and clocks that differ.",
                        *quantiles("kafka", "{{instance}}"),
                    ),
                ],
            ),
            (
                "Trouble",
                [
                    graph(
                        "Errors of brokers",
                        "ops",
                        "`auth` and `fatal` need somebody; `transport` mends itself.",
                        Query(
                            "sum by (kind) (rate(tapecast_broker_errors_total{NODE}[RATE]))",
                            "{{kind}}",
                        ),
                    ),
                    graph(
                        "Reconnects",
                        "ops",
                        "Connections to brokers that were made again.",
                        Query(
                            "sum by (instance) (rate(tapecast_broker_reconnects_total{NODE}[RATE]))",
                            "{{instance}}",
                        ),
                    ),
                    graph(
                        "Topics reset, records lost to retention",
                        "short",
                        "Since the node's start.",
                        Query("tapecast_topic_resets_total{NODE}", "{{instance}} resets"),
                        Query("tapecast_retention_losses_total{NODE}", "{{instance}} losses"),
                    ),
                ],
            ),
        ],
    )
