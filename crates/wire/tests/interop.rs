//! The official SBE tool's code and ours read each other's messages.
//!
//! The tool generates Java from the schema into Cargo's target directory; `interop/Interop.java`
//! reads our bytes with it, prints what it read, and encodes it again.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may read files and clocks, and run programs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/examples.rs"]
mod examples;

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use market::{Aggressor, Channel, Level};
use wire::sbe::Messages;
use wire::{Head, OwnedBody, OwnedMessage};

const INTEROP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/tapecast.xml");

#[test]
fn the_official_tool_and_we_read_each_others_messages() {
    let official = Official::build();
    let messages = examples::examples();
    let mut ours = Vec::new();
    for message in &messages {
        message.encode(&mut ours).unwrap();
    }
    let (lines, theirs) = official.run(&ours);
    for (message, line) in messages.iter().zip(lines.lines()) {
        assert_eq!(line, dump(message));
    }
    assert_eq!(lines.lines().count(), messages.len());
    let read: Vec<_> = Messages::new(&theirs)
        .map(|message| message.unwrap().into_owned())
        .collect();
    assert_eq!(read, messages);
    assert!(theirs == ours, "both encoders write the same bytes");
}

/// The tool, the code that it generated, and `Interop.java`, compiled.
struct Official {
    directory: PathBuf,
    class_path: String,
}

impl Official {
    /// Made anew when something that it is made of has changed: it takes many seconds.
    fn build() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
        let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let jars = format!("{}/*", at("jars"));
        let class_path = format!("{jars}:{}", at("classes"));
        let made_of = [
            SCHEMA.to_owned(),
            format!("{INTEROP}/pom.xml"),
            format!("{INTEROP}/Interop.java"),
        ]
        .map(|path| fs::read_to_string(path).unwrap())
        .concat();
        let stamp = directory.join("made-of");
        if fs::read_to_string(&stamp).is_ok_and(|before| before == made_of) {
            return Self {
                directory,
                class_path,
            };
        }
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        run(Command::new("mvn")
            .args(["--batch-mode", "--quiet", "--file"])
            .arg(format!("{INTEROP}/pom.xml"))
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", at("jars"))));
        // The schema itself is accepted; the code is generated from the one with another name.
        sbe_tool(&jars, SCHEMA, "-Dsbe.generate.stubs=false");
        let renamed = at("tapecast.xml");
        fs::write(&renamed, renamed_schema()).unwrap();
        let sources = at("sources");
        sbe_tool(&jars, &renamed, &format!("-Dsbe.output.dir={sources}"));
        run(Command::new("javac")
            .args(["-Xlint:all,-processing", "-Werror", "-cp", &jars])
            .args(["-d", &at("classes")])
            .arg(format!("{INTEROP}/Interop.java"))
            .args(java_files(Path::new(&sources))));
        fs::write(stamp, made_of).unwrap();
        Self {
            directory,
            class_path,
        }
    }

    /// What the official code reads in these messages, and what it makes of it again.
    fn run(&self, messages: &[u8]) -> (String, Vec<u8>) {
        let at = |name| self.directory.join(name);
        fs::write(at("ours.bin"), messages).unwrap();
        run(Command::new("java")
            .arg("--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED")
            .args(["-cp", &self.class_path, "Interop"])
            .args([at("ours.bin"), at("lines.txt"), at("theirs.bin")]));
        (
            fs::read_to_string(at("lines.txt")).unwrap(),
            fs::read(at("theirs.bin")).unwrap(),
        )
    }
}

fn sbe_tool(jars: &str, schema: &str, what: &str) {
    run(Command::new("java")
        .arg("--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED")
        .arg("-Dsbe.validation.stop.on.error=true")
        .args(["-Dsbe.target.language=Java", what, "-cp", jars])
        .args(["uk.co.real_logic.sbe.SbeTool", schema]));
}

/// The schema as generators take it that name a group's class after the group and put it into the
/// message's class: there the group `trades` of the message `Trades` needs another name. Names
/// are not on the wire.
fn renamed_schema() -> String {
    let schema = fs::read_to_string(SCHEMA).unwrap();
    assert_eq!(schema.matches("<group name=\"trades\"").count(), 1);
    schema.replace("<group name=\"trades\"", "<group name=\"entries\"")
}

