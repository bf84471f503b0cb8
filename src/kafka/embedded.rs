//! A broker inside the process (librdkafka's own mock), for `koine demo` and tests: other clients can talk to it over
//! TCP. It keeps everything in memory and does not isolate transactions. Knows nothing of what is written to it.

use super::trouble::Trouble;
use super::{Connection, native};
use rdkafka::config::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::time::Duration;

/// The broker's thread answers a question before it has taken note of what woke it, and takes note of all that woke it at
/// once: a question that comes in between is found only when it looks again by itself, a second later.
const BREATH: Duration = Duration::from_millis(2);

/// The running broker. It ends when this is dropped.
pub struct EmbeddedBroker {
    /// Whose broker it is; nothing is written with it.
    client: BaseProducer,
}

impl EmbeddedBroker {
    pub fn start() -> Result<EmbeddedBroker, Trouble> {
        let client: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .create()
            .map_err(|error| Trouble::Fatal(error.to_string()))?;
        native::groups_form_at_once(client.client());
        Ok(EmbeddedBroker { client })
    }

    fn cluster(&self) -> Option<MockCluster<'_, DefaultProducerContext>> {
        self.client.client().mock_cluster()
    }

    /// `host:port` to connect to.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster().map(|cluster| cluster.bootstrap_servers()).unwrap_or_default()
    }

    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), Trouble> {
        let fatal = |why: String| Trouble::Fatal(format!("{name}: {why}"));
        let cluster = self.cluster().ok_or_else(|| fatal("no embedded broker".to_owned()))?;
        std::thread::sleep(BREATH);
        cluster.create_topic(name, partitions, 1).map_err(|error| fatal(error.to_string()))
    }
}

/// Writes raw records as a bridge from HTTP would: no transactions, every one acknowledged before [`Writer::finish`].
pub struct Writer {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Writer {
    pub fn open(connection: &Connection) -> Result<Writer, Trouble> {
        let producer = connection
            .admin_config()
            .create()
            .map_err(|error: rdkafka::error::KafkaError| Trouble::Fatal(error.to_string()))?;
        Ok(Writer { producer })
    }

    pub fn write(&self, topic: &str, key: &str, value: Option<&[u8]>, timestamp_ms: i64) -> Result<(), Trouble> {
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic).key(key).timestamp(timestamp_ms);
        if let Some(value) = value {
            record = record.payload(value);
        }
        self.producer.send(record).map_err(|(error, _)| Trouble::Retriable(error.to_string()))
    }

    /// Waits until everything is acknowledged.
    pub fn finish(&self, within: Duration) -> Result<(), Trouble> {
        self.producer.flush(within).map_err(|error| Trouble::Retriable(error.to_string()))
    }
}
