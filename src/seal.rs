//! Seals what only the holder of a private key may read: HPKE (RFC 9180), base mode, X25519, HKDF-SHA256,
//! ChaCha20-Poly1305. Knows neither Kafka nor what is sealed.
//!
//! A sealed value is the encapsulated key (32 bytes) and the ciphertext with its tag (16 bytes more than the value), one
//! shot each. It is bound to a place, so that no sealed value can be put in another's stead. Every seal has a key of its
//! own, so the same value never looks the same twice; what is opened is the same, byte for byte.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hpke::aead::ChaCha20Poly1305 as Aead;
use hpke::kdf::HkdfSha256 as Kdf;
use hpke::kem::X25519HkdfSha256 as Kem;
use hpke::{Deserializable, Kem as _, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};
use std::fmt;

/// The scheme's name, as it stands beside the key's fingerprint.
pub const SCHEME: &str = "hpke-x25519-sha256-chacha20poly1305";
/// What these keys are for: HPKE's `info` begins with it, and the place follows. A value that was sealed for anything
/// else cannot be opened here.
const INFO: &[u8] = b"koine dead letter 1\n";
const PUBLIC: &str = "koine-public-";
const SECRET: &str = "koine-secret-";
/// Of an encapsulated key.
const ENCAPSULATED: usize = 32;

/// Whoever has it can seal.
#[derive(Clone)]
pub struct PublicKey(<Kem as hpke::Kem>::PublicKey);

/// Whoever has it can open.
pub struct PrivateKey(<Kem as hpke::Kem>::PrivateKey);

impl PublicKey {
    /// Reads `koine-public-…`. The error is a sentence.
    pub fn parse(text: &str) -> Result<PublicKey, String> {
        if text.trim().starts_with(SECRET) {
            return Err(format!("is a private key; a public one begins with {PUBLIC}"));
        }
        let key = PublicKey(decode(text, PUBLIC)?);
        // Some of all byte strings are no keys, which only shows when they are used.
        key.seal(b"", b"").map_err(|_| "is no public key".to_owned())?;
        Ok(key)
    }

    /// Names the key: the first 8 bytes of its SHA-256, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.0.to_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How a sealed value says what it is: the scheme and the key.
    pub fn label(&self) -> String {
        format!("{SCHEME};key={}", self.fingerprint())
    }

    /// Seals a value for this place.
    pub fn seal(&self, value: &[u8], place: &[u8]) -> Result<Vec<u8>, String> {
        let sealed = hpke::single_shot_seal::<Aead, Kdf, Kem>(&OpModeS::Base, &self.0, &info(place), value, &[]);
        let (encapsulated, ciphertext) = sealed.map_err(|error| format!("cannot be sealed: {error}"))?;
        let mut out = Vec::with_capacity(ENCAPSULATED + ciphertext.len());
        out.extend_from_slice(&encapsulated.to_bytes());
        out.extend_from_slice(&ciphertext);
        Ok(out)
    }
}

impl PrivateKey {
    /// Makes one, of the system's randomness.
    pub fn generate() -> PrivateKey {
        PrivateKey(Kem::gen_keypair().0)
    }

    /// Reads `koine-secret-…`. The error is a sentence without the text.
    pub fn parse(text: &str) -> Result<PrivateKey, String> {
        Ok(PrivateKey(decode(text, SECRET)?))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(Kem::sk_to_pk(&self.0))
    }

    /// The key as text. It is for the file that keeps it, and for nowhere else.
    pub fn expose(&self) -> String {
        format!("{SECRET}{}", BASE64.encode(self.0.to_bytes()))
    }

