//! A worker: reads, translates, hands batches to its courier, and takes part in the group's rebalances.
//!
//! It shares nothing with other workers. Batches are delivered in the order in which they were read, one at a time; the
//! next one is read meanwhile. When partitions must go, what was read of them is delivered first and they are given up
//! second.

use super::batch::Batch;
use super::breaker::State;
use super::breakers::{Breakers, Turn};
use super::commits::Commits;
use super::control::{Backoff, Control, Pulse};
use super::counts;
use super::courier::{Courier, End, Finished, Job};
use super::ledger::Ledger;
use super::only::Ends;
use super::progress::{Progress, Silence};
use super::service::Plan;
use super::turns::{Next, Turns};
use crate::http::{BreakerView, Heart};
use crate::kafka::{
    self, Consumer, ConsumerSettings, Lag, Polled, ProducerSettings, Record, TopicPartition, Topics, Trouble,
};
use crate::telemetry::{BreakerLevel, PartitionGauges, Rebalance, Rebuild, Tally};
use crate::translate::Translator;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::time::{Duration, Instant};

/// How long the loop waits for something to happen.
const TICK: Duration = Duration::from_millis(50);
/// How long, and after how many records, the loop looks whether the courier is back while a batch is due that is not full.
const GLANCE: Duration = Duration::from_millis(2);
const GLANCE_EVERY: u32 = 64;
/// A batch that is on its way for longer than this stops the reading, and the poll loop serves rebalances only.
const HOLD_AFTER: Duration = Duration::from_secs(3);
/// How long partitions that must go wait for what was read of them.
const DRAIN: Duration = Duration::from_secs(20);
/// How long they, or a stop, wait until what was delivered is committed, too.
const SETTLE: Duration = Duration::from_secs(5);
/// How often the same trouble of the consumer is said.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);
const LAG_EVERY: Duration = Duration::from_secs(15);
/// How long a client may take to find them, where it is asked whether it can.
const FIND: Duration = Duration::from_secs(2);
/// How often brokers that do not answer are asked.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How often secrets and certificates are looked at. What has changed counts once it has been the same for so long.
const SECRETS_EVERY: Duration = Duration::from_secs(2);
/// How long leaving the group may take.
const CLOSE: Duration = Duration::from_secs(5);

pub struct Worker {
    pub plan: Arc<Plan>,
    pub control: Arc<Control>,
    pub pulse: Arc<Pulse>,
    pub heart: Heart,
    pub consumer: ConsumerSettings,
    pub producer: ProducerSettings,
    pub number: usize,
}

/// Why a worker ended although nobody asked it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Misconfigured(String),
    Broken(String),
}

/// Why a consumer is done with.
enum SessionEnd {
    Stopped,
    /// It is beyond repair; another one may fare better.
    Renew(String),
    /// All is well, but it knows only the secrets and certificates of the time when it was made.
    Outdated,
    /// It gives nothing although there is something.
    Stuck(String),
    /// It does not find its group's coordinator.
    Lost(String),
    Fault(Fault),
}

impl SessionEnd {
    /// After trouble that a consumer does not survive.
    fn of(trouble: &Trouble) -> SessionEnd {
        match trouble {
            Trouble::Lost(why) => SessionEnd::Lost(why.clone()),
            trouble => SessionEnd::Renew(trouble.to_string()),
        }
    }
}

impl Worker {
    /// Works until it is told to stop.
    pub fn run(self) -> Result<(), Fault> {
        let done = self.work();
        self.heart.retire();
        done
    }

    fn work(&self) -> Result<(), Fault> {
        let mut courier = Courier::new(self);
        let mut translator = Translator::new();
        let mut tally = Tally::new(&self.plan.metrics);
        let mut backoff = Backoff::new();
        let mut has_worked = false;
        while !self.control.is_stopping() {
            self.heart.beat();
            // Before the clients are made: what changes meanwhile is then a change.
            let secrets = self.consumer.connection.fingerprint();
            let consumer = match Consumer::open(&self.consumer) {
                Ok(consumer) => consumer,
                // A certificate that is half replaced.
                Err(trouble) if has_worked => {
                    let pause = backoff.pause();
                    tracing::error!(worker = self.number, why = %trouble, ?pause, "no consumer can be made; trying again");
                    self.control.sleep(pause, || self.control.is_stopping());
                    continue;
                }
                Err(trouble) => return Err(Fault::Misconfigured(trouble.to_string())),
            };
            has_worked = true;
            let started = Instant::now();
            let end = self.session(&consumer, secrets, &mut courier, &mut translator, &mut tally);
            self.heart.group_joined(false);
            if !consumer.close(CLOSE) {
                tracing::warn!(worker = self.number, "leaving the group takes too long; not waiting for it");
            }
            let (reason, why) = match end {
                SessionEnd::Stopped => return Ok(()),
                SessionEnd::Fault(fault) => return Err(fault),
                SessionEnd::Outdated => {
                    tracing::info!(
                        worker = self.number,
                        "secrets or certificates have changed; making the clients anew"
                    );
                    self.plan.metrics.rebuild(Rebuild::Credentials);
                    courier.forget_producer();
                    continue;
                }
                SessionEnd::Renew(why) => (Rebuild::ConsumerFatal, why),
                SessionEnd::Stuck(why) => (Rebuild::ConsumerStuck, why),
                SessionEnd::Lost(why) => (Rebuild::CoordinatorLost, why),
            };
            tracing::error!(worker = self.number, why, "the consumer is beyond repair; making a new one");
            self.plan.metrics.rebuild(reason);
            if started.elapsed() > Duration::from_secs(60) {
                backoff.reset();
            }
            self.control.sleep(backoff.pause(), || self.control.is_stopping());
        }
        Ok(())
    }

