//! Operations on a table, group by group.

use crate::{
    difference, gram, lag, resample, rolling,
    series::{Wrong, rises},
    smooth, spectral,
    table::{Column, Table},
    whittaker,
    with::{Method, Operation, Resample, With},
};
use arrow_array::{Array, ArrayRef, UInt64Array};
use hearth_runtime::Failure;
use std::{collections::HashSet, ops::Range};

/// The series of a table: its index, and which rows belong together.
struct Groups {
    index: Vec<f64>,
    rows: Vec<Range<usize>>,
}

/// Does all operations, one after the other.
///
/// # Errors
///
/// 78 for columns that there are not or of a wrong type, 65 with the row for data that an operation can't bear.
pub fn all(mut table: Table, with: &With) -> Result<Table, Failure> {
    let mut groups = Groups::of(&table, with)?;
    for (place, operation) in with.operations.iter().enumerate() {
        let field = format!("with.operations[{place}]");
        match (operation, operation.columns()) {
            (_, Some((column, name))) => {
                let column = one(&table, &groups, operation, column, name, &field)?;
                table.columns.push(column);
            }
            (Operation::Resample(to), None) => {
                table = regular(&table, &groups, with, to, &field)?;
                groups = Groups::of(&table, with)?;
            }
            (_, None) => return Err(Failure::defect(format!("{field}: an operation without a column"))),
        }
    }
    Ok(table)
}

/// The column that an operation makes of another one.
fn one(
    table: &Table,
    groups: &Groups,
    operation: &Operation,
    of: &str,
    name: String,
    field: &str,
) -> Result<Column, Failure> {
    if table.columns.iter().any(|column| column.name == name) {
        return Err(Failure::config(format!("{field}: there is a column {name:?} already: name the new one with as")));
    }
    let column = table.column(of, &format!("{field}.column"))?;
    let wrong = || Failure::config(format!("{field}.column: {of:?} is {}, not a number", column.cells.data_type()));
    let values = Some(column).filter(|column| column.is_numeric()).and_then(Column::numbers).ok_or_else(wrong)?;
    let mut made = Vec::with_capacity(table.rows);
    for rows in &groups.rows {
        let x = groups.index.get(rows.clone()).unwrap_or_default();
        let y = values.get(rows.clone()).unwrap_or_default();
        made.extend(of_series(operation, x, y).map_err(|wrong| told(&wrong, rows, field))?);
    }
    Ok(Column::of_numbers(name, made))
}

fn of_series(operation: &Operation, x: &[f64], y: &[f64]) -> Result<Vec<f64>, Wrong> {
    match operation {
        Operation::Derivative(with) => difference::derivative(x, y, with.order, with.accuracy),
        Operation::SavitzkyGolay(with) => gram::savitzky_golay(x, y, with),
        Operation::Spectral(with) => spectral::derivative(x, y, with.order, with.cutoff),
        Operation::Gaussian(with) => Ok(smooth::gaussian(x, y, with.sigma)),
        Operation::Whittaker(with) => whittaker::whittaker(x, y, with.lambda, with.order),
        Operation::Lag(with) => Ok(lag::lag(y, with.by)),
        Operation::Rolling(with) => Ok(rolling::rolling(y, with)),
        Operation::Resample(_) => Err(Wrong::all("resample is of the whole table".to_owned())),
    }
}

/// What is wrong, with the row of the table.
fn told(wrong: &Wrong, rows: &Range<usize>, field: &str) -> Failure {
    Failure::data(format!("{field}, row {}: {}", rows.start + wrong.at + 1, wrong.what))
}

/// The table on a regular grid.
fn regular(table: &Table, groups: &Groups, with: &With, to: &Resample, field: &str) -> Result<Table, Failure> {
    let mut grids = Vec::with_capacity(groups.rows.len());
    let mut left = with.max_rows;
    for rows in &groups.rows {
        let x = groups.index.get(rows.clone()).unwrap_or_default();
        let grid = resample::grid(x, to.step, left).map_err(|wrong| told(&wrong, rows, field))?;
        left -= grid.len();
        grids.push(grid);
    }
    let mut columns = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        columns.push(if with.by.contains(&column.name) {
            Column { name: column.name.clone(), cells: repeated(&column.cells, groups, &grids)? }
        } else if with.index.as_ref() == Some(&column.name) {
            column.like(grids.concat())
        } else {
            Column::of_numbers(column.name.clone(), on_grids(column, groups, &grids, to, field)?)
        });
    }
    Ok(Table { columns, rows: grids.iter().map(Vec::len).sum() })
}

