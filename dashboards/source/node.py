"""The inside of one node: what uses its time, memory and files."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from panels import Query, board, graph, number, quantiles


def build() -> Dashboard:
    return board(
        "tapecast-node",
        "Tapecast / Node",
        "Where a node's time, memory and files go. Choose one instance.",
        [
            (
                "Now",
                [
                    number(
                        "Ready",
                        "short",
                        "1 while it is caught up and not draining.",
                        "min(tapecast_ready{NODE})",
                        [(None, "red"), (1, "green")],
                    ),
                    number(
                        "Up for",
                        "s",
                        "Since the process started.",
                        "min(time() - process_start_time_seconds{NODE})",
                    ),
                    number("Sessions", "short", "Sessions open.", "sum(tapecast_sessions{NODE})"),
                    number(
                        "CPU",
                        "short",
                        "Cores in use.",
                        "sum(rate(process_cpu_seconds_total{NODE}[RATE]))",
                    ),
                    number(
                        "Memory",
                        "bytes",
                        "What is in RAM.",
                        "sum(process_resident_memory_bytes{NODE})",
                    ),
                    number(
                        "Files used",
                        "percentunit",
                        "Each session is an open file.",
                        "max(process_open_fds{NODE} / process_max_fds{NODE})",
                        [(None, "green"), (0.8, "orange"), (0.9, "red")],
                    ),
                ],
            ),
            (
                "Where a record's time goes",
                [
                    graph(
                        "From Kafka's timestamp to the poll",
                        "s",
                        "The producer, Kafka, the network, and clocks that differ.",
                        *quantiles("kafka", "{{instance}}"),
                    ),
                    graph(
                        "From the poll to the encoded run",
                        "s",
                        "Decoding, the book, encoding: the publisher's own work.",
                        *quantiles("apply", "{{instance}}"),
                    ),
                    graph(
                        "From the run to the system call",
                        "s",
                        "Waiting for a shard; it grows first when a core is full.",
                        *quantiles("queue", "{{instance}}"),
                    ),
                    graph(
                        "In the system call",
                        "s",
                        "The kernel's copy into the socket.",
                        *quantiles("send", "{{instance}}"),
                    ),
                    graph(
                        "Work",
                        "ops",
                        "Records in, messages encoded once, messages out.",
                        Query("sum(rate(tapecast_records_total{NODE}[RATE]))", "records read"),
                        Query(
                            "sum(rate(tapecast_encoded_messages_total{NODE}[RATE]))",
                            "messages encoded",
                        ),
                        Query(
                            "sum(rate(tapecast_messages_sent_total{NODE}[RATE]))", "messages sent"
                        ),
                    ),
                    graph(
                        "CPU",
                        "short",
                        "Cores in use. A publisher is one thread: it cannot use more than one.",
                        Query("rate(process_cpu_seconds_total{NODE}[RATE])", "{{instance}}"),
                    ),
                ],
            ),
            (
                "Memory, files, threads",
                [
                    graph(
                        "Memory",
                        "bytes",
                        "RAM of the process, and of it what the logs of recent changes hold.",
                        Query("process_resident_memory_bytes{NODE}", "{{instance}} resident"),
                        Query("tapecast_log_bytes{NODE}", "{{instance}} logs"),
                    ),
                    graph(
                        "Open files",
                        "short",
                        "Beyond the limit no session can be opened.",
                        Query("process_open_fds{NODE}", "{{instance}} open"),
                        Query("process_max_fds{NODE}", "{{instance}} limit"),
                    ),
                    graph(
                        "Threads",
                        "short",
                        "They are started once; a line that climbs is a bug.",
                        Query("process_threads{NODE}", "{{instance}}"),
                    ),
                ],
            ),
        ],
    )
