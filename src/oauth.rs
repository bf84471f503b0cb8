//! Tokens by OIDC client credentials (RFC 6749, 4.4): fetched when they are needed, kept until four fifths of their life
//! are over, fetched anew when one is refused. The secret is read from its file each time. Knows neither the registry nor
//! Kafka.

use crate::config::{OauthSettings, TlsFiles};
use crate::https::{Https, chain};
use reqwest::Url;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What an issuer that says nothing of a token's life is taken to mean.
const USUAL_LIFE: Duration = Duration::from_secs(300);

/// A token, and when it is over.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub expires: Instant,
    fresh_until: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(***, for {:?})", self.expires.saturating_duration_since(Instant::now()))
    }
}

impl Token {
    /// How long it is to be used before the next one is due.
    pub fn is_fresh_for(&self) -> Duration {
        self.fresh_until.saturating_duration_since(Instant::now())
    }
}

/// Why there is no token. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The issuer knows us not, or will not give us what we ask for: asking again is of no use while the settings are
    /// what they are.
    pub is_definite: bool,
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub struct Issuer {
    settings: OauthSettings,
    url: Url,
    https: Https,
    held: Arc<Mutex<Option<Token>>>,
}

impl Issuer {
    /// The error is a sentence that names the setting.
    pub fn new(settings: &OauthSettings, timeout: Duration) -> Result<Issuer, String> {
        let url =
            Url::parse(&settings.token_url).map_err(|error| format!("{}.token_url: {error}", settings.section))?;
        let files = TlsFiles { ca: settings.ca_file.clone(), identity: None };
        let https = Https::new(settings.section, &files, timeout)?;
        Ok(Issuer { settings: settings.clone(), url, https, held: Arc::default() })
    }

    /// A token that is good for a while. Whoever asks while another one fetches waits for that one.
    pub async fn token(&self) -> Result<Token, Refused> {
        self.other_than(None).await
    }

    /// A token in place of one that was refused before its time.
    pub async fn instead_of(&self, refused: &str) -> Result<Token, Refused> {
        self.other_than(Some(refused)).await
    }

    async fn other_than(&self, refused: Option<&str>) -> Result<Token, Refused> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| !token.is_fresh_for().is_zero())
            && refused != Some(token.text.as_str())
        {
            return Ok(token.clone());
        }
        let token = self.fetch().await?;
        *held = Some(token.clone());
        Ok(token)
    }

    async fn fetch(&self) -> Result<Token, Refused> {
        let section = self.settings.section;
        let passing = |why: String| Refused { is_definite: false, why: format!("{section}.token_url: {why}") };
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.settings.scope.as_deref().map(|scope| ("scope", scope)));
        let secret = self.settings.client_secret.current();
        let asked = Instant::now();
        let request = self.https.client().post(self.url.clone()).header("accept", "application/json");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form_encoded(&form));
        // RFC 6749, 2.3.1: name and secret are form-encoded before they become a user and a password.
        let (user, password) = (form_text(&self.settings.client_id), form_text(&secret));
        let response = request.basic_auth(user, Some(password)).send().await.map_err(|error| {
            let why = chain(&error.without_url());
            passing(self.https.advice(&why).map_or(why.clone(), |advice| format!("{why}; {advice}")))
        })?;
        let status = response.status();
        let text = response.text().await.map_err(|error| passing(chain(&error.without_url())))?;
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        let word = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
        if !status.is_success() {
            // An issuer's own words (RFC 6749, 5.2), as far as they are on the list; anything else can be a proxy's.
            let settings = match word("error") {
                Some("invalid_client" | "unauthorized_client") => "client_id and client_secret",
                Some("invalid_scope") => "scope",
                Some("invalid_grant" | "invalid_request" | "unsupported_grant_type") => "token_url",
                _ => return Err(passing(status.to_string())),
            };
            let error = word("error").unwrap_or_default();
            let why = format!("the issuer answers {status}, {error}: check {section}.{settings}");
            return Err(Refused { is_definite: status.is_client_error(), why });
        }
        let token = word("access_token").filter(|token| !token.is_empty());
        let text =
            token.ok_or_else(|| passing("the answer has no access_token; is it a token endpoint?".to_owned()))?;
        let life = answer.as_ref().and_then(|answer| answer.get("expires_in"));
        let seconds = life.and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok()));
        let life = seconds.map_or(USUAL_LIFE, Duration::from_secs);
        let expires = asked.checked_add(life).unwrap_or(asked);
        let fresh_until = asked.checked_add(life.mul_f64(0.8)).unwrap_or(asked);
        Ok(Token { text: text.to_owned(), expires, fresh_until })
    }
}

