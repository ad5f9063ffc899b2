//! `deploy/ecs/`: Terraform, evaluated as far as it depends on nothing that AWS says.

use std::collections::BTreeMap;
use std::process::Command;

use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::{Block, Body, Expression};
use parsec_test_support::stage::Stage;
use serde_json::{Map, Value, json};

use super::binary::Binary;
use super::yaml::{list, members, text, texts};
use super::{Variables, Workload, deploy, dockerfile, files, read};

/// Every file of a folder as one body, as Terraform sees it.
fn module(folder: &str) -> Body {
    let here = deploy("ecs").join(folder);
    let sources = files(&here).into_iter().filter(|path| path.parent() == Some(&here));
    let sources = sources.filter(|path| path.extension().is_some_and(|extension| extension == "tf"));
    let parsed =
        sources.map(|path| hcl::parse(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    parsed.flat_map(Body::into_inner).collect()
}

/// The block of this kind with these labels.
fn block<'a>(module: &'a Body, kind: &str, labels: &[&str]) -> &'a Block {
    let is_it = |block: &&Block| {
        block.identifier() == kind && block.labels().iter().map(|label| label.as_str()).eq(labels.iter().copied())
    };
    module.blocks().find(is_it).unwrap_or_else(|| panic!("no {kind} {labels:?}"))
}

fn attribute<'a>(block: &'a Block, key: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == key).map(|attribute| attribute.expr())
}

fn eval(expression: &Expression, context: &Context<'_>) -> Value {
    let value = expression.evaluate(context).unwrap_or_else(|error| panic!("{expression:?}: {error}"));
    serde_json::to_value(value).unwrap()
}

/// The functions of Terraform that the files call.
fn context<'a>() -> Context<'a> {
    fn merge(args: FuncArgs) -> Result<hcl::Value, String> {
        let maps = args.iter().filter_map(hcl::Value::as_object);
        Ok(hcl::Value::Object(maps.flat_map(|map| map.clone()).collect()))
    }
    fn same(args: FuncArgs) -> Result<hcl::Value, String> {
        Ok(args[0].clone())
    }
    fn tostring(args: FuncArgs) -> Result<hcl::Value, String> {
        Ok(hcl::Value::from(args[0].to_string().trim_matches('"')))
    }
    let one = |function| FuncDef::new(function, [ParamType::Any]);
    let mut context = Context::new();
    context.declare_func("merge", FuncDef::builder().variadic_param(ParamType::object_of(ParamType::Any)).build(merge));
    context.declare_func("jsonencode", one(same));
    context.declare_func("tostring", one(tostring));
    context
}

fn declare(context: &mut Context<'_>, name: &str, value: &Value) {
    context.declare_var(name, hcl::to_value(value).unwrap());
}

/// The variables of the deployment: what the example says, else the defaults.
fn variables() -> Value {
    let example: hcl::Value = hcl::from_str(&read(&deploy("ecs/terraform.tfvars.example"))).unwrap();
    let example = serde_json::to_value(example).unwrap();
    let (module, context) = (module(""), context());
    let declared = module.blocks().filter(|block| block.identifier() == "variable");
    let values: Map<_, _> = declared
        .map(|block| {
            let name = block.labels()[0].as_str();
            let default =
                || eval(attribute(block, "default").unwrap_or_else(|| panic!("the example lacks {name}")), &context);
            let value = example.get(name).cloned().unwrap_or_else(default);
            (name.to_owned(), with_optional(attribute(block, "type").unwrap(), value, &context))
        })
        .collect();
    for (name, _) in members(&example) {
        assert!(values.contains_key(name), "the example sets {name}, which nobody declares");
    }
    Value::Object(values)
}

/// A value with the attributes that its type makes optional and gives a default.
fn with_optional(kind: &Expression, value: Value, context: &Context<'_>) -> Value {
    let Expression::FuncCall(call) = kind else { return value };
    match (call.name.name.as_str(), &call.args[0], value) {
        ("map", kind, Value::Object(members)) => {
            members.into_iter().map(|(name, value)| (name, with_optional(kind, value, context))).collect()
        }
        ("object", Expression::Object(attributes), Value::Object(mut members)) => {
            for (key, kind) in attributes {
                let name = key.to_string();
                match kind {
                    Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                        members.entry(name).or_insert_with(|| eval(&call.args[1], context));
                    }
                    _ => assert!(members.contains_key(&name), "{name} is missing"),
                }
            }
            let declared = |name: &String| attributes.keys().any(|key| key.to_string() == *name);
            assert!(members.keys().all(declared), "{members:?}");
            Value::Object(members)
        }
        (_, _, value) => value,
    }
}

