//! The pages for people who look at what was measured, and the same for programs under `/api/v1`.

mod events;
mod guard;
mod parts;
mod query;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use chrono::Utc;
use parsec_measure::{IdPart, harmless};
use parsec_show::page::form::{Choice, Field, form};
use parsec_show::page::{Frame, Place, SCRIPT, error, style, whole};
use serde_json::{Value, json};

use self::parts::{AGAIN_AFTER_SECONDS, MAX_QUOTED_CHARS, problem};
pub use self::parts::{Access, Viewing};
use self::query::{Query, Wanted};
use super::refusal::wrong_method;
use crate::supervision::ask::AskError;
use crate::viewing::archive::Look;
use crate::viewing::question::{Answer, Question, Seen, Unanswered};

/// What programs can ask: `openapi.json` describes it.
const OPENAPI: &str = include_str!("openapi.json");

/// The pages that have a document.
const PLACES: [Place; 5] = [Place::Overview, Place::Measurements, Place::Compare, Place::Peers, Place::Incidents];

const READ: &[Method] = &[Method::GET, Method::HEAD];

pub(super) fn configure(config: &mut ServiceConfig) {
    let mut scope = web::scope("").wrap(from_fn(guard::guarded));
    for place in PLACES {
        let shown =
            move |request: HttpRequest, viewing: Data<Viewing>| async move { page(place, &request, &viewing).await };
        scope = scope.service(read(place.path(), shown));
    }
    for (_, resource) in for_programs() {
        scope = scope.service(resource);
    }
    let scope = scope
        .service(read("/operations/{id}", operation))
        .service(read("/page.css", || async {
            HttpResponse::Ok().content_type("text/css; charset=utf-8").body(style())
        }))
        .service(read("/page.js", || async {
            HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(SCRIPT)
        }))
        .default_service(web::to(|request: HttpRequest, viewing: Data<Viewing>, body| async move {
            if READ.contains(request.method()) {
                not_there(&request, &viewing)
            } else {
                wrong_method(request, body, READ).await
            }
        }));
    config.service(scope);
}

/// Every route for programs, under its path.
fn for_programs() -> Vec<(String, Resource)> {
    let mut routes = Vec::new();
    for place in PLACES {
        let name = if place == Place::Overview { "/overview" } else { place.path() };
        let shown = move |request: HttpRequest, viewing: Data<Viewing>| async move {
            document(place, &request, &viewing).await
        };
        let path = format!("/api/v1{name}");
        routes.push((path.clone(), read(&path, shown)));
    }
    macro_rules! route {
        ($path:literal, $handler:expr) => {
            routes.push(($path.to_owned(), read($path, $handler)))
        };
    }
    route!("/api/v1/operations", operations);
    route!("/api/v1/operations/{id}", operation_document);
    route!("/api/v1/operations/{id}/perfetto", perfetto);
    route!("/api/v1/events", events::events);
    route!("/api/v1/openapi.json", || async { HttpResponse::Ok().content_type("application/json").body(OPENAPI) });
    routes
}

impl Viewing {
    /// The paths of all routes for programs, and the file that describes them.
    pub fn for_programs() -> (Vec<String>, &'static str) {
        (for_programs().into_iter().map(|(path, _)| path).collect(), OPENAPI)
    }
}

/// Something that is only read.
fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: actix_web::Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|request, body| wrong_method(request, body, READ)))
}

impl Viewing {
    async fn ask(&self, question: Question) -> Result<Seen, Unanswered> {
        match self.look.ask(Look(question)).await {
            Ok(seen) => seen,
            Err(AskError::Busy(_)) => Err(Unanswered::Busy),
            Err(error) => Err(Unanswered::Failed(error.to_string())),
        }
    }
}

