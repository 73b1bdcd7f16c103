//! Channels made of trades, and lists and wildcards of instruments.

use e2e::kafka::{Kafka, Record};
use e2e::socket::Socket;
use e2e::{Node, Settings, broker};
use serde_json::{Value, json};
use wire::SUBPROTOCOL_JSON;

const SECOND: u64 = 1_000_000_000;
/// The start of a minute.
const BEGIN: u64 = 28_000_000 * 60 * SECOND;

fn trade(symbol: &str, seconds: u64, price: &str, size: &str) -> Record {
    let trade = json!({"price": price, "size": size, "side": "buy", "id": ""});
    let record = json!({"type": "trade", "symbol": symbol, "time": BEGIN + seconds * SECOND, "trades": [trade]});
    Record::of(record.to_string())
}

fn data(socket: &mut Socket, kind: &str) -> Value {
    for _ in 0..8 {
        let json = socket.frame().expect("the node goes on").json().unwrap();
        if json["type"] == kind {
            return json;
        }
        println!("passed over {json}");
    }
    panic!("no {kind}");
}

#[test]
fn tickers_and_bars_match_the_trades() {
    let turn = broker::turn();
    let topic = "channels-trades";
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    kafka.produce(
        topic,
        0,
        &[trade("T:A", 1, "10", "1"), trade("T:A", 2, "12", "3")],
    );
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument("T:*", "price_exponent = -2\nsize_exponent = 0");
    let node = Node::start(&settings);
    let mut ticker = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    ticker.request(r#"{"op":"subscribe","streams":[{"channel":"ticker","symbol":"T:A"}]}"#);
    assert_eq!(ticker.answer()["results"][0]["ok"], json!(true));
    let first = data(&mut ticker, "Ticker");
    assert_eq!(
        [
            &first["open"],
            &first["high"],
            &first["low"],
            &first["last"],
            &first["volume"],
            &first["vwap"],
            &first["change"]
        ],
        [
            &json!("10"),
            &json!("12"),
            &json!("10"),
            &json!("12"),
            &json!("4"),
            &json!("11.5"),
            &json!("2")
        ]
    );
    let mut bars = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    bars.request(
        r#"{"op":"subscribe","streams":[{"channel":"bars","symbol":"T:A"},{"channel":"bars","symbol":"T:A","interval":"1s"},
            {"channel":"bars","symbol":"T:A","interval":"7s"},{"channel":"trades","symbol":"T:A","interval":"1s"}]}"#,
    );
    let results = bars.answer()["results"].clone();
    assert_eq!(results[0]["stream"]["interval"], json!("1m"));
    assert_eq!(results[2]["error"]["code"], json!("bad_interval"));
    assert_eq!(results[3]["error"]["code"], json!("bad_interval"));
    let minute = results[0]["view"].clone();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(data(&mut bars, "Bar"));
    }
    let of = |seen: &[Value], interval: u64| -> Vec<(Value, Value, Value)> {
        let own = seen.iter().filter(|bar| bar["interval"] == json!(interval));
        own.map(|bar| {
            (
                bar["close"].clone(),
                bar["trades"].clone(),
                bar["closed"].clone(),
            )
        })
        .collect()
    };
    assert_eq!(of(&seen, 60), [(json!("12"), json!(2), json!(false))]);
    let seconds = [
        (json!("10"), json!(1), json!(true)),
        (json!("12"), json!(1), json!(false)),
    ];
    assert_eq!(of(&seen, 1), seconds);

    kafka.produce(topic, 0, &[trade("T:A", 61, "9", "2")]);
    let next = data(&mut ticker, "Ticker");
    assert_eq!(
        (&next["prevSeq"], &next["low"], &next["trades"]),
        (&first["seq"], &json!("9"), &json!(3))
    );
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(data(&mut bars, "Bar"));
    }
    let minutes: Vec<_> = seen.iter().filter(|bar| bar["view"] == minute).collect();
    assert_eq!(minutes[0]["closed"], json!(true));
    assert_eq!(minutes[0]["volume"], json!("4"));
    assert_eq!(
        minutes[1]["openTime"],
        json!((BEGIN + 60 * SECOND).to_string())
    );
    assert_eq!(
        (&minutes[0]["seq"], &minutes[0]["prevSeq"]),
        (&minutes[1]["seq"], &minutes[1]["prevSeq"])
    );
}

#[test]
fn lists_and_wildcards_select_their_instruments() {
    let turn = broker::turn();
    let topic = "channels-lists";
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    let names = ["T:A", "T:B", "U:C", "U:D"];
    let records: Vec<_> = names.iter().map(|name| trade(name, 1, "10", "1")).collect();
    kafka.produce(topic, 0, &records);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .more("[[lists]]\nname = \"majors\"\ninstruments = [\"T:*\", \"U:D\"]");
    let node = Node::start(&settings);
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let symbols = |results: &Value| -> Vec<String> {
        let results = results.as_array().unwrap().iter();
        results
            .map(|result| result["stream"]["symbol"].as_str().unwrap().to_owned())
            .collect()
    };
    socket.request(r#"{"op":"subscribe","streams":[{"channel":"trades","symbol":"list:majors"}]}"#);
    assert_eq!(symbols(&socket.answer()["results"]), ["T:A", "T:B", "U:D"]);
    socket.request(r#"{"op":"subscribe","streams":[{"channel":"trades","symbol":"U:*"}]}"#);
    let answer = socket.answer();
    assert_eq!(symbols(&answer["results"]), ["U:C", "U:D"]);
    assert_eq!(
        answer["results"][1]["error"]["code"],
        json!("already_subscribed")
    );
    socket.request(r#"{"op":"subscribe","streams":[{"channel":"trades","symbol":"list:minors"}]}"#);
    assert_eq!(
        socket.answer()["results"][0]["error"]["code"],
        json!("unknown_symbol")
    );
    socket.request(r#"{"op":"list","match":"list:majors"}"#);
    let listed = socket.answer();
    let listed = listed["instruments"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert!(
        listed[0]["channels"]
            .as_array()
            .unwrap()
            .contains(&json!("bars"))
    );
    socket
        .request(r#"{"op":"unsubscribe","streams":[{"channel":"trades","symbol":"list:majors"}]}"#);
    assert_eq!(symbols(&socket.answer()["results"]), ["T:A", "T:B", "U:D"]);
}
