//! What the tests of the pipeline share, whichever broker they run on.

use koine::pipeline::{BreakerPlan, BreakerRules};
use std::time::Duration;

/// The default: nothing here is so much, or lasts so long, that it would open.
pub const BREAKER: BreakerPlan = BreakerPlan {
    rules: BreakerRules {
        records: 1000,
        window: Duration::from_secs(30),
        pause: Duration::from_secs(30),
        longest_pause: Duration::from_secs(600),
    },
    pauses: true,
};
