//! The consumer of a worker: rebalances, where partitions start, and a guard against records handed out twice.
//!
//! It is polled by one thread only. Rebalances are answered by us, not by the wrapper: a partition starts where the
//! group committed, a new group at the earliest record, and a partition whose place is gone does not start at all.

use super::assignment::{self, Assigned, Gone, Seen, Start};
use super::coordinator::{self, Coordinator, Question, Unanswered};
use super::login::Login;
use super::native;
use super::record::Record;
use super::settings::{Connection, ConsumerSettings};
use super::trouble::{self, Trouble};
use super::{Offsets, TopicPartition};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long it may take until the brokers have said where partitions start.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the first time while other partitions are read: they wait meanwhile. It doubles from try to try.
const SHORT_ANSWER: Duration = Duration::from_millis(500);
/// How long to wait before a question is asked again, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// How long until a coordinator that cannot tell yet is asked again.
const NOT_YET: Duration = Duration::from_millis(50);
/// A log that ends before the committed offset is believed after so many answers: a new leader may be behind for a
/// moment.
const ANSWERS_BELIEVED: u32 = 5;

/// What a poll brought.
pub enum Polled<'c> {
    Nothing,
    Record(Record<'c>),
    /// A record that was handed out before in this assignment, or whose partition is not ours. It is not to be done.
    Again(TopicPartition),
    /// These are ours from now on.
    Assigned(Vec<TopicPartition>),
    /// These stand still: what the group committed no longer exists.
    Stalled(Vec<Gone>),
    /// These are to go. They are still ours: finish with them, then call [`Consumer::let_go`].
    Revoking(Vec<TopicPartition>),
    /// These are no longer ours. What was not committed is somebody else's to do.
    Lost(Vec<TopicPartition>),
    Trouble(Trouble),
}

/// That we are a member of the group, in one generation. What is committed in its name is refused once it is over.
pub struct Membership {
    pub(super) group: Arc<str>,
    pub(super) metadata: Arc<ConsumerGroupMetadata>,
}

/// A commit on its way. It goes before the consumer does.
pub struct Commit<'c> {
    awaited: native::Awaited,
    _consumer: PhantomData<&'c Consumer>,
}

impl Commit<'_> {
    /// Whether it is done; nothing, where that is not known within this time.
    pub fn done(&self, within: Duration) -> Option<Result<(), Trouble>> {
        Some(self.awaited.done(within)?.map_err(not_committed))
    }
}

fn not_committed(code: Code) -> Trouble {
    trouble::of_consumer(&KafkaError::ConsumerCommit(code))
}

/// A rebalance that librdkafka has told of and we have not answered.
enum Rebalance {
    Assign(Vec<TopicPartition>),
    Revoke { partitions: Vec<TopicPartition>, is_lost: bool },
    Failed(String),
}

#[derive(Default)]
struct Context {
    login: Login,
    /// With when they were heard of.
    rebalances: Mutex<VecDeque<(Rebalance, Instant)>>,
    /// What librdkafka said to the error that the next poll hands out: it names the topic, the code does not.
    reason: Mutex<Option<String>>,
    /// Nobody polls any more but the closing itself, so rebalances are answered where they are heard.
    is_closing: AtomicBool,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.login.token()
    }

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        log(level, fac, message);
    }

    // The default prints them, and errors if they are cut off (librdkafka 5390).
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        // The poll hands it out too, and the worker says it.
        tracing::debug!(%error, reason, "consumer");
        if let Ok(mut last) = self.reason.lock() {
            *last = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.is_closing.load(Ordering::Acquire) {
            let answer = match what {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => give(consumer, &TopicPartitionList::new()),
                _ => take(consumer, list),
            };
            if let Err(error) = answer {
                tracing::debug!(%error, "a rebalance during the close");
            }
            return;
        }
        let partitions = partitions_of(list);
        let event = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                Rebalance::Revoke { partitions, is_lost: consumer.assignment_lost() }
            }
            other => Rebalance::Failed(KafkaError::Rebalance(other.into()).to_string()),
        };
        if let Ok(mut rebalances) = self.rebalances.lock() {
            rebalances.push_back((event, Instant::now()));
        }
    }
}

