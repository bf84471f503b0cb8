//! `koine breaker`: what the breakers of a running `koine run` on this machine are like, and that one is well again. It asks
//! the process over its own port, so on Kubernetes it is run inside the pod; from elsewhere it is refused.

use super::{Failure, configuration};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print the breakers that are not closed, one JSON object a line; exits 1 if there are any
    List(Which),
    /// Say that what a breaker is open for is mended: its partition is read again at once
    Resume {
        #[command(flatten)]
        which: Which,
        /// Only the partitions of this raw topic
        #[arg(long)]
        topic: Option<String>,
        /// Only this one
        #[arg(long, requires = "topic")]
        partition: Option<u32>,
    },
}

#[derive(clap::Args)]
struct Which {
    /// The configuration file of the process, which says where it listens
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How long the process may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.action {
        Action::List(which) => {
            let open: Vec<serde_json::Value> = parse(&which.ask("GET", "/breakers")?)?;
            for breaker in &open {
                println!("{breaker}");
            }
            match open.is_empty() {
                true => Ok(()),
                false => Err(Failure::Found(format!("{} breakers are not closed", open.len()))),
            }
        }
        Action::Resume { which, topic, partition } => {
            let mut path = "/breakers/resume".to_owned();
            for part in topic.into_iter().chain(partition.map(|partition| partition.to_string())) {
                path.push('/');
                path.push_str(&part);
            }
            let answer: serde_json::Value = parse(&which.ask("POST", &path)?)?;
            match answer["resumed"].as_u64() {
                Some(0) | None => Err(Failure::Found("no such breaker is open".to_owned())),
                Some(count) => {
                    eprintln!("{count} breakers are closed");
                    Ok(())
                }
            }
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| Failure::Internal(format!("the answer is not koine's: {error}")))
}

impl Which {
    /// Asks the process; the answer's body.
    fn ask(&self, method: &str, path: &str) -> Result<String, Failure> {
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
