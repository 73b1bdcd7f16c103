use super::*;

/// Checks the whole list of errors, in their order.
#[track_caller]
fn check(sources: Sources, expected: &[&str]) {
    let Err(errors) = Config::load(sources) else {
        panic!("no error was found");
    };
    let found: Vec<String> = errors.list.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

/// Checks what is wrong with some lines, in a file that is right without them.
#[track_caller]
fn check_lines(lines: &str, expected: &[&str]) {
    let text = format!("{}{lines}", LEAST.trim_start());
    check(sources(&text), expected);
}

#[test]
fn an_empty_configuration_lacks_brokers_and_topics() {
    check(
        Sources::default(),
        &[
            r#"kafka.brokers is missing: HOST:PORT, or several with commas, such as "kafka:9092""#,
            "topics is missing: a list of tables, at least one, headed by [[topics]]",
        ],
    );
}

#[test]
fn all_errors_are_reported_together() {
    let text = r#"
public.listen = "localhost:8080"
admin.listen = 9464
[kafka]
brokers = "kafka"
start = "latest"
threads = 0
max_record_bytes = "4MB"
[[topics]]
pattern = "trades-("
format = "json"
[limits]
sessions = "many"
[session]
ping_interval = "20"
[log]
level = "verbose"
format = "xml"
[colours]
background = "black"
"#;
    check(
        sources(text),
        &[
            r#"colours.background = "black" (line 20): there is no such key"#,
            r#"public.listen = "localhost:8080" (line 2): an IP address and a port, such as "127.0.0.1:8080""#,
            r#"admin.listen = 9464 (line 3): an IP address and a port, such as "127.0.0.1:8080""#,
            r#"kafka.brokers = "kafka" (line 5): HOST:PORT, or several with commas, such as "kafka:9092""#,
            r#"kafka.start = "latest" (line 6): "earliest", or a duration to look back of at most "31d""#,
            "kafka.threads = 0 (line 7): an integer from 1 to 64",
            r#"kafka.max_record_bytes = "4MB" (line 8): a size from "1KiB" to "32MiB" (bytes, KiB, MiB, GiB)"#,
            r#"topics[0].pattern = "trades-(" (line 10): a regular expression, such as "trades-.*"; unclosed group"#,
            r#"topics[0].format = "json" (line 11): "tapecast" or "cryptofeed" or "binance" or "kraken" or "okx" or "bybit" or "coinbase" or "deribit" or "mapped" or "tardis""#,
            r#"limits.sessions = "many" (line 13): an integer from 1 to 1000000"#,
            r#"session.ping_interval = "20" (line 15): a duration from "100ms" to "1h" (us, ms, s, m, h, d)"#,
            r#"log.level = "verbose" (line 17): off, error, warn, info, debug or trace, or several such as "info,fanout=debug""#,
            r#"log.format = "xml" (line 18): "pretty" or "json""#,
        ],
    );
}

#[test]
fn an_error_of_the_environment_or_a_flag_says_where_it_is() {
    let variables = [
        ("TAPECAST_KAFKA__THREADS", "two"),
        ("TAPECAST_SESSION__PING_INTERVALL", "5s"),
        ("TAPECAST_TOPICS__5__PATTERN", ".*"),
        ("TAPECAST_0__LISTEN", "x"),
    ];
    let sources = sources(LEAST)
        .environment(environment(&variables))
        .flag(Flag::Listen, Some("8080"));
    check(
        sources,
        &[
            r#"topics[5].pattern = ".*" (TAPECAST_TOPICS__5__PATTERN): items are numbered from 0 without a hole, and there are 1"#,
            r#"0.listen = "x" (TAPECAST_0__LISTEN): there is no such key; did you mean public.listen?"#,
            r#"session.ping_intervall = "5s" (TAPECAST_SESSION__PING_INTERVALL): there is no such key; did you mean session.ping_interval?"#,
            r#"public.listen = "8080" (command line): an IP address and a port, such as "127.0.0.1:8080""#,
            r#"kafka.threads = "two" (TAPECAST_KAFKA__THREADS): an integer from 1 to 64"#,
        ],
    );
}

#[test]
fn a_variable_that_sets_no_key_is_an_error() {
    let variables = [
        ("TAPECAST_KAFKA_BROKERS", "a:1"),
        ("TAPECAST_KAFKA_PROPERTIES_SASL_PASSWORD", "hunter2"),
        ("TAPECAST_KAFKA__THREADS", "two"),
        ("TAPECAST_TOPICS_1_PATERN", ".*"),
        ("TAPECAST_COLOUR", "red"),
        ("TAPECAST_CONFIG", "a.toml"),
        ("TAPECAST_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("TAPECASTER_X", "another program's"),
    ];
    check(
        sources(LEAST).environment(environment(&variables)),
        &[
            "TAPECAST_KAFKA_BROKERS: there is no such variable; did you mean TAPECAST_KAFKA__BROKERS?",
            "TAPECAST_KAFKA_PROPERTIES_SASL_PASSWORD: there is no such variable; did you mean TAPECAST_KAFKA__PROPERTIES__SASL_PASSWORD?",
            "TAPECAST_TOPICS_1_PATERN: there is no such variable; did you mean TAPECAST_TOPICS__1__PATTERN?",
            "TAPECAST_COLOUR: there is no such variable; one that sets a key has two underscores after its section, such as TAPECAST_KAFKA__BROKERS",
            r#"kafka.threads = "two" (TAPECAST_KAFKA__THREADS): an integer from 1 to 64"#,
        ],
    );
}

#[test]
fn an_unknown_key_is_told_what_was_probably_meant() {
    check_lines(
        "venu = \"OKX\"\n[sesion]\nping_interval = \"5s\"\n[limits]\nlisten = \"x\"\n\
         [[instruments.rules]]\nmatch = \"A:B\"\n[[instruments.rules]]\nmacth = \"A:C\"\n",
        &[
            r#"instruments.rules[1].macth = "A:C" (line 14): there is no such key; did you mean instruments.rules[1].match?"#,
            r#"limits.listen = "x" (line 10): there is no such key; did you mean admin.listen?"#,
            r#"sesion.ping_interval = "5s" (line 8): there is no such key; did you mean session.ping_interval?"#,
            r#"topics[0].venu = "OKX" (line 6): there is no such key; did you mean topics[0].venue?"#,
            "instruments.rules[1].match is missing: VENUE:SYMBOL, or a text with '*' for any characters, such as \"HUOBI:*\"",
        ],
    );
}

#[test]
fn a_section_of_the_wrong_shape_is_one_error() {
    check(
        sources("session = 5\ntopics = \"all\"\n[kafka]\nbrokers = \"a:1\"\nproperties = 1\n"),
        &[
            "session = 5 (line 1): a table of keys",
            r#"topics = "all" (line 2): a list of tables"#,
            r#"kafka.properties = "<redacted>" (line 5): a table of properties"#,
        ],
    );
    check(
        sources("topics = [1]\n[kafka]\nbrokers = \"a:1\"\n"),
        &[
            "topics[0] = 1 (line 1): a table of keys",
            r#"topics[0].pattern is missing: a regular expression, such as "trades-.*""#,
            r#"topics[0].format is missing: "tapecast" or "cryptofeed" or "binance" or "kraken" or "okx" or "bybit" or "coinbase" or "deribit" or "mapped" or "tardis""#,
        ],
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_by_its_lines() {
    let Err(errors) = Config::load(sources("[kafka]\nbrokers = \nthreads = = 1\n")) else {
        panic!("no error was found");
    };
    let lines: Vec<_> = errors.list.iter().map(|m| m.origin.clone()).collect();
    assert_eq!(lines, [Origin::Line(2), Origin::Line(3)]);
    let text = errors.to_string();
    assert!(
        text.starts_with("2 errors in the configuration (test.toml)\n  line 2: "),
        "{text}"
    );
}

#[test]
fn a_value_has_the_type_of_its_key() {
    check_lines(
        "[limits]\nsessions = 1.5\nstreams_per_session = true\nhandshake_timeout = 5\n\
         inbound_message_bytes = 8192\nbook_levels_per_side = -1\n[fanout]\nshards = 0\n\
         [instruments]\nstale_after = 30\nunknown = \"maybe\"\nprice_exponent = -19\n",
        &[
            r#"instruments.unknown = "maybe" (line 16): "accept" or "refuse""#,
            "instruments.price_exponent = -19 (line 17): an integer from -18 to 9",
            r#"instruments.stale_after = 30 (line 15): "off", or a duration from "1s" to "1d" (us, ms, s, m, h, d)"#,
            "limits.sessions = 1.5 (line 7): an integer from 1 to 1000000",
            "limits.streams_per_session = true (line 8): an integer from 1 to 65535",
            r#"limits.inbound_message_bytes = 8192 (line 10): a size from "256" to "4KiB" (bytes, KiB, MiB, GiB)"#,
            r#"limits.handshake_timeout = 5 (line 9): a duration from "100ms" to "1m" (us, ms, s, m, h, d)"#,
            "limits.book_levels_per_side = -1 (line 11): an integer from 1 to 60000",
            r#"fanout.shards = 0 (line 13): "cores", or an integer from 1 to 256"#,
        ],
    );
}

#[test]
fn two_listeners_have_two_addresses() {
    check_lines(
        "[admin]\nlisten = \"127.0.0.1:8080\"\n",
        &[r#"admin.listen = "127.0.0.1:8080" (line 7): another address than public.listen"#],
    );
    let any = "[admin]\nlisten = \"127.0.0.1:0\"\n[public]\nlisten = \"127.0.0.1:0\"\n";
    config(sources(&format!("{LEAST}{any}")));
}

#[test]
fn venue_and_symbol_are_for_formats_that_have_none() {
    check_lines(
        "venue = \"OKX\"\nsymbol = \"BTC-USDT\"\n\
         [[topics]]\npattern = \"b\"\nformat = \"binance\"\nvenue = \"binance\"\nsymbol = \"B T\"\n",
        &[
            r#"topics[0].venue = "OKX" (line 6): only for topics of a venue's own format, such as "binance""#,
            r#"topics[0].symbol = "BTC-USDT" (line 7): only for topics of a venue's own format, such as "binance""#,
            r#"topics[1].venue = "binance" (line 11): 1 to 32 of A-Z, 0-9, '_', '-' and '.', such as "BINANCE""#,
            r#"topics[1].symbol = "B T" (line 12): a symbol without white space, ':' and '*', such as "BTC-USDT""#,
        ],
    );
}

#[test]
fn a_rule_that_is_never_reached_is_an_error() {
    check_lines(
        "[[instruments.rules]]\nmatch = \"A:*\"\n[[instruments.rules]]\nmatch = \"A:X\"\n\
         [[instruments.rules]]\nmatch = \"A:*\"\n",
        &[
            r#"instruments.rules[1].match = "A:X" (line 9): never reached, since instruments.rules[0] matches first"#,
            r#"instruments.rules[2].match = "A:*" (line 11): never reached, since instruments.rules[0] matches first"#,
        ],
    );
}

#[test]
fn a_name_means_one_instrument() {
    check_lines(
        "[[instruments.rules]]\nmatch = \"A:X\"\naliases = [\"Y\", \"Z\", \"b d\"]\n\
         [[instruments.rules]]\nmatch = \"A:Y\"\naliases = [\"Z\"]\n\
         [[instruments.rules]]\nmatch = \"B:*\"\naliases = [\"Q\"]\n\
         [[instruments.rules]]\nmatch = \"C\"\naliases = \"R\"\n",
        &[
            r#"instruments.rules[0].aliases = ["Y", "Z", "b d"] (line 8): "b d": a symbol is 1 to 64 bytes without white space, control characters, quotes, '\', '*' and ':'"#,
            r#"instruments.rules[1].aliases = ["Z"] (line 11): A:Z is an alias of A:X already"#,
            r#"instruments.rules[2].aliases = ["Q"] (line 14): only where `match` is one instrument, without '*'"#,
            r#"instruments.rules[3].match = "C" (line 16): an instrument is named VENUE:SYMBOL, and there is no colon"#,
            r#"instruments.rules[3].aliases = "R" (line 17): a list of symbols, such as ["BTCUSDT"]"#,
            r#"instruments.rules[1].match = "A:Y" (line 10): A:Y is an alias of A:X"#,
        ],
    );
}

#[test]
fn a_step_fits_the_scale_and_is_above_zero() {
    check_lines(
        "[[instruments.rules]]\nmatch = \"A:X\"\nprice_exponent = -2\ntick_size = \"0.001\"\nlot_size = 0\n\
         [[instruments.rules]]\nmatch = \"A:Y\"\ntick_size = \"small\"\nlot_size = -1\n",
        &[
            r#"instruments.rules[0].tick_size = "0.001" (line 9): a decimal number above 0, such as "0.01"; has more decimals than exponent -2 holds"#,
            r#"instruments.rules[0].lot_size = 0 (line 10): a decimal number above 0, such as "0.01""#,
            r#"instruments.rules[1].tick_size = "small" (line 13): a decimal number above 0, such as "0.01""#,
            r#"instruments.rules[1].lot_size = -1 (line 14): a decimal number above 0, such as "0.01""#,
        ],
    );
}
