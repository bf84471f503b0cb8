//! What `koine demo` and `koine generate` feed: every sample body of the four vendors, and some that are broken, one in
//! each way. Knows nothing of what is in them.

pub use crate::samples::{SAMPLES as GOOD, Sample};

macro_rules! broken {
    ($($vendor:literal $name:literal)*) => {
        &[$(Sample {
            vendor: $vendor,
            name: $name,
            body: include_bytes!(concat!("../../../tests/fixtures/malformed/", $name, ".json")),
        }),*]
    };
}

/// Bodies that are refused.
pub const BROKEN: &[Sample] = broken! {
    "spree" "empty_body"
    "spree" "truncated"
    "spree" "bad_utf8"
    "spree" "lone_high_surrogate"
    "spree" "dup_key_nested"
    "spree" "depth_129"
    "spree" "unknown_action"
    "spree" "order_id_missing"
    "spree" "money_word"
    "spree" "money_ten_decimals"
    "spree" "time_february_30"
    "spree" "quantity_word"
    "bspk" "bspk_addresses_object"
    "bspk" "bspk_updated_at_no_zone"
    "bspk" "event_name_missing_bspk"
    "composer" "composer_unit_price_precision"
    "composer" "composer_customer_guid_missing"
    "bold" "clock_missing_bold_order"
    "bold" "bold_total_word"
};

/// Samples in a mixed order, one in eight broken.
pub fn nth(nth: usize) -> &'static Sample {
    if nth % 8 == 7 {
        return &BROKEN[nth / 8 % BROKEN.len()];
    }
    // A step that has no divisor in common with the number of samples visits them all.
    let step = [67, 71, 73].into_iter().find(|step| !GOOD.len().is_multiple_of(*step)).unwrap_or(1);
    &GOOD[nth * step % GOOD.len()]
}
