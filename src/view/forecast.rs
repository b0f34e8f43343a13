//! What a run would do, as a table and as JSON.

use serde_json::{Value, json};

use super::look::{Look, Mark};
use super::table::{self, Row};
use crate::engine::{Forecast, Verdict};

/// Returns the table.
pub fn render(forecasts: &[Forecast], look: Look) -> String {
    let rows: Vec<Row> = forecasts.iter().map(row).collect();
    table::render(&["NODE", "PLAN", "REASON", "OTHERWISE"], &rows, 2, look)
}

fn row(forecast: &Forecast) -> Row {
    let word = forecast.verdict.as_str();
    let mark = match forecast.verdict {
        Verdict::Run => Mark::Running,
        Verdict::Reuse => Mark::Succeeded,
        Verdict::Skip => Mark::Skipped,
    };
    let cells = [&*forecast.display_name, word, &forecast.reason, &forecast.flag];
    Row { painted: Some((word.to_owned(), mark.style())), ..Row::plain(cells) }
}

/// Returns how many nodes run, are reused and are skipped: `2 run, 5 reused, 1 skipped`.
pub fn summary(forecasts: &[Forecast]) -> String {
    let count = |verdict: Verdict| forecasts.iter().filter(|forecast| forecast.verdict == verdict).count();
    format!("{} run, {} reused, {} skipped", count(Verdict::Run), count(Verdict::Reuse), count(Verdict::Skip))
}

/// Returns the forecasts as objects.
pub fn objects(forecasts: &[Forecast]) -> Vec<Value> {
    let object = |forecast: &Forecast| {
        json!({
            "name": &*forecast.name,
            "displayName": &*forecast.display_name,
            "templateName": &*forecast.template,
            "plan": forecast.verdict.as_str(),
            "reason": forecast.reason,
            "otherwise": forecast.flag,
        })
    };
    forecasts.iter().map(object).collect()
}
