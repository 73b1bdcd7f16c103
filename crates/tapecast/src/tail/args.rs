use std::path::PathBuf;
use std::time::Duration;

use client::Endpoint;
use market::{Channel, InstrumentName, Nanos, Seq};
use node::clock::wall_clock;
use wire::control::{Pace, Start};
use wire::{BarInterval, Depth, Encoding, PriceStep, Speed};

/// Numbers from here on are times in ns (1973), smaller ones offsets.
const LEAST_TIME: u64 = 100_000_000_000_000_000;

/// Speed of a replay; `None` is as fast as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PaceArg(pub(super) Option<Pace>);

/// Follow instruments in the terminal and verify every message
///
/// Exits with 0 if everything was correct, and with 1 after a checksum mismatch, a gap that was not
/// filled, or if an instrument is unknown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TailArgs {
    /// Instruments, as VENUE:SYMBOL
    #[arg(value_name = "SYMBOL", required = true, value_parser = symbol)]
    pub(super) symbols: Vec<InstrumentName>,
    /// URL of a node; repeat it to try several in turn
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8080/ws", value_parser = url)]
    pub(super) url: Vec<String>,
    /// File with the token or key for the node; read before each connection
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// File with the certificate authorities to trust for wss:// instead of the system's
    #[arg(long, value_name = "PEM")]
    pub(super) ca_file: Option<PathBuf>,
    /// Levels a side: 1, 5, 10, 25, 50, 100, 500, 1000 or full
    #[arg(long, value_name = "LEVELS", default_value = "10", value_parser = depth)]
    pub(super) depth: Depth,
    /// Update interval of books, bbo, tickers and bars: raw, 10ms, 100ms, 250ms or 1s
    #[arg(long, value_name = "SPEED", default_value = "raw", value_parser = speed)]
    pub(super) speed: Speed,
    /// Group book prices by this step, e.g. 0.5
    #[arg(long, value_name = "STEP", value_parser = group)]
    pub(super) group: Option<PriceStep>,
    /// Interval of bars, 1s to 1d
    #[arg(long, value_name = "INTERVAL", default_value = "1m", value_parser = interval)]
    pub(super) interval: BarInterval,
    /// Channels, comma-separated: book, bbo, trades, ticker, bars, status
    #[arg(
        long,
        value_name = "CHANNELS",
        default_value = "book,trades",
        value_delimiter = ',',
        value_parser = channel
    )]
    pub(super) channel: Vec<Channel>,
    /// Start in the past: an offset, a time as 2026-01-31T12:00:00Z or in ns since 1970, or an age,
    /// e.g. 10m
    #[arg(long, value_name = "TIME|SEQ", value_parser = start)]
    pub(super) start: Option<Start>,
    /// Speed of a replay as a multiple of real time, or max
    #[arg(long, value_name = "FACTOR", requires = "start", value_parser = pace)]
    pub(super) pace: Option<PaceArg>,
    /// Print one JSON object for each event
    #[arg(long, conflicts_with = "plain")]
    pub(super) json: bool,
    /// Encoding of messages: sbe or packed
    #[arg(long, value_name = "ENCODING", default_value = "sbe", value_parser = encoding)]
    pub(super) encoding: Encoding,
    /// Append the raw messages to a file
    #[arg(long, value_name = "FILE")]
    pub(super) raw: Option<PathBuf>,
    /// Stop after this many data messages
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// Stop after this time, e.g. 500ms, 10s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) duration: Option<Duration>,
    /// Print lines, even on a terminal
    #[arg(long)]
    pub(super) plain: bool,
}

fn symbol(text: &str) -> Result<InstrumentName, String> {
    InstrumentName::parse(text).map_err(|error| error.to_string())
}

