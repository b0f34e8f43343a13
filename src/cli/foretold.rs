//! Printing what a command would do, in the place of doing it.

use super::error::Error;
use super::session::Session;
use crate::engine::Forecast;
use crate::view::{Format, forecast, output};

/// Prints what runs would do: a table each, or objects.
pub fn print(session: &Session, runs: &[(String, Vec<Forecast>)], format: Option<&Format>) -> Result<(), Error> {
    let look = session.ui.out();
    match format.filter(|format| !format.is_human()) {
        Some(format) => {
            let objects = runs.iter().flat_map(|(_, forecasts)| forecast::objects(forecasts)).collect();
            session.ui.data(&output::objects(objects, format, look).unwrap_or_default())?;
        }
        None => {
            let tables = runs.iter().map(|(_, forecasts)| forecast::render(forecasts, look));
            session.ui.data(&tables.collect::<Vec<_>>().join("\n"))?;
        }
    }
    for (name, forecasts) in runs {
        session.ui.status(&format!("`{name}`: {}; nothing was done (--dry-run)", forecast::summary(forecasts)));
    }
    Ok(())
}
