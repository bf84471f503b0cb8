//! `koine ready`: whether a running `koine run` on this machine is ready, by its exit status. It is for what looks after a
//! container and cannot ask over HTTP from outside: the image has no shell and nothing else that could.

use super::Failure;
use super::own_port::Which;

pub fn run(which: &Which) -> Result<(), Failure> {
    // Whatever the reason, it is not ready; only a wrong configuration is something else.
    match which.ask("GET", "/readyz") {
        Err(Failure::Internal(why)) => Err(Failure::Found(why)),
        answer => answer.map(|_| ()),
    }
}