/// librdkafka's own log lines.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// A member of the consumer group.
pub struct Consumer {
    // Before the client, whose questions it has.
    coordinator: Coordinator,
    base: BaseConsumer<Context>,
    state: RefCell<State>,
    connection: Connection,
    group: Arc<str>,
    accept_loss: bool,
}

/// How far a partition that is read is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub partition: TopicPartition,
    /// The lowest offset that has not been read.
    pub next: i64,
    /// Where committed readers come to an end.
    pub end: i64,
}

impl Lag {
    pub fn records(&self) -> i64 {
        (self.end - self.next).max(0)
    }
}

#[derive(Default)]
struct State {
    assigned: Assigned,
    /// Ours by the group's word, and not started: the brokers have not yet said where.
    waiting: Vec<TopicPartition>,
    /// When to ask again.
    ask_at: Option<Instant>,
    /// How long the last question was allowed to take, if it was not answered in time.
    asked_for: Option<Duration>,
    /// Where those that wait were before they were stopped, if that is better known than by what was committed.
    positions: HashMap<TopicPartition, i64>,
    /// How often a partition's log has ended before the committed offset.
    doubts: HashMap<TopicPartition, u32>,
    revoking: Vec<TopicPartition>,
    has_joined: bool,
    /// When the last rebalance was heard of.
    heard_at: Option<Instant>,
    /// Nothing is to be read for now.
    is_held: bool,
    /// Told after what came before them.
    news: VecDeque<News>,
}

enum News {
    Assigned(Vec<TopicPartition>),
    Stalled(Vec<Gone>),
    Trouble(Trouble),
}

impl News {
    fn told<'c>(self) -> Polled<'c> {
        match self {
            News::Assigned(partitions) => Polled::Assigned(partitions),
            News::Stalled(gone) => Polled::Stalled(gone),
            News::Trouble(trouble) => Polled::Trouble(trouble),
        }
    }
}

impl Consumer {
    /// Makes a consumer and subscribes it.
    pub fn open(settings: &ConsumerSettings) -> Result<Consumer, Trouble> {
        let fatal = |error: KafkaError| Trouble::Fatal(error.to_string());
        let context = Context { login: settings.connection.login(), ..Context::default() };
        let base: BaseConsumer<Context> = settings.config().create_with_context(context).map_err(fatal)?;
        base.context().login.start(base.client());
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        base.subscribe(&topics).map_err(fatal)?;
        let (connection, group) = (settings.connection.clone(), settings.group.as_str().into());
        let (state, coordinator) = (RefCell::default(), Coordinator::default());
        Ok(Consumer { base, state, connection, coordinator, group, accept_loss: settings.accept_loss })
    }

