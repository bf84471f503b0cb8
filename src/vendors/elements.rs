//! How much of a webhook's room each kind of element takes that a list can be read into. Knows no vendor.

use super::cursor::Element;
use crate::canonical::*;

macro_rules! elements {
    ($($element:ty: $room:expr,)*) => {
        $(impl Element for $element {
            const ROOM: usize = $room;
        })*
    };
}

// How long a list of each may be follows from these: a smaller figure would let pass what was refused, and a larger one would refuse
// what passed.
elements! {
    // Of what is put elsewhere as it is read nothing stays here.
    (): 0,
    Address<'_>: 488,
    ChosenOption<'_>: 144,
    DigitalLink<'_>: 112,
    Discount<'_>: 128,
    Image<'_>: 200,
    LineItem<'_>: 1_264,
    Payment<'_>: 704,
    Preference<'_>: 48,
    ProductOption<'_>: 88,
    Shipment<'_>: 1_152,
    ShipmentItem<'_>: 64,
    Tax<'_>: 224,
    Transaction<'_>: 160,
    Category<'_>: 120,
    Variant<'_>: 656,
}
