//! Argo CD: the scripts below `manifests/argocd`, run by Lua 5.1 as Argo CD runs them, on what the planner wrote.
//!
//! `HEARTH_WRITE=1 cargo test -p hearth-sim --test ecosystem` writes testdata and the tables of tests, which are in the
//! layout of Argo CD's own repository (`resource_customizations`).

use super::situations::ALL;
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib, serde::ser::Options};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

const ACTIONS: [(&str, &str); 6] = [
    ("suspend", "running"),
    ("resume", "suspended"),
    ("cancel", "running"),
    ("rerun", "failed"),
    ("rerun", "template"),
    ("approve", "waiting-for-approval"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/argocd/hearth.dev/Workflow")
}

/// Runs a script with the object as `obj`. Argo CD opens the base library and that of tables, and little else.
fn run(script: &str, object: &Value) -> Value {
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).unwrap();
    let options = Options::new().set_array_metatable(false).serialize_none_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, options).unwrap()).unwrap();
    let source = fs::read_to_string(folder().join(script)).unwrap();
    let answer: mlua::Value = lua.load(source).set_name(script).eval().unwrap_or_else(|e| panic!("{script}: {e}"));
    lua.from_value(answer).unwrap()
}

fn object(name: &str) -> Value {
    ALL.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("no situation {name}")).object()
}

/// Compares a file with what it should hold, or writes it.
fn kept(path: &str, content: &Value) {
    let file = folder().join(path);
    let text = serde_yaml::to_string(content).unwrap();
    if std::env::var_os("HEARTH_WRITE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap_or_default() == text,
        "manifests/argocd/hearth.dev/Workflow/{path} is not as the planner writes it: HEARTH_WRITE=1 cargo test -p hearth-sim --test ecosystem"
    );
}

#[test]
fn every_situation_has_the_health_of_the_table() {
    let mut tests = Vec::new();
    for situation in ALL {
        let object = situation.object();
        let health = run("health.lua", &object);
        assert_eq!(health["status"], situation.argocd, "{}: {health}", situation.name);
        assert!(health["message"].as_str().unwrap().len() > 5, "{}: {health}", situation.name);
        let path = format!("testdata/{}.yaml", situation.name);
        kept(&path, &object);
        tests.push(json!({"healthStatus": health, "inputPath": path}));
    }
    kept("health_test.yaml", &json!({ "tests": tests }));
    assert_eq!(fs::read_dir(folder().join("testdata")).unwrap().count(), ALL.len(), "a file of no situation");
}

#[test]
fn what_the_operator_has_not_seen_yet_is_progressing() {
    let new = json!({"metadata": {"generation": 1}, "spec": {}});
    assert_eq!(run("health.lua", &new)["status"], "Progressing");
    let mut changed = object("succeeded");
    changed["metadata"]["generation"] = json!(7);
    assert_eq!(run("health.lua", &changed)["status"], "Progressing");
    // The API server's default of observedGeneration.
    changed["status"] = json!({"observedGeneration": -1});
    assert_eq!(run("health.lua", &changed)["status"], "Progressing");
}

fn offered(object: &Value) -> Vec<String> {
    let all: Map<String, Value> = serde_json::from_value(run("actions/discovery.lua", object)).unwrap();
    assert_eq!(all.len(), 5, "{all:?}");
    all.into_iter().filter(|(_, action)| action["disabled"] == false).map(|(name, _)| name).collect()
}

#[test]
fn actions_are_offered_when_they_make_sense() {
    for (situation, actions) in [
        ("running", &["cancel", "suspend"][..]),
        ("suspended", &["cancel", "resume"]),
        ("failed", &["rerun", "suspend"]),
        ("template", &["rerun", "suspend"]),
        ("waiting-for-approval", &["approve", "cancel", "suspend"]),
    ] {
        assert_eq!(offered(&object(situation)), actions, "{situation}");
    }
    assert_eq!(offered(&json!({"metadata": {}, "spec": {}})), ["rerun", "suspend"]);
}

#[test]
fn an_action_sets_one_field_of_the_spec() {
    let mut discovery = Vec::new();
    let mut tests = Vec::new();
    for (action, situation) in ACTIONS {
        let before = object(situation);
        assert!(offered(&before).iter().any(|name| name == action), "{action} is not offered when {situation}");
        let after = run(&format!("actions/{action}/action.lua"), &before);
        let mut expected = before.clone();
        let run_id = before["status"]["run"]["id"].clone();
        match action {
            "suspend" => expected["spec"]["suspend"] = json!(true),
            "resume" => expected["spec"]["suspend"] = json!(false),
            "cancel" => expected["spec"]["cancel"] = json!({ "run": run_id }),
            "rerun" => {
                expected["spec"]["rerun"] = json!({"token": format!("after-{}", run_id.as_str().unwrap_or("nothing"))})
            }
            "approve" => expected["spec"]["approve"] = json!([{"step": "gate", "run": run_id}]),
            other => panic!("{other}"),
        }
        assert_eq!(after, expected, "{action} when {situation}");
        // A second time it asks for nothing more.
        assert_eq!(run(&format!("actions/{action}/action.lua"), &after), after, "{action} twice");
        let path = format!("testdata/{situation}-{action}.yaml");
        kept(&format!("actions/{path}"), &after);
        let input = format!("../testdata/{situation}.yaml");
        tests.push(json!({"action": action, "inputPath": input, "expectedOutputPath": path}));
        let all: Map<String, Value> = serde_json::from_value(run("actions/discovery.lua", &before)).unwrap();
        let result: Vec<Value> =
            all.into_iter().map(|(name, a)| json!({"name": name, "disabled": a["disabled"]})).collect();
        discovery.push(json!({"inputPath": input, "result": result}));
    }
    discovery.dedup();
    kept("actions/action_test.yaml", &json!({"discoveryTests": discovery, "actionTests": tests}));
}
