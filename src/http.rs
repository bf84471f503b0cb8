//! The port for machines that watch: `/metrics`, `/livez`, `/readyz`, `/version`, `/drift`, `/breakers`. Shows counts and
//! states, never a setting or a payload. One thing can be done here, from this machine only: `POST /breakers/resume`. Knows
//! neither Kafka nor the registry: who does tells [`Health`].

mod board;

pub use board::{Board, BreakerState, BreakerView};

use crate::telemetry::{BuildInfo, Metrics, negotiate};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get, routing::post};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How the process is. Setters are one store each; readers are the probes.
pub struct Health {
    started: Instant,
    limit: Duration,
    schemas: AtomicBool,
    draining: AtomicBool,
    workers: Mutex<Vec<Arc<Beat>>>,
    breakers: Board,
}

/// What one worker says of itself.
struct Beat {
    /// Milliseconds since the process's start.
    at: AtomicU64,
    producer: AtomicBool,
    joined: AtomicBool,
    /// Whether no broker has answered when one was asked last.
    cut_off: AtomicBool,
    retired: AtomicBool,
}

/// A worker's hand on [`Health`]. Dropping it without [`Heart::retire`], as a panic does, leaves a heart that stands
/// still, so that `/livez` finds it.
pub struct Heart {
    beat: Arc<Beat>,
    started: Instant,
}

impl Health {
    /// `limit`: how old a worker's heartbeat may be; `max.poll.interval.ms` is the natural one.
    pub fn new(limit: Duration) -> Health {
        Health {
            started: Instant::now(),
            limit,
            schemas: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            workers: Mutex::new(Vec::new()),
            breakers: Board::default(),
        }
    }

    /// A worker starts; its heart beats now.
    pub fn worker(&self) -> Heart {
        let beat = Arc::new(Beat {
            at: AtomicU64::new(millis(self.started)),
            producer: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            retired: AtomicBool::new(false),
        });
        self.beats().push(Arc::clone(&beat));
        Heart { beat, started: self.started }
    }

    /// Every schema id is known.
    pub fn schemas_pinned(&self, pinned: bool) {
        self.schemas.store(pinned, Ordering::Relaxed);
    }

    /// The process leaves: no longer ready, still alive.
    pub fn draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// All workers have ended on purpose, and others are to come.
    pub fn begin_anew(&self) {
        self.beats().clear();
        self.draining.store(false, Ordering::Relaxed);
    }

    /// The breakers of all partitions that this process reads.
    pub fn breakers(&self) -> &Board {
        &self.breakers
    }

    /// What is not alive, in words; empty: everything is. Before the first worker there is nothing to be dead, since
    /// waiting for a registry or a broker is no reason to be restarted.
    pub fn dead(&self) -> Vec<String> {
        let now = millis(self.started);
        let mut dead = Vec::new();
        for (number, beat) in self.beats().iter().enumerate() {
            let age = Duration::from_millis(now.saturating_sub(beat.at.load(Ordering::Relaxed)));
            if age > self.limit && !beat.retired.load(Ordering::Relaxed) {
                dead.push(format!("worker {number} has not polled for {} s", age.as_secs()));
            }
        }
        dead
    }