    /// The life of one consumer.
    fn session(
        &self,
        consumer: &Consumer,
        secrets: u64,
        courier: &mut Courier<'_>,
        translator: &mut Translator,
        tally: &mut Tally,
    ) -> SessionEnd {
        self.pulse.recall(false);
        std::thread::scope(|scope| {
            let (jobs, to_do) = sync_channel(1);
            let (report, done) = channel();
            let thread = std::thread::Builder::new().name(format!("koine-courier-{}", self.number));
            let spawned = thread.spawn_scoped(scope, move || run_courier(courier, &to_do, &report));
            if let Err(error) = spawned {
                return SessionEnd::Fault(Fault::Broken(format!("no thread for the courier: {error}")));
            }
            let mut session = Session {
                worker: self,
                consumer,
                translator,
                tally,
                gauges: HashMap::new(),
                jobs,
                done,
                gathering: Batch::new(),
                waiting: VecDeque::new(),
                spare: Vec::new(),
                in_flight: None,
                commits: Commits::new(consumer),
                again_at: None,
                backoff: Backoff::new(),
                source: (String::new(), 0),
                lag_at: Instant::now(),
                is_alarmed: false,
                progress: Progress::new(self.plan.stuck_after),
                turns: Turns::default(),
                silence: Silence::new((self.plan.stuck_after / 4).max(LAG_EVERY)),
                complaints: HashMap::new(),
                ends: Ends::default(),
                breakers: Breakers::new(self.plan.breaker.rules),
                ledger: Ledger::default(),
                is_held: false,
                secrets: Secrets::new(secrets),
            };
            let end = session.run().unwrap_or_else(|end| end);
            // The courier goes when there are no more jobs, and the scope waits for it: nothing may keep it.
            session.recall();
            self.pulse.recall(true);
            let partitions: Vec<TopicPartition> = session.gauges.keys().cloned().collect();
            session.forget(&partitions);
            end
        })
    }
}

fn run_courier<'c>(courier: &mut Courier<'_>, jobs: &Receiver<Job<'c>>, done: &Sender<Finished<'c>>) {
    courier.get_ready();
    loop {
        let Job { mut batch, offsets, membership } = match jobs.recv_timeout(Duration::from_secs(1)) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                courier.idle();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let end = courier.deliver(&mut batch, &offsets, membership.as_ref());
        if done.send(Finished { batch, offsets, end }).is_err() {
            return;
        }
    }
}

/// Whether the secrets are what they were when the clients were made.
struct Secrets {
    known: u64,
    /// What they were when they were looked at last.
    last: u64,
    look_at: Instant,
}

impl Secrets {
    fn new(known: u64) -> Secrets {
        Secrets { known, last: known, look_at: Instant::now() + SECRETS_EVERY }
    }

    /// Whether they have changed, and are not just changing.
    fn have_changed(&mut self, look: impl FnOnce() -> u64) -> bool {
        if Instant::now() < self.look_at {
            return false;
        }
        self.look_at = Instant::now() + SECRETS_EVERY;
        let before = std::mem::replace(&mut self.last, look());
        self.last != self.known && self.last == before
    }
}

/// What one consumer has read and not yet seen delivered.
struct Session<'s, 'c> {
    worker: &'s Worker,
    consumer: &'c Consumer,
    translator: &'s mut Translator,
    tally: &'s mut Tally,
    gauges: HashMap<TopicPartition, PartitionGauges>,
    jobs: SyncSender<Job<'c>>,
    done: Receiver<Finished<'c>>,
    gathering: Batch<'c>,
    /// Batches that came back undone, and are to go before what is gathered.
    waiting: VecDeque<Batch<'c>>,
    spare: Vec<Batch<'c>>,
    in_flight: Option<InFlight>,
    /// Of deliveries without transactions.
    commits: Commits<'c>,
    /// When to hand over what came back.
    again_at: Option<Instant>,
    backoff: Backoff,
    /// The last record's topic, and its source.
    source: (String, usize),
    lag_at: Instant,
    /// The consumer has told of trouble since the brokers were asked last.
    is_alarmed: bool,
    progress: Progress,
    turns: Turns,
    silence: Silence,
    /// What was said of the consumer's trouble, and when.
    complaints: HashMap<String, Instant>,
    /// Of a run that is not to read everything.
    ends: Ends,
    breakers: Breakers,
    ledger: Ledger,
    is_held: bool,
    secrets: Secrets,
}

