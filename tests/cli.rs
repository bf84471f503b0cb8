//! The command line as a person or a script meets it: arguments, output, exit status.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const BSPK_CART: &str = r#"{"event_name":"cart.created","object":{"id":7,"updated_at":"2026-01-15T10:00:00Z"}}"#;
const REFUSED: &str = r#"{"event_name":"cart.created","object":{"updated_at":"2026-01-15T10:00:00Z"}}"#;
const IGNORED: &str = r#"{"event_name":"file_import.finished","object":{"id":7}}"#;

fn koine(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_koine"))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("koine starts");
    // A command that reads no input may have ended already.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
    child.wait_with_output().expect("koine ends")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// A folder of this test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("folder");
        Folder(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("file");
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn translate_reads_json_lines_from_standard_input() {
    let input = format!("{BSPK_CART}\n\n{REFUSED}\r\n[{IGNORED},{BSPK_CART}]\n");
    let output = koine(&["translate"], &input);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let lines = lines(&output);
    let outcomes: Vec<(i64, i64, &str)> = lines
        .iter()
        .map(|l| (l["line"].as_i64().unwrap(), l["index"].as_i64().unwrap(), l["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(outcomes, [(1, 0, "event"), (3, 0, "dead_letter"), (4, 0, "ignored"), (4, 1, "event")]);
    assert_eq!(lines[0]["topic"], "commerce.cart.v1");
    assert_eq!(lines[0]["key"], "bspk:default:cart:7");
    assert_eq!(lines[0]["headers"]["ce_type"], "koine.cart.created");
    assert_eq!(lines[0]["event"]["cart"]["id"], "7");
    assert_eq!(lines[0]["event"]["meta"]["received_at"], "1970-01-01T00:00:00Z");
    assert_eq!((&lines[1]["code"], &lines[1]["pointer"]), (&"field.missing".into(), &"/object/id".into()));
    assert_eq!((&lines[1]["class"], &lines[1]["vendor"]), (&"data".into(), &"bspk".into()));
    assert_eq!((&lines[2]["rule"], &lines[2]["event_type"]), (&"back_office".into(), &"file_import.finished".into()));
    // The fields stand in the contract's order.
    let first = text(&output.stdout).lines().next().unwrap().to_owned();
    let places: Vec<usize> =
        ["\"line\"", "\"index\"", "\"outcome\"", "\"topic\"", "\"key\"", "\"headers\"", "\"event\":{"]
            .iter()
            .map(|name| first.find(name).expect("the field"))
            .collect();
    assert!(places.is_sorted(), "{first}");
}

/// What the vendor's page does not know is told of beside the event, by its place and without its value.
#[test]
fn translate_tells_of_drift() {
    let new = BSPK_CART.replacen("\"id\":7", "\"id\":7,\"mood\":\"SESAME\"", 1);
    let lines = lines(&koine(&["translate"], &format!("{new}\n{BSPK_CART}\n")));
    assert_eq!(lines[0]["drift"].to_string(), r#"[{"kind":"new_path","path":"/object/mood"}]"#);
    assert_eq!(lines[0]["event"]["extensions"]["/object/mood"], "\"SESAME\"");
    assert_eq!(lines[1].get("drift"), None);
}

/// By name alone, or hashed: neither the run nor its check may start without a key.
#[test]
fn privacy_is_checked_and_shown() {
    let folder = Folder::new("privacy");
    let base = "kafka: {bootstrap_servers: b:9092}\nregistry: {url: http://r}\n";
    let check =
        |more: &str| koine(&["run", "--check", "--config", &folder.file("k.yaml", &format!("{base}{more}"))], "");
    let refused = check("privacy: {contact: hash}\n");
    assert_eq!(code(&refused), 2);
    assert!(
        text(&refused.stderr).contains("privacy.contact (line 3): is hash, and there is no privacy.key"),
        "{refused:?}"
    );
    let taken = check("privacy: {birth: hash, key: SESAME, undocumented: drop}\n");
    assert_eq!(code(&taken), 0, "{}", text(&taken.stderr));
    assert!(text(&taken.stderr).contains("privacy.birth: texts are hashed, and what is no text is dropped"));
    let shown = text(&taken.stdout);
    assert!(shown.contains("government_id: drop") && shown.contains("undocumented: drop"), "{shown}");
    assert!(!shown.contains("SESAME"), "{shown}");
}

#[test]
fn translate_tells_a_document_from_json_lines() {
    let folder = Folder::new("documents");
    let pretty = "{\n  \"event_name\": \"cart.created\",\n  \"object\": {\"id\": 7, \"updated_at\": \"2026-01-15T10:00:00Z\"}\n}\n";
    let document = folder.file("document.json", pretty);
    let json_lines = folder.file("lines.jsonl", &format!("{BSPK_CART}\n{BSPK_CART}\n"));
    let output =
        koine(&["translate", "--received-at", "2026-02-01T00:00:00+01:00", &document, &json_lines, "-"], BSPK_CART);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let places: Vec<(Value, Value, Value)> = lines(&output)
        .into_iter()
        .map(|l| {
            let source = &l["event"]["meta"]["source"];
            (l["line"].clone(), source["partition"].clone(), source["offset"].clone())
        })
        .collect();
    let expected = [(1, 0, 0), (1, 1, 0), (2, 1, 1), (1, 2, 0)].map(|(l, p, o)| (l.into(), p.into(), o.into()));
    assert_eq!(places, expected);
    assert_eq!(lines(&output)[0]["event"]["meta"]["received_at"], "2026-01-31T23:00:00Z");
}

#[test]
fn translate_takes_vendor_shop_and_headers() {
    let output = koine(&["translate", "--vendor", "bspk", "--shop", "eu"], BSPK_CART);
    assert_eq!(lines(&output)[0]["key"], "bspk:eu:cart:7");
    let output = koine(&["translate", "--header", "koine-shop=us=1", "--header", "koine-event-id=e1"], BSPK_CART);
    let line = &lines(&output)[0];
    assert_eq!(line["key"], "bspk:us=1:cart:7");
    assert_eq!(line["event"]["meta"]["event_id_basis"], "VENDOR");
    let output = koine(&["translate", "--vendor", "spree"], BSPK_CART);
    assert_eq!(lines(&output)[0]["code"], "envelope.missing");
}

#[test]
fn translate_opens_envelopes() {
    let alone = lines(&koine(&["translate"], BSPK_CART));
    let quoted = Value::from(BSPK_CART).to_string();
    let input = format!(
        "{{\"detail\":{{\"payload\":{BSPK_CART}}}}}\n{{\"detail\":{{\"payload\":{quoted}}}}}\n{{\"detail\":{{}}}}\n"
    );
    let output = koine(&["translate", "--strict", "--payload-pointer", "/detail/payload"], &input);
    assert_eq!(code(&output), 1);
    let told = lines(&output);
    assert_eq!(told.len(), 3);
    assert_eq!(told[0], alone[0]);
    assert_eq!(told[1]["event"]["cart"], alone[0]["event"]["cart"]);
    assert_eq!(told[1]["event"]["meta"]["event_id"], alone[0]["event"]["meta"]["event_id"], "the same bytes");
    assert_eq!((&told[2]["code"], &told[2]["pointer"]), (&"envelope.missing".into(), &"/detail/payload".into()));
    // An empty one is none.
    assert_eq!(lines(&koine(&["translate", "--payload-pointer", ""], BSPK_CART)), alone);
    // CloudEvents need no option.
    let event = format!(r#"{{"specversion":"1.0","type":"t","source":"/s","id":"1","data":{BSPK_CART}}}"#);
    for arguments in [
        &["translate"][..],
        &["translate", "--vendor", "bspk", "--header", "content-type=application/cloudevents+json"],
    ] {
        let told = lines(&koine(arguments, &event));
        assert_eq!(told[0]["event"]["cart"], alone[0]["event"]["cart"]);
        assert_eq!(told[0]["event"]["meta"]["source"]["event_id"], "1");
    }
}

#[test]
fn translate_strict_fails_on_a_dead_letter_and_only_on_one() {
    assert_eq!(code(&koine(&["translate", "--strict"], BSPK_CART)), 0);
    assert_eq!(code(&koine(&["translate", "--strict"], IGNORED)), 0);
    assert_eq!(code(&koine(&["translate"], REFUSED)), 0);
    let strict = koine(&["translate", "--strict"], REFUSED);
    assert_eq!(code(&strict), 1);
    assert_eq!(lines(&strict).len(), 1, "it is told all the same");
}

#[test]
fn translate_writes_container_files_that_are_always_the_same() {
    let folder = Folder::new("avro");
    let out = folder.0.join("out").to_string_lossy().into_owned();
    let input = format!("{BSPK_CART}\n{IGNORED}\n{REFUSED}\n");
    let once = || {
        let output = koine(&["translate", "--format", "avro", "--out", &out], &input);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
        let told = text(&output.stderr);
        assert!(told.contains("\"ignored\"") && told.contains("\"dead_letter\""), "{told}");
        std::fs::read(folder.0.join("out/commerce.cart.v1.avro")).expect("the cart's file")
    };
    let first = once();
    assert_eq!(first, once());
    let reader = apache_avro::Reader::new(&first[..]).expect("a container file");
    assert_eq!(reader.count(), 1);
    assert_eq!(code(&koine(&["translate", "--format", "avro"], BSPK_CART)), 2, "--out is needed");
}

#[test]
fn wrong_usage_is_2_and_says_why() {
    for arguments in [
        &["translate", "--vendor", "acme"][..],
        &["translate", "--received-at", "yesterday"],
        &["translate", "--header", "no-value"],
        &["translate", "--payload-pointer", "body"],
        &["translate", "--payload-pointer", "/a~b"],
        &["translate", "/no/such/file.json"],
        &["no-such-command"],
        &["run", "--config", "/no/such/file.yaml"],
        &["run"],
        &["schemas", "register"],
        &["schemas", "check", "--config", "/no/such/file.yaml"],
    ] {
        let output = koine(arguments, "");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn run_check_shows_what_is_in_effect_and_no_secret() {
    let folder = Folder::new("check");
    let config = folder.file(
        "koine.yaml",
        "kafka:\n  bootstrap_servers: kafka:9092\n  properties: {sasl.password: hush-1}\nregistry: {url: 'http://registry:8081', username: u, password: hush-2}\n",
    );
    let output = koine(&["run", "--check", "--config", &config], "");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("kafka:9092") && shown.contains("commerce.order.v1") && shown.contains("exactly_once"),
        "{shown}"
    );
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn run_check_finds_properties_that_librdkafka_does_not_know() {
    let folder = Folder::new("properties");
    let config = folder.file(
        "koine.yaml",
        "kafka: {bootstrap_servers: 'kafka:9092', properties: {sesion.timeout.ms: 6000}}\nregistry: {url: 'http://registry:8081'}\n",
    );
    let output = koine(&["run", "--check", "--config", &config], "");
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("sesion.timeout.ms"), "{}", text(&output.stderr));
}

#[test]
fn run_check_looks_into_bundles_and_certificates() {
    let folder = Folder::new("files");
    let junk = folder.file("junk", "hush-hush");
    for (section, names) in [
        (format!("bundle: {junk}"), "registry.bundle"),
        (format!("ca_file: {junk}"), "registry.ca_file"),
        (format!("cert_file: {junk}, key_file: {junk}"), "registry.key_file"),
    ] {
        let text_of_it = format!(
            "kafka: {{bootstrap_servers: 'kafka:9092'}}\nregistry: {{url: 'http://registry:8081', {section}}}\n"
        );
        let config = folder.file("koine.yaml", &text_of_it);
        let output = koine(&["run", "--check", "--config", &config], "");
        assert_eq!(code(&output), 2, "{section}");
        let told = text(&output.stderr);
        assert!(told.contains(names) && !told.contains("hush"), "{told}");
    }
}

#[test]
fn every_mistake_of_a_configuration_is_told_at_once() {
    let folder = Folder::new("mistakes");
    let config = folder.file(
        "koine.yaml",
        "kafka: {bootstrap_servers: kafka:9092, groups: x}\nregistry: {url: 'http://registry:8081'}\ndelivery: twice\nsources: [{topics: [commerce.order.v1], vendor: acme}]\n",
    );
    let output = koine(&["run", "--check", "--config", &config], "");
    assert_eq!(code(&output), 2);
    let told = text(&output.stderr);
    for part in ["kafka.groups", "did you mean", "delivery", "sources[0].vendor", "commerce.order.v1"] {
        assert!(told.contains(part), "{part} is missing in: {told}");
    }
}

#[test]
fn schemas_are_listed_and_exported_whole() {
    let listed = koine(&["schemas", "list"], "");
    assert_eq!(code(&listed), 0);
    assert_eq!(text(&listed.stdout).lines().count(), 4);
    let folder = Folder::new("schemas");
    let output = koine(&["schemas", "export", "--out", &folder.0.to_string_lossy()], "");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    for topic in ["commerce.customer.v1", "commerce.cart.v1", "commerce.order.v1", "commerce.product.v1"] {
        let schema = std::fs::read_to_string(folder.0.join(format!("{topic}.avsc"))).expect("the schema");
        apache_avro::Schema::parse_str(&schema).expect("self-contained");
    }
}

#[test]
fn the_demo_balances_and_shows_all_vendors_and_entities() {
    let output = koine(&["demo", "--once"], "");
    let shown = text(&output.stdout);
    assert_eq!(code(&output), 0, "{shown}{}", text(&output.stderr));
    for vendor in ["bspk", "spree", "composer", "bold"] {
        assert!(shown.lines().any(|line| line.starts_with(vendor)), "{vendor} is missing in: {shown}");
    }
    for entity in ["koine.customer.", "koine.cart.", "koine.order.", "koine.product."] {
        assert!(shown.contains(entity), "{entity} is missing in: {shown}");
    }
    let sum = shown.lines().find(|line| line.contains(" consumed ")).expect("the sum");
    let numbers: Vec<u64> = sum.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [consumed, events, ignored, dead] = numbers[..] else { panic!("{sum}") };
    assert_eq!(consumed, events + ignored + dead);
    assert!(events > 150 && ignored > 30 && dead > 10, "{sum}");
    let told = text(&output.stderr);
    assert!(told.contains("broker ") && told.contains("/metrics"), "{told}");
}

#[test]
fn the_demo_goes_on_until_it_is_told_to_stop() {
    for signal in ["INT", "TERM"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_koine"))
            .args(["demo", "--rate", "0", "--http", "127.0.0.1:0", "--webhooks", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("koine starts");
        // The last address that it tells.
        let told = BufReader::new(child.stderr.take().expect("stderr"));
        let mut lines = told.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("webhooks")), "the demo did not start");
        assert!(child.try_wait().expect("its state").is_none(), "nobody told it to stop");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().expect("kill").success());
        let until = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            match child.try_wait().expect("its state") {
                Some(status) => break status,
                None if Instant::now() > until => {
                    child.kill().expect("killed");
                    panic!("SIG{signal}: it goes on");
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        assert_eq!(ended.code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn the_demo_takes_webhooks_from_this_machine_only() {
    for address in ["0.0.0.0:0", "192.0.2.1:8484", "8484"] {
        let output = koine(&["demo", "--webhooks", address], "");
        assert_eq!(code(&output), 2, "{address}");
        assert!(text(&output.stderr).contains("127.0.0.1:8484"), "{}", text(&output.stderr));
    }
    let output = koine(&["demo", "--once", "--write-config", "demo.yaml"], "");
    assert_eq!(code(&output), 2, "nobody is there any more to whom it would lead");
}

#[test]
fn every_shell_can_complete_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = koine(&["completions", shell], "");
        assert_eq!(code(&output), 0, "{shell}");
        for word in ["redrive", "dry-run", "asyncapi"] {
            assert!(text(&output.stdout).contains(word), "{shell} {word}");
        }
    }
    assert_eq!(code(&koine(&["completions", "tcsh"], "")), 2);
}

#[test]
fn events_need_a_broker_and_a_registry() {
    let output = koine(&["events"], "");
    assert_eq!(code(&output), 2);
    for setting in ["kafka.bootstrap_servers", "registry.url"] {
        assert!(text(&output.stderr).contains(setting), "{}", text(&output.stderr));
    }
}

#[test]
fn ready_is_an_exit_status() {
    let folder = Folder::new("ready");
    // A port that was free a moment ago: nobody answers there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let config = folder.file("koine.yaml", &format!("http: {{listen: '{free}'}}"));
    let output = koine(&["ready", "--config", &config], "");
    assert_eq!(code(&output), 1, "not ready");
    assert!(text(&output.stderr).contains("/readyz"), "{}", text(&output.stderr));
    let output = koine(&["ready", "--config", &folder.file("wrong.yaml", "http: {liste: x}")], "");
    assert_eq!(code(&output), 2, "what cannot be asked is not a state");
}

#[test]
fn samples_go_to_topics_that_the_configuration_names() {
    let folder = Folder::new("generate");
    let config = "kafka: {bootstrap_servers: 'localhost:1'}\nsources: [{topics: ['^raw'], vendor: auto}]";
    let output = koine(&["generate", "--config", &folder.file("koine.yaml", config)], "");
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("spree"), "{}", text(&output.stderr));
    assert_eq!(code(&koine(&["generate", "--rate", "0"], "")), 2);
}

#[test]
fn the_mapping_is_a_page_or_data_of_one_vendor_or_all() {
    let output = koine(&["mapping", "bspk", "--format", "json"], "");
    assert_eq!(code(&output), 0);
    let mappings: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(mappings.as_array().map(Vec::len), Some(1));
    let bspk = &mappings[0];
    assert_eq!(bspk["vendor"], "bspk");
    let shoppers = bspk["families"].as_array().expect("families").iter().find(|it| it["names"][0] == "shopper");
    let rows = shoppers.expect("shoppers")["rows"].as_array().expect("rows");
    let row = |from: &str| rows.iter().find(|row| row["from"] == from).unwrap_or_else(|| panic!("{from}"));
    assert_eq!(row("/object/first_name")["to"], serde_json::json!(["customer.first_name"]));
    assert_eq!(row("/object/passport_number")["dropped"], "privacy");
    let ignored =
        bspk["ignored"].as_array().expect("a list").iter().find(|it| it["event_type"] == "file_import.finished");
    assert_eq!(ignored.expect("ignored")["rule"], "back_office");

    let page = text(&koine(&["mapping", "bspk"], "").stdout);
    assert!(page.contains("| `/object/first_name` | `customer.first_name` |") && !page.contains("## spree"));

    let output = koine(&["mapping", "shopify"], "");
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("bspk"), "the vendors that there are");
}

#[test]
fn the_topics_are_described_as_the_configuration_names_them() {
    let folder = Folder::new("asyncapi");
    let config = folder.file(
        "koine.yaml",
        "kafka: {bootstrap_servers: 'b:9'}\nsources: [{topics: ['in.spree', '^in[.]bold[.].*$'], vendor: spree}]\n\
         topics: {order: shop.orders.v1}\n",
    );
    let out = folder.0.join("out");
    let arguments = ["schemas", "export", "--asyncapi", "--config", &config, "--out", &out.to_string_lossy()];
    let output = koine(&arguments, "");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let described = std::fs::read_to_string(out.join("asyncapi.yaml")).expect("asyncapi.yaml");
    for line in
        ["    host: \"b:9\"", "    address: in.spree", "    address: shop.orders.v1", "    address: dlq.in.spree"]
    {
        assert!(described.lines().any(|it| it == line), "{line}");
    }
    // Which topics a pattern is of, no document can say.
    assert_eq!(described.lines().filter(|line| *line == "    address: null").count(), 2);
    assert!(out.join("shop.orders.v1.avsc").exists());
}

#[test]
fn run_only_says_what_is_wrong_with_its_words() {
    let folder = Folder::new("only");
    let config =
        folder.file("koine.yaml", "kafka: {bootstrap_servers: localhost:1}\nregistry: {url: 'http://localhost:1'}\n");
    for (words, why) in [
        (&["--only", "line_item.created"][..], "--from"),
        (&["--from", "earliest"], "--only"),
        (&["--dry-run"], "--only"),
        (&["--only", "line_item.created", "--from", "yesterday"], "neither `earliest` nor a time"),
        (
            &["--only", "line_item.created", "--from", "earliest", "--until", "earliest"],
            "not `committed`, `end` or a time",
        ),
        (&["--only", "component_pendin", "--from", "earliest"], "did you mean `component_pending`?"),
        (&["--only", "line_item.created,import.created", "--from", "earliest"], "is ignored by this build too"),
    ] {
        let output = koine(&[&["run", "--config", &config], words].concat(), "");
        let said = text(&output.stderr);
        assert_eq!(code(&output), 2, "{words:?}: {said}");
        assert!(said.contains(why), "{words:?}: {said}");
    }
}

#[test]
fn breaker_needs_a_process_to_ask() {
    let folder = Folder::new("breaker");
    let any = folder.file("any.yaml", "http: {listen: '127.0.0.1:0'}\n");
    let output = koine(&["breaker", "list", "--config", &any], "");
    assert_eq!(code(&output), 2, "{}", text(&output.stderr));
    // Nobody listens there: the port was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let none = folder.file("none.yaml", &format!("http: {{listen: '0.0.0.0:{port}'}}\n"));
    let output = koine(&["breaker", "resume", "--config", &none], "");
    assert_eq!(code(&output), 70);
    assert!(text(&output.stderr).contains(&format!("no answer from http://127.0.0.1:{port}/breakers/resume")));
    assert_eq!(code(&koine(&["breaker", "resume", "--partition", "1"], "")), 2, "of which topic?");
}

/// A capsule as `koine dlq export` writes it: a list of which the second element names no time zone.
fn capsule(time_zone: &str) -> String {
    // [{"event_name":"cart.created","object":{"id":7,"updated_at":"2026-01-15T10:00:00Z"}},
    //  {"event_name":"cart.created","object":{"id":8,"updated_at":"2026-01-15T10:00:00"}}]
    let value = "W3siZXZlbnRfbmFtZSI6ImNhcnQuY3JlYXRlZCIsIm9iamVjdCI6eyJpZCI6NywidXBkYXRlZF9hdCI6IjIwMjYtMDEtMTVUMTA6MDA6MDBa\
                 In19LHsiZXZlbnRfbmFtZSI6ImNhcnQuY3JlYXRlZCIsIm9iamVjdCI6eyJpZCI6OCwidXBkYXRlZF9hdCI6IjIwMjYtMDEtMTVUMTA6MDA6\
                 MDAifX1d";
    format!(
        r#"{{"koine_capsule": 1,
            "refused": {{"code": "time.invalid", "pointer": "/object/updated_at", "detail": "", "fingerprint": "00",
                "vendor": "bspk", "event_type": "cart.created", "failed_at": "2026-01-15T10:00:01Z", "build": "0.0.1",
                "redrive_count": 0}},
            "raw": {{"topic": "raw.bspk", "partition": 3, "offset": 4711, "index": 1, "timestamp_ms": 1700000000000,
                "key": null, "value": "{value}", "headers": [["koine-shop", "ZXU="], ["none", null]]}},
            "settings": {{"vendor": "bspk", "shop": null, "event_type": null, "payload_pointer": null,
                "time_zone": {time_zone}, "extensions": "full", "privacy": {{"contact": "drop"}}, "body_bytes": 8388608,
                "depth": 128}},
            "schema_ids": null,
            "dead_letter": {{"topic": "dlq.raw.bspk", "partition": 1, "offset": 17}}}}"#
    )
}

#[test]
fn a_capsule_reproduces_its_one_webhook_with_its_settings() {
    let folder = Folder::new("capsule");
    let output = koine(&["translate", "--capsule", &folder.file("refused.json", &capsule("null"))], "");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let found = lines(&output);
    assert_eq!(found.len(), 1, "the other element was not refused: {found:?}");
    assert_eq!((&found[0]["code"], &found[0]["pointer"]), (&"time.invalid".into(), &"/object/updated_at".into()));
    let said = text(&output.stderr);
    assert!(said.starts_with("reproduced: time.invalid at `/object/updated_at`"), "{said}");
    assert!(said.contains("refused by build 0.0.1"), "{said}");
    let strict = koine(&["translate", "--strict", "--capsule", &folder.file("refused.json", &capsule("null"))], "");
    assert_eq!(code(&strict), 1);

    let healed = koine(&["translate", "--capsule", &folder.file("healed.json", &capsule("\"Europe/Zurich\""))], "");
    let found = lines(&healed);
    assert_eq!((found.len(), &found[0]["outcome"]), (1, &"event".into()), "{}", text(&healed.stderr));
    assert_eq!(found[0]["key"], "bspk:eu:cart:8");
    let source = &found[0]["event"]["meta"]["source"];
    assert_eq!((&source["topic"], &source["partition"]), (&"raw.bspk".into(), &3.into()));
    assert_eq!((&source["offset"], &source["index"]), (&4711.into(), &1.into()));
    assert_eq!(found[0]["event"]["meta"]["received_at"], "2023-11-14T22:13:20Z");
    assert!(text(&healed.stderr).starts_with("not reproduced: it was time.invalid"));
}

#[test]
fn what_is_no_capsule_is_told() {
    let folder = Folder::new("no-capsule");
    let broken = capsule("null").replace("W3si", "?3si");
    let zone = capsule("\"Europe/Zurrich\"");
    for (name, content, why) in [
        ("json", "{}".to_owned(), "no capsule"),
        ("form", capsule("null").replace("\"koine_capsule\": 1", "\"koine_capsule\": 2"), "a capsule of form 2"),
        ("base64", broken, "raw.value is no Base64"),
        ("zone", zone, "there is no zone Europe/Zurrich"),
    ] {
        let output = koine(&["translate", "--capsule", &folder.file(name, &content)], "");
        assert_eq!(code(&output), 2, "{name}");
        assert!(text(&output.stderr).contains(why), "{name}: {}", text(&output.stderr));
    }
    let both = koine(&["translate", "--capsule", "x", "--shop", "eu"], "");
    assert_eq!(code(&both), 2);
}

#[test]
fn a_pair_of_keys_is_made_once() {
    let folder = Folder::new("keygen");
    let path = folder.0.join("dlq.key").to_string_lossy().into_owned();
    let output = koine(&["dlq", "keygen", "--out", &path], "");
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let (public, secret) = (text(&output.stdout), std::fs::read_to_string(&path).expect("the private key"));
    assert!(public.starts_with("koine-public-") && public.trim().len() == 56, "{public}");
    assert!(secret.starts_with("koine-secret-") && !text(&output.stderr).contains(secret.trim()));
    assert_eq!(code(&koine(&["dlq", "keygen", "--out", &path], "")), 2);
    assert_eq!(std::fs::read_to_string(&path).expect("the private key"), secret, "a key is never written over");
}
