//! The page and the report in a real browser, as people have them before them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use parsec_generator::History;
use parsec_measure::{NodeId, OperationKind, OutcomeClass, Round, SchedulerId, Share};
use parsec_store::{Listing, Order, Row, Selection, Store};
use parsec_test_support::SqliteFile;
use parsec_test_support::postgres::{Postgres, Shutdown};
use serde_json::json;

use crate::driver::{Browser, ENTER, TAB};
use crate::page::page;
use crate::process::{Process, ask};
use crate::recorded::{self, generated, identity, measured, node};
use crate::stage::Stage;

/// How long a test may take: a browser that starts for the first time reads hundreds of megabytes.
const WITH_A_BROWSER: Duration = Duration::from_secs(180);

/// What axe-core is: `.ci/run` puts it there. It is too large for a repository.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/axe-core/axe.min.js");

/// Two days of three fleets, up to now, with traces.
fn history() -> History {
    let traces = Some(Share::new(0.2).unwrap());
    History { operations: 2_100, days: 2, end: Utc::now() - TimeDelta::minutes(5), traces, ..History::default() }
}

/// A browser before a page that shows a database.
struct Scene {
    stage: Stage,
    browser: Browser,
    /// Where the page is.
    at: String,
    database: SqliteFile,
    _page: Process,
}

impl Scene {
    async fn set() -> Self {
        let (stage, database) = (Stage::lasting(WITH_A_BROWSER), parsec_test_support::sqlite_file());
        generated(&database.url(), history()).await;
        let (_page, at) = page(&stage, &database.url(), &[]).await;
        let browser = Browser::start(&stage).await;
        Self { stage, browser, at, database, _page }
    }

    /// Opens a page, and waits until what it shows is counted.
    async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.at)).await;
        self.browser
            .sees("document.readyState === 'complete' && !document.querySelector('meta[http-equiv=refresh]')")
            .await;
    }

    /// An operation whose trace is kept.
    async fn traced(&self) -> String {
        let traces = parsec_store::open_traces(&self.database.url().parse().unwrap()).await.unwrap();
        let (selection, outcomes, order) = (Selection::default(), Vec::new(), Order::Slowest);
        let listed = traces.list(&Listing { selection, outcomes, order, limit: 1 }).await.unwrap().rows;
        listed[0].attempt.id.0.to_string()
    }

    /// The page of one operation, and all others.
    async fn pages(&self) -> Vec<String> {
        let all = ["/", "/measurements", "/compare", "/peers", "/incidents"].map(str::to_owned);
        all.into_iter().chain([format!("/operations/{}", self.traced().await)]).collect()
    }

    /// A report on the same database, as a file; where it is for a browser.
    async fn report(&self) -> String {
        let (path, url) = self.browser.file("report.html");
        let ended =
            ask(&self.stage, &["report", "--since", "1d", "--output", &path, "--database-url", &self.database.url()])
                .await;
        assert_eq!(ended.code(), 0, "{}", ended.err);
        url
    }

    /// Nothing was complained about, and nobody else was asked for anything.
    async fn is_quiet(&self) {
        assert_eq!(self.browser.console().await, Vec::<String>::new());
        // The browser's own first page asks the browser itself.
        let own = ["data:", "file:", "about:", "chrome:", "chrome-untrusted:"];
        let ours = |url: &String| url.starts_with(&self.at) || own.iter().any(|scheme| url.starts_with(scheme));
        let others: Vec<_> = self.browser.requests().await.into_iter().filter(|url| !ours(url)).collect();
        assert_eq!(others, Vec::<String>::new());
    }
}

