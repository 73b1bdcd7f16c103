//! The status page: a node at a glance. Plain HTML, no script.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::Sampled;

use super::AdminState;

/// Partitions listed, those with the most lag first.
const PARTITIONS: usize = 100;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>Tapecast status</title><style>
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:1.8rem 0 .4rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #e3e6ea;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b3261e;font-weight:600}.good{color:#1a7f37;font-weight:600}
.quiet{color:#656d76}code{font:13px ui-monospace,monospace;word-break:break-word}
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#14171a}td,th{border-color:#30363d}.bad{color:#ff8078}.good{color:#5fd38a}.quiet{color:#8b949e}}
</style></head><body>
"#;

pub(super) fn page(state: &AdminState) -> String {
    let samples = state.registry.samples();
    let samples = Samples(&samples);
    let mut out = String::from(HEAD);
    summary(&mut out, state, &samples);
    partitions(&mut out, &samples);
    errors(&mut out, state);
    out.push_str("</body></html>\n");
    out
}

fn summary(out: &mut String, state: &AdminState, samples: &Samples<'_>) {
    let report = state.readiness.report();
    let (class, word) = match (report.ready, report.draining) {
        (_, true) => ("bad", "draining"),
        (true, _) => ("good", "ready"),
        (false, _) => ("bad", "not ready"),
    };
    let build = state.registry.build();
    put(
        out,
        format_args!(
            "<h1>Tapecast <span class=\"{class}\">{word}</span></h1>\n<p class=\"quiet\">version {}, revision {}</p>\n<table>\n",
            escape(build.version),
            escape(build.revision)
        ),
    );
    for reason in report.reasons() {
        let reason = escape(&reason);
        put(
            out,
            format_args!("<tr><th>not ready</th><td class=\"bad\">{reason}</td></tr>\n"),
        );
    }
    for (name, value) in rows(samples) {
        put(
            out,
            format_args!("<tr><th>{name}</th><td>{value}</td></tr>\n"),
        );
    }
    out.push_str("</table>\n");
}

/// The rows of the summary, as HTML.
fn rows(samples: &Samples<'_>) -> [(&'static str, String); 9] {
    let count = |family: &str| whole(samples.sum(family));
    let mib = |family: &str| format!("{:.0} MiB", samples.sum(family) / 1_048_576.0);
    let books: Vec<_> = samples
        .of("tapecast_books")
        .filter(|sample| sample.value > 0.0)
        .map(|sample| format!("{} {}", whole(sample.value), escape(sample.label("state"))))
        .collect();
    let sessions = format!(
        "{}, {} with full sockets",
        count("tapecast_sessions"),
        count("tapecast_sessions_blocked")
    );
    let lagging = format!(
        "{} caught up by a net change, {} by a snapshot, {} disconnected",
        count("tapecast_conflations_total"),
        count("tapecast_catch_up_snapshots_total"),
        count("tapecast_slow_disconnects_total")
    );
    let streams = format!(
        "{} watched, {} subscriptions",
        count("tapecast_streams_watched"),
        count("tapecast_subscriptions")
    );
    let rejected = format!(
        "{} handshakes, {} tokens",
        count("tapecast_handshakes_refused_total"),
        count("tapecast_auth_refused_total")
    );
    let memory = format!(
        "{} resident, {} of it logs of changes",
        mib("process_resident_memory_bytes"),
        mib("tapecast_log_bytes")
    );
    [
        ("uptime", since(samples.sum("process_start_time_seconds"))),
        ("sessions", sessions),
        ("lagging clients so far", lagging),
        ("streams", streams),
        (
            "instruments",
            format!("{} ({})", count("tapecast_instruments"), books.join(", ")),
        ),
        ("rejected", rejected),
        ("memory", memory),
        ("configuration", configuration(samples)),
        ("certificate", certificate(samples)),
    ]
}

