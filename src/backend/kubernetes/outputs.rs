//! What a pod hands out: who gets the helper, and what is read of it at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Api;
use kube::api::LogParams;
use serde_json::{Map, Value};

use super::containers::{self, MAIN};
use super::due::Due;
use super::fault::Refusal;
use super::helper::{self, BadReport, Needs, Report, Said, Trailer, Turn};
use super::json::list;
use super::kinds::Pod;
use super::logs::Lines;
use crate::backend::kubernetes::fault::{Trouble, trouble};
use crate::backend::tries::Tries;
use crate::base::limits::TRAILER_TRIES_MAX;
use crate::engine::{Phase, PodEnd, PodReport, PodRequest};
use crate::spec;

/// How long a log may lag behind the end of its container before it is read again.
const LOG_LAG: Duration = Duration::from_millis(300);

/// Has the helper run what it must in a complete pod spec: the main container when it hands
/// something out, containers of a set that wait for each other or try again, and every sidecar.
/// Returns whether anything needs it.
pub(super) fn wrap(spec: &mut Value, request: &PodRequest, config_map: &str) -> Result<bool, Refusal> {
    let Some(spec) = spec.as_object_mut() else { return Ok(false) };
    let sidecars = wrap_sidecars(spec);
    let work = wrap_work(spec, request)?;
    if sidecars || work {
        list(spec, "volumes").push(helper::volume(config_map));
        place(spec);
    }
    Ok(sidecars || work)
}

fn wrap_work(spec: &mut Map<String, Value>, request: &PodRequest) -> Result<bool, Refusal> {
    let needs = Needs::of(&request.template, request.capture_result);
    let turns = turns(&request.template, &needs)?;
    let count = list(spec, "containers").len() + spec.get("initContainers").map_or(0, count);
    let mut is_used = false;
    for container in list(spec, "containers") {
        let name = container["name"].as_str().unwrap_or_default();
        let needs = if name == MAIN { needs.clone() } else { Needs::default() };
        let turn = turns.get(name).cloned().unwrap_or_default();
        if !needs.is_empty() || !turn.is_empty() {
            helper::wrap_worker(container, &needs, &turn, count)
                .map_err(|why| Refusal::NoHelper { help: why.help(), why: why.to_string() })?;
            is_used = true;
        }
    }
    if turns.values().any(Turn::has_marks) {
        list(spec, "volumes").push(helper::turn_volume());
    }
    Ok(is_used)
}

/// Returns the turns of the containers of a set, by name; none of other templates.
fn turns(template: &spec::Template, needs: &Needs) -> Result<BTreeMap<String, Turn>, Refusal> {
    let Some(set) = &template.container_set else { return Ok(BTreeMap::new()) };
    let tries = Tries::of(set.retry_strategy.as_ref()).map_err(|why| Refusal::NoTries { why })?;
    Ok(containers::of_set(template).into_iter().zip(Turn::of(set, needs, tries)).collect())
}

fn count(containers: &Value) -> usize {
    containers.as_array().map_or(0, Vec::len)
}

fn wrap_sidecars(spec: &mut Map<String, Value>) -> bool {
    let Some(before) = spec.get_mut("initContainers").and_then(Value::as_array_mut) else { return false };
    let sidecars = before.iter_mut().filter(|container| container["restartPolicy"] == "Always");
    // Each is wrapped, so that the answer must not cut the loop short.
    sidecars.fold(false, |any, sidecar| helper::wrap_sidecar(sidecar) | any)
}

/// The helper is a program for one kind of machine; users who chose a kind know better.
fn place(spec: &mut Map<String, Value>) {
    let selector = spec.entry("nodeSelector").or_insert_with(|| Value::Object(Map::new()));
    if let Some(selector) = selector.as_object_mut() {
        let (label, value) = helper::ARCHITECTURE;
        selector.entry(label).or_insert_with(|| value.into());
    }
}

/// Reads what an ended pod hands out, from the last words of its main container or from its log.
pub(super) async fn collect(
    pods: Api<Pod>,
    pod: String,
    due: Due,
    end: PodEnd,
    words: Option<String>,
) -> Result<PodReport, kube::Error> {
    let needs = due.needs();
    let report = match helper::read_message(words.as_deref().unwrap_or_default(), &needs) {
        Ok(Said::Report(report)) => Ok(Some(report)),
        Ok(Said::InLog(trailer)) => from_log(&pods, &pod, &trailer, &needs).await?.map(Some),
        Ok(Said::Nothing) => Ok(None),
        Err(bad) => Err(bad),
    };
    Ok(completed(report, &needs, end))
}

/// A pod that ended well without its outputs did not end well; the others have their reason already.
fn completed(report: Result<Option<Report>, BadReport>, needs: &Needs, end: PodEnd) -> PodReport {
    match report {
        Ok(Some(report)) => PodReport::Ended(report.complete(needs, end)),
        _ if end.phase != Phase::Succeeded => PodReport::Ended(end),
        Ok(None) => PodReport::Lost { message: "the pod ended well and told nothing of its outputs".to_owned() },
        Err(bad) => PodReport::Lost { message: bad.to_string() },
    }
}

/// Reads a report from the end of a log: first where it should be, then from the whole log, since
/// what a command wrote to standard output may come after the report, which goes to standard error;
/// and again when the log lags behind.
async fn from_log(
    pods: &Api<Pod>,
    pod: &str,
    trailer: &Trailer,
    needs: &Needs,
) -> Result<Result<Report, BadReport>, kube::Error> {
    let mut report = Err(BadReport::LogCut);
    for attempt in 0..TRAILER_TRIES_MAX {
        let tail = (attempt == 0).then(|| trailer.tail_lines());
        report = match read_trailer(pods, pod, trailer.clone(), tail).await {
            Ok(trailer) => trailer.finish(needs),
            // The pod was deleted in between: what it handed out is lost.
            Err(error) if trouble(&error) == Trouble::Missing => return Ok(Err(BadReport::LogCut)),
            Err(error) => return Err(error),
        };
        if report.is_ok() {
            break;
        }
        if attempt > 0 {
            tokio::time::sleep(LOG_LAG * 2u32.pow(attempt - 1)).await;
        }
    }
    Ok(report)
}

async fn read_trailer(
    pods: &Api<Pod>,
    pod: &str,
    mut trailer: Trailer,
    tail_lines: Option<usize>,
) -> Result<Trailer, kube::Error> {
    let params = LogParams {
        container: Some(MAIN.to_owned()),
        tail_lines: tail_lines.and_then(|lines| i64::try_from(lines).ok()),
        ..LogParams::default()
    };
    let mut lines = Lines::new(pods.log_stream(pod, &params).await?);
    while !trailer.is_whole() {
        match lines.next().await.map_err(kube::Error::ReadEvents)? {
            Some(line) => trailer.push(&line),
            None => break,
        }
    }
    Ok(trailer)
}
