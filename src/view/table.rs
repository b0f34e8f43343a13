//! Columns without borders, as kubectl prints them.

use anstyle::Style;
use comfy_table::{ContentArrangement, Table, presets};

use super::look::Look;

/// A row of cells, one of which may be painted.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The cells' text, without colour.
    pub cells: Vec<String>,
    /// A text of the row to paint where it stands first, and how.
    pub painted: Option<(String, Style)>,
}

impl Row {
    /// Returns a row that is not painted.
    pub fn plain<T: Into<String>>(cells: impl IntoIterator<Item = T>) -> Self {
        Row { cells: cells.into_iter().map(Into::into).collect(), painted: None }
    }
}

/// Returns the table, each line ended by a newline and none by blanks, with `gap` blanks between columns.
///
/// Colour is put on after the layout, so that it takes no columns.
pub fn render(headers: &[&str], rows: &[Row], gap: u16, look: Look) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !headers.is_empty() {
        table.set_header(headers);
    }
    table.add_rows(rows.iter().map(|row| row.cells.iter().map(|cell| super::look::harmless(cell))));
    for column in table.column_iter_mut() {
        column.set_padding((0, gap));
    }
    let above = usize::from(!headers.is_empty());
    let mut text = String::new();
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let painted = at.checked_sub(above).and_then(|row| rows.get(row)?.painted.as_ref());
        match painted {
            Some((part, style)) if look.colour => text.push_str(&line.replacen(part, &look.paint(*style, part), 1)),
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::look::Mark;

    #[test]
    fn columns_align_with_colour_or_without() {
        let failed =
            Row { cells: vec!["b".into(), "Failed".into()], painted: Some(("Failed".into(), Mark::Failed.style())) };
        let rows = [Row::plain(["a-long-one", "ok"]), failed];
        let plain = render(&["NAME", "STATUS"], &rows, 3, Look::PLAIN);
        assert_eq!(plain, "NAME         STATUS\na-long-one   ok\nb            Failed\n");
        let coloured = render(&["NAME", "STATUS"], &rows, 3, Look { colour: true, ..Look::PLAIN });
        assert_eq!(coloured, plain.replace("Failed", "\u{1b}[31mFailed\u{1b}[0m"));
    }
}
