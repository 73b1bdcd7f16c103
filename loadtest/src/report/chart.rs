//! The list of charts, and what is on them.

use super::table::title;
use crate::peers::outcome::{Outcome, QUANTILES, Run, Work};
use crate::peers::peer::Peer;
use crate::peers::scenario::Kind;

/// A chart with a line for each server.
pub(super) struct Chart {
    /// The name of its files, without extension.
    pub(super) file: String,
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// Whether to draw the diagonal where y = x.
    pub(super) diagonal: bool,
}

pub(super) struct Line {
    pub(super) peer: Peer,
    pub(super) points: Vec<(f64, f64)>,
}

pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
    /// Of quantiles: the distance from 0.9 to 0.99 is that from 0.99 to 0.999.
    Nines,
}

const CLIENTS: &str = "clients";

pub(super) fn all(outcome: &Outcome) -> Vec<Chart> {
    let medians = outcome.medians();
    let mut charts: Vec<Chart> = medians
        .iter()
        .filter(|(work, _)| matches!(work.scenario, Kind::Light | Kind::Mix | Kind::Saturation))
        .map(|(work, runs)| latencies(work, runs))
        .collect();
    charts.push(Chart {
        file: "growth-cpu".to_owned(),
        title: "CPU a delivery, by clients (20,000 deliveries/s in all)".to_owned(),
        x: axis(CLIENTS, Scale::Log),
        y: axis("server's CPU, µs a delivery", Scale::Linear),
        lines: by_clients(&medians, Kind::Growth, |run| run.cpu_us),
        diagonal: false,
    });
    charts.push(Chart {
        file: "idle-memory".to_owned(),
        title: "Memory a client, idle, 10 topics each".to_owned(),
        x: axis(CLIENTS, Scale::Log),
        y: axis("server's memory, KiB a client", Scale::Log),
        lines: by_clients(&medians, Kind::Idle, |run| Some(run.client_kib())),
        diagonal: false,
    });
    charts.push(Chart {
        file: "saturation".to_owned(),
        title: "Saturation: delivered against offered, 500 clients".to_owned(),
        x: axis("offered, deliveries/s", Scale::Log),
        y: axis("delivered, deliveries/s", Scale::Log),
        lines: saturation(&medians),
        diagonal: true,
    });
    charts.retain(|chart| chart.lines.iter().any(|line| !line.points.is_empty()));
    charts
}

fn latencies(work: &Work, runs: &[Run]) -> Chart {
    let rate = work
        .period
        .map_or(0, |period| 1_000_000_000 / period.max(1));
    let lines = runs.iter().map(|run| Line {
        peer: run.peer,
        points: QUANTILES
            .iter()
            .zip(&run.latency_us)
            .filter(|(quantile, _)| **quantile < 1.0)
            .map(|(quantile, micros)| (*quantile, micros / 1e3))
            .collect(),
    });
    Chart {
        file: format!("latency-{}-{}-{rate}", work.scenario.name(), work.clients),
        title: format!("Latency, {}", title(work, runs)),
        x: axis("percentile", Scale::Nines),
        y: axis("from due to read, ms", Scale::Log),
        lines: lines.collect(),
        diagonal: false,
    }
}

fn by_clients(
    medians: &[(Work, Vec<Run>)],
    kind: Kind,
    figure: impl Fn(&Run) -> Option<f64>,
) -> Vec<Line> {
    lines(medians, |work, run| {
        let figure = figure(run).filter(|_| work.scenario == kind)?;
        Some((work.clients as f64, figure))
    })
}

fn saturation(medians: &[(Work, Vec<Run>)]) -> Vec<Line> {
    lines(medians, |work, run| {
        let kind = matches!(work.scenario, Kind::Saturation | Kind::Search);
        kind.then_some((run.offered, run.delivered))
    })
}

/// A line for each server with at least one point.
fn lines(
    medians: &[(Work, Vec<Run>)],
    point: impl Fn(&Work, &Run) -> Option<(f64, f64)>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (work, runs) in medians {
        for run in runs {
            // A logarithmic scale has no zero.
            let Some(point) = point(work, run).filter(|(x, y)| *x > 0.0 && *y > 0.0) else {
                continue;
            };
            match lines.iter_mut().find(|line| line.peer == run.peer) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    peer: run.peer,
                    points: vec![point],
                }),
            }
        }
    }
    for line in &mut lines {
        line.points.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    lines.sort_by_key(|line| line.peer);
    lines
}

