//! Positions in topics, asked and said from outside of any membership: where partitions begin and end, what was there at
//! a time, and what a group has committed. For commands and comparisons; never for the path of a record.

use super::consumer::offset_list;
use super::login::Quiet;
use super::settings::Connection;
use super::trouble::Trouble;
use super::{NextOffset, TopicPartition};
use rdkafka::TopicPartitionList;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::Offset;
use std::collections::HashMap;
use std::time::Duration;

/// How long one question may take. A stop has to wait for it.
const ANSWER: Duration = Duration::from_secs(5);

/// An offset of each of some partitions: that of the record which is due there.
pub type Places = HashMap<TopicPartition, i64>;

/// Asks in the name of a group without joining it.
pub struct Positions {
    base: BaseConsumer<Quiet>,
}

/// A place in every partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Beginning,
    /// The end, as far as committed readers may read.
    End,
    /// The first record that is not older, in milliseconds since 1970; the end, if there is none.
    Time(i64),
}

fn retriable(error: KafkaError) -> Trouble {
    Trouble::Retriable(error.to_string())
}

impl Positions {
    pub fn open(connection: &Connection, group: &str) -> Result<Positions, Trouble> {
        let mut config = connection.admin_config();
        config.set("group.id", group).set("enable.auto.commit", "false");
        // An offset that an open transaction is about to commit is waited for.
        config.set("isolation.level", "read_committed");
        // A static member's name is its consumer's.
        config.remove("group.instance.id");
        let quiet = Quiet { login: connection.login() };
        let base: BaseConsumer<Quiet> =
            config.create_with_context(quiet).map_err(|error| Trouble::Fatal(error.to_string()))?;
        base.context().login.start(base.client());
        Ok(Positions { base })
    }

    /// Where a place is in each of these partitions.
    pub fn at(&self, place: At, partitions: &[TopicPartition]) -> Result<Places, Trouble> {
        if partitions.is_empty() {
            return Ok(Places::new());
        }
        let offset = match place {
            At::Beginning => Offset::Beginning,
            At::End => Offset::End,
            At::Time(millis) => Offset::Offset(millis),
        };
        let found = self.base.offsets_for_times(list(partitions, offset)?, ANSWER).map_err(retriable)?;
        let mut places = offsets(&found)?;
        let beyond: Vec<TopicPartition> =
            partitions.iter().filter(|partition| !places.contains_key(partition)).cloned().collect();
        if beyond.is_empty() {
            return Ok(places);
        }
        match place {
            At::Time(_) => places.extend(self.at(At::End, &beyond)?),
            _ => return Err(Trouble::Retriable("no broker knows the offsets of some partitions".to_owned())),
        }
        Ok(places)
    }

    /// What the group has committed, where it has.
    pub fn committed(&self, partitions: &[TopicPartition]) -> Result<Places, Trouble> {
        if partitions.is_empty() {
            return Ok(Places::new());
        }
        let committed = self.base.committed_offsets(list(partitions, Offset::Invalid)?, ANSWER).map_err(retriable)?;
        offsets(&committed)
    }

    /// Commits for the group. The brokers refuse it while the group has members.
    pub fn commit(&self, places: &Places) -> Result<(), Trouble> {
        if places.is_empty() {
            return Ok(());
        }
        let places = places.iter().map(|(partition, next)| (partition.clone(), NextOffset::after(next - 1))).collect();
        let list = offset_list(&places).map_err(|error| Trouble::Fatal(error.to_string()))?;
        self.base.commit(&list, CommitMode::Sync).map_err(retriable)
    }

    pub(super) fn client(&self) -> &Client<Quiet> {
        self.base.client()
    }

    /// Ends it without waiting.
    pub(super) fn leave(self) {
        // Without another thread it is waited for after all.
        let _ = std::thread::Builder::new().name("koine-leave".to_owned()).spawn(move || drop(self));
    }

    /// How many members the group has.
    pub fn members(&self, group: &str) -> Result<usize, Trouble> {
        let groups = self.base.fetch_group_list(Some(group), ANSWER).map_err(retriable)?;
        Ok(groups.groups().iter().filter(|one| one.name() == group).map(|one| one.members().len()).sum())
    }
}

fn list(partitions: &[TopicPartition], offset: Offset) -> Result<TopicPartitionList, Trouble> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.partition, offset)
            .map_err(|error| Trouble::Fatal(error.to_string()))?;
    }
    Ok(list)
}

fn offsets(list: &TopicPartitionList) -> Result<Places, Trouble> {
    let mut places = Places::new();
    for one in list.elements() {
        one.error().map_err(|error| Trouble::Retriable(format!("{} [{}]: {error}", one.topic(), one.partition())))?;
        if let Offset::Offset(offset) = one.offset() {
            places.insert(TopicPartition::new(one.topic(), one.partition()), offset);
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::super::{Credentials, NoToken, Token};
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts how often somebody wants a token.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl Credentials for Asked {
        fn token(&self) -> Option<Result<Token, NoToken>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Err(NoToken { is_definite: false, why: "away".to_owned() }))
        }

        fn properties(&self) -> Vec<(String, String)> {
            Vec::new()
        }
    }

    /// Nobody polls it, so librdkafka would never ask.
    #[test]
    fn it_has_a_token_before_it_asks_anything() {
        let asked = Arc::new(Asked::default());
        let credentials: Arc<dyn Credentials> = Arc::<Asked>::clone(&asked);
        let connection = Connection {
            bootstrap_servers: "127.0.0.1:9".to_owned(),
            properties: Vec::new(),
            credentials: Some(credentials),
        };
        Positions::open(&connection, "koine").expect("a client");
        assert!(asked.0.load(Ordering::Relaxed) > 0);
    }
}
