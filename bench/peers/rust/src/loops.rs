//! The three loops from a topic to a topic. They know nothing of what is in the records.

use crate::offsets::Offsets;
use crate::{Delivery, Job};
use peers::translate::{Transform, Translator};
use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{BaseRecord, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{slice, thread};

const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_millis(1);
const BATCH: usize = 1024;

/// Notes what the broker has acknowledged, where that decides what is committed.
struct Reports(Option<Arc<Mutex<Offsets>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        if let Err((error, _)) = result {
            panic!("not delivered: {error}");
        }
        if let Some(offsets) = &self.0 {
            offsets.lock().expect("lock").acknowledged((place >> 48) as i32, (place & 0xffff_ffff_ffff) as i64);
        }
    }
}

/// Partition and offset in one word.
fn place(partition: i32, offset: i64) -> usize {
    (partition as usize) << 48 | offset as usize
}

/// One raw record.
struct Raw<'a> {
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Raw<'a> {
    fn of(message: &'a impl Message) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap_or(0),
            key: message.key().unwrap_or_default(),
            value: message.payload().unwrap_or_default(),
        }
    }
}

/// Where the records of `base` and `batch` go.
struct Sink<'a> {
    job: &'a Job,
    /// Its own thread looks at the reports.
    producer: ThreadedProducer<Reports>,
    offsets: Arc<Mutex<Offsets>>,
    translator: Translator,
    done: u64,
    due: Instant,
    in_transaction: bool,
}

impl<'a> Sink<'a> {
    fn new(job: &'a Job) -> Self {
        let offsets = Arc::new(Mutex::new(Offsets::default()));
        let reports = Reports((job.delivery == Delivery::AtLeastOnce).then(|| offsets.clone()));
        let producer = job.producer().create_with_context::<_, ThreadedProducer<_>>(reports).expect("producer");
        if job.delivery == Delivery::ExactlyOnce {
            producer.init_transactions(PATIENCE).expect("init_transactions");
        }
        let translator = Translator::new(job.transform, job.schema_id);
        Self { job, producer, offsets, translator, done: 0, due: Instant::now(), in_transaction: false }
    }

    fn is_done(&self) -> bool {
        self.done >= self.job.count
    }

    fn take(&mut self, raw: Raw<'_>) {
        self.done += 1;
        if self.job.transform == Transform::Discard {
            std::hint::black_box(raw.value);
            return;
        }
        self.note(&raw);
        let value = self.translator.run(raw.value);
        let mut record = BaseRecord::with_opaque_to(&self.job.output, place(raw.partition, raw.offset))
            .key(raw.key)
            .payload(value)
            .timestamp(raw.timestamp);
        while let Err((error, returned)) = self.producer.send(record) {
            assert!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "not sent: {error}");
            record = returned;
            thread::sleep(MOMENT);
        }
    }

    fn note(&mut self, raw: &Raw<'_>) {
        let mut offsets = self.offsets.lock().expect("lock");
        if self.job.delivery != Delivery::ExactlyOnce {
            offsets.sent(raw.partition, raw.offset);
            return;
        }
        offsets.consumed(raw.partition, raw.offset);
        if !self.in_transaction {
            self.producer.begin_transaction().expect("begin_transaction");
            self.in_transaction = true;
        }
    }

    fn commit_if_due(&mut self, consumer: &BaseConsumer) {
        if self.job.delivery != Delivery::None && Instant::now() >= self.due {
            self.commit(consumer, CommitMode::Async);
        }
    }

    fn commit(&mut self, consumer: &BaseConsumer, mode: CommitMode) {
        let offsets = self.offsets.lock().expect("lock").of(&self.job.input);
        if self.in_transaction {
            self.flush();
            let group = consumer.group_metadata().expect("a member of the group");
            self.producer.send_offsets_to_transaction(&offsets, &group, PATIENCE).expect("send_offsets_to_transaction");
            self.producer.commit_transaction(PATIENCE).expect("commit_transaction");
            self.in_transaction = false;
        } else if self.job.delivery == Delivery::AtLeastOnce && offsets.count() > 0 {
            consumer.commit(&offsets, mode).expect("commit");
        }
        self.due = Instant::now() + self.job.commit_every;
    }

    fn finish(&mut self, consumer: &BaseConsumer) {
        if self.job.delivery != Delivery::None {
            self.flush();
            self.commit(consumer, CommitMode::Sync);
        }
    }

    /// rust-rdkafka's own, which committing a transaction calls too, waits for a tenth of a second whenever something is in
    /// flight, however soon the reports come. librdkafka's wakes up with the last, which the producer's thread has looked at.
    fn flush(&self) {
        // SAFETY: the handle is the producer's, which outlives the call.
        let result = unsafe { sys::rd_kafka_flush(self.producer.client().native_ptr(), PATIENCE.as_millis() as i32) };
        assert!(result == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "not delivered");
    }
}