/// `local.…` of the root module.
fn locals(context: &Context<'_>) -> Value {
    let module = module("");
    let locals = block(&module, "locals", &[]).body().attributes();
    Value::Object(locals.map(|attribute| (attribute.key().to_owned(), eval(attribute.expr(), context))).collect())
}

/// The containers of a task definition.
fn task(module: &Body, name: &str, context: &Context<'_>) -> Vec<Value> {
    let task = block(module, "resource", &["aws_ecs_task_definition", name]);
    let volume = task.body().blocks().find(|block| block.identifier() == "volume").expect("a place for the spool");
    assert_eq!(eval(attribute(volume, "name").unwrap(), context), "spool");
    list(&eval(attribute(task, "container_definitions").unwrap(), context)).to_vec()
}

/// What ECS would run in one region: the servers by fleet, and the schedulers by what they measure.
fn containers(variables: &Value) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let group = |name: &str| json!({name: {"name": "a group"}});
    let mut root = context();
    declare(&mut root, "var", variables);
    let local = locals(&root);
    declare(&mut root, "local", &local);
    declare(&mut root, "aws_cloudwatch_log_group", &group("schedulers"));
    let one = |mut containers: Vec<Value>| (containers.len() == 1).then(|| containers.remove(0)).unwrap();
    let scheduler = |fleets: String| {
        let mut context = root.clone();
        declare(&mut context, "each", &json!({"key": fleets, "value": fleets}));
        let container = one(task(&module(""), "scheduler", &context));
        (fleets, container)
    };
    let schedulers = texts(&variables["schedulers"]).into_iter().map(scheduler).collect();

    // What the root hands to the module of a region.
    let (name, network) = members(&variables["regions"]).next().unwrap();
    declare(&mut root, "each", &json!({"key": name, "value": network}));
    declare(&mut root, "aws_iam_role", &json!({"execution": {"arn": "a role"}}));
    let (outer, inner) = (module(""), module("region"));
    let handed = block(&outer, "module", &["region"]).body().attributes();
    let handed = handed.filter(|attribute| !["source", "for_each"].contains(&attribute.key()));
    let handed: Map<_, _> =
        handed.map(|attribute| (attribute.key().to_owned(), eval(attribute.expr(), &root))).collect();
    let asked: Vec<_> = inner
        .blocks()
        .filter(|block| block.identifier() == "variable")
        .map(|block| block.labels()[0].as_str())
        .collect();
    assert!(handed.keys().all(|name| asked.contains(&name.as_str())) && handed.len() == asked.len(), "{asked:?}");

    let server = |(fleet, shape): (&String, &Value)| {
        let mut context = context();
        declare(&mut context, "var", &Value::Object(handed.clone()));
        declare(&mut context, "each", &json!({"key": fleet, "value": shape}));
        declare(&mut context, "aws_cloudwatch_log_group", &group("servers"));
        (fleet.clone(), one(task(&inner, "server", &context)))
    };
    (members(&variables["fleets"]).map(server).collect(), schedulers)
}

fn workload(at: &str, container: &Value) -> Workload {
    let pair = |entry: &Value, value: &str| (text(&entry["name"]).to_owned(), text(&entry[value]).to_owned());
    let mut environment: Variables = dockerfile::image().environment;
    environment.extend(list(&container["environment"]).iter().map(|entry| pair(entry, "value")));
    // What stands at the ARN is as good a password as the ARN.
    environment.extend(list(&container["secrets"]).iter().map(|entry| pair(entry, "valueFrom")));
    Workload { at: at.to_owned(), args: texts(&container["command"]), environment }
}

#[tokio::test]
async fn the_binary_takes_the_tasks_of_every_fleet_and_scheduler() {
    let stage = Stage::begin();
    let binary = Binary::new(&stage).await;
    let variables = variables();
    let (servers, schedulers) = containers(&variables);
    assert_eq!(servers.keys().collect::<Vec<_>>(), ["default", "fullrt", "optprov"]);
    assert_eq!(servers.keys().collect::<Vec<_>>(), schedulers.keys().collect::<Vec<_>>());
    for (fleet, container) in &servers {
        let workload = workload(&format!("server of {fleet}"), container);
        binary.takes(&workload).await;
        assert_eq!(workload.environment["PARSEC_SERVER_FLEET"], *fleet);
        assert_eq!(workload.environment["AWS_REGION"], *members(&variables["regions"]).next().unwrap().0);
        let health = texts(&container["healthCheck"]["command"]);
        assert_eq!(health[0], "CMD");
        let asked = binary.asks_for_health(fleet, &health[1..]).await;
        assert_eq!(asked.to_string(), workload.environment["PARSEC_SERVER_SERVER_PORT"]);
    }
    for (fleets, container) in &schedulers {
        let workload = workload(&format!("scheduler of {fleets}"), container);
        binary.takes(&workload).await;
        assert_eq!(workload.environment["PARSEC_SCHEDULER_FLEETS"], *fleets);
    }
}