    /// Opens what was sealed for this place. `label` is what stands beside it. The error is a sentence.
    pub fn open(&self, label: &str, sealed: &[u8], place: &[u8]) -> Result<Vec<u8>, String> {
        let own = self.public().label();
        if label != own {
            return Err(format!("is sealed as {label}, and this key opens {own}"));
        }
        let broken = |_| "is not what was sealed here".to_owned();
        let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED).ok_or(()).map_err(broken)?;
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| broken(()))?;
        hpke::single_shot_open::<Aead, Kdf, Kem>(&OpModeR::Base, &self.0, &encapsulated, &info(place), ciphertext, &[])
            .map_err(|_| broken(()))
    }
}

fn info(place: &[u8]) -> Vec<u8> {
    [INFO, place].concat()
}

fn decode<K: Deserializable>(text: &str, prefix: &str) -> Result<K, String> {
    let wrong =
        || format!("is no key: it should be {prefix} and 43 letters and digits, as `koine dlq keygen` writes it");
    let bytes = text.trim().strip_prefix(prefix).and_then(|rest| BASE64.decode(rest).ok()).ok_or_else(wrong)?;
    K::from_bytes(&bytes).map_err(|_| wrong())
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.0.to_bytes() == other.0.to_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", BASE64.encode(self.0.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_to_the_same_bytes_and_never_looks_the_same() {
        let key = PrivateKey::generate();
        let public = PublicKey::parse(&key.public().to_string()).unwrap();
        assert_eq!(public, key.public());
        for value in [&b""[..], b"{}", &[0xff; 100_000]] {
            let (one, other) = (public.seal(value, b"raw.a/0/1").unwrap(), public.seal(value, b"raw.a/0/1").unwrap());
            assert_ne!(one, other);
            assert_eq!(one.len(), value.len() + 48);
            assert_eq!(key.open(&public.label(), &one, b"raw.a/0/1").unwrap(), value);
            assert!(value.len() < 2 || !one.windows(value.len()).any(|part| part == value));
        }
    }

    #[test]
    fn nothing_else_opens() {
        let (key, other) = (PrivateKey::generate(), PrivateKey::generate());
        let public = key.public();
        let sealed = public.seal(b"secret", b"raw.a/0/1").unwrap();
        let open = |sealed: &[u8], place: &[u8]| key.open(&public.label(), sealed, place);
        assert_eq!(open(&sealed, b"raw.a/0/2").unwrap_err(), "is not what was sealed here");
        for nth in [0, 31, 32, sealed.len() - 1] {
            let mut broken = sealed.clone();
            broken[nth] ^= 1;
            assert!(open(&broken, b"raw.a/0/1").is_err(), "{nth}");
        }
        assert!(open(&sealed[..31], b"raw.a/0/1").is_err());
        assert!(open(&[], b"raw.a/0/1").is_err());
        let why = other.open(&public.label(), &sealed, b"raw.a/0/1").unwrap_err();
        assert!(why.contains(&public.fingerprint()) && why.contains(&other.public().fingerprint()), "{why}");
    }

    /// RFC 9180, A.2.1 (DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode): the recipient's keys.
    #[test]
    fn keys_are_those_of_the_standard() {
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let secret = bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let public = bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let key = PrivateKey::parse(&format!("koine-secret-{}", BASE64.encode(secret))).unwrap();
        assert_eq!(key.public().to_string(), format!("koine-public-{}", BASE64.encode(public)));
    }

    #[test]
    fn a_key_that_is_none_is_told_without_being_shown() {
        let secret = PrivateKey::generate().expose();
        let why = PublicKey::parse(&secret).unwrap_err();
        assert!(why.starts_with("is a private key") && !why.contains(&secret), "{why}");
        for text in ["", "koine-public-", "koine-public-AAAA", "age1qqqqqq", "koine-secret-???"] {
            assert!(PublicKey::parse(text).is_err(), "{text}");
            assert!(PrivateKey::parse(text).is_err(), "{text}");
        }
        // All zeroes is a byte string, and no key: whatever is sealed for it can be opened by everybody.
        assert!(PublicKey::parse(&format!("koine-public-{}", BASE64.encode([0; 32]))).is_err());
        assert_eq!(format!("{:?}", PrivateKey::generate()), "***");
    }
}
