mod architecture;
mod auth;
mod documents;
mod errors;
mod mapped;

use std::ffi::OsString;
use std::time::Duration;

use ingest::{Format, Rejection, Start};
use market::Exponents;

use ::{fanout, streams};

use super::key::AnyKey;
use super::value::Origin;
use super::*;
use crate::logging::LogFormat;

/// A minimal configuration.
const LEAST: &str = r#"
[kafka]
brokers = "kafka:9092"
[[topics]]
pattern = ".*"
format = "tapecast"
"#;

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn sources(text: &str) -> Sources {
    Sources::default().text("test.toml", text)
}

#[track_caller]
fn config(sources: Sources) -> Config {
    match Config::load(sources) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = config(sources(LEAST));
    assert_eq!(config.fanout.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.to_string(), "127.0.0.1:9464");
    assert_eq!(config.ingest.start, Start::Earliest);
    assert_eq!(config.fanout.sessions, 20_000);
    assert_eq!(config.fanout.shards, kind::available_cores());
    assert_eq!(config.log.filter, "info");
    assert_eq!(config.log.format, LogFormat::Pretty);
}

#[test]
fn defaults_are_those_of_the_crates_that_work_with_them() {
    let config = config(sources(LEAST));
    assert_eq!(config.streams, streams::Settings::default());
    let ingest = IngestConfig::new("kafka:9092", Vec::new());
    assert_eq!(config.ingest.discovery, ingest.discovery);
    assert_eq!(config.ingest.max_record_bytes, ingest.max_record_bytes);
    assert_eq!(config.ingest.threads, ingest.threads);
    assert_eq!(config.ingest.batch, ingest.batch);
    let fanout = fanout::Settings::default();
    assert_eq!(config.fanout.listen, fanout.listen);
    assert_eq!(config.fanout.sessions, fanout.sessions);
    assert_eq!(config.fanout.session, fanout.session);
    assert_eq!(config.fanout.handshake_timeout, fanout.handshake_timeout);
    assert_eq!(config.fanout.drain_delay, fanout.drain_delay);
    assert_eq!(config.fanout.not_sent, fanout.not_sent);
    assert_eq!(config.fanout.flush_delay, fanout.flush_delay);
    assert_eq!(config.fanout.busy_percent, fanout.busy_percent);
    assert_eq!(config.fanout.batched_sends, fanout.batched_sends);
}

/// Each limit is what the code can handle: one more would be a session that never gets an answer,
/// or a record that stops its partition.
#[test]
fn the_largest_value_of_a_key_is_one_that_works() {
    let largest = |key: &dyn AnyKey| key.largest().unwrap();
    let streams = fanout::SessionSettings::MOST_STREAMS as u64;
    assert_eq!(largest(&Limits::streams_per_session), streams);
    assert_eq!(largest(&super::auth::StaticKey::max_streams), streams);
    let record = IngestConfig::LARGEST_RECORD as u64;
    assert_eq!(largest(&kafka::Kafka::max_record_bytes), record);
    assert_eq!(largest(&kafka::Kafka::threads), 64);
    let keys: [(&dyn AnyKey, u32); 4] = [
        (&Limits::sessions, 32),
        (&Limits::inbound_messages_per_second, 22),
        (&Limits::inbound_burst, 22),
        (&Limits::book_levels_per_side, 16),
    ];
    for (key, bits) in keys {
        assert!(largest(key) < 1 << bits, "{}", key.path());
    }
}

#[test]
fn flags_come_before_the_environment_before_the_file_before_the_defaults() {
    let file = format!("{LEAST}\n[session]\nping_interval = \"1s\"\npong_timeout = \"1s\"\n");
    let file = format!("{file}[public]\nlisten = \"127.0.0.1:1\"\n");
    let sources = sources(&file)
        .environment(environment(&[
            ("TAPECAST_SESSION__PONG_TIMEOUT", "2s"),
            ("TAPECAST_PUBLIC__LISTEN", "127.0.0.1:2"),
            ("TAPECAST_ADMIN__LISTEN", "127.0.0.1:3"),
        ]))
        .flag(Flag::Listen, Some("127.0.0.1:4"))
        .flag(Flag::Admin, None);
    let config = config(sources);
    assert_eq!(config.fanout.handshake_timeout, Duration::from_secs(5));
    assert_eq!(config.fanout.session.ping_interval, Duration::from_secs(1));
    assert_eq!(config.fanout.session.pong_timeout, Duration::from_secs(2));
    assert_eq!(config.admin.to_string(), "127.0.0.1:3");
    assert_eq!(config.fanout.listen.to_string(), "127.0.0.1:4");
}