fn configuration(samples: &Samples<'_>) -> String {
    let reloaded = since(samples.sum("tapecast_config_last_reload_success_timestamp_seconds"));
    if samples.sum("tapecast_config_last_reload_successful") > 0.0 {
        format!("read {reloaded} ago")
    } else {
        format!("<span class=\"bad\">the last reload failed</span>; read {reloaded} ago")
    }
}

fn certificate(samples: &Samples<'_>) -> String {
    let expires = samples.sum("tapecast_tls_certificate_not_after_timestamp_seconds");
    let left = expires - unix_seconds();
    if expires <= 0.0 {
        "no TLS".to_owned()
    } else if left > 0.0 {
        format!("expires in {}", span(left))
    } else {
        "<span class=\"bad\">expired</span>".to_owned()
    }
}

fn unix_seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

fn since(seconds: f64) -> String {
    span((unix_seconds() - seconds).max(0.0))
}

fn partitions(out: &mut String, samples: &Samples<'_>) {
    let mut rows: Vec<_> = samples
        .of("tapecast_consumer_lag_records")
        .map(|sample| {
            let (topic, partition) = (sample.label("topic"), sample.label("partition"));
            let seconds = samples.of("tapecast_consumer_lag_seconds").find(|other| {
                other.label("topic") == topic && other.label("partition") == partition
            });
            let seconds = seconds.map_or(0.0, |other| other.value);
            (topic, partition, sample.value, seconds)
        })
        .collect();
    rows.sort_by(|a, b| {
        b.2.total_cmp(&a.2)
            .then_with(|| (a.0, a.1).cmp(&(b.0, b.1)))
    });
    put(
        out,
        format_args!(
            "<h2>Partitions: {}</h2>\n<table><tr><th>topic</th><th class=\"n\">partition</th><th class=\"n\">records behind</th><th class=\"n\">time behind</th></tr>\n",
            rows.len()
        ),
    );
    for (topic, partition, records, seconds) in rows.iter().take(PARTITIONS) {
        put(
            out,
            format_args!(
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{seconds:.1} s</td></tr>\n",
                escape(topic),
                escape(partition),
                whole(*records)
            ),
        );
    }
    if rows.len() > PARTITIONS {
        let more = rows.len() - PARTITIONS;
        put(
            out,
            format_args!("<tr><td colspan=\"4\">and {more} more</td></tr>\n"),
        );
    }
    out.push_str("</table>\n");
}

fn errors(out: &mut String, state: &AdminState) {
    out.push_str("<h2>Last warnings and errors</h2>\n");
    let lines = state.recent.lines();
    if lines.is_empty() {
        out.push_str("<p class=\"quiet\">none since the start</p>\n");
        return;
    }
    out.push_str("<table>\n");
    for line in lines {
        let ago = line.at.elapsed().unwrap_or(Duration::ZERO).as_secs_f64();
        put(
            out,
            format_args!(
                "<tr><td class=\"quiet\">{} ago</td><td>{}</td><td><code>{}</code></td></tr>\n",
                span(ago),
                line.level,
                escape(&line.text)
            ),
        );
    }
    out.push_str("</table>\n");
}

struct Samples<'a>(&'a [Sampled]);

impl<'a> Samples<'a> {
    fn of(&self, family: &str) -> impl Iterator<Item = &'a Sampled> {
        let all = self.0.iter();
        all.filter(move |sample| sample.family == family)
    }

    fn sum(&self, family: &str) -> f64 {
        self.of(family).map(|sample| sample.value).sum()
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = out.write_fmt(text);
}

/// Formats a count with thin spaces between thousands.
fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Formats a duration in its two coarsest units.
fn span(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let minutes = seconds / 60 % 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_no_markup() {
        assert_eq!(escape("<b>\"a\" & b"), "&lt;b&gt;&quot;a&quot; &amp; b");
    }

    #[test]
    fn numbers_and_spans_are_for_eyes() {
        assert_eq!(whole(1_234_567.0), "1\u{202f}234\u{202f}567");
        assert_eq!(whole(999.0), "999");
        for (seconds, text) in [
            (0.4, "0 s"),
            (61.0, "1 min 1 s"),
            (7_260.0, "2 h 1 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
