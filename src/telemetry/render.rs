//! Metrics as text: Prometheus' own format and OpenMetrics 1.0, and which of the two a request wants.

use prometheus::proto::{Metric, MetricFamily, MetricType};
use std::fmt::Write;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    Prometheus,
    OpenMetrics,
}

impl Exposition {
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The format a request's `Accept` asks for: OpenMetrics only where it is named and not liked less than plain text.
pub fn negotiate(accept: Option<&str>) -> Exposition {
    let mut best = [0.0f64; 2];
    for item in accept.unwrap_or_default().split(',') {
        let mut parts = item.split(';').map(str::trim);
        let kind = match parts.next().map(str::to_ascii_lowercase).as_deref() {
            Some("application/openmetrics-text") => 1,
            Some("text/plain" | "text/*" | "*/*") => 0,
            _ => continue,
        };
        let quality = parts.filter_map(|part| part.strip_prefix("q=")).find_map(|q| q.parse().ok()).unwrap_or(1.0);
        for (_, slot) in best.iter_mut().enumerate().filter(|(place, _)| *place == kind) {
            *slot = slot.max(quality);
        }
    }
    let [plain, open] = best;
    if open > 0.0 && open >= plain { Exposition::OpenMetrics } else { Exposition::Prometheus }
}

/// Writes the families; metrics without a value yet have none.
pub fn render(families: &[MetricFamily], exposition: Exposition) -> String {
    let mut out = String::with_capacity(64 * 1024);
    for family in families {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::HISTOGRAM => "histogram",
            MetricType::GAUGE => "gauge",
            // None is made; neither format could be told apart from a gauge's.
            MetricType::SUMMARY | MetricType::UNTYPED => continue,
        };
        // OpenMetrics: the family of a counter has no `_total`, its samples have.
        let name = match (exposition, kind) {
            (Exposition::OpenMetrics, "counter") => family.name().strip_suffix("_total").unwrap_or(family.name()),
            _ => family.name(),
        };
        let help = family.help().replace('\\', "\\\\").replace('\n', "\\n");
        match exposition {
            Exposition::Prometheus => {
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
            Exposition::OpenMetrics => {
                let help = help.replace('"', "\\\"");
                let _ = write!(out, "# TYPE {name} {kind}\n# HELP {name} {help}\n");
            }
        }
        for metric in family.get_metric() {
            match kind {
                "counter" => sample(&mut out, family.name(), metric, None, metric.get_counter().get_value()),
                "gauge" => sample(&mut out, name, metric, None, metric.get_gauge().get_value()),
                _ => histogram(&mut out, name, metric, exposition),
            }
        }
    }
    if exposition == Exposition::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn histogram(out: &mut String, name: &str, metric: &Metric, exposition: Exposition) {
    let histogram = metric.get_histogram();
    let bucket = format!("{name}_bucket");
    for step in histogram.get_bucket().iter().filter(|step| step.upper_bound().is_finite()) {
        let bound = step.upper_bound();
        // OpenMetrics wants a number that is seen to be a float: `1.0`, where Prometheus' own format has `1`.
        let le = match exposition {
            Exposition::OpenMetrics if bound.fract() == 0.0 => format!("{bound:.1}"),
            _ => bound.to_string(),
        };
        sample(out, &bucket, metric, Some(&le), step.cumulative_count() as f64);
    }
    let count = histogram.get_sample_count() as f64;
    sample(out, &bucket, metric, Some("+Inf"), count);
    sample(out, &format!("{name}_sum"), metric, None, histogram.get_sample_sum());
    sample(out, &format!("{name}_count"), metric, None, count);
}

fn sample(out: &mut String, name: &str, metric: &Metric, le: Option<&str>, value: f64) {
    out.push_str(name);
    let labels = metric.get_label().iter().map(|label| (label.name(), label.value())).chain(le.map(|le| ("le", le)));
    let mut open = false;
    for (name, value) in labels {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{name}=\"{value}\"", if open { "," } else { "{" });
        open = true;
    }
    let _ = writeln!(out, "{} {value}", if open { "}" } else { "" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

    fn registry() -> Registry {
        let registry = Registry::new();
        let counters = IntCounterVec::new(Opts::new("a_total", "Of a \"kind\"\\."), &["topic"]).unwrap();
        counters.with_label_values(&["x\"y\\z\n"]).inc_by(3);
        let histogram = Histogram::with_opts(HistogramOpts::new("h_seconds", "Time.").buckets(vec![0.5, 1.0])).unwrap();
        histogram.observe(0.7);
        registry.register(Box::new(counters)).unwrap();
        registry.register(Box::new(histogram)).unwrap();
        registry
    }

    #[test]
    fn prometheus_text_is_what_the_crate_writes() {
        let families = registry().gather();
        let reference = prometheus::TextEncoder::new().encode_to_string(&families).unwrap();
        assert_eq!(render(&families, Exposition::Prometheus), reference);
    }

    #[test]
    fn openmetrics_names_and_ends_as_it_should() {
        let page = render(&registry().gather(), Exposition::OpenMetrics);
        assert_eq!(
            page,
            "# TYPE a counter\n# HELP a Of a \\\"kind\\\"\\\\.\na_total{topic=\"x\\\"y\\\\z\\n\"} 3\n\
             # TYPE h_seconds histogram\n# HELP h_seconds Time.\n\
             h_seconds_bucket{le=\"0.5\"} 0\nh_seconds_bucket{le=\"1.0\"} 1\nh_seconds_bucket{le=\"+Inf\"} 1\n\
             h_seconds_sum 0.7\nh_seconds_count 1\n# EOF\n"
        );
    }

    #[test]
    fn the_format_is_what_was_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(negotiate(Some(prometheus)), Exposition::OpenMetrics);
        assert_eq!(negotiate(Some("application/openmetrics-text")), Exposition::OpenMetrics);
        assert_eq!(negotiate(Some("application/openmetrics-text;q=0, */*")), Exposition::Prometheus);
        assert_eq!(negotiate(Some("text/plain, application/openmetrics-text; q=0.5")), Exposition::Prometheus);
        assert_eq!(negotiate(Some("*/*")), Exposition::Prometheus);
        assert_eq!(negotiate(Some("text/html;q=x,,;")), Exposition::Prometheus);
        assert_eq!(negotiate(None), Exposition::Prometheus);
    }
}
