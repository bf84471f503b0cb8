//! `koine breaker`: what the breakers of a running `koine run` on this machine are like, and that one is well again. It asks
//! the process over its own port, so on Kubernetes it is run inside the pod; from elsewhere it is refused.

use super::Failure;
use super::own_port::{Which, parse};

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
