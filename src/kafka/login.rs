//! How a client proves to the brokers who it is, and what is made of it when they do not believe it.
//!
//! librdkafka asks for a token at the start and before the last one is over, in whatever thread serves the client. It
//! tries again by itself when brokers refuse; here it is only counted, so that a start that can never succeed ends.

use super::native;
use rdkafka::ClientContext;
use rdkafka::client::{Client, OAuthToken};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What changes while a process lives: tokens, and secrets in files.
pub trait Credentials: Send + Sync {
    /// A token for SASL/OAUTHBEARER; `None` where there are none to have.
    fn token(&self) -> Option<Result<Token, NoToken>>;
    /// librdkafka's properties with the secrets as they are now.
    fn properties(&self) -> Vec<(String, String)>;
}

/// A token for SASL/OAUTHBEARER.
#[derive(Clone)]
pub struct Token {
    pub text: String,
    pub principal: String,
    pub expires: Instant,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoToken {
    /// Asking again is of no use.
    pub is_definite: bool,
    pub why: String,
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for NoToken {}

/// Properties that name a file which librdkafka reads when a client is made, and never again.
const FILES: [&str; 6] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
    "https.ca.location",
];
/// So many refusals without anything else are no accident of a broker that starts.
const REFUSALS_BELIEVED: u32 = 3;

/// What a client knows of its own login.
#[derive(Default)]
pub(super) struct Login {
    credentials: Option<Arc<dyn Credentials>>,
    refusals: Mutex<Refusals>,
}

#[derive(Default)]
struct Refusals {
    count: u32,
    last: String,
    no_token: Option<NoToken>,
}

impl Login {
    pub fn new(credentials: Option<&Arc<dyn Credentials>>) -> Login {
        Login { credentials: credentials.cloned(), refusals: Mutex::default() }
    }

    /// For librdkafka, when it asks.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.credentials.as_ref().and_then(|credentials| credentials.token());
        let token = token.unwrap_or_else(|| {
            Err(NoToken { is_definite: true, why: "sasl.mechanism is OAUTHBEARER: set kafka.oauth".to_owned() })
        });
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            Ok(Token { text, principal, expires }) => {
                refusals.no_token = None;
                Ok(OAuthToken { token: text, principal_name: principal, lifetime_ms: on_the_wall(expires) })
            }
            Err(no_token) => {
                refusals.no_token = Some(no_token.clone());
                Err(Box::new(no_token))
            }
        }
    }

    /// Gives a client its first token. librdkafka would ask for it once somebody serves the client, and an admin client
    /// is never served; questions that come before wait in vain.
    pub fn start<C: ClientContext>(&self, client: &Client<C>) {
        if self.credentials.as_ref().is_none_or(|credentials| credentials.token().is_none()) {
            return;
        }
        // The reason why there is none is kept, and librdkafka asks again.
        if let Ok(token) = self.token()
            && let Err(why) = native::set_token(client, &token)
        {
            tracing::warn!(why, "librdkafka does not take the token of kafka.oauth");
        }
    }

    /// Hears an error of the client's.
    pub fn hear(&self, error: &KafkaError, reason: &str) {
        let is_refusal = match error.rdkafka_error_code() {
            Some(Code::Authentication | Code::SSL | Code::SaslAuthenticationFailed) => true,
            // With TLS 1.3 a client believes itself connected before its certificate is looked at.
            Some(Code::BrokerTransportFailure) => reason.contains("SSL routines") && reason.contains(" alert "),
            _ => false,
        };
        if !is_refusal {
            return;
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.count += 1;
        reason.clone_into(&mut refusals.last);
    }

    /// What the brokers have against us, if they have said it often enough, with the setting to look at.
    pub fn refusal(&self, config: &ClientConfig) -> Option<String> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(no_token) = &refusals.no_token {
            return no_token.is_definite.then(|| no_token.why.clone());
        }
        (refusals.count >= REFUSALS_BELIEVED).then(|| {
            let why = reason_alone(&refusals.last);
            format!("the brokers and koine do not believe each other: {why}; check {}", advice(why, config))
        })
    }
}

/// The context of a client that does nothing but log in, and ask or read.
#[derive(Default)]
pub(super) struct Quiet {
    pub login: Login,
}

impl ClientContext for Quiet {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        super::consumer::log(level, fac, message);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.login.hear(&error, reason);
        tracing::debug!(%error, reason, "a client that asks");
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.login.token()
    }
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// librdkafka's reason without the broker's address before it and the time it took behind it.
fn reason_alone(reason: &str) -> &str {
    let reason = reason.split_once("]: ").map_or(reason, |(_, reason)| reason);
    let reason = reason.split_once(": ").filter(|(who, _)| who.contains("://")).map_or(reason, |(_, reason)| reason);
    reason.split(" (after ").next().unwrap_or(reason)
}

