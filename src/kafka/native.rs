//! Calls of librdkafka that its Rust wrapper does not offer as they are needed. All `unsafe` code of koine is here.

#![allow(unsafe_code)]

use rdkafka::ClientContext;
use rdkafka::bindings;
use rdkafka::client::{Client, OAuthToken};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;
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
