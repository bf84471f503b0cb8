//! The schema registry (Confluent's API; Apicurio's ccompat/v7): look up by content, compare, check, register. At
//! start-up, now and then beside the records, and by command; never in the path of a record. Knows neither Kafka nor
//! what is in a schema.
//!
//! `koine run` looks an id up by the schema's whole text, so it can never write under somebody else's "latest".
//!
//! schema_registry_converter calls a 500, 429, 504 or 401 permanent and keeps it for ever; here the answer's meaning
//! decides ([`ErrorKind`]): only what a registry says about a schema is an answer, anything else is trouble that passes.

pub mod bundle;
pub mod decoder;
pub mod embedded;

use crate::config::{RegistryAuth, RegistrySettings as Settings};
use crate::https::{Https, chain};
use crate::oauth::Issuer;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Who is told of each request what it asks, how it ended (a status, `timeout` or `unreachable`), and how long it took.
type Heard = Arc<dyn Fn(&str, &str, Duration) + Send + Sync>;

/// A registry to talk to.
#[derive(Clone)]
pub struct Registry {
    https: Https,
    base: Url,
    auth: RegistryAuth,
    /// Where its tokens come from, if `auth` says so.
    issuer: Option<Issuer>,
    timeout: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    heard: Heard,
    /// The `Date` of its last answer.
    date: Arc<Mutex<Option<String>>>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, or it broke: DNS, TCP, TLS.
    Unreachable,
    /// No answer in time (408 included).
    Timeout,
    /// 429.
    Throttled,
    /// 401 or 403: tokens expire and are renewed, rights are granted.
    Denied,
    /// 5xx.
    Unavailable,
    /// An answer that is not the registry's API: a proxy's page, a wrong address.
    NotARegistry,
    /// The registry does not have this subject, or not this schema in it.
    NotFound,
    /// The registry will not have this schema after those it has.
    Incompatible,
    /// The registry says the request makes no sense: no schema, unknown compatibility, read-only.
    Invalid,
}

impl ErrorKind {
    /// Whether the same request may be answered later.
    pub fn is_transient(self) -> bool {
        match self {
            ErrorKind::Unreachable
            | ErrorKind::Timeout
            | ErrorKind::Throttled
            | ErrorKind::Denied
            | ErrorKind::Unavailable
            | ErrorKind::NotARegistry => true,
            ErrorKind::NotFound | ErrorKind::Incompatible | ErrorKind::Invalid => false,
        }
    }

    /// A word of a closed set, for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Unreachable => "unreachable",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Throttled => "throttled",
            ErrorKind::Denied => "denied",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::NotARegistry => "not_a_registry",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Incompatible => "incompatible",
            ErrorKind::Invalid => "invalid",
        }
    }
}

/// One request that failed: what was asked, and what came back. Holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    pub kind: ErrorKind,
    /// What was asked, in words: `look up commerce.order.v1-value`.
    pub doing: String,
    /// Status and the registry's message, or the transport's.
    pub detail: String,
    /// What the registry asked to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.detail)?;
        match self.kind {
            ErrorKind::NotFound => f.write_str("; run `koine schemas register`"),
            ErrorKind::NotARegistry => f.write_str("; is registry.url right?"),
            ErrorKind::Denied => f.write_str(
                "; check registry.username and registry.password, registry.bearer_token, or registry.oauth, and their rights",
            ),
            _ => Ok(()),
        }
    }
}

impl Error for RegistryError {}

/// What a request asks, in a word of a closed set.
fn operation(method: &Method, path: &[&str]) -> &'static str {
    match (method.as_str(), path) {
        ("GET", ["subjects"]) => "list_subjects",
        ("POST", ["subjects", _]) => "lookup",
        ("GET", ["subjects", _, "versions"]) => "list_versions",
        ("POST", ["subjects", _, "versions"]) => "register",
        ("GET", ["subjects", _, "versions", _]) => "read_version",
        ("GET", ["schemas", ..]) => "read_schema",
        ("POST", ["compatibility", ..]) => "check",
        (_, ["config", ..]) => "compatibility",
        _ => "other",
    }
}

/// A schema and the subject it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `<topic>-value`.
    pub subject: &'a str,
    /// Canonical compact text, exactly as it is registered: Apicurio looks for the same text.
    pub schema: &'a str,
}

impl Wanted<'_> {
    /// The beginning of the SHA-256 of its text: two builds whose schemas differ in anything have two.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.schema).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a registry knows a schema by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub subject: String,
    /// The id of the wire format.
    pub id: u32,
    /// Version within the subject, where the registry told it.
    pub version: Option<u32>,
}