    /// What is not ready, in words; empty: everything is.
    pub fn not_ready(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            missing.push("draining".to_owned());
        }
        if !self.schemas.load(Ordering::Relaxed) {
            missing.push("schemas are not pinned".to_owned());
        }
        let beats = self.beats();
        let working = || beats.iter().enumerate().filter(|(_, beat)| !beat.retired.load(Ordering::Relaxed));
        if working().next().is_none() {
            missing.push("no worker".to_owned());
        }
        for (number, beat) in working() {
            if !beat.producer.load(Ordering::Relaxed) {
                missing.push(format!("worker {number}: producer is not ready"));
            }
            if !beat.joined.load(Ordering::Relaxed) {
                missing.push(format!("worker {number}: not in the group"));
            }
            if beat.cut_off.load(Ordering::Relaxed) {
                missing.push(format!("worker {number}: no broker answers"));
            }
        }
        missing
    }

    fn beats(&self) -> MutexGuard<'_, Vec<Arc<Beat>>> {
        // A list of flags cannot be half changed.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heart {
    /// The poll loop went round.
    #[inline]
    pub fn beat(&self) {
        self.beat.at.store(millis(self.started), Ordering::Relaxed);
    }

    /// The producer is initialised, or has to be made anew.
    pub fn producer_ready(&self, ready: bool) {
        self.beat.producer.store(ready, Ordering::Relaxed);
    }

    /// The consumer is a member of the group (with or without partitions), or is none.
    pub fn group_joined(&self, joined: bool) {
        self.beat.joined.store(joined, Ordering::Relaxed);
    }

    /// Brokers were asked, and one has answered or none. A member whose brokers are away is in the group by its own word only.
    pub fn brokers_answer(&self, do_they: bool) {
        self.beat.cut_off.store(!do_they, Ordering::Relaxed);
    }

    /// Whether one has answered when they were asked last.
    pub fn do_brokers_answer(&self) -> bool {
        !self.beat.cut_off.load(Ordering::Relaxed)
    }

    /// The worker ends on purpose.
    pub fn retire(self) {
        self.beat.retired.store(true, Ordering::Relaxed);
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The running server.
pub struct Server {
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// How long a request that is under way may hold up the end.
const GRACE: Duration = Duration::from_secs(2);

struct Pages {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    build: BuildInfo,
    /// This machine's, if it is one of its own that is listened on.
    ip: IpAddr,
}

/// Binds and serves until [`Server::stop`]. Needs a tokio runtime. The error is the bind's, such as an address in use.
pub async fn serve(
    listen: SocketAddr,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    build: BuildInfo,
) -> std::io::Result<Server> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/drift", get(drift))
        .route("/version", get(version))
        .route("/breakers", get(breakers))
        .route("/breakers/resume", post(resume_all))
        .route("/breakers/resume/{topic}", post(resume_topic))
        .route("/breakers/resume/{topic}/{partition}", post(resume_partition))
        .with_state(Arc::new(Pages { health, metrics, build, ip: address.ip() }))
        .into_make_service_with_connect_info::<SocketAddr>();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until = async {
        // A dropped sender is a stop as well.
        let _ = stopped.await;
    };
    let task = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(until).await });
    Ok(Server { address, stop, task })
}

impl Server {
    /// The address that is really bound, where port 0 was asked for too.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those under way finish for at most two seconds, and ends.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(GRACE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

async fn show_metrics(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> impl IntoResponse {
    let exposition = negotiate(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    // As `/readyz` would answer now.
    pages.metrics.ready(pages.health.not_ready().is_empty());
    ([(CONTENT_TYPE, exposition.content_type())], pages.metrics.render(exposition))
}

async fn livez(State(pages): State<Arc<Pages>>) -> Response {
    probe("alive", pages.health.dead())
}

async fn readyz(State(pages): State<Arc<Pages>>) -> Response {
    probe("ready", pages.health.not_ready())
}

fn probe(what: &str, reasons: Vec<String>) -> Response {
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ what: reasons.is_empty(), "reasons": reasons }))).into_response()
}

/// Where webhooks are not as their pages say.
async fn drift(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    Json(pages.metrics.seen_drift())
}

async fn version(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    Json(
        json!({ "name": "koine", "version": pages.build.version, "build": pages.build.build, "librdkafka": pages.build.librdkafka }),
    )
}

async fn breakers(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    Json(pages.health.breakers().list())
}

type Peer = ConnectInfo<SocketAddr>;

async fn resume_all(State(pages): State<Arc<Pages>>, peer: Peer) -> Response {
    pages.resume(peer, None, None)
}

async fn resume_topic(State(pages): State<Arc<Pages>>, peer: Peer, Path(topic): Path<String>) -> Response {
    pages.resume(peer, Some(&topic), None)
}

async fn resume_partition(
    State(pages): State<Arc<Pages>>,
    peer: Peer,
    Path((topic, partition)): Path<(String, i32)>,
) -> Response {
    pages.resume(peer, Some(&topic), Some(partition))
}

