//! The `koine` command: arguments → command → exit status.

fn main() {}
