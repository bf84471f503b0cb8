//! A schema registry in memory, for `koine demo` and tests: the part of Confluent's API that our own client,
//! confluent-kafka's `SchemaRegistryClient` and schema_registry_converter use. It forgets everything when it ends, and
//! knows of Avro only what it is given as a [`Judge`].

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether `new` may follow `old` in both directions; the error says why not. Is asked for two different schemas, and
/// as `(new, new)` whether the text is a schema at all.
pub type Judge = fn(new: &str, old: &str) -> Result<(), String>;

/// The running registry.
pub struct Embedded {
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Embedded {
    /// Binds (port 0: a free one) and serves until [`Embedded::stop`] or the end of the runtime.
    pub async fn start(listen: SocketAddr, judge: Judge) -> std::io::Result<Embedded> {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let store = Arc::new(Store { judge, inner: Mutex::new(Inner::default()) });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let task =
            tokio::spawn(async move { axum::serve(listener, router(store)).with_graceful_shutdown(until).await });
        Ok(Embedded { address, stop, task })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends, with all connections.
    pub fn stop(self) {
        let _ = self.stop.send(());
        self.task.abort();
    }
}

struct Store {
    judge: Judge,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The schema of id n stands at n - 1; the same text has the same id in every subject.
    schemas: Vec<String>,
    /// Ids in the order of versions.
    subjects: BTreeMap<String, Vec<u32>>,
    compatibility: BTreeMap<String, String>,
}

impl Store {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No handler leaves it half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn schema(&self, id: u32) -> Option<&str> {
        let place = usize::try_from(id).ok()?.checked_sub(1)?;
        self.schemas.get(place).map(String::as_str)
    }

    fn id_of(&self, schema: &str) -> Option<u32> {
        let place = self.schemas.iter().position(|known| same(known, schema))?;
        u32::try_from(place + 1).ok()
    }

    fn versions(&self, subject: &str) -> Result<&Vec<u32>, Failure> {
        self.subjects.get(subject).ok_or_else(|| Failure::no_subject(subject))
    }

    fn level(&self, subject: &str) -> &str {
        self.compatibility.get(subject).or_else(|| self.compatibility.get("")).map_or("FULL_TRANSITIVE", String::as_str)
    }

    /// What stands in the way of a new schema, by the subject's rule. The judge looks both ways, so every rule but
    /// `NONE` is read as its full form.
    fn obstacles(&self, subject: &str, schema: &str, judge: Judge) -> Vec<String> {
        let versions = self.subjects.get(subject).map(Vec::as_slice).unwrap_or_default();
        let level = self.level(subject);
        let against = match level {
            "NONE" => &[],
            _ if level.ends_with("_TRANSITIVE") => versions,
            _ => versions.get(versions.len().saturating_sub(1)..).unwrap_or_default(),
        };
        let old = against.iter().filter_map(|id| self.schema(*id)).filter(|old| !same(old, schema));
        old.filter_map(|old| judge(schema, old).err()).collect()
    }

    fn version(&self, subject: &str, version: &str) -> Result<Value, Failure> {
        let versions = self.versions(subject)?;
        let number = match version {
            "latest" | "-1" => versions.len(),
            number => number.parse().map_err(|_| Failure(422, 42202, format!("{number} is no version")))?,
        };
        let id = number.checked_sub(1).and_then(|place| versions.get(place));
        let id = *id.ok_or_else(|| Failure(404, 40402, format!("Version {number} not found.")))?;
        Ok(self.entry(subject, number, id))
    }

    fn entry(&self, subject: &str, version: usize, id: u32) -> Value {
        let schema = self.schema(id).unwrap_or_default();
        json!({ "subject": subject, "version": version, "id": id, "schemaType": "AVRO", "schema": schema })
    }
}

/// The same schema in another spelling is the same schema.
fn same(left: &str, right: &str) -> bool {
    left == right
        || match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        }
}

/// Status, the API's own code, message.
struct Failure(u16, u32, String);

impl Failure {
    fn no_subject(subject: &str) -> Failure {
        Failure(404, 40401, format!("Subject '{subject}' not found."))
    }
}

type Answer = Result<Value, Failure>;

fn answer(answer: Answer) -> Response {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Failure(status, code, message)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, json!({ "error_code": code, "message": message }))
        }
    };
    (status, [(CONTENT_TYPE, super::MEDIA_TYPE)], body.to_string()).into_response()
}

