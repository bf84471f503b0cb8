//! Placeholder.
use super::{Envelope, Unit, Vendor};
use crate::reject::{Code, Reject};

pub static COMPOSER: Vendor = Vendor { name: "composer", recognises: |_| false, open, events: &[], drops: &[] };

fn open<'a>(unit: &Unit<'a>) -> Result<Envelope<'a>, Reject> {
    Err(unit.body.refuse(Code::EnvelopeMissing))
}