/// A version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub registered: Registered,
    /// Its text, as the registry keeps it; Avro if nobody put something else there.
    pub schema: String,
}

/// The registry's word on a new schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub compatible: bool,
    /// The registry's reasons; some give none.
    pub messages: Vec<String>,
}

/// Whether an id in use still stands for what is written under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    Yes,
    /// The registry has neither confirmed nor denied it: it does not know the schema, or not any more.
    Missing(String),
    /// It is another schema's, or the schema has another id: whoever reads by it would read something else.
    No(String),
}

/// Longer and longer pauses between attempts, each a little shorter than it could be: those who were turned away
/// together do not come back together.
#[derive(Debug, Clone)]
pub struct Pauses {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Pauses {
    /// The pause that is due now; at least as long as the registry has asked for, within the longest.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = jittered(self.next).max(asked.unwrap_or_default()).min(self.longest);
        self.next = (self.next * 2).min(self.longest);
        pause
    }

    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Between three quarters and the whole of a time. The standard library seeds its hash maps from the system's randomness.
pub fn jittered(time: Duration) -> Duration {
    let hasher = std::collections::hash_map::RandomState::new().build_hasher();
    time * 3 / 4 + time / 4 * u32::from((hasher.finish() & 0xff) as u8) / 255
}

/// How [`Registry::wait_for_ids`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// In the order they were wanted.
    Pinned(Vec<Registered>),
    Canceled,
}

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

impl Registry {
    /// Needs a `url` in the settings. The error is a sentence: an address, certificate or client that cannot be.
    pub fn new(settings: &Settings) -> Result<Registry, String> {
        let url = settings.url.as_deref().ok_or("registry.url is not set")?;
        let base = Url::parse(url).map_err(|error| format!("registry.url: {error}"))?;
        if base.cannot_be_a_base() {
            return Err("registry.url: should be http:// or https://".to_owned());
        }
        let https = Https::new("registry", &settings.tls, settings.timeout)?;
        let issuer = match &settings.auth {
            RegistryAuth::Oauth(oauth) => Some(Issuer::new(oauth, settings.timeout)?),
            _ => None,
        };
        Ok(Registry {
            https,
            base,
            auth: settings.auth.clone(),
            issuer,
            timeout: settings.timeout,
            first_pause: Duration::from_millis(500),
            longest_pause: settings.longest_pause,
            heard: Arc::new(|_, _, _| ()),
            date: Arc::default(),
        })
    }

    /// With somebody who is told of each request what it asks, how it ended (its status, `timeout` or `unreachable`) and how
    /// long it took.
    pub fn heard_by(self, heard: impl Fn(&str, &str, Duration) + Send + Sync + 'static) -> Registry {
        Registry { heard: Arc::new(heard), ..self }
    }

    pub fn pauses(&self) -> Pauses {
        Pauses { first: self.first_pause, next: self.first_pause, longest: self.longest_pause }
    }

    /// Other pauses between attempts than half a second, doubled up to the settings' longest.
    pub fn with_pauses(self, first: Duration, longest: Duration) -> Registry {
        Registry { first_pause: first, longest_pause: longest, ..self }
    }

