//! Writing texts in pieces: idempotent, since a piece of a name never has another content.

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};

use super::objects::{self, Owner};
use super::pieces;
use super::read::Reader;
use crate::backend::kubernetes::{ApiError, ApiErrorKind};

/// How often a name is taken from an earlier run's leftovers, which the cluster removes meanwhile.
const TRIES_MAX: usize = 4;

/// Writes a text that is cut into `cut`, several pieces at once; all are there when it returns `Ok`.
pub(super) async fn upload(
    reader: &Reader,
    owner: &Owner,
    kind: &str,
    cut: Vec<Vec<u8>>,
    name: impl Fn(usize) -> String,
) -> Result<(), ApiError> {
    let count = cut.len();
    let pieces = cut.into_iter().enumerate();
    let creates =
        pieces.map(|(index, bytes)| create(reader, owner, objects::piece(owner, kind, name(index), count, bytes)));
    try_join_all(creates).await.map(drop)
}

/// Reads a text whose first piece says how many there are; none when a piece is missing.
pub(super) async fn download(
    maps: &Api<ConfigMap>,
    owner: &Owner,
    name: impl Fn(usize) -> String,
) -> Result<Option<Result<Vec<u8>, String>>, ApiError> {
    let Some(first) = get(maps, owner, &name(0)).await? else { return Ok(None) };
    let Some(count) = objects::pieces(&first) else {
        return Ok(Some(Err("its first piece says no number".to_owned())));
    };
    let rest = try_join_all((1..count).map(|index| {
        let name = name(index);
        async move { get(maps, owner, &name).await }
    }));
    let rest: Option<Vec<ConfigMap>> = rest.await?.into_iter().collect();
    let all = rest.map(|rest| [first].into_iter().chain(rest).map(|map| objects::bytes(&map)).collect::<Vec<_>>());
    Ok(all.map(|all| pieces::join(&all)))
}

async fn get(maps: &Api<ConfigMap>, owner: &Owner, name: &str) -> Result<Option<ConfigMap>, ApiError> {
    let map =
        maps.get_opt(name).await.map_err(|error| ApiError::new(&format!("read the ConfigMap `{name}`"), &error))?;
    Ok(map.filter(|map| owner.owns(&map.metadata)))
}

async fn create(reader: &Reader, owner: &Owner, piece: ConfigMap) -> Result<(), ApiError> {
    let maps = &reader.maps;
    let name = piece.metadata.name.clone().unwrap_or_default();
    let action = format!("create the ConfigMap `{name}`");
    for _ in 0..TRIES_MAX {
        match maps.create(&PostParams::default(), &piece).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(ApiError::new(&action, &error)),
        }
        let found = maps.get_opt(&name).await.map_err(|error| ApiError::new(&action, &error))?;
        match found {
            Some(found) if owner.owns(&found.metadata) && found.binary_data == piece.binary_data => return Ok(()),
            Some(found) => remove_leftover(reader, owner, &found).await?,
            None => {}
        }
    }
    Err(ApiError::taken(&action, "ConfigMap", &name))
}

/// Removes an object that an earlier run of this name left, and that the cluster is about to
/// remove. Objects that no run made are left alone, and so are those of a later run: a process that stood
/// still may find that its own run is the earlier one.
async fn remove_leftover(reader: &Reader, owner: &Owner, found: &ConfigMap) -> Result<(), ApiError> {
    let name = found.metadata.name.clone().unwrap_or_default();
    if !owner.is_leftover(&found.metadata) {
        return Err(ApiError::taken(&format!("create the ConfigMap `{name}`"), "ConfigMap", &name));
    }
    let head = reader.jobs.get_metadata_opt(owner.run.as_str()).await;
    let head = head.map_err(|error| ApiError::new(&format!("read run `{}`", owner.run), &error))?;
    if head.and_then(|head| head.metadata.uid).as_ref() != Some(&owner.uid) {
        return Err(ApiError {
            kind: ApiErrorKind::NotFound,
            message: format!("run `{}` was deleted", owner.run),
            hint: None,
        });
    }
    let uid = found.metadata.uid.clone();
    let preconditions = Some(Preconditions { uid, resource_version: None });
    match reader.maps.delete(&name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        deleted => deleted.map(drop).map_err(|error| ApiError::new(&format!("delete the ConfigMap `{name}`"), &error)),
    }
}
