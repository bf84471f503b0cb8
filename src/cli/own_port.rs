//! Asks a running `koine run` on this machine over its own port.

use super::{Failure, configuration};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Which {
    /// The configuration file of the process, which says where it listens
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How long the process may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

pub fn parse<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| Failure::Internal(format!("the answer is not koine's: {error}")))
}

impl Which {
    /// Asks the process; the answer's body.
    pub fn ask(&self, method: &str, path: &str) -> Result<String, Failure> {
        let mut address = configuration(self.config.as_deref(), &[])?.http_listen;
        if address.port() == 0 {
            return Err(Failure::Usage("http.listen takes any port, so nobody knows which".to_owned()));
        }
        // Who listens everywhere also listens here.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let answer = exchange(address, method, path)
            .map_err(|error| Failure::Internal(format!("no answer from http://{address}{path}: {error}")))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        match status {
            "200" => Ok(body.to_owned()),
            _ => Err(Failure::Internal(format!("http://{address}{path} answers {status}: {body}"))),
        }
    }
}

/// One request, in the oldest dialect there is: the answer ends with the connection and is in one piece.
fn exchange(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