fn on_grids(
    column: &Column,
    groups: &Groups,
    grids: &[Vec<f64>],
    to: &Resample,
    field: &str,
) -> Result<Vec<f64>, Failure> {
    let values = Some(column).filter(|column| column.is_numeric()).and_then(Column::numbers).ok_or_else(|| {
        let (name, of) = (&column.name, column.cells.data_type());
        Failure::config(format!(
            "{field}: {name:?} is {of}, which has no means: leave it out with columns, or put it in by"
        ))
    })?;
    let mut made = Vec::new();
    for (rows, grid) in groups.rows.iter().zip(grids) {
        let x = groups.index.get(rows.clone()).unwrap_or_default();
        let y = values.get(rows.clone()).unwrap_or_default();
        made.extend(match to.method {
            Method::Linear => resample::linear(x, y, grid),
            Method::Mean => resample::mean(x, y, grid, to.step),
        });
    }
    Ok(made)
}

/// The first cell of each group, once for each point of its grid.
fn repeated(cells: &ArrayRef, groups: &Groups, grids: &[Vec<f64>]) -> Result<ArrayRef, Failure> {
    let firsts =
        groups.rows.iter().zip(grids).flat_map(|(rows, grid)| std::iter::repeat_n(rows.start as u64, grid.len()));
    arrow_select::take::take(cells, &UInt64Array::from_iter_values(firsts), None).map_err(Failure::defect)
}

impl Groups {
    fn of(table: &Table, with: &With) -> Result<Self, Failure> {
        let rows = split(table, &with.by)?;
        let index = match &with.index {
            Some(name) => {
                let column = table.column(name, "with.index")?;
                column.numbers().ok_or_else(|| {
                    let of = column.cells.data_type();
                    Failure::config(format!("with.index: {name:?} is {of}, not a number, day or instant"))
                })?
            }
            None => rows.iter().flat_map(|rows| (0..rows.len()).map(|row| row as f64)).collect(),
        };
        for rows in &rows {
            let x = index.get(rows.clone()).unwrap_or_default();
            rises(x).map_err(|wrong| told(&wrong, rows, "with.index"))?;
        }
        Ok(Self { index, rows })
    }
}

/// Runs of rows with the same cells in these columns.
fn split(table: &Table, by: &[String]) -> Result<Vec<Range<usize>>, Failure> {
    let columns = by
        .iter()
        .enumerate()
        .map(|(place, name)| table.column(name, &format!("with.by[{place}]")).map(|column| &column.cells))
        .collect::<Result<Vec<_>, _>>()?;
    if columns.is_empty() || table.rows == 0 {
        let whole = 0..table.rows;
        return Ok(Some(whole).filter(|whole| !whole.is_empty()).into_iter().collect());
    }
    let key = |row: usize| -> Vec<Option<String>> {
        columns
            .iter()
            .map(|cells| (!cells.is_null(row)).then(|| hearth_table::cell(cells.as_ref(), row).text().into_owned()))
            .collect()
    };
    let (mut groups, mut seen) = (Vec::new(), HashSet::new());
    let (mut start, mut current) = (0, key(0));
    for row in 1..=table.rows {
        let next = (row < table.rows).then(|| key(row));
        if next.as_ref() == Some(&current) {
            continue;
        }
        groups.push(start..row);
        seen.insert(std::mem::replace(&mut current, next.unwrap_or_default()));
        start = row;
        if seen.contains(&current) && row < table.rows {
            return Err(Failure::data(format!("with.by, row {}: rows of one group have to stand together", row + 1)));
        }
    }
    Ok(groups)
}
