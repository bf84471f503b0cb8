//! `koine schemas check`, as a deployment meets it: against registries that hold this and that, and against one that fails.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use koine::canonical::EntityKind;
use koine::config::{RegistryAuth, RegistrySettings, TlsFiles};
use koine::registry::embedded::Embedded;
use koine::registry::{Registry, Wanted};
use koine::schemas::{evolves, json, subject};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

const ORDERS: &str = "commerce.order.v1-value";

struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Done {
    /// The columns of each line about a subject.
    fn about<'s>(&'s self, subject: &str) -> Vec<Vec<&'s str>> {
        let lines = self.stdout.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        lines.filter(|columns| columns[0] == subject).map(|columns| columns[1..].to_vec()).collect()
    }

    fn ok(&self) -> bool {
        self.code == 0 && self.stdout.lines().count() == 4 && self.stdout.lines().all(|line| line.contains("\tok\t"))
    }
}

async fn check(url: Option<&str>) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koine"));
    command.args(["schemas", "check"]).env_clear().stdin(Stdio::null());
    command.envs(url.map(|url| ("KOINE__REGISTRY__URL", url)));
    let output = tokio::task::spawn_blocking(move || command.output().expect("koine starts")).await.unwrap();
    Done {
        code: output.status.code().expect("not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn here() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn embedded() -> (Embedded, Registry) {
    let server = Embedded::start(here(), evolves).await.unwrap();
    let (auth, timeout) = (RegistryAuth::None, Duration::from_secs(10));
    let settings = RegistrySettings {
        url: Some(server.url()),
        auth,
        tls: TlsFiles::default(),
        timeout,
        longest_pause: Duration::from_secs(30),
        bundle: None,
        check_every: timeout,
    };
    (server, Registry::new(&settings).unwrap())
}

async fn register_all(registry: &Registry) {
    for kind in EntityKind::ALL {
        let subject = subject(kind.topic_name());
        registry.set_compatibility(&subject, "FULL_TRANSITIVE").await.unwrap();
        registry.register(Wanted { subject: &subject, schema: json(kind) }).await.unwrap();
    }
}

/// Registers a schema of orders whatever it is.
async fn force(registry: &Registry, schema: &str) {
    registry.set_compatibility(ORDERS, "NONE").await.unwrap();
    registry.register(Wanted { subject: ORDERS, schema }).await.unwrap();
    registry.set_compatibility(ORDERS, "FULL_TRANSITIVE").await.unwrap();
}

/// Today's schema of orders with one place in it changed.
fn changed(from: &str, to: &str) -> String {
    let today = json(EntityKind::Order);
    assert!(today.contains(from), "{from}");
    today.replacen(from, to, 1)
}

const NUMBER: &str = r#"{"name":"number","type":["null","string"],"default":null"#;

/// A registry that gives one answer to whatever is asked.
async fn always(status: u16, body: &'static str) -> String {
    serve(Router::new().fallback(move || async move { (StatusCode::from_u16(status).unwrap(), body) })).await
}

/// The body is taken in before the answer: whoever answers while it is still on its way closes the connection, and breaks
/// what is asked next.
async fn serve(router: Router) -> String {
    let router = router.layer(from_fn(|request: Request, next: Next| async move {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        next.run(Request::from_parts(head, Body::from(body))).await
    }));
    let listener = tokio::net::TcpListener::bind(here()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn without_a_registry_the_released_versions_are_asked_and_it_says_so() {
    let done = check(None).await;
    assert!(done.ok(), "{}", done.stdout);
    assert_eq!(done.about(ORDERS), [["ok", "follows released 1; released 2; no registry was asked"]]);
    assert!(done.stderr.contains("registry.url is not set"), "{}", done.stderr);
}

#[tokio::test]
async fn an_empty_registry_and_one_that_has_this_build_are_fine_and_stay_as_they_are() {
    let (server, registry) = embedded().await;
    let done = check(Some(&server.url())).await;
    assert!(done.ok() && done.stderr.is_empty(), "{}{}", done.stdout, done.stderr);
    assert_eq!(done.about(ORDERS), [["ok", "follows released 1; released 2; nothing is registered yet"]]);
    assert_eq!(registry.subjects().await.unwrap(), [""; 0]);
    assert_eq!(registry.compatibility(ORDERS).await.unwrap(), None);
    register_all(&registry).await;
    let done = check(Some(&server.url())).await;
    assert!(done.ok(), "{}", done.stdout);
    let expected = "follows released 1; released 2 = registered 1; the registry agrees, FULL_TRANSITIVE";
    assert_eq!(done.about(ORDERS), [["ok", expected]]);
    assert_eq!(registry.versions(ORDERS).await.unwrap(), [1]);
}

#[tokio::test]
async fn what_is_incompatible_is_named_with_subject_version_and_path() {
    let (server, registry) = embedded().await;
    register_all(&registry).await;
    force(&registry, &changed(NUMBER, &NUMBER.replace("string", "long"))).await;
    let done = check(Some(&server.url())).await;
    assert_eq!(done.code, 1, "{}", done.stdout);
    let found = done.about(ORDERS);
    assert_eq!(found[0][..3], ["registered 2 (later than this build's)", "order.number", "type_changed"]);
    assert_eq!(
        found[0][3],
        "string became long: one of the two cannot read, or misreads, what was written with the other"
    );
    assert_eq!(found[1][..3], ["registry", "-", "registry_refuses"]);
    assert_eq!(found.len(), 2);
    assert_eq!(done.about("commerce.cart.v1-value")[0][0], "ok", "the others may go");
    assert!(done.stderr.contains("2 findings: this build's schemas must not be deployed"), "{}", done.stderr);
}

#[tokio::test]
async fn what_only_our_rules_see_is_enough() {
    let (server, registry) = embedded().await;
    // Registered before this build's: it had a tag, a doc and a symbol that this build has no more.
    let tagged = changed(r#""name":"channel","#, r#""name":"channel","koine.pii":"free_text","#);
    let symbol = tagged.replacen(r#""RESUMED""#, r#""RESUMED","REOPENED""#, 1);
    force(&registry, &symbol).await;
    let done = check(Some(&server.url())).await;
    assert_eq!(done.code, 1, "{}", done.stdout);
    let found: Vec<_> = done.about(ORDERS).iter().map(|columns| columns[..3].join(" ")).collect();
    assert_eq!(found, ["registered 1 meta.action symbol_removed", "registered 1 order.channel pii_changed"]);
}

/// An older build beside a newer schema: what may follow this build's schema may also be there already.
#[tokio::test]
async fn a_step_back_is_judged_in_the_order_of_the_versions() {
    let (server, registry) = embedded().await;
    register_all(&registry).await;
    let more = format!(r#"{{"name":"more","type":["null","string"],"default":null,"doc":"More."}},{NUMBER}"#);
    force(&registry, &changed(NUMBER, &more)).await;
    let done = check(Some(&server.url())).await;
    assert!(done.ok(), "{}", done.stdout);
    assert!(done.about(ORDERS)[0][1].contains("registered 2 (later than this build's)"), "{}", done.stdout);
}

#[tokio::test]
async fn another_rule_of_the_subject_is_a_finding() {
    let (server, registry) = embedded().await;
    register_all(&registry).await;
    registry.set_compatibility(ORDERS, "BACKWARD").await.unwrap();
    let done = check(Some(&server.url())).await;
    assert_eq!(done.code, 1, "{}", done.stdout);
    let found = done.about(ORDERS);
    assert_eq!((found.len(), &found[0][..3]), (1, &["registry", "-", "registry_level"][..]));
    assert!(found[0][3].contains("BACKWARD, not FULL_TRANSITIVE"), "{}", done.stdout);
}

/// A registry as Confluent's, with a subject that has no rule of its own.
#[tokio::test]
async fn the_registrys_rule_counts_where_a_subject_has_none() {
    for (default, code) in [("FULL_TRANSITIVE", 0), ("BACKWARD", 1)] {
        let answer = move |uri: Uri| {
            let path = uri.path().trim_start_matches('/').to_owned();
            let kind = EntityKind::ALL.into_iter().find(|kind| path.contains(kind.topic_name()));
            match (path.split('/').next().unwrap(), kind) {
                ("config", None) => (200, serde_json::json!({ "compatibilityLevel": default })),
                ("config", Some(_)) => (404, serde_json::json!({ "error_code": 40408, "message": "none of its own" })),
                ("compatibility", _) => (200, serde_json::json!({ "is_compatible": true, "messages": [] })),
                (_, Some(kind)) if path.ends_with("versions/7") => {
                    (200, serde_json::json!({ "id": 5, "version": 7, "schema": json(kind) }))
                }
                _ => (200, serde_json::json!([7])),
            }
        };
        let router = Router::new().fallback(move |uri: Uri| async move {
            let (status, body) = answer(uri);
            (StatusCode::from_u16(status).unwrap(), body.to_string())
        });
        let done = check(Some(&serve(router).await)).await;
        assert_eq!(done.code, code, "{}{}", done.stdout, done.stderr);
        let line = done.about(ORDERS)[0].join(" ");
        match code {
            0 => assert_eq!(
                line,
                "ok follows released 1; released 2 = registered 7; the registry agrees, FULL_TRANSITIVE by default"
            ),
            _ => assert!(line.contains("registry_level") && line.contains("default is BACKWARD"), "{line}"),
        }
    }
}

/// Only a registry's own word is a verdict.
#[tokio::test]
async fn trouble_with_the_registry_is_never_incompatible() {
    let nobody = tokio::net::TcpListener::bind(here()).await.unwrap().local_addr().unwrap();
    for (url, why) in [
        (format!("http://{nobody}"), "refused"),
        (always(503, r#"{"error_code":50301,"message":"starting"}"#).await, "503"),
        (always(500, "").await, "500"),
        (always(429, "").await, "429"),
        (always(401, r#"{"error_code":401,"message":"who are you"}"#).await, "registry.username"),
        (always(404, "<html>default backend</html>").await, "registry.url"),
        (always(200, "<html>please log in</html>").await, "registry.url"),
        (always(200, "{}").await, "registry.url"),
    ] {
        let done = check(Some(&url)).await;
        assert_eq!(done.code, 70, "{url}: {}{}", done.stdout, done.stderr);
        assert_eq!(
            done.about(ORDERS),
            [["not known", "follows released 1; released 2; the registry has not answered"]],
            "{}",
            done.stdout
        );
        assert!(
            done.stderr.contains("the registry could not be asked") && done.stderr.contains(why),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("is not known"), "{}", done.stderr);
        assert!(!format!("{}{}", done.stdout, done.stderr).contains("incompatible"), "{}", done.stdout);
    }
}

/// Trouble does not hide what was found before it.
#[tokio::test]
async fn a_finding_stands_though_the_registry_gives_way() {
    let customers = "commerce.customer.v1-value";
    let router = Router::new().fallback(move |uri: Uri| async move {
        match uri.path() {
            path if !path.contains(customers) => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
            path if path.starts_with("/config") => (StatusCode::OK, r#"{"compatibilityLevel":"NONE"}"#.to_owned()),
            path if path.starts_with("/compat") => (StatusCode::OK, r#"{"is_compatible":true}"#.to_owned()),
            _ => (StatusCode::OK, "[]".to_owned()),
        }
    });
    let done = check(Some(&serve(router).await)).await;
    assert_eq!(done.code, 1, "{}{}", done.stdout, done.stderr);
    assert_eq!(done.about(customers)[0][2], "registry_level");
    assert_eq!(done.about(ORDERS)[0][0], "not known");
    assert!(done.stderr.contains("1 finding: ") && done.stderr.contains("503"), "{}", done.stderr);
}

#[tokio::test]
async fn the_registrys_refusal_is_a_finding_with_its_reason() {
    for (status, body, why) in [
        (200, r#"{"is_compatible":false,"reason":"because\n of   this"}"#, "because of this"),
        (200, r#"{"is_compatible":false}"#, "no reason"),
        (422, r#"{"error_code":42201,"message":"Invalid schema"}"#, "Invalid schema"),
    ] {
        let router = Router::new().fallback(move |uri: Uri| async move {
            match uri.path() {
                path if path.starts_with("/compat") => (StatusCode::from_u16(status).unwrap(), body.to_owned()),
                _ => (StatusCode::NOT_FOUND, r#"{"error_code":40401,"message":"Subject not found."}"#.to_owned()),
            }
        });
        let done = check(Some(&serve(router).await)).await;
        assert_eq!(done.code, 1, "{}{}", done.stdout, done.stderr);
        let found = done.about(ORDERS);
        assert_eq!((found.len(), &found[0][..3]), (1, &["registry", "-", "registry_refuses"][..]));
        assert!(found[0][3].contains(why), "{}", done.stdout);
    }
}

#[tokio::test]
async fn what_is_no_avro_schema_is_a_finding_too() {
    let router = Router::new().fallback(|uri: Uri| async move {
        let path = uri.path();
        let body = match path {
            _ if path.starts_with("/compat") => r#"{"is_compatible":true}"#,
            _ if path.starts_with("/config") => r#"{"compatibilityLevel":"FULL_TRANSITIVE"}"#,
            _ if path.ends_with("/versions") => "[1]",
            _ => r#"{"id":1,"version":1,"schemaType":"PROTOBUF","schema":"message Order {}"}"#,
        };
        (StatusCode::OK, body)
    });
    let done = check(Some(&serve(router).await)).await;
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert_eq!(done.about(ORDERS)[0][..3], ["registered 1", "-", "not_avro"]);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_is_2() {
    let done = check(Some("not a url")).await;
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stdout.is_empty() && done.stderr.contains("registry.url"), "{}", done.stderr);
}