/// `application/x-www-form-urlencoded`.
fn form_encoded(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", form_text(value))).collect();
    pairs.join("&")
}

fn form_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use std::sync::Mutex as Plain;

    type Seen = Arc<Plain<Vec<String>>>;

    /// An issuer that answers with these, one after the other and the last one for ever, and keeps what it was asked.
    async fn issuer(answers: Vec<(u16, String)>) -> (Issuer, Seen) {
        let seen = Seen::default();
        let kept = Arc::clone(&seen);
        let handler = move |headers: HeaderMap, body: String| {
            let mut seen = kept.lock().unwrap();
            seen.push(format!("{}|{body}", headers["authorization"].to_str().unwrap()));
            let (status, answer) = answers[(seen.len() - 1).min(answers.len() - 1)].clone();
            async move { (StatusCode::from_u16(status).unwrap(), answer) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_url = format!("http://{}/token", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let settings = OauthSettings {
            section: "kafka.oauth",
            token_url,
            client_id: "koine".to_owned(),
            client_secret: Secret::text("pa ss:%"),
            scope: Some("a b".to_owned()),
            ca_file: None,
        };
        (Issuer::new(&settings, Duration::from_secs(2)).unwrap(), seen)
    }

    fn token(text: &str, life: u64) -> (u16, String) {
        (200, format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":{life}}}"#))
    }

    #[tokio::test]
    async fn a_token_is_asked_for_as_the_rfc_says_and_kept() {
        let (issuer, seen) = issuer(vec![token("one", 600), token("two", 600)]).await;
        assert_eq!(issuer.token().await.unwrap().text, "one");
        assert_eq!(issuer.token().await.unwrap().text, "one");
        // koine:pa+ss%3A%25
        let asked = "Basic a29pbmU6cGErc3MlM0ElMjU=|grant_type=client_credentials&scope=a+b";
        assert_eq!(*seen.lock().unwrap(), [asked]);
    }

    #[tokio::test]
    async fn a_token_that_was_refused_is_replaced_once() {
        let (issuer, seen) = issuer(vec![token("one", 600), token("two", 600)]).await;
        assert_eq!(issuer.token().await.unwrap().text, "one");
        assert_eq!(issuer.instead_of("one").await.unwrap().text, "two");
        assert_eq!(issuer.instead_of("one").await.unwrap().text, "two", "somebody else has replaced it already");
        assert_eq!(seen.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_token_that_is_over_is_not_used() {
        let (issuer, _) = issuer(vec![token("one", 0), token("two", 600)]).await;
        assert_eq!(issuer.token().await.unwrap().text, "one");
        assert_eq!(issuer.token().await.unwrap().text, "two");
    }

    #[tokio::test]
    async fn only_the_issuers_own_words_are_definite_and_no_answer_shows_a_secret() {
        for (status, answer, is_definite, names) in [
            (401, r#"{"error":"invalid_client"}"#, true, "kafka.oauth.client_id and client_secret"),
            (400, r#"{"error":"invalid_scope"}"#, true, "kafka.oauth.scope"),
            (401, "<html>log in", false, "401"),
            (503, r#"{"error":"invalid_client"}"#, false, "503"),
            (500, "pa ss:%", false, "500"),
            (200, r#"{"token":"x"}"#, false, "access_token"),
        ] {
            let (issuer, _) = issuer(vec![(status, answer.to_owned())]).await;
            let refused = issuer.token().await.unwrap_err();
            assert_eq!(refused.is_definite, is_definite, "{refused}");
            assert!(refused.why.contains(names) && refused.why.contains("kafka.oauth"), "{refused}");
            assert!(!refused.why.contains("pa ss"), "{refused}");
        }
    }
}
