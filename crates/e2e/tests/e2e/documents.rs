//! The machine-readable documents and the node, checked against each other.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::kafka::{Kafka, Record};
use e2e::socket::Socket;
use e2e::sse::EventSource;
use e2e::{Node, Settings, broker, http, wait};
use jsonschema::Validator;
use serde_json::{Value, json};
use wire::SUBPROTOCOL_JSON;

const WITHIN: Duration = Duration::from_secs(60);
/// The example of the document.
const NAME: &str = "KRAKEN:BTC-USD";

fn node(topic: &str) -> (broker::Turn, Kafka, Node) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    let book = json!({"type": "snapshot", "symbol": NAME, "seq": 100, "bids": [["61000", "1"], ["60990", "2"]], "asks": [["61010", "0.5"]]});
    let trade = json!({"type": "trade", "symbol": NAME, "time": 1_723_161_255_343_000_000_u64, "trades": [
        {"price": "61000", "size": "0.02", "side": "sell", "id": "7"}]});
    kafka.produce(
        topic,
        0,
        &[Record::of(book.to_string()), Record::of(trade.to_string())],
    );
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(NAME, "tick_size = \"0.01\"");
    let node = Node::start(&settings);
    (turn, kafka, node)
}

/// A document of the node.
struct Document(Value);

impl Document {
    fn of(node: &Node, name: &str) -> Self {
        let answer = http::fetch(node.public(), "GET", &format!("/v1/{name}.json"), &[]);
        assert_eq!(answer.status, 200);
        Self(answer.json())
    }

    /// The value itself, or the target of its `$ref`.
    fn at<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(to) => {
                let there = self.0.pointer(to.trim_start_matches('#'));
                self.at(there.unwrap_or_else(|| panic!("{to} points nowhere")))
            }
            None => value,
        }
    }

    /// A validator for a schema of the document.
    fn validator(&self, schema: &Value) -> Validator {
        let mut root = schema.clone();
        root["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&root).unwrap_or_else(|error| panic!("{error} in {schema}"))
    }

    #[track_caller]
    fn assert_fits(&self, schema: &Value, value: &Value, what: &str) {
        let errors: Vec<_> = self
            .validator(schema)
            .iter_errors(value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:?} in {value}");
    }

    /// Checks that an answer is documented for the operation.
    #[track_caller]
    fn assert_answers(&self, operation: &Value, answer: &http::Response, what: &str) {
        let status = answer.status.to_string();
        let response = operation["responses"].get(&status);
        let response =
            self.at(response.unwrap_or_else(|| panic!("{what}: {status} is not documented")));
        if let Some(headers) = response["headers"].as_object() {
            for name in headers.keys() {
                assert!(
                    answer.header(&name.to_ascii_lowercase()).is_some(),
                    "{what}: no {name}"
                );
            }
        }
        let Some(content) = response.get("content") else {
            assert!(
                answer.body.is_empty(),
                "{what}: a body that is not documented"
            );
            return;
        };
        let media_type = answer.header("content-type").unwrap_or_default();
        let schema = content
            .get(media_type)
            .unwrap_or_else(|| panic!("{what}: {media_type} is not documented"));
        if media_type == "application/json" {
            self.assert_fits(&schema["schema"], &answer.json(), what);
        } else {
            assert!(
                wire::sbe::Messages::new(&answer.body).all(|message| message.is_ok()),
                "{what}"
            );
        }
    }
}

/// A valid value of a parameter, and an invalid one if there is any.
fn values(parameter: &Value) -> (String, Option<&'static str>) {
    let schema = &parameter["schema"];
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let right = [
        &parameter["example"],
        &schema["default"],
        &schema["enum"][0],
    ]
    .into_iter()
    .find(|value| !value.is_null())
    .map_or_else(String::new, text);
    let is_free = schema["type"] == json!("string")
        && schema.get("enum").is_none()
        && schema.get("pattern").is_none();
    (right, (!is_free).then_some("-7"))
}

fn parameters<'a>(document: &'a Document, operation: &'a Value) -> Vec<&'a Value> {
    let all = operation["parameters"].as_array();
    all.into_iter()
        .flatten()
        .map(|parameter| document.at(parameter))
        .collect()
}

