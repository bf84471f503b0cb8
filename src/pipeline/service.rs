//! A running translator: its workers, somebody who watches over them, and how it ends.

use super::breaker::Rules;
use super::control::{Backoff, Control, Pulse};
use super::dead_letter::Policy;
use super::only::Only;
use super::outputs::{NotReady, Outputs};
use super::worker::{Fault, Worker};
use crate::codec::SchemaIds;
use crate::http::Health;
use crate::kafka::{self, Connection, ConsumerSettings, ProducerSettings, Topics};
use crate::telemetry::{Metrics, Traces};
use crate::translate::SourceSettings;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is left of the drain time for leaving the group.
const LEAVING: Duration = Duration::from_secs(2);
/// How much longer than the drain time the calls that are under way may take.
const OVERTIME: Duration = Duration::from_secs(15);

/// Everything a service needs to know. Made of the configuration by the command, or in memory.
pub struct Plan {
    pub connection: Connection,
    pub group: String,
    pub group_protocol: String,
    /// Names, or patterns that begin with `^`.
    pub topics: Vec<String>,
    /// Which of the sources a raw topic belongs to.
    pub source_of: SourceOf,
    pub sources: Vec<SourceSettings>,
    /// For a topic that belongs to none.
    pub any_source: SourceSettings,
    pub outputs: Outputs,
    pub schemas: SchemaIds,
    pub exactly_once: bool,
    pub workers: usize,
    pub limits: Limits,
    pub transaction_timeout: Duration,
    /// After a stop: the time to finish what is at hand.
    pub drain: Duration,
    pub dead_letters: Policy,
    pub accept_loss: bool,
    /// How often something is to be heard of each of the sources, where that is known.
    pub expected_every: Vec<Option<Duration>>,
    /// A partition that has records to come, and of which none came for so long, may be stuck.
    pub stuck_after: Duration,
    pub breaker: BreakerPlan,
    /// Some event types of a stretch, rather than everything there will ever be.
    pub only: Option<Only>,
    /// Names this process among those of its group, if it has a name that no other has while it lives; see
    /// [`transactional_id`].
    pub instance: Option<String>,
    pub metrics: Arc<Metrics>,
    /// Where spans of records go, if they are asked for.
    pub traces: Option<Arc<Traces>>,
    pub health: Arc<Health>,
}

impl Plan {
    /// How often something is to be heard of this topic's source.
    pub fn expected(&self, topic: &str) -> Option<Duration> {
        let source = (self.source_of)(topic)?;
        self.expected_every.get(source).copied().flatten()
    }
}

/// When a partition is left alone because most of what comes from it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPlan {
    pub rules: Rules,
    /// Whether it is not read then; else it is only said.
    pub pauses: bool,
}

/// Which of the sources a topic belongs to.
pub type SourceOf = Box<dyn Fn(&str) -> Option<usize> + Send + Sync>;

/// When a batch is full: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub records: usize,
    /// Of raw keys and values.
    pub bytes: usize,
    pub wait: Duration,
}

/// How a service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It was told to.
    Stopped,
    /// It cannot work as it is told to.
    Misconfigured(String),
    /// A fault of its own, or a librdkafka that hangs.
    Broken(String),
}

impl Exit {
    /// The process's exit status.
    pub fn code(&self) -> u8 {
        match self {
            Exit::Stopped => 0,
            Exit::Misconfigured(_) => 2,
            Exit::Broken(_) => 70,
        }
    }
}

/// Starts translators.
pub struct Service;

/// A translator that runs. How it does is told by the plan's `health` and `metrics`.
pub struct Handle {
    control: Arc<Control>,
    supervisor: JoinHandle<Exit>,
}

/// Tells a translator to stop. Any number may be handed out.
#[derive(Clone)]
pub struct Stop {
    control: Arc<Control>,
}

