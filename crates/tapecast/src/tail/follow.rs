use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client::{Client, Event, Subscription};
use market::{Channel, InstrumentName};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::TailArgs;
use super::notice::Notice;
use super::raw::Raw;
use super::screen::{Screen, Whole};
use super::terminal::Terminal;
use super::verdict::Verdict;
use super::watched::{Phase, Stream, StreamName, Watched, is_data};
use super::{json, plain};
use node::clock::wall_clock;

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// How often figures are printed as lines.
const LINES: Duration = Duration::from_secs(1);
/// Events between two checks of the clock and of signals.
const EVENTS_AT_ONCE: usize = 256;

/// The output.
enum View {
    Screen(Screen, Terminal),
    Plain,
    Json,
}

struct Tail {
    client: Client,
    watched: Vec<Watched>,
    view: View,
    raw: Option<Raw>,
    begin: Instant,
    /// The state of the connection in words, and whether it is connected.
    link: (String, bool),
    /// Data messages, in total and when the rate was last computed.
    messages: u64,
    counted: (Instant, u64),
    rate: u64,
}

/// Follows until a limit or a signal, and reports the result.
pub(super) async fn follow(args: TailArgs) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let (count, duration) = (args.count.unwrap_or(u64::MAX), args.duration);
    let mut tail = Tail::start(&args)?;
    let mut tick = tokio::time::interval(match tail.view {
        View::Screen(..) => FRAME,
        View::Plain | View::Json => LINES,
    });
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick is immediate, with nothing to show.
    tick.tick().await;
    let end = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let mut end = std::pin::pin!(end);
    while tail.messages < count && !tail.is_over() {
        let done = tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = &mut end => break,
            _ = tick.tick() => tail.tick(),
            more = tail.some_events(count) => more,
        };
        match done {
            Ok(()) => {}
            // The reader is gone, as with `| head`.
            Err(error) if is_broken_pipe(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    tail.finish().await
}

/// What `args` ask for of one channel.
fn subscription(args: &TailArgs, name: &InstrumentName, channel: Channel) -> Subscription {
    let mut subscription = Subscription::new(channel, name.as_str());
    if channel == Channel::Book {
        subscription = subscription.depth(args.depth);
        if let Some(step) = args.group {
            subscription = subscription.group(step);
        }
    }
    if channel == Channel::Bars {
        subscription = subscription.interval(args.interval);
    }
    if !matches!(channel, Channel::Trades | Channel::Status) {
        subscription = subscription.speed(args.speed);
    }
    if let Some(start) = args.start {
        subscription = subscription.start(start);
    }
    if let Some(pace) = args.pace.and_then(|pace| pace.0) {
        subscription = subscription.pace(pace);
    }
    subscription
}

impl Tail {
    fn start(args: &TailArgs) -> anyhow::Result<Self> {
        let mut builder = Client::builder()
            .encoding(args.encoding)
            .raw(args.raw.is_some());
        for url in &args.url {
            builder = builder.endpoint(url.as_str());
        }
        if let Some(file) = &args.ca_file {
            let pem =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            builder = builder.root_certificates(pem);
        }
        if let Some(file) = args.token_file.clone() {
            // Reports a missing file now, not at the first attempt.
            std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            builder = builder.token_from(move || std::fs::read_to_string(&file));
        }
        let mut client = builder.build()?;
        let mut watched = Vec::with_capacity(args.symbols.len());
        for (index, name) in args.symbols.iter().enumerate() {
            if args.symbols[..index].contains(name) {
                continue;
            }
            let mut one = Watched::new(name.clone())?;
            for channel in &args.channel {
                if one.streams.iter().any(|stream| stream.channel == *channel) {
                    continue;
                }
                let subscription = subscription(args, name, *channel);
                let id = client
                    .subscribe(&subscription)
                    .with_context(|| format!("{name}: {}", channel.name()))?;
                one.streams.push(Stream::new(id, *channel));
            }
            watched.push(one);
        }
        let raw = args.raw.as_deref().map(Raw::open).transpose()?;
        let view = if args.json {
            View::Json
        } else if args.plain || !io::stdout().is_terminal() {
            View::Plain
        } else {
            let terminal = Terminal::open().context("cannot use the terminal")?;
            View::Screen(Screen::default(), terminal)
        };
        let begin = Instant::now();
        Ok(Self {
            client,
            watched,
            view,
            raw,
            begin,
            link: ("connecting".to_owned(), false),
            messages: 0,
            counted: (begin, 0),
            rate: 0,
        })
    }

    /// Returns whether every stream was rejected, so that nothing more can come.
    fn is_over(&self) -> bool {
        let mut streams = self.watched.iter().flat_map(|one| &one.streams);
        streams.all(|stream| stream.phase == Phase::Rejected)
    }

    /// Takes the next event and all that are queued, so that the clock need not be read for each.
    async fn some_events(&mut self, count: u64) -> anyhow::Result<()> {
        let Some(event) = self.client.next_event().await else {
            bail!("the client is closed");
        };
        self.take(&event)?;
        for _ in 1..EVENTS_AT_ONCE {
            if self.messages >= count {
                break;
            }
            let Some(event) = self.client.ready_event() else {
                break;
            };
            self.take(&event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Raw { bytes, .. } => {
                if let Some(raw) = &mut self.raw {
                    raw.add(bytes)?;
                }
                return Ok(());
            }
            Event::Connected { endpoint } => self.link = (endpoint.to_string(), true),
            Event::Reconnecting { cause, .. } => {
                self.link = (format!("reconnecting: {cause}"), false);
            }
            other if is_data(other) => self.messages += 1,
            _ => {}
        }
        if let Some(id) = event.subscription()
            && let Some(one) = self.watched.iter_mut().find(|one| one.has(id))
        {
            one.take(event);
        }
        self.show_event(event)
    }

    /// Shows an event that is worth a line.
    fn show_event(&mut self, event: &Event) -> anyhow::Result<()> {
        let whose = event
            .subscription()
            .and_then(|id| StreamName::find(&self.watched, id));
        match &mut self.view {
            View::Screen(screen, _) => {
                if let Some(notice) = Notice::of(event) {
                    screen.note(wall_clock(), whose, notice);
                }
            }
            View::Plain => {
                if let Some(notice) = Notice::of(event) {
                    print(&plain::notice(wall_clock(), whose, &notice))?;
                }
            }
            View::Json => {
                if let Some(line) = json::line(event, whose, self.client.session()) {
                    print(&line)?;
                }
            }
        }
        Ok(())
    }

    /// Shows the current state.
    fn tick(&mut self) -> anyhow::Result<()> {
        for one in &mut self.watched {
            one.count(self.client.session());
        }
        let (at, before) = self.counted;
        let passed = at.elapsed();
        if passed >= LINES {
            let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
            self.rate = (self.messages - before) * 1000 / millis;
            self.counted = (Instant::now(), self.messages);
        }
        let reconnects = self.client.stats().connections.saturating_sub(1);
        match &mut self.view {
            View::Screen(screen, terminal) => {
                let whole = Whole {
                    link: &self.link.0,
                    up: self.link.1,
                    running: self.begin.elapsed(),
                    reconnects,
                    rate: self.rate,
                };
                let extent = Terminal::extent();
                terminal.show(&screen.render(
                    extent,
                    &self.watched,
                    self.client.session(),
                    whole,
                ))?;
            }
            View::Plain => {
                let now = wall_clock();
                for one in &self.watched {
                    print(&plain::figures(now, one, self.client.session(), reconnects))?;
                }
            }
            View::Json => {}
        }
        Ok(())
    }

    /// Disconnects and reports the result.
    async fn finish(mut self) -> anyhow::Result<()> {
        for one in &mut self.watched {
            one.count(self.client.session());
        }
        let verdict = Verdict::of(&self.watched, self.client.session());
        self.client.close();
        while self.client.next_event().await.is_some() {}
        if let Some(raw) = self.raw.take() {
            raw.finish()?;
        }
        let is_json = matches!(self.view, View::Json);
        // Restores the terminal.
        drop(self.view);
        if is_json {
            print(&verdict.to_json())?;
        } else {
            print(&verdict.to_string())?;
        }
        if !verdict.wrong.is_empty() {
            bail!("{}", verdict.wrong.join("; "));
        }
        Ok(())
    }
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
