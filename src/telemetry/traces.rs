//! Spans of single records: which records have one, and where they wait to be sent. Off unless asked for; what is on the way of
//! a record is then one question for an `Option`. Never sees a payload: a span says where a record lies and what became of it.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many spans wait at most; what is more is dropped, and counted. Nobody ever waits for them to be sent.
const ROOM: usize = 4096;

/// The work on one raw record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub name: String,
    /// Since 1970.
    pub start_nanos: u64,
    pub end_nanos: u64,
    pub attributes: Vec<(&'static str, Value)>,
    /// To whoever sent the record.
    pub link: Option<Link>,
    /// The code of its dead letter.
    pub error: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Whole(i64),
    Flag(bool),
}

/// Whom a record comes from, as its header `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub flags: u8,
}

impl Link {
    /// Reads a `traceparent` (W3C Trace Context); what is none is none.
    pub fn parse(header: &[u8]) -> Option<Link> {
        let text = std::str::from_utf8(header).ok()?;
        let mut parts = text.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_known = version == "00" && parts.next().is_none();
        // A later version may have more after these.
        let is_later = version != "00" && version != "ff";
        let [_] = hex::<1>(version)?;
        let link = Link { trace_id: hex(trace_id)?, span_id: hex(span_id)?, flags: hex::<1>(flags)?[0] };
        let is_any = link.trace_id != [0; 16] && link.span_id != [0; 8];
        (is_any && (is_known || is_later)).then_some(link)
    }

    fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

/// Exactly so many bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(bytes)
}

/// The spans that wait, and who has one.
pub struct Traces {
    one_in: u64,
    waiting: Mutex<VecDeque<Span>>,
    dropped: AtomicU64,
    random: RandomState,
    made: AtomicU64,
}

impl Traces {
    /// One in so many records has a span.
    pub fn new(one_in: u64) -> Traces {
        Traces {
            one_in: one_in.max(1),
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            random: RandomState::new(),
            made: AtomicU64::new(0),
        }
    }

    /// Whether a record has a span: by its producer's trace, so that all who go by it choose alike, and never where the producer
    /// has chosen not to; without one, by its place.
    pub fn takes(&self, link: Option<Link>, offset: i64) -> bool {
        match link {
            Some(link) if !link.is_sampled() => false,
            Some(Link { trace_id: [.., a, b, c, d, e, f, g], .. }) => {
                u64::from_be_bytes([0, a, b, c, d, e, f, g]).is_multiple_of(self.one_in)
            }
            None => offset.unsigned_abs().is_multiple_of(self.one_in),
        }
    }

    /// Ids for a span that begins a trace of its own. The standard library seeds its hash maps from the system's randomness.
    pub fn ids(&self) -> ([u8; 16], [u8; 8]) {
        let nth = self.made.fetch_add(1, Ordering::Relaxed);
        let id = |salt: u64| {
            let mut hasher = self.random.build_hasher();
            hasher.write_u64(nth);
            hasher.write_u64(salt);
            // All zeros is no id.
            hasher.finish().max(1).to_be_bytes()
        };
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&id(0));
        trace_id[8..].copy_from_slice(&id(1));
        (trace_id, id(2))
    }

    pub fn push(&self, span: Span) {
        let Ok(mut waiting) = self.waiting.lock() else { return };
        match waiting.len() < ROOM {
            true => waiting.push_back(span),
            false => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// At most so many of those that wait, oldest first.
    pub fn take(&self, most: usize) -> Vec<Span> {
        let Ok(mut waiting) = self.waiting.lock() else { return Vec::new() };
        let count = waiting.len().min(most);
        waiting.drain(..count).collect()
    }

    /// How many had no room since this was last asked.
    pub fn dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_by_the_letter() {
        let link = Link::parse(HEADER).unwrap();
        assert_eq!(link.trace_id[..3], [0x0a, 0xf7, 0x65]);
        assert_eq!((link.span_id[7], link.flags), (0x31, 1));
        for good in [
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            assert!(Link::parse(good.as_bytes()).is_some(), "{good}");
        }
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        ] {
            assert_eq!(Link::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Link::parse(b"\xff"), None);
    }

    #[test]
    fn who_has_a_span_is_told_by_the_producers_trace() {
        let link = Link::parse(HEADER).unwrap();
        assert!(Traces::new(1).takes(Some(link), 7));
        assert!(!Traces::new(1).takes(Some(Link { flags: 0, ..link }), 7), "the producer has chosen not to");
        let last = |byte| Link { trace_id: [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, byte], ..link };
        let traces = Traces::new(10);
        let taken = (0..100).filter(|&byte| traces.takes(Some(last(byte)), 3)).count();
        assert_eq!((taken, (0..100).filter(|&offset| traces.takes(None, offset)).count()), (10, 10));
    }

    #[test]
    fn ids_differ_and_are_never_zero() {
        let traces = Traces::new(1);
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| traces.ids()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|(trace, span)| *trace != [0; 16] && *span != [0; 8]));
    }

    #[test]
    fn what_has_no_room_is_dropped_and_counted() {
        let traces = Traces::new(1);
        let (trace_id, span_id) = traces.ids();
        let span = Span {
            trace_id,
            span_id,
            name: "process".to_owned(),
            start_nanos: 1,
            end_nanos: 2,
            attributes: Vec::new(),
            link: None,
            error: None,
        };
        (0..ROOM + 5).for_each(|_| traces.push(span.clone()));
        assert_eq!((traces.dropped(), traces.dropped()), (5, 0));
        assert_eq!((traces.take(10).len(), traces.take(ROOM).len(), traces.take(1).len()), (10, ROOM - 10, 0));
    }
}
