//! The registry client against a registry that fails in every way, and the embedded one against foreign clients.

use super::embedded::Embedded;
use super::*;
use crate::config::{OauthSettings, Secret, TlsFiles};
use axum::Router;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SCHEMA: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"long"}]}"#;
const SPACED: &str = r#"{ "type": "record", "name": "A", "fields": [ { "name": "x", "type": "long" } ] }"#;
const OTHER: &str = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"string"}]}"#;
const WANTED: Wanted<'static> = Wanted { subject: "a-value", schema: SCHEMA };

fn settings(url: String) -> Settings {
    Settings {
        url: Some(url),
        auth: RegistryAuth::None,
        tls: TlsFiles::default(),
        timeout: Duration::from_millis(1500),
        longest_pause: Duration::from_secs(30),
        bundle: None,
        check_every: Duration::from_secs(300),
    }
}

fn client(url: String) -> Registry {
    Registry::new(&settings(url)).unwrap().with_pauses(Duration::from_millis(5), Duration::from_millis(20))
}

fn here() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Answers each request with the next of the given answers, and the last one from then on.
async fn fake(answers: Vec<(u16, &'static str)>) -> (String, Arc<AtomicUsize>) {
    let (count, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(answers));
    let counted = Arc::clone(&count);
    let handler = move || {
        let number = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let (status, body) = answers[number];
        async move { (StatusCode::from_u16(status).unwrap(), body).into_response() }
    };
    (serve(Router::new().fallback(handler)).await, count)
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind(here()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Refuses what is no JSON, and any change of a field's type.
fn judge(new: &str, old: &str) -> Result<(), String> {
    let types = |text: &str| {
        let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok::<_, String>(schema["fields"][0]["type"].clone())
    };
    if types(new)? == types(old)? { Ok(()) } else { Err("READER_FIELD_TYPE_MISMATCH".to_owned()) }
}

async fn embedded() -> (Embedded, Registry) {
    let registry = Embedded::start(here(), judge).await.unwrap();
    let client = client(registry.url());
    (registry, client)
}

async fn kind(status: u16, body: &'static str) -> ErrorKind {
    let (url, _) = fake(vec![(status, body)]).await;
    client(url).subjects().await.unwrap_err().kind
}

#[tokio::test]
async fn an_answer_means_what_it_says() {
    for (status, body, expected) in [
        (500, r#"{"error_code":50001,"message":"Error in the backend data store"}"#, ErrorKind::Unavailable),
        (502, "<html>", ErrorKind::Unavailable),
        (503, "", ErrorKind::Unavailable),
        (504, "", ErrorKind::Unavailable),
        (429, r#"{"error_code":429,"message":"slow down"}"#, ErrorKind::Throttled),
        (408, "", ErrorKind::Timeout),
        (401, r#"{"error_code":401,"message":"Unauthorized"}"#, ErrorKind::Denied),
        (403, "", ErrorKind::Denied),
        (404, r#"{"error_code":40401,"message":"Subject not found."}"#, ErrorKind::NotFound),
        (404, "<html>default backend - 404</html>", ErrorKind::NotARegistry),
        (404, r#"{"message":"no such route"}"#, ErrorKind::NotARegistry),
        (409, r#"{"error_code":409,"message":"incompatible"}"#, ErrorKind::Incompatible),
        (422, r#"{"error_code":42201,"message":"Invalid schema"}"#, ErrorKind::Invalid),
        (200, "<html>please log in</html>", ErrorKind::NotARegistry),
        (200, r#"{"not":"a list"}"#, ErrorKind::NotARegistry),
        (418, "", ErrorKind::NotARegistry),
    ] {
        assert_eq!(kind(status, body).await, expected, "{status} {body}");
    }
}

#[test]
fn what_passes_is_told_from_what_does_not() {
    for kind in [ErrorKind::NotFound, ErrorKind::Incompatible, ErrorKind::Invalid] {
        assert!(!kind.is_transient(), "{}", kind.as_str());
    }
    for status in [500, 501, 502, 503, 504, 599, 429, 408, 401, 403] {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(kind_of(status, None).is_transient(), "{status}");
        assert!(kind_of(status, Some(1)).is_transient(), "{status}");
    }
}

#[tokio::test]
async fn trouble_is_waited_out() {
    let answers = vec![
        (500, r#"{"error_code":50001,"message":"down"}"#),
        (429, ""),
        (401, r#"{"error_code":401,"message":"expired"}"#),
        (504, "<html>"),
        (200, "<html>maintenance</html>"),
        (404, "default backend"),
        (200, r#"{"subject":"a-value","id":7,"version":3,"schema":"…"}"#),
    ];
    let (url, count) = fake(answers).await;
    let mut reports = Vec::new();
    let waited = client(url)
        .wait_for_ids(&[WANTED], std::future::pending(), |error, pause| reports.push((error.kind, pause)))
        .await
        .unwrap();
    assert_eq!(waited, Waited::Pinned(vec![Registered { subject: "a-value".to_owned(), id: 7, version: Some(3) }]));
    let expected = [
        (ErrorKind::Unavailable, 5),
        (ErrorKind::Throttled, 10),
        (ErrorKind::Denied, 20),
        (ErrorKind::Unavailable, 20),
        (ErrorKind::NotARegistry, 20),
        (ErrorKind::NotARegistry, 20),
    ];
    assert_eq!(reports.len(), expected.len());
    for ((kind, pause), (expected, longest)) in reports.into_iter().zip(expected) {
        let longest = Duration::from_millis(longest);
        assert_eq!(kind, expected);
        assert!(pause <= longest && pause >= longest * 3 / 4, "{pause:?} of {longest:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn a_connection_that_hangs_or_breaks_is_waited_out() {
    let listener = TcpListener::bind(here()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0u8; 4096];
            match number {
                // Reset: closed with the request unread. Hang: never an answer. Cut: half an answer.
                0 => drop(stream),
                1 => held.push(stream),
                2 => {
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":").await;
                }
                _ => {
                    let _ = stream.read(&mut request).await;
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"id\":5}")
                        .await;
                }
            }
        }
    });
    let mut kinds = Vec::new();
    let waited =
        client(url).wait_for_ids(&[WANTED], std::future::pending(), |error, _| kinds.push(error.kind)).await.unwrap();
    assert_eq!(waited, Waited::Pinned(vec![Registered { subject: "a-value".to_owned(), id: 5, version: None }]));
    assert_eq!(kinds, [ErrorKind::Unreachable, ErrorKind::Timeout, ErrorKind::Unreachable]);
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_an_answer() {
    let (_server, client) = embedded().await;
    let error = client.wait_for_ids(&[WANTED], std::future::pending(), |_, _| panic!("no retry")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "look up a-value: this build's schema is not in it (404 Not Found: Subject 'a-value' not found.); run `koine schemas register`"
    );
    client.register(Wanted { schema: OTHER, ..WANTED }).await.unwrap();
    let error = client.lookup(WANTED).await.unwrap_err();
    assert!(error.to_string().contains("Schema not found"), "{error}");
}

#[tokio::test]
async fn waiting_can_be_given_up() {
    let (url, _) = fake(vec![(503, "")]).await;
    let enough = tokio::sync::Notify::new();
    let mut attempts = 0;
    let report = |_: &RegistryError, _| {
        attempts += 1;
        if attempts == 3 {
            enough.notify_one();
        }
    };
    let waited = client(url).wait_for_ids(&[WANTED], enough.notified(), report).await.unwrap();
    assert_eq!((waited, attempts), (Waited::Canceled, 3));
    // In the middle of a request that hangs, too.
    let listener = TcpListener::bind(here()).await.unwrap();
    let hanging = client(format!("http://{}", listener.local_addr().unwrap()));
    let cancel = tokio::time::sleep(Duration::from_millis(20));
    assert_eq!(hanging.wait_for_ids(&[WANTED], cancel, |_, _| {}).await, Ok(Waited::Canceled));
}

#[tokio::test]
async fn a_pause_that_was_asked_for_is_kept_within_the_longest() {
    let router = Router::new().fallback(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")], ""));
    let url = serve(router).await;
    let error = client(url.clone()).subjects().await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (ErrorKind::Throttled, Some(Duration::from_secs(3600))));
    let enough = tokio::sync::Notify::new();
    let mut pauses = Vec::new();
    let report = |_: &RegistryError, pause| {
        pauses.push(pause);
        enough.notify_one();
    };
    client(url).wait_for_ids(&[WANTED], enough.notified(), report).await.unwrap();
    assert_eq!(pauses, [Duration::from_millis(20)]);
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_shows_no_address() {
    let listener = TcpListener::bind(here()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(format!("http://{address}")).subjects().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.detail.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_schema_is_registered_once_and_found_by_content() {
    let (_server, client) = embedded().await;
    let first = client.register(WANTED).await.unwrap();
    assert_eq!(client.register(WANTED).await.unwrap().id, first.id);
    assert_eq!(client.register(Wanted { subject: "b-value", schema: SCHEMA }).await.unwrap().id, first.id);
    let found = client.lookup(WANTED).await.unwrap();
    assert_eq!(found, Registered { subject: "a-value".to_owned(), id: first.id, version: Some(1) });
    assert_eq!(client.schema(first.id).await.unwrap(), SCHEMA);
    assert_eq!(client.subjects().await.unwrap(), ["a-value", "b-value"]);
    assert_eq!(client.versions("a-value").await.unwrap(), [1]);
    assert_eq!(client.versions("none").await.unwrap(), [0u32; 0]);
    assert_eq!(client.schema(99).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn ids_come_in_the_order_they_were_wanted() {
    let (_server, client) = embedded().await;
    let other = Wanted { subject: "b-value", schema: OTHER };
    let (a, b) = (client.register(WANTED).await.unwrap().id, client.register(other).await.unwrap().id);
    assert_ne!(a, b);
    let waited = client.wait_for_ids(&[other, WANTED], std::future::pending(), |_, _| {}).await.unwrap();
    let Waited::Pinned(pinned) = waited else { panic!("canceled") };
    assert_eq!(pinned.iter().map(|one| one.id).collect::<Vec<_>>(), [b, a]);
}

#[tokio::test]
async fn compatibility_is_set_read_and_held() {
    let (_server, client) = embedded().await;
    assert!(client.check(WANTED).await.unwrap().compatible, "a new subject takes all");
    assert_eq!(client.compatibility("a-value").await.unwrap(), None);
    assert_eq!(client.default_compatibility().await.unwrap(), "FULL_TRANSITIVE");
    client.set_compatibility("a-value", "FULL_TRANSITIVE").await.unwrap();
    assert_eq!(client.compatibility("a-value").await.unwrap().as_deref(), Some("FULL_TRANSITIVE"));
    client.register(WANTED).await.unwrap();
    let verdict = client.check(Wanted { schema: OTHER, ..WANTED }).await.unwrap();
    assert_eq!(verdict, Verdict { compatible: false, messages: vec!["READER_FIELD_TYPE_MISMATCH".to_owned()] });
    let error = client.register(Wanted { schema: OTHER, ..WANTED }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Incompatible);
    assert!(error.detail.contains("READER_FIELD_TYPE_MISMATCH"), "{error}");
    assert_eq!(client.register(Wanted { schema: "no schema", ..WANTED }).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(client.set_compatibility("a-value", "SOME").await.unwrap_err().kind, ErrorKind::Invalid);
    client.set_compatibility("a-value", "NONE").await.unwrap();
    assert!(client.register(Wanted { schema: OTHER, ..WANTED }).await.is_ok());
}

/// Confluent gives its reasons as a list, Apicurio as one text or null. An answer without either's shape is no verdict.
#[tokio::test]
async fn the_registrys_reasons_are_told() {
    for (answer, expected) in [
        (r#"{"is_compatible":true,"reason":null}"#, (true, vec![])),
        (r#"{"is_compatible":false,"reason":"at /fields/0"}"#, (false, vec!["at /fields/0"])),
        (r#"{"is_compatible":false,"messages":["one","two"]}"#, (false, vec!["one", "two"])),
        (r#"{"is_compatible":false}"#, (false, vec![])),
    ] {
        let (url, _) = fake(vec![(200, answer)]).await;
        let verdict = client(url).check(WANTED).await.unwrap();
        assert_eq!((verdict.compatible, verdict.messages.iter().map(String::as_str).collect()), expected, "{answer}");
    }
    let (url, _) = fake(vec![(200, r#"{"compatible":false}"#)]).await;
    assert_eq!(client(url.clone()).check(WANTED).await.unwrap_err().kind, ErrorKind::NotARegistry);
    assert_eq!(client(url).compatibility("a-value").await.unwrap_err().kind, ErrorKind::NotARegistry);
}

#[tokio::test]
async fn a_version_is_read_or_not_there() {
    let (_server, client) = embedded().await;
    client.register(WANTED).await.unwrap();
    let version = client.version("a-value", 1).await.unwrap().unwrap();
    assert_eq!((version.registered.version, version.schema.as_str()), (Some(1), SCHEMA));
    assert_eq!(client.version("a-value", 2).await.unwrap(), None);
    assert_eq!(client.version("none", 1).await.unwrap(), None);
}

/// Apicurio compares texts: a schema that was registered with other spaces is found by reading the versions.
#[tokio::test]
async fn another_spelling_is_found_version_by_version() {
    let answer = |uri: axum::http::Uri| -> (u16, String) {
        match uri.path() {
            "/apis/ccompat/v7/subjects/a-value" => {
                (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned())
            }
            "/apis/ccompat/v7/subjects/a-value/versions" => (200, "[1,2]".to_owned()),
            "/apis/ccompat/v7/subjects/a-value/versions/1" => {
                (200, json!({"subject": "a-value", "version": 1, "id": 11, "schema": SPACED}).to_string())
            }
            "/apis/ccompat/v7/subjects/a-value/versions/2" => {
                (200, json!({"subject": "a-value", "version": 2, "id": 12, "schema": OTHER}).to_string())
            }
            _ => (500, String::new()),
        }
    };
    let handler = move |uri: axum::http::Uri| async move {
        let (status, body) = answer(uri);
        (StatusCode::from_u16(status).unwrap(), body)
    };
    let url = serve(Router::new().fallback(handler)).await;
    let client = client(format!("{url}/apis/ccompat/v7/"));
    let found = client.lookup(WANTED).await.unwrap();
    assert_eq!(found, Registered { subject: "a-value".to_owned(), id: 11, version: Some(1) });
    assert_eq!(client.register(WANTED).await.unwrap(), found, "no second version of the same schema");
    let error = client.lookup(Wanted { schema: r#"{"type":"string"}"#, ..WANTED }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "never the latest");
}

/// What a request says, as the server sees it.
async fn seen(auth: RegistryAuth) -> String {
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    let handler = move |uri: axum::http::Uri, headers: HeaderMap, body: String| {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        *kept.lock().unwrap() = format!("{uri}|{}|{}|{body}", header("authorization"), header("content-type"));
        async { r#"{"id":1}"# }
    };
    let url = serve(Router::new().fallback(handler)).await;
    let registry = Registry::new(&Settings { auth, ..settings(url) }).unwrap();
    registry.lookup(Wanted { subject: "a/b c-value", schema: "\"string\"" }).await.unwrap();
    std::mem::take(&mut *seen.lock().unwrap())
}

#[tokio::test]
async fn requests_carry_credentials_and_the_exact_text() {
    let body = r#"{"schema":"\"string\"","schemaType":"AVRO"}"#;
    let media = MEDIA_TYPE;
    assert_eq!(seen(RegistryAuth::None).await, format!("/subjects/a%2Fb%20c-value||{media}|{body}"));
    let basic = RegistryAuth::Basic { username: "me".to_owned(), password: Secret::text("hush") };
    assert_eq!(seen(basic).await, format!("/subjects/a%2Fb%20c-value|Basic bWU6aHVzaA==|{media}|{body}"));
    let bearer = RegistryAuth::Bearer(Secret::text("token"));
    assert_eq!(seen(bearer).await, format!("/subjects/a%2Fb%20c-value|Bearer token|{media}|{body}"));
}

/// An issuer that numbers its tokens, and a registry that takes only the second.
#[tokio::test]
async fn a_token_that_is_refused_is_replaced_and_the_request_made_again() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let issue = move || {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { format!(r#"{{"access_token":"t{number}","expires_in":600}}"#) }
    };
    let answer = |headers: HeaderMap| async move {
        match headers["authorization"].to_str().unwrap() {
            "Bearer t2" => (StatusCode::OK, r#"["a-value"]"#),
            _ => (StatusCode::UNAUTHORIZED, ""),
        }
    };
    let issuer = serve(Router::new().fallback(issue)).await;
    let url = serve(Router::new().fallback(answer)).await;
    let oauth = OauthSettings {
        section: "registry.oauth",
        token_url: issuer,
        client_id: "koine".to_owned(),
        client_secret: Secret::text("hush"),
        scope: None,
        ca_file: None,
    };
    let registry = Registry::new(&Settings { auth: RegistryAuth::Oauth(oauth), ..settings(url) }).unwrap();
    assert_eq!(registry.subjects().await.unwrap(), ["a-value"]);
    assert_eq!(registry.subjects().await.unwrap(), ["a-value"]);
    assert_eq!(made.load(Ordering::SeqCst), 2, "the second token is kept");
}

fn same_json(one: &str, other: &str) -> bool {
    let json = |text| serde_json::from_str::<Value>(text).unwrap();
    json(one) == json(other)
}

#[tokio::test]
async fn an_id_is_confirmed_missed_or_denied() {
    let (_server, client) = embedded().await;
    let confirm = async |client: &Registry, id| client.confirm(WANTED, id, same_json).await;
    assert!(matches!(confirm(&client, 1).await.unwrap(), Confirmed::Missing(_)), "an empty registry denies nothing");
    let id = client.register(WANTED).await.unwrap().id;
    assert_eq!(confirm(&client, id).await.unwrap(), Confirmed::Yes);
    let Confirmed::No(why) = confirm(&client, id + 1).await.unwrap() else { panic!("another id") };
    assert!(why.contains("a-value") && why.contains(&format!("has the id {id}")), "{why}");
    let other = client.register(Wanted { subject: "b-value", schema: OTHER }).await.unwrap().id;
    let Confirmed::No(why) = confirm(&client, other).await.unwrap() else { panic!("another schema") };
    assert!(why.contains(&other.to_string()) && why.contains("another schema"), "{why}");
}

#[tokio::test]
async fn trouble_neither_confirms_nor_denies() {
    for (status, body) in [(500, ""), (429, ""), (401, ""), (504, ""), (200, "<html>"), (404, "<html>")] {
        let (url, _) = fake(vec![(status, body)]).await;
        let error = client(url).confirm(WANTED, 1, same_json).await.unwrap_err();
        assert!(error.kind.is_transient(), "{status} {error}");
    }
}

#[tokio::test]
async fn every_request_is_heard_with_how_it_ended() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let (url, _) = fake(vec![(429, ""), (200, "[]")]).await;
    let client = client(url).heard_by(move |_, code, _| kept.lock().unwrap().push(code.to_owned()));
    client.subjects().await.unwrap_err();
    client.subjects().await.unwrap();
    let nobody = Registry { base: "http://127.0.0.1:1".parse().unwrap(), ..client };
    nobody.subjects().await.unwrap_err();
    assert_eq!(*heard.lock().unwrap(), ["429", "200", "unreachable"]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let without = Settings { url: None, ..settings(String::new()) };
    assert_eq!(Registry::new(&without).err().unwrap(), "registry.url is not set");
    assert!(Registry::new(&settings("not a url".to_owned())).err().unwrap().starts_with("registry.url: "));
    let file = std::env::temp_dir().join(format!("koine-registry-{}.pem", std::process::id()));
    std::fs::write(&file, "no certificate").unwrap();
    let error = Registry::new(&Settings {
        tls: TlsFiles { ca: Some(file.clone()), identity: None },
        ..settings("https://r".to_owned())
    });
    assert!(error.err().unwrap().starts_with("registry.ca_file: "));
    std::fs::remove_file(&file).unwrap();
}

/// A reader that knows nothing of koine decodes what stands behind an id.
#[tokio::test]
async fn schema_registry_converter_reads_from_the_embedded_registry() {
    use schema_registry_converter::async_impl::avro::AvroDecoder;
    use schema_registry_converter::async_impl::schema_registry::SrSettings;
    let (server, client) = embedded().await;
    let id = client.register(WANTED).await.unwrap().id;
    let mut record = vec![0u8];
    record.extend(id.to_be_bytes());
    record.push(84);
    let decoder = AvroDecoder::new(SrSettings::new(server.url()));
    let decoded = decoder.decode(Some(&record)).await.unwrap();
    let apache_avro::types::Value::Record(fields) = decoded.value else { panic!("no record") };
    assert_eq!(fields, [("x".to_owned(), apache_avro::types::Value::Long(42))]);
}

#[tokio::test]
async fn the_embedded_registry_answers_other_clients_questions() {
    let (server, client) = embedded().await;
    client.register(WANTED).await.unwrap();
    let get = async |path: &str| -> (u16, String) {
        let response = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(get("/").await, (200, "{}".to_owned()));
    assert_eq!(get("/schemas/types").await.1, r#"["AVRO"]"#);
    assert_eq!(get("/mode").await.0, 200);
    assert_eq!(get("/config").await.1, r#"{"compatibilityLevel":"FULL_TRANSITIVE"}"#);
    assert_eq!(get("/schemas/ids/1/schema").await.1, SCHEMA);
    assert_eq!(get("/schemas/ids/1/versions").await.1, r#"[{"subject":"a-value","version":1}]"#);
    assert_eq!(get("/schemas/ids/1/subjects").await.1, r#"["a-value"]"#);
    assert_eq!(get("/subjects/a-value/versions/latest/schema").await.1, SCHEMA);
    let latest: Value = serde_json::from_str(&get("/subjects/a-value/versions/latest").await.1).unwrap();
    assert_eq!((&latest["id"], &latest["version"], &latest["schema"]), (&json!(1), &json!(1), &json!(SCHEMA)));
    for (path, code) in [
        ("/subjects/none/versions", 40401),
        ("/subjects/a-value/versions/2", 40402),
        ("/subjects/a-value/versions/0", 40402),
        ("/schemas/ids/0", 40403),
        ("/config/a-value", 40408),
        ("/nowhere", 404),
    ] {
        let (status, body) = get(path).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body["error_code"].as_i64()), (404, Some(code)), "{path}");
    }
    assert_eq!(get("/subjects/a-value/versions/x").await.0, 422);
    server.stop();
}

#[tokio::test]
async fn a_wait_can_be_spawned() {
    let (_server, client) = embedded().await;
    let id = client.register(WANTED).await.unwrap().id;
    let wait = async move { client.wait_for_ids(&[WANTED], std::future::pending(), |_, _| {}).await };
    let waited = tokio::spawn(wait).await.unwrap().unwrap();
    assert!(matches!(waited, Waited::Pinned(pinned) if pinned[0].id == id));
}
