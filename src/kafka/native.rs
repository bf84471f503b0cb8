//! Calls of librdkafka that its Rust wrapper does not offer as they are needed. All `unsafe` code of koine is here.

#![allow(unsafe_code)]

use rdkafka::ClientContext;
use rdkafka::bindings;
use rdkafka::client::{Client, OAuthToken};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

/// Calls `each` with every header of a record.
///
/// The wrapper panics on a header whose name is not UTF-8, and any producer can write one: that record would stop its
/// partition for good. Here such a name is cut at its first wrong byte.
pub fn each_header<'r>(message: &'r BorrowedMessage<'_>, mut each: impl FnMut(&'r str, Option<&'r [u8]>)) {
    let mut headers = std::ptr::null_mut();
    // SAFETY: the message is alive, and `headers` is only read if the call says that it has set it.
    let found = unsafe { bindings::rd_kafka_message_headers(message.ptr(), &mut headers) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return;
    }
    for nth in 0.. {
        let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: `headers` belongs to the message, which outlives `'r`; past the last header the call says so.
        let found = unsafe { bindings::rd_kafka_header_get_all(headers, nth, &mut name, &mut value, &mut size) };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            return;
        }
        // SAFETY: librdkafka ends names with a zero byte and keeps them as long as the message.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let name = match std::str::from_utf8(name) {
            Ok(name) => name,
            Err(error) => name.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or(""),
        };
        let value = match value.is_null() {
            true => None,
            // SAFETY: librdkafka says that `size` bytes lie there, and keeps them as long as the message.
            false => Some(unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) }),
        };
        each(name, value);
    }
}

/// Sends what is queued without waiting for `linger.ms`, and waits until it is acknowledged or the time is up.
///
/// The wrapper's `flush` sleeps in steps of 100 ms, which is as long as a whole batch may take.
pub fn flush<C: ProducerContext>(producer: &BaseProducer<C>, timeout: Duration) {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the pointer is that of a producer that is alive as long as the reference.
    unsafe { bindings::rd_kafka_flush(producer.client().native_ptr(), timeout_ms) };
}

/// Waits until a client is connected with a broker, or the time is up.
///
/// The wrapper asks for topics too: for all of them, or for one, which could create it.
pub fn meet<C: ClientContext>(client: &Client<C>, timeout: Duration) {
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let mut metadata = std::ptr::null();
    // SAFETY: the client is alive as long as the reference; `metadata` is only used if the call says that it has set it, and
    // then it is ours to free, once.
    unsafe {
        let met = bindings::rd_kafka_metadata(client.native_ptr(), 0, std::ptr::null_mut(), &mut metadata, timeout_ms);
        if met == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            bindings::rd_kafka_metadata_destroy(metadata);
        }
    }
}

/// The end of a partition as far as a consumer knows it by itself: by the last answer that had the partition in it, if only by name.
///
/// The wrapper asks the brokers.
pub fn known_end<C: ClientContext>(client: &Client<C>, topic: &str, partition: i32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive as long as the reference, the name ends with a zero byte, and both numbers are ours.
    let known = unsafe {
        bindings::rd_kafka_get_watermark_offsets(client.native_ptr(), topic.as_ptr(), partition, &mut low, &mut high)
    };
    (known == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}

/// Lets the groups of a client's own mock broker form as soon as the first member is there. Left alone it waits three seconds
/// for more of them, as brokers do; nothing is done to a client without such a broker.
pub fn groups_form_at_once<C: ClientContext>(client: &Client<C>) {
    // SAFETY: the pointer is that of a client that is alive as long as the reference, and with it its broker, if it has one.
    unsafe {
        let cluster = bindings::rd_kafka_handle_mock_cluster(client.native_ptr());
        if !cluster.is_null() {
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
    }
}

/// Gives a client a token for SASL/OAUTHBEARER. The error is librdkafka's reason, which quotes no token.
///
/// The wrapper does it only when librdkafka asks, which needs somebody who serves the client.
pub fn set_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| "a zero byte in a token or a name".to_owned());
    let (token_text, principal) = (text(&token.token)?, text(&token.principal_name)?);
    let mut why: [c_char; 512] = [0; 512];
    // SAFETY: the client is alive as long as the reference; both texts end with a zero byte and are copied before the
    // call returns; no extensions are given; the buffer for the reason is as long as is said.
    let code = unsafe {
        bindings::rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            token_text.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            why.as_mut_ptr(),
            why.len(),
        )
    };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: the array is zeroed and librdkafka ends what it writes there with a zero byte.
    Err(unsafe { CStr::from_ptr(why.as_ptr()) }.to_string_lossy().into_owned())
}