#[test]
fn rows_that_wait_outlive_the_container() {
    let (servers, schedulers) = containers(&variables());
    for (name, container) in servers.iter().chain(&schedulers) {
        let mount = &list(&container["mountPoints"])[0];
        assert_eq!((text(&mount["sourceVolume"]), &mount["readOnly"]), ("spool", &Value::Bool(false)), "{name}");
        assert_eq!(mount["containerPath"], dockerfile::image().volume, "{name}");
    }
}

#[test]
fn the_password_is_a_secret_and_no_setting() {
    let (servers, schedulers) = containers(&variables());
    for (name, container) in servers.iter().chain(&schedulers) {
        let names =
            |key: &str| list(&container[key]).iter().map(|entry| text(&entry["name"]).to_owned()).collect::<Vec<_>>();
        assert_eq!(names("secrets"), ["PARSEC_DATABASE_PASSWORD"], "{name}");
        assert!(!names("environment").contains(&"PARSEC_DATABASE_PASSWORD".to_owned()), "{name}");
        assert_eq!(container["readonlyRootFilesystem"], true, "{name}");
        assert!(container["stopTimeout"].as_u64() >= Some(super::ORDERLY_STOP), "{name}");
    }
}

#[test]
fn the_ports_of_tasks_and_security_groups_are_those_of_the_image() {
    let exposed = dockerfile::image().exposed;
    let (servers, schedulers) = containers(&variables());
    for (name, container) in &servers {
        let mut ports: Vec<_> = list(&container["portMappings"])
            .iter()
            .map(|port| format!("{}/{}", port["containerPort"], text(&port["protocol"])))
            .collect();
        ports.sort();
        let mut expected = exposed.clone();
        expected.sort();
        assert_eq!(ports, expected, "{name}");
    }
    assert!(schedulers.values().all(|container| container["portMappings"][0]["containerPort"] == 6666));

    let region = module("region");
    let context = context();
    let mut open = BTreeMap::new();
    for rule in region.blocks().filter(|block| {
        block.labels().first().is_some_and(|label| label.as_str() == "aws_vpc_security_group_ingress_rule")
    }) {
        let number = |key| eval(attribute(rule, key).unwrap(), &context).as_u64().unwrap();
        assert_eq!(number("from_port"), number("to_port"));
        let who = format!("{:?}", attribute(rule, "for_each").unwrap());
        open.insert(number("from_port"), (attribute(rule, "cidr_ipv4").unwrap().clone(), who));
    }
    assert_eq!(open.keys().copied().collect::<Vec<_>>(), [4001, 6666, 7070]);
    let anybody = Expression::from("0.0.0.0/0");
    assert!(open[&4001].0 == anybody && open[&4001].1.contains("tcp") && open[&4001].1.contains("udp"));
    assert!(open[&7070].0 != anybody && open[&7070].1.contains("scheduler_cidrs"), "{:?}", open[&7070]);
    assert!(open[&6666].0 != anybody && open[&6666].1.contains("metrics_cidrs"), "{:?}", open[&6666]);
}

#[test]
fn the_example_has_three_fleets_in_seven_regions() {
    let variables = variables();
    assert_eq!((members(&variables["fleets"]).count(), members(&variables["regions"]).count()), (3, 7));
    let known: Vec<_> = parsec_lab::Region::ALL.iter().map(ToString::to_string).collect();
    assert!(members(&variables["regions"]).all(|(name, _)| known.contains(name)));
    assert!(members(&variables["regions"]).any(|(name, _)| variables["scheduler_region"] == **name));
}

#[test]
fn every_resource_of_a_region_says_that_it_stands_there() {
    let region = module("region");
    for block in region.blocks().filter(|block| block.identifier() == "resource") {
        assert!(attribute(block, "region").is_some(), "{:?} would stand in the provider's region", block.labels());
    }
}

#[test]
#[cfg_attr(not(has_terraform), ignore = "needs terraform")]
fn terraform_would_write_the_files_so() {
    let output =
        Command::new("terraform").args(["fmt", "-check", "-recursive", "-diff"]).arg(deploy("ecs")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}