impl Service {
    /// Starts a translator on threads of its own. What is wrong with the settings is said at once; brokers that are
    /// down are waited for.
    pub fn start(plan: Plan) -> Result<Handle, Exit> {
        let librdkafka = kafka::check_version(&plan.group_protocol).map_err(Exit::Misconfigured)?;
        let instance = plan.instance.clone().unwrap_or_else(random_name);
        let count = plan.workers.max(1);
        let plan = Arc::new(plan);
        let control = Arc::new(Control::new());
        let mut clients = Vec::with_capacity(count);
        for number in 0..count {
            let consumer = ConsumerSettings {
                connection: plan.connection.clone(),
                group: plan.group.clone(),
                group_protocol: plan.group_protocol.clone(),
                topics: plan.topics.clone(),
                accept_loss: plan.accept_loss,
                worker: number,
            };
            let producer = ProducerSettings {
                connection: plan.connection.clone(),
                transactional_id: plan.exactly_once.then(|| transactional_id(&plan.group, &instance, number)),
                transaction_timeout: plan.transaction_timeout,
                batch_bytes: None,
            };
            consumer.check().and_then(|()| producer.check()).map_err(Exit::Misconfigured)?;
            clients.push((consumer, producer));
        }
        tracing::info!(librdkafka, group = plan.group, instance, workers = count, "starting");
        plan.metrics.workers(count);
        let supervisor = Supervisor { plan, control: Arc::clone(&control) };
        let thread = std::thread::Builder::new().name("koine-supervisor".to_owned());
        let supervisor = thread
            .spawn(move || supervisor.run(clients))
            .map_err(|error| Exit::Broken(format!("no thread for the supervisor: {error}")))?;
        Ok(Handle { control, supervisor })
    }
}

impl Handle {
    pub fn stopper(&self) -> Stop {
        Stop { control: Arc::clone(&self.control) }
    }

    /// Tells it to finish what is at hand and to leave.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Tells it to leave what is at hand undone, and to leave: nothing more may be written.
    pub fn abandon(&self) {
        self.control.give_up();
        self.control.stop();
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.supervisor.is_finished()
    }

    /// Waits until it has ended.
    pub fn wait(self) -> Exit {
        self.supervisor.join().unwrap_or_else(|_| Exit::Broken("the supervisor has panicked".to_owned()))
    }
}

impl Stop {
    /// Tells it to finish what is at hand and to leave.
    pub fn stop(&self) {
        self.control.stop();
    }
}

struct Supervisor {
    plan: Arc<Plan>,
    control: Arc<Control>,
}

impl Supervisor {
    fn run(self, clients: Vec<(ConsumerSettings, ProducerSettings)>) -> Exit {
        match self.prepare() {
            Ok(true) => {}
            Ok(false) => return Exit::Stopped,
            Err(why) => return Exit::Misconfigured(why),
        }
        let mut threads = Vec::with_capacity(clients.len());
        let mut pulses = Vec::with_capacity(clients.len());
        for (number, (consumer, producer)) in clients.into_iter().enumerate() {
            let pulse = Arc::new(Pulse::default());
            pulses.push(Arc::clone(&pulse));
            let worker = Worker {
                plan: Arc::clone(&self.plan),
                control: Arc::clone(&self.control),
                pulse,
                heart: self.plan.health.worker(),
                consumer,
                producer,
                number,
            };
            let thread = std::thread::Builder::new().name(format!("koine-worker-{number}"));
            match thread.spawn(move || worker.run()) {
                Ok(thread) => threads.push(thread),
                Err(error) => return Exit::Broken(format!("no thread for a worker: {error}")),
            }
        }
        self.watch(threads, &pulses)
    }

    /// Waits for the topics that are written. `false`: told to stop meanwhile.
    fn prepare(&self) -> Result<bool, String> {
        let mut backoff = Backoff::new();
        let mut said: Option<(String, Instant)> = None;
        while !self.control.is_stopping() {
            let is_raw = |topic: &str| (self.plan.source_of)(topic).is_some();
            match self.plan.outputs.prepare(&self.plan.connection, is_raw) {
                Ok(()) => return Ok(true),
                Err(NotReady::Never(why)) => return Err(why),
                Err(NotReady::Wait(why)) => {
                    let is_news =
                        said.as_ref().is_none_or(|(last, at)| *last != why || at.elapsed() > Duration::from_secs(30));
                    if is_news {
                        tracing::warn!(why, "waiting for topics");
                        said = Some((why, Instant::now()));
                    }
                    self.control.sleep(backoff.pause(), || self.control.is_stopping());
                }
            }
        }
        Ok(false)
    }