const fn axis(label: &'static str, scale: Scale) -> Axis {
    Axis { label, scale }
}

impl Scale {
    /// The position of a figure on a linear axis.
    pub(super) fn place(self, figure: f64) -> f64 {
        match self {
            Self::Linear => figure,
            Self::Log => figure.max(f64::MIN_POSITIVE).log10(),
            Self::Nines => -(1.0 - figure).max(1e-9).log10(),
        }
    }

    /// The ends of the axis and its ticks, for figures between two positions.
    pub(super) fn ticks(self, least: f64, most: f64) -> (f64, f64, Vec<f64>) {
        match self {
            Self::Linear => {
                let step = round_step(most);
                let marks = (0_u8..=12).map(|mark| f64::from(mark) * step);
                let end = (most / step).ceil().max(1.0) * step;
                (0.0, end, marks.filter(|mark| *mark <= end).collect())
            }
            Self::Log => {
                let (first, last) = (least.floor(), most.ceil().max(least.floor() + 1.0));
                let steps: &[f64] = if last - first > 4.0 {
                    &[1.0]
                } else {
                    &[1.0, 2.0, 5.0]
                };
                let mut marks = Vec::new();
                let mut decade = first;
                while decade <= last {
                    marks.extend(steps.iter().map(|step| decade + step.log10()));
                    decade += 1.0;
                }
                // Shows only the used part of a decade.
                let first = marks
                    .iter()
                    .copied()
                    .rfind(|mark| *mark <= least)
                    .unwrap_or(first);
                let last = marks
                    .iter()
                    .copied()
                    .find(|mark| *mark >= most && *mark > first);
                let last = last.unwrap_or(first + 1.0);
                marks.retain(|mark| *mark >= first && *mark <= last);
                (first, last, marks)
            }
            Self::Nines => {
                let marks = QUANTILES.iter().filter(|quantile| **quantile < 1.0);
                let marks: Vec<f64> = marks.map(|quantile| self.place(*quantile)).collect();
                (marks[0], marks[marks.len() - 1], marks)
            }
        }
    }

    /// The label of a tick.
    pub(super) fn tell(self, place: f64) -> String {
        match self {
            Self::Linear => format!("{place}"),
            Self::Nines => {
                let percent = 100.0 - 10_f64.powf(2.0 - place);
                format!("p{}", (percent * 10.0).round() / 10.0)
            }
            Self::Log => {
                let figure = 10_f64.powf(place);
                match figure {
                    _ if figure >= 0.99e6 => format!("{} M", (figure / 1e6).round()),
                    _ if figure >= 0.99e3 => format!("{} k", (figure / 1e3).round()),
                    _ if figure >= 0.99 => format!("{}", figure.round()),
                    _ => format!("{}", (figure * 1e4).round() / 1e4),
                }
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten, for some eight ticks.
fn round_step(most: f64) -> f64 {
    let rough = (most / 8.0).max(1e-6);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_hold_all_figures() {
        let (first, last, marks) = Scale::Log.ticks(Scale::Log.place(0.04), Scale::Log.place(7.0));
        assert!(first <= Scale::Log.place(0.04) && last >= Scale::Log.place(7.0));
        let told: Vec<String> = marks.iter().map(|mark| Scale::Log.tell(*mark)).collect();
        assert_eq!(
            told,
            ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]
        );

        let (first, last, marks) = Scale::Linear.ticks(11.0, 24.7);
        assert!(first.abs() < 1e-9 && last >= 24.7);
        assert_eq!(marks.len(), 6, "{marks:?}");

        let (_, _, marks) = Scale::Nines.ticks(0.0, 0.0);
        let told: Vec<String> = marks.iter().map(|mark| Scale::Nines.tell(*mark)).collect();
        assert_eq!(told, ["p50", "p75", "p90", "p95", "p99", "p99.5", "p99.9"]);
    }

    #[test]
    fn large_figures_have_units() {
        let tell = |figure: f64| Scale::Log.tell(Scale::Log.place(figure));
        assert_eq!(tell(20_000_000.0), "20 M");
        assert_eq!(tell(5_000.0), "5 k");
        assert_eq!(tell(0.5), "0.5");
    }
}
