//! A real browser without a window, told what to do through its driver (<https://www.w3.org/TR/webdriver2/>).
//!
//! The protocol is a handful of requests, which are spoken here. The kept clients were weighed: `fantoccini` brings a crate under another
//! licence than ours may have, `thirtyfour` changes the order of all JSON in the workspace, and neither speaks of dark mode, script or logs
//! without commands of one's own.

use std::path::Path;
use std::process::Command;

use parsec_test_support::http::client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::stage::Stage;

/// How a key that has no letter is written: <https://www.w3.org/TR/webdriver2/#keyboard-actions>.
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";

/// A browser with one window.
pub(crate) struct Browser {
    stage: Stage,
    /// Where its driver listens to what is for this browser.
    session: String,
    /// Where it keeps and saves files.
    pub(crate) place: TempDir,
    _driver: Process,
}

impl Browser {
    pub(crate) async fn start(stage: &Stage) -> Self {
        let place = tempfile::tempdir().expect("tests can make a temporary directory");
        let home = place.path().to_str().expect("temporary directories have plain names").to_owned();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Process::run(stage, &[("HOME", &home)], command);
        let port = |line: &str| {
            line.strip_prefix("ChromeDriver was started successfully on port ")?.strip_suffix('.')?.parse().ok()
        };
        let port: u16 = driver.out("the port of the driver", port).await;
        // Through a pipe, the browser ends with its driver, however that ends.
        let args = [
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-dev-shm-usage",
            "remote-debugging-pipe",
            &format!("user-data-dir={home}/profile"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let drivers = format!("http://127.0.0.1:{port}/session");
        let found = tell(stage, &drivers, &wanted).await;
        let id = found["sessionId"].as_str().unwrap_or_else(|| panic!("no browser came: {found}"));
        let session = format!("{drivers}/{id}");
        let browser = Self { stage: stage.clone(), session, place, _driver: driver };
        browser.devtools("Browser.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": home })).await;
        browser
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.tell("url", &json!({ "url": url })).await;
    }

    pub(crate) async fn address(&self) -> String {
        self.run("return location.href", &[]).await.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function's body in the page.
    pub(crate) async fn run(&self, script: &str, args: &[Value]) -> Value {
        self.tell("execute/sync", &json!({ "script": script, "args": args })).await
    }

    /// The same with one that calls its last argument when it is done.
    pub(crate) async fn run_until_done(&self, script: &str, args: &[Value]) -> Value {
        self.tell("execute/async", &json!({ "script": script, "args": args })).await
    }

    /// Waits until an expression holds in the page.
    pub(crate) async fn sees(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        self.stage.eventually(expression, async || (self.run(&script, &[]).await == json!(true)).then_some(())).await;
    }

    /// Presses keys, one after the other.
    pub(crate) async fn press(&self, keys: &[&str]) {
        let strokes =
            keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key })));
        let strokes: Vec<_> = strokes.collect();
        self.tell("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] })).await;
    }

    /// Tells Chromium what WebDriver has no words for: <https://chromedevtools.github.io/devtools-protocol/>.
    pub(crate) async fn devtools(&self, command: &str, params: Value) {
        self.tell("goog/cdp/execute", &json!({ "cmd": command, "params": params })).await;
    }

    /// The window gets this width, and the system's look is this: `light` or `dark`.
    pub(crate) async fn look(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Whether pages may run script of their own from now on.
    pub(crate) async fn may_run_script(&self, may: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !may })).await;
    }

    /// What pages have written to the console since the last time.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.tell("se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// What pages have asked for since the last time.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.tell("se/log", &json!({ "type": "performance" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let asked = |entry: &Value| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let url = message["params"]["request"]["url"].as_str()?;
            (message["method"] == "Network.requestWillBeSent").then(|| url.to_owned())
        };
        entries.iter().filter_map(asked).collect()
    }

    /// Waits for a file that the page saves, and reads it.
    pub(crate) async fn saved(&self, name: &str) -> String {
        let path = self.place.path().join(name);
        self.stage.eventually(name, async || std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty())).await
    }

    /// Where a file of the browser's own directory is.
    pub(crate) fn file(&self, name: &str) -> (String, String) {
        let path = self.place.path().join(name);
        let shown = |path: &Path| path.to_str().expect("temporary directories have plain names").to_owned();
        (shown(&path), format!("file://{}", shown(&path)))
    }

    async fn tell(&self, what: &str, body: &Value) -> Value {
        tell(&self.stage, &format!("{}/{what}", self.session), body).await
    }
}

/// Tells a driver something; its answer has to be one of success.
async fn tell(stage: &Stage, url: &str, body: &Value) -> Value {
    let post = client().post(url).body(body.to_string()).send();
    let answer = stage.in_time(url, post).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let is_well = answer.status().is_success();
    let text = stage.in_time(url, answer.text()).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    assert!(is_well, "{url}: {text}");
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"));
    answer["value"].clone()
}