    /// Watches over the workers until all have ended, or one cannot.
    fn watch(&self, mut threads: Vec<JoinHandle<Result<(), Fault>>>, pulses: &[Arc<Pulse>]) -> Exit {
        let patience = self.plan.transaction_timeout * 2;
        let mut exit = Exit::Stopped;
        let mut stopped_at = None;
        let mut last = Instant::now();
        while !threads.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
            let now = Instant::now();
            self.control.live(now - std::mem::replace(&mut last, now));
            let (ended, going): (Vec<_>, Vec<_>) = threads.into_iter().partition(JoinHandle::is_finished);
            threads = going;
            for thread in ended {
                let fault = match thread.join() {
                    Ok(Ok(())) => continue,
                    Ok(Err(Fault::Misconfigured(why))) => Exit::Misconfigured(why),
                    Ok(Err(Fault::Broken(why))) => Exit::Broken(why),
                    Err(_) => Exit::Broken("a worker has panicked".to_owned()),
                };
                tracing::error!(?fault, "a worker has ended; stopping the others");
                exit = fault;
                self.control.stop();
            }
            if !self.control.is_stopping()
                && let Some(pulse) = pulses.iter().find(|pulse| self.control.in_call(pulse) > patience)
            {
                let took = self.control.in_call(pulse);
                // librdkafka's calls wait longer than they are told to while the brokers are away, and come back soon
                // after them. Only a call that does not come back though the brokers have answered all the while hangs.
                if let Err(trouble) = Topics::open(&self.plan.connection).and_then(|topics| topics.all()) {
                    tracing::warn!(?took, why = %trouble, "a call to librdkafka waits for the brokers");
                    self.control.forgive(pulse);
                    continue;
                }
                if !self.control.suspect(pulse) {
                    tracing::warn!(?took, "a call to librdkafka has not come back, though the brokers answer");
                    continue;
                }
                return Exit::Broken(format!("a call to librdkafka has not come back for {took:?}"));
            }
            if !self.control.is_stopping() {
                continue;
            }
            self.plan.health.draining();
            let stopped_for = stopped_at.get_or_insert_with(Instant::now).elapsed();
            let for_work = self.plan.drain.saturating_sub(LEAVING).max(self.plan.drain / 2);
            if stopped_for > for_work && !self.control.is_given_up() {
                tracing::warn!("the time to finish is over; what is at hand is left undone and will be read again");
                self.control.give_up();
            }
            // Every call is bounded, so by now whoever is not done never will be.
            if stopped_for > self.plan.drain + OVERTIME {
                return Exit::Broken("a worker does not end".to_owned());
            }
        }
        exit
    }
}

/// `<group>-<instance>-<worker>`.
///
/// Two producers with one id fence each other, so an id must be one process's alone: two pods of a Deployment, or two
/// processes on one host, know of no number that only one of them has. What keeps a record from being done twice is not
/// the id but the group's generation, which goes with every commit (KIP-447). So the default instance is random. Its
/// price: after a crash the broker ends the open transaction by its timeout rather than when the next process takes the
/// id, and until then `read_committed` readers wait. Who has stable names (a StatefulSet) can give them as `instance`
/// and saves that wait. Permissions are for the prefix `<group>-`.
pub fn transactional_id(group: &str, instance: &str, worker: usize) -> String {
    format!("{group}-{instance}-{worker}")
}