fn java_files(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("tapecast")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[track_caller]
fn run(command: &mut Command) {
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "{} is not installed: this test needs Maven 3.8 and a JDK 17, or later ones, on the \
             PATH (on Debian: apt-get install maven openjdk-17-jdk-headless)",
            command.get_program().display(),
        ),
        output => output.unwrap(),
    };
    assert!(
        output.status.success(),
        "{command:?} failed, {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// The line that `Interop.java` prints for a message.
fn dump(message: &OwnedMessage) -> String {
    let mut line = Line::default();
    match &message.body {
        OwnedBody::Instrument(info) => {
            line.begin("Instrument", &message.head);
            line.field("priceExponent", info.exponents.price);
            line.field("sizeExponent", info.exponents.size);
            line.field("state", info.state.name());
            line.optional("tickSize", info.tick_size.map(|price| price.0));
            line.optional("lotSize", info.lot_size.map(|size| size.0));
            line.text("venue", &info.venue);
            line.text("symbol", &info.symbol);
        }
        OwnedBody::BookSnapshot {
            checksum,
            chunk,
            chunks,
            bids,
            asks,
        } => {
            line.begin("BookSnapshot", &message.head);
            line.field("checksum", checksum);
            line.field("chunk", chunk);
            line.field("chunks", chunks);
            line.levels("bids", bids);
            line.levels("asks", asks);
        }
        OwnedBody::BookDelta {
            checksum,
            bids,
            asks,
        } => {
            line.begin("BookDelta", &message.head);
            line.field("checksum", checksum);
            line.levels("bids", bids);
            line.levels("asks", asks);
        }
        OwnedBody::Bbo(bbo) => {
            line.begin("Bbo", &message.head);
            for (price, size, side) in [
                ("bidPrice", "bidSize", bbo.bid),
                ("askPrice", "askSize", bbo.ask),
            ] {
                line.optional(price, side.map(|level| level.price.0));
                line.optional(size, side.map(|level| level.size.0));
            }
        }
        OwnedBody::Trades(trades) => {
            line.begin("Trades", &message.head);
            line.field("entries", trades.len());
            for trade in trades {
                line.field("price", trade.price.0);
                line.field("size", trade.size.0);
                line.field(
                    "side",
                    match trade.side {
                        Aggressor::Unknown => "UNKNOWN",
                        Aggressor::Buy => "BUY",
                        Aggressor::Sell => "SELL",
                    },
                );
                line.text("tradeId", &trade.id);
            }
        }
        OwnedBody::Ticker(ticker) => {
            line.begin("Ticker", &message.head);
            line.optional("open", ticker.open.map(|price| price.0));
            line.optional("high", ticker.high.map(|price| price.0));
            line.optional("low", ticker.low.map(|price| price.0));
            line.optional("last", ticker.last.map(|price| price.0));
            line.optional("volume", ticker.volume.map(|size| size.0));
            line.optional("vwap", ticker.vwap.map(|price| price.0));
            line.optional("change", ticker.change.map(|price| price.0));
            line.field("trades", ticker.trades);
        }
        OwnedBody::Bar(bar) => {
            line.begin("Bar", &message.head);
            line.field("interval", bar.interval);
            line.field("openTime", bar.open_time.0);
            line.field("open", bar.open.0);
            line.field("high", bar.high.0);
            line.field("low", bar.low.0);
            line.field("close", bar.close.0);
            line.field("volume", bar.volume.0);
            line.field("trades", bar.trades);
            line.field("closed", if bar.closed { "T" } else { "F" });
        }
        OwnedBody::Status(status) => {
            line.begin("Status", &message.head);
            line.channel(status.channel);
            line.field("state", status.state.name());
            line.field("reason", status.reason.name());
        }
        OwnedBody::Heartbeat(channel) => {
            line.begin("Heartbeat", &message.head);
            line.channel(*channel);
        }
        OwnedBody::Lag(lag) => {
            line.begin("Lag", &message.head);
            line.channel(lag.channel);
            line.field("kind", lag.kind.name());
            line.field("fromSeq", lag.from_seq.0);
            line.field("toSeq", lag.to_seq.0);
            line.field("messages", lag.messages);
            line.field("bytes", lag.bytes);
            line.field("age", lag.age);
        }
        OwnedBody::GoAway(go_away) => {
            line.begin("GoAway", &message.head);
            line.field("reason", go_away.reason.name());
            line.field("delay", go_away.delay);
            line.field("closeAfter", go_away.close_after);
        }
        OwnedBody::ReplayComplete(complete) => {
            line.begin("ReplayComplete", &message.head);
            line.channel(complete.channel);
            line.field("messages", complete.messages);
        }
    }
    line.0
}

#[derive(Default)]
struct Line(String);

impl Line {
    fn begin(&mut self, name: &str, head: &Head) {
        self.0 += name;
        self.field("instrumentId", head.instrument.0);
        self.field("prevSeq", head.prev_seq.0);
        self.field("seq", head.seq.0);
        self.optional("eventTime", head.event_time.map(|time| time.0));
        self.field("logTime", head.log_time.0);
        self.field("publishTime", head.publish_time.0);
        self.field("epoch", head.epoch.0);
        self.field("view", head.view.0);
    }

    fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        write!(self.0, " {name}={value}").unwrap();
    }

    fn optional(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        match value {
            Some(value) => self.field(name, value),
            None => self.field(name, "null"),
        }
    }

    fn channel(&mut self, channel: Channel) {
        self.field("channel", channel.name().to_uppercase());
    }

    fn levels(&mut self, name: &str, levels: &[Level]) {
        self.field(name, levels.len());
        for level in levels {
            self.field("price", level.price.0);
            self.field("size", level.size.0);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.field(name, hex);
    }
}