type Shared = State<Arc<Store>>;

fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/", get(async || answer(Ok(json!({})))))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(lookup))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route("/subjects/{subject}/versions/{version}/schema", get(version_schema))
        .route("/schemas/types", get(async || answer(Ok(json!(["AVRO"])))))
        .route("/schemas/ids/{id}", get(by_id))
        .route("/schemas/ids/{id}/schema", get(by_id_text))
        .route("/schemas/ids/{id}/versions", get(by_id_versions))
        .route("/schemas/ids/{id}/subjects", get(by_id_subjects))
        .route("/compatibility/subjects/{subject}/versions", post(check))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(check_version))
        .route("/config", get(global).put(set_global))
        .route("/config/{subject}", get(level).put(set_level))
        .route("/mode", get(async || answer(Ok(json!({ "mode": "READWRITE" })))))
        .fallback(async || answer(Err(Failure(404, 404, "HTTP 404 Not Found".to_owned()))))
        .with_state(store)
}

/// The schema of a request's body.
fn schema_of(store: &Store, body: &str) -> Result<String, Failure> {
    let body: Value =
        serde_json::from_str(body).map_err(|_| Failure(400, 400, "the body is no JSON object".to_owned()))?;
    if let Some(other) = body.get("schemaType").and_then(Value::as_str).filter(|kind| *kind != "AVRO") {
        return Err(Failure(422, 42201, format!("{other} is not supported")));
    }
    let schema = body.get("schema").and_then(Value::as_str).unwrap_or_default();
    (store.judge)(schema, schema).map_err(|reason| Failure(422, 42201, format!("Invalid schema: {reason}")))?;
    Ok(schema.to_owned())
}

async fn subjects(State(store): Shared) -> Response {
    answer(Ok(json!(store.inner().subjects.keys().collect::<Vec<_>>())))
}

async fn versions(State(store): Shared, Path(subject): Path<String>) -> Response {
    let inner = store.inner();
    answer(inner.versions(&subject).map(|ids| json!((1..=ids.len()).collect::<Vec<_>>())))
}

async fn version(State(store): Shared, Path((subject, version)): Path<(String, String)>) -> Response {
    answer(store.inner().version(&subject, &version))
}

async fn version_schema(State(store): Shared, Path((subject, version)): Path<(String, String)>) -> Response {
    let found = store.inner().version(&subject, &version);
    match found {
        Ok(entry) => text(entry.get("schema").and_then(Value::as_str).unwrap_or_default()),
        Err(failure) => answer(Err(failure)),
    }
}

async fn lookup(State(store): Shared, Path(subject): Path<String>, body: String) -> Response {
    answer(schema_of(&store, &body).and_then(|schema| {
        let inner = store.inner();
        let versions = inner.versions(&subject)?;
        let id = inner.id_of(&schema);
        let place = versions.iter().position(|known| Some(*known) == id);
        match (place, id) {
            (Some(place), Some(id)) => Ok(inner.entry(&subject, place + 1, id)),
            _ => Err(Failure(404, 40403, "Schema not found".to_owned())),
        }
    }))
}

async fn register(State(store): Shared, Path(subject): Path<String>, body: String) -> Response {
    answer(schema_of(&store, &body).and_then(|schema| {
        let mut inner = store.inner();
        let obstacles = inner.obstacles(&subject, &schema, store.judge);
        let id = match inner.id_of(&schema) {
            Some(id) if inner.subjects.get(&subject).is_some_and(|ids| ids.contains(&id)) => {
                return Ok(json!({ "id": id }));
            }
            _ if !obstacles.is_empty() => return Err(Failure(409, 409, obstacles.join("; "))),
            Some(id) => id,
            None => {
                inner.schemas.push(schema);
                u32::try_from(inner.schemas.len()).map_err(|_| Failure(500, 50001, "full".to_owned()))?
            }
        };
        inner.subjects.entry(subject).or_default().push(id);
        Ok(json!({ "id": id }))
    }))
}

