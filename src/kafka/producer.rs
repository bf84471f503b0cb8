//! The producer of a worker: transactional, or idempotent only.
//!
//! Every call is bounded in time and says by its [`Trouble`] what is to be done next.

use super::coordinator::{self, Question, Silence};
use super::errand::{Errand, Out};
use super::login::Login;
use super::settings::{Connection, ProducerSettings};
use super::trouble::{self, Trouble};
use super::{Membership, Offsets, native};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};
use std::cell::RefCell;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Often enough for whoever looks every 15 or 30 seconds.
const STATISTICS_EVERY_MS: &str = "10000";
/// As long a client that is left behind is listened to at a time.
const LEFT: Duration = Duration::from_millis(500);

/// A record on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    /// `None`: by the key.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970; `None` (and 0, which librdkafka takes for none) is now.
    pub timestamp_ms: Option<i64>,
}

/// A record that was not queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// Serve the producer and try again.
    QueueFull,
    Trouble(Trouble),
}

/// A queued record that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the sender called it.
    pub tag: usize,
    /// Where it did not arrive; nothing, if it was only taken back with others.
    pub topic: Option<String>,
    pub trouble: Trouble,
}

/// A producer, and the failures it has heard of.
pub struct Producer {
    /// Carries offsets, from the first ones on. It has to go before the client does.
    errand: RefCell<Option<SendsOffsets>>,
    base: Arc<BaseProducer<Reports>>,
    transactional_id: Option<String>,
    connection: Connection,
}

type SendsOffsets = Errand<ToSend, KafkaResult<()>>;

/// Offsets, and who they are of.
struct ToSend {
    list: TopicPartitionList,
    metadata: Arc<ConsumerGroupMetadata>,
    within: Duration,
}

/// Who is handed librdkafka's statistics, as they come.
pub type Statistics = Box<dyn Fn(&[u8]) + Send + Sync>;

#[derive(Default)]
struct Reports {
    login: Login,
    statistics: Option<Statistics>,
    /// Nobody uses the client any more.
    is_left: AtomicBool,
    failures: Mutex<Vec<Failure>>,
    /// Why a partition could not be added to the transaction. librdkafka tells the topic in this line and nowhere else.
    not_added: Mutex<Option<String>>,
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.login.token()
    }

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        super::consumer::log(level, fac, message);
        if fac == "ADDPARTS"
            && let Ok(mut last) = self.not_added.lock()
        {
            *last = Some(message.to_owned());
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        // Those of a client that is left behind would take the place of its successor's.
        if let Some(heard) = self.statistics.as_ref().filter(|_| !self.is_left.load(Ordering::Relaxed)) {
            heard(statistics);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What matters of it comes back from the calls too, and the courier says it.
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let Err((error, record)) = result else { return };
        let was_taken_back = matches!(error.rdkafka_error_code(), Some(Code::PurgeQueue | Code::PurgeInflight));
        let topic = (!was_taken_back).then(|| record.topic().to_owned());
        let failure = Failure { tag, topic, trouble: trouble::of_delivery(error, record.topic()) };
        if let Ok(mut failures) = self.failures.lock() {
            failures.push(failure);
        }
    }
}

impl Producer {
    /// Makes a producer. It is ready for records, or (with a transactional id) for [`Self::init_transactions`].
    pub fn open(settings: &ProducerSettings) -> Result<Producer, Trouble> {
        Producer::with(settings, None)
    }

    /// The same, and hands on what librdkafka tells of it now and then.
    pub fn open_watched(settings: &ProducerSettings, statistics: Statistics) -> Result<Producer, Trouble> {
        Producer::with(settings, Some(statistics))
    }

    fn with(settings: &ProducerSettings, statistics: Option<Statistics>) -> Result<Producer, Trouble> {
        let mut config = settings.config();
        if statistics.is_some() && config.get("statistics.interval.ms").is_none() {
            config.set("statistics.interval.ms", STATISTICS_EVERY_MS);
        }
        let reports = Reports { login: settings.connection.login(), statistics, ..Reports::default() };
        let base = config.create_with_context(reports);
        let base: BaseProducer<Reports> = base.map_err(|error: KafkaError| Trouble::Fatal(error.to_string()))?;
        base.context().login.start(base.client());
        Ok(Producer {
            errand: RefCell::default(),
            base: Arc::new(base),
            transactional_id: settings.transactional_id.clone(),
            connection: settings.connection.clone(),
        })
    }

    pub fn is_transactional(&self) -> bool {
        self.transactional_id.is_some()
    }

    /// What is wrong with the transaction, with our id if that is what is not allowed.
    fn of_transaction(&self, error: &KafkaError) -> Trouble {
        trouble::of_transaction(error, self.transactional_id.as_deref().unwrap_or_default())
    }

    /// Waits until a broker is there. A producer that is asked for a transaction before waits half a second longer than it takes.
    pub fn meet(&self, timeout: Duration) {
        native::meet(self.base.client(), timeout);
    }

    /// Ends whatever an earlier holder of the transactional id left open, and takes the id.
    pub fn init_transactions(&self, timeout: Duration) -> Result<(), Trouble> {
        self.base.init_transactions(timeout).map_err(|error| self.of_transaction(&error))
    }

    /// The trouble of a transaction with what librdkafka knows of it beyond what it answers.
    pub fn explained(&self, trouble: Trouble) -> Trouble {
        let said = self.base.context().not_added.lock().ok().and_then(|mut said| said.take());
        match (trouble, said) {
            (Trouble::Abort(_), Some(said)) => Trouble::Abort(trouble::not_added(&said)),
            (trouble, _) => trouble,
        }
    }