#[test]
fn the_openapi_document_describes_exactly_what_is_served() {
    let (_turn, _kafka, node) = node("openapi");
    let document = Document::of(&node, "openapi");
    wait::until(WITHIN, "the trade", || {
        let path = format!("/v1/trades/{NAME}");
        let trades = http::fetch(node.public(), "GET", &path, &[]).json();
        (trades["trades"]
            .as_array()
            .is_some_and(|all| all.len() == 1))
        .then_some(())
    });
    let get = |path: &str, headers: &[&str]| http::fetch(node.public(), "GET", path, headers);
    // The served paths are the documented ones.
    let nothing = get("/v1/nothing", &[]).json();
    let served: BTreeSet<_> = nothing["error"]["mayBe"]
        .as_str()
        .unwrap()
        .split(", ")
        .map(str::to_owned)
        .collect();
    let paths = document.0["paths"].as_object().unwrap();
    assert_eq!(served, paths.keys().cloned().collect());
    let mut asked = 0;
    for (path, methods) in paths {
        assert_eq!(
            methods.as_object().unwrap().len(),
            1,
            "{path} has GET alone, and what goes with it"
        );
        let operation = &methods["get"];
        let parameters = parameters(&document, operation);
        let path = path.replace("{symbol}", NAME);
        let is_stream = operation["responses"]["200"]["content"]
            .get("text/event-stream")
            .is_some();
        let mut check = |path: &str, headers: &[&str], status: u16| {
            let answer = get(path, headers);
            assert_eq!(
                answer.status,
                status,
                "{path} {headers:?}: {}",
                String::from_utf8_lossy(&answer.body)
            );
            document.assert_answers(operation, &answer, path);
            asked += 1;
            answer
        };
        if !is_stream {
            let formats = document.at(&operation["responses"]["200"])["content"]
                .as_object()
                .unwrap();
            for media_type in formats.keys() {
                let answer = check(&path, &[&format!("Accept: {media_type}")], 200);
                assert_eq!(answer.header("content-type"), Some(media_type.as_str()));
                let tag = answer.header("etag").unwrap().to_owned();
                check(
                    &path,
                    &[
                        &format!("Accept: {media_type}"),
                        &format!("If-None-Match: {tag}"),
                    ],
                    304,
                );
            }
            let head = http::fetch(node.public(), "HEAD", &path, &[]);
            assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        }
        // The accepted parameters are the documented ones.
        let query: BTreeSet<_> = parameters
            .iter()
            .filter(|it| it["in"] == json!("query"))
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        let unknown = check(&format!("{path}?nothing=1"), &[], 400).json();
        let taken = unknown["error"]["mayBe"].as_str().unwrap();
        let taken: BTreeSet<_> = if query.is_empty() {
            BTreeSet::new()
        } else {
            taken.split(", ").collect()
        };
        assert_eq!(taken, query, "{path}");
        for parameter in parameters
            .iter()
            .filter(|it| it["in"] == json!("query") && !is_stream)
        {
            let name = parameter["name"].as_str().unwrap();
            let (right, wrong) = values(parameter);
            check(&format!("{path}?{name}={right}"), &[], 200);
            for one in parameter["schema"]["enum"].as_array().into_iter().flatten() {
                check(
                    &format!("{path}?{name}={}", one.as_str().unwrap()),
                    &[],
                    200,
                );
            }
            if let Some(wrong) = wrong {
                let error = check(&format!("{path}?{name}={wrong}"), &[], 400).json();
                assert_eq!(error["error"]["field"], json!(name), "{path}");
                assert_eq!(error["error"]["was"], json!(wrong));
            }
        }
        if is_stream {
            let right = format!("{path}?channel=book&symbol={NAME}");
            check(&format!("{right}&depth=7"), &[], 400);
            check(&format!("{path}?channel=book&symbol=TEST:NONE"), &[], 404);
            check(&right, &["Accept: image/png"], 406);
            check(&right, &["Last-Event-ID: nonsense"], 400);
            let mut events = EventSource::open(
                node.public(),
                &format!(
                    "channel=book&symbol={NAME}&depth=5&speed=100ms&group=10&policy=disconnect"
                ),
                "",
            );
            assert_eq!(events.answer()["results"][0]["ok"], json!(true));
        } else {
            check(&path, &["Accept: image/png"], 406);
        }
        if path.contains(NAME) {
            check(&path.replace(NAME, "TEST:NONE"), &[], 404);
            check(&path.replace(NAME, "KRAKEN%3ABTC%2DUSD"), &[], 200);
        }
        // Other methods are rejected, with the allowed ones.
        let refused = http::fetch(node.public(), "POST", &path, &[]);
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, Some("GET, HEAD, OPTIONS")),
            "{path}"
        );
        let schema = &document.0["components"]["schemas"]["Error"];
        document.assert_fits(schema, &refused.json(), &path);
        let options = http::fetch(
            node.public(),
            "OPTIONS",
            &path,
            &["Origin: https://a.example"],
        );
        assert_eq!(
            (
                options.status,
                options.header("access-control-allow-origin")
            ),
            (204, Some("*")),
            "{path}"
        );
    }
    println!("{} paths, {asked} answers that fit", paths.len());
}