async fn by_id(State(store): Shared, Path(id): Path<u32>) -> Response {
    let inner = store.inner();
    let found = inner.schema(id).map(|schema| json!({ "schema": schema, "schemaType": "AVRO" }));
    answer(found.ok_or_else(no_schema))
}

async fn by_id_text(State(store): Shared, Path(id): Path<u32>) -> Response {
    let found = store.inner().schema(id).map(str::to_owned);
    found.map_or_else(|| answer(Err(no_schema())), |schema| text(&schema))
}

async fn by_id_versions(State(store): Shared, Path(id): Path<u32>) -> Response {
    let inner = store.inner();
    answer(Ok(places(&inner, id).map(|(subject, version)| json!({ "subject": subject, "version": version })).collect()))
}

async fn by_id_subjects(State(store): Shared, Path(id): Path<u32>) -> Response {
    let inner = store.inner();
    answer(Ok(places(&inner, id).map(|(subject, _)| json!(subject)).collect()))
}

fn places(inner: &Inner, id: u32) -> impl Iterator<Item = (&String, usize)> {
    inner
        .subjects
        .iter()
        .filter_map(move |(subject, ids)| ids.iter().position(|known| *known == id).map(|place| (subject, place + 1)))
}

async fn check(State(store): Shared, Path(subject): Path<String>, body: String) -> Response {
    answer(schema_of(&store, &body).and_then(|schema| {
        let inner = store.inner();
        inner.versions(&subject)?;
        let messages = inner.obstacles(&subject, &schema, store.judge);
        Ok(json!({ "is_compatible": messages.is_empty(), "messages": messages }))
    }))
}

async fn check_version(
    State(store): Shared,
    Path((subject, version)): Path<(String, String)>,
    body: String,
) -> Response {
    answer(schema_of(&store, &body).and_then(|schema| {
        let entry = store.inner().version(&subject, &version)?;
        let old = entry.get("schema").and_then(Value::as_str).unwrap_or_default();
        let messages: Vec<String> = match same(old, &schema) {
            true => Vec::new(),
            false => (store.judge)(&schema, old).err().into_iter().collect(),
        };
        Ok(json!({ "is_compatible": messages.is_empty(), "messages": messages }))
    }))
}

const LEVELS: [&str; 7] =
    ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"];

fn put_level(store: &Store, subject: &str, body: &str) -> Answer {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let level = body.get("compatibility").and_then(Value::as_str).unwrap_or_default();
    if !LEVELS.contains(&level) {
        return Err(Failure(422, 42203, format!("Invalid compatibility level; there are {}", LEVELS.join(", "))));
    }
    store.inner().compatibility.insert(subject.to_owned(), level.to_owned());
    Ok(json!({ "compatibility": level }))
}

async fn global(State(store): Shared) -> Response {
    answer(Ok(json!({ "compatibilityLevel": store.inner().level("") })))
}

async fn set_global(State(store): Shared, body: String) -> Response {
    answer(put_level(&store, "", &body))
}

async fn level(State(store): Shared, Path(subject): Path<String>) -> Response {
    let found = store.inner().compatibility.get(&subject).cloned();
    let missing =
        || Failure(404, 40408, format!("Subject '{subject}' does not have subject-level compatibility configured"));
    answer(found.map(|level| json!({ "compatibilityLevel": level })).ok_or_else(missing))
}

async fn set_level(State(store): Shared, Path(subject): Path<String>, body: String) -> Response {
    answer(put_level(&store, &subject, &body))
}

fn no_schema() -> Failure {
    Failure(404, 40403, "Schema not found".to_owned())
}

fn text(schema: &str) -> Response {
    ([(CONTENT_TYPE, super::MEDIA_TYPE)], schema.to_owned()).into_response()
}
