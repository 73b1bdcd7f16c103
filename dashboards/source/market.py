"""Can the market that clients see be trusted?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import Query, board, graph, number, quantiles


def build() -> Dashboard:
    return board(
        "tapecast-market",
        "Tapecast / Market quality",
        "Can the market that clients see be trusted, and where does it break?",
        [
            (
                "Now",
                [
                    number("Instruments", "short", "Known.", "max(tapecast_instruments{NODE})"),
                    number(
                        "Live",
                        "percentunit",
                        "The share of books that are right and fresh.",
                        'sum(tapecast_books{NODE,state="live"}) / sum(tapecast_books{NODE})',
                        [(None, "red"), (0.8, "orange"), (0.95, "green")],
                    ),
                    number(
                        "Resyncing",
                        "short",
                        "Books that wait for a whole one, on the worst node.",
                        'max(sum by (instance) (tapecast_books{NODE,state=~"resyncing|upstream_gap"}))',
                        [(None, "green"), (1, "orange")],
                    ),
                    number(
                        "Stale",
                        "short",
                        "Instruments that went quiet, on the worst node.",
                        'max(tapecast_books{NODE,state="stale"})',
                    ),
                    number(
                        "Halted",
                        "short",
                        "As their venue says, on the worst node.",
                        'max(tapecast_books{NODE,state="halted"})',
                    ),
                    number(
                        "Resyncs in an hour",
                        "short",
                        "Books that were lost, whatever the cause.",
                        "sum(increase(tapecast_resyncs_total{NODE}[1h]))",
                        [(None, "green"), (1, "orange")],
                    ),
                ],
            ),
            (
                "Books",
                [
                    graph(
                        "Books that are not live",
                        "short",
                        "By state and node.",
                        Query(
                            'sum by (instance, state) (tapecast_books{NODE,state!="live"})',
                            "{{instance}} {{state}}",
                        ),
                    ),
                    graph(
                        "Lost and found",
                        "ops",
                        "Books that were lost, and lost books that were right again.",
                        Query("sum(rate(tapecast_resyncs_total{NODE}[RATE]))", "lost"),
                        Query("sum(rate(tapecast_recoveries_total{NODE}[RATE]))", "found"),
                    ),
                    graph(
                        "Went quiet",
                        "ops",
                        "Instruments that became stale.",
                        Query("sum(rate(tapecast_stale_total{NODE}[RATE]))", "stale"),
                    ),
                ],
            ),
            (
                "Causes",
                [
                    graph(
                        "Why books are lost",
                        "ops",
                        "Gaps come from upstream; crossed books from a venue or a collector; `bad_record` from what could not be read.",
                        Query(
                            'sum by (outcome) (rate(tapecast_events_total{NODE,outcome=~"gap|crossed|bad_record|unusable"}[RATE]))',
                            "{{outcome}}",
                        ),
                    ),
                    graph(
                        "What was left out",
                        "ops",
                        "`stale`: had already; `waiting`: no whole book yet; `other_partition`: the instrument's home is another one.",
                        Query(
                            'sum by (outcome) (rate(tapecast_events_total{NODE,outcome=~"stale|waiting|too_old|other_partition"}[RATE]))',
                            "{{outcome}}",
                        ),
                    ),
                    graph(
                        "Trades, deltas, whole books",
                        "ops",
                        "What was applied.",
                        Query(
                            'sum by (outcome) (rate(tapecast_events_total{NODE,outcome=~"delta|snapshot|trades"}[RATE]))',
                            "{{outcome}}",
                        ),
                    ),
                ],
            ),
            (
                "Age and agreement",
                [
                    graph(
                        "From Kafka's timestamp to the poll",
                        "s",
                        "How old a record is when it is read.",
                        *quantiles("kafka", "{{instance}}"),
                    ),
                    graph(
                        "Nodes that disagree",
                        "short",
                        "Between the node with most and the node with least; 0 is right.",
                        Query(
                            "max(tapecast_instruments{NODE}) - min(tapecast_instruments{NODE})",
                            "instruments",
                        ),
                        Query(
                            'max(tapecast_books{NODE,state="live"}) - min(tapecast_books{NODE,state="live"})',
                            "live books",
                        ),
                    ),
                    graph(
                        "Kafka's own trouble",
                        "short",
                        "Topics made anew and records deleted before they were read, since the node's start.",
                        Query("tapecast_topic_resets_total{NODE}", "{{instance}} resets"),
                        Query("tapecast_retention_losses_total{NODE}", "{{instance}} losses"),
                    ),
                ],
            ),
        ],
    )