struct InFlight {
    since: Instant,
    /// How many webhooks of each partition are in it that are still ours.
    webhooks: Vec<(TopicPartition, u64)>,
    /// How many records.
    records: Vec<(TopicPartition, usize)>,
    /// What has been lost since it was handed over.
    lost: Vec<TopicPartition>,
}

impl InFlight {
    fn records_of(&self, partition: &TopicPartition) -> usize {
        self.records.iter().find(|(one, _)| one == partition).map_or(0, |(_, count)| *count)
    }
}

impl<'c> Session<'_, 'c> {
    fn run(&mut self) -> Result<SessionEnd, SessionEnd> {
        loop {
            self.worker.heart.beat();
            // Who has no partition, or waits to be told where they start, is a member all the same.
            self.worker.heart.group_joined(self.consumer.has_joined());
            self.collect(Duration::ZERO)?;
            self.commits.advance(Duration::ZERO, &self.worker.plan.metrics);
            if self.worker.control.is_stopping() {
                self.deliver_all(None)?;
                return Ok(SessionEnd::Stopped);
            }
            if self.secrets.have_changed(|| self.worker.consumer.connection.fingerprint()) {
                self.deliver_all(Some(Instant::now() + DRAIN))?;
                return Ok(SessionEnd::Outdated);
            }
            self.hand_over_what_is_due()?;
            if self.is_blocked() {
                self.wait()?;
            } else {
                self.hold(false)?;
                self.gather()?;
                self.look_for_ends()?;
                self.take_turns()?;
            }
            self.tick_breakers()?;
            self.report_lag()?;
        }
    }

    fn is_full(&self) -> bool {
        let limits = &self.worker.plan.limits;
        self.gathering.len() >= limits.records || self.gathering.bytes() >= limits.bytes
    }

    fn is_ripe(&self) -> bool {
        !self.gathering.is_empty() && (self.is_full() || self.gathering.age() >= self.worker.plan.limits.wait)
    }

    /// Whether there is nothing to read for, until the courier is back. That a batch is due is no reason at first: more of what
    /// comes can share the next transaction.
    fn is_blocked(&self) -> bool {
        !self.waiting.is_empty()
            || (self.in_flight.is_some() && (self.is_full() || (self.is_long_away() && self.is_ripe())))
    }

    /// Whether the courier has been away for so long that something must be wrong.
    fn is_long_away(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.since.elapsed() > HOLD_AFTER)
    }

    fn hand_over_what_is_due(&mut self) -> Result<(), SessionEnd> {
        if self.in_flight.is_some() || self.again_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        match self.waiting.pop_front() {
            Some(batch) => self.hand_over(batch),
            None if self.is_ripe() => {
                let next = self.spare.pop().unwrap_or_else(Batch::new);
                let batch = std::mem::replace(&mut self.gathering, next);
                self.turns.batch_is_read();
                self.hand_over(batch)
            }
            None => Ok(()),
        }
    }

    fn hand_over(&mut self, batch: Batch<'c>) -> Result<(), SessionEnd> {
        self.again_at = None;
        if batch.is_empty() {
            self.recycle(batch);
            return Ok(());
        }
        let membership = match self.worker.plan.exactly_once {
            // Asked for at each hand-over, never kept: it says that all in this batch is ours now, and only now.
            true => match self.consumer.membership() {
                Some(membership) => Some(membership),
                None => return Err(SessionEnd::Renew("the consumer is no member of its group".to_owned())),
            },
            false => None,
        };
        let offsets = batch.offsets();
        let records = offsets.iter().map(|(partition, _)| (partition.clone(), batch.records_of(partition))).collect();
        self.in_flight =
            Some(InFlight { since: Instant::now(), webhooks: batch.webhooks(), records, lost: Vec::new() });
        self.jobs.send(Job { batch, offsets, membership }).map_err(|_| courier_is_gone())
    }

    /// Hears from the courier, if it is back within `time`.
    fn collect(&mut self, time: Duration) -> Result<(), SessionEnd> {
        if self.in_flight.is_none() {
            return Ok(());
        }
        let finished = match time.is_zero() {
            true => self.done.try_recv().map_err(|error| error == TryRecvError::Disconnected),
            false => self.done.recv_timeout(time).map_err(|error| error == RecvTimeoutError::Disconnected),
        };
        let finished = match finished {
            Ok(finished) => finished,
            Err(false) => return Ok(()),
            Err(true) => return Err(courier_is_gone()),
        };
        let lost = self.in_flight.take().map(|in_flight| in_flight.lost).unwrap_or_default();
        let Finished { mut batch, mut offsets, end } = finished;
        match end {
            End::Delivered => {
                self.backoff.reset();
                if !self.worker.plan.exactly_once {
                    // What is somebody else's now is theirs to commit.
                    offsets.retain(|(partition, _)| !lost.contains(partition));
                    self.commits.owe(offsets);
                    self.commits.advance(Duration::ZERO, &self.worker.plan.metrics);
                }
                counts::count(&batch, self.tally, &self.worker.plan);
                let mut settled = batch.webhooks();
                settled.retain(|(partition, _)| !lost.contains(partition));
                self.ledger.settle(&settled);
                for (partition, time) in batch.last_times() {
                    if let Some(gauges) = self.gauges.get(partition) {
                        gauges.processed(time);
                    }
                }
                self.recycle(batch);
                self.balance();
            }
            End::Void(why) => {
                let pause = self.backoff.pause();
                tracing::warn!(worker = self.worker.number, why, ?pause, "the batch is void; doing it again");
                batch.drop_partitions(&lost);
                self.waiting.push_front(batch);
                self.again_at = Some(Instant::now() + pause);
            }
            End::GivenUp => {
                batch.drop_partitions(&lost);
                self.waiting.push_front(batch);
            }
            End::Unknown(why) => {
                tracing::warn!(worker = self.worker.number, why, "starting again from what the group has committed");
                self.recycle(batch);
                self.waiting.clear();
                self.gathering.clear();
                self.ledger.begin_anew();
                if self.worker.control.is_stopping() {
                    return Ok(());
                }
                match self.consumer.restart() {
                    Ok(()) => {}
                    Err(trouble @ Trouble::Retriable(_)) => tracing::warn!(why = %trouble, "waiting for the offsets"),
                    Err(trouble) => return Err(SessionEnd::of(&trouble)),
                }
            }
        }
        Ok(())
    }

    fn recycle(&mut self, mut batch: Batch<'c>) {
        batch.clear();
        if self.spare.len() < 2 {
            self.spare.push(batch);
        }
    }

    /// Waits for the courier, and stays in the group meanwhile.
    fn wait(&mut self) -> Result<(), SessionEnd> {
        self.collect(TICK)?;
        // A batch that came back did so because the group has moved on: only polling tells where to.
        if self.is_long_away() || (self.in_flight.is_none() && !self.waiting.is_empty()) {
            self.hold(true)?;
            self.poll(TICK)?;
        }
        Ok(())
    }

    fn hold(&mut self, is_held: bool) -> Result<(), SessionEnd> {
        if self.is_held == is_held {
            return Ok(());
        }
        self.is_held = is_held;
        self.progress.forget();
        self.turns.forget();
        self.gauges.values().for_each(|gauges| gauges.held(is_held));
        if is_held {
            tracing::warn!(worker = self.worker.number, "reading waits until what was read is delivered");
        } else {
            tracing::info!(worker = self.worker.number, "reading goes on");
        }
        let done = if is_held { self.consumer.hold() } else { self.consumer.release() };
        done.map_err(|trouble| SessionEnd::of(&trouble))
    }

    /// Reads until the batch is ripe, or there is nothing more for now.
    fn gather(&mut self) -> Result<(), SessionEnd> {
        for nth in 1.. {
            let limits = &self.worker.plan.limits;
            let time = match self.gathering.is_empty() {
                true => TICK,
                false => limits.wait.saturating_sub(self.gathering.age()).min(TICK),
            };
            if !self.poll(time)? {
                // It is due, and the courier is away: what comes first, he or a record.
                return if time.is_zero() { self.collect(GLANCE) } else { Ok(()) };
            }
            let may_go_on = self.in_flight.is_some() && !self.is_full() && nth % GLANCE_EVERY != 0;
            if self.is_ripe() && !may_go_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Polls once. Whether there was a record.
    fn poll(&mut self, time: Duration) -> Result<bool, SessionEnd> {
        let metrics = &self.worker.plan.metrics;
        let since = (time >= TICK).then(Instant::now);
        match self.consumer.poll(time) {
            Polled::Nothing => {
                // It comes back sooner where there was something else to do.
                if since.is_some_and(|since| since.elapsed() >= TICK) {
                    self.turns.nothing_came();
                }
                return Ok(false);
            }
            Polled::Record(record) => {
                self.take(record)?;
                return Ok(true);
            }
            Polled::Again(partition) => {
                tracing::debug!(%partition, "a record came again and is passed over");
                metrics.offset_regression(&partition.topic);
            }
            Polled::Assigned(partitions) => {
                tracing::info!(worker = self.worker.number, partitions = %names(&partitions), "partitions assigned");
                if let Some(own) = partitions.iter().find(|one| self.worker.plan.outputs.is_ours(&one.topic)) {
                    let why = format!("the subscription matches {}, which koine itself writes", own.topic);
                    return Err(SessionEnd::Fault(Fault::Misconfigured(why)));
                }
                metrics.rebalance(Rebalance::Assign, self.consumer.rebalancing_for());
                for one in partitions {
                    // Its topic may have more of them than before, and the dead letters' topic too.
                    self.worker.plan.outputs.forget(&one.topic);
                    let made = || metrics.partition(&one.topic, one.partition);
                    let gauges = self.gauges.entry(one.clone()).or_insert_with(made);
                    gauges.held(self.is_held);
                    gauges.waits(false);
                    gauges.stopped(0);
                    if let Some(every) = self.worker.plan.expected(&one.topic) {
                        gauges.expect_every(every);
                    }
                    metrics.dead_letter_topic(&self.worker.plan.outputs.dead_letter(&one.topic));
                    self.begin(&one)?;
                }
                self.turns.forget();
            }
            Polled::Stalled(all) => {
                for gone in &all {
                    tracing::error!(
                        partition = %gone.partition, committed = gone.committed, earliest = gone.low, end = gone.high,
                        count = gone.count(),
                        "the committed offset no longer exists: this partition stands still until --accept-loss"
                    );
                    if let Some(gauges) = self.gauges.get(&gone.partition) {
                        gauges.stopped(gone.count());
                    }
                }
            }
            Polled::Revoking(partitions) => {
                tracing::info!(worker = self.worker.number, partitions = %names(&partitions), "partitions to go");
                self.finish_with(&partitions)?;
                self.consumer.let_go().map_err(|trouble| SessionEnd::of(&trouble))?;
                metrics.rebalance(Rebalance::Revoke, self.consumer.rebalancing_for());
                self.forget(&partitions);
            }
            Polled::Lost(partitions) => {
                tracing::warn!(worker = self.worker.number, partitions = %names(&partitions), "partitions lost");
                metrics.rebalance(Rebalance::Lost, self.consumer.rebalancing_for());
                self.forget(&partitions);
                self.gathering.drop_partitions(&partitions);
                self.waiting.iter_mut().for_each(|batch| batch.drop_partitions(&partitions));
                if let Some(in_flight) = &mut self.in_flight {
                    in_flight.webhooks.retain(|(partition, _)| !partitions.contains(partition));
                    in_flight.lost.extend(partitions);
                }
            }
            Polled::Trouble(Trouble::Fenced(why)) => return Err(SessionEnd::Fault(Fault::Broken(why))),
            Polled::Trouble(trouble @ (Trouble::Fatal(_) | Trouble::Lost(_))) => return Err(SessionEnd::of(&trouble)),
            Polled::Trouble(trouble) => {
                self.complain(&trouble);
                // It may be that all brokers are away. Whoever asks now knows it now.
                self.is_alarmed = true;
            }
        }
        Ok(false)
    }

    /// Says what is wrong with the consumer; in an outage librdkafka says it many times a second.
    fn complain(&mut self, trouble: &Trouble) {
        let why = trouble.to_string();
        let is_old = |said: &Instant| said.elapsed() < COMPLAIN_EVERY;
        if self.complaints.get(&why).is_some_and(is_old) {
            return;
        }
        tracing::warn!(worker = self.worker.number, why, "the consumer has trouble");
        self.complaints.retain(|_, said| is_old(said));
        self.complaints.insert(why, Instant::now());
    }

    /// Lets partitions wait for those that would be left out.
    fn take_turns(&mut self) -> Result<(), SessionEnd> {
        let now = Instant::now();
        if !self.turns.is_due(now) {
            return Ok(());
        }
        let done = match self.turns.look(now, self.consumer.standing()) {
            Next::GoOn => Ok(()),
            Next::Aside(partitions) => {
                tracing::debug!(worker = self.worker.number, partitions = %names(&partitions), "others have their turn");
                self.consumer.set_aside(&partitions)
            }
            Next::All => self.consumer.recall(),
        };
        done.map_err(|trouble| SessionEnd::of(&trouble))
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.turns.forget();
        self.commits.forget(partitions);
        for gauges in partitions.iter().filter_map(|one| self.gauges.remove(one)).collect::<Vec<_>>() {
            gauges.release();
        }
        for one in partitions {
            self.ends.forget(one);
            self.ledger.forget(one);
            self.breakers.forget(one);
            self.worker.plan.health.breakers().forget(&one.topic, one.partition);
        }
    }

    /// A partition has come.
    fn begin(&mut self, partition: &TopicPartition) -> Result<(), SessionEnd> {
        let state = self.breakers.begin(partition);
        self.obey(partition, state)?;
        let Some(only) = &self.worker.plan.only else { return Ok(()) };
        let Some(next) = self.consumer.next(partition) else { return Ok(()) };
        if only.is_over(partition, next) {
            self.gathering.reach(partition, only.until(partition));
        }
        match self.ends.begin(partition, next, only.until(partition)) {
            true => self.pause(partition, true),
            false => Ok(()),
        }
    }

    fn pause(&mut self, partition: &TopicPartition, is_paused: bool) -> Result<(), SessionEnd> {
        self.turns.forget();
        self.consumer.pause(partition, is_paused).map_err(|trouble| SessionEnd::of(&trouble))
    }

    /// Reads a partition or leaves it alone, as its breaker says.
    fn obey(&mut self, partition: &TopicPartition, state: State) -> Result<(), SessionEnd> {
        let is_paused = self.worker.plan.breaker.pauses && state == State::Open;
        if let Some(gauges) = self.gauges.get(partition) {
            let level = match state {
                State::Closed => BreakerLevel::Closed,
                State::Probing => BreakerLevel::Probing,
                State::Open => BreakerLevel::Open,
            };
            gauges.breaker(level, is_paused);
        }
        match self.worker.plan.breaker.pauses {
            true => self.pause(partition, is_paused),
            false => Ok(()),
        }
    }

    /// A breaker has turned.
    fn turn(&mut self, turn: Turn) -> Result<(), SessionEnd> {
        let Turn { partition, state, pause, cause } = turn;
        self.obey(&partition, state)?;
        let paused = self.worker.plan.breaker.pauses && state == State::Open;
        let (fingerprint, code) = cause.map(|(fingerprint, code)| (fingerprint, code.as_str())).unzip();
        match state {
            State::Open => tracing::error!(
                %partition, fingerprint, code, paused, next_probe = ?pause,
                "most records of this partition are refused: its breaker is open"
            ),
            State::Probing => tracing::info!(%partition, "the breaker tries a record"),
            State::Closed => tracing::info!(%partition, "the breaker is closed"),
        }
        self.worker.plan.health.breakers().show(BreakerView {
            topic: partition.topic.as_ref().to_owned(),
            partition: partition.partition,
            state: state.into(),
            paused,
            code,
            fingerprint,
        });
        Ok(())
    }

    fn tick_breakers(&mut self) -> Result<(), SessionEnd> {
        let turns = self.breakers.tick(self.worker.plan.health.breakers());
        turns.into_iter().try_for_each(|turn| self.turn(turn))
    }

    /// Whether a record is beyond what this run is about. Its last one, and whatever comes later, ends the reading of its
    /// partition.
    fn is_beyond(&mut self, record: &Record<'_>) -> Result<bool, SessionEnd> {
        let Some(only) = &self.worker.plan.only else { return Ok(false) };
        let partition = TopicPartition::new(record.topic(), record.partition());
        let until = only.until(&partition);
        if self.ends.reach(&partition, record.offset() + 1, until) {
            self.gathering.reach(&partition, until);
            self.pause(&partition, true)?;
        }
        Ok(record.offset() >= until)
    }

    /// Whether partitions have ended without a last record: what is left of them is Kafka's own.
    fn look_for_ends(&mut self) -> Result<(), SessionEnd> {
        let Some(only) = &self.worker.plan.only else { return Ok(()) };
        let unfinished = self.ends.unfinished();
        if unfinished.is_empty() {
            return Ok(());
        }
        let positions: HashMap<TopicPartition, i64> = self.consumer.positions().into_iter().collect();
        for partition in unfinished {
            let until = only.until(&partition);
            if positions.get(&partition).is_some_and(|&position| self.ends.reach(&partition, position, until)) {
                self.gathering.reach(&partition, until);
                self.pause(&partition, true)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, record: Record<'c>) -> Result<(), SessionEnd> {
        if self.is_beyond(&record)? {
            return Ok(());
        }
        let plan = &*self.worker.plan;
        if self.source.0 != record.topic() {
            let topic = record.topic().to_owned();
            let source = (plan.source_of)(&topic).unwrap_or(usize::MAX);
            self.source = (topic, source);
        }
        let settings = plan.sources.get(self.source.1).unwrap_or(&plan.any_source);
        let selection = plan.only.as_ref().map(|only| &only.selection);
        let (partition, first) = (record.partition(), self.gathering.units.len());
        let webhooks = self.gathering.add(record, self.translator, settings, &plan.schemas, selection);
        self.ledger.take(&self.source.0, partition, webhooks);
        let units = self.gathering.units.get(first..).unwrap_or_default();
        match self.breakers.count(&self.source.0, partition, units.iter().map(|unit| &unit.kind)) {
            Some(turn) => self.turn(turn),
            None => Ok(()),
        }
    }

    /// Delivers what was read of partitions that are to go; what cannot be delivered in time is let go undone.
    fn finish_with(&mut self, going: &[TopicPartition]) -> Result<(), SessionEnd> {
        let is_touched = self.in_flight.is_some()
            || self.commits.owes_any_of(going)
            || self.gathering.has_any_of(going)
            || self.waiting.iter().any(|batch| batch.has_any_of(going));
        if is_touched && !self.deliver_all(Some(Instant::now() + DRAIN))? {
            tracing::warn!("not all could be delivered before the partitions had to go");
        }
        self.gathering.drop_partitions(going);
        self.waiting.iter_mut().for_each(|batch| batch.drop_partitions(going));
        Ok(())
    }

    /// Delivers everything that was read, and has it committed. Whether it was delivered in time.
    fn deliver_all(&mut self, until: Option<Instant>) -> Result<bool, SessionEnd> {
        let is_delivered = self.deliver_what_was_read(until)?;
        self.settle(until);
        Ok(is_delivered)
    }

    /// Waits until what was delivered is committed; without transactions that comes after it.
    fn settle(&mut self, until: Option<Instant>) {
        let latest = Instant::now() + SETTLE;
        let until = until.map_or(latest, |until| until.min(latest));
        while !self.commits.are_done() {
            self.worker.heart.beat();
            self.commits.advance(TICK, &self.worker.plan.metrics);
            if self.worker.control.is_given_up() || Instant::now() >= until {
                tracing::warn!("not all that was delivered could be committed: it will be delivered again");
                return;
            }
        }
    }

    fn deliver_what_was_read(&mut self, until: Option<Instant>) -> Result<bool, SessionEnd> {
        loop {
            self.worker.heart.beat();
            if self.in_flight.is_none() && self.again_at.is_none_or(|at| Instant::now() >= at) {
                let batch = match self.waiting.pop_front() {
                    Some(batch) => batch,
                    None if self.gathering.is_empty() => return Ok(true),
                    None => std::mem::replace(&mut self.gathering, Batch::new()),
                };
                self.hand_over(batch)?;
            }
            if self.in_flight.is_some() {
                self.collect(TICK)?;
            } else {
                self.worker.control.sleep(TICK, || false);
            }
            if self.worker.control.is_given_up() || until.is_some_and(|until| Instant::now() >= until) {
                self.recall();
                return Ok(self.waiting.is_empty() && self.gathering.is_empty());
            }
        }
    }

    /// Has the courier give up what it is at, and waits for it.
    fn recall(&mut self) {
        self.worker.pulse.recall(true);
        while self.in_flight.is_some() {
            self.worker.heart.beat();
            if self.collect(TICK).is_err() {
                break;
            }
        }
        self.worker.pulse.recall(false);
    }

    /// Whether the brokers are there, and how far behind them we are, is asked now and then; sooner where there is trouble.
    fn is_time_to_ask(&self) -> bool {
        let is_calm = self.worker.heart.do_brokers_answer() && !self.is_alarmed;
        let every = if is_calm { LAG_EVERY.min(self.worker.plan.stuck_after / 4) } else { ASK_AGAIN };
        self.lag_at.elapsed() >= every
    }

    /// Whether all that was handed out is accounted for.
    fn balance(&self) {
        let mut at_hand = self.gathering.webhooks();
        at_hand.extend(self.waiting.iter().flat_map(Batch::webhooks));
        at_hand.extend(self.in_flight.iter().flat_map(|in_flight| in_flight.webhooks.iter().cloned()));
        for (partition, short) in self.ledger.balance(&at_hand) {
            if short != 0 {
                tracing::error!(%partition, short, "the ledger does not add up");
            }
            if let Some(gauges) = self.gauges.get(partition) {
                gauges.imbalance(short);
            }
        }
    }

    fn report_lag(&mut self) -> Result<(), SessionEnd> {
        if !self.is_time_to_ask() {
            return Ok(());
        }
        if self.consumer.is_overdue() {
            return Err(SessionEnd::Lost("its group's coordinator has not answered it for too long".to_owned()));
        }
        self.balance();
        self.show_waiting();
        let lag = self.consumer.lag();
        // Asking those that are away takes its time: what may be asked of the others is done in between.
        self.lag_at = Instant::now();
        self.is_alarmed = false;
        self.worker.heart.brokers_answer(lag.is_ok());
        self.worker.plan.metrics.brokers_reachable(self.worker.number, lag.is_ok());
        let lag = match lag {
            Ok(lag) => lag,
            Err(trouble) => {
                tracing::debug!(why = %trouble, "the lag is not known");
                self.gauges.values().for_each(PartitionGauges::lag_unknown);
                return self.look_for_brokers(&trouble);
            }
        };
        self.silence.is_over();
        self.show_lag(&lag);
        // Who waits on purpose is not stuck, nor is what an open breaker keeps from being read, or who has had its turn.
        if self.is_held {
            return Ok(());
        }
        let paused = self.consumer.paused();
        let flowing: Vec<Lag> = lag.into_iter().filter(|lag| !paused.contains(&lag.partition)).collect();
        let suspects = self.progress.look(Instant::now(), &flowing);
        if suspects.is_empty() { Ok(()) } else { self.look_into(&suspects) }
    }

    /// Whether it is the consumer who has lost the brokers. librdkafka lets go of all that are not named any more, and where for a
    /// moment none was, it has been seen to find none for minutes, though they were there.
    fn look_for_brokers(&mut self, trouble: &Trouble) -> Result<(), SessionEnd> {
        let is_alone = self.silence.is_long(Instant::now())
            && !self.consumer.finds_brokers(FIND)
            && Topics::find_brokers(&self.worker.plan.connection, FIND);
        if !is_alone {
            return Ok(());
        }
        tracing::error!(worker = self.worker.number, why = %trouble, "the consumer finds no brokers, and another client does");
        Err(SessionEnd::Stuck("it has lost the brokers".to_owned()))
    }

    /// A partition that cannot be read yet is ours all the same: whoever looks has to see that it falls behind, and why.
    fn show_waiting(&mut self) {
        let waiting = self.consumer.waiting();
        for one in &waiting {
            let metrics = &self.worker.plan.metrics;
            self.gauges.entry(one.clone()).or_insert_with(|| metrics.partition(&one.topic, one.partition));
        }
        self.gauges.iter().for_each(|(partition, gauges)| gauges.waits(waiting.contains(partition)));
    }

    /// What is behind is what has not been read, and what has been and is not committed. Markers of transactions, beyond which
    /// librdkafka has read already, are nothing to wait for.
    fn show_lag(&self, lag: &[Lag]) {
        let positions: HashMap<TopicPartition, i64> = self.consumer.positions().into_iter().collect();
        for (partition, gauges) in &self.gauges {
            let Some(one) = lag.iter().find(|one| one.partition == *partition) else {
                gauges.lag_unknown();
                continue;
            };
            let read_to = positions.get(partition).copied().unwrap_or(one.next).max(one.next);
            let in_flight = self.in_flight.iter().map(|in_flight| in_flight.records_of(partition));
            let at_hand = self.gathering.records_of(partition)
                + self.waiting.iter().map(|batch| batch.records_of(partition)).sum::<usize>()
                + in_flight.sum::<usize>();
            gauges.lag((one.end - read_to).max(0) + at_hand as i64);
        }
    }

    /// Whether the consumer is stuck, or has had nothing to read.
    fn look_into(&mut self, suspects: &[Lag]) -> Result<(), SessionEnd> {
        let probed = match kafka::probe(&self.worker.consumer, suspects) {
            Ok(probed) => probed,
            Err(trouble) => {
                tracing::warn!(why = %trouble, "a partition does not get on, and whether it could is not known");
                return Ok(());
            }
        };
        probed.empty.iter().for_each(|lag| self.progress.is_empty_to(lag));
        let Some(Lag { partition, next, end }) = probed.stuck else { return Ok(()) };
        tracing::error!(
            worker = self.worker.number, %partition, next, end, suspects = suspects.len(), assigned = self.gauges.len(),
            is_in_flight = self.in_flight.is_some(), waiting = self.waiting.len(), gathered = self.gathering.len(),
            "the consumer is stuck: another reader finds a record where it finds none"
        );
        self.worker.plan.metrics.consumer_stuck(&partition.topic);
        Err(SessionEnd::Stuck(format!("it is stuck at {next} of {partition}")))
    }
}

fn courier_is_gone() -> SessionEnd {
    SessionEnd::Fault(Fault::Broken("the courier thread has ended".to_owned()))
}

fn names(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().take(20).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(names.len());
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_changed_once_they_have_stopped_changing() {
        let mut secrets = Secrets::new(1);
        assert!(!secrets.have_changed(|| panic!("it is not time yet")));
        let mut look = |now| {
            secrets.look_at = Instant::now();
            secrets.have_changed(|| now)
        };
        assert!(!look(1));
        assert!(!look(2), "it may be half written");
        assert!(!look(3), "it was");
        assert!(look(3));
        assert!(!look(1) && !look(1), "and back");
    }
}