/// A name that nobody else has. The standard library seeds its hash maps from the system's randomness.
fn random_name() -> String {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderSets, tables};
    use super::*;
    use crate::telemetry::BuildInfo;

    #[test]
    fn ids_are_the_groups_and_differ() {
        assert_eq!(transactional_id("koine", "koine-2", 1), "koine-koine-2-1");
        assert_ne!(random_name(), random_name());
        assert_eq!(random_name().len(), 16);
    }

    const TIME: Duration = Duration::from_secs(30);

    fn plan(brokers: String, transaction_timeout: Duration) -> Plan {
        let build = BuildInfo { version: "test", build: "test".to_owned(), librdkafka: "test".to_owned() };
        Plan {
            connection: Connection { bootstrap_servers: brokers, properties: Vec::new(), credentials: None },
            group: "koine".to_owned(),
            group_protocol: "classic".to_owned(),
            topics: vec!["raw.spree".to_owned()],
            source_of: Box::new(|_| None),
            sources: Vec::new(),
            any_source: SourceSettings::default(),
            outputs: Outputs::new(["a", "b", "c", "d"], "dlq.", false),
            schemas: SchemaIds { customer: 1, cart: 2, order: 3, product: 4 },
            exactly_once: true,
            workers: 1,
            limits: Limits { records: 1, bytes: 1, wait: Duration::from_millis(1) },
            transaction_timeout,
            drain: Duration::from_secs(1),
            dead_letters: Policy {
                group: "koine".to_owned(),
                drop_headers: Vec::new(),
                sets: HeaderSets::default(),
                seal: None,
            },
            accept_loss: false,
            breaker: BreakerPlan {
                rules: Rules { records: 1000, window: TIME, pause: TIME, longest_pause: TIME },
                pauses: true,
            },
            only: None,
            expected_every: Vec::new(),
            stuck_after: Duration::from_secs(120),
            instance: None,
            traces: None,
            metrics: Arc::new(Metrics::new(tables(), &["customer", "cart", "order", "product"], &build).unwrap()),
            health: Arc::new(Health::new(Duration::from_secs(300))),
        }
    }

    #[test]
    fn a_call_that_does_not_come_back_though_the_brokers_answer_ends_the_process() {
        let brokers = kafka::EmbeddedBroker::start().unwrap();
        let control = Arc::new(Control::new());
        let plan = Arc::new(plan(brokers.bootstrap_servers(), Duration::from_millis(50)));
        let supervisor = Supervisor { plan, control: Arc::clone(&control) };
        let pulse = Arc::new(Pulse::default());
        let calling = Arc::clone(&pulse);
        let (release, hanging) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            control.watched(&calling, || hanging.recv().unwrap_err());
            Ok(())
        });
        let exit = supervisor.watch(vec![worker], &[pulse]);
        assert!(matches!(&exit, Exit::Broken(why) if why.contains("has not come back")), "{exit:?}");
        assert_eq!(exit.code(), 70);
        drop(release);
    }

    #[test]
    fn a_call_that_waits_for_brokers_that_are_away_ends_nothing() {
        let control = Arc::new(Control::new());
        let plan = Arc::new(plan("127.0.0.1:9".to_owned(), Duration::from_millis(50)));
        let supervisor = Supervisor { plan, control: Arc::clone(&control) };
        let pulse = Arc::new(Pulse::default());
        let calling = Arc::clone(&pulse);
        let worker = std::thread::spawn(move || {
            // Forgiven once, so the call has lived longer than anybody has patience.
            control.watched(&calling, || {
                while control.in_call(&calling) <= Duration::from_millis(100) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                while control.in_call(&calling) > Duration::from_millis(100) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            Ok(())
        });
        assert_eq!(supervisor.watch(vec![worker], &[pulse]), Exit::Stopped);
    }

    #[test]
    fn a_call_that_comes_back_after_the_brokers_ends_nothing() {
        // The brokers were away for longer than anybody has patience, and answer just now: the call has not heard of it yet.
        let brokers = kafka::EmbeddedBroker::start().unwrap();
        let control = Arc::new(Control::new());
        let plan = Arc::new(plan(brokers.bootstrap_servers(), Duration::from_secs(5)));
        let supervisor = Supervisor { plan, control: Arc::clone(&control) };
        let pulse = Arc::new(Pulse::default());
        let calling = Arc::clone(&pulse);
        let worker = std::thread::spawn(move || {
            control.watched(&calling, || {
                (0..11).for_each(|_| control.live(Duration::from_secs(1)));
                while control.in_call(&calling) > Duration::from_secs(10) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            Ok(())
        });
        assert_eq!(supervisor.watch(vec![worker], &[pulse]), Exit::Stopped);
    }

    #[test]
    fn exits_have_the_contracts_codes() {
        assert_eq!(Exit::Stopped.code(), 0);
        assert_eq!(Exit::Misconfigured(String::new()).code(), 2);
        assert_eq!(Exit::Broken(String::new()).code(), 70);
    }
}