fn status(why: &Unanswered) -> StatusCode {
    match why {
        Unanswered::NotFound(_) => StatusCode::NOT_FOUND,
        Unanswered::Unanswerable(_) | Unanswered::TooMany(_) => StatusCode::BAD_REQUEST,
        Unanswered::Counting
        | Unanswered::Busy
        | Unanswered::TooLong(_)
        | Unanswered::Away(_)
        | Unanswered::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A sentence begins with a capital letter and ends with a full stop.
fn sentence(text: &str) -> String {
    let text = harmless(text, 512);
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}{}", letters.as_str(), if text.ends_with(['.', '…']) { "" } else { "." })
}

async fn page(place: Place, request: &HttpRequest, viewing: &Viewing) -> HttpResponse {
    let query = match Query::read(place, request.query_string()) {
        Ok(query) => query,
        Err(reason) => return refused(viewing, place, StatusCode::BAD_REQUEST, &reason),
    };
    let asked = viewing.ask(query.question(place)).await;
    let name = if place == Place::Overview { "/overview" } else { place.path() };
    let document = format!("/api/v1{name}{}", query.written());
    shown(viewing, place, asked, Some(&query), &document)
}

async fn operation(id: Path<String>, viewing: Data<Viewing>) -> HttpResponse {
    let asked = match id.parse::<IdPart>() {
        Ok(part) => viewing.ask(Question::Operation(part)).await,
        Err(error) => Err(Unanswered::NotFound(error.to_string())),
    };
    let document = asked.as_ref().ok().and_then(|seen| seen.answer.document["id"].as_str());
    let document = document.map(|id| format!("/api/v1/operations/{id}")).unwrap_or_default();
    shown(&viewing, Place::Operation, asked, None, &document)
}

/// A page with its answer, with an older one and why, or with why there is none.
fn shown(
    viewing: &Viewing,
    place: Place,
    asked: Result<Seen, Unanswered>,
    query: Option<&Query>,
    document: &str,
) -> HttpResponse {
    let (answer, because) = match &asked {
        Ok(seen) => (Some(&*seen.answer), seen.because.as_ref()),
        Err(because) => (None, Some(because)),
    };
    let is_counting = because == Some(&Unanswered::Counting);
    let notice = because.map(|because| sentence(&because.to_string()));
    let age = answer.map(|answer| (Utc::now() - answer.at).num_seconds().max(0));
    let counted = age.map(|age| if age < 2 { "Read just now.".to_owned() } else { format!("Read {age} s ago.") });
    let again = matches!(because, Some(Unanswered::Counting | Unanswered::Busy | Unanswered::Away(_)));
    let frame = Frame {
        place: Some(place),
        notice: notice.as_deref(),
        again_after: (again && (answer.is_none() || is_counting)).then_some(AGAIN_AFTER_SECONDS),
        form: query.and_then(|query| filled_in(place, query, answer)),
        document: (!document.is_empty()).then_some(document),
        counted: counted.as_deref(),
        version: &viewing.version,
    };
    let html = whole(&frame, answer.map_or("", |answer| &answer.html));
    let code = if answer.is_some() || is_counting { StatusCode::OK } else { because.map_or(StatusCode::OK, status) };
    HttpResponse::build(code).content_type("text/html; charset=utf-8").body(html)
}

fn refused(viewing: &Viewing, place: Place, code: StatusCode, reason: &str) -> HttpResponse {
    let frame = Frame { place: Some(place), version: &viewing.version, ..Frame::default() };
    let html = whole(&frame, &error(&sentence(reason)));
    HttpResponse::build(code).content_type("text/html; charset=utf-8").body(html)
}

fn not_there(request: &HttpRequest, viewing: &Viewing) -> HttpResponse {
    let path = harmless(request.path(), MAX_QUOTED_CHARS);
    let reason = format!("nothing is served at `{path}`");
    if path.starts_with("/api/") {
        return problem(StatusCode::NOT_FOUND, &reason);
    }
    let html = whole(&Frame { version: &viewing.version, ..Frame::default() }, &error(&sentence(&reason)));
    HttpResponse::NotFound().content_type("text/html; charset=utf-8").body(html)
}

/// What can be chosen on a page, as it is chosen.
fn filled_in(place: Place, query: &Query, answer: Option<&Answer>) -> Option<String> {
    if place == Place::Overview {
        return None;
    }
    let known = answer.map(|answer| answer.known.clone()).unwrap_or_default();
    let choice = |name: &'static str, label, known: &Vec<String>, all| Choice {
        name,
        label,
        chosen: query.text(name).to_owned(),
        known: known.clone(),
        all,
    };
    let mut choices = Vec::new();
    if place == Place::Compare {
        choices.push(choice("a", "Compare with fleet", &known.fleets, "the first"));
        choices.push(choice("b", "Fleet", &known.fleets, "another"));
    } else if place != Place::Incidents {
        choices.push(choice("network", "Network", &known.networks, "all"));
    }
    if place != Place::Compare {
        choices.push(choice("fleet", "Fleet", &known.fleets, "all"));
    }
    choices.push(choice("region", "Region", &known.regions, "all"));
    if !matches!(place, Place::Compare | Place::Incidents) {
        choices.push(choice("strategy", "Strategy", &known.strategies, "all"));
    }
    let kinds = ["provide", "retrieve"].map(str::to_owned).to_vec();
    choices.push(choice("kind", "Kind", &kinds, "both"));
    let since = if matches!(place, Place::Peers | Place::Incidents) { "24h" } else { "7d" };
    let field = |name, label, placeholder| Field { name, label, value: query.text(name).to_owned(), placeholder };
    Some(form(place, &choices, &[field("since", "Since", since), field("until", "Until", "now")]))
}

async fn document(place: Place, request: &HttpRequest, viewing: &Viewing) -> HttpResponse {
    match Query::read(place, request.query_string()) {
        Ok(query) => json_of(viewing.ask(query.question(place)).await),
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn operations(request: HttpRequest, viewing: Data<Viewing>) -> HttpResponse {
    match Query::read_as(Wanted::Operations, request.query_string()) {
        Ok(query) => json_of(viewing.ask(query.operations()).await),
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

async fn operation_document(id: Path<String>, viewing: Data<Viewing>) -> HttpResponse {
    match id.parse::<IdPart>() {
        Ok(part) => json_of(viewing.ask(Question::Operation(part)).await),
        Err(error) => problem(StatusCode::NOT_FOUND, &error.to_string()),
    }
}

async fn perfetto(id: Path<String>, viewing: Data<Viewing>) -> HttpResponse {
    let Ok(part) = id.parse::<IdPart>() else {
        return problem(StatusCode::NOT_FOUND, "this is no id of an operation");
    };
    match viewing.ask(Question::Operation(part)).await {
        Ok(Seen { answer, .. }) => match &answer.trace {
            Some(trace) => HttpResponse::Ok()
                .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"trace.json\""))
                .content_type("application/json")
                .body(parsec_show::json(trace)),
            None => problem(StatusCode::NOT_FOUND, "the trace of this operation was not kept, or has been pruned"),
        },
        Err(why) => problem(status(&why), &why.to_string()),
    }
}

/// The newest document that there is; programs are told by `stale` if it should be newer.
fn json_of(asked: Result<Seen, Unanswered>) -> HttpResponse {
    match asked {
        Ok(Seen { answer, because }) => {
            let mut document = answer.document.clone();
            if let Value::Object(members) = &mut document {
                members.insert("stale".to_owned(), json!(because.map(|because| because.to_string())));
            }
            HttpResponse::Ok().content_type("application/json").body(parsec_show::json(&document))
        }
        Err(why) => problem(status(&why), &why.to_string()),
    }
}