    /// The id of a schema by its content; never registers, never takes "latest". A registry that has the same schema in
    /// another spelling, and compares texts only (Apicurio), is asked version by version.
    pub async fn lookup(&self, wanted: Wanted<'_>) -> Result<Registered, RegistryError> {
        let doing = format!("look up {}", wanted.subject);
        let path = ["subjects", wanted.subject];
        match self.call(&doing, Method::POST, &path, &[], Some(body(wanted.schema))).await {
            Ok(answer) => registered(&doing, wanted.subject, &answer),
            Err(error) if error.kind == ErrorKind::NotFound => {
                self.lookup_by_reading(wanted).await?.ok_or(RegistryError {
                    detail: format!("this build's schema is not in it ({})", error.detail),
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it finds a schema that it has by the schema's text alone.
    pub async fn finds_by_content(&self, wanted: Wanted<'_>) -> Result<bool, RegistryError> {
        let doing = format!("look up {}", wanted.subject);
        match self.call(&doing, Method::POST, &["subjects", wanted.subject], &[], Some(body(wanted.schema))).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Compares the JSON of every version. `None`: none is it, or there is no such subject.
    async fn lookup_by_reading(&self, wanted: Wanted<'_>) -> Result<Option<Registered>, RegistryError> {
        let Ok(schema) = serde_json::from_str::<Value>(wanted.schema) else { return Ok(None) };
        for version in self.versions(wanted.subject).await?.into_iter().rev() {
            let Some(found) = self.version(wanted.subject, version).await? else { continue };
            if serde_json::from_str::<Value>(&found.schema).is_ok_and(|other| other == schema) {
                return Ok(Some(found.registered));
            }
        }
        Ok(None)
    }

    /// One version of a subject; `None`: it is not there (any more).
    pub async fn version(&self, subject: &str, version: u32) -> Result<Option<Version>, RegistryError> {
        let doing = format!("read {subject} version {version}");
        let path = ["subjects", subject, "versions", &version.to_string()];
        let answer = match self.call(&doing, Method::GET, &path, &[], None).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let schema = answer.get("schema").and_then(Value::as_str).map(str::to_owned);
        let schema = schema.ok_or_else(|| no_registry(&doing, "the answer has no schema"))?;
        Ok(Some(Version { registered: registered(&doing, subject, &answer)?, schema }))
    }

    /// Looks every schema up and waits out whatever passes: transport errors, 408, 429, 5xx, 401 and 403, answers that
    /// are no registry's. `report` is told each time (for a log line and a metric) with the pause that follows; pauses
    /// double from half a second to the longest, less some chance, and are longer where the registry asks for it. A definite
    /// answer, such as a schema that is not registered, ends it.
    pub async fn wait_for_ids(
        &self,
        wanted: &[Wanted<'_>],
        cancel: impl Future<Output = ()>,
        mut report: impl FnMut(&RegistryError, Duration),
    ) -> Result<Waited, RegistryError> {
        let all = async {
            let mut pinned = Vec::with_capacity(wanted.len());
            for &one in wanted {
                let mut pauses = self.pauses();
                let found = loop {
                    match self.lookup(one).await {
                        Ok(found) => break found,
                        Err(error) if error.kind.is_transient() => {
                            let pause = pauses.next(error.retry_after);
                            report(&error, pause);
                            tokio::time::sleep(pause).await;
                        }
                        Err(error) => return Err(error),
                    }
                };
                pinned.push(found);
            }
            Ok(Waited::Pinned(pinned))
        };
        tokio::select! {
            done = all => done,
            () = cancel => Ok(Waited::Canceled),
        }
    }

    /// Asks both ways round: which id this schema has, and what stands behind the id in use. `is_same` says whether two
    /// texts are one schema, since a registry may keep it in another spelling.
    pub async fn confirm(
        &self,
        wanted: Wanted<'_>,
        pinned: u32,
        is_same: fn(&str, &str) -> bool,
    ) -> Result<Confirmed, RegistryError> {
        let subject = wanted.subject;
        let behind = match self.schema(pinned).await {
            Err(error) if error.kind == ErrorKind::NotFound => None,
            other => Some(other?),
        };
        if behind.as_deref().is_some_and(|behind| !is_same(behind, wanted.schema)) {
            return Ok(Confirmed::No(format!(
                "the schema id {pinned}, in use for {subject}, stands for another schema at the registry"
            )));
        }
        match self.lookup(wanted).await {
            Ok(found) if found.id != pinned => Ok(Confirmed::No(format!(
                "the schema of {subject} has the id {} at the registry, and {pinned} is in use",
                found.id
            ))),
            Ok(_) if behind.is_some() => Ok(Confirmed::Yes),
            Ok(_) => Ok(Confirmed::Missing(format!("the registry does not know the schema id {pinned} of {subject}"))),
            Err(error) if error.kind.is_transient() => Err(error),
            Err(error) => Ok(Confirmed::Missing(error.to_string())),
        }
    }

    /// Registers a schema as the subject's next version; the id it has, where it is there already. It is looked for
    /// first, since Apicurio would make a second version of the same schema in another spelling.
    pub async fn register(&self, wanted: Wanted<'_>) -> Result<Registered, RegistryError> {
        match self.lookup(wanted).await {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            // A registry that finds the text invalid says so at the lookup already.
            done => {
                return done.map_err(|error| RegistryError { doing: format!("register {}", wanted.subject), ..error });
            }
        }
        let doing = format!("register {}", wanted.subject);
        let path = ["subjects", wanted.subject, "versions"];
        let answer = self.call(&doing, Method::POST, &path, &[], Some(body(wanted.schema))).await?;
        registered(&doing, wanted.subject, &answer)
    }

    /// Whether the registry would take this schema, by the subject's own rule. A subject that does not exist takes all.
    pub async fn check(&self, wanted: Wanted<'_>) -> Result<Verdict, RegistryError> {
        let doing = format!("check {}", wanted.subject);
        let path = ["compatibility", "subjects", wanted.subject, "versions"];
        match self.call(&doing, Method::POST, &path, &[("verbose", "true")], Some(body(wanted.schema))).await {
            Ok(answer) => {
                let compatible = answer.get("is_compatible").and_then(Value::as_bool);
                let compatible = compatible.ok_or_else(|| no_registry(&doing, "the answer has no is_compatible"))?;
                // Confluent has a list of `messages`, Apicurio one `reason`.
                let messages = answer.get("messages").and_then(Value::as_array).into_iter().flatten();
                let messages = messages.chain(answer.get("reason").filter(|reason| !reason.is_null()));
                let text = |message: &Value| message.as_str().map_or_else(|| message.to_string(), str::to_owned);
                Ok(Verdict { compatible, messages: messages.map(text).collect() })
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Verdict { compatible: true, messages: Vec::new() }),
            Err(error) => Err(error),
        }
    }

    /// Sets a subject's rule, such as `FULL_TRANSITIVE`.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryError> {
        let doing = format!("set the compatibility of {subject}");
        let body = json!({ "compatibility": level });
        self.call(&doing, Method::PUT, &["config", subject], &[], Some(body)).await.map(|_| ())
    }

    /// A subject's rule; `None`: it has none of its own, or (Apicurio) there is no such subject.
    pub async fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        match self.level(&format!("read the compatibility of {subject}"), &["config", subject]).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            level => level.map(Some),
        }
    }

    /// The rule of subjects that have none of their own.
    pub async fn default_compatibility(&self) -> Result<String, RegistryError> {
        self.level("read the registry's compatibility", &["config"]).await
    }

    async fn level(&self, doing: &str, path: &[&str]) -> Result<String, RegistryError> {
        let answer = self.call(doing, Method::GET, path, &[], None).await?;
        let level = answer.get("compatibilityLevel").or_else(|| answer.get("compatibility")).and_then(Value::as_str);
        level.map(str::to_owned).ok_or_else(|| no_registry(doing, "the answer has no compatibilityLevel"))
    }

    /// The text of a schema by its id.
    pub async fn schema(&self, id: u32) -> Result<String, RegistryError> {
        let doing = format!("read schema {id}");
        let answer = self.call(&doing, Method::GET, &["schemas", "ids", &id.to_string()], &[], None).await?;
        let text = answer.get("schema").and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| no_registry(&doing, "the answer has no schema"))
    }

    /// All subjects. Also the cheapest question that shows whether a registry is there and lets us in.
    pub async fn subjects(&self) -> Result<Vec<String>, RegistryError> {
        let doing = "list the subjects";
        let answer = self.call(doing, Method::GET, &["subjects"], &[], None).await?;
        let names = answer.as_array().ok_or_else(|| no_registry(doing, "the answer is no list"))?;
        Ok(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// A subject's versions, oldest first; none where there is no such subject.
    pub async fn versions(&self, subject: &str) -> Result<Vec<u32>, RegistryError> {
        let doing = format!("list the versions of {subject}");
        let answer = match self.call(&doing, Method::GET, &["subjects", subject, "versions"], &[], None).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let numbers = answer.as_array().ok_or_else(|| no_registry(&doing, "the answer is no list"))?;
        let mut versions: Vec<u32> =
            numbers.iter().filter_map(Value::as_u64).filter_map(|number| u32::try_from(number).ok()).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// What its clock said when it last answered, as HTTP has it.
    pub fn date(&self) -> Option<String> {
        self.date.lock().ok()?.clone()
    }

    /// One request, and what its answer means. A token that is refused is replaced and the request made once more:
    /// issuers end tokens before their time.
    async fn call(
        &self,
        doing: &str,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Value, RegistryError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        for (name, value) in query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request =
            self.https.client().request(method, url).header("accept", format!("{MEDIA_TYPE}, application/json"));
        if let Some(body) = body {
            request = request.header("content-type", MEDIA_TYPE).body(body.to_string());
        }
        let request = request.build().map_err(|error| no_registry(doing, &chain(&error.without_url())))?;
        let operation = operation(request.method(), path);
        let Some(issuer) = &self.issuer else { return self.send(doing, operation, request, None).await };
        let no_token = |why: crate::oauth::Refused| RegistryError {
            kind: if why.is_definite { ErrorKind::Denied } else { ErrorKind::Unreachable },
            doing: doing.to_owned(),
            detail: why.why,
            retry_after: None,
        };
        let token = issuer.token().await.map_err(no_token)?;
        let again = request.try_clone();
        match (self.send(doing, operation, request, Some(&token.text)).await, again) {
            (Err(error), Some(again)) if error.kind == ErrorKind::Denied => {
                let token = issuer.instead_of(&token.text).await.map_err(no_token)?;
                self.send(doing, operation, again, Some(&token.text)).await
            }
            (answered, _) => answered,
        }
    }

    async fn send(
        &self,
        doing: &str,
        operation: &str,
        request: reqwest::Request,
        token: Option<&str>,
    ) -> Result<Value, RegistryError> {
        let begun = Instant::now();
        let heard = |code: &str| (self.heard)(operation, code, begun.elapsed());
        let request = reqwest::RequestBuilder::from_parts(self.https.client(), request);
        let request = match (&self.auth, token) {
            (_, Some(token)) => request.bearer_auth(token),
            (RegistryAuth::Basic { username, password }, None) => {
                request.basic_auth(username, Some(password.current()))
            }
            (RegistryAuth::Bearer(token), None) => request.bearer_auth(token.current()),
            (RegistryAuth::None | RegistryAuth::Oauth(_), None) => request,
        };
        let fail = |kind, detail| RegistryError { kind, doing: doing.to_owned(), detail, retry_after: None };
        let transport = |error: reqwest::Error| {
            if error.is_timeout() {
                heard("timeout");
                return fail(ErrorKind::Timeout, format!("no answer within {} ms", self.timeout.as_millis()));
            }
            heard("unreachable");
            let why = chain(&error.without_url());
            fail(
                ErrorKind::Unreachable,
                self.https.advice(&why).map_or(why.clone(), |advice| format!("{why}; {advice}")),
            )
        };
        let response = request.send().await.map_err(transport)?;
        let status = response.status();
        let date = response.headers().get("date").and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Ok(mut last) = self.date.lock() {
            *last = date;
        }
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let text = response.text().await.map_err(transport)?;
        heard(status.as_str());
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        if status.is_success() {
            return answer.ok_or_else(|| no_registry(doing, &format!("the answer ({status}) is no JSON")));
        }
        let code = answer.as_ref().and_then(|answer| answer.get("error_code")).and_then(Value::as_i64);
        let message = answer.as_ref().and_then(|answer| answer.get("message")).and_then(Value::as_str);
        let kind = kind_of(status, code);
        let mut detail = match message {
            Some(message) => format!("{status}: {}", message.chars().take(500).collect::<String>()),
            None => status.to_string(),
        };
        // nginx has no status of its own for it: 400, and the reason in the page.
        if kind == ErrorKind::NotARegistry && text.contains("SSL certificate") {
            detail.push_str("; it asks for a client certificate: check registry.cert_file and registry.key_file");
        }
        Err(RegistryError { retry_after, ..fail(kind, detail) })
    }
}

/// What a failure's status means. Only a body of the registry's own shape (`error_code`) makes it the registry's word:
/// the 404 of an ingress whose registry is still starting must not end the process.
fn kind_of(status: StatusCode, code: Option<i64>) -> ErrorKind {
    match (status.as_u16(), code) {
        (408, _) => ErrorKind::Timeout,
        (429, _) => ErrorKind::Throttled,
        (401 | 403, _) => ErrorKind::Denied,
        (500.., _) => ErrorKind::Unavailable,
        (404, Some(_)) => ErrorKind::NotFound,
        (409, Some(_)) => ErrorKind::Incompatible,
        (400 | 405 | 415 | 422, Some(_)) => ErrorKind::Invalid,
        _ => ErrorKind::NotARegistry,
    }
}

fn no_registry(doing: &str, detail: &str) -> RegistryError {
    let (doing, detail) = (doing.to_owned(), detail.to_owned());
    RegistryError { kind: ErrorKind::NotARegistry, doing, detail, retry_after: None }
}

fn body(schema: &str) -> Value {
    json!({ "schema": schema, "schemaType": "AVRO" })
}

fn registered(doing: &str, subject: &str, answer: &Value) -> Result<Registered, RegistryError> {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let id = number("id").ok_or_else(|| no_registry(doing, "the answer has no id"))?;
    Ok(Registered { subject: subject.to_owned(), id, version: number("version") })
}

#[cfg(test)]
mod tests;
