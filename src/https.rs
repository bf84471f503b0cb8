//! An HTTP client that follows its certificates: the PEM files are read at each use, and when one has changed the client
//! is made anew. For the control plane only. Knows neither what is asked nor of whom.

use crate::config::TlsFiles;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A client for one section of the configuration.
#[derive(Debug, Clone)]
pub struct Https {
    /// For messages: `registry`.
    section: &'static str,
    files: TlsFiles,
    timeout: Duration,
    made: Arc<Mutex<Made>>,
}

/// The client, and what stood in the files when it was made.
#[derive(Debug)]
struct Made {
    pems: Pems,
    client: reqwest::Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pems {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Https {
    /// The error is a sentence that names the setting.
    pub fn new(section: &'static str, files: &TlsFiles, timeout: Duration) -> Result<Https, String> {
        let pems = read(section, files)?;
        let client = make(section, files, &pems, timeout)?;
        let made = Arc::new(Mutex::new(Made { pems, client }));
        Ok(Https { section, files: files.clone(), timeout, made })
    }

    /// The client as the files are now; while they are half written, the last one that could be made.
    pub fn client(&self) -> reqwest::Client {
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Ok(pems) = read(self.section, &self.files) else { return made.client.clone() };
        if pems != made.pems
            && let Ok(client) = make(self.section, &self.files, &pems, self.timeout)
        {
            tracing::info!(section = self.section, "certificates have changed; they are used from now on");
            *made = Made { pems, client };
        }
        made.client.clone()
    }

    /// What to look at in the settings when a connection fails for the reason that is told here, if certificates are it.
    pub fn advice(&self, reason: &str) -> Option<String> {
        let reason = reason.to_ascii_lowercase();
        let of_ours = ["alert", "certificate required", "400 no required ssl"];
        if reason.contains("certificate verify failed") || reason.contains("self-signed certificate") {
            return Some(format!(
                "the server's certificate is not trusted: check {}.ca_file and the host's name",
                self.section
            ));
        }
        (reason.contains("ssl") && of_ours.iter().any(|word| reason.contains(word)))
            .then(|| format!("the server refuses our certificate: check {0}.cert_file and {0}.key_file", self.section))
    }
}

fn read(section: &str, files: &TlsFiles) -> Result<Pems, String> {
    let pem = |name: &str, path: &Path| {
        std::fs::read(path).map_err(|error| format!("{section}.{name}: {}: {error}", path.display()))
    };
    let ca = files.ca.as_deref().map(|path| pem("ca_file", path)).transpose()?;
    let identity = match &files.identity {
        Some((cert, key)) => Some((pem("cert_file", cert)?, pem("key_file", key)?)),
        None => None,
    };
    Ok(Pems { ca, identity })
}

fn make(section: &str, files: &TlsFiles, pems: &Pems, timeout: Duration) -> Result<reqwest::Client, String> {
    let mut client = reqwest::Client::builder()
        .connect_timeout(timeout)
        .timeout(timeout)
        .user_agent(concat!("koine/", env!("CARGO_PKG_VERSION")));
    if let (Some(pem), Some(file)) = (&pems.ca, &files.ca) {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| format!("{section}.ca_file: {}", chain(&error)))?;
        if certificates.is_empty() {
            return Err(format!("{section}.ca_file: {} has no certificate", file.display()));
        }
        for certificate in certificates {
            client = client.add_root_certificate(certificate);
        }
    }
    if let Some((cert, key)) = &pems.identity {
        // OpenSSL's words on a key may quote what it found; they are not repeated.
        let identity = reqwest::Identity::from_pkcs8_pem(cert, key).map_err(|_| {
            format!(
                "{section}.key_file: no unencrypted PKCS#8 key that belongs to the certificate of {section}.cert_file"
            )
        })?;
        client = client.identity(identity);
    }
    client.build().map_err(|error| format!("{section}: {}", chain(&error)))
}

/// An error with its causes: reqwest's own text says "error sending request" and no more.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("koine-https-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_that_is_none_is_named_by_its_setting_and_never_quoted() {
        let folder = Folder::new("wrong");
        let junk = folder.file("junk.pem", "hush-hush");
        let new = |files: TlsFiles| Https::new("registry", &files, Duration::from_secs(1)).unwrap_err();
        let ca = new(TlsFiles { ca: Some(junk.clone()), identity: None });
        assert!(ca.starts_with("registry.ca_file: ") && ca.contains("junk.pem"), "{ca}");
        let gone = new(TlsFiles { ca: Some(folder.0.join("gone.pem")), identity: None });
        assert!(gone.starts_with("registry.ca_file: "), "{gone}");
        let key = new(TlsFiles { ca: None, identity: Some((junk.clone(), junk)) });
        assert!(key.starts_with("registry.key_file: ") && !key.contains("hush"), "{key}");
    }

    #[test]
    fn what_to_look_at_depends_on_who_refuses_whom() {
        let https = Https::new("registry", &TlsFiles::default(), Duration::from_secs(1)).unwrap();
        let theirs = https.advice("error:0A000086:SSL routines::certificate verify failed").unwrap();
        assert!(theirs.contains("registry.ca_file"), "{theirs}");
        let ours =
            https.advice("error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required").unwrap();
        assert!(ours.contains("registry.cert_file"), "{ours}");
        assert_eq!(https.advice("connection refused"), None);
    }
}
