//! Reads canonical records as a consumer would, by schema_registry_converter and apache-avro rather than by our own code:
//! what it finds was really written, in a form that others understand. Not for the path of a record.

use schema_registry_converter::async_impl::avro::AvroDecoder;
use schema_registry_converter::async_impl::schema_registry::SrSettings;
use serde_json::Value;

/// A consumer's decoder.
pub struct Decoder(AvroDecoder);

impl Decoder {
    /// `url` is the registry's.
    pub fn new(url: String) -> Decoder {
        Decoder(AvroDecoder::new(SrSettings::new(url)))
    }

    /// A framed record as JSON; the error says what the decoder said.
    pub async fn decode(&self, framed: Option<&[u8]>) -> Result<Value, String> {
        let decoded = self.0.decode(framed).await.map_err(|error| error.to_string())?;
        Value::try_from(decoded.value).map_err(|error| error.to_string())
    }
}
