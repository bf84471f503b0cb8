//! When the certificates that the configuration names end, for a metric: nobody looks at them between two renewals. It reads
//! them as whoever uses them does, and says nothing of what stands in them but when they end.

use super::Live;
use crate::config::{Config, OauthSettings, RegistryAuth, TlsFiles};
use crate::kafka::Credentials as _;
use crate::telemetry::Metrics;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkcs12::Pkcs12;
use openssl::x509::X509;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// They end to the second, but are replaced days before.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What a certificate is there for, and so which of several in one place counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Ours and what is between it and its root: it is over with the first.
    Shown,
    /// Whom we trust: an old root beside its successor is over with the last.
    Trusted,
}

/// Where certificates are.
enum Place {
    Pem(PathBuf),
    /// The text itself.
    Text(String),
    /// PKCS#12.
    Store(PathBuf),
}

/// The certificates of a configuration.
pub struct Certificates {
    places: Vec<(String, Use, Place)>,
    /// For the store's password, which may be in a file that is renewed with it.
    live: Live,
    look_at: Instant,
}

impl Certificates {
    pub fn new(config: &Config) -> Certificates {
        let mut places = Vec::new();
        let mut add = |setting: String, how, place| places.push((setting, how, place));
        let live = Live::new(config);
        for (name, value) in &live.at_start() {
            let (how, place) = match name.as_str() {
                "ssl.ca.location" => (Use::Trusted, Place::Pem(value.into())),
                "ssl.ca.pem" => (Use::Trusted, Place::Text(value.clone())),
                "ssl.certificate.location" => (Use::Shown, Place::Pem(value.into())),
                "ssl.certificate.pem" => (Use::Shown, Place::Text(value.clone())),
                "ssl.keystore.location" => (Use::Shown, Place::Store(value.into())),
                _ => continue,
            };
            add(format!("kafka.properties.{name}"), how, place);
        }
        let mut of_files = |section: &str, files: &TlsFiles| {
            if let Some(file) = &files.ca {
                add(format!("{section}.ca_file"), Use::Trusted, Place::Pem(file.clone()));
            }
            if let Some((file, _)) = &files.identity {
                add(format!("{section}.cert_file"), Use::Shown, Place::Pem(file.clone()));
            }
        };
        of_files("registry", &config.registry.tls);
        if let Some(traces) = &config.traces {
            of_files("traces", &traces.tls);
        }
        let of_registry = match &config.registry.auth {
            RegistryAuth::Oauth(oauth) => Some(oauth),
            _ => None,
        };
        for oauth in config.kafka.oauth.iter().chain(of_registry) {
            let OauthSettings { section, ca_file, .. } = oauth;
            of_files(section, &TlsFiles { ca: ca_file.clone(), identity: None });
        }
        Certificates { places, live, look_at: Instant::now() }
    }

    /// Those of another configuration from now on.
    pub fn follow(&mut self, config: &Config, metrics: &Metrics) {
        for (setting, ..) in &self.places {
            metrics.certificate_ends(setting, None);
        }
        *self = Certificates::new(config);
    }

    /// Looks at them, if it is time.
    pub fn look(&mut self, metrics: &Metrics) {
        if Instant::now() < self.look_at {
            return;
        }
        self.look_at = Instant::now() + LOOK_EVERY;
        let properties = self.live.properties();
        let password = properties.iter().find(|(name, _)| name == "ssl.keystore.password");
        let password = password.map_or("", |(_, password)| password);
        for (setting, how, place) in &self.places {
            // Of what cannot be read nothing is known; the client that needs it says what is wrong.
            metrics.certificate_ends(setting, end(*how, place, password));
        }
    }
}

/// In seconds since 1970.
fn end(how: Use, place: &Place, password: &str) -> Option<i64> {
    let certificates = match place {
        Place::Pem(file) => X509::stack_from_pem(&read(file)?).ok()?,
        Place::Text(text) => X509::stack_from_pem(text.as_bytes()).ok()?,
        Place::Store(file) => {
            let store = Pkcs12::from_der(&read(file)?).and_then(|store| store.parse2(password)).ok()?;
            store.cert.into_iter().chain(store.ca.into_iter().flatten()).collect()
        }
    };
    let ends = certificates.iter().filter_map(|certificate| seconds(certificate.not_after()));
    match how {
        Use::Shown => ends.min(),
        Use::Trusted => ends.max(),
    }
}

fn read(file: &Path) -> Option<Vec<u8>> {
    std::fs::read(file).ok()
}

fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;

    fn key() -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
    }

    fn certificate(key: &PKey<Private>, end: i64) -> X509 {
        let mut made = X509::builder().unwrap();
        made.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        made.set_not_before(&Asn1Time::from_unix(1).unwrap()).unwrap();
        made.set_not_after(&Asn1Time::from_unix(end).unwrap()).unwrap();
        made.set_pubkey(key).unwrap();
        made.sign(key, MessageDigest::sha256()).unwrap();
        made.build()
    }

    fn pem(ends: &[i64]) -> String {
        let key = key();
        let texts = ends.iter().map(|&end| String::from_utf8(certificate(&key, end).to_pem().unwrap()).unwrap());
        texts.collect()
    }

    #[test]
    fn a_chain_is_over_with_its_first_and_a_bundle_with_its_last() {
        // Beyond 2038, and not at midnight.
        let (early, late) = (1_900_000_007, 4_000_000_011);
        let text = Place::Text(pem(&[late, early]));
        assert_eq!(end(Use::Shown, &text, ""), Some(early));
        assert_eq!(end(Use::Trusted, &text, ""), Some(late));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert_eq!(end(Use::Shown, &Place::Text("hush-hush".to_owned()), ""), None);
        assert_eq!(end(Use::Trusted, &Place::Pem(PathBuf::from("/there/is/no/such.pem")), ""), None);
    }

    #[test]
    fn a_store_is_opened_with_its_password() {
        let key = key();
        let mut made = Pkcs12::builder();
        made.pkey(&key).cert(&certificate(&key, 1_900_000_007));
        let file = std::env::temp_dir().join(format!("koine-store-{}.p12", std::process::id()));
        std::fs::write(&file, made.build2("hush").unwrap().to_der().unwrap()).unwrap();
        let ends = ["hush", "wrong"].map(|word| end(Use::Shown, &Place::Store(file.clone()), word));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(ends, [Some(1_900_000_007), None]);
    }
}
