//! Sends spans to a collector (OTLP over HTTP, protobuf), beside the records: whether it is there makes no difference to them.

use crate::config::TraceSettings;
use crate::https::{Https, chain};
use crate::telemetry::{Metrics, SpanEnd, Traces, otlp};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often what waits is sent.
const EVERY: Duration = Duration::from_secs(1);
/// Of one request, and of the last ones together.
const PATIENCE: Duration = Duration::from_secs(3);
/// Spans in one request.
const LOT: usize = 512;
/// How often it is said that the collector does not take them.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Sends for as long as it lives.
pub struct Exporter {
    traces: Arc<Traces>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Sender {
    traces: Arc<Traces>,
    https: Https,
    endpoint: String,
    metrics: Arc<Metrics>,
    instance: String,
    complained: Option<Instant>,
}

impl Exporter {
    /// The error names the setting.
    pub fn start(settings: &TraceSettings, metrics: Arc<Metrics>, runtime: &Runtime) -> Result<Exporter, String> {
        let traces = Arc::new(Traces::new(settings.one_in));
        let sender = Sender {
            traces: Arc::clone(&traces),
            https: Https::new("traces", &settings.tls, PATIENCE)?,
            endpoint: settings.endpoint.clone(),
            metrics,
            instance: std::env::var("HOSTNAME").unwrap_or_else(|_| std::process::id().to_string()),
            complained: None,
        };
        let (stop, stopped) = watch::channel(false);
        let task = runtime.spawn(sender.run(stopped));
        Ok(Exporter { traces, stop, task })
    }

    pub fn traces(&self) -> Arc<Traces> {
        Arc::clone(&self.traces)
    }

    /// Sends what still waits, if that can be done in time.
    pub async fn finish(self) {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(PATIENCE, self.task).await;
    }
}

/// Whether a client can be made of these settings.
pub fn check(settings: &TraceSettings) -> Result<(), String> {
    Https::new("traces", &settings.tls, PATIENCE).map(|_| ())
}

impl Sender {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            let is_over = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                _ = stopped.wait_for(|stopped| *stopped) => true,
            };
            self.metrics.spans(SpanEnd::Dropped, self.traces.dropped());
            loop {
                let spans = self.traces.take(LOT);
                if spans.is_empty() {
                    break;
                }
                let request = otlp::request(env!("CARGO_PKG_VERSION"), &self.instance, &spans);
                match self.send(request).await {
                    Ok(()) => self.metrics.spans(SpanEnd::Exported, spans.len() as u64),
                    Err(why) => {
                        self.metrics.spans(SpanEnd::Failed, spans.len() as u64);
                        self.complain(&why);
                    }
                }
            }
            if is_over {
                return;
            }
        }
    }

    async fn send(&self, request: Vec<u8>) -> Result<(), String> {
        let sent = self.https.client().post(&self.endpoint).header("content-type", "application/x-protobuf");
        let answer = sent.body(request).send().await.map_err(|error| chain(&error.without_url()))?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    }

    /// They are not sent again: that a collector is away must not make a pile of them.
    fn complain(&mut self, why: &str) {
        if self.complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
            tracing::warn!(why, "spans were not taken; records do not depend on them");
            self.complained = Some(Instant::now());
        }
    }
}
