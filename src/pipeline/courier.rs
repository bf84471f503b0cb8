//! Delivers batches: begin, records and dead letters, offsets, commit; again and again, until a batch is done.
//!
//! The courier has a thread of its own, so that the next batch is read while this one is on its way. It owns the
//! producer, and makes a new one where the old one is beyond repair. It never decides that a record is to be skipped.

use super::batch::{Batch, UnitKind};
use super::control::Backoff;
use super::dead_letter;
use super::outputs::NotReady;
use super::service::Plan;
use super::worker::Worker;
use crate::kafka::{Failure, Membership, Offsets, Outgoing, Producer, ProducerSettings, Refusal, SendError, Trouble};
use crate::telemetry::{Operation, Rebuild, TransactionEnd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one call to the broker may take before it is called again. Short, so that a stop is heard.
const CALL: Duration = Duration::from_secs(3);
/// How many things a producer without work hears at a time: log lines, errors, that a token is due.
const IDLE_EVENTS: usize = 20;

/// A batch to deliver.
pub struct Job<'c> {
    pub batch: Batch<'c>,
    pub offsets: Offsets,
    /// Ours when the batch was handed over. A rebalance that comes after it makes the broker refuse the commit.
    pub membership: Option<Membership>,
}

/// A batch that comes back.
pub struct Finished<'c> {
    pub batch: Batch<'c>,
    pub offsets: Offsets,
    pub end: End,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything has arrived; with transactions the offsets are committed too.
    Delivered,
    /// Nothing of it counts. Look at the group, and hand over what is still ours.
    Void(String),
    /// The producer is new, and nobody knows what became of the commit: only the group's offsets do.
    Unknown(String),
    /// Nothing of it counts, and it was given up on request.
    GivenUp,
}

pub struct Courier<'w> {
    worker: &'w Worker,
    producer: Option<Producer>,
    /// The most that is put together, where a topic has taught us to put less together.
    batch_bytes: Option<usize>,
    backoff: Backoff,
    /// When the transaction that is open began.
    begun: Option<Instant>,
}

/// Why an attempt did not end with everything delivered.
enum Broken {
    /// Records that their topics refuse.
    Refused(Vec<(usize, Refusal)>),
    Trouble(Trouble),
    GivenUp,
}

/// In the place of a kind of trouble where there was none.
pub const GIVEN_UP: &str = "given_up";

impl Broken {
    /// One word, for a metric's label.
    fn kind(&self) -> &'static str {
        match self {
            Broken::Refused(suspects) => {
                suspects.first().map_or(GIVEN_UP, |(_, refusal)| Trouble::Refused(*refusal).kind())
            }
            Broken::Trouble(trouble) => trouble.kind(),
            Broken::GivenUp => GIVEN_UP,
        }
    }
}

impl From<Trouble> for Broken {
    fn from(trouble: Trouble) -> Self {
        Broken::Trouble(trouble)
    }
}

