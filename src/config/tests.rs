//! Configuration: what is read, what is refused, and how it is said.

use super::*;

const VENDORS: &[&str] = &["bspk", "spree", "composer", "bold"];

fn context() -> Context<'static> {
    Context { vendors: VENDORS, librdkafka: "2.12.1", time_zone: |name| name == "Europe/Zurich", required: &[] }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parse(text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::parse(text, variables(pairs), &context())
}

fn ok(text: &str) -> Config {
    parse(text, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn mistakes(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    parse(text, pairs).unwrap_err().0.iter().map(ToString::to_string).collect()
}

/// The only mistake.
fn mistake(text: &str) -> String {
    let all = mistakes(text, &[]);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.into_iter().next().unwrap()
}

struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &str) -> TempFile {
        let path = std::env::temp_dir().join(format!("koine-config-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn nothing_set_is_the_documented_default() {
    let config = ok("");
    assert_eq!(config.kafka.group, "koine");
    assert_eq!(config.kafka.group_protocol, GroupProtocol::Classic);
    assert_eq!(config.subscription(), ["raw.bspk", "raw.spree", "raw.composer", "raw.bold"]);
    assert_eq!(config.sources[1].vendor.as_deref(), Some("spree"));
    let canonical = ["commerce.customer.v1", "commerce.cart.v1", "commerce.order.v1", "commerce.product.v1"];
    assert_eq!(config.topics.canonical(), canonical);
    assert_eq!(config.topics.dead_letter("raw.bold"), "dlq.raw.bold");
    assert_eq!(config.delivery, Delivery::ExactlyOnce);
    assert_eq!(config.workers, Workers::Fixed(1));
    assert_eq!(config.batch, Batch { records: 4000, bytes: 12 << 20, wait: Duration::from_millis(10) });
    assert_eq!(config.limits, Limits { body_bytes: 8_388_608, depth: 128 });
    assert_eq!(config.dlq.drop_headers, ["x-bspk-secret", "authorization", "cookie"]);
    assert_eq!(config.http_listen.to_string(), "0.0.0.0:9464");
    assert_eq!(config.log, Log { format: LogFormat::Text, level: "info".to_owned() });
    assert_eq!((config.drain, config.transaction_timeout), (Duration::from_secs(8), Duration::from_secs(30)));
}

#[test]
fn a_whole_file_is_read() {
    let config = ok(r#"
kafka:
  bootstrap_servers: "a:9092, b:9093"
  group: shop
  properties: {security.protocol: ssl, compression.level: 3, socket.keepalive.enable: true}
registry: {url: "https://registry/apis/ccompat/v7/", username: u, password: p, timeout: 2s}
sources:
  - {topics: ["raw.spree", "^raw\\.spree\\..*"], vendor: spree, shop: eu, time_zone: Europe/Zurich, extensions: off}
  - topics: raw.any
topics: {prefix: "acme.", create: true}
delivery: at_least_once
workers: auto
batch: {records: 10, bytes: 1MB, wait: 1s}
dlq: {drop_headers: [cookie, x-token], headers: [spring]}
http: {listen: "[::1]:0"}
log: {format: json, level: "warn,koine::kafka=debug"}
"#);
    assert_eq!(config.kafka.bootstrap_servers, ["a:9092", "b:9093"]);
    let level = config.kafka.properties.iter().find(|(name, _)| name == "compression.level").unwrap();
    assert_eq!(level.1.expose(), "3");
    assert_eq!(config.registry.url.as_deref(), Some("https://registry/apis/ccompat/v7"));
    assert!(
        matches!(&config.registry.auth, RegistryAuth::Basic { username, password } if username == "u" && password.expose() == "p")
    );
    assert_eq!(config.sources.len(), 2);
    assert_eq!(config.sources[0].extensions, Extensions::Off);
    assert_eq!((config.sources[1].vendor.as_deref(), config.sources[1].extensions), (None, Extensions::Full));
    assert_eq!(config.topics.order, "acme.commerce.order.v1");
    assert_eq!(config.workers, Workers::Auto);
    assert!(config.workers.count() >= 1);
    assert_eq!(config.batch.bytes, 1_000_000);
    assert_eq!(config.dlq.drop_headers, ["cookie", "x-token"]);
    assert!(config.dlq.spring && !config.dlq.connect && !config.dlq.streams);
    assert!(mistake("dlq: {headers: [sprung]}").contains("did you mean `spring`"));
    assert_eq!(config.source_of("raw.spree.eu"), Some(0));
    assert_eq!(config.source_of("raw.any"), Some(1));
    assert_eq!(config.source_of("raw.other"), None);
}

#[test]
fn a_name_goes_before_a_pattern() {
    let config = ok("sources: [{topics: ['^raw\\.'], vendor: auto}, {topics: [raw.bold], vendor: bold}]");
    assert_eq!(config.source_of("raw.bold"), Some(1));
    assert_eq!(config.source_of("raw.else"), Some(0));
}

#[test]
fn a_topic_belongs_to_one_source_wherever_that_stands() {
    let config = ok(r#"
sources:
  - {topics: ['^raw\.gate\.', '^raw\.(a|b)$'], vendor: spree, shop: first}
  - {topics: ['^raw\.gate\.eu', raw.a], vendor: bold, shop: second}
  - {topics: [raw.gate.eu, raw.b, '^raw\.'], shop: third}
"#);
    for (topic, source) in [
        // By name, though the patterns of others match too; a name is no prefix.
        ("raw.gate.eu", Some(2)),
        ("raw.a", Some(1)),
        ("raw.b", Some(2)),
        // Else by the first that has a pattern: one pattern, many topics.
        ("raw.gate.eu.2", Some(0)),
        ("raw.gate.us", Some(0)),
        ("raw.gate.", Some(0)),
        // The end is a part of the pattern, and so is the beginning.
        ("raw.ab", Some(2)),
        ("xraw.a", None),
        ("raw", None),
    ] {
        assert_eq!(config.source_of(topic), source, "{topic}");
    }
}

#[test]
fn the_place_of_the_webhook_is_a_json_pointer() {
    let pointer = |config: &Config| config.sources[0].payload_pointer.as_ref().map(|it| it.as_str().to_owned());
    assert_eq!(pointer(&ok("")), None);
    assert_eq!(pointer(&ok("sources: [{topics: [raw.a]}]")), None);
    assert_eq!(pointer(&ok("sources: [{topics: [raw.a], payload_pointer: ''}]")), None);
    assert_eq!(
        pointer(&ok("sources: [{topics: [raw.a], payload_pointer: /detail/a~1b}]")).as_deref(),
        Some("/detail/a~1b")
    );
    let config = parse("sources: [{topics: [raw.a]}]", &[("KOINE__SOURCES__0__PAYLOAD_POINTER", "/body")]).unwrap();
    assert_eq!(pointer(&config).as_deref(), Some("/body"));
    assert!(config.to_yaml().contains("payload_pointer: /body"), "{}", config.to_yaml());
    assert_eq!(
        mistake("sources: [{topics: [raw.a], payload_pointer: body}]"),
        "sources[0].payload_pointer (line 1): `body` is no JSON Pointer: it has to begin with /, such as /body"
    );
    assert!(mistake("sources: [{topics: [raw.a], payload_pointer: /a~b}]").contains("written as ~0"));
    assert!(mistake("sources: [{topics: [raw.a], payload_pointer: [/a]}]").contains("is a list, should be text"));
    assert!(mistake("sources: [{topics: [raw.a], payload_ponter: /a}]").contains("did you mean `payload_pointer`?"));
}

#[test]
fn the_prefix_is_before_the_default_sources_too() {
    let config = ok("topics: {prefix: acme.}");
    assert_eq!(config.subscription()[0], "acme.raw.bspk");
    assert_eq!(config.topics.dead_letter("acme.raw.bspk"), "dlq.acme.raw.bspk");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = "kafka:
  bootstrap_server: a:9092
  group_protocol: consumer
  properties: {enable.auto.commit: true, group.id: x}
sources:
  - {topics: ['raw\\..*'], vendor: spre}
topic: {}
batch: {wait: 100, records: 0, bytes: big}
workers: many
limits: 3
";
    let found = mistakes(text, &[("KOINE__KAFKA__GRUOP", "x"), ("KOINE__LOG__LEVEL", "loud=loud=loud")]);
    let expected = [
        "kafka.bootstrap_server (line 2): unknown; did you mean `bootstrap_servers`?",
        "kafka.group_protocol (line 3): `consumer` needs librdkafka 2.15.0 or newer: before, a member over max.poll.interval.ms is expelled for good (librdkafka 5541); this is 2.12.1",
        "kafka.properties.enable.auto.commit (line 4): belongs to koine: offsets are committed with what was produced, never by a timer",
        "kafka.properties.group.id (line 4): belongs to koine: set kafka.group",
        "sources[0].topics[0] (line 6): `raw\\..*`: not a topic name: letters, digits, `.`, `_` and `-` only; a pattern has to begin with ^",
        "sources[0].vendor (line 6): `spre` is not known; did you mean `spree`? There are auto, bspk, spree, composer, bold",
        "topic (line 7): unknown; did you mean `topics`?",
        "batch.records (line 8): should be a whole number, 1 to 1000000",
        "batch.bytes (line 8): should be a size, 1 to 1GiB",
        "batch.wait (line 8): has no unit: 100ms or 100s?",
        "workers (line 9): should be a whole number, 1 to 256, or auto",
        "limits (line 10): is one value, should be a section",
        "KOINE__KAFKA__GRUOP: unknown; did you mean `group`?",
    ];
    for line in expected {
        assert!(found.iter().any(|found| found == line), "missing {line}\nin {found:#?}");
    }
    let level = found.iter().find(|line| line.starts_with("log.level (KOINE__LOG__LEVEL): ")).unwrap();
    assert!(!level.is_empty());
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
}

#[test]
fn no_yaml_is_one_mistake() {
    assert!(mistake("kafka: [\n").starts_with("line 2: no YAML: "), "{}", mistake("kafka: [\n"));
    assert_eq!(mistake("just words"), "the file: is one value, should be a section: `kafka:`, `registry:` …");
    let missing = Config::load(Some(Path::new("/nowhere/koine.yaml")), [], &context()).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read /nowhere/koine.yaml: "), "{missing}");
}

#[test]
fn a_name_of_another_section_is_pointed_at() {
    assert_eq!(
        mistake("bootstrap_servers: a:1"),
        "bootstrap_servers (line 1): unknown here; did you mean `kafka.bootstrap_servers`?"
    );
    let found = mistake("http: {zebra: 1}");
    assert_eq!(found, "http.zebra (line 1): unknown; there are listen, dead_after");
}

#[test]
fn what_is_different_is_named() {
    let parse = |text: &str| Config::parse(text, [], &context()).unwrap();
    let before = parse("{sources: [{topics: [a, b], vendor: spree}], log: {level: info}}");
    assert_eq!(before.differences(&before), [""; 0]);
    let after = parse("# moved\n\nlog: {level: debug}\nsources: [{topics: [a], vendor: spree, expect_every: 2h}]\n");
    assert_eq!(before.differences(&after), ["log.level", "sources[0].expect_every", "sources[0].topics[1]"]);
}

#[test]
fn what_a_command_needs_is_required() {
    let context = Context { required: &["kafka.bootstrap_servers", "registry.url"], ..context() };
    let errors = Config::parse("registry: {url: ''}", [], &context).unwrap_err().to_string();
    assert_eq!(
        errors,
        "registry.url (line 1): is not set (in the file, or as KOINE__REGISTRY__URL)\n\
         kafka.bootstrap_servers: is not set (in the file, or as KOINE__KAFKA__BOOTSTRAP_SERVERS)"
    );
    // Wrong is not missing: one message, not two.
    let errors =
        Config::parse("{kafka: {bootstrap_servers: 'a:1'}, registry: {url: ftp://x}}", [], &context).unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
}

#[test]
fn variables_go_over_the_file() {
    let text =
        "kafka: {group: file, properties: {client.id: file}}\nsources: [{topics: [raw.a, raw.b], vendor: bold}]\n";
    let config = parse(
        text,
        &[
            ("KOINE__KAFKA__GROUP", "env"),
            ("KOINE__KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2"),
            ("KOINE__KAFKA__PROPERTIES__CLIENT_ID", "env"),
            ("KOINE__KAFKA__PROPERTIES__SASL_PASSWORD", "hush"),
            ("KOINE__SOURCES__0__TOPICS__1", "raw.c"),
            ("KOINE__SOURCES__1__TOPICS", "raw.d,^raw\\.e"),
            ("KOINE__SOURCES__1__VENDOR", "spree"),
            ("KOINE__DLQ__DROP_HEADERS__0", "x"),
            ("KOINE__LIMITS__DEPTH", ""),
            ("KOINE_CONFIG", "not ours"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.kafka.group, "env");
    assert_eq!(config.kafka.bootstrap_servers, ["a:1", "b:2"]);
    let properties: Vec<_> =
        config.kafka.properties.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(properties, [("client.id", "env"), ("sasl.password", "hush")]);
    assert_eq!(config.subscription(), ["raw.a", "raw.c", "raw.d", "^raw\\.e"]);
    assert_eq!(config.sources[1].vendor.as_deref(), Some("spree"));
    assert_eq!(config.dlq.drop_headers, ["x"]);
    assert_eq!(config.limits.depth, 128);
}

#[test]
fn a_list_of_sections_fits_one_variable() {
    let config = parse("", &[("KOINE__SOURCES", "[{topics: [raw.x], vendor: bold}]")]).unwrap();
    assert_eq!(config.subscription(), ["raw.x"]);
}

#[test]
fn sources_by_index_need_no_order_of_names() {
    let config = parse(
        "",
        &[
            ("KOINE__SOURCES__1__SHOP", "x"),
            ("KOINE__SOURCES__1__TOPICS__0", "raw.b"),
            ("KOINE__SOURCES__0__TOPICS__1", "raw.a2"),
            ("KOINE__SOURCES__0__TOPICS__0", "raw.a1"),
        ],
    );
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.subscription(), ["raw.a1", "raw.a2", "raw.b"]);
    assert_eq!(config.sources[1].shop.as_deref(), Some("x"));
}

#[test]
fn mistakes_in_variables_name_them() {
    let found = mistakes(
        "",
        &[
            ("KOINE__WORKERS__0", "1"),
            ("KOINE__SOURCES__3__VENDOR", "bold"),
            ("KOINE__KAFKA", "x"),
            ("KOINE__HTTP__LISTEN", "nine"),
        ],
    );
    assert_eq!(
        found,
        [
            "KOINE__WORKERS__0: `workers` has nothing below it",
            "KOINE__KAFKA: is a section; set what is in it",
            "KOINE__SOURCES__3__VENDOR: leaves a gap: the list has 0 before it",
            "sources (KOINE__SOURCES__3__VENDOR): is empty: nothing would be read",
            "http.listen (KOINE__HTTP__LISTEN): should be an address and a port, such as 0.0.0.0:9464",
        ]
    );
}

#[test]
fn a_source_may_not_read_what_koine_writes() {
    for (topics, wrong) in [
        ("commerce.order.v1", "matches `commerce.order.v1`, which koine writes"),
        ("^commerce\\..*", "matches `commerce.customer.v1`, which koine writes"),
        ("^.*\\.spree", "can match dead-letter topics"),
        ("^dlq\\.raw\\.spree", "can match dead-letter topics"),
        ("^raw|order", "which koine writes"),
    ] {
        let found = mistakes(&format!("sources: [{{topics: ['{topics}']}}]"), &[]);
        assert!(
            found[0].starts_with("sources[0].topics[0] (line 1): ") && found[0].contains(wrong),
            "{topics}: {found:#?}"
        );
    }
    assert!(mistake("sources: [{topics: [raw.a, dlq.raw.a]}]").contains("can match dead-letter topics"));
    assert!(mistake("sources: [{topics: [raw.a]}, {topics: [raw.a]}]").contains("stands in the sources twice"));
    // Another system's dead letters are nobody's output here.
    ok("sources: [{topics: [raw.a, dlq.other]}]");
    ok("{sources: [{topics: ['^.*\\.spree$']}], topics: {dead_letter_prefix: 'zz.'}}"
        .replace("'^.*\\.spree$'", "'^raw\\..*'")
        .as_str());
}

#[test]
fn topics_are_four_and_legal() {
    assert!(mistake("topics: {cart: commerce.order.v1}").contains("another entity's topic already"));
    assert!(mistake("topics: {cart: 'a b'}").contains("not a topic name"));
    assert_eq!(mistake("topics: {dead_letter_prefix: ''}"), "topics.dead_letter_prefix (line 1): is empty");
    assert_eq!(mistake("topics: {order: ''}"), "topics.order (line 1): is empty");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let file = TempFile::new("secret", "from-file\n");
    let path = file.0.display();
    let text = format!(
        "kafka: {{properties: {{sasl.password_file: {path}, sasl.username: me, ssl.key.password: hush-1}}}}\n\
         registry: {{url: 'http://r', bearer_token: hush-2}}\n"
    );
    let config = ok(&text);
    let by_file = ok(&format!("registry: {{url: 'http://r', username: u, password_file: {path}}}"));
    let (_, password) = config.kafka.properties.iter().find(|(name, _)| name == "sasl.password").unwrap();
    assert_eq!(password.expose(), "from-file");
    assert!(matches!(&by_file.registry.auth, RegistryAuth::Basic { password, .. } if password.expose() == "from-file"));
    assert!(!format!("{} {by_file:?}", by_file.to_yaml()).contains("from-file"));
    for shown in [config.to_yaml(), format!("{config:?}")] {
        assert!(!shown.contains("hush") && !shown.contains("from-file"), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
    assert!(config.to_yaml().contains(&format!("sasl.password_file: {path}")));
    assert!(config.to_yaml().contains("sasl.username: me"));
    std::fs::write(&file.0, "rotated").unwrap();
    assert_eq!(password.current(), "rotated");
    std::fs::remove_file(&file.0).unwrap();
    assert_eq!(password.current(), "from-file");
}

#[test]
fn a_secret_has_one_place() {
    let found = mistake("registry: {url: 'http://r', username: u, password: a, password_file: /b}");
    assert_eq!(found, "registry.password_file (line 1): and `registry.password` are both set");
    // A variable is the later word.
    let config = parse(
        "registry: {url: 'http://r', username: u, password_file: /nowhere}",
        &[("KOINE__REGISTRY__PASSWORD", "env")],
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
    assert!(matches!(config.registry.auth, RegistryAuth::Basic { password, .. } if password.expose() == "env"));
    let found = mistake("registry: {url: 'http://r', username: u, password_file: /nowhere}");
    assert!(found.starts_with("registry.password_file (line 1): cannot read /nowhere: "), "{found}");
}

#[test]
fn the_registry_is_checked() {
    assert!(mistake("registry: {url: 'r:8081'}").contains("should begin with http://"));
    let found = mistake("registry: {url: 'http://me:hush@r'}");
    assert!(found.contains("registry.username") && !found.contains("hush"), "{found}");
    assert!(mistake("registry: {username: u}").contains("has no registry.password"));
    assert!(mistake("registry: {password: u}").contains("has no registry.username"));
    assert!(mistake("registry: {username: u, password: p, bearer_token: t}").contains("both set"));
    assert!(mistake("registry: {ca_file: /nowhere.pem}").contains("cannot read"));
}

#[test]
fn sources_are_checked() {
    assert!(mistake("sources: []").contains("nothing would be read"));
    assert!(mistake("sources: raw.spree").contains("should be a list"));
    assert!(mistake("sources: [raw.spree]").contains("should be a section"));
    assert!(mistake("sources: [{vendor: bold}]").contains("names no topics"));
    assert!(mistake("sources: [{topics: [a], time_zone: Mars/Olympus}]").contains("no IANA time zone"));
    assert!(mistake("sources: [{topics: [a], extensions: some}]").contains("there are full, drift, off"));
}

#[test]
fn the_breaker_is_a_word_and_its_limits() {
    let config = ok("");
    let seconds = Duration::from_secs;
    let Breaker { pauses, records, window, pause, longest_pause } = config.breaker;
    assert_eq!((pauses, records, window, pause, longest_pause), (true, 1000, seconds(30), seconds(30), seconds(600)));
    assert!(!ok("breaker: alert").breaker.pauses);
    assert_eq!(ok("breaker_limits: {window: 1m}").breaker.window, seconds(60));
    assert!(mistake("breaker: stop").contains("pause, alert"));
    assert!(mistake("breaker_limits: {pause: 2m, longest_pause: 1m}").contains("is shorter than breaker_limits.pause"));
}

#[test]
fn limits_hold_each_other() {
    assert!(mistake("{transaction: {timeout: 1s}, batch: {wait: 900ms}}").contains("well below transaction.timeout"));
    ok("{transaction: {timeout: 1s}, batch: {wait: 900ms}, delivery: at_least_once}");
    let newer = Context { librdkafka: "2.15.0", ..context() };
    assert!(Config::parse("kafka: {group_protocol: consumer}", [], &newer).is_ok());
    let unread = Context { librdkafka: "new", ..context() };
    assert!(Config::parse("kafka: {group_protocol: consumer}", [], &unread).is_err());
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    let text = "kafka: {bootstrap_servers: 'a:9092', properties: {compression.type: zstd}}
sources: [{topics: [raw.spree, '^raw\\.x\\..*'], vendor: spree, shop: 'a: b'}]
dlq: {drop_headers: [cookie, x-token]}
workers: auto
";
    let first = ok(text).to_yaml();
    let second = ok(&first).to_yaml();
    assert_eq!(first, second);
    let default = ok("").to_yaml();
    assert_eq!(default, ok(&default).to_yaml());
    for setting in settings::SETTINGS {
        let name = setting.key.rsplit('.').next().unwrap_or_default();
        assert!(first.contains(&format!("{name}:")), "{} is not in\n{first}", setting.key);
    }
}

/// Whatever stands in a configuration, reading it returns.
#[test]
fn any_value_anywhere_is_survived() {
    for setting in settings::SETTINGS {
        let path = setting.key.replace("[]", ".0");
        for poison in
            ["null", "[]", "{}", "[[]]", "[{}]", "{a: {b: c}}", "''", "-1", "18446744073709551616", "[null, 1]", "💥"]
        {
            let mut text = String::new();
            for (depth, part) in path.split('.').enumerate() {
                text.push_str(&match part {
                    "0" => format!("{}-\n", " ".repeat(depth * 2)),
                    part => format!("{}{part}:\n", " ".repeat(depth * 2)),
                });
            }
            let text = format!("{}{}{poison}\n", text, " ".repeat(20));
            let told = |read: Result<Config, ConfigErrors>| match read {
                Ok(config) => assert!(!config.to_yaml().is_empty()),
                Err(errors) => assert!(!errors.0.is_empty(), "refused without a reason: {} = {poison}", setting.key),
            };
            told(parse(&text, &[]));
            let name = settings::variable(setting.key);
            told(parse("", &[(name.as_str(), poison)]));
        }
    }
}

fn all_mistakes(text: &str) -> String {
    mistakes(text, &[]).join("\n")
}

/// Client credentials: whole or not at all, one way to authenticate, and the secret never shown.
#[test]
fn client_credentials_belong_together() {
    let whole = "{token_url: 'https://issuer/token', client_id: me, client_secret: hush, scope: s}";
    let config = ok(&format!("kafka: {{oauth: {whole}}}\nregistry: {{oauth: {whole}}}"));
    let oauth = config.kafka.oauth.clone().unwrap();
    assert_eq!((oauth.section, oauth.client_secret.expose()), ("kafka.oauth", "hush"));
    assert!(matches!(&config.registry.auth, RegistryAuth::Oauth(oauth) if oauth.section == "registry.oauth"));
    assert!(!format!("{config:?} {}", config.to_yaml()).contains("hush"));
    for section in ["kafka", "registry"] {
        let found = all_mistakes(&format!("{section}: {{oauth: {{client_id: me}}}}"));
        assert!(found.contains("token_url") && found.contains("client_secret"), "{found}");
        let user =
            format!("{section}: {{oauth: {{token_url: 'https://me:hush@issuer', client_id: a, client_secret: b}}}}");
        assert!(all_mistakes(&user).contains("names a user") && !all_mistakes(&user).contains("hush"));
        assert!(all_mistakes(&format!("{section}: {{oauth: {{ca_file: /nowhere.pem}}}}")).contains("cannot read"));
    }
    assert!(all_mistakes(&format!("registry: {{username: u, password: p, oauth: {whole}}}")).contains("one is due"));
    for (property, says) in [
        ("sasl.mechanism: PLAIN", "should be OAUTHBEARER"),
        ("security.protocol: SSL", "should be SASL_SSL or SASL_PLAINTEXT"),
        ("sasl.password: x", "is of no use"),
    ] {
        let found = all_mistakes(&format!("kafka: {{oauth: {whole}, properties: {{{property}}}}}"));
        assert!(found.contains(says), "{found}");
    }
    assert!(
        ok(&format!("kafka: {{oauth: {whole}, properties: {{sasl.mechanism: oauthbearer}}}}")).kafka.oauth.is_some()
    );
    assert!(all_mistakes("kafka: {properties: {sasl.oauthbearer.method: oidc}}").contains("set kafka.oauth"));
}

#[test]
fn a_client_certificate_has_its_key() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(all_mistakes(&format!("registry: {{cert_file: {file}}}")).contains("registry.key_file"));
    assert!(all_mistakes(&format!("registry: {{key_file: {file}}}")).contains("registry.cert_file"));
    let tls = ok(&format!("registry: {{cert_file: {file}, key_file: {file}}}")).registry.tls;
    assert_eq!(tls.identity, Some((file.into(), file.into())));
    assert!(all_mistakes("registry: {bundle: /nowhere.json}").contains("cannot read"));
}

#[test]
fn the_key_that_seals_dead_letters_is_a_public_one_from_one_place() {
    assert_eq!(ok("").dlq.seal, None);
    let key = crate::seal::PrivateKey::generate();
    let public = key.public().to_string();
    assert_eq!(ok(&format!("dlq: {{seal: {{public_key: {public}}}}}")).dlq.seal, Some(key.public()));
    let file = TempFile::new("seal", &format!("{public}\n"));
    let path = file.0.display();
    assert_eq!(ok(&format!("dlq: {{seal: {{public_key_file: '{path}'}}}}")).dlq.seal, Some(key.public()));
    let both = mistake(&format!("dlq: {{seal: {{public_key: {public}, public_key_file: '{path}'}}}}"));
    assert!(both.contains("are both set"), "{both}");
    let secret = key.expose();
    let private = mistake(&format!("dlq: {{seal: {{public_key: {secret}}}}}"));
    assert!(private.contains("is a private key") && !private.contains(&secret), "{private}");
    let none = mistake("dlq: {seal: {public_key: age1abc}}");
    assert!(none.contains("dlq.seal.public_key") && none.contains("koine dlq keygen"), "{none}");
    let gone = mistake("dlq: {seal: {public_key_file: /nowhere/key}}");
    assert!(gone.contains("cannot read /nowhere/key"), "{gone}");
}
