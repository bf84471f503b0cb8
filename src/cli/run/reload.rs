//! A configuration that changes while koine runs: on SIGHUP, and when the file has changed. What can be changed is, by stopping the
//! workers as for a restart and starting them anew; what cannot be is named. A configuration with a mistake changes nothing, nor does one
//! whose topics are not there.

use super::{Failure, configuration};
use crate::config::Config;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How often the file is looked at. What has changed counts once it has been the same for so long: it may be half written.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often a configuration is tried whose topics are not there yet.
const TRY_EVERY: Duration = Duration::from_secs(30);

/// What is made once for the whole life of the process, or is told to others: schemas and the names they are registered under, pages, lines, spans.
const NEEDS_RESTART: &[&str] = &["registry.", "topics.", "http.", "metrics.", "traces.", "log.format"];

/// The settings without which `koine run` cannot work.
pub const REQUIRED: &[&str] = &["kafka.bootstrap_servers", "registry.url"];

/// Says when the configuration is to be read again.
pub struct Reload {
    file: Option<PathBuf>,
    hangup: watch::Receiver<()>,
    /// The file as it is in effect, and as it was when it was looked at last.
    known: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
    look_at: Instant,
}

impl Reload {
    pub fn new(file: Option<&Path>, runtime: &Runtime) -> Reload {
        let (hung_up, hangup) = watch::channel(());
        runtime.spawn(async move { listen(hung_up).await });
        let known = read(file);
        Reload {
            file: file.map(Path::to_owned),
            hangup,
            last: known.clone(),
            known,
            look_at: Instant::now() + LOOK_EVERY,
        }
    }

    /// Whether somebody has asked for it, or the file is another and has come to rest.
    pub fn is_due(&mut self) -> bool {
        let is_asked = self.hangup.has_changed().unwrap_or(false);
        if is_asked {
            self.hangup.mark_unchanged();
            self.known = read(self.file.as_deref());
            self.last = self.known.clone();
            return true;
        }
        if Instant::now() < self.look_at {
            return false;
        }
        self.look_at = Instant::now() + LOOK_EVERY;
        let now = read(self.file.as_deref());
        let has_settled = now == self.last;
        self.last = now;
        // A file that is not there for a moment is being replaced.
        let is_due = has_settled && self.last.is_some() && self.last != self.known;
        if is_due {
            self.known = self.last.clone();
        }
        is_due
    }

    /// The configuration as it is now, with everything that needs a restart as it was; and the settings that do. Nothing at all: it is
    /// as it was. The error says every mistake.
    pub fn read(&self, before: &Config) -> Result<Changed, String> {
        let after = configuration(self.file.as_deref(), REQUIRED).map_err(|failure| failure.to_string())?;
        super::check(&after).map_err(|failure: Failure| failure.to_string())?;
        let (kept, changed): (Vec<String>, Vec<String>) = before
            .differences(&after)
            .into_iter()
            .chain(secrets(before, &after))
            .partition(|setting| NEEDS_RESTART.iter().any(|prefix| setting.starts_with(prefix)));
        // Sources were checked against the topics that are written by these names.
        if let Some(topic) = kept.iter().find(|setting| setting.starts_with("topics.")) {
            return Err(format!("{topic} cannot be changed without a restart"));
        }
        Ok(Changed { config: after.with_fixed_of(before), changed, kept })
    }
}

/// What came of reading the configuration again.
pub struct Changed {
    pub config: Config,
    /// Settings that are in effect from now on.
    pub changed: Vec<String>,
    /// Settings that wait for a restart.
    pub kept: Vec<String>,
}

/// A configuration that was read and is not in effect yet.
pub struct Next {
    pub config: Config,
    pub changed: Vec<String>,
    /// Whether it has not been tried before.
    pub is_first: bool,
    try_at: Instant,
}

impl Next {
    pub fn new(Changed { config, changed, .. }: Changed) -> Next {
        Next { config, changed, is_first: true, try_at: Instant::now() }
    }

    /// The same, to be tried once more after a while.
    pub fn again(self) -> Next {
        Next { is_first: false, try_at: Instant::now() + TRY_EVERY, ..self }
    }

    /// Whether it is time to try it.
    pub fn is_due(&self) -> bool {
        self.try_at <= Instant::now()
    }

    /// Whether other workers have to start for it.
    pub fn needs_workers(&self) -> bool {
        needs_workers(&self.changed)
    }
}

/// Whether other workers have to start for settings that have changed.
pub fn needs_workers(changed: &[String]) -> bool {
    changed.iter().any(|setting| setting != "log.level")
}

/// The secrets that are others now. Where they are shown they look alike.
fn secrets(before: &Config, after: &Config) -> Vec<String> {
    let are_others = [
        ("privacy.key", before.privacy.key != after.privacy.key),
        ("kafka.properties", before.kafka.properties != after.kafka.properties),
    ];
    are_others.into_iter().filter(|(_, are)| *are).map(|(setting, _)| setting.to_owned()).collect()
}

fn read(file: Option<&Path>) -> Option<Vec<u8>> {
    std::fs::read(file?).ok()
}

/// SIGHUP, again and again.
#[cfg(unix)]
async fn listen(hung_up: watch::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut signals) = signal(SignalKind::hangup()) else { return };
    while signals.recv().await.is_some() {
        if hung_up.send(()).is_err() {
            return;
        }
    }
}

#[cfg(not(unix))]
async fn listen(hung_up: watch::Sender<()>) {
    hung_up.closed().await;
}
