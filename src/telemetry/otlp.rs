//! Spans as OTLP: an `ExportTraceServiceRequest` in protobuf, by hand, since it is six small messages and a crate for them would
//! bring forty more. The numbers are those of opentelemetry-proto 1.x, which may only grow. Knows no network.

use super::traces::{Link, Span, Value};

/// The number of a field, shifted, and how it is written.
const fn tag(field: u32, wire: u32) -> u64 {
    ((field << 3) | wire) as u64
}
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// `SPAN_KIND_CONSUMER`, `STATUS_CODE_ERROR`.
const CONSUMER: u64 = 5;
const ERROR: u64 = 2;
/// That the link's context came over the network, and that this is known: `SPAN_FLAGS_CONTEXT_…_IS_REMOTE`.
const REMOTE: u32 = 0x300;

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u32, value: u64) {
        self.varint(tag(field, VARINT));
        self.varint(value);
    }

    fn fixed64(&mut self, field: u32, value: u64) {
        self.varint(tag(field, FIXED64));
        self.0.extend(value.to_le_bytes());
    }

    fn fixed32(&mut self, field: u32, value: u32) {
        self.varint(tag(field, FIXED32));
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(tag(field, BYTES));
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn attribute(&mut self, field: u32, name: &str, value: &Value) {
        self.message(field, |pair| {
            pair.bytes(1, name.as_bytes());
            pair.message(2, |any| match value {
                Value::Text(text) => any.bytes(1, text.as_bytes()),
                Value::Flag(flag) => any.number(2, u64::from(*flag)),
                Value::Whole(number) => any.number(3, *number as u64),
            });
        });
    }
}

/// A request with these spans of this process.
pub fn request(version: &str, instance: &str, spans: &[Span]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        of_resource.message(1, |resource| {
            resource.attribute(1, "service.name", &Value::Text("koine".to_owned()));
            resource.attribute(1, "service.version", &Value::Text(version.to_owned()));
            resource.attribute(1, "service.instance.id", &Value::Text(instance.to_owned()));
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.bytes(1, b"koine");
                scope.bytes(2, version.as_bytes());
            });
            for one in spans {
                of_scope.message(2, |span| write(span, one));
            }
        });
    });
    request.0
}

fn write(span: &mut Message, one: &Span) {
    span.bytes(1, &one.trace_id);
    span.bytes(2, &one.span_id);
    span.bytes(5, one.name.as_bytes());
    span.number(6, CONSUMER);
    span.fixed64(7, one.start_nanos);
    span.fixed64(8, one.end_nanos);
    for (name, value) in &one.attributes {
        span.attribute(9, name, value);
    }
    if let Some(Link { trace_id, span_id, flags }) = &one.link {
        span.message(13, |link| {
            link.bytes(1, trace_id);
            link.bytes(2, span_id);
            link.fixed32(6, u32::from(*flags) | REMOTE);
        });
    }
    if let Some(error) = one.error {
        span.message(15, |status| {
            status.bytes(2, error.as_bytes());
            status.number(3, ERROR);
        });
    }
}