/// What brokers say that the one who asks may do with something: its name, and the operations by librdkafka's numbers.
pub type Described = (String, Result<Vec<u32>, RDKafkaErrorCode>);

// SAFETY: only called where what it destroys is dropped; the proof is there.
type Destroy<T> = unsafe extern "C" fn(*mut T);

/// Something of librdkafka's that is ours to destroy.
struct Owned<T> {
    it: *mut T,
    destroy: Destroy<T>,
}

impl<T> Owned<T> {
    /// `None`: librdkafka did not make it.
    fn new(it: *mut T, destroy: Destroy<T>) -> Option<Owned<T>> {
        (!it.is_null()).then_some(Owned { it, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the call that made it says that the caller has to destroy it by this one, and nobody else does.
        unsafe { (self.destroy)(self.it) };
    }
}

/// What we may do with these topics. One that we may not even describe has the broker's refusal.
pub fn topic_operations<C: ClientContext>(
    client: &Client<C>,
    names: &[CString],
    timeout: Duration,
) -> Result<Vec<Described>, RDKafkaErrorCode> {
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the pointers are those of `names`, which live; librdkafka copies the texts.
    let topics = unsafe { bindings::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()) };
    let topics = Owned::new(topics, bindings::rd_kafka_TopicCollection_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    let kind = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let answer = pose(client, kind, with_operations, |handle, options, queue| {
        // SAFETY: client, topics, options and queue are alive; the call copies what it keeps.
        unsafe { bindings::rd_kafka_DescribeTopics(handle, topics.it, options, queue) };
    })?
    .answer(timeout)
    .unwrap_or(Err(RDKafkaErrorCode::OperationTimedOut))?;
    let mut all = Vec::with_capacity(names.len());
    let mut count = 0;
    // SAFETY: `answer` is an event of this call, which lives to the end of this function, and with it all that
    // it lends: the result, `count` descriptions, and of each its name, error and operations.
    unsafe {
        let result = bindings::rd_kafka_event_DescribeTopics_result(answer.it);
        let descriptions = bindings::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for nth in 0..count {
            let description = *descriptions.add(nth);
            let name = text(bindings::rd_kafka_TopicDescription_name(description));
            let error = bindings::rd_kafka_TopicDescription_error(description);
            let mut operations = 0;
            let first = bindings::rd_kafka_TopicDescription_authorized_operations(description, &mut operations);
            all.push((name, described(error, first, operations)));
        }
    }
    Ok(all)
}

/// What we may do with a consumer group.
pub fn group_operations<C: ClientContext>(
    client: &Client<C>,
    name: &CStr,
    timeout: Duration,
) -> Result<Vec<u32>, RDKafkaErrorCode> {
    let kind = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let answer = pose(client, kind, with_operations, |handle, options, queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: client, name, options and queue are alive; the call copies what it keeps.
        unsafe { bindings::rd_kafka_DescribeConsumerGroups(handle, names.as_mut_ptr(), 1, options, queue) };
    })?
    .answer(timeout)
    .unwrap_or(Err(RDKafkaErrorCode::OperationTimedOut))?;
    let (mut count, mut operations) = (0, 0);
    // SAFETY: as in `topic_operations`.
    unsafe {
        let result = bindings::rd_kafka_event_DescribeConsumerGroups_result(answer.it);
        let descriptions = bindings::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        if count == 0 {
            return Err(RDKafkaErrorCode::Fail);
        }
        let description = *descriptions;
        let error = bindings::rd_kafka_ConsumerGroupDescription_error(description);
        let first = bindings::rd_kafka_ConsumerGroupDescription_authorized_operations(description, &mut operations);
        described(error, first, operations)
    }
}

/// How long librdkafka keeps a question: an hour, the longest it allows. If the hour ends while it still looks for a coordinator, it touches
/// freed memory when it finds one.
pub const QUESTION: Duration = Duration::from_secs(3600);

/// What a group has committed, by topic and partition, and of which partitions the brokers do not tell it, and why.
pub type Committed = Vec<((String, i32), Result<Option<i64>, RDKafkaErrorCode>)>;

/// Asks what a group has committed in these partitions. One that an open transaction may change has an error of its own: the
/// wrapper's call, which is librdkafka's for consumers, asks again for as long as there is one such, and then tells of none.
///
/// To be asked by a consumer of a group: in other clients an answer that says that it is not the coordinator's ends the process (librdkafka's
/// issue 5040).
pub fn ask_committed<C: ClientContext>(
    client: &Client<C>,
    group: &CStr,
    partitions: &[(CString, i32)],
) -> Result<Awaited, RDKafkaErrorCode> {
    // SAFETY: it is ours to destroy; the size is but a hint.
    let list = unsafe { bindings::rd_kafka_topic_partition_list_new(0) };
    let list = Owned::new(list, bindings::rd_kafka_topic_partition_list_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    for (topic, partition) in partitions {
        // SAFETY: the list is alive; the topic ends with a zero byte and is copied.
        unsafe { bindings::rd_kafka_topic_partition_list_add(list.it, topic.as_ptr(), *partition) };
    }
    // SAFETY: group and list are alive, and copied.
    let question = unsafe { bindings::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list.it) };
    let question =
        Owned::new(question, bindings::rd_kafka_ListConsumerGroupOffsets_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    let kind = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    pose(client, kind, only_stable, |handle, options, queue| {
        let mut questions = [question.it];
        // SAFETY: client, question, options and queue are alive; the call copies what it keeps.
        unsafe { bindings::rd_kafka_ListConsumerGroupOffsets(handle, questions.as_mut_ptr(), 1, options, queue) };
    })
}

/// Commits for a consumer's group, without waiting.
///
/// The wrapper's asynchronous commit tells nobody what became of it: librdkafka tells the callback that a client was made with, and
/// the wrapper makes its clients with none.
pub fn commit<C: ClientContext>(client: &Client<C>, offsets: &TopicPartitionList) -> Result<Awaited, RDKafkaErrorCode> {
    let handle = client.native_ptr();
    // SAFETY: the handle is that of a client that is alive as long as the reference. Whoever gets the queue is told that it has to
    // go before the client.
    let queue = unsafe { bindings::rd_kafka_queue_new(handle) };
    let queue = Owned::new(queue, bindings::rd_kafka_queue_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    // SAFETY: client, offsets and queue are alive, and the offsets are copied; without a callback the answer is an event.
    let error = unsafe { bindings::rd_kafka_commit_queue(handle, offsets.ptr(), queue.it, None, std::ptr::null_mut()) };
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(Awaited { queue }),
        error => Err(error.into()),
    }
}

impl Awaited {
    /// The answer to [`commit`]; nothing, where it has not come in time. One partition that is refused makes it an error.
    pub fn done(&self, timeout: Duration) -> Option<Result<(), RDKafkaErrorCode>> {
        self.answer(timeout).map(|answer| answer.map(drop))
    }

    /// The answer to [`ask_committed`]; nothing, where it has not come in time.
    pub fn committed(&self, timeout: Duration) -> Option<Result<Committed, RDKafkaErrorCode>> {
        self.answer(timeout).map(|answer| committed_of(&answer?))
    }

    /// Waits for it. In time or not at all is the same to librdkafka, which keeps the question for [`QUESTION`].
    fn answer(&self, timeout: Duration) -> Option<Result<Owned<bindings::rd_kafka_event_t>, RDKafkaErrorCode>> {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive.
        let event = unsafe { bindings::rd_kafka_queue_poll(self.queue.it, timeout_ms) };
        let event = Owned::new(event, bindings::rd_kafka_event_destroy)?;
        // SAFETY: the event is alive.
        Some(match unsafe { bindings::rd_kafka_event_error(event.it) } {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
            error => Err(error.into()),
        })
    }
}

fn committed_of(answer: &Owned<bindings::rd_kafka_event_t>) -> Result<Committed, RDKafkaErrorCode> {
    let mut groups = 0;
    // SAFETY: `answer` is an event of that call, which lives to the end of this function, and with it all that it lends: the
    // result, `groups` groups, and of the first its error and the list of its partitions, of which `cnt` lie at `elems`, each with
    // its topic. For an event of another call there is no result, and of none no groups.
    unsafe {
        let result = bindings::rd_kafka_event_ListConsumerGroupOffsets_result(answer.it);
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let first = bindings::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut groups);
        if groups == 0 {
            return Err(RDKafkaErrorCode::Fail);
        }
        match bindings::rd_kafka_error_code(bindings::rd_kafka_group_result_error(*first)) {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            error => return Err(error.into()),
        }
        let found = bindings::rd_kafka_group_result_partitions(*first);
        if found.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let count = usize::try_from((*found).cnt).unwrap_or_default();
        Ok((0..count)
            .map(|nth| {
                let one = &*(*found).elems.add(nth);
                let offset = match one.err {
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok((one.offset >= 0).then_some(one.offset)),
                    error => Err(error.into()),
                };
                ((text(one.topic), one.partition), offset)
            })
            .collect())
    }
}

/// # Safety
/// See below.
// SAFETY: the caller promises that the options are alive, as in the two below. An error that comes back is ours to destroy.
type SetOptions = unsafe fn(*mut bindings::rd_kafka_AdminOptions_t);

// SAFETY: as `SetOptions` says.
unsafe fn with_operations(options: *mut bindings::rd_kafka_AdminOptions_t) {
    // SAFETY: the caller's promise.
    let error = unsafe { bindings::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1) };
    drop(Owned::new(error, bindings::rd_kafka_error_destroy));
}