fn subscribed(job: &Job) -> BaseConsumer {
    let consumer: BaseConsumer = job.consumer().create().expect("consumer");
    consumer.subscribe(&[&job.input]).expect("subscribe");
    consumer
}

/// One record a call, in one thread.
pub fn base(job: &Job) {
    let consumer = subscribed(job);
    let mut sink = Sink::new(job);
    while !sink.is_done() {
        one(&consumer, &mut sink);
        sink.commit_if_due(&consumer);
    }
    sink.finish(&consumer);
}

fn one(consumer: &BaseConsumer, sink: &mut Sink<'_>) {
    let until_due = sink.due.saturating_duration_since(Instant::now());
    if let Some(message) = consumer.poll(until_due.clamp(MOMENT, LONGEST_WAIT)) {
        sink.take(Raw::of(&message.expect("a message")));
    }
}

/// As many records a call as librdkafka has at hand.
pub fn batch(job: &Job) {
    let consumer = subscribed(job);
    let mut sink = Sink::new(job);
    // rust-rdkafka hears of assignments only in its own poll, so that one stands first.
    while consumer.assignment().expect("assignment").count() == 0 {
        one(&consumer, &mut sink);
    }
    // SAFETY: the consumer outlives the queue.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    let mut messages = vec![std::ptr::null_mut(); BATCH];
    while !sink.is_done() {
        // SAFETY: the queue is the consumer's, and there is room for as many messages as are asked for.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(queue, LONGEST_WAIT.as_millis() as i32, messages.as_mut_ptr(), BATCH)
        };
        for message in &messages[..usize::try_from(count).expect("a batch")] {
            // SAFETY: librdkafka has filled it, and it is ours until it is destroyed.
            let filled = unsafe { &**message };
            assert!(filled.err == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "not read");
            let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            // SAFETY: as above; a pointer and a length of librdkafka's belong together.
            sink.take(unsafe {
                Raw {
                    partition: filled.partition,
                    offset: filled.offset,
                    timestamp: sys::rd_kafka_message_timestamp(*message, &mut kind),
                    key: bytes(filled.key, filled.key_len),
                    value: bytes(filled.payload, filled.len),
                }
            });
            // SAFETY: nothing of it is used any more; what is sent has been copied.
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
        sink.commit_if_due(&consumer);
    }
    sink.finish(&consumer);
    // Neither is closed: that can wait for ever for what is left in the queue, and the process ends next.
    std::mem::forget((consumer, sink));
}

/// # Safety
/// `length` bytes at `data` must live for `'a`, unless `data` is null.
unsafe fn bytes<'a>(data: *mut std::ffi::c_void, length: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if data.is_null() { &[] } else { unsafe { slice::from_raw_parts(data.cast(), length) } }
}

/// A future a record, on tokio.
pub fn stream(job: &Job) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        let consumer: StreamConsumer = job.consumer().create().expect("consumer");
        consumer.subscribe(&[&job.input]).expect("subscribe");
        let producer: FutureProducer = job.producer().create().expect("producer");
        let mut translator = Translator::new(job.transform, job.schema_id);
        let mut offsets = Offsets::default();
        let mut in_flight = VecDeque::new();
        let mut due = Instant::now() + job.commit_every;
        for _ in 0..job.count {
            let message = consumer.recv().await.expect("a message");
            let raw = Raw::of(&message);
            offsets.sent(raw.partition, raw.offset);
            let mut record =
                FutureRecord::to(&job.output).key(raw.key).payload(translator.run(raw.value)).timestamp(raw.timestamp);
            let delivery = loop {
                match producer.send_result(record) {
                    Ok(delivery) => break delivery,
                    Err((error, returned)) => {
                        assert!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "{error}");
                        record = returned;
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            };
            in_flight.push_back((raw.partition, raw.offset, delivery));
            if in_flight.len() > 10_000 {
                settle(&mut in_flight, &mut offsets).await;
            }
            if Instant::now() >= due {
                consumer.commit(&offsets.of(&job.input), CommitMode::Async).expect("commit");
                due = Instant::now() + job.commit_every;
            }
        }
        while !in_flight.is_empty() {
            settle(&mut in_flight, &mut offsets).await;
        }
        consumer.commit(&offsets.of(&job.input), CommitMode::Sync).expect("commit");
    });
}

async fn settle(in_flight: &mut VecDeque<(i32, i64, DeliveryFuture)>, offsets: &mut Offsets) {
    if let Some((partition, offset, delivery)) = in_flight.pop_front() {
        delivery.await.expect("a report").expect("delivered");
        offsets.acknowledged(partition, offset);
    }
}
