//! Every key of the configuration, in the order of the documentation.
//!
//! One description drives the defaults, the messages, the proposals for unknown keys and the table
//! in `docs/configuration.md`; a test holds the example file against it.

use std::time::Duration;

use ingest::Format;

use super::key::Fallback::{None, Required, Value};
use super::key::{Key, Kind};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What a session can number; a test compares it with the fan-out's own bound.
const MOST_STREAMS: i64 = 65_535;

/// What a topic may be called.
pub(super) const TOPIC: &str =
    "1 to 249 of A-Z, a-z, 0-9, '.', '_' and '-', such as \"tapecast-checkpoints\"";
/// Where a collector may be.
pub(super) const COLLECTOR: &str =
    "a URL by http without a path, such as \"http://127.0.0.1:4318\"";
/// What a pointer of a mapping may be.
const POINTER: &str = r##"a JSON pointer into the message, such as "/data/bids", or into the record, such as "#/type"; several have spaces between"##;

/// The words of `topics[].format`.
pub(super) const FORMATS: [&str; Format::ALL.len()] = {
    let mut names = [""; Format::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Format::ALL[at].name();
        at += 1;
    }
    names
};

pub(super) const KEYS: &[Key] = &[
    // Loopback: a node is reachable from elsewhere only when somebody says so.
    Key {
        path: "public.listen",
        kind: Kind::Address,
        default: Value("127.0.0.1:8080"),
        meaning: "Where clients connect: the page, `/ws` and `/v1`.",
    },
    // None, since what has no cookies of its own has nothing that another page could misuse.
    Key {
        path: "public.origins",
        kind: Kind::Texts(
            r#"a list of origins, such as ["https://app.example", "https://*.example.com"]"#,
        ),
        default: None("all"),
        meaning: "The pages whose scripts may connect, by the `Origin` that browsers send; others are refused with HTTP 403. What sends no `Origin` is no browser.",
    },
    Key {
        path: "public.trusted_proxies",
        kind: Kind::Texts(r#"a list of IP addresses and networks, such as ["10.0.0.0/8"]"#),
        default: None("none"),
        meaning: "Balancers that begin each connection with a header of the PROXY protocol, version 2, and have to; limits and logs then see the client's address.",
    },
    // 9464 is the usual port of Prometheus exporters inside a program.
    Key {
        path: "admin.listen",
        kind: Kind::Address,
        default: Value("127.0.0.1:9464"),
        meaning: "Where operators connect: `/metrics`, `/healthz`, `/readyz`, `/status`, `POST /drain` and `POST /reload`. It has no authentication.",
    },
    Key {
        path: "kafka.brokers",
        kind: Kind::Brokers,
        default: Required,
        meaning: "The brokers to ask for all others.",
    },
    // All that is held: without a checkpoint, that alone is sure to hold every book's last whole one.
    Key {
        path: "kafka.start",
        kind: Kind::Start,
        default: Value("earliest"),
        meaning: "Where each partition is begun: at its first record, or at the first one that is at most this old.",
    },
    // One core decodes and publishes 300,000 records a second, more than most feeds have at their peak.
    Key {
        path: "kafka.threads",
        kind: Kind::Integer(1, 64),
        default: Value("1"),
        meaning: "Threads that read and publish; partitions are divided over them.",
    },
    Key {
        path: "kafka.topic_ids",
        kind: Kind::Choice(&["ask", "none"]),
        default: Value("ask"),
        meaning: "Whether brokers are asked for the UUIDs of topics, by which a topic that was made anew is noticed; `none` is for brokers before Kafka 2.8.",
    },
    // Markets are listed a few times a day; metadata of a thousand topics is 100 kB.
    Key {
        path: "kafka.discovery_interval",
        kind: Kind::Duration(Duration::from_millis(100), HOUR),
        default: Value("5s"),
        meaning: "How often new topics and partitions are looked for.",
    },
    // A broker answers each fetch within 10 ms, and a leader is elected anew in a second or two.
    Key {
        path: "kafka.lost_after",
        kind: Kind::Duration(Duration::from_secs(1), HOUR),
        default: Value("5s"),
        meaning: "When no broker has said anything for so long, the node is not ready, and lets no new sessions in until it has caught up again; those that it has stay. Longer than `fetch.wait.max.ms`, where that is set.",
    },
    // A whole book of 100,000 levels of 20 bytes a side.
    Key {
        path: "kafka.max_record_bytes",
        kind: Kind::Size(KIB, 32 * MIB),
        default: Value("4MiB"),
        meaning: "Larger records are refused and counted.",
    },
    Key {
        path: "kafka.properties",
        kind: Kind::Properties,
        default: None("none"),
        meaning: "More properties of librdkafka by name, such as those of TLS and SASL. Passwords, secrets and private keys are never shown.",
    },
    Key {
        path: "topics[].pattern",
        kind: Kind::Pattern,
        default: Required,
        meaning: "Matches whole names of topics; a topic is read as the first item says that matches it. A group named `symbol` gives the symbol of records that name none.",
    },
    Key {
        path: "topics[].format",
        kind: Kind::Choice(&FORMATS),
        default: Required,
        meaning: "How records of such topics read.",
    },
    Key {
        path: "topics[].venue",
        kind: Kind::Venue,
        default: None("the format's own, such as `BINANCE`"),
        meaning: "For a venue's own format and for `mapped`: the venue of the instruments.",
    },
    Key {
        path: "topics[].symbol",
        kind: Kind::Symbol,
        default: None("the pattern's group `symbol`"),
        meaning: "For a venue's own format and for `mapped`: the symbol of records that name none.",
    },
    Key {
        path: "topics[].mapping",
        kind: Kind::Text("the `name` of one of `[[mappings]]`"),
        default: None("none"),
        meaning: "For the format `mapped`, which needs it: how records read.",
    },
    Key {
        path: "mappings[].name",
        kind: Kind::Text("a text"),
        default: Required,
        meaning: "What `topics[].mapping` names it by.",
    },
    Key {
        path: "mappings[].envelope",
        kind: Kind::Text(r#"a JSON pointer into the record, such as "/data""#),
        default: None("the whole record"),
        meaning: "Where in the record the message is; other pointers lead on from there, those that begin with `#` from the record.",
    },
    Key {
        path: "mappings[].symbol_from",
        kind: Kind::Choice(&["value", "key", "topic"]),
        default: None("`value`"),
        meaning: "Where the symbol comes from: a field, the key of the record, or the topic, by the group `symbol` of its pattern or its `symbol`.",
    },
    Key {
        path: "mappings[].symbol",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "Where the symbol is, if it comes from the value.",
    },
    Key {
        path: "mappings[].type",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "What tells messages apart.",
    },
    Key {
        path: "mappings[].snapshot",
        kind: Kind::Texts(r#"a list of texts, such as ["snapshot"]"#),
        default: None("none"),
        meaning: "The words at `type` of a whole book; numbers, `true`, `false` and `null` are words too.",
    },
    Key {
        path: "mappings[].delta",
        kind: Kind::Texts(r#"a list of texts, such as ["update"]"#),
        default: None("none"),
        meaning: "The words of a change of a book.",
    },
    Key {
        path: "mappings[].trade",
        kind: Kind::Texts(r#"a list of texts, such as ["trade"]"#),
        default: None("none"),
        meaning: "The words of trades.",
    },
    Key {
        path: "mappings[].nothing",
        kind: Kind::Texts(r#"a list of texts, such as ["ticker"]"#),
        default: None("none"),
        meaning: "The words of what is not of interest.",
    },
    Key {
        path: "mappings[].otherwise",
        kind: Kind::Choice(&["refuse", "snapshot", "delta", "trade", "nothing"]),
        default: None("`refuse`"),
        meaning: "What a message is that has none of these words.",
    },
    Key {
        path: "mappings[].snapshots",
        kind: Kind::Choice(&["in_band", "fetched"]),
        default: None("`in_band`"),
        meaning: "Whether whole books come in the stream, or were fetched beside it, so that changes of before them come too.",
    },
    Key {
        path: "mappings[].time",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "When it happened.",
    },
    Key {
        path: "mappings[].time_unit",
        kind: Kind::Choice(&["s", "ms", "us", "ns", "date"]),
        default: None("`ms`"),
        meaning: "What times are told in: since 1970, with decimals or without, or as `2026-08-01T00:00:03.816Z`.",
    },
    Key {
        path: "mappings[].seq",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The number of a whole book or a change; without `prev_seq` and `first_seq` each change has the next one.",
    },
    Key {
        path: "mappings[].prev_seq",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The number that a change builds on.",
    },
    Key {
        path: "mappings[].first_seq",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The first number of a change that has several; it builds on the one before.",
    },
    Key {
        path: "mappings[].bids",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The bids: a list of lists or of objects, or an object of sizes by price.",
    },
    Key {
        path: "mappings[].asks",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The asks.",
    },
    Key {
        path: "mappings[].levels",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "Both sides in one list, in place of `bids` and `asks`.",
    },
    Key {
        path: "mappings[].level_price",
        kind: Kind::Text(r#"one step into a level, such as "/0" or "/price""#),
        default: None("`/0`"),
        meaning: "The price in a level.",
    },
    Key {
        path: "mappings[].level_size",
        kind: Kind::Text(r#"one step into a level, such as "/1" or "/size""#),
        default: None("`/1`"),
        meaning: "The size in a level; 0 deletes it.",
    },
    Key {
        path: "mappings[].level_side",
        kind: Kind::Text(r#"one step into a level, such as "/side""#),
        default: None("none"),
        meaning: "The side in a level of `levels`.",
    },
    Key {
        path: "mappings[].bid",
        kind: Kind::Texts(r#"a list of texts, such as ["bid"]"#),
        default: None("none"),
        meaning: "The words at `level_side` of a bid.",
    },
    Key {
        path: "mappings[].ask",
        kind: Kind::Texts(r#"a list of texts, such as ["ask"]"#),
        default: None("none"),
        meaning: "The words of an ask.",
    },
    Key {
        path: "mappings[].trades",
        kind: Kind::Text(POINTER),
        default: None("the message is one"),
        meaning: "A list of trades; the pointers below lead on from each.",
    },
    Key {
        path: "mappings[].trade_price",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "The price of a trade.",
    },
    Key {
        path: "mappings[].trade_size",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "Its size.",
    },
    Key {
        path: "mappings[].trade_side",
        kind: Kind::Text(POINTER),
        default: None("unknown"),
        meaning: "Who took.",
    },
    Key {
        path: "mappings[].trade_id",
        kind: Kind::Text(POINTER),
        default: None("none"),
        meaning: "Its identifier.",
    },
    Key {
        path: "mappings[].trade_time",
        kind: Kind::Text(POINTER),
        default: None("`time`"),
        meaning: "When it happened; of several, the last counts.",
    },
    Key {
        path: "mappings[].buy",
        kind: Kind::Texts(r#"a list of texts, such as ["buy"]"#),
        default: None("none"),
        meaning: "The words at `trade_side` for a taker who bought.",
    },
    Key {
        path: "mappings[].sell",
        kind: Kind::Texts(r#"a list of texts, such as ["sell"]"#),
        default: None("none"),
        meaning: "The words for a taker who sold.",
    },
    Key {
        path: "instruments.unknown",
        kind: Kind::Choice(&["accept", "refuse"]),
        default: Value("accept"),
        meaning: "What happens to instruments that no rule matches.",
    },
    // Twice the instruments of the largest aggregators; at 300 bytes each without a book, 60 MB.
    Key {
        path: "instruments.max",
        kind: Kind::Integer(1, 1_000_000),
        default: Value("200000"),
        meaning: "How many instruments the node may have; records of further ones are refused and counted.",
    },
    // Eight decimals, what most venues quote at the most.
    Key {
        path: "instruments.price_exponent",
        kind: Kind::Integer(-18, 9),
        default: Value("-8"),
        meaning: "A price is an integer times ten to this, where no rule says otherwise.",
    },
    Key {
        path: "instruments.size_exponent",
        kind: Kind::Integer(-18, 9),
        default: Value("-8"),
        meaning: "A size is an integer times ten to this, where no rule says otherwise.",
    },
    // Liquid books change every second; quiet ones are quiet for minutes, and STALE harms nobody.
    Key {
        path: "instruments.stale_after",
        kind: Kind::DurationOrOff(SECOND, DAY),
        default: Value("30s"),
        meaning: "An instrument without records for so long is `STALE`.",
    },
    Key {
        path: "instruments.rules[].match",
        kind: Kind::Match,
        default: Required,
        meaning: "Which instruments the rule is for. The first rule that matches counts, alone.",
    },
    Key {
        path: "instruments.rules[].price_exponent",
        kind: Kind::Integer(-18, 9),
        default: None("`instruments.price_exponent`"),
        meaning: "A price is an integer times ten to this. A change begins a new epoch.",
    },
    Key {
        path: "instruments.rules[].size_exponent",
        kind: Kind::Integer(-18, 9),
        default: None("`instruments.size_exponent`"),
        meaning: "A size is an integer times ten to this. A change begins a new epoch.",
    },
    Key {
        path: "instruments.rules[].aliases",
        kind: Kind::Symbols,
        default: None("none"),
        meaning: "The venue's own symbols that mean this instrument; only where `match` is one instrument.",
    },
    Key {
        path: "instruments.rules[].tick_size",
        kind: Kind::Decimal,
        default: None("not told"),
        meaning: "The smallest step of prices, which clients are told.",
    },
    Key {
        path: "instruments.rules[].lot_size",
        kind: Kind::Decimal,
        default: None("not told"),
        meaning: "The smallest step of sizes, which clients are told.",
    },
    Key {
        path: "lists[].name",
        kind: Kind::Text(r#"1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.', such as "majors""#),
        default: Required,
        meaning: "What clients call the list: `list:NAME` in the place of a symbol.",
    },
    Key {
        path: "lists[].instruments",
        kind: Kind::Texts(r#"a list of VENUE:SYMBOL and texts with '*', such as ["BINANCE:*"]"#),
        default: Required,
        meaning: "The instruments that it means.",
    },
    // 20,000 sessions of 4 KiB and of full sockets of 128 KiB are 2.6 GB at the very worst.
    Key {
        path: "limits.sessions",
        kind: Kind::Integer(1, 1_000_000),
        default: Value("20000"),
        meaning: "Sessions at a time; further ones are refused with HTTP 503. Fewer where the process may not open so many files.",
    },
    // A silent one costs some 4 KiB. At 20,000 new connections a second each still has 100 ms to send
    // its request before it is the oldest.
    Key {
        path: "limits.handshakes",
        kind: Kind::Integer(16, 65_536),
        default: Value("2048"),
        meaning: "Connections at a time that are not sessions: handshakes, and clients that load the page or use `/v1`. Beyond that, one of them is closed for each newcomer, first those that wait for their next request or are silent. Fewer where the process may not open so many files.",
    },
    // Off: many clients behind one address are as usual as one client with many connections.
    Key {
        path: "limits.connections_per_address",
        kind: Kind::IntegerOrOff(1, 1_000_000),
        default: Value("off"),
        meaning: "Connections of one address, or of one /64 of IPv6, at a time; further ones are refused with HTTP 429, or closed where TLS is on.",
    },
    Key {
        path: "limits.connections_per_second",
        kind: Kind::IntegerOrOff(1, 1_000_000),
        default: Value("off"),
        meaning: "New connections a second in the long run, and five times as many at once after a pause; further ones are refused likewise.",
    },
    Key {
        path: "limits.connections_per_second_per_address",
        kind: Kind::IntegerOrOff(1, 100_000),
        default: Value("off"),
        meaning: "The same for one address, or one /64 of IPv6.",
    },
    // Fifty whole books a second of 5,000 levels a side are about a fiftieth of a publisher's time.
    Key {
        path: "limits.http_requests_per_second_per_address",
        kind: Kind::IntegerOrOff(1, 100_000),
        default: Value("100"),
        meaning: "Requests a second under `/v1` that one address, or one /64 of IPv6, may make in the long run, and five times as many at once after a pause; further requests are rejected with HTTP 429. A full book or one with `group` counts as 2, a list as 1 plus 1 for every 250 of its `limit`. Behind a balancer that does not send the PROXY protocol, all clients share one address.",
    },
    // What Binance allows, so that its users can move over. A session numbers its streams in 16 bits,
    // and one of the numbers means none.
    Key {
        path: "limits.streams_per_session",
        kind: Kind::Integer(1, MOST_STREAMS),
        default: Value("1024"),
        meaning: "Streams that a session may have; further ones are refused with `too_many_streams`.",
    },
    // Its answer has less than 64 KiB in JSON.
    Key {
        path: "limits.streams_per_request",
        kind: Kind::Integer(1, MOST_STREAMS),
        default: Value("100"),
        meaning: "Streams that the wildcards and lists of one request may subscribe to, change or end, and one less for every two that a `subscribe` names, down to a quarter; the last result says how many are left. Repeat the request to reach them.",
    },
    // Each step that a client invents is a book of its own in the publisher.
    Key {
        path: "limits.grouped_views_per_session",
        kind: Kind::Integer(0, MOST_STREAMS),
        default: Value("16"),
        meaning: "Streams with a `group` that a session may have; further ones are rejected with `too_many_views`.",
    },
    // About 40 KiB of JSON.
    Key {
        path: "limits.instruments_per_answer",
        kind: Kind::Integer(1, 1_000),
        default: Value("200"),
        meaning: "Instruments in one answer to `list`; its `next` is where the next page continues.",
    },
    // About thirty streams in one request.
    Key {
        path: "limits.inbound_message_bytes",
        kind: Kind::Size(256, 4 * KIB),
        default: Value("4KiB"),
        meaning: "Bytes of a client's message; a larger one ends the session with 1009.",
    },
    Key {
        path: "limits.inbound_messages_per_second",
        kind: Kind::Integer(1, 10_000),
        default: Value("10"),
        meaning: "Frames a second from a client in the long run, pings and pongs included; one that sends more is closed with 4002. Ten reads that complete no frame count as one.",
    },
    Key {
        path: "limits.inbound_burst",
        kind: Kind::Integer(1, 10_000),
        default: Value("20"),
        meaning: "Frames that a client may send at once after a pause. It may always send as many as resuming all of its streams takes, and 20 more: a request for every 25 of `limits.streams_per_session`, so 61 by default.",
    },
    // OWASP's and NATS' figures are 2 to 10 s; a phone's TLS handshake needs about two.
    Key {
        path: "limits.handshake_timeout",
        kind: Kind::Duration(Duration::from_millis(100), MINUTE),
        default: Value("5s"),
        meaning: "How long a new connection may take to become a session.",
    },
    // Three times this is less than the second that an honest client at the same address may lose.
    Key {
        path: "limits.handshake_delay",
        kind: Kind::Duration(Duration::ZERO, Duration::from_millis(300)),
        default: Value("250ms"),
        meaning: "How long a new connection waits for each session of its address, or of its /64 of IPv6, that was closed lately because its client broke a rule (1002, 1003, 1007, 1009, 4002): three times as long at most. One such close is forgotten each second. `0s` delays nobody. Behind a balancer that does not send the PROXY protocol, all clients share one address.",
    },
    // A client subscribes at once; a person at a terminal types for a minute.
    Key {
        path: "limits.idle_session_timeout",
        kind: Kind::Duration(Duration::from_millis(100), DAY),
        default: Value("1m"),
        meaning: "How long a session may have no stream and send no request before it is closed.",
    },
    // The most that one message can say: a change of a whole side is published as a snapshot.
    Key {
        path: "limits.book_levels_per_side",
        kind: Kind::Integer(1, 60_000),
        default: Value("60000"),
        meaning: "Levels that a side of a book may have; a larger book is refused, and its instrument resyncs.",
    },
    // As Binance; shorter than the idle time-out of every common proxy (60 s).
    Key {
        path: "session.ping_interval",
        kind: Kind::Duration(Duration::from_millis(100), HOUR),
        default: Value("20s"),
        meaning: "How often a client is pinged.",
    },
    Key {
        path: "session.pong_timeout",
        kind: Kind::Duration(Duration::from_millis(100), HOUR),
        default: Value("10s"),
        meaning: "How long a client may take to answer a ping; then it is closed with 4001.",
    },
    Key {
        path: "session.heartbeat_interval",
        kind: Kind::Duration(Duration::from_millis(100), HOUR),
        default: Value("5s"),
        meaning: "A watched stream that was quiet for so long tells its last sequence number.",
    },
    // The kernel doubles it. Half a second of a busy full book, so that a short stall is not lag.
    Key {
        path: "session.send_buffer_bytes",
        kind: Kind::Size(4 * KIB, 64 * MIB),
        default: Value("64KiB"),
        meaning: "`SO_SNDBUF` of a client's socket: what the kernel holds for it before it counts as slow.",
    },
    // The kernel doubles it. Four requests of the largest size; what a client sends beyond them waits on
    // its side.
    Key {
        path: "session.receive_buffer_bytes",
        kind: Kind::Size(4 * KIB, 64 * MIB),
        default: Value("16KiB"),
        meaning: "`SO_RCVBUF` of a client's socket: what the kernel holds of what a client has sent and the node has not read yet.",
    },
    // What waits there cannot be conflated any more. Small enough that it is some milliseconds of
    // any book, large enough that a core that sends a gigabyte a second is not held up by it.
    Key {
        path: "session.not_sent_bytes",
        kind: Kind::Size(KIB, 64 * MIB),
        default: Value("32KiB"),
        meaning: "`TCP_NOTSENT_LOWAT` of a client's socket: what the kernel may hold that has not gone out; what comes beyond is conflated instead.",
    },
    // Ctrl-C ends a node within two seconds.
    Key {
        path: "session.drain_delay",
        kind: Kind::Duration(Duration::ZERO, HOUR),
        default: Value("1s"),
        meaning: "The time between `GoAway` and the close of the sessions when the node stops.",
    },
    Key {
        path: "session.drain_for",
        kind: Kind::Duration(Duration::ZERO, HOUR),
        default: Value("0s"),
        meaning: "Over how long sessions are sent away when the node stops, in waves; each is closed `drain_delay` after its `GoAway`. With 0 all are told at once.",
    },
    // At 24 bytes a change, about 170,000 changes: a minute of the busiest book, an hour of most.
    Key {
        path: "streams.log_bytes_per_instrument",
        kind: Kind::Size(4 * KIB, GIB),
        default: Value("4MiB"),
        meaning: "The log of recent changes of each book, which clients resume from and catch up by; the logs of trades and of the best bid and offer have a quarter of it each.",
    },
    Key {
        path: "streams.log_bytes",
        kind: Kind::Size(MIB, 64 * GIB),
        default: Value("128MiB"),
        meaning: "All logs of a publisher together; when they have more, each is cut to its share.",
    },
    // A trading page has a handful of steps, in two or three speeds.
    Key {
        path: "streams.grouped_views_per_instrument",
        kind: Kind::Integer(1, 1024),
        default: Value("32"),
        meaning: "Distinct grouped streams of one book, however many sessions share each; further ones are rejected with `too_many_views`. Streams without `group` are not limited.",
    },
    // 16 to 32 bytes a grouped level: some 250 views of books of 10,000 levels by a very small step.
    Key {
        path: "streams.grouped_view_bytes",
        kind: Kind::Size(MIB, 64 * GIB),
        default: Value("64MiB"),
        meaning: "Memory for the grouped streams of all books of a publisher; further ones are rejected with `too_many_views`.",
    },
    // The slowest client's distance: some seconds of the busiest book at the pace of a replay.
    Key {
        path: "streams.run_bytes_per_stream",
        kind: Kind::Size(4 * KIB, GIB),
        default: Value("8MiB"),
        meaning: "Recent frames of each watched stream in each shard; a client that is further behind is caught up by a net change or a snapshot.",
    },
    Key {
        path: "streams.run_bytes_per_shard",
        kind: Kind::Size(MIB, 64 * GIB),
        default: Value("256MiB"),
        meaning: "Recent frames of all streams of a shard; beyond, each stream keeps 64 KiB.",
    },
    // A burst of a second at the pace of the busiest market, for clients that pause.
    Key {
        path: "streams.run_bytes_for_slow",
        kind: Kind::Size(64 * KIB, 64 * GIB),
        default: Value("1MiB"),
        meaning: "What a shard keeps of its recent frames for all clients whose sockets are full; those who lack what goes beyond are caught up, when there is room, by a net change or a snapshot. A client that reads is never caught up for this.",
    },
    Key {
        path: "streams.run_bytes_per_slow_session",
        kind: Kind::Size(KIB, GIB),
        default: Value("32KiB"),
        meaning: "What a shard keeps besides for each client whose socket is full: so a slow one costs a constant.",
    },
    Key {
        path: "fanout.shards",
        kind: Kind::Cores(256),
        default: Value("cores"),
        meaning: "Threads that send; connections are divided over them.",
    },
    Key {
        path: "fanout.flush_delay",
        kind: Kind::Duration(Duration::ZERO, Duration::from_millis(100)),
        default: Value("0s"),
        meaning: "How long what is published may wait for more to go along, in whole milliseconds: fewer sends for later messages. With 0 an idle shard sends at once, and batches grow with the load alone.",
    },
    Key {
        path: "fanout.busy_percent",
        kind: Kind::Integer(10, 100),
        default: Value("90"),
        meaning: "How much of the time a shard works that has more to send all the time, in percent, while its sends are below 4 KiB: meanwhile messages gather, so they take fewer sends. With 100 it never rests.",
    },
    Key {
        path: "fanout.send",
        kind: Kind::Choice(&["batched", "single"]),
        default: Value("batched"),
        meaning: "How shards send: many sessions with one system call by io_uring, where the system has it, or each with its own.",
    },
    Key {
        path: "checkpoints.topic",
        kind: Kind::Text(TOPIC),
        default: None("none: no checkpoints"),
        meaning: "A compacted topic with what is known of every instrument; a node that starts takes it over, and reads on from there.",
    },
    // A start then catches up with a minute of the market, a second of work.
    Key {
        path: "checkpoints.write_every",
        kind: Kind::DurationOrOff(SECOND, DAY),
        default: Value("off"),
        meaning: "How often this node writes each instrument's checkpoint, spread over the time; two nodes of a fleet are enough.",
    },
    Key {
        path: "checkpoints.create",
        kind: Kind::Choice(&["missing", "never"]),
        default: Value("missing"),
        meaning: "Whether a node that writes makes the topic where it is missing, as far as the broker lets it.",
    },
    // Each has a thread, its instrument's book, a page, and some records.
    Key {
        path: "history.replays",
        kind: Kind::Integer(0, 1024),
        default: Value("16"),
        meaning: "Streams that are sent the past at a time; further ones are refused with `busy`. With 0 nobody begins in the past.",
    },
    // Book, bbo, trades and status of one instrument.
    Key {
        path: "history.replays_per_session",
        kind: Kind::Integer(1, 1024),
        default: Value("4"),
        meaning: "How many of them one session may have; further ones are refused with `busy`.",
    },
    // Half of all, so that nobody holds them all.
    Key {
        path: "history.replays_per_address",
        kind: Kind::Integer(1, 1024),
        default: Value("8"),
        meaning: "How many one address may have, or one /64 of IPv6; further ones are refused with `busy`.",
    },
    Key {
        path: "history.stall_timeout",
        kind: Kind::Duration(SECOND, HOUR),
        default: Value("1m"),
        meaning: "When a client has not read a page of its replay for this long, the replay ends, and the stream goes on like that of a lagging client once it reads.",
    },
    // A session of a stock exchange at the pace at which it happened.
    Key {
        path: "history.longest",
        kind: Kind::Duration(SECOND, super::key::LOOKBACK),
        default: Value("8h"),
        meaning: "How long a replay may take, whatever its `pace`; then the stream goes on live, like that of a lagging client.",
    },
    // Most feeds tell a whole book every minute or so; twice as far is looked until there is one.
    Key {
        path: "history.look_back",
        kind: Kind::Duration(Duration::from_millis(100), super::key::LOOKBACK),
        default: Value("1m"),
        meaning: "How far before its start a replay looks for the last whole book; twice as far each time there is none.",
    },
    // As much as one visit of a session sends.
    Key {
        path: "history.page_bytes",
        kind: Kind::Size(KIB, 16 * MIB),
        default: Value("64KiB"),
        meaning: "Messages of the past that a session is sent at a time; the next ones are made when these have gone out.",
    },
    // Each costs some 10 MiB and four threads. Two keep one that reads far back from holding up the others.
    Key {
        path: "history.readers",
        kind: Kind::Integer(1, 64),
        default: Value("2"),
        meaning: "Kafka clients that all replays share, taking turns. They exist while there are replays.",
    },
    // A few pages ahead; brokers answer a fetch within milliseconds.
    Key {
        path: "history.queue_bytes",
        kind: Kind::Size(KIB, GIB),
        default: Value("256KiB"),
        meaning: "Records that wait in each of these clients, plus one fetch of the same size (64 KiB to 1 MiB).",
    },
    Key {
        path: "tls.mode",
        kind: Kind::Choice(&["off", "on"]),
        default: Value("off"),
        meaning: "Whether the public listener speaks TLS (1.2 and 1.3), and then nothing else.",
    },
    Key {
        path: "tls.certificate",
        kind: Kind::Text("a PEM file"),
        default: None("required by `on`"),
        meaning: "The certificate, followed by those that it is signed by. It is read again when it changes; sessions stay.",
    },
    Key {
        path: "tls.key",
        kind: Kind::Text("a PEM file"),
        default: None("required by `on`"),
        meaning: "Its private key.",
    },
    Key {
        path: "auth.mode",
        kind: Kind::Choice(&["none", "keys", "jwt"]),
        default: Value("none"),
        meaning: "What clients have to show at the handshake and to `/v1`: nothing, a key of `[[auth.keys]]`, or a token that `[auth.jwt]` is for.",
    },
    Key {
        path: "auth.cookie",
        kind: Kind::Text("the name of a cookie: letters, digits, '_', '-' and '.'"),
        default: None("none"),
        meaning: "A cookie that may have the key or token, for pages; needs `public.origins`, since browsers send cookies for every page.",
    },
    Key {
        path: "auth.jwt.algorithms",
        kind: Kind::Texts(
            "a list of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA",
        ),
        default: None("required by `jwt`"),
        meaning: "By which tokens may be signed. Only keys of the kind that goes with it are used with an algorithm.",
    },
    Key {
        path: "auth.jwt.issuer",
        kind: Kind::Text("a text"),
        default: None("required by `jwt`"),
        meaning: "The `iss` of tokens.",
    },
    Key {
        path: "auth.jwt.audience",
        kind: Kind::Text("a text"),
        default: None("required by `jwt`"),
        meaning: "What has to be among the `aud` of tokens.",
    },
    Key {
        path: "auth.jwt.keys",
        kind: Kind::Text("a file with a JSON Web Key Set (RFC 7517)"),
        default: None("required by `jwt`"),
        meaning: "The issuer's public keys, or secrets that are shared with it, each with a `kid`. It is read again when it changes.",
    },
    // Machines that run NTP differ by far less.
    Key {
        path: "auth.jwt.leeway",
        kind: Kind::Duration(Duration::ZERO, Duration::from_secs(300)),
        default: Value("5s"),
        meaning: "How far the issuer's clock may differ, in whole seconds, for `exp` and `nbf`.",
    },
    Key {
        path: "auth.jwt.claim",
        kind: Kind::Text("a text"),
        default: Value("tapecast"),
        meaning: "The claim that has what the token is for; a token without it is for everything.",
    },
    Key {
        path: "auth.keys[].sha256",
        kind: Kind::Text("64 hexadecimal digits"),
        default: Required,
        meaning: "The SHA-256 of a key, as `sha256sum` tells it of the key without a line's end. A key should be 32 random bytes or more.",
    },
    Key {
        path: "auth.keys[].subject",
        kind: Kind::Text("1 to 256 bytes"),
        default: Required,
        meaning: "Who has the key, for logs and `max_connections`.",
    },
    Key {
        path: "auth.keys[].instruments",
        kind: Kind::Texts(r#"a list of VENUE:SYMBOL, or texts with '*', such as ["BINANCE:*"]"#),
        default: None("all"),
        meaning: "The instruments that it is for.",
    },
    Key {
        path: "auth.keys[].channels",
        kind: Kind::Texts(r#"a list of channels, such as ["book", "trades"]"#),
        default: None("all"),
        meaning: "The channels that it is for.",
    },
    Key {
        path: "auth.keys[].max_depth",
        kind: Kind::Text(r#""1", "5", "10", "25", "50", "100", "500", "1000" or "full""#),
        default: None("full"),
        meaning: "The most levels a side of a book; below full, streams with a `group` are rejected too, since they sum deeper levels.",
    },
    Key {
        path: "auth.keys[].max_streams",
        kind: Kind::Integer(0, MOST_STREAMS),
        default: None("`limits.streams_per_session`"),
        meaning: "The most streams of a session.",
    },
    Key {
        path: "auth.keys[].max_connections",
        kind: Kind::Integer(0, 1_000_000),
        default: None("not limited"),
        meaning: "The most sessions of the subject on this node; further ones are refused with HTTP 429.",
    },
    Key {
        path: "traces.endpoint",
        kind: Kind::Text(COLLECTOR),
        default: None("none: nothing is followed"),
        meaning: "An OpenTelemetry collector that takes OTLP over HTTP, at `/v1/traces` below this; `OTEL_EXPORTER_OTLP_HEADERS` adds headers.",
    },
    // At 100,000 records a second that is ten a second, which is plenty to look at.
    Key {
        path: "traces.one_in",
        kind: Kind::Integer(1, 1_000_000_000),
        default: Value("10000"),
        meaning: "One record of so many is followed from Kafka to the sockets; every node follows the same ones.",
    },
    Key {
        path: "traces.service",
        kind: Kind::Text("a name"),
        default: Value("tapecast"),
        meaning: "What the node calls its service (`service.name`).",
    },
    Key {
        path: "log.level",
        kind: Kind::LogLevel,
        default: Value("info"),
        meaning: "What is logged to standard error.",
    },
    Key {
        path: "log.format",
        kind: Kind::Choice(&["pretty", "json"]),
        default: Value("pretty"),
        meaning: "How it is logged: for eyes, or one JSON object a line.",
    },
];

/// What stands at a path.
pub(super) enum Shape {
    /// A key.
    Leaf(&'static Key),
    /// A table of keys.
    Table,
    /// A list of tables.
    List,
    /// Nothing.
    Unknown,
}

/// What stands at a path in which `[]` is any item.
pub(super) fn shape(path: &str) -> Shape {
    if let Some(key) = KEYS.iter().find(|key| key.path == path) {
        return Shape::Leaf(key);
    }
    let below = |suffix: &str| {
        KEYS.iter().any(|key| {
            key.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(suffix))
        })
    };
    if below(".") {
        Shape::Table
    } else if below("[].") {
        Shape::List
    } else {
        Shape::Unknown
    }
}

/// The key at a path in which items have numbers.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let pattern = without_numbers(path);
    KEYS.iter().find(|key| key.path == pattern)
}

/// `a[3].b` as `a[].b`.
fn without_numbers(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut in_brackets = false;
    for c in path.chars() {
        in_brackets = (in_brackets || c == '[') && c != ']';
        if !in_brackets || c == '[' {
            pattern.push(c);
        }
    }
    pattern
}