fn url(text: &str) -> Result<String, String> {
    match Endpoint::parse(text) {
        Ok(endpoint) => Ok(endpoint.as_str().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn depth(text: &str) -> Result<Depth, String> {
    let levels = match text {
        "full" => return Ok(Depth::Full),
        number => number.parse().ok(),
    };
    levels
        .and_then(Depth::from_levels)
        .ok_or_else(|| "may be 1, 5, 10, 25, 50, 100, 500, 1000 or full".to_owned())
}

fn speed(text: &str) -> Result<Speed, String> {
    Speed::from_name(text).ok_or_else(|| "may be raw, 10ms, 100ms, 250ms or 1s".to_owned())
}

fn group(text: &str) -> Result<PriceStep, String> {
    PriceStep::parse(text).map_err(|error| format!("{error}; may be a number above 0"))
}

fn channel(text: &str) -> Result<Channel, String> {
    Channel::from_name(text)
        .ok_or_else(|| "may be book, bbo, trades, ticker, bars or status".to_owned())
}

fn interval(text: &str) -> Result<BarInterval, String> {
    BarInterval::from_name(text).ok_or_else(|| {
        let names = BarInterval::ALL.map(BarInterval::name);
        format!("may be {}", names.join(", "))
    })
}

fn start(text: &str) -> Result<Start, String> {
    if let Ok(number) = text.parse::<u64>() {
        return match i64::try_from(number) {
            Ok(seq) if number < LEAST_TIME => Ok(Start::Seq(Seq(seq))),
            _ => Ok(Start::Time(Nanos(number))),
        };
    }
    if let Some(time) = ingest::date(text) {
        return Ok(Start::Time(time));
    }
    let ago = duration(text).map_err(|_| {
        "may be an offset, a time as 2026-01-31T12:00:00Z or in ns since 1970, or how long ago, e.g. 10m"
            .to_owned()
    })?;
    let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
    Ok(Start::Time(Nanos(wall_clock().0.saturating_sub(ago))))
}

fn pace(text: &str) -> Result<PaceArg, String> {
    if text == "max" {
        return Ok(PaceArg(None));
    }
    Pace::parse(text)
        .map(|pace| PaceArg(Some(pace)))
        .ok_or_else(|| "may be max, or a number from 0.01 to 10000".to_owned())
}

fn encoding(text: &str) -> Result<Encoding, String> {
    [Encoding::Sbe, Encoding::Packed]
        .into_iter()
        .find(|encoding| encoding.name() == text)
        .ok_or_else(|| "may be sbe or packed".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let millis = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .zip(millis)
        .and_then(|(number, millis)| number.checked_mul(millis))
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| "may be a whole number with ms, s, m or h, e.g. 10s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: TailArgs,
    }

    fn parse(line: &str) -> Result<TailArgs, clap::Error> {
        let words = std::iter::once("tail").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.args)
    }

    #[test]
    fn a_symbol_is_all_that_is_needed() {
        let args = parse("BINANCE:BTC-USDT").unwrap();
        assert_eq!(args.url, ["ws://127.0.0.1:8080/ws"]);
        assert_eq!(args.depth, Depth::D10);
        assert_eq!(args.channel, [Channel::Book, Channel::Trades]);
    }

    #[test]
    fn everything_can_be_chosen() {
        let line = "A:B C:D --url ws://a/ws --url ws://b/ws --depth full --speed 100ms \
                    --group 0.5 --interval 1h --channel bbo,status,bars \
                    --json --raw out.sbe --count 10 --duration 1500ms";
        let args = parse(line).unwrap();
        assert_eq!((args.symbols.len(), args.url.len()), (2, 2));
        assert_eq!(args.channel, [Channel::Bbo, Channel::Status, Channel::Bars]);
        assert_eq!(args.interval, BarInterval::H1);
        assert_eq!(args.duration, Some(Duration::from_millis(1500)));
        assert_eq!(args.speed, Speed::Ms100);
        assert_eq!(args.group.unwrap().to_string(), "0.5");
        assert_eq!((args.count, args.json), (Some(10), true));
    }

    #[test]
    fn a_start_is_an_offset_a_time_or_how_long_ago() {
        let start = |text: &str| parse(&format!("A:B --start {text}")).unwrap().start;
        assert_eq!(start("17"), Some(Start::Seq(Seq(17))));
        let time = Some(Start::Time(Nanos(1_769_860_800_000_000_000)));
        assert_eq!(start("1769860800000000000"), time);
        assert_eq!(start("2026-01-31T12:00:00Z"), time);
        assert!(matches!(start("10m"), Some(Start::Time(Nanos(ago))) if ago > LEAST_TIME));
        let paced = parse("A:B --start 17 --pace 2.5").unwrap();
        assert_eq!(paced.pace, Some(PaceArg(Pace::parse("2.5"))));
    }

    #[test]
    fn an_error_says_what_is_allowed() {
        for (line, word) in [
            ("", "SYMBOL"),
            ("BTC", "VENUE:SYMBOL"),
            ("A:B --url http://a", "ws://"),
            ("A:B --depth 7", "500"),
            ("A:B --speed 5ms", "250ms"),
            ("A:B --group 0", "above"),
            ("A:B --channel news", "ticker"),
            ("A:B --interval 7m", "15m"),
            ("A:B --encoding json", "sbe or packed"),
            ("A:B --encoding packed", ""),
            ("A:B --duration 10", ""),
            ("A:B --duration 0s", "10s"),
            ("A:B --duration 1d", "10s"),
            ("A:B --count 0", "1.."),
            ("A:B --start yesterday", "ago"),
            ("A:B --pace 2", "--start"),
            ("A:B --start 5 --pace 0", "0.01"),
            ("A:B --json --plain", "--plain"),
        ] {
            let parsed = parse(line);
            if word.is_empty() {
                assert!(parsed.is_ok(), "{line}");
                continue;
            }
            let error = parsed.unwrap_err().to_string();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