#[test]
fn a_node_can_be_told_everything_by_the_environment() {
    let sources = Sources::default().environment(environment(&[
        ("TAPECAST_KAFKA__BROKERS", "a:1, b:2"),
        ("TAPECAST_KAFKA__START", "10m"),
        ("TAPECAST_KAFKA__THREADS", "2"),
        ("TAPECAST_KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN"),
        ("TAPECAST_TOPICS__1__PATTERN", "usdm-(?<symbol>.*)"),
        ("TAPECAST_TOPICS__1__FORMAT", "binance"),
        ("TAPECAST_TOPICS__1__VENUE", "BINANCE_FUTURES"),
        ("TAPECAST_TOPICS__0__PATTERN", "own"),
        ("TAPECAST_TOPICS__0__FORMAT", "tapecast"),
        ("TAPECAST_INSTRUMENTS__STALE_AFTER", "off"),
        ("TAPECAST_INSTRUMENTS__RULES__0__MATCH", "BINANCE:BTC-USDT"),
        ("TAPECAST_INSTRUMENTS__RULES__0__PRICE_EXPONENT", "-2"),
        (
            "TAPECAST_INSTRUMENTS__RULES__0__ALIASES",
            "BTCUSDT, XBTUSDT",
        ),
        ("TAPECAST_FANOUT__SHARDS", "3"),
        ("TAPECAST_STREAMS__LOG_BYTES_PER_INSTRUMENT", "8192"),
        ("TAPECAST_DATA", "the tests' own"),
        ("PATH", "/bin"),
    ]));
    let config = config(sources);
    assert_eq!(config.ingest.brokers, "a:1,b:2");
    assert_eq!(
        config.ingest.start,
        Start::Lookback(Duration::from_secs(600))
    );
    assert_eq!(config.ingest.threads, 2);
    assert_eq!(config.ingest.properties["sasl.mechanism"], "PLAIN");
    let topics = &config.ingest.topics;
    assert_eq!(topics[0].format, Format::Tapecast);
    let source = topics[1].source("usdm-btcusdt").unwrap();
    assert_eq!(source.venue, "BINANCE_FUTURES");
    assert_eq!(source.symbol.as_deref(), Some("BTCUSDT"));
    assert_eq!(config.streams.stale_after, None);
    assert_eq!(config.streams.log_bytes, 8192);
    assert_eq!(config.fanout.shards, 3);
    let found = config.instruments.find("BINANCE", "XBTUSDT").unwrap();
    assert_eq!(found.name.as_str(), "BINANCE:BTC-USDT");
    assert_eq!(found.exponents.price, -2);
}

#[test]
fn the_environment_changes_an_item_of_a_list_of_the_file() {
    let variables = [("TAPECAST_TOPICS__0__FORMAT", "cryptofeed")];
    let config = config(sources(LEAST).environment(environment(&variables)));
    assert_eq!(config.ingest.topics.len(), 1);
    assert_eq!(config.ingest.topics[0].format, Format::Cryptofeed);
}

#[test]
fn a_pattern_covers_the_whole_name_of_a_topic() {
    let file = LEAST.replace("\".*\"", "\"trades|trades-eu\"");
    let config = config(sources(&file));
    let rule = &config.ingest.topics[0];
    assert!(rule.source("trades").is_some());
    assert!(rule.source("trades-eu").is_some());
    assert!(rule.source("trades-us").is_none());
    assert!(rule.source("my-trades").is_none());
}

#[test]
fn properties_may_be_quoted_or_nested_and_of_any_type() {
    let file = format!(
        "{LEAST}\n[kafka.properties]\n\"client.id\" = \"node-1\"\nbroker.address.family = \"v4\"\n\
         \"socket.keepalive.enable\" = true\n\"socket.timeout.ms\" = 60_000\n"
    );
    let config = config(sources(&file));
    let properties: Vec<_> = config
        .ingest
        .properties
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let expected = [
        "broker.address.family=v4",
        "client.id=node-1",
        "socket.keepalive.enable=true",
        "socket.timeout.ms=60000",
    ];
    assert_eq!(properties, expected);
}

/// The instruments of a configuration with these rules.
fn instruments(rules: &str) -> Arc<Instruments> {
    config(sources(&format!("{LEAST}\n{rules}"))).instruments
}

#[test]
fn the_first_rule_that_matches_counts_alone() {
    let instruments = instruments(
        r#"
        [instruments]
        price_exponent = -6
        [[instruments.rules]]
        match = "HUOBI:BTC-*"
        size_exponent = -3
        [[instruments.rules]]
        match = "HUOBI:*"
        price_exponent = -12
        "#,
    );
    let scale = |symbol| {
        let found = instruments.find("HUOBI", symbol).unwrap();
        (found.exponents.price, found.exponents.size)
    };
    assert_eq!(scale("BTC-USDT"), (-6, -3));
    assert_eq!(scale("SHIB-USDT"), (-12, -8));
    let other = instruments.find("KRAKEN", "BTC-USD").unwrap();
    let expected = Exponents {
        price: -6,
        size: -8,
    };
    assert_eq!(other.exponents, expected);
}

#[test]
fn steps_are_exact_at_the_scale_of_their_rule() {
    let instruments = instruments(
        r#"
        [[instruments.rules]]
        match = "KRAKEN:BTC-USD"
        price_exponent = -2
        tick_size = 0.05
        lot_size = "1e-8"
        "#,
    );
    let found = instruments.find("KRAKEN", "BTC-USD").unwrap();
    assert_eq!((found.tick_size, found.lot_size), (Some(5), Some(1)));
}