impl Pages {
    /// Who may run a program beside this process may stop it, too: to let it go on is less. Anybody else is refused.
    fn resume(&self, ConnectInfo(peer): Peer, topic: Option<&str>, partition: Option<i32>) -> Response {
        if !is_here(peer.ip(), self.ip) {
            return (StatusCode::FORBIDDEN, Json(json!({ "error": "only from the machine or pod itself" })))
                .into_response();
        }
        Json(json!({ "resumed": self.health.breakers().resume(topic, partition) })).into_response()
    }
}

/// Whether a peer is this machine.
fn is_here(peer: IpAddr, ours: IpAddr) -> bool {
    let peer = peer.to_canonical();
    peer.is_loopback() || peer == ours.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Tables;
    use serde_json::Value;

    const TABLES: Tables = Tables {
        vendors: &["bold"],
        entities: &["order"],
        actions: &["updated"],
        rules: &["r"],
        codes: &[("c", "data")],
        event_types: &[],
        drift: &[],
        fatal_codes: &[],
        troubles: &[],
    };

    async fn start(limit: Duration) -> (Server, Arc<Health>) {
        let build = BuildInfo { version: "1.2.3", build: "1.2.3+x".to_owned(), librdkafka: "2.12.1".to_owned() };
        let health = Arc::new(Health::new(limit));
        let metrics = Arc::new(Metrics::new(TABLES, &["commerce.order.v1"], &build).unwrap());
        let server = serve("127.0.0.1:0".parse().unwrap(), Arc::clone(&health), metrics, build).await.unwrap();
        (server, health)
    }

    async fn get(server: &Server, path: &str) -> (u16, Value) {
        let response = reqwest::get(format!("http://{}{path}", server.address())).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    #[tokio::test]
    async fn ready_is_schemas_producer_and_group() {
        let (server, health) = start(Duration::from_secs(60)).await;
        assert_ne!(server.address().port(), 0);
        let (status, body) = get(&server, "/readyz").await;
        assert_eq!((status, &body["ready"]), (503, &json!(false)));
        assert_eq!(body["reasons"], json!(["schemas are not pinned", "no worker"]));
        health.schemas_pinned(true);
        let heart = health.worker();
        let (_, body) = get(&server, "/readyz").await;
        assert_eq!(body["reasons"], json!(["worker 0: producer is not ready", "worker 0: not in the group"]));
        heart.producer_ready(true);
        heart.group_joined(true);
        assert_eq!(get(&server, "/readyz").await, (200, json!({"ready": true, "reasons": []})));
        heart.producer_ready(false);
        assert_eq!(get(&server, "/readyz").await.0, 503);
        heart.producer_ready(true);
        heart.brokers_answer(false);
        assert_eq!(get(&server, "/readyz").await.1["reasons"], json!(["worker 0: no broker answers"]));
        assert_eq!(get(&server, "/livez").await.0, 200);
        heart.brokers_answer(true);
        assert_eq!(get(&server, "/readyz").await.0, 200);
        health.draining();
        assert_eq!(get(&server, "/readyz").await.1["reasons"], json!(["draining"]));
        assert_eq!(get(&server, "/livez").await.0, 200);
        health.begin_anew();
        assert_eq!(get(&server, "/readyz").await.1["reasons"], json!(["no worker"]));
        server.stop().await;
    }

    #[tokio::test]
    async fn alive_is_a_heart_that_beats() {
        let (server, health) = start(Duration::from_millis(500)).await;
        assert_eq!(get(&server, "/livez").await, (200, json!({"alive": true, "reasons": []})));
        let (first, second) = (health.worker(), health.worker());
        tokio::time::sleep(Duration::from_millis(700)).await;
        first.beat();
        assert_eq!(health.dead(), ["worker 1 has not polled for 0 s"]);
        assert_eq!(get(&server, "/livez").await.0, 503);
        second.beat();
        first.beat();
        assert_eq!(health.dead(), Vec::<String>::new());
        second.retire();
        drop(first);
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(health.dead().len(), 1, "one retired, one died");
        server.stop().await;
    }

    #[tokio::test]
    async fn metrics_come_in_the_format_asked_for() {
        let (server, _) = start(Duration::from_secs(60)).await;
        let url = format!("http://{}/metrics", server.address());
        let plain = reqwest::get(&url).await.unwrap();
        assert_eq!(plain.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        assert!(plain.text().await.unwrap().contains("koine_build_info{"));
        let open =
            reqwest::Client::new().get(&url).header("accept", "application/openmetrics-text").send().await.unwrap();
        assert_eq!(open.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(open.text().await.unwrap().ends_with("# EOF\n"));
        let version = json!({"name": "koine", "version": "1.2.3", "build": "1.2.3+x", "librdkafka": "2.12.1"});
        assert_eq!(get(&server, "/version").await, (200, version));
        server.stop().await;
    }

    #[tokio::test]
    async fn whether_it_is_ready_is_a_metric() {
        let (server, health) = start(Duration::from_secs(60)).await;
        let ready = async || {
            let page =
                reqwest::get(format!("http://{}/metrics", server.address())).await.unwrap().text().await.unwrap();
            page.lines().find_map(|line| line.strip_prefix("koine_ready ")).unwrap().to_owned()
        };
        assert_eq!((ready().await.as_str(), get(&server, "/readyz").await.0), ("0", 503));
        health.schemas_pinned(true);
        let heart = health.worker();
        heart.producer_ready(true);
        assert_eq!((ready().await.as_str(), get(&server, "/readyz").await.0), ("0", 503));
        heart.group_joined(true);
        assert_eq!((ready().await.as_str(), get(&server, "/readyz").await.0), ("1", 200));
        heart.group_joined(false);
        assert_eq!((ready().await.as_str(), get(&server, "/readyz").await.0), ("0", 503));
        server.stop().await;
    }

    #[tokio::test]
    async fn breakers_are_shown_and_resumed() {
        let (server, health) = start(Duration::from_secs(60)).await;
        assert_eq!(get(&server, "/breakers").await, (200, json!([])));
        for partition in [0, 1] {
            health.breakers().show(BreakerView {
                topic: "raw.bold".to_owned(),
                partition,
                state: BreakerState::Open,
                paused: true,
                code: Some("money.invalid"),
                fingerprint: Some("00ff".to_owned()),
            });
        }
        let (_, shown) = get(&server, "/breakers").await;
        assert_eq!(
            shown[1],
            json!({"topic": "raw.bold", "partition": 1, "state": "open", "paused": true, "code": "money.invalid",
                "fingerprint": "00ff"})
        );
        let resume = async |path: &str| {
            let url = format!("http://{}/breakers/resume{path}", server.address());
            let answer = reqwest::Client::new().post(url).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(resume("/raw.bold/1").await, (200, r#"{"resumed":1}"#.to_owned()));
        assert!(health.breakers().is_resumed("raw.bold", 1) && !health.breakers().is_resumed("raw.bold", 0));
        assert_eq!(resume("/raw.spree").await.1, r#"{"resumed":0}"#);
        assert_eq!(resume("/raw.bold/first").await.0, 400);
        assert_eq!(resume("").await.1, r#"{"resumed":2}"#);
        let url = format!("http://{}/breakers/resume", server.address());
        assert_eq!(reqwest::get(url).await.unwrap().status(), 405, "looking changes nothing");
        server.stop().await;
    }

    #[test]
    fn here_is_this_machine_and_nothing_else() {
        let is_here = |peer: &str, ours: &str| is_here(peer.parse().unwrap(), ours.parse().unwrap());
        assert!(is_here("127.0.0.1", "0.0.0.0") && is_here("::1", "::") && is_here("::ffff:127.0.0.1", "::"));
        assert!(is_here("10.1.2.3", "10.1.2.3"), "its own address");
        assert!(!is_here("10.1.2.4", "10.1.2.3") && !is_here("10.1.2.3", "0.0.0.0") && !is_here("fe80::1", "::"));
    }

    #[tokio::test]
    async fn it_stops_though_a_client_holds_on() {
        let (server, _) = start(Duration::from_secs(60)).await;
        let address = server.address();
        let idle = tokio::net::TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        server.stop().await;
        assert!(begun.elapsed() < GRACE * 2);
        drop(idle);
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let (server, health) = start(Duration::from_secs(60)).await;
        let build = BuildInfo { version: "1", build: "1".to_owned(), librdkafka: "2".to_owned() };
        let metrics = Arc::new(Metrics::new(TABLES, &["commerce.order.v1"], &build).unwrap());
        let error = serve(server.address(), health, metrics, build).await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