    /// Reads the next record, or takes part in a rebalance. Records may be held while this is called again.
    pub fn poll(&self, timeout: Duration) -> Polled<'_> {
        if let Some(polled) = self.settle() {
            return polled;
        }
        match self.base.poll(timeout) {
            Some(Ok(message)) => {
                let mut state = self.state.borrow_mut();
                match state.assigned.see(message.topic(), message.partition(), message.offset()) {
                    Seen::New(_) => Polled::Record(Record::new(message)),
                    Seen::Again(partition) => Polled::Again(partition.clone()),
                    Seen::Foreign => Polled::Again(TopicPartition::new(message.topic(), message.partition())),
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => Polled::Nothing,
            Some(Err(error)) if error.rdkafka_error_code() == Some(Code::AutoOffsetReset) => {
                // A partition's next record no longer exists. librdkafka does not say which partition it was and has
                // stopped reading it, so all of them are looked at and started again.
                tracing::warn!(%error, "a partition's place is gone; checking all of them");
                match self.start_anew(false) {
                    Ok(()) => Polled::Nothing,
                    Err(trouble) => Polled::Trouble(trouble),
                }
            }
            Some(Err(error)) => Polled::Trouble(self.explained(&error)),
            None => self.settle().unwrap_or(Polled::Nothing),
        }
    }

    /// Answers what has been heard of rebalances.
    fn settle(&self) -> Option<Polled<'_>> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if !state.revoking.is_empty() {
            // The caller has finished with them, or has forgotten them.
            if let Err(trouble) = self.take_back(state) {
                return Some(Polled::Trouble(trouble));
            }
        }
        let is_due = state.ask_at.is_none_or(|at| Instant::now() >= at);
        if !state.waiting.is_empty()
            && is_due
            && let Err(trouble) = self.place(state)
        {
            return Some(Polled::Trouble(trouble));
        }
        if let Some(news) = state.news.pop_front() {
            return Some(news.told());
        }
        let (event, heard_at) = self.base.context().rebalances.lock().ok()?.pop_front()?;
        state.heard_at = Some(heard_at);
        Some(match event {
            Rebalance::Assign(partitions) => {
                state.waiting.extend(partitions);
                state.has_joined = true;
                state.ask_at = None;
                match self.place(state) {
                    Ok(()) => state.news.pop_front().map_or(Polled::Nothing, News::told),
                    Err(trouble) => Polled::Trouble(trouble),
                }
            }
            Rebalance::Revoke { partitions, is_lost: false } => {
                state.revoking.clone_from(&partitions);
                Polled::Revoking(partitions)
            }
            Rebalance::Revoke { partitions, is_lost: true } => {
                state.has_joined = false;
                state.revoking.clone_from(&partitions);
                match self.take_back(state) {
                    Ok(()) => Polled::Lost(partitions),
                    Err(trouble) => Polled::Trouble(trouble),
                }
            }
            Rebalance::Failed(why) => Polled::Trouble(Trouble::Retriable(why)),
        })
    }

    /// How long ago the rebalance was heard of that is being answered, or was last.
    pub fn rebalancing_for(&self) -> Duration {
        self.state.borrow().heard_at.map(|at| at.elapsed()).unwrap_or_default()
    }

    /// Gives back the partitions that [`Polled::Revoking`] spoke of.
    pub fn let_go(&self) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        self.take_back(&mut state)
    }

    fn take_back(&self, state: &mut State) -> Result<(), Trouble> {
        let going = std::mem::take(&mut state.revoking);
        state.waiting.retain(|partition| !going.contains(partition));
        // They may have been started again while what was read of them was finished.
        forget_news(&mut state.news, &going);
        let mut list = TopicPartitionList::new();
        for partition in &going {
            state.doubts.remove(partition);
            state.positions.remove(partition);
            // One that never started is not known to librdkafka, which would refuse the whole list for it.
            if state.assigned.remove(partition) {
                list.add_partition(&partition.topic, partition.partition);
            }
        }
        if going.is_empty() {
            return Ok(());
        }
        self.coordinator.forget();
        take(&self.base, &list).map_err(|error| Trouble::Fatal(error.to_string()))
    }

    /// Starts the partitions that wait, each where it belongs. What cannot be started yet is asked about again later.
    fn place(&self, state: &mut State) -> Result<(), Trouble> {
        let is_reading = state.assigned.flowing().next().is_some();
        let answer = match (is_reading, state.asked_for) {
            (true, Some(last)) => (last * 2).min(ANSWER),
            (true, None) => SHORT_ANSWER,
            (false, _) => ANSWER,
        };
        let asked_at = Instant::now();
        let placed = self.place_within(state, answer);
        let took = asked_at.elapsed();
        let is_done = placed.is_ok() && state.waiting.is_empty();
        state.asked_for = (!is_done && took >= answer / 2).then_some(answer);
        // However long it takes: most of the time belongs to what can be read.
        let pause = if is_reading { PAUSE.max(took * 2) } else { PAUSE };
        state.ask_at = (!is_done).then(|| Instant::now() + pause);
        placed
    }

    fn place_within(&self, state: &mut State, answer: Duration) -> Result<(), Trouble> {
        let waiting = state.waiting.clone();
        let Places { places, troubles } = self.places(&waiting, &state.positions, answer)?;
        let mut list = TopicPartitionList::new();
        let mut gone = Vec::new();
        let mut doubtful = Vec::new();
        for place in &places {
            let partition = &place.partition;
            let start = assignment::start(place.from, place.low, place.high);
            let side = match start {
                Start::At(offset) => {
                    state.doubts.remove(partition);
                    add(&mut list, partition, Offset::Offset(offset))?;
                    state.assigned.add(partition.clone(), offset, false);
                    continue;
                }
                Start::Gone(side) => side,
            };
            if side == assignment::Side::Above {
                let doubts = state.doubts.entry(partition.clone()).or_default();
                *doubts += 1;
                if *doubts < ANSWERS_BELIEVED {
                    doubtful.push(partition.clone());
                    continue;
                }
            }
            let one = Gone {
                partition: partition.clone(),
                committed: place.from.unwrap_or(place.low),
                low: place.low,
                high: place.high,
                side,
            };
            if self.accept_loss {
                tracing::warn!(
                    %partition, count = one.count(), "going on at the earliest record there is: the loss is accepted"
                );
                add(&mut list, partition, Offset::Offset(place.low))?;
                state.assigned.add(partition.clone(), place.low, false);
            } else {
                // It belongs to us, and stands still: at its end and paused, so that nothing of it is ever read.
                add(&mut list, partition, Offset::End)?;
                state.assigned.add(partition.clone(), i64::MAX, true);
                gone.push(one);
            }
        }
        let list = self.whole(state, list)?;
        // librdkafka keeps a pause over the loss of a partition and its return, and drops a resumption that meets the start
        // of the partition (its issue 5591).
        self.resume_what_may(state)?;
        give(&self.base, &list).map_err(|error| Trouble::Fatal(error.to_string()))?;
        forget_positions(&self.base, &list)?;
        self.pause_what_must(state)?;
        let (later, placed): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|one| doubtful.contains(one) || troubles.contains_key(one));
        for partition in &placed {
            state.positions.remove(partition);
        }
        state.waiting = later;
        if !placed.is_empty() {
            state.news.push_back(News::Assigned(placed));
        }
        if !gone.is_empty() {
            state.news.push_back(News::Stalled(gone));
        }
        // Which they all are is on a metric.
        let first = troubles.into_iter().min_by(|(one, _), (other, _)| one.cmp(other));
        state.news.extend(first.map(|(_, trouble)| News::Trouble(trouble)));
        Ok(())
    }

    /// The list to assign: what is new, or (in the eager protocol) all there is.
    fn whole(&self, state: &State, mut list: TopicPartitionList) -> Result<TopicPartitionList, Trouble> {
        if is_cooperative(&self.base) {
            return Ok(list);
        }
        for (partition, next) in state.assigned.flowing() {
            if list.find_partition(&partition.topic, partition.partition).is_none() {
                add(&mut list, partition, Offset::Offset(next))?;
            }
        }
        for partition in state.assigned.stalled() {
            if list.find_partition(&partition.topic, partition.partition).is_none() {
                add(&mut list, partition, Offset::End)?;
            }
        }
        Ok(list)
    }

    /// What the brokers know of these partitions. One that nobody can tell of keeps none of the others waiting.
    fn places(
        &self,
        partitions: &[TopicPartition],
        positions: &HashMap<TopicPartition, i64>,
        answer: Duration,
    ) -> Result<Places, Trouble> {
        let until = Instant::now() + answer;
        // librdkafka takes 0 for an error.
        let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
        if partitions.is_empty() {
            return Ok(Places::default());
        }
        let failed = |error: KafkaError| self.explained(&error);
        let Committed { offsets: committed, mut troubles } = self.committed(partitions, until)?;
        let known: Vec<&TopicPartition> = partitions.iter().filter(|one| !troubles.contains_key(one)).collect();
        if known.is_empty() {
            // librdkafka takes a question about nothing for a wrong one.
            return Ok(Places { places: Vec::new(), troubles });
        }
        let list = |offset| {
            let mut list = TopicPartitionList::with_capacity(known.len());
            for partition in &known {
                add(&mut list, partition, offset)?;
            }
            Ok::<_, Trouble>(list)
        };
        let low = self.base.offsets_for_times(list(Offset::Beginning)?, left()).map_err(failed)?;
        let high = self.base.offsets_for_times(list(Offset::End)?, left()).map_err(failed)?;
        let place = |partition: &TopicPartition| {
            let from = match positions.get(partition).copied() {
                Some(position) => Some(position),
                None => committed.get(partition).copied().flatten(),
            };
            let missing = || Trouble::Retriable(format!("no broker knows the offsets of {partition}"));
            let low = offset_in(&low, partition)?.ok_or_else(missing)?;
            let high = offset_in(&high, partition)?.ok_or_else(missing)?;
            Ok::<_, Trouble>(Place { partition: partition.clone(), from, low, high })
        };
        let mut places = Vec::with_capacity(known.len());
        for partition in known {
            match place(partition) {
                Ok(place) => places.push(place),
                Err(trouble) => {
                    troubles.insert(partition.clone(), trouble);
                }
            }
        }
        Ok(Places { places, troubles })
    }

    /// What the group has committed. The brokers do not tell an offset that an open transaction may change: its partition has to
    /// wait, and no other.
    fn committed(&self, partitions: &[TopicPartition], until: Instant) -> Result<Committed, Trouble> {
        let question = Question::new(&self.group, partitions)?;
        let found = loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(10));
            match self.coordinator.ask(self.base.client(), &self.connection, &question, left) {
                Ok(found) => break found,
                // A coordinator that has just come, or goes.
                Err(Unanswered::Error(code)) if is_not_yet(code) && Instant::now() + NOT_YET < until => {
                    std::thread::sleep(NOT_YET);
                }
                Err(Unanswered::Error(code)) => return Err(self.explained(&KafkaError::OffsetFetch(code))),
                Err(Unanswered::Lost) => return Err(coordinator::lost()),
            }
        };
        let mut found: HashMap<(String, i32), _> = found.into_iter().collect();
        let mut told = Committed::default();
        for partition in partitions {
            let offset = match found.remove(&(partition.topic.to_string(), partition.partition)) {
                Some(Ok(offset)) => Ok(offset),
                Some(Err(Code::UnstableOffsetCommit)) => {
                    Err("an open transaction may change its committed offset".to_owned())
                }
                Some(Err(code)) => Err(KafkaError::OffsetFetch(code).to_string()),
                None => Err("the brokers do not tell its committed offset".to_owned()),
            };
            match offset {
                Ok(offset) => drop(told.offsets.insert(partition.clone(), offset)),
                Err(why) => {
                    told.troubles.insert(partition.clone(), Trouble::Retriable(format!("{partition}: {why}")));
                }
            }
        }
        Ok(told)
    }

    /// The error with what librdkafka says to it, and what is to be allowed if that is what is wrong.
    fn explained(&self, error: &KafkaError) -> Trouble {
        let reason = self.base.context().reason.lock().ok().and_then(|mut reason| reason.take());
        let trouble = trouble::of_consumer(error);
        let (Trouble::Retriable(_), Some(code)) = (&trouble, error.rdkafka_error_code()) else { return trouble };
        match (self.denied(code, reason.as_deref().unwrap_or_default()), reason) {
            (Some(why), _) => Trouble::Retriable(why),
            (None, Some(reason)) if code == Code::UnknownTopicOrPartition => Trouble::Retriable(reason),
            _ => trouble,
        }
    }

    /// Which permission is missing on what, if it is one.
    fn denied(&self, code: Code, where_: &str) -> Option<String> {
        match code {
            Code::TopicAuthorizationFailed => {
                let topics = self.base.subscription().ok().map(|list| list.to_topic_map());
                let mut topics: Vec<String> = topics.into_iter().flatten().map(|((topic, _), _)| topic).collect();
                topics.sort();
                Some(trouble::denied("READ and DESCRIBE", "topic", &topics.join(", "), where_))
            }
            Code::GroupAuthorizationFailed => Some(trouble::denied("READ", "group", &self.group, where_)),
            _ => None,
        }
    }

    /// Forgets where the partitions are and starts them again where the group committed. For when nobody knows what
    /// became of a commit.
    pub fn restart(&self) -> Result<(), Trouble> {
        self.start_anew(true)
    }

    fn start_anew(&self, from_committed: bool) -> Result<(), Trouble> {
        self.coordinator.forget();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let flowing: HashMap<TopicPartition, i64> =
            state.assigned.flowing().map(|(partition, next)| (partition.clone(), next)).collect();
        let all: Vec<TopicPartition> = match from_committed {
            true => state.assigned.all().cloned().collect(),
            // Those that stand still have been judged.
            false => flowing.keys().cloned().collect(),
        };
        if all.is_empty() && state.waiting.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for partition in &all {
            list.add_partition(&partition.topic, partition.partition);
        }
        take(&self.base, &list).map_err(|error| Trouble::Fatal(error.to_string()))?;
        for partition in &all {
            state.assigned.remove(partition);
        }
        state.waiting.extend(all);
        match from_committed {
            true => state.positions.clear(),
            false => state.positions.extend(flowing),
        }
        self.place(state)
    }

    /// Stops reading, for as long as what was read cannot be delivered; [`Self::poll`] goes on taking part in
    /// rebalances.
    pub fn hold(&self) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        if state.is_held {
            return Ok(());
        }
        state.is_held = true;
        self.pause_what_must(&state)
    }

    /// Goes on reading.
    pub fn release(&self) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        if !state.is_held {
            return Ok(());
        }
        state.is_held = false;
        self.resume_what_may(&state)
    }

    fn resume_what_may(&self, state: &State) -> Result<(), Trouble> {
        if state.is_held {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for partition in state.assigned.reading() {
            list.add_partition(&partition.topic, partition.partition);
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.base.resume(&list).map_err(|error| Trouble::Fatal(error.to_string()))
    }

    fn pause_what_must(&self, state: &State) -> Result<(), Trouble> {
        let mut list = TopicPartitionList::new();
        for partition in state.assigned.stalled().chain(state.assigned.paused()).chain(state.assigned.aside()) {
            list.add_partition(&partition.topic, partition.partition);
        }
        if state.is_held {
            for partition in state.assigned.reading() {
                list.add_partition(&partition.topic, partition.partition);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.base.pause(&list).map_err(|error| Trouble::Fatal(error.to_string()))
    }

    /// Stops reading one partition, or goes on where it was. A new assignment of it is read until this says otherwise.
    pub fn pause(&self, partition: &TopicPartition, is_paused: bool) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        if !state.assigned.pause(partition, is_paused) || (state.is_held && !is_paused) {
            return Ok(());
        }
        if !is_paused && state.assigned.aside().any(|one| one == partition) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.partition);
        let done = if is_paused { self.base.pause(&list) } else { self.base.resume(&list) };
        done.map_err(|error| Trouble::Fatal(error.to_string()))
    }

    /// Lets these wait, beside those that do already.
    pub fn set_aside(&self, partitions: &[TopicPartition]) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        let mut list = TopicPartitionList::new();
        for partition in partitions.iter().filter(|one| state.assigned.set_aside(one)) {
            list.add_partition(&partition.topic, partition.partition);
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.base.pause(&list).map_err(|error| Trouble::Fatal(error.to_string()))
    }

    /// Reads those again that were to wait.
    pub fn recall(&self) -> Result<(), Trouble> {
        let mut state = self.state.borrow_mut();
        let mut list = TopicPartitionList::new();
        for partition in state.assigned.aside() {
            list.add_partition(&partition.topic, partition.partition);
        }
        state.assigned.recall();
        if list.count() == 0 || state.is_held {
            return Ok(());
        }
        self.base.resume(&list).map_err(|error| Trouble::Fatal(error.to_string()))
    }

    /// Where the partitions are that are to be read, with their ends as far as they are known without asking: what was appended
    /// since the last answer is not in them. What librdkafka has passed over counts as read.
    pub fn standing(&self) -> Vec<Lag> {
        let state = self.state.borrow();
        let positions: HashMap<TopicPartition, i64> = self.positions().into_iter().collect();
        let standing = |partition: &TopicPartition| {
            let next = state.assigned.next(partition)?;
            let next = positions.get(partition).map_or(next, |&position| next.max(position));
            let end = native::known_end(self.base.client(), &partition.topic, partition.partition).unwrap_or(next);
            Some(Lag { partition: partition.clone(), next, end })
        };
        state.assigned.reading().chain(state.assigned.aside()).filter_map(standing).collect()
    }

    /// The partitions of ours of which it is not known yet where they start.
    pub fn waiting(&self) -> Vec<TopicPartition> {
        self.state.borrow().waiting.clone()
    }

    /// The partitions of ours that are paused, or wait.
    pub fn paused(&self) -> Vec<TopicPartition> {
        let state = self.state.borrow();
        state.assigned.paused().chain(state.assigned.aside()).cloned().collect()
    }

    /// The offset that is due next in a partition of ours, by the records that were read; none where it stands still.
    pub fn next(&self, partition: &TopicPartition) -> Option<i64> {
        self.state.borrow().assigned.next(partition)
    }

    /// Up to where librdkafka has read our partitions since they were started: markers of transactions, which are never
    /// handed out, count.
    pub fn positions(&self) -> Vec<(TopicPartition, i64)> {
        let Ok(list) = self.base.position() else { return Vec::new() };
        let position = |one: TopicPartitionListElem<'_>| match one.offset() {
            Offset::Offset(offset) => Some((TopicPartition::new(one.topic(), one.partition()), offset)),
            _ => None,
        };
        list.elements().into_iter().filter_map(position).collect()
    }

    /// Our membership as it is now. Ask for every commit: a rebalance ends it.
    pub fn membership(&self) -> Option<Membership> {
        let metadata = Arc::new(self.base.group_metadata()?);
        Some(Membership { group: Arc::clone(&self.group), metadata })
    }

    /// Whether the group has given us a place, if only one without partitions.
    pub fn has_joined(&self) -> bool {
        self.state.borrow().has_joined
    }

    /// Commits without a transaction, and does not wait for it. A rebalance that comes before it has it refused.
    pub fn commit(&self, offsets: &Offsets) -> Result<Commit<'_>, Trouble> {
        let list = offset_list(offsets).map_err(|error| Trouble::Fatal(error.to_string()))?;
        let awaited = native::commit(self.base.client(), &list).map_err(not_committed)?;
        Ok(Commit { awaited, _consumer: PhantomData })
    }

    /// For each partition that is read: where it is and how much is still to come. Asks the brokers; an error means that none
    /// has answered.
    pub fn lag(&self) -> Result<Vec<Lag>, Trouble> {
        let next: Vec<(TopicPartition, i64)> = {
            let state = self.state.borrow();
            state.assigned.flowing().map(|(partition, next)| (partition.clone(), next)).collect()
        };
        let within = Duration::from_secs(2);
        if next.is_empty() {
            // Nothing to ask about; whether anybody is there to be asked is still worth knowing.
            let answered = self.base.client().fetch_metadata(None, within);
            return answered.map(|_| Vec::new()).map_err(|error| Trouble::Retriable(error.to_string()));
        }
        let mut list = TopicPartitionList::with_capacity(next.len());
        for (partition, _) in &next {
            add(&mut list, partition, Offset::End)?;
        }
        let ends = self.base.offsets_for_times(list, within);
        let ends = ends.map_err(|error| Trouble::Retriable(error.to_string()))?;
        let lag = |(partition, next): (TopicPartition, i64)| {
            let end = offset_in(&ends, &partition).ok().flatten()?;
            Some(Lag { partition, next, end })
        };
        let known: Vec<Lag> = next.into_iter().filter_map(lag).collect();
        match known.is_empty() {
            true => Err(Trouble::Retriable("no broker knows the end of any partition".to_owned())),
            false => Ok(known),
        }
    }

    /// Whether it has to be made anew because of a question that was not answered for too long.
    pub fn is_overdue(&self) -> bool {
        self.coordinator.is_overdue()
    }

    /// Whether a broker answers it at all.
    pub fn finds_brokers(&self, within: Duration) -> bool {
        self.base.client().fetch_metadata(None, within).is_ok()
    }

    /// Leaves the group. librdkafka can hang in there, so it does it on a thread of its own, which is left behind when
    /// the time is up. Whether it was done in time.
    pub fn close(self, within: Duration) -> bool {
        self.base.context().is_closing.store(true, Ordering::Release);
        let (done, is_done) = std::sync::mpsc::channel();
        let closing = std::thread::Builder::new().name("koine-close".to_owned()).spawn(move || {
            drop(self);
            done.send(())
        });
        closing.is_ok() && is_done.recv_timeout(within).is_ok()
    }
}