    /// The same for whoever wants to know why it cannot be.
    pub(super) fn try_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.base.init_transactions(timeout)
    }

    pub fn begin(&self) -> Result<(), Trouble> {
        self.base.begin_transaction().map_err(|error| self.of_transaction(&error))
    }

    /// Queues a record. `tag` comes back if it does not arrive.
    pub fn send<'h>(
        &self,
        record: &Outgoing<'_>,
        headers: impl ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)>,
        tag: usize,
    ) -> Result<(), SendError> {
        let mut outgoing = BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, tag);
        outgoing.partition = record.partition;
        outgoing.key = record.key;
        outgoing.payload = record.value;
        outgoing.timestamp = record.timestamp_ms;
        if headers.len() > 0 {
            let all = OwnedHeaders::new_with_capacity(headers.len());
            outgoing.headers = Some(headers.fold(all, |all, (key, value)| all.insert(Header { key, value })));
        }
        self.base.send(outgoing).map_err(|(error, _)| match trouble::of_send(&error, record.topic) {
            Some(trouble) => SendError::Trouble(trouble),
            None => SendError::QueueFull,
        })
    }

    /// Hears reports, for so long.
    pub fn serve(&self, time: Duration) {
        self.base.poll(time);
    }

    /// Waits until everything queued has arrived or failed.
    pub fn flush(&self, timeout: Duration) -> Result<(), Trouble> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            native::flush(&self.base, left.min(Duration::from_millis(20)));
            // Failures count as queued until their report has been heard.
            self.base.poll(Duration::ZERO);
            if self.base.in_flight_count() == 0 {
                return Ok(());
            }
            if left.is_zero() {
                return Err(Trouble::Retriable("records are still on their way".to_owned()));
            }
        }
    }

    /// What has failed since the last call.
    pub fn take_failures(&self) -> Vec<Failure> {
        self.base.context().failures.lock().map(|mut failures| std::mem::take(&mut *failures)).unwrap_or_default()
    }

    /// Why the client is beyond repair, if it is. Records that fail for it only say that it is.
    pub fn fatal(&self) -> Option<Trouble> {
        let (code, why) = self.base.client().fatal_error()?;
        Some(trouble::of_fatal(code, why))
    }

    /// librdkafka's name for that, if it is a common one.
    pub fn fatal_code(&self) -> Option<&'static str> {
        self.base.client().fatal_error().and_then(|(code, _)| trouble::fatal_code(code))
    }

    fn errand(&self) -> Result<SendsOffsets, Trouble> {
        let (base, left) = (Arc::clone(&self.base), Arc::clone(&self.base));
        let send = move |ToSend { list, metadata, within }| base.send_offsets_to_transaction(&list, &metadata, within);
        let serve = move || {
            left.context().is_left.store(true, Ordering::Relaxed);
            left.poll(LEFT);
        };
        Errand::start(send, serve).map_err(|error| Trouble::Retriable(format!("no thread to send offsets: {error}")))
    }

    /// Whether offsets have been sent and the call has not come back. Until it does librdkafka begins no other of a transaction.
    pub fn is_out(&self) -> bool {
        self.errand.borrow().as_ref().is_some_and(Errand::is_out)
    }

    /// Puts the offsets into the transaction. A membership that has ended meanwhile is refused by the broker, which is
    /// what keeps a record from being done by two. After [`Trouble::Retriable`] call it again, with the same ones.
    pub fn send_offsets(&self, offsets: &Offsets, membership: &Membership, timeout: Duration) -> Result<(), Trouble> {
        let list = super::consumer::offset_list(offsets).map_err(|error| Trouble::Fatal(error.to_string()))?;
        let errand = &mut *self.errand.borrow_mut();
        let errand = match errand {
            Some(errand) => errand,
            None => errand.insert(self.errand()?),
        };
        let order = ToSend { list, metadata: Arc::clone(&membership.metadata), within: timeout };
        let look_around = |silence: &mut Silence| {
            if let Ok(question) = Question::new(&membership.group, offsets.iter().map(|(partition, _)| partition)) {
                silence.ask_others(&question, &self.connection);
            }
        };
        match errand.carry(order, timeout, look_around) {
            Ok(answer) => answer.map_err(|error| self.of_transaction(&error)),
            Err(Out::Still) => Err(Trouble::Retriable("the offsets are still on their way".to_owned())),
            Err(Out::Lost) => Err(coordinator::lost()),
            Err(Out::Ended) => Err(Trouble::Fatal("the thread that sends offsets has ended".to_owned())),
        }
    }

    /// Commits. Call [`Self::flush`] before it. After [`Trouble::Retriable`] call it again.
    pub fn commit(&self, timeout: Duration) -> Result<(), Trouble> {
        self.base.commit_transaction(timeout).map_err(|error| self.of_transaction(&error))
    }

    /// Aborts. After [`Trouble::Retriable`] call it again.
    pub fn abort(&self, timeout: Duration) -> Result<(), Trouble> {
        // librdkafka drops what is queued and waits until each report of it has been heard, which it leaves to another
        // thread.
        let (is_done, base) = (AtomicBool::new(false), &self.base);
        let aborted = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    base.poll(Duration::from_millis(5));
                }
            });
            let aborted = base.abort_transaction(timeout);
            is_done.store(true, Ordering::Release);
            aborted
        });
        aborted.map_err(|error| self.of_transaction(&error))
    }
}
