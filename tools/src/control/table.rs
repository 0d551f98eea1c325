//! Rows for people.

use std::fmt::Write;

use serde_json::Value;

use super::listing::Listing;

/// The rows of a listing as a table. Counters that are 0 are left out: most are.
pub fn table(listing: Listing, rows: &[Value]) -> String {
    let columns = listing.columns();
    let is_shown = |row: &&Value| listing != Listing::Counters || row["value"] != 0;
    let cells: Vec<Vec<_>> = rows
        .iter()
        .filter(is_shown)
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect();
    let widths: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let longest = cells.iter().filter_map(|row| row.get(at));
            let longest = longest.map(|cell| cell.chars().count()).max();
            longest.unwrap_or(0).max(column.len())
        })
        .collect();
    let mut text = String::new();
    let titles: Vec<_> = columns.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&titles).chain(&cells) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A value on a line, and nothing that a terminal would obey.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.replace(char::is_control, "?"),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let rows = [
            json!({ "to": "0.0.0.0/0", "via": "192.0.2.254", "nic": "wan", "more": 1 }),
            json!({ "to": "10.0.0.0/8", "via": null, "nic": "a\u{1b}[31m" }),
        ];
        assert_eq!(
            table(Listing::Routes, &rows),
            "to          via          nic\n\
             0.0.0.0/0   192.0.2.254  wan\n\
             10.0.0.0/8  -            a?[31m\n"
        );
        assert_eq!(table(Listing::Routes, &[]), "to  via  nic\n");
    }

    #[test]
    fn counters_that_are_0_are_left_out() {
        let row = |value| json!({ "nic": "wan", "kind": "drop", "counter": "c", "value": value });
        let text = table(Listing::Counters, &[row(0), row(7)]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