/// That these partitions are ours is no news any more.
fn forget_news(news: &mut VecDeque<News>, going: &[TopicPartition]) {
    news.retain_mut(|one| match one {
        News::Assigned(partitions) => {
            partitions.retain(|partition| !going.contains(partition));
            !partitions.is_empty()
        }
        News::Stalled(gone) => {
            gone.retain(|one| !going.contains(&one.partition));
            !gone.is_empty()
        }
        News::Trouble(_) => true,
    });
}

/// What the brokers know of partitions, and what is wrong with the others.
#[derive(Default)]
struct Places {
    places: Vec<Place>,
    troubles: HashMap<TopicPartition, Trouble>,
}

/// What the group has committed: nothing, where it has not yet. And why that is not known of others.
#[derive(Default)]
struct Committed {
    offsets: HashMap<TopicPartition, Option<i64>>,
    troubles: HashMap<TopicPartition, Trouble>,
}

/// What the brokers know of a partition.
struct Place {
    partition: TopicPartition,
    from: Option<i64>,
    low: i64,
    high: i64,
}

fn is_not_yet(code: Code) -> bool {
    matches!(code, Code::CoordinatorLoadInProgress | Code::CoordinatorNotAvailable | Code::NotCoordinator)
}

/// Outside of the group there is no protocol; an incremental change is then right as well.
fn is_cooperative(base: &BaseConsumer<Context>) -> bool {
    !matches!(base.rebalance_protocol(), rdkafka::consumer::RebalanceProtocol::Eager)
}

