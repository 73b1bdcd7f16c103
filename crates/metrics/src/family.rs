use prometheus::proto;

use crate::histogram::{BOUNDS_NS, BUCKETS};
use crate::label::Label;
use crate::{By, Counter, DurationCounter, DurationGauge, Gauge, Histogram};

/// The description of what is exported under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The name, with unit and `_total` as is the convention of Prometheus.
    pub name: &'static str,
    /// How to read its numbers.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
    /// What it means.
    pub help: &'static str,
}

/// How to read the numbers of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts durations in buckets.
    Histogram,
}

impl Kind {
    /// The name in the text format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    const fn proto(self) -> proto::MetricType {
        match self {
            Self::Counter => proto::MetricType::COUNTER,
            Self::Gauge => proto::MetricType::GAUGE,
            Self::Histogram => proto::MetricType::HISTOGRAM,
        }
    }
}

/// The labels of one sample.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// A cell, or cells by label, that can be summed across writers.
pub(crate) trait Sample: Sized {
    const KIND: Kind;

    /// Appends the keys of the labels below this one; a single cell has none.
    fn label_names(_names: &mut Vec<&'static str>) {}

    /// Appends the sum of this cell over all writers.
    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>);
}

impl Sample for Counter {
    const KIND: Kind = Kind::Counter;

    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        let total = total(cells.iter().map(|cell| cell.get()));
        metrics.push(counter(labels, total as f64));
    }
}

impl Sample for DurationCounter {
    const KIND: Kind = Kind::Counter;

    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        let total = total(cells.iter().map(|cell| cell.get_ns()));
        metrics.push(counter(labels, seconds(total)));
    }
}

impl Sample for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        let total = total(cells.iter().map(|cell| cell.get()));
        metrics.push(gauge(labels, total as f64));
    }
}

impl Sample for DurationGauge {
    const KIND: Kind = Kind::Gauge;

    /// The longest, since the sum of several writers' durations means nothing.
    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        let longest = cells.iter().map(|cell| cell.get_ns()).max().unwrap_or(0);
        metrics.push(gauge(labels, seconds(longest)));
    }
}

impl Sample for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        let mut counts = [0_u64; BUCKETS];
        for cell in cells {
            for (sum, count) in counts.iter_mut().zip(cell.counts()) {
                *sum = sum.wrapping_add(count);
            }
        }
        let mut cumulative = 0;
        let buckets = BOUNDS_NS.iter().zip(counts).map(|(&bound, count)| {
            cumulative = count.wrapping_add(cumulative);
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(seconds(bound));
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        // The count is that of the buckets just read, so that a scrape never contradicts itself.
        histogram.set_sample_count(total(counts.into_iter()));
        let sum_ns = total(cells.iter().map(|cell| cell.sum_ns()));
        histogram.set_sample_sum(seconds(sum_ns));
        let mut metric = proto::Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        metrics.push(metric);
    }
}

impl<L: Label, C: Sample> Sample for By<L, C> {
    const KIND: Kind = C::KIND;

    fn label_names(names: &mut Vec<&'static str>) {
        names.push(L::KEY);
        C::label_names(names);
    }

    fn sum(cells: &[&Self], labels: &mut Labels, metrics: &mut Vec<proto::Metric>) {
        for &label in L::ALL {
            let inner: Vec<&C> = cells.iter().map(|by| &by[label]).collect();
            labels.push((L::KEY, label.value()));
            C::sum(&inner, labels, metrics);
            labels.pop();
        }
    }
}

/// The families of one scrape, in the order of export.
#[derive(Default)]
pub(crate) struct Scrape {
    pub(crate) families: Vec<(Family, Vec<proto::Metric>)>,
}

impl Scrape {
    /// Adds a family: the sum over `writers` of the cells that `field` selects.
    pub(crate) fn sum<W, C: Sample>(
        &mut self,
        name: &'static str,
        help: &'static str,
        writers: &[std::sync::Arc<W>],
        field: impl Fn(&W) -> &C,
    ) {
        let cells: Vec<&C> = writers.iter().map(|writer| field(writer)).collect();
        let mut labels = Vec::new();
        C::label_names(&mut labels);
        let mut metrics = Vec::new();
        C::sum(&cells, &mut Vec::new(), &mut metrics);
        self.push(name, C::KIND, labels, help, metrics);
    }

    /// Adds a family of ready samples.
    pub(crate) fn push(
        &mut self,
        name: &'static str,
        kind: Kind,
        labels: Vec<&'static str>,
        help: &'static str,
        metrics: Vec<proto::Metric>,
    ) {
        let family = Family {
            name,
            kind,
            labels,
            help,
        };
        self.families.push((family, metrics));
    }

    /// The families as the text encoder takes them: without those that have no samples.
    pub(crate) fn into_proto(self) -> Vec<proto::MetricFamily> {
        self.families
            .into_iter()
            .filter(|(_, metrics)| !metrics.is_empty())
            .map(|(family, metrics)| {
                let mut out = proto::MetricFamily::default();
                out.set_name(family.name.to_owned());
                out.set_help(family.help.to_owned());
                out.set_field_type(family.kind.proto());
                out.set_metric(metrics);
                out
            })
            .collect()
    }
}

/// Wraps as the cells do, since a scrape must not fail.
fn total(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

pub(crate) fn counter(labels: &[(&'static str, String)], value: f64) -> proto::Metric {
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    let mut metric = proto::Metric::from_label(pairs(labels));
    metric.set_counter(counter);
    metric
}

pub(crate) fn gauge(labels: &[(&'static str, String)], value: f64) -> proto::Metric {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value);
    let mut metric = proto::Metric::from_label(pairs(labels));
    metric.set_gauge(gauge);
    metric
}

pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn pairs(labels: &[(&'static str, String)]) -> Vec<proto::LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.clone());
            pair
        })
        .collect()
}
