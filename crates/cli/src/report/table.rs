//! Lists, as people read them.

/// No cell but the last one of a row is wider, in characters.
const WIDEST: usize = 40;

/// Rows under their heads, one column beside the other. A cell stays in its line, whoever wrote it.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .map(|row| {
            let mut column = 0;
            row.map(|text| {
                column += 1;
                cell(&text, column == N)
            })
        })
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cell(text: &str, is_last: bool) -> String {
    // SECURITY: a client names itself; a line break in its name would make a row that nobody is
    // behind (CWE-117); sec_op_10_a_cell_stays_in_its_line
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if is_last || line.chars().count() <= WIDEST {
        return line;
    }
    let mut cut: String = line.chars().take(WIDEST - 1).collect();
    cut.push('\u{2026}');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let text = table(["NAME", "ID"], vec![row("a", "1"), row("Jürgen", "")]);
        assert_eq!(text, "NAME    ID\na       1\nJürgen");
    }

    #[test]
    fn sec_op_10_a_cell_stays_in_its_line() {
        let long = "x".repeat(500);
        let rows = vec![["a\nadmin  0123\r\tb".to_owned(), long.clone()]];
        let text = table(["NAME", "ID"], rows);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.ends_with(&format!("a admin  0123  b  {long}")),
            "{text}"
        );
        let text = table(["NAME", "ID"], vec![[long, "1".to_owned()]]);
        assert!(text.lines().all(|line| line.chars().count() < 50), "{text}");
    }
}