fn give(base: &BaseConsumer<Context>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(base) { base.incremental_assign(list) } else { base.assign(list) }
}

fn take(base: &BaseConsumer<Context>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(base) { base.incremental_unassign(list) } else { base.unassign() }
}

/// librdkafka forgets how far it was in a thread of its own, and not before the call that starts a partition anew returns.
/// Waited for, while nobody polls: each position that is told from now on was read to since.
pub(super) fn forget_positions<C: ConsumerContext>(
    base: &BaseConsumer<C>,
    started: &TopicPartitionList,
) -> Result<(), Trouble> {
    let until = Instant::now() + ANSWER;
    loop {
        let told = base.position().map_err(|error| Trouble::Fatal(error.to_string()))?;
        let is_of_before = |one: &TopicPartitionListElem<'_>| {
            matches!(one.offset(), Offset::Offset(_)) && started.find_partition(one.topic(), one.partition()).is_some()
        };
        if !told.elements().iter().any(is_of_before) {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Trouble::Fatal("librdkafka does not forget where it was in its partitions".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn add(list: &mut TopicPartitionList, partition: &TopicPartition, offset: Offset) -> Result<(), Trouble> {
    list.add_partition_offset(&partition.topic, partition.partition, offset)
        .map_err(|error| Trouble::Fatal(error.to_string()))
}

pub(super) fn offset_list(offsets: &Offsets) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, next) in offsets {
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(next.get()))?;
    }
    Ok(list)
}

