//! A node's configuration file.

use std::fmt::Write as _;

/// The settings of a test's node, from which its file is written.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    brokers: String,
    topics: String,
    rules: String,
    more: String,
}

impl Settings {
    /// A node of this Kafka, with logs and runs that hold an entire capture: nothing is conflated
    /// unless a test wants it.
    #[must_use]
    pub fn new(brokers: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            ..Self::default()
        }
    }

    /// Another kind of topics, with more keys as TOML.
    #[must_use]
    pub fn topics(mut self, pattern: &str, format: &str, more: &str) -> Self {
        write!(
            self.topics,
            "[[topics]]\npattern = '{pattern}'\nformat = \"{format}\"\n{more}\n"
        )
        .expect("a text grows");
        self
    }

    /// A rule that names an instrument, with more keys as TOML.
    #[must_use]
    pub fn instrument(mut self, name: &str, more: &str) -> Self {
        write!(
            self.rules,
            "[[instruments.rules]]\nmatch = \"{name}\"\n{more}\n"
        )
        .expect("a text grows");
        self
    }

    /// Tables as TOML, instead of the usual ones: a text with `[streams]` replaces that.
    #[must_use]
    pub fn more(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// The file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = format!(
            "[kafka]\nbrokers = \"{}\"\ndiscovery_interval = \"100ms\"\n",
            self.brokers
        );
        for (table, usual) in [
            (
                "[streams]",
                "log_bytes_per_instrument = \"64MiB\"\nrun_bytes_per_stream = \"64MiB\"\n\
                 run_bytes_for_slow = \"64MiB\"",
            ),
            ("[session]", "drain_delay = \"200ms\""),
        ] {
            if !self.more.contains(table) {
                writeln!(toml, "{table}\n{usual}").expect("a text grows");
            }
        }
        toml + &self.topics + &self.rules + &self.more
    }
}