/// Records an attempt that is made now.
async fn measure(store: &dyn Store, scheduler: SchedulerId, server: NodeId) -> String {
    let now = Utc::now();
    let round: Round = recorded::round(identity(now, 1), scheduler, "default", server, now);
    let result = measured(OutcomeClass::Ok, Duration::from_millis(1_234));
    let attempt = recorded::attempt(identity(now, 2), &round, server, OperationKind::Provide, result);
    let id = attempt.id.0.to_string();
    store.record(&[Row::Round(round), Row::Attempt(attempt)]).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn what_is_measured_meanwhile_is_seen_and_leads_to_what_it_did() {
    let scene = Scene::set().await;
    let browser = &scene.browser;
    scene.open("/").await;
    browser.run("window.untouched = true", &[]).await;
    let store = parsec_store::connect(&scene.database.url().parse().unwrap()).await.unwrap();
    let server = store.register_node(node("default", "eu-central-1")).await.unwrap();
    let scheduler = recorded::scheduler(&*store, "default", Utc::now()).await;
    let id = measure(&*store, scheduler, server).await;
    browser.sees(&format!("document.getElementById('a-{id}')")).await;
    let row =
        browser.run("return [window.untouched, document.querySelector('#attempts tbody tr').innerText]", &[]).await;
    assert!(row[0] == json!(true) && row[1].as_str().unwrap().contains("1.23 s"), "without a reload: {row}");
    browser.run(&format!("document.querySelector('#a-{id} a').click()"), &[]).await;
    browser.sees(&format!("location.pathname === '/operations/{id}'")).await;
    scene.open(&format!("/operations/{}", scene.traced().await)).await;
    let drawn =
        browser.run("return [document.querySelectorAll('svg.chart').length, document.body.innerText]", &[]).await;
    assert!(drawn[0] == json!(1) && drawn[1].as_str().unwrap().contains("What its time went to"), "{drawn}");

    scene.open("/measurements?since=1d").await;
    browser.sees("document.getElementById('news').hidden").await;
    let figures = browser.run("return document.getElementById('figures').innerText", &[]).await;
    measure(&*store, scheduler, server).await;
    browser.sees("document.getElementById('news').innerText.startsWith('1 attempt has been recorded since')").await;
    let same = browser.run("return document.getElementById('figures').innerText", &[]).await;
    assert_eq!(same, figures, "what somebody reads does not change under their eyes");
    browser.run("document.querySelector('#news a').click()", &[]).await;
    browser.sees("document.readyState === 'complete' && document.getElementById('news').hidden").await;
    scene.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn a_choice_stands_in_the_address_and_data_can_be_saved() {
    let scene = Scene::set().await;
    let browser = &scene.browser;
    scene.open("/measurements?since=1d").await;
    browser.run("document.querySelector('select[name=fleet]').focus()", &[]).await;
    browser.press(&["o", "p", "t", "p", "r", "o", "v"]).await;
    browser.run("document.querySelector('form button').focus()", &[]).await;
    browser.press(&[ENTER]).await;
    browser.sees("location.search.includes('fleet=optprov') && document.readyState === 'complete'").await;
    let shared = browser.address().await;
    browser.open("about:blank").await;
    browser.open(&shared).await;
    browser.sees("document.body.innerText.includes('Publications of optprov')").await;
    let shown = browser.run("return document.body.innerText", &[]).await;
    assert!(!shown.as_str().unwrap().contains("Publications of default"), "{shown}");
    browser
        .run(
            "const link = document.querySelector('a[download]'); link.closest('details').open = true; link.click()",
            &[],
        )
        .await;
    let name = browser.run("return document.querySelector('a[download]').download", &[]).await;
    let table = browser.saved(name.as_str().unwrap()).await;
    assert!(table.starts_with("group,") && table.contains("optprov"), "{table}");
    scene.open("/compare?a=default&b=optprov&since=1d").await;
    let compared = browser.run("return document.body.innerText", &[]).await;
    assert!(compared.as_str().unwrap().contains("optprov is faster than default at p50"), "{compared}");
    scene.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn everything_is_readable_without_script() {
    let scene = Scene::set().await;
    let browser = &scene.browser;
    browser.may_run_script(false).await;
    for (path, says) in [
        ("/", "The last attempts"),
        ("/measurements", "At a glance"),
        ("/compare", "fullrt is faster than default at p50"),
    ] {
        scene.open(path).await;
        let text = browser.run("return document.body.innerText", &[]).await;
        assert!(text.as_str().unwrap().contains(says), "no `{says}` at {path}: {text}");
    }
    let asked = browser.requests().await;
    assert!(!asked.iter().any(|url| url.contains("/api/v1/events")), "script ran: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn no_page_is_wider_than_the_screen_and_each_is_dark_where_the_system_is() {
    let scene = Scene::set().await;
    let browser = &scene.browser;
    let mut all: Vec<_> = scene.pages().await.iter().map(|path| format!("{}{path}", scene.at)).collect();
    all.push(scene.report().await);
    for url in all {
        browser.open(&url).await;
        for (width, scheme) in [(390, "light"), (390, "dark"), (1_440, "dark"), (1_440, "light")] {
            browser.look(width, scheme).await;
            let found = browser
                .run(
                    "return [document.documentElement.scrollWidth <= innerWidth, innerWidth, getComputedStyle(document.body).backgroundColor]",
                    &[],
                )
                .await;
            let ground = if scheme == "dark" { "rgb(21, 24, 28)" } else { "rgb(255, 255, 255)" };
            assert_eq!(found, json!([true, width, ground]), "{url} at {width}, {scheme}");
        }
    }
    scene.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(all(has_chromedriver, has_axe)),
    ignore = "needs Chromium's driver and axe-core, which `.ci/run` installs"
)]
async fn axe_finds_nothing_that_keeps_anybody_out() {
    let scene = Scene::set().await;
    let (browser, axe) = (&scene.browser, std::fs::read_to_string(AXE).unwrap());
    let judge = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((found) => \
                 done([found.passes.length, found.violations.map((rule) => [rule.id, rule.nodes.map((node) => node.html)])]), done)";
    let mut all: Vec<_> = scene.pages().await.iter().map(|path| format!("{}{path}", scene.at)).collect();
    all.push(scene.report().await);
    for url in all {
        for (width, scheme) in [(1_440, "light"), (390, "dark")] {
            browser.look(width, scheme).await;
            browser.open(&url).await;
            browser.sees("!document.querySelector('meta[http-equiv=refresh]')").await;
            browser.run(&axe, &[]).await;
            let found = browser.run_until_done(judge, &[]).await;
            assert!(found[0].as_u64().is_some_and(|rules| rules > 10), "{url}: {found}");
            assert_eq!(found[1], json!([]), "{url} at {width}, {scheme}");
        }
    }
    // It does find what there is.
    browser.run("document.body.append(Object.assign(document.createElement('img'), {src: 'data:,'}))", &[]).await;
    let found = browser.run_until_done(judge, &[]).await;
    assert!(found[1].to_string().contains("image-alt"), "{found}");
}

/// What can be used with the keyboard, in the order in which it stands there: what has the focus, and how it shows it.
const FOCUSED: &str = "const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect(); \
    return [it === document.body ? '' : it.outerHTML.slice(0, 120), parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== 'none', \
    box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0]";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn the_keyboard_alone_reaches_everything_and_shows_where_it_is() {
    let scene = Scene::set().await;
    let browser = &scene.browser;
    for path in scene.pages().await {
        scene.open(&path).await;
        let usable = "return [...document.querySelectorAll('a[href], select, input, button, summary, [tabindex=\"0\"]')] \
                      .filter((it) => it.checkVisibility()).map((it) => it.outerHTML.slice(0, 120))";
        let expected = browser.run(usable, &[]).await;
        for expected in expected.as_array().unwrap() {
            browser.press(&[TAB]).await;
            let found = browser.run(FOCUSED, &[]).await;
            assert_eq!(found, json!([expected, true, true]), "{path}");
        }
    }
    scene.open("/measurements").await;
    browser.press(&[TAB, ENTER]).await;
    browser.sees("location.hash === '#main'").await;
    browser.press(&[TAB]).await;
    let focused = browser.run("return document.activeElement.closest('main') !== null", &[]).await;
    assert_eq!(focused, json!(true), "the skip link leads past the navigation");
    scene.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(has_chromedriver), ignore = "needs Chromium's driver (Debian package `chromium-driver`)")]
async fn a_page_that_is_open_says_that_the_database_is_away_and_goes_on_when_it_is_back() {
    let (stage, postgres) = (Stage::lasting(WITH_A_BROWSER), Postgres::start().await);
    generated(&postgres.url(), History { operations: 210, ..history() }).await;
    let (_page, at) = page(&stage, &postgres.url(), &[]).await;
    let browser = Browser::start(&stage).await;
    browser.open(&format!("{at}/")).await;
    browser.sees("document.querySelectorAll('#attempts tbody tr').length === 20").await;
    postgres.stop(Shutdown::Fast).await;
    browser.sees("!document.getElementById('state').hidden && document.getElementById('state').innerText.includes('database is away')").await;
    browser.sees("document.querySelectorAll('#attempts tbody tr').length === 20").await;
    postgres.start_again().await;
    browser.sees("document.getElementById('state').hidden").await;
    assert_eq!(browser.console().await, Vec::<String>::new());
}
