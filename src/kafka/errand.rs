//! A call to librdkafka on a thread of its own, so that nobody waits for it for ever: the one that puts offsets into a transaction.
//!
//! It is told how long it may take, and does not keep to it: it waits for the group's coordinator, and where that is a broker which
//! librdkafka has let go of (see `coordinator`) it does not come back. Then the thread is left behind with its client, which nobody uses,
//! until the call comes back after all. What that client still does is not committed by anybody: the next holder of the transactional id
//! fences it, or the broker's timeout ends its transaction. Knows nothing of records.

use super::coordinator::Silence;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Who goes on errands, one at a time, for an order `O`, and comes back with an answer `A`.
pub struct Errand<O, A> {
    /// Nothing once it is to end.
    orders: Option<SyncSender<O>>,
    answers: Receiver<A>,
    thread: Option<JoinHandle<()>>,
    /// Serves the client while it is left behind: else what it has to tell would pile up, and its token would run out.
    serve: Option<Box<dyn FnMut() + Send>>,
    /// Of the call that has not come back.
    silence: Option<Silence>,
}

/// There is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// So far. Ask again.
    Still,
    /// And will be none: the client has lost the group's coordinator.
    Lost,
    /// The thread has ended.
    Ended,
}

impl<O: Send + 'static, A: Send + 'static> Errand<O, A> {
    /// `serve` is called again and again once the call is left behind, and should take a while.
    pub fn start(
        mut call: impl FnMut(O) -> A + Send + 'static,
        serve: impl FnMut() + Send + 'static,
    ) -> std::io::Result<Errand<O, A>> {
        let (orders, to_do) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let thread = Builder::new().name("koine-offsets".to_owned()).spawn(move || {
            for order in to_do {
                if answer.send(call(order)).is_err() {
                    return;
                }
            }
        })?;
        let serve: Box<dyn FnMut() + Send> = Box::new(serve);
        Ok(Errand { orders: Some(orders), answers, thread: Some(thread), serve: Some(serve), silence: None })
    }
}

impl<O, A> Errand<O, A> {
    /// Whether a call has not come back.
    pub fn is_out(&self) -> bool {
        self.silence.is_some()
    }

    /// Hands an order over and waits for the answer; or waits on, if there is still none to the one before. Where none came
    /// `look_around` is called: whether another client is answered by the coordinator.
    pub fn carry(&mut self, order: O, within: Duration, look_around: impl FnOnce(&mut Silence)) -> Result<A, Out> {
        if self.silence.is_none() {
            self.orders.as_ref().and_then(|orders| orders.send(order).ok()).ok_or(Out::Ended)?;
        }
        let silence = self.silence.get_or_insert_default();
        let mut answer = self.answers.recv_timeout(within);
        if let Err(RecvTimeoutError::Timeout) = answer {
            look_around(silence);
            // That may have taken seconds.
            answer = self.answers.recv_timeout(Duration::ZERO);
        }
        match answer {
            Ok(answer) => {
                self.silence = None;
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) if silence.is_lost() => Err(Out::Lost),
            Err(RecvTimeoutError::Timeout) => Err(Out::Still),
            Err(RecvTimeoutError::Disconnected) => Err(Out::Ended),
        }
    }
}

impl<O, A> Drop for Errand<O, A> {
    fn drop(&mut self) {
        self.orders = None;
        let (Some(thread), Some(mut serve)) = (self.thread.take(), self.serve.take()) else { return };
        if !self.is_out() {
            // The client is destroyed by whoever drops it last, and who drops this wants that to be over.
            let _ = thread.join();
            return;
        }
        let left_behind = Builder::new().name("koine-left".to_owned()).spawn(move || {
            while !thread.is_finished() {
                serve();
            }
        });
        if let Err(error) = left_behind {
            tracing::warn!(%error, "no thread for a client that is left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const SHORT: Duration = Duration::from_millis(20);
    const AMPLE: Duration = Duration::from_secs(60);

    /// An errand whose calls come back with their order when they are let, and who is served when it is left behind.
    fn errand() -> (Errand<u8, u8>, SyncSender<()>, Receiver<()>) {
        let (let_back, wait) = sync_channel(8);
        let (serving, served) = channel();
        let serve = move || {
            let _ = serving.send(());
            std::thread::sleep(SHORT);
        };
        let call = move |order| {
            let _ = wait.recv();
            order
        };
        (Errand::start(call, serve).expect("a thread"), let_back, served)
    }

    #[test]
    fn an_answer_is_of_the_order_that_is_out_and_of_no_other() {
        let (mut errand, let_back, served) = errand();
        let mut looked = 0;
        for _ in 0..3 {
            assert_eq!(errand.carry(1, SHORT, |_| looked += 1), Err(Out::Still));
            assert!(errand.is_out());
        }
        assert_eq!(looked, 3);
        let_back.send(()).expect("it waits");
        assert_eq!(errand.carry(1, AMPLE, |_| panic!("there is an answer")), Ok(1));
        assert!(!errand.is_out());
        let_back.send(()).expect("it waits");
        assert_eq!(errand.carry(2, AMPLE, |_| panic!("there is an answer")), Ok(2));
        drop(errand);
        assert!(served.recv().is_err(), "it was not left behind, and is gone");
    }

    #[test]
    fn what_is_left_behind_is_served_until_its_call_comes_back() {
        let (mut errand, let_back, served) = errand();
        assert_eq!(errand.carry(1, SHORT, |_| ()), Err(Out::Still));
        drop(errand);
        for _ in 0..3 {
            served.recv_timeout(AMPLE).expect("served");
        }
        let_back.send(()).expect("it waits");
        while served.recv_timeout(AMPLE).is_ok() {}
        assert!(let_back.send(()).is_err(), "its thread has ended");
    }
}
