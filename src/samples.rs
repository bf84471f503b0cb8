//! The bodies of the fixtures, at least one of every documented event type, in the program: `koine demo` feeds them, and
//! `lineage` finds out with them where each leaf goes. Knows nothing of what is in them.

/// A webhook as a vendor sends it.
#[derive(Debug)]
pub struct Sample {
    pub vendor: &'static str,
    pub name: &'static str,
    pub body: &'static [u8],
}

/// Bodies that become events, or are rightly ignored; sorted by vendor and name.
pub const SAMPLES: &[Sample] = include!(concat!(env!("OUT_DIR"), "/samples.rs"));
