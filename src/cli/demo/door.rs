//! The demo's door for webhooks: whoever is on this machine may post one, as a vendor would to a gateway. It takes any body
//! and looks at none; whether it can be read is the translator's business.

use crate::vendors::vendor;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Router, routing::post};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A webhook that was posted.
pub struct Posted {
    pub vendor: &'static str,
    pub body: Bytes,
}

pub struct Door {
    address: SocketAddr,
}

impl Door {
    /// Binds (port 0: a free one) and serves until the end of the runtime.
    pub async fn open(listen: SocketAddr) -> std::io::Result<(Door, Receiver<Posted>)> {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (sender, posted) = channel();
        let router = Router::new().route("/{vendor}", post(take)).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((Door { address }, posted))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// An address that only this machine reaches: nobody is asked who he is.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "an address is due, such as 127.0.0.1:8484".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("only an address of this machine's own is taken, such as 127.0.0.1:8484".to_owned()),
    }
}

async fn take(
    State(sender): State<Sender<Posted>>,
    Path(name): Path<String>,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let Some(vendor) = vendor(&name) else { return (StatusCode::NOT_FOUND, "there is no such vendor\n") };
    match sender.send(Posted { vendor: vendor.name, body }) {
        Ok(()) => (StatusCode::ACCEPTED, ""),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the demo ends\n"),
    }
}
