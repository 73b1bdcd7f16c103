use std::fmt::Write as _;

use crate::peers::outcome::{Missing, Outcome, Run, Work};
use crate::peers::peer::Peer;
use crate::peers::scenario::Kind;
use crate::result::Measured;

/// A table, to be written as Markdown or text.
struct Table {
    title: String,
    head: Vec<String>,
    /// The first cell is a name, the others are figures.
    rows: Vec<Vec<String>>,
}

/// A missing figure.
const NONE: &str = "–";

/// Writes the tables for a terminal.
pub(crate) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for table in tables(outcome) {
        let widths: Vec<usize> = (0..table.head.len())
            .map(|column| {
                let cells = table.rows.iter().chain([&table.head]);
                cells
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        let _ = writeln!(text, "{}", table.title);
        for row in [&table.head].into_iter().chain(&table.rows) {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let _ = match column {
                    0 => write!(text, "  {cell:width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.push('\n');
        }
        text.push('\n');
    }
    for line in notes(outcome) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Writes a report with the machine, the commit and the charts.
pub(super) fn markdown(all: &Measured<Outcome>, plots: &[(String, String)]) -> String {
    let (outcome, machine) = (&all.result, &all.machine);
    let pinned = if outcome.pinned {
        "the server on one core, the clients on another"
    } else {
        "no core chosen"
    };
    let mut text = format!(
        "# Tapecast beside its peers\n\n\
         Commit {}; {} ({} cores, {} MiB), {}; {} rounds of {} s, medians; messages of {} bytes; {pinned}.\n\n",
        all.commit.0,
        machine.model,
        machine.cores,
        machine.memory_kib / 1024,
        machine.kernel,
        outcome.rounds,
        outcome.seconds,
        outcome.size,
    );
    for table in tables(outcome) {
        let _ = writeln!(text, "## {}\n\n| {} |", table.title, table.head.join(" | "));
        let _ = writeln!(text, "|---{}", "|---:".repeat(table.head.len() - 1) + "|");
        for row in &table.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text.push('\n');
    }
    text.push_str("## What to know\n\n");
    for line in notes(outcome) {
        let _ = writeln!(text, "- {line}");
    }
    text.push('\n');
    for (title, file) in plots {
        let _ = writeln!(text, "![{title}]({file})\n");
    }
    text
}

/// Describes a scenario.
pub(super) fn title(work: &Work, runs: &[Run]) -> String {
    let topics = match work.topics_each {
        1 => "one topic".to_owned(),
        each => format!("{each} topics each"),
    };
    let head = format!(
        "{}: {} clients, {topics}",
        work.scenario.name(),
        count(work.clients)
    );
    match (work.scenario, runs.first()) {
        (Kind::Search, _) => format!("{head}, the highest rate delivered in full"),
        (_, Some(run)) if run.offered > 0.0 => format!(
            "{head}, {} messages/s: {} deliveries/s",
            large(run.rate),
            large(run.offered)
        ),
        _ => head,
    }
}

fn tables(outcome: &Outcome) -> Vec<Table> {
    let medians = outcome.medians();
    let mut tables = Vec::new();
    for (work, runs) in &medians {
        match work.scenario {
            Kind::Idle | Kind::Growth => {}
            _ => tables.push(whole(work, runs)),
        }
    }
    let by_clients = |kind, title: &str, figure: &dyn Fn(&Run) -> Option<f64>| {
        let of: Vec<_> = medians
            .iter()
            .filter(|(work, _)| work.scenario == kind)
            .collect();
        (!of.is_empty()).then(|| across(title, &of, figure))
    };
    tables.extend(by_clients(
        Kind::Growth,
        "growth: CPU µs a delivery, by clients",
        &|run| run.cpu_us,
    ));
    tables.extend(by_clients(
        Kind::Idle,
        "idle: KiB of the server's memory a client, by clients with 10 topics each",
        &|run| Some(run.client_kib()),
    ));
    tables
}

/// All figures of one scenario.
fn whole(work: &Work, runs: &[Run]) -> Table {
    let limit = runs
        .iter()
        .find(|run| run.peer == Peer::Loop)
        .and_then(|run| run.cpu_us);
    let head = [
        "server",
        "CPU µs",
        "× loop",
        "delivered/s",
        "of offered",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "KiB a client",
        "bytes",
        "a read",
        "cores",
        "clients' core",
    ];
    let rows = runs.iter().map(|run| {
        let ms = |quantile| some(run.latency(quantile).map(|micros| micros / 1e3), 2);
        let ratio = run.cpu_us.zip(limit).map(|(cpu, limit)| cpu / limit);
        let share =
            (run.offered > 0.0).then(|| format!("{:.1} %", run.delivered / run.offered * 100.0));
        vec![
            run.peer.name().to_owned(),
            some(run.cpu_us, 2),
            some(ratio, 2),
            large(run.delivered),
            share.unwrap_or_else(|| NONE.to_owned()),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            some(Some(run.client_kib()), 2),
            some(Some(run.bytes), 0),
            some(Some(run.a_read), 2),
            some(Some(run.cores), 2),
            some(Some(run.client_cores), 2),
        ]
    });
    Table {
        title: title(work, runs),
        head: head.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// One figure of every server, by number of clients.
fn across(title: &str, of: &[&(Work, Vec<Run>)], figure: &dyn Fn(&Run) -> Option<f64>) -> Table {
    let mut of = of.to_vec();
    of.sort_by_key(|(work, _)| work.clients);
    let mut peers: Vec<Peer> = of
        .iter()
        .flat_map(|(_, runs)| runs)
        .map(|run| run.peer)
        .collect();
    peers.sort_unstable();
    peers.dedup();
    let clients = of.iter().map(|(work, _)| count(work.clients));
    let row = |peer: Peer| {
        let cells = of.iter().map(|(_, runs)| {
            let run = runs.iter().find(|run| run.peer == peer);
            some(run.and_then(figure), 2)
        });
        [peer.name().to_owned()].into_iter().chain(cells).collect()
    };
    Table {
        title: title.to_owned(),
        head: ["server".to_owned()].into_iter().chain(clients).collect(),
        rows: peers.into_iter().map(row).collect(),
    }
}

/// Notes on how to read the figures.
fn notes(outcome: &Outcome) -> Vec<String> {
    let medians = outcome.medians();
    let mut notes = Vec::new();
    let mut peers: Vec<Peer> = outcome.runs.iter().map(|run| run.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    for peer in peers {
        if let Some(caveat) = peer.caveat() {
            notes.push(format!("{}: {caveat}", peer.name()));
        }
    }
    for (work, run) in medians
        .iter()
        .flat_map(|(work, runs)| runs.iter().map(move |run| (work, run)))
    {
        let what = format!(
            "{}, {}, {} clients",
            run.peer.name(),
            work.scenario.name(),
            work.clients
        );
        if let Some(publisher) = run.publisher_cpu_us {
            notes.push(format!(
                "{what}: its publisher used another {publisher:.2} CPU µs per delivery"
            ));
        }
        if run.threads_cpu_us.len() > 1 && run.peer == Peer::Tapecast {
            let threads: Vec<String> = run
                .threads_cpu_us
                .iter()
                .map(|(name, micros)| format!("{name} {micros:.3}"))
                .collect();
            notes.push(format!(
                "{what}: CPU µs a delivery by thread: {}",
                threads.join(", ")
            ));
        }
        if run.closed > 0 {
            let trouble = run.trouble.as_deref().unwrap_or_default();
            notes.push(format!(
                "{what}: {} clients lost their connection: {trouble}",
                run.closed
            ));
        }
        // Above this, the clients may be the bottleneck.
        const BUSY: f64 = 0.9;
        if run.client_cores > BUSY {
            notes.push(format!(
                "{what}: the clients' core was busy, and may have been the bottleneck"
            ));
        }
    }
    notes.extend(outcome.missing.iter().map(cannot));
    notes
}

fn cannot(missing: &Missing) -> String {
    let what = missing
        .work
        .as_ref()
        .map(|work| format!(", {}, {} clients", work.scenario.name(), work.clients));
    format!(
        "{}{}: not measured: {}",
        missing.peer.name(),
        what.unwrap_or_default(),
        missing.reason
    )
}

fn some(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| NONE.to_owned(), |figure| format!("{figure:.digits$}"))
}

/// A large number with some three digits.
pub(super) fn large(figure: f64) -> String {
    match figure {
        _ if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        _ if figure >= 1e4 => format!("{:.1} k", figure / 1e3),
        _ if figure >= 10.0 || figure.fract() == 0.0 => format!("{figure:.0}"),
        _ => format!("{figure:.2}"),
    }
}

fn count(clients: usize) -> String {
    let digits = clients.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::outcome::QUANTILES;

    #[test]
    fn counts_are_for_eyes() {
        assert_eq!(count(19_000), "19,000");
        assert_eq!(count(200), "200");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(large(20_000.0), "20.0 k");
        assert_eq!(large(10_000_000.0), "10.00 M");
        assert_eq!(large(100.0), "100");
        assert_eq!(large(1.0526), "1.05");
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let outcome = Outcome {
            rounds: 1,
            seconds: 1,
            size: 64,
            pinned: false,
            runs: vec![Run {
                latency_us: vec![1_500.0; QUANTILES.len()],
                ..crate::peers::tests::run(100.0, 50.0)
            }],
            missing: vec![Missing {
                peer: Peer::Nats,
                work: None,
                reason: "not installed".to_owned(),
            }],
        };
        let text = text(&outcome);
        assert!(text.contains("nats: not measured: not installed"), "{text}");
        assert!(text.contains("50.0 %") && text.contains("1.50"), "{text}");
    }
}