/// The settings to look at.
fn advice(reason: &str, config: &ClientConfig) -> String {
    let lower = reason.to_ascii_lowercase();
    let property = |name: &str| config.get(name).is_some();
    if lower.contains("sasl") || lower.contains("authentication failed") {
        let mechanism = config.get("sasl.mechanism").or(config.get("sasl.mechanisms")).unwrap_or("none");
        return match mechanism.eq_ignore_ascii_case("OAUTHBEARER") {
            true => "kafka.oauth and what the brokers ask of a token".to_owned(),
            false => format!("kafka.properties: sasl.username, sasl.password and sasl.mechanism ({mechanism})"),
        };
    }
    let is_theirs = ["verify failed", "could not be verified", "self-signed", "self signed", "hostname"];
    if is_theirs.iter().any(|word| lower.contains(word)) {
        return "kafka.properties: ssl.ca.location, and whether the certificate has the broker's name".to_owned();
    }
    match property("ssl.certificate.location") || property("ssl.keystore.location") || property("ssl.certificate.pem") {
        true => "kafka.properties: ssl.certificate.location and ssl.key.location".to_owned(),
        false => "kafka.properties: security.protocol, ssl.ca.location, and ssl.certificate.location if the brokers ask for one".to_owned(),
    }
}

/// Milliseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "librdkafka wants the end of a token by the clock on the wall")]
fn on_the_wall(at: Instant) -> i64 {
    let then = SystemTime::now() + at.saturating_duration_since(Instant::now());
    i64::try_from(then.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// A number that is another one when a secret or the content of a file has changed.
pub(super) fn fingerprint(credentials: &dyn Credentials) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in credentials.properties() {
        if FILES.contains(&name.as_str()) {
            // A file that is away for a moment, while it is replaced, is as good as another content.
            std::fs::read(&value).ok().hash(&mut hasher);
        }
        (name, value).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(properties: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        properties.iter().for_each(|(name, value)| {
            config.set(*name, *value);
        });
        config
    }

    fn heard(code: Code, reason: &str, times: u32) -> Login {
        let login = Login::default();
        (0..times).for_each(|_| login.hear(&KafkaError::Global(code), reason));
        login
    }

    const WRONG_PASSWORD: &str = "sasl_ssl://localhost:9093/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 311ms in state AUTH_REQ)";
    const UNTRUSTED: &str = "ssl://localhost:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured (after 4ms in state SSL_HANDSHAKE)";

    #[test]
    fn a_refusal_is_believed_when_it_is_repeated_and_names_the_settings() {
        let scram = config(&[("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.password", "hush")]);
        assert_eq!(heard(Code::Authentication, WRONG_PASSWORD, 2).refusal(&scram), None);
        let why = heard(Code::Authentication, WRONG_PASSWORD, 3).refusal(&scram).unwrap();
        assert!(why.contains("sasl.password") && why.contains("invalid credentials"), "{why}");
        assert!(!why.contains("hush") && !why.contains("after 311ms") && !why.contains("localhost"), "{why}");
        let tls = heard(Code::SSL, UNTRUSTED, 3).refusal(&config(&[("ssl.ca.location", "/ca.pem")])).unwrap();
        assert!(tls.contains("kafka.properties: ssl.ca.location"), "{tls}");
        assert_eq!(heard(Code::BrokerTransportFailure, "refused", 99).refusal(&scram), None, "no word of a broker");
    }

    #[test]
    fn an_alert_about_our_certificate_is_a_refusal_though_it_looks_like_a_lost_connection() {
        let ours = config(&[("ssl.certificate.location", "/client.pem")]);
        let alert = "ssl://localhost:9093/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42 (after 0ms in state APIVERSION_QUERY)";
        let why = heard(Code::BrokerTransportFailure, alert, 3).refusal(&ours).unwrap();
        assert!(why.contains("ssl.certificate.location and ssl.key.location"), "{why}");
        let none = heard(Code::BrokerTransportFailure, alert, 3).refusal(&config(&[])).unwrap();
        assert!(none.contains("if the brokers ask for one"), "{none}");
    }

    #[test]
    fn an_issuer_that_is_away_is_no_refusal() {
        struct Fixed(NoToken);
        impl Credentials for Fixed {
            fn token(&self) -> Option<Result<Token, NoToken>> {
                Some(Err(self.0.clone()))
            }
            fn properties(&self) -> Vec<(String, String)> {
                Vec::new()
            }
        }
        for is_definite in [false, true] {
            let no_token = NoToken { is_definite, why: "kafka.oauth.token_url: away".to_owned() };
            let credentials: Arc<dyn Credentials> = Arc::new(Fixed(no_token));
            let login = Login::new(Some(&credentials));
            assert!(login.token().is_err());
            (0..9).for_each(|_| login.hear(&KafkaError::Global(Code::Authentication), "no token"));
            assert_eq!(login.refusal(&config(&[])).is_some(), is_definite);
        }
    }

    #[test]
    fn oauth_is_advised_about_where_tokens_are_the_way() {
        let oauth = config(&[("sasl.mechanisms", "OAUTHBEARER")]);
        let why =
            heard(Code::Authentication, "SASL authentication error: {\"status\":\"invalid_token\"}", 3).refusal(&oauth);
        assert!(why.unwrap().contains("kafka.oauth"));
    }
}
