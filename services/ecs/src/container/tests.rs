use proptest::prelude::*;

use super::*;

/// What the endpoint answers, shortened: network mode, addresses, and what else is asked for.
fn metadata() -> Value {
    serde_json::json!({
        "Name": "curl",
        "Limits": {"CPU": 10, "Memory": 128},
        "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271",
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.100"]}],
    })
}

fn with(field: &str, value: Value) -> Result<Container, BadMetadata> {
    let mut document = metadata();
    document[field] = value;
    document.to_string().parse()
}

#[test]
fn a_container_is_its_limits_its_first_address_and_the_region_of_its_arn() {
    let container: Container = metadata().to_string().parse().unwrap();
    let expected = Container {
        cpu: Some(10),
        memory: Some(128),
        ip: Some([10, 0, 2, 100].into()),
        networks: vec!["awsvpc".to_owned()],
        region: Some("us-west-2".to_owned()),
    };
    assert_eq!(container, expected);
}

#[test]
fn what_is_missing_is_left_open() {
    assert_eq!("{}".parse::<Container>().unwrap(), Container::default());
    let nulls = r#"{"Limits": null, "Networks": null, "ContainerARN": null}"#;
    assert_eq!(nulls.parse::<Container>().unwrap(), Container::default());
    let container = with("Limits", serde_json::json!({"CPU": 2, "Memory": null})).unwrap();
    assert_eq!((container.cpu, container.memory), (Some(2), None));
}

#[test]
fn a_part_of_a_cpu_counts_as_one() {
    let limits = |cpu: f64| with("Limits", serde_json::json!({"CPU": cpu})).unwrap().cpu;
    assert_eq!([0.0, 0.25, 256.0, 256.5, 2_147_483_647.0].map(limits), [0, 1, 256, 257, i32::MAX].map(Some));
}

#[test]
fn an_amount_may_be_text_and_what_cannot_be_one_stands_for_no_limit() {
    let limits = |amount: Value| {
        let container = with("Limits", serde_json::json!({"CPU": amount, "Memory": amount})).unwrap();
        assert_eq!(container.cpu, container.memory, "{amount}");
        container.memory
    };
    for (amount, expected) in [
        (serde_json::json!("256"), Some(256)),
        (serde_json::json!(" 0.25 "), Some(1)),
        (serde_json::json!(512.0), Some(512)),
        (serde_json::json!(9_223_372_036_854_771_712_u64), None),
        (serde_json::json!("9223372036854771712"), None),
        (serde_json::json!(1_i64 << 31), None),
        (serde_json::json!(1e300), None),
        (serde_json::json!(-1), None),
        (serde_json::json!("-1"), None),
        (Value::Null, None),
    ] {
        assert_eq!(limits(amount.clone()), expected, "{amount}");
    }
}

#[test]
fn only_an_awsvpc_network_has_an_address_of_its_own() {
    let network = |mode: &str, addresses: &[&str]| serde_json::json!({"NetworkMode": mode, "IPv4Addresses": addresses});
    let ip = |networks: &[Value]| with("Networks", networks.into()).unwrap().ip.map(|ip| ip.to_string());
    let found = Some("10.0.0.1".to_owned());
    assert_eq!(ip(&[network("bridge", &["172.17.0.2"]), network("awsvpc", &["10.0.0.1", "10.0.0.2"])]), found);
    assert_eq!(ip(&[network("awsvpc", &[]), network("awsvpc", &["10.0.0.1"])]), found);
    assert_eq!(ip(&[network("awsvpc", &["10.0.0.1"]), network("awsvpc", &["10.0.0.2"])]), found);
    assert_eq!(ip(&[network("bridge", &["172.17.0.2"])]), None);
    let six = serde_json::json!({"NetworkMode": "awsvpc", "IPv6Addresses": ["2001:db8::1"]});
    assert_eq!(ip(&[six]), None, "IPv6 only");
    let host = with("Networks", serde_json::json!([network("host", &[""])])).unwrap();
    assert!(host.is_on_host_network() && host.ip.is_none());
}

#[test]
fn a_region_is_taken_off_an_arn_that_is_one() {
    let region = |arn: &str| with("ContainerARN", arn.into()).unwrap().region;
    assert_eq!(region("arn:aws-cn:ecs:cn-north-1:1:container/x").as_deref(), Some("cn-north-1"));
    for arn in ["", "arn:aws:ecs", "arn:aws:ecs::1:x", "x:aws:ecs:us-west-2:1:x", "arn:aws:ecs:US West:1:x"] {
        assert_eq!(region(arn), None, "{arn}");
    }
    assert_eq!(region(&format!("arn:aws:ecs:{}:1:x", "a".repeat(MAX_REGION_CHARS + 1))), None);
    assert_eq!(with("ContainerARN", 7.into()).unwrap().region, None);
}

#[test]
fn a_wrong_field_is_named_with_what_stands_there_and_what_would_be_right() {
    for (field, value, message) in [
        ("Limits", serde_json::json!({"CPU": "ten"}), "`Limits.CPU` is \"ten\"; expected a number".to_owned()),
        ("Limits", serde_json::json!({"CPU": "NaN"}), "`Limits.CPU` is \"NaN\"; expected a number".to_owned()),
        ("Limits", serde_json::json!({"Memory": [1]}), "`Limits.Memory` is [1]; expected a number".to_owned()),
        ("Limits", "much".into(), "`Limits` is \"much\"; expected an object".to_owned()),
        ("Networks", "awsvpc".into(), "`Networks` is \"awsvpc\"; expected an array".to_owned()),
        ("Networks", serde_json::json!([7]), "`Networks` is 7; expected objects in it".to_owned()),
        (
            "Networks",
            serde_json::json!([{}]),
            "`Networks.NetworkMode` is null; expected a text such as awsvpc".to_owned(),
        ),
        (
            "Networks",
            serde_json::json!([{"NetworkMode": "awsvpc", "IPv4Addresses": "10.0.0.1"}]),
            "`Networks.IPv4Addresses` is \"10.0.0.1\"; expected an array".to_owned(),
        ),
        (
            "Networks",
            serde_json::json!([{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.0.256"]}]),
            "`Networks.IPv4Addresses` is \"10.0.0.256\"; expected IPv4 addresses in it".to_owned(),
        ),
    ] {
        assert_eq!(with(field, value).unwrap_err().to_string(), message);
    }
    let long = with("Limits", "x".repeat(1_000_000).into()).unwrap_err().to_string();
    assert!(long.len() < 200, "{} characters", long.len());
    for text in ["", "not found", "<html>", "{\"Limits\":", &"[".repeat(100_000)] {
        let message = text.parse::<Container>().unwrap_err().to_string();
        assert!(message.starts_with("it is not JSON (") && message.contains("ECS metadata endpoint"), "{message}");
    }
    let message = "[]".parse::<Container>().unwrap_err().to_string();
    assert_eq!(message, "`the document` is []; expected an object");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "([{}\\[\\]:,\"]|Limits|Networks|NetworkMode|awsvpc|null|[0-9e.-]){0,40}") {
        let _ = text.parse::<Container>();
    }
}