// SAFETY: as `SetOptions` says.
unsafe fn only_stable(options: *mut bindings::rd_kafka_AdminOptions_t) {
    // SAFETY: the caller's promise.
    let error = unsafe { bindings::rd_kafka_AdminOptions_set_require_stable_offsets(options, 1) };
    drop(Owned::new(error, bindings::rd_kafka_error_destroy));
}

/// An answer to come. It has to go before its client does.
pub struct Awaited {
    queue: Owned<bindings::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's queues may be used by any thread, and this one's owner is their only user.
unsafe impl Send for Awaited {}

/// Asks the brokers.
fn pose<C: ClientContext>(
    client: &Client<C>,
    kind: bindings::rd_kafka_admin_op_t,
    set: SetOptions,
    call: impl FnOnce(*mut bindings::rd_kafka_t, *const bindings::rd_kafka_AdminOptions_t, *mut bindings::rd_kafka_queue_t),
) -> Result<Awaited, RDKafkaErrorCode> {
    let handle = client.native_ptr();
    let question_ms = i32::try_from(QUESTION.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the handle is that of a client that is alive as long as the reference. The options end with this function; whoever
    // gets the queue is told that it has to go before the client.
    let (options, queue) =
        unsafe { (bindings::rd_kafka_AdminOptions_new(handle, kind), bindings::rd_kafka_queue_new(handle)) };
    let options = Owned::new(options, bindings::rd_kafka_AdminOptions_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    let queue = Owned::new(queue, bindings::rd_kafka_queue_destroy).ok_or(RDKafkaErrorCode::Fail)?;
    // SAFETY: the options are alive; no text of an error is asked for.
    unsafe {
        bindings::rd_kafka_AdminOptions_set_request_timeout(options.it, question_ms, std::ptr::null_mut(), 0);
        set(options.it);
    }
    call(handle, options.it, queue.it);
    Ok(Awaited { queue })
}

/// # Safety
/// See below.
// SAFETY: the caller promises that `error` and `first` are what librdkafka lends of a description that is alive, and that
// `count` operations lie at `first`.
unsafe fn described(
    error: *const bindings::rd_kafka_error_t,
    first: *const bindings::rd_kafka_AclOperation_t,
    count: usize,
) -> Result<Vec<u32>, RDKafkaErrorCode> {
    // SAFETY: the caller's promise; the call takes null for no error.
    match unsafe { bindings::rd_kafka_error_code(error) } {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        error => return Err(error.into()),
    }
    if first.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the caller's promise. They are read as the numbers they are in C: one that the wrapper does not know of yet
    // must not become its enum.
    Ok(unsafe { std::slice::from_raw_parts(first.cast::<u32>(), count) }.to_vec())
}

/// # Safety
/// See below.
// SAFETY: the caller promises that `name` is null, or a text of librdkafka's that is alive.
unsafe fn text(name: *const c_char) -> String {
    match name.is_null() {
        true => String::new(),
        // SAFETY: the caller's promise; librdkafka ends texts with a zero byte.
        false => unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned(),
    }
}