#[test]
fn an_alias_means_its_instrument_at_its_own_venue_only() {
    let instruments = instruments(
        r#"
        [[instruments.rules]]
        match = "BINANCE:BTC-USDT"
        aliases = ["BTCUSDT"]
        "#,
    );
    let name = |venue, symbol| instruments.find(venue, symbol).unwrap().name.to_string();
    assert_eq!(name("BINANCE", "BTCUSDT"), "BINANCE:BTC-USDT");
    assert_eq!(name("BINANCE", "BTC-USDT"), "BINANCE:BTC-USDT");
    assert_eq!(name("KUCOIN", "BTCUSDT"), "KUCOIN:BTCUSDT");
}

#[test]
fn an_instrument_that_is_named_is_known_before_its_first_record() {
    let instruments = instruments(
        r#"
        [[instruments.rules]]
        match = "KRAKEN:BTC-USD"
        price_exponent = -1
        [[instruments.rules]]
        match = "BINANCE:*"
        "#,
    );
    let named: Vec<_> = instruments.named().collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].name.as_str(), "KRAKEN:BTC-USD");
    assert_eq!(named[0].exponents.price, -1);
}

#[test]
fn unknown_instruments_are_refused_when_told_so() {
    let instruments = instruments(
        r#"
        [instruments]
        unknown = "refuse"
        [[instruments.rules]]
        match = "BINANCE:*"
        "#,
    );
    assert!(instruments.find("BINANCE", "BTC-USDT").is_ok());
    let refused = instruments.find("KRAKEN", "BTC-USD").unwrap_err();
    assert_eq!(refused, Rejection::UnknownInstrument);
    let refused = instruments.find("BINANCE", "no name").unwrap_err();
    assert!(matches!(refused, Rejection::BadName(_)));
}

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "hunter2";
    let properties = [
        "sasl.password",
        "ssl.key.password",
        "SSL.Keystore.Password",
        "sasl.oauthbearer.client.secret",
        "ssl.key.pem",
        "sasl.oauthbearer.config",
    ];
    let lines: String = properties
        .iter()
        .map(|name| format!("\"{name}\" = \"{SECRET}\"\n"))
        .collect();
    let one = format!("{LEAST}[kafka.properties]\n\"sasl.password\" = \"{SECRET}\"\n");
    let shown = config(sources(&one)).effective.to_string();
    assert!(!shown.contains(SECRET), "{shown}");
    assert_eq!(shown.matches("<redacted>").count(), 1);

    // This build of librdkafka knows no TLS, so most of them are errors, which show no secret
    // either.
    let good = format!("{LEAST}[kafka.properties]\n{lines}");
    let shown = Config::load(sources(&good)).err().unwrap().to_string();
    assert!(!shown.contains(SECRET), "{shown}");

    let in_list = good.replace(&format!("\"{SECRET}\""), &format!("[\"{SECRET}\"]"));
    let shown = Config::load(sources(&in_list)).err().unwrap().to_string();
    assert!(!shown.contains(SECRET), "{shown}");

    let misspelt = good.replace("kafka.properties", "kafka.propertys");
    let shown = Config::load(sources(&misspelt)).err().unwrap().to_string();
    assert!(!shown.contains(SECRET), "{shown}");

    let one_text = LEAST.replace(
        "[[topics]]",
        "properties = \"password=hunter2\"\n[[topics]]",
    );
    let shown = Config::load(sources(&one_text)).err().unwrap().to_string();
    assert!(!shown.contains(SECRET), "{shown}");

    let broken = good.replace(&format!("\"{SECRET}\""), &format!("\"{SECRET}"));
    let shown = Config::load(sources(&broken)).err().unwrap().to_string();
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let file = format!(
        "{LEAST}\n[kafka.properties]\n\"client.id\" = \"a \\\"b\\\"\"\n\
         [session]\nping_interval = \"90s\"\n[fanout]\nshards = 2\n\
         [[instruments.rules]]\nmatch = \"BINANCE:BTC-USDT\"\naliases = [\"BTCUSDT\", \"XBT\"]\n"
    );
    let variables = [("TAPECAST_LIMITS__SESSIONS", "77")];
    let first = config(sources(&file).environment(environment(&variables))).effective;
    let shown = first.to_string();
    let second = config(sources(&shown)).effective.to_string();
    let without_origins = |text: &str| -> Vec<String> {
        let lines = text.lines();
        lines
            .map(|line| line.split("  # ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(without_origins(&shown), without_origins(&second));
    assert!(shown.contains("sessions = 77  # TAPECAST_LIMITS__SESSIONS\n"));
    assert!(
        shown.contains("ping_interval = \"90s\"  # line 11\n"),
        "{shown}"
    );
    assert!(shown.contains("pong_timeout = \"10s\"  # default\n"));
}
