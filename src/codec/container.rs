//! Object container files of canonical events, for those who have no Kafka. By apache-avro: speed does not matter here.

use crate::canonical::{EntityKind, Event};
use crate::schemas;
use apache_avro::{Schema, Writer};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::sync::LazyLock;

static PARSED: LazyLock<Result<[Schema; 4], String>> = LazyLock::new(|| {
    let [customer, cart, order, product] =
        EntityKind::ALL.map(|kind| Schema::parse_str(schemas::json(kind)).map_err(|error| error.to_string()));
    Ok([customer?, cart?, order?, product?])
});

/// A container file of one entity's events. The same events give the same bytes.
pub struct ContainerFile<W: Write>(Writer<'static, W>);

impl<W: Write> ContainerFile<W> {
    pub fn new(kind: EntityKind, out: W) -> io::Result<Self> {
        let schemas = PARSED.as_ref().map_err(|error| io::Error::other(error.clone()))?;
        let nth = EntityKind::ALL.iter().position(|other| *other == kind).unwrap_or_default();
        // The marker is made of the schema and not at random, so that the same webhooks give the same file.
        let digest = Sha256::digest(schemas::json(kind));
        let mut marker = [0; 16];
        marker.copy_from_slice(&digest[..16]);
        let writer = Writer::builder().schema(&schemas[nth]).writer(out).marker(marker).human_readable(false);
        writer.build().map(ContainerFile).map_err(io::Error::other)
    }

    /// Adds an event of the file's entity.
    pub fn append(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.0.append_ser(event).map(drop).map_err(io::Error::other)
    }

    pub fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(io::Error::other)?.flush()
    }
}
