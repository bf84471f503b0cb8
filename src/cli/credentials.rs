//! What the brokers are shown, as the configuration has it and as its files are now: properties with secrets, and tokens
//! that a thread of its own fetches, so that no client ever waits for an issuer that is slow.

use crate::config::{Config, OauthSettings, Secret};
use crate::kafka::{Credentials, NoToken, Token};
use crate::oauth::{Issuer, Refused};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Limit of one request for a token.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the very first question waits for the very first token.
const FIRST: Duration = Duration::from_secs(15);
/// How soon a token is asked for again after trouble, doubled up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The credentials of one configuration.
pub struct Live {
    properties: Vec<(String, Secret)>,
    oauth: Option<OauthSettings>,
    /// Started by the first question for a token.
    tokens: OnceLock<Arc<Tokens>>,
}

impl Live {
    pub fn new(config: &Config) -> Live {
        let mut properties = config.kafka.properties.clone();
        if config.kafka.oauth.is_some() {
            let mut fill = |names: &[&str], value: &str| {
                if let Some(name) =
                    names.first().filter(|_| !properties.iter().any(|(n, _)| names.contains(&n.as_str())))
                {
                    properties.push(((*name).to_owned(), Secret::text(value)));
                }
            };
            fill(&["sasl.mechanism", "sasl.mechanisms"], "OAUTHBEARER");
            fill(&["security.protocol"], "SASL_SSL");
        }
        Live { properties, oauth: config.kafka.oauth.clone(), tokens: OnceLock::new() }
    }

    /// Whether tokens and the registry's certificates can be had at all: files that are none, addresses that cannot be.
    pub fn check(config: &Config) -> Result<(), String> {
        if let Some(oauth) = &config.kafka.oauth {
            Issuer::new(oauth, LIMIT)?;
        }
        crate::registry::Registry::new(&config.registry).map(|_| ())
    }

    /// The properties with the secrets of the start.
    pub fn at_start(&self) -> Vec<(String, String)> {
        let properties = self.properties.iter();
        properties.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
    }
}

impl Credentials for Live {
    fn token(&self) -> Option<Result<Token, NoToken>> {
        let oauth = self.oauth.as_ref()?;
        Some(self.tokens.get_or_init(|| Tokens::start(oauth)).now())
    }

    fn properties(&self) -> Vec<(String, String)> {
        let properties = self.properties.iter();
        properties.map(|(name, value)| (name.clone(), value.current().into_owned())).collect()
    }
}

/// The newest token, kept by a thread that ends when nobody holds this any more.
struct Tokens {
    newest: Mutex<Option<Result<Token, NoToken>>>,
    changed: Condvar,
}

impl Tokens {
    fn start(oauth: &OauthSettings) -> Arc<Tokens> {
        let tokens = Arc::new(Tokens { newest: Mutex::default(), changed: Condvar::new() });
        let (weak, oauth) = (Arc::downgrade(&tokens), oauth.clone());
        let thread = std::thread::Builder::new().name("koine-tokens".to_owned());
        if let Err(error) = thread.spawn(move || keep(&weak, &oauth)) {
            tokens.set(Err(NoToken { is_definite: false, why: format!("no thread for tokens: {error}") }));
        }
        tokens
    }

    /// The newest token; only before there has been any answer, it is waited for.
    fn now(&self) -> Result<Token, NoToken> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(newest, FIRST, |newest| newest.is_none());
        let newest = waited.map_or_else(|error| error.into_inner().0.clone(), |(newest, _)| newest.clone());
        newest.unwrap_or_else(|| {
            Err(NoToken { is_definite: false, why: "kafka.oauth.token_url: no answer yet".to_owned() })
        })
    }

    /// A token that is still good is not given up for the news that there is no other.
    fn set(&self, answer: Result<Token, NoToken>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |token: &Token| token.expires > Instant::now();
        let keep = answer.is_err() && matches!(&*newest, Some(Ok(token)) if is_good(token));
        if !keep {
            *newest = Some(answer);
        }
        self.changed.notify_all();
    }
}

/// Fetches a token, and the next one before it is over.
fn keep(tokens: &Weak<Tokens>, oauth: &OauthSettings) {
    let say = |answer| {
        tokens.upgrade().is_some_and(|tokens| {
            tokens.set(answer);
            true
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let issuer = Issuer::new(oauth, LIMIT);
    let (runtime, issuer) = match (runtime, issuer) {
        (Ok(runtime), Ok(issuer)) => (runtime, issuer),
        (runtime, issuer) => {
            let is_definite = issuer.is_err();
            let why = issuer.err().or(runtime.err().map(|error| error.to_string())).unwrap_or_default();
            say(Err(NoToken { is_definite, why }));
            return;
        }
    };
    let mut pause = PAUSE;
    let mut held: Option<String> = None;
    loop {
        let answer = runtime.block_on(async {
            match &held {
                Some(last) => issuer.instead_of(last).await,
                None => issuer.token().await,
            }
        });
        let wait = match answer {
            Ok(token) => {
                let fresh = token.is_fresh_for();
                let principal = oauth.client_id.clone();
                held = Some(token.text.clone());
                if !say(Ok(Token { text: token.text, principal, expires: token.expires })) {
                    return;
                }
                pause = PAUSE;
                // Before librdkafka asks, which is when four fifths are over.
                fresh.mul_f64(0.9).max(PAUSE)
            }
            Err(Refused { is_definite, why }) => {
                tracing::warn!(pause_ms = pause.as_millis() as u64, "{why}; asking again");
                // Who had tokens before waits for whoever rotates secrets to finish.
                if !say(Err(NoToken { is_definite: is_definite && held.is_none(), why })) {
                    return;
                }
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        let until = Instant::now() + wait;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if tokens.strong_count() == 0 {
                return;
            }
            std::thread::sleep(left.min(Duration::from_secs(1)));
        }
    }
}
