//! Leaving a run to the drivers that live in the cluster, where some are installed.

use super::create::Created;
use super::error::Error;
use super::place::{PlaceLog, PlaceStore};
use super::session::Session;
use crate::backend::kubernetes::drivers::{DriverKind, Drivers};
use crate::backend::kubernetes::{Owner, installer};
use crate::store::{Header, Log, Stored};

/// Lets go of a run that was just made, so that a driver in the cluster drives it. The run comes back where
/// none is installed.
pub async fn leave(session: &Session, created: Created) -> Result<Option<Created>, Error> {
    let Some(drivers) = session.drivers().await? else { return Ok(Some(created)) };
    if let PlaceLog::Cluster(log) = &created.log {
        let stored = &created.stored;
        begin(session, drivers, &stored.header, log.head().to_owned(), stored.records.len()).await?;
    }
    // Only now: who watches for Leases that go must find the driver's Job, if there is to be one.
    created.log.release().await;
    Ok(None)
}

/// Has a driver in the cluster drive a run, if some are installed. Returns whether they are.
pub async fn ensure(session: &Session, stored: &Stored) -> Result<bool, Error> {
    let Some(drivers) = session.drivers().await? else { return Ok(false) };
    if let (DriverKind::Job, PlaceStore::Cluster(store)) = (drivers.kind, session.store().await?) {
        let head = store.head_uid(&stored.header.name).await?;
        begin(session, drivers, &stored.header, head, stored.records.len()).await?;
    }
    Ok(true)
}

/// Returns whether runs are driven in the cluster, as far as is known.
pub async fn is_elsewhere(session: &Session) -> bool {
    session.drivers().await.ok().flatten().is_some()
}

async fn begin(
    session: &Session,
    drivers: &Drivers,
    header: &Header,
    head: String,
    records: usize,
) -> Result<(), Error> {
    let cluster = session.place().await?.cluster.as_ref().filter(|_| drivers.kind == DriverKind::Job);
    let Some(cluster) = cluster else { return Ok(()) };
    let owner = Owner { run: header.name.clone(), uid: header.uid.clone(), head };
    Ok(installer::begin_driver(cluster, drivers, &owner, records).await?)
}