#[test]
fn the_asyncapi_document_describes_what_a_session_is_sent() {
    let (_turn, mut kafka, node) = node("asyncapi");
    let document = Document::of(&node, "asyncapi");
    let messages = document.0["components"]["messages"].as_object().unwrap();
    let mut examples = 0;
    for (name, message) in messages {
        let all = message["examples"].as_array().unwrap();
        assert!(!all.is_empty(), "{name} has no example");
        for example in all {
            document.assert_fits(&message["payload"], &example["payload"], name);
            examples += 1;
        }
    }
    // A message of another kind does not fit: a schema that accepts everything would prove nothing.
    let trades = &messages["Trades"]["examples"][0]["payload"];
    let validator = document.validator(&messages["Bbo"]["payload"]);
    assert!(!validator.is_valid(trades));

    // Each request of the document is accepted, and its answer is the documented one.
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let operations = document.0["operations"].as_object().unwrap();
    for (name, operation) in operations {
        let Some(reply) = operation.get("reply") else {
            continue;
        };
        for example in messages[name]["examples"].as_array().unwrap() {
            socket.request(&example["payload"].to_string());
            let answer = socket.answer();
            let kind = answer["op"].as_str().unwrap();
            let is_listed = reply["messages"].as_array().unwrap().iter().any(|one| {
                one["$ref"]
                    .as_str()
                    .is_some_and(|to| to.ends_with(&format!("/{kind}")))
            });
            assert!(is_listed, "{name} is answered with {kind}");
            assert_ne!(kind, "error", "{name}: {answer}");
            document.assert_fits(&messages[kind]["payload"], &answer, kind);
        }
    }
    socket.request("{");
    document.assert_fits(&messages["error"]["payload"], &socket.answer(), "error");
    // What is sent fits, for every channel, over both transports.
    let streams = ["book", "bbo", "trades", "status"]
        .map(|channel| format!(r#"{{"channel":"{channel}","symbol":"{NAME}"}}"#));
    socket.request(&format!(
        r#"{{"op":"subscribe","id":1,"streams":[{}]}}"#,
        streams.join(",")
    ));
    let answer = socket.answer();
    document.assert_fits(&messages["subscribed"]["payload"], &answer, "subscribed");
    let query = format!(
        "channel=book&symbol={NAME}&channel=bbo&symbol={NAME}&channel=trades&symbol={NAME}&channel=status&symbol={NAME}"
    );
    let mut events = EventSource::open(node.public(), &query, "");
    document.assert_fits(
        &messages["subscribed"]["payload"],
        &events.answer(),
        "subscribed",
    );
    let delta = json!({"type": "delta", "symbol": NAME, "prev_seq": 100, "seq": 101, "bids": [["61001", "3"]], "asks": []});
    let trade = json!({"type": "trade", "symbol": NAME, "trades": [{"price": "61001", "size": "1", "side": "buy", "id": "8"}]});
    kafka.produce(
        "asyncapi",
        0,
        &[Record::of(delta.to_string()), Record::of(trade.to_string())],
    );
    let wanted: BTreeSet<_> = [
        "Instrument",
        "BookSnapshot",
        "BookDelta",
        "Bbo",
        "Trades",
        "Status",
    ]
    .map(str::to_owned)
    .into();
    let check = |message: &Value, seen: &mut BTreeSet<String>| {
        let kind = message["type"].as_str().unwrap();
        document.assert_fits(&messages[kind]["payload"], message, kind);
        seen.insert(kind.to_owned());
    };
    let mut seen = BTreeSet::new();
    let what = format!("{wanted:?} over a WebSocket");
    wait::until_read(WITHIN, &what, || {
        check(&socket.frame().unwrap().json().unwrap(), &mut seen);
        wanted.is_subset(&seen).then_some(())
    });
    let mut seen = BTreeSet::new();
    let what = format!("{wanted:?} as Server-Sent Events");
    wait::until_read(WITHIN, &what, || {
        check(&events.message(|_| true).unwrap(), &mut seen);
        wanted.is_subset(&seen).then_some(())
    });
    println!("{examples} examples fit, and so did all that was sent");
}
