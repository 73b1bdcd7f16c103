use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::PeersArgs;
use super::schedule::Schedule;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// 200 clients, 100 messages per second, one topic
    Light,
    /// 500 clients, 20,000 and 40,000 messages per second, one topic
    Saturation,
    /// 500 clients, one topic; the highest rate that is delivered in full
    Search,
    /// 2,000 clients with 10 of 200 topics each; Zipf-distributed rates and popularity
    Mix,
    /// 1,000 to 19,000 clients with 10 topics each and no messages; memory
    Idle,
    /// 100 to 19,000 clients with the same total deliveries per second; CPU per delivery
    Growth,
}

/// The work of one measurement.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) clients: usize,
    pub(super) topics_each: usize,
    /// Time between two messages, in ns; `None` if there are none.
    pub(super) period: Option<u64>,
    pub(super) schedule: Schedule,
}

/// Number of topics in scenarios with several, and topics per client.
const TOPICS: u16 = 200;
const TOPICS_EACH: usize = 10;
/// Deliveries per second in the growth scenario, whatever the number of clients.
const GROWTH_DELIVERIES: u64 = 20_000;
const SECOND: u64 = 1_000_000_000;

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Saturation => "saturation",
            Self::Search => "search",
            Self::Mix => "mix",
            Self::Idle => "idle",
            Self::Growth => "growth",
        }
    }

    fn clients(self) -> &'static [usize] {
        match self {
            Self::Light => &[200],
            Self::Saturation | Self::Search => &[500],
            Self::Mix => &[2_000],
            Self::Idle => &[1_000, 5_000, 19_000],
            Self::Growth => &[100, 1_000, 5_000, 19_000],
        }
    }

    /// Messages per second.
    fn rates(self) -> &'static [u64] {
        match self {
            Self::Light => &[100],
            Self::Saturation => &[20_000, 40_000],
            Self::Search => &[100],
            Self::Mix => &[1_000],
            Self::Idle | Self::Growth => &[],
        }
    }
}

impl Scenario {
    /// All requested scenarios, in the order of the request.
    pub(super) fn all(args: &PeersArgs) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in &args.scenarios {
            let clients = or(&args.clients, kind.clients());
            for clients in clients {
                let several = matches!(kind, Kind::Mix | Kind::Idle);
                let schedule = if several {
                    Schedule::zipf(TOPICS, args.seed)
                } else {
                    Schedule::single()
                };
                let one = |period| Self {
                    kind: *kind,
                    clients: *clients,
                    topics_each: if several { TOPICS_EACH } else { 1 },
                    period,
                    schedule: schedule.clone(),
                };
                match kind {
                    Kind::Idle => all.push(one(None)),
                    Kind::Growth => {
                        let period = *clients as u64 * SECOND / GROWTH_DELIVERIES;
                        all.push(one(Some(period)));
                    }
                    _ => {
                        let rates = or(&args.rate, kind.rates());
                        all.extend(rates.iter().map(|rate| one(Some(period(*rate)))));
                    }
                }
            }
        }
        all
    }
}

/// The time between two messages, in ns.
pub(super) fn period(rate: u64) -> u64 {
    (SECOND / rate.clamp(1, SECOND)).max(1)
}

/// Messages per second.
pub(super) fn rate(period: u64) -> f64 {
    SECOND as f64 / period.max(1) as f64
}

fn or<'a, T>(given: &'a [T], own: &'a [T]) -> &'a [T] {
    if given.is_empty() { own } else { given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_periods_of_whole_nanoseconds() {
        assert_eq!(period(100), 10_000_000);
        assert_eq!(period(40_000), 25_000);
        assert_eq!(period(0), SECOND);
        assert!((rate(period(20_000)) - 20_000.0).abs() < 1e-9);
    }
}