fn partitions_of(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|one| TopicPartition::new(one.topic(), one.partition())).collect()
}

/// The offset that a list has for a partition, if it is one.
fn offset_in(list: &TopicPartitionList, partition: &TopicPartition) -> Result<Option<i64>, Trouble> {
    let Some(one) = list.find_partition(&partition.topic, partition.partition) else { return Ok(None) };
    one.error().map_err(|error| Trouble::Retriable(format!("{partition}: {error}")))?;
    Ok(match one.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::assignment::Side;
    use super::*;

    #[test]
    fn a_partition_that_goes_is_not_told_of_afterwards() {
        let [stays, goes] = [0, 1].map(|nth| TopicPartition::new("raw", nth));
        let gone = Gone { partition: goes.clone(), committed: 1, low: 2, high: 3, side: Side::Below };
        let mut news = VecDeque::from([
            News::Assigned(vec![stays.clone(), goes.clone()]),
            News::Assigned(vec![goes.clone()]),
            News::Stalled(vec![gone]),
            News::Trouble(Trouble::Retriable("away".to_owned())),
        ]);
        forget_news(&mut news, std::slice::from_ref(&goes));
        assert!(matches!(&news.make_contiguous()[..], [News::Assigned(left), News::Trouble(_)] if *left == [stays]));
    }
}