impl<'w> Courier<'w> {
    pub fn new(worker: &'w Worker) -> Courier<'w> {
        Courier { worker, producer: None, batch_bytes: None, backoff: Backoff::new(), begun: None }
    }

    fn is_over(&self) -> bool {
        self.worker.control.is_given_up() || self.worker.pulse.is_recalled()
    }

    /// Waits before trying again. `false`: there is no trying again.
    fn pause(&mut self, why: &Trouble) -> bool {
        let pause = self.backoff.pause();
        tracing::warn!(trouble = why.kind(), why = %why, ?pause, "not delivered; trying again");
        self.worker.control.sleep(pause, || self.is_over()) && !self.is_over()
    }

    /// Makes the producer ready, if it is not. `false`: given up.
    pub fn get_ready(&mut self) -> bool {
        while self.producer.is_none() {
            match self.open() {
                // No reason to reset the backoff: a producer that is made anew and anew is no progress.
                Ok(producer) => self.producer = Some(producer),
                Err(trouble) => {
                    if !self.pause(&trouble) {
                        return false;
                    }
                }
            }
        }
        self.worker.heart.producer_ready(true);
        true
    }

    fn open(&self) -> Result<Producer, Trouble> {
        let settings = ProducerSettings { batch_bytes: self.batch_bytes, ..self.worker.producer.clone() };
        let (metrics, number) = (Arc::clone(&self.worker.plan.metrics), self.worker.number);
        let statistics = move |text: &[u8]| metrics.producer_statistics(number, text);
        let producer = Producer::open_watched(&settings, Box::new(statistics))?;
        if producer.is_transactional() {
            self.watched(|| producer.meet(CALL));
        }
        let begun = Instant::now();
        while producer.is_transactional() {
            // It also ends what the last holder of the id left behind, so that the offsets can be asked for again.
            match self.watched(|| producer.init_transactions(CALL)) {
                Ok(()) => break,
                Err(Trouble::Retriable(why)) if !self.is_over() && begun.elapsed() <= self.patience() => {
                    tracing::debug!(why, "the producer is not ready yet")
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(producer)
    }

    /// Drops the producer and makes another.
    fn renew(&mut self, why: &Trouble) {
        tracing::error!(trouble = why.kind(), why = %why, "the producer is beyond repair; making a new one");
        let (rebuild, end) = match why {
            Trouble::Fenced(_) => (Rebuild::ProducerFenced, TransactionEnd::Fenced),
            Trouble::Fatal(_) => (Rebuild::ProducerFatal, TransactionEnd::Fatal),
            Trouble::Lost(_) => (Rebuild::CoordinatorLost, TransactionEnd::Fatal),
            _ => (Rebuild::TransactionStuck, TransactionEnd::Fatal),
        };
        let metrics = &self.worker.plan.metrics;
        metrics.rebuild(rebuild);
        if matches!(why, Trouble::Fatal(_)) {
            metrics.producer_fatal(self.producer.as_ref().and_then(Producer::fatal_code));
        }
        if self.worker.plan.exactly_once {
            self.ended(end);
        }
        self.forget_producer();
        // Two processes that were given the same id would fence each other as fast as they can.
        let pause = self.backoff.pause();
        self.worker.control.sleep(pause, || self.is_over());
        self.get_ready();
    }

    /// Delivers a batch, however long it takes.
    pub fn deliver(&mut self, batch: &mut Batch<'_>, offsets: &Offsets, membership: Option<&Membership>) -> End {
        loop {
            if !self.get_ready() || self.is_over() {
                return End::GivenUp;
            }
            let attempt = match membership {
                Some(membership) => self.in_transaction(batch, offsets, membership),
                None => self.without_transaction(batch),
            };
            let trouble = match attempt {
                Ok(()) => {
                    self.backoff.reset();
                    if membership.is_some() {
                        self.ended(TransactionEnd::Committed);
                    }
                    return End::Delivered;
                }
                Err(Step::Again(trouble)) => trouble,
                Err(Step::Refused(suspects)) => match self.single_out(batch, &suspects) {
                    Ok(()) => continue,
                    Err(why) => Trouble::Abort(why.to_owned()),
                },
                Err(Step::Over(end)) => return end,
            };
            if !self.pause(&trouble) {
                return End::GivenUp;
            }
        }
    }

    /// The transaction that was open has ended.
    fn ended(&mut self, end: TransactionEnd) {
        let took = self.begun.take().map(|begun| begun.elapsed()).unwrap_or_default();
        self.worker.plan.metrics.transaction(end, took);
    }

    /// One attempt with a transaction.
    fn in_transaction(
        &mut self,
        batch: &mut Batch<'_>,
        offsets: &Offsets,
        membership: &Membership,
    ) -> Result<(), Step> {
        let Some(producer) = &self.producer else { return Err(Step::Over(End::GivenUp)) };
        self.begun = Some(Instant::now());
        match self.watched(|| producer.begin()) {
            Ok(()) => {}
            Err(trouble @ Trouble::Retriable(_)) => return Err(Step::Again(trouble)),
            Err(trouble) => return Err(self.void(trouble)?),
        }
        match self.send_all(producer, batch) {
            Ok(()) => {}
            Err(Broken::Refused(suspects)) => {
                self.abort("records were refused")?;
                return Err(Step::Refused(suspects));
            }
            Err(Broken::GivenUp) => {
                self.abort("it was given up")?;
                return Err(Step::Over(End::GivenUp));
            }
            Err(Broken::Trouble(trouble)) => return Err(self.void(trouble)?),
        }
        match self.until_answered(|producer| producer.send_offsets(offsets, membership, CALL)) {
            Ok(()) => {}
            Err(trouble @ Trouble::Abort(_)) => {
                // Most likely the group has moved on. The one who reads has to look.
                let why = self.explained(trouble).to_string();
                self.abort(&why)?;
                return Err(Step::Over(End::Void(why)));
            }
            Err(trouble) => return Err(self.void(trouble)?),
        }
        let committing = Instant::now();
        let committed = self.until_answered(|producer| producer.commit(CALL));
        let trouble = committed.as_ref().err().map(Trouble::kind);
        self.worker.plan.metrics.messaging_operation(Operation::Commit, trouble, committing.elapsed());
        match committed {
            Ok(()) => Ok(()),
            Err(trouble @ Trouble::Abort(_)) => Err(self.void(trouble)?),
            Err(trouble) => {
                // It may be committed or not: doing it again could double it, going on could lose it.
                if self.is_over() {
                    self.forget_producer();
                } else {
                    self.renew(&trouble);
                }
                Err(Step::Over(End::Unknown(trouble.to_string())))
            }
        }
    }

    /// Nothing to do: serves the producer, who has to ask for a token now and then.
    pub fn idle(&self) {
        if let Some(producer) = &self.producer {
            // It hears one thing a call.
            (0..IDLE_EVENTS).for_each(|_| producer.serve(Duration::ZERO));
        }
    }

    /// Drops the producer; the next batch gets another.
    pub fn forget_producer(&mut self) {
        self.worker.heart.producer_ready(false);
        self.worker.plan.metrics.producer_gone(self.worker.number);
        self.producer = None;
    }

    fn watched<T>(&self, call: impl FnOnce() -> T) -> T {
        self.worker.control.watched(&self.worker.pulse, call)
    }

    /// How long an answer is waited for while brokers answer others. They end a transaction after half of it.
    fn patience(&self) -> Duration {
        self.worker.plan.transaction_timeout * 2
    }

    /// Calls until the answer is not "later". A producer that has none for so long though the brokers are there will never have
    /// one; another finds out how the group stands.
    fn until_answered(&mut self, call: impl Fn(&Producer) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let mut backoff = Backoff::new();
        let mut begun = Instant::now();
        loop {
            if !self.worker.heart.do_brokers_answer() {
                begun = Instant::now();
            }
            let Some(producer) = &self.producer else { return Err(Trouble::Fatal("there is no producer".to_owned())) };
            match self.watched(|| call(producer)) {
                Err(Trouble::Retriable(why)) if begun.elapsed() > self.patience() => {
                    return Err(Trouble::Retriable(why));
                }
                Err(Trouble::Retriable(why)) => {
                    tracing::warn!(why, "no answer yet; asking again");
                    // Who waits for a call that has not come back has waited already.
                    let pause = if producer.is_out() { Duration::ZERO } else { backoff.pause() };
                    // Too late for asking: whoever takes the id next will end the transaction.
                    if self.is_over() || !self.worker.control.sleep(pause, || self.is_over()) {
                        return Err(Trouble::Fatal("given up while waiting for an answer".to_owned()));
                    }
                }
                answered => return answered,
            }
        }
    }

    /// What to do after trouble in a transaction.
    fn void(&mut self, trouble: Trouble) -> Result<Step, Step> {
        let trouble = self.explained(trouble);
        match trouble {
            Trouble::Fenced(_) | Trouble::Fatal(_) | Trouble::Lost(_) if self.is_over() => {
                self.forget_producer();
                Err(Step::Over(End::GivenUp))
            }
            Trouble::Fenced(_) | Trouble::Fatal(_) | Trouble::Lost(_) => {
                self.renew(&trouble);
                Err(Step::Over(End::Unknown(trouble.to_string())))
            }
            trouble => {
                self.abort(&trouble.to_string())?;
                Ok(Step::Again(trouble))
            }
        }
    }

    fn explained(&self, trouble: Trouble) -> Trouble {
        match &self.producer {
            Some(producer) => producer.explained(trouble),
            None => trouble,
        }
    }

    /// Aborts a transaction that failed for this cause.
    fn abort(&mut self, cause: &str) -> Result<(), Step> {
        let aborted = match self.producer.as_ref().is_some_and(Producer::is_out) {
            true => Err(Trouble::Retriable("the offsets are still on their way".to_owned())),
            false => self.until_answered(|producer| producer.abort(CALL)),
        };
        // What was heard of records of this transaction is of no interest any more.
        if let Some(producer) = &self.producer {
            producer.take_failures();
        }
        match aborted {
            Ok(()) => {
                self.ended(TransactionEnd::Aborted);
                Ok(())
            }
            Err(_) if self.is_over() => {
                // Whoever takes the id next ends the transaction, at the latest the broker's timeout does.
                self.forget_producer();
                Err(Step::Over(End::GivenUp))
            }
            Err(trouble) => {
                // librdkafka 2.12 cannot abort a transaction that no partition could be added to. What has to be mended
                // is the cause.
                tracing::warn!(why = cause, "the transaction failed, and cannot be aborted");
                self.renew(&trouble);
                Err(Step::Over(End::Unknown(cause.to_owned())))
            }
        }
    }

    /// One attempt without a transaction. If any of it does not arrive, all of it is sent again: in order, and doubled.
    fn without_transaction(&mut self, batch: &mut Batch<'_>) -> Result<(), Step> {
        let Some(producer) = &self.producer else { return Err(Step::Over(End::GivenUp)) };
        let broken = match self.send_all(producer, batch) {
            Ok(()) => return Ok(()),
            Err(broken) => broken,
        };
        let _ = producer.flush(CALL);
        producer.take_failures();
        match broken {
            Broken::Refused(suspects) => Err(Step::Refused(suspects)),
            Broken::GivenUp => Err(Step::Over(End::GivenUp)),
            Broken::Trouble(trouble) => {
                if !trouble.is_survivable() {
                    self.renew(&trouble);
                }
                Err(Step::Again(trouble))
            }
        }
    }

    /// Queues everything in the batch and waits until it has arrived.
    fn send_all(&self, producer: &Producer, batch: &mut Batch<'_>) -> Result<(), Broken> {
        let begun = Instant::now();
        let units = 0..batch.units.len();
        let sent = units.into_iter().try_for_each(|nth| self.send(producer, batch, nth));
        let sent = sent.and_then(|()| self.arrive(producer));
        let trouble = sent.as_ref().err().map(Broken::kind);
        self.worker.plan.metrics.messaging_operation(Operation::Send, trouble, begun.elapsed());
        sent
    }

    /// Queues what one webhook became.
    fn send(&self, producer: &Producer, batch: &mut Batch<'_>, nth: usize) -> Result<(), Broken> {
        loop {
            let Some(unit) = batch.units.get(nth) else { return Ok(()) };
            let sent = match &unit.kind {
                UnitKind::Ignored(_) | UnitKind::PassedOver => return Ok(()),
                UnitKind::Event(event) => {
                    let timestamp_ms = batch.timestamp_ms(unit);
                    let record = Outgoing {
                        topic: self.worker.plan.outputs.canonical(event.entity),
                        partition: None,
                        key: Some(batch.key(event)),
                        value: Some(batch.value(event)),
                        timestamp_ms,
                    };
                    producer.send(&record, batch.headers(event), nth)
                }
                UnitKind::DeadLetter(letter) => {
                    let sent = batch.with_raw(unit, |raw| {
                        let partitions = self.dead_letter_partitions(raw.topic).map_err(SendError::Trouble)?;
                        let form = letter.form;
                        let headers = dead_letter::headers(
                            raw,
                            &letter.letter,
                            &letter.failed_at,
                            &self.worker.plan.dead_letters,
                            form,
                        );
                        let value = dead_letter::value(raw, &self.worker.plan.dead_letters, form)
                            .map_err(|why| SendError::Trouble(Trouble::Abort(why)))?;
                        let record = Outgoing {
                            topic: &self.worker.plan.outputs.dead_letter(raw.topic),
                            partition: Some(dead_letter::partition(raw.partition, partitions)),
                            key: raw.key.filter(|_| form.key),
                            value: value.as_deref(),
                            timestamp_ms: raw.timestamp_ms.filter(|_| form.timestamp),
                        };
                        let headers = headers.iter().map(|(name, value)| (&**name, value.as_deref()));
                        producer.send(&record, headers, nth)
                    });
                    sent.unwrap_or_else(|| {
                        Err(SendError::Trouble(Trouble::Fatal("a webhook without a record".to_owned())))
                    })
                }
            };
            match sent {
                Ok(()) => {
                    // Failures are rare and only they are reported, so this is for librdkafka's own lines.
                    if nth % 512 == 511 {
                        producer.serve(Duration::ZERO);
                    }
                    return Ok(());
                }
                Err(SendError::QueueFull) => {
                    self.watched(|| producer.serve(Duration::from_millis(5)));
                    self.check(producer)?;
                }
                // The client itself refuses it, so it is not in the transaction: take it for what it is and go on.
                Err(SendError::Trouble(Trouble::Refused(refusal))) => {
                    if !batch.refuse(nth, refusal) {
                        return Err(Broken::Refused(vec![(nth, refusal)]));
                    }
                }
                Err(SendError::Trouble(trouble)) => {
                    if let Some(unit) = batch.units.get(nth).filter(|unit| matches!(unit.kind, UnitKind::DeadLetter(_)))
                    {
                        batch.with_raw(unit, |raw| {
                            let Plan { outputs, metrics, .. } = &*self.worker.plan;
                            outputs.forget(raw.topic);
                            metrics.dead_letter_failed(&outputs.dead_letter(raw.topic));
                            metrics.message_not_sent(&outputs.dead_letter(raw.topic), trouble.kind());
                        });
                    }
                    // What went before it may be what is really wrong, and only flushing hears of that.
                    let _ = self.watched(|| producer.flush(CALL));
                    self.check(producer)?;
                    return Err(trouble.into());
                }
            }
        }
    }

    /// How many partitions the dead-letter topic of a raw topic has. One that was not there at start is looked up, or
    /// made.
    fn dead_letter_partitions(&self, raw: &str) -> Result<i32, Trouble> {
        let outputs = &self.worker.plan.outputs;
        if let Some(partitions) = outputs.dead_letter_partitions(raw) {
            return Ok(partitions);
        }
        let prepared = outputs.prepare(&self.worker.plan.connection, |topic| topic == raw);
        match (prepared, outputs.dead_letter_partitions(raw)) {
            (Ok(()), Some(partitions)) => Ok(partitions),
            (Ok(()), None) => Err(Trouble::Abort(format!("{raw} is not there, nor is its dead-letter topic"))),
            (Err(NotReady::Wait(why) | NotReady::Never(why)), _) => Err(Trouble::Abort(why)),
        }
    }

    /// Waits until everything queued has arrived.
    fn arrive(&self, producer: &Producer) -> Result<(), Broken> {
        loop {
            let flushed = self.watched(|| producer.flush(CALL));
            self.check(producer)?;
            match flushed {
                Ok(()) => return Ok(()),
                // librdkafka ends the wait itself: a record that has not arrived in time fails.
                Err(Trouble::Retriable(_)) => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// Whether anything has failed so far.
    fn check(&self, producer: &Producer) -> Result<(), Broken> {
        if self.is_over() {
            return Err(Broken::GivenUp);
        }
        let failures = producer.take_failures();
        if failures.is_empty() {
            return Ok(());
        }
        let Plan { outputs, metrics, .. } = &*self.worker.plan;
        let missing = failures.iter().filter_map(|failure| Some((failure.topic.as_deref()?, &failure.trouble)));
        for (topic, trouble) in missing {
            metrics.message_not_sent(topic, trouble.kind());
            if outputs.is_dead_letters(topic) {
                metrics.dead_letter_failed(topic);
            }
        }
        Err(sort(failures))
    }

    /// Finds out which of these is really to blame: a refused record takes along all that travelled with it. An error
    /// says why the next attempt will fare no better.
    fn single_out(&mut self, batch: &mut Batch<'_>, suspects: &[(usize, Refusal)]) -> Result<(), &'static str> {
        let mut culprits = Vec::new();
        let mut rest = suspects;
        if let [alone] = suspects {
            culprits.push(*alone);
            rest = &[];
        }
        let mut in_vain = 0;
        while !rest.is_empty() && !self.is_over() {
            let (passed, refused) = self.try_one_by_one(batch, rest);
            rest = rest.get(passed..).unwrap_or_default();
            if let (Some(refusal), Some(((nth, _), others))) = (refused, rest.split_first()) {
                culprits.push((*nth, refusal));
                rest = others;
            } else if passed == 0 {
                // The transaction after one with a refusal fails for its sequence numbers (librdkafka 2.12): its abort
                // is what sets them right.
                in_vain += 1;
                if in_vain > 3 {
                    return Err("something else went wrong while a refused record was looked for");
                }
                continue;
            }
            in_vain = 0;
            self.backoff.reset();
        }
        for (nth, refusal) in &culprits {
            self.note_refusal(batch, *nth, *refusal);
            if !batch.refuse(*nth, *refusal) {
                return Err("a dead-letter topic takes no record, however small");
            }
        }
        if culprits.is_empty() && !self.is_over() {
            return self.travel_in_smaller_groups(suspects.len());
        }
        Ok(())
    }

    /// A topic's limit is for what the producer puts together, too. Learnt once, it holds for all batches to come.
    fn travel_in_smaller_groups(&mut self, records: usize) -> Result<(), &'static str> {
        let batch_bytes = self.batch_bytes.unwrap_or(ProducerSettings::BATCH_BYTES);
        if batch_bytes == 1 {
            return Err("records that a topic takes one by one are refused");
        }
        let batch_bytes = (batch_bytes / 8).max(1);
        tracing::warn!(
            records,
            batch_bytes,
            "a topic takes these records one by one but not together, since its max.message.bytes is below batch.size; \
             sending less at a time from now on"
        );
        self.batch_bytes = Some(batch_bytes);
        self.backoff.reset();
        self.forget_producer();
        Ok(())
    }

    fn note_refusal(&self, batch: &Batch<'_>, nth: usize, refusal: Refusal) {
        let Some(unit) = batch.units.get(nth) else { return };
        batch.with_raw(unit, |raw| {
            tracing::warn!(topic = raw.topic, partition = raw.partition, offset = raw.offset, ?refusal, "refused");
        });
    }

    /// Sends webhooks one at a time until one is refused; how many passed, and why the next one did not. It is done in a
    /// transaction that is never committed; without transactions they are simply sent, and once more later.
    fn try_one_by_one(&mut self, batch: &mut Batch<'_>, suspects: &[(usize, Refusal)]) -> (usize, Option<Refusal>) {
        if !self.get_ready() {
            return (0, None);
        }
        let Some(producer) = &self.producer else { return (0, None) };
        let is_transactional = producer.is_transactional();
        if is_transactional && self.watched(|| producer.begin()).is_err() {
            self.forget_producer();
            return (0, None);
        }
        let mut passed = 0;
        let mut refusal = None;
        for (nth, _) in suspects {
            match self.send(producer, batch, *nth).and_then(|()| self.arrive(producer)) {
                Ok(()) => passed += 1,
                Err(Broken::Refused(refused)) => {
                    refusal = refused.first().map(|(_, refusal)| *refusal);
                    break;
                }
                Err(_) => break,
            }
        }
        if is_transactional {
            // Where that fails too, the producer is made anew, which ends the transaction as well.
            let _ = self.abort("it was for looking only");
        }
        (passed, refusal)
    }
}

/// What comes after an attempt that failed.
enum Step {
    Again(Trouble),
    Refused(Vec<(usize, Refusal)>),
    Over(End),
}

/// A refused record is told from what merely went down with it.
fn sort(failures: Vec<Failure>) -> Broken {
    let mut refused = Vec::new();
    let mut other = None;
    for Failure { tag, trouble, .. } in failures {
        match trouble {
            Trouble::Refused(refusal) => refused.push((tag, refusal)),
            trouble => other = Some(other.map_or(trouble.clone(), |first: Trouble| worse(first, trouble))),
        }
    }
    refused.sort_by_key(|(tag, _)| *tag);
    match (refused.is_empty(), other) {
        (false, _) => Broken::Refused(refused),
        (true, Some(trouble)) => Broken::Trouble(trouble),
        (true, None) => Broken::Trouble(Trouble::Abort("records did not arrive".to_owned())),
    }
}

fn worse(one: Trouble, other: Trouble) -> Trouble {
    if one.is_survivable() { other } else { one }
}
