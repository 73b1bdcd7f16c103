use std::str::FromStr;

use anyhow::Context as _;
use market::{Channel, InstrumentName};
use wire::Depth;
use wire::control::{MAX_REQUEST, Policy, Request, Resume, StreamRequest};

use super::SubscribeArgs;
use crate::publish::Zipf;

/// Placeholder for an instrument's number.
const PLACE: &str = "{i}";
/// Bytes of a request besides its streams.
const ENVELOPE: usize = 64;

/// `CHANNEL[@DEPTH]:VENUE:SYMBOL`, with an optional placeholder for many instruments.
#[derive(Debug, Clone)]
pub(super) struct StreamSpec {
    channel: Channel,
    depth: Depth,
    symbol: String,
}

/// One stream of one instrument.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) channel: Channel,
    pub(super) depth: Depth,
    pub(super) name: InstrumentName,
}

impl FromStr for StreamSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (what, symbol) = text
            .split_once(':')
            .ok_or("must be CHANNEL[@DEPTH]:VENUE:SYMBOL")?;
        let (channel, depth) = what.split_once('@').unwrap_or((what, "full"));
        let depth = match depth.parse() {
            Ok(levels) => Depth::from_levels(levels),
            Err(_) => (depth == "full").then_some(Depth::Full),
        };
        let spec = Self {
            channel: Channel::from_name(channel)
                .ok_or_else(|| format!("unknown channel {channel:?}"))?,
            depth: depth.ok_or("the depth must be 1, 5, 10, 25, 50, 100, 500, 1000 or full")?,
            symbol: symbol.to_owned(),
        };
        spec.of(1).map_err(|error| error.to_string())?;
        Ok(spec)
    }
}

impl StreamSpec {
    fn of(&self, number: usize) -> anyhow::Result<Wanted> {
        let symbol = self.symbol.replace(PLACE, &format!("{number:05}"));
        Ok(Wanted {
            channel: self.channel,
            depth: self.depth,
            name: InstrumentName::parse(&symbol)
                .with_context(|| format!("bad instrument {symbol:?}"))?,
        })
    }

    fn all(&self, instruments: usize) -> impl Iterator<Item = anyhow::Result<Wanted>> {
        let count = if self.symbol.contains(PLACE) {
            instruments
        } else {
            1
        };
        (1..=count).map(|number| self.of(number))
    }
}

/// Picks the streams of each client.
#[derive(Debug)]
pub(super) struct Choice {
    all: Vec<Wanted>,
    pick: usize,
    order: Order,
    random: fastrand::Rng,
}

/// How clients pick streams.
#[derive(Debug)]
enum Order {
    /// Popular streams more often.
    Popular(Zipf),
    /// In order, each client those after the previous client's.
    Next(usize),
}

impl Choice {
    pub(super) fn new(args: &SubscribeArgs) -> anyhow::Result<Self> {
        let specs = args.streams.iter();
        let all = specs
            .flat_map(|spec| spec.all(args.instruments))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let pick = args.pick.unwrap_or(all.len()).min(all.len());
        Ok(Self {
            pick,
            order: if args.in_order {
                Order::Next(args.first() * pick)
            } else {
                Order::Popular(Zipf::new(all.len(), args.zipf))
            },
            random: fastrand::Rng::with_seed(args.seed),
            all,
        })
    }

    pub(super) fn wanted(&self, index: u32) -> &Wanted {
        &self.all[index as usize]
    }

    /// The next client's streams, none twice.
    pub(super) fn next(&mut self) -> Box<[u32]> {
        let all = self.all.len();
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        if self.pick == all {
            return (0..all).map(number).collect();
        }
        let mut chosen = Vec::with_capacity(self.pick);
        while chosen.len() < self.pick {
            let mut index = match &mut self.order {
                Order::Popular(zipf) => zipf.choose(&mut self.random),
                Order::Next(next) => {
                    *next += 1;
                    (*next - 1) % all
                }
            };
            // Replaces a repetition by the next stream that is not picked yet, which always
            // terminates.
            while chosen.contains(&number(index)) {
                index = (index + 1) % all;
            }
            chosen.push(number(index));
        }
        chosen.into()
    }
}

/// Subscribe requests, each within the size that a node accepts.
pub(super) fn requests<'a>(
    streams: impl Iterator<Item = (&'a Wanted, Option<Resume>)>,
    policy: Policy,
) -> Vec<String> {
    let mut requests = Vec::new();
    let mut batch: Vec<StreamRequest> = Vec::new();
    let mut bytes = ENVELOPE;
    for (wanted, resume) in streams {
        let mut request = StreamRequest::new(wanted.channel, wanted.name.clone())
            .depth(wanted.depth)
            .policy(policy);
        if let Some(resume) = resume {
            request = request.resume(resume.epoch, resume.seq);
        }
        let len = Request::subscribe(0, [request.clone()]).to_json().len();
        if bytes + len > MAX_REQUEST && !batch.is_empty() {
            requests.push(std::mem::take(&mut batch));
            bytes = ENVELOPE;
        }
        bytes += len;
        batch.push(request);
    }
    requests.push(batch);
    (0_u64..)
        .zip(requests)
        .map(|(id, streams)| Request::subscribe(id, streams).to_json())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_channel_depth_and_instrument() {
        let spec: StreamSpec = "book@50:BINANCE:BTC-USDT".parse().unwrap();
        assert_eq!((spec.channel, spec.depth), (Channel::Book, Depth::D50));
        let spec: StreamSpec = "trades:LOAD:I{i}".parse().unwrap();
        let names: Vec<_> = spec.all(2).map(|wanted| wanted.unwrap().name).collect();
        assert_eq!(names[1].as_str(), "LOAD:I00002");
        for wrong in ["book", "books:A:B", "book@7:A:B", "book:A", "book:a:B"] {
            assert!(wrong.parse::<StreamSpec>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn requests_stay_within_what_a_node_reads() {
        let spec: StreamSpec = "book@50:LOAD:I{i}".parse().unwrap();
        let all: Vec<_> = spec.all(500).map(Result::unwrap).collect();
        let requests = requests(all.iter().map(|wanted| (wanted, None)), Policy::Disconnect);
        assert!(requests.iter().all(|request| request.len() <= MAX_REQUEST));
        let streams: usize = requests
            .iter()
            .map(|text| text.matches("channel").count())
            .sum();
        assert_eq!(streams, 500);
    }

    #[test]
    fn clients_that_choose_in_order_leave_no_stream_out() {
        let spec: StreamSpec = "bbo:LOAD:I{i}".parse().unwrap();
        let mut choice = Choice {
            all: spec.all(10).map(Result::unwrap).collect(),
            pick: 3,
            order: Order::Next(9),
            random: fastrand::Rng::with_seed(1),
        };
        assert_eq!(*choice.next(), [9, 0, 1]);
        assert_eq!(*choice.next(), [2, 3, 4]);
        choice.order = Order::Popular(Zipf::new(10, 5.0));
        let mut chosen = choice.next();
        chosen.sort_unstable();
        assert!(
            chosen.windows(2).all(|pair| pair[0] < pair[1]),
            "{chosen:?}"
        );
    }
}
