//! Where the ids of the schemas come from, the registry or a bundle, and whether they stay true. The registry is asked
//! beside the records: that it is away stops nobody who knows the ids, and what it says against them stops everybody.

use crate::cli::{Failure, schemas::wanted};
use crate::codec::SchemaIds;
use crate::config::Config;
use crate::registry::bundle::Bundle;
use crate::registry::{Confirmed, Registered, Registry, RegistryError, Waited, jittered};
use crate::schemas;
use crate::telemetry::{Metrics, RegistryState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long somebody with a bundle waits for the registry at start.
const PATIENCE: Duration = Duration::from_secs(2);
const REFUSED: &str = "nothing more is written, since readers would take it for something else";

/// Ids in use, and the registry that answers for them.
pub struct Pins {
    registry: Registry,
    subjects: [String; 4],
    registered: Vec<Registered>,
    /// Whether the registry has said so itself.
    are_confirmed: bool,
    check_every: Duration,
    metrics: Arc<Metrics>,
}

/// The ids of the schemas, looked up by content, or from a bundle while the registry is away. Without a bundle, trouble
/// is waited out; that a schema is not registered is an answer.
pub async fn pin(
    config: &Config,
    metrics: &Arc<Metrics>,
    mut stopped: watch::Receiver<bool>,
) -> Result<Option<Pins>, Failure> {
    let heard = Arc::clone(metrics);
    let registry = Registry::new(&config.registry).map_err(Failure::Usage)?;
    let mut pins = Pins {
        registry: registry.heard_by(move |operation, code, took| heard.registry_request(operation, code, took)),
        subjects: config.topics.canonical().map(schemas::subject),
        registered: Vec::new(),
        are_confirmed: false,
        check_every: config.registry.check_every,
        metrics: Arc::clone(metrics),
    };
    metrics.registry_state(RegistryState::Waiting);
    let canceled = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
    let is_pinned = match &config.registry.bundle {
        Some(file) => pins.pin_by_bundle(file).await.map(|()| true),
        None => pins.pin_by_registry(canceled).await,
    };
    if !is_pinned.inspect_err(|_| metrics.registry_state(RegistryState::Refused))? {
        return Ok(None);
    }
    for (wanted, Registered { subject, id, version }) in wanted(&pins.subjects).iter().zip(&pins.registered) {
        tracing::info!(subject, id, "schema pinned");
        metrics.schema_pinned(subject, *version, *id, &wanted.fingerprint());
    }
    Ok(Some(pins))
}

/// The ids of a bundle, if it is whole and this build's.
pub fn from_bundle(file: &Path, subjects: &[String; 4]) -> Result<Vec<Registered>, Failure> {
    let text =
        std::fs::read_to_string(file).map_err(|error| wrong_bundle(file, &format!("cannot be read: {error}")))?;
    let ids = Bundle::parse(&text).and_then(|bundle| bundle.ids(&wanted(subjects)));
    ids.map_err(|why| wrong_bundle(file, &why))
}

/// The ids for a command that writes and ends: the registry's, or those of the bundle, as [`pin`] would take them.
pub async fn ids_now(config: &Config) -> Result<SchemaIds, Failure> {
    let registry = Registry::new(&config.registry).map_err(Failure::Usage)?;
    let subjects = config.topics.canonical().map(schemas::subject);
    if let Some(file) = &config.registry.bundle {
        let Bundled { registered, unconfirmed } = bundled(file, &subjects, &registry).await?;
        if let Some((why, reason)) = unconfirmed {
            tracing::warn!(reason, "{why}; going on with the ids of registry.bundle");
        }
        return ids(&registered);
    }
    let mut registered = Vec::new();
    for wanted in wanted(&subjects) {
        registered.push(registry.lookup(wanted).await.map_err(|error| match error.kind.is_transient() {
            true => Failure::Internal(error.to_string()),
            false => unregistered(&error),
        })?);
    }
    ids(&registered)
}

fn unregistered(error: &RegistryError) -> Failure {
    Failure::Usage(format!("{error}. `koine schemas register` registers this build's schemas"))
}

/// The ids, for the encoder.
fn ids(registered: &[Registered]) -> Result<SchemaIds, Failure> {
    match registered {
        [customer, cart, order, product] => {
            Ok(SchemaIds { customer: customer.id, cart: cart.id, order: order.id, product: product.id })
        }
        _ => Err(Failure::Internal("the registry has answered for other schemas than were asked for".into())),
    }
}

/// The ids of a bundle, and why the registry has not confirmed them (in words, and in one), if it is away.
struct Bundled {
    registered: Vec<Registered>,
    unconfirmed: Option<(String, &'static str)>,
}

/// A registry that is there has its say first; one that is away is not waited for.
async fn bundled(file: &Path, subjects: &[String; 4], registry: &Registry) -> Result<Bundled, Failure> {
    let registered = from_bundle(file, subjects)?;
    let asked = tokio::time::timeout(PATIENCE, confirm(registry, subjects, &registered));
    let unconfirmed = match asked.await {
        Ok(Ok(Confirmed::Yes)) => None,
        Ok(Ok(Confirmed::No(why) | Confirmed::Missing(why))) => {
            return Err(wrong_bundle(file, &format!("is refused: {why}")));
        }
        Ok(Err(error)) => Some((error.to_string(), error.kind.as_str())),
        Err(_) => Some((format!("no answer within {} s", PATIENCE.as_secs()), "timeout")),
    };
    Ok(Bundled { registered, unconfirmed })
}

/// What the registry says of all ids together: the worst of it.
async fn confirm(
    registry: &Registry,
    subjects: &[String; 4],
    registered: &[Registered],
) -> Result<Confirmed, RegistryError> {
    let mut missing = None;
    for (wanted, registered) in wanted(subjects).into_iter().zip(registered) {
        match registry.confirm(wanted, registered.id, schemas::is_same).await? {
            Confirmed::Yes => {}
            Confirmed::Missing(why) => missing = missing.or(Some(why)),
            Confirmed::No(why) => return Ok(Confirmed::No(why)),
        }
    }
    Ok(missing.map_or(Confirmed::Yes, Confirmed::Missing))
}

fn wrong_bundle(file: &Path, why: &str) -> Failure {
    Failure::Usage(format!("registry.bundle: {} {why}", file.display()))
}

impl Pins {
    /// `false`: told to stop meanwhile.
    async fn pin_by_registry(&mut self, canceled: impl Future<Output = ()>) -> Result<bool, Failure> {
        let waiting = |error: &RegistryError, pause: Duration| self.say("asking again", error, pause);
        match self.registry.wait_for_ids(&wanted(&self.subjects), canceled, waiting).await {
            Ok(Waited::Canceled) => Ok(false),
            Ok(Waited::Pinned(registered)) => {
                self.registered = registered;
                self.confirmed();
                Ok(true)
            }
            Err(error) => Err(unregistered(&error)),
        }
    }

    async fn pin_by_bundle(&mut self, file: &Path) -> Result<(), Failure> {
        let Bundled { registered, unconfirmed } = bundled(file, &self.subjects, &self.registry).await?;
        self.registered = registered;
        match unconfirmed {
            None => self.confirmed(),
            Some((why, reason)) => self.unconfirmed(&why, reason),
        }
        Ok(())
    }

    fn confirmed(&mut self) {
        self.are_confirmed = true;
        self.metrics.registry_state(RegistryState::Pinned);
    }

    fn unconfirmed(&self, why: &str, reason: &str) {
        self.metrics.registry_retry(reason);
        self.metrics.registry_state(RegistryState::Bundle);
        tracing::warn!(reason, "{why}; starting with the ids of registry.bundle, to be confirmed when it is back");
    }

    fn say(&self, what: &str, error: &RegistryError, pause: Duration) {
        self.metrics.registry_retry(error.kind.as_str());
        tracing::warn!(reason = error.kind.as_str(), pause_ms = pause.as_millis() as u64, "{error}; {what}");
    }

    /// The ids, for the encoder.
    pub fn ids(&self) -> Result<SchemaIds, Failure> {
        ids(&self.registered)
    }

    /// Compares from time to time, for ever; comes back when the registry has spoken against the ids, with what it said.
    pub async fn watch(mut self) -> String {
        let mut pauses = self.registry.pauses();
        let mut pause = if self.are_confirmed { jittered(self.check_every) } else { pauses.next(None) };
        loop {
            tokio::time::sleep(pause).await;
            let why = match self.ask().await {
                Ok(Confirmed::Yes) => {
                    if !self.are_confirmed {
                        tracing::info!("the registry has confirmed the ids in use");
                    }
                    self.confirmed();
                    pauses.reset();
                    pause = jittered(self.check_every);
                    continue;
                }
                Ok(Confirmed::Missing(why)) if self.are_confirmed => {
                    pause = pauses.next(None);
                    self.metrics.registry_state(RegistryState::Missing);
                    tracing::error!(
                        pause_ms = pause.as_millis() as u64,
                        "{why}; what is written cannot be read until it is registered again under the same id"
                    );
                    continue;
                }
                Err(error) => {
                    pause = pauses.next(error.retry_after);
                    let state = if self.are_confirmed { RegistryState::Away } else { RegistryState::Bundle };
                    self.metrics.registry_state(state);
                    self.say("the ids in use stay, and are compared when it is back", &error, pause);
                    continue;
                }
                Ok(Confirmed::No(why) | Confirmed::Missing(why)) => format!("{why}; {REFUSED}"),
            };
            self.metrics.registry_state(RegistryState::Refused);
            tracing::error!("{why}");
            return why;
        }
    }

    async fn ask(&self) -> Result<Confirmed, RegistryError> {
        confirm(&self.registry, &self.subjects, &self.registered).await
    }
}
