//! Whole tables as rows of plain values: what a backup reads and a restore writes.
//!
//! Every column of ours is a text or a number, so a row of one database is a row of the other, too.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::{Error, Tx, execute, on};

/// How many values one statement takes. SQLite looks each parameter up among all others, so many more take longer than many statements.
const VALUES_PER_INSERT: usize = 1_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Text.
    Text,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// What a row has in one column, when that is not empty. In JSON it is a number or a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

/// One value for each column.
pub type Row = Vec<Option<Value>>;

/// Why rows do not fit a table.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// There is no such column.
    #[error("the table {table} has no column {column}")]
    NoSuchColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A row has more or fewer values than there are columns, or a text where a number belongs, or the other way round.
    #[error("a row does not fit the columns of the table {table}")]
    Misfit {
        /// The table.
        table: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
}

impl Table {
    /// Returns the table `name`; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails, or a column holds neither text nor whole numbers.
    pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<Self>, Error> {
        const SQLITE: &str = "SELECT name, lower(type) FROM pragma_table_info($1) ORDER BY cid";
        const POSTGRES: &str = "
            SELECT column_name::text, data_type::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = $1
            ORDER BY ordinal_position";
        let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
        let found: Vec<(String, String)> = on!(tx, conn => sqlx::query_as(sql).bind(name).fetch_all(conn))?;
        let column = |(column, kind): (String, String)| {
            let kind = match kind.as_str() {
                "integer" | "bigint" => Kind::Integer,
                "text" => Kind::Text,
                _ => {
                    return Err(Error::ForeignColumn {
                        table: name.to_owned(),
                        column,
                        kind,
                    });
                }
            };
            Ok(Column { name: column, kind })
        };
        let columns: Vec<Column> = found.into_iter().map(column).collect::<Result<_, _>>()?;
        Ok((!columns.is_empty()).then(|| Self {
            name: name.to_owned(),
            columns,
        }))
    }

    /// The same table with these of its columns, in this order.
    ///
    /// # Errors
    /// When it has no such column.
    pub fn with_columns(&self, names: &[String]) -> Result<Self, RowError> {
        let find = |name: &String| {
            let column = self.columns.iter().find(|column| column.name == *name);
            column.cloned().ok_or_else(|| RowError::NoSuchColumn {
                table: self.name.clone(),
                column: name.clone(),
            })
        };
        Ok(Self {
            name: self.name.clone(),
            columns: names.iter().map(find).collect::<Result<_, _>>()?,
        })
    }

    /// The columns' names, as they stand in a statement.
    fn column_list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }
}

/// True when there is a table `name`, whatever its columns hold.
pub(crate) async fn is_table(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    const SQLITE: &str = "SELECT count(*) FROM pragma_table_info($1)";
    const POSTGRES: &str = "
        SELECT count(*) FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1";
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    let columns: i64 = on!(tx, conn => sqlx::query_scalar(sql).bind(name).fetch_one(conn))?;
    Ok(columns > 0)
}

/// Hands each row of `table` to `each`, as they come: however many there are, few are in memory.
///
/// # Errors
/// When the database fails, or `each` does.
pub async fn read_rows<E: From<Error>>(
    tx: &mut Tx,
    table: &Table,
    mut each: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), quoted(&table.name));
    match tx {
        Tx::Sqlite(inner) => {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **inner);
            while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                each(decode(&table.columns, &row)?)?;
            }
        }
        Tx::Postgres(inner) => {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **inner);
            while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                each(decode(&table.columns, &row)?)?;
            }
        }
    }
    Ok(())
}

fn decode<'r, R>(columns: &[Column], row: &'r R) -> Result<Row, Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let value = |(place, column): (usize, &Column)| {
        Ok(match column.kind {
            Kind::Integer => row.try_get::<Option<i64>, _>(place)?.map(Value::Integer),
            Kind::Text => row.try_get::<Option<String>, _>(place)?.map(Value::Text),
        })
    };
    columns.iter().enumerate().map(value).collect()
}

/// Inserts `rows` into `table`. PostgreSQL holds no NUL, which a description may have, so there it is left out, as our triggers leave it out.
///
/// # Errors
/// When a row does not fit, or the database refuses one.
pub async fn insert_rows(tx: &mut Tx, table: &Table, rows: &[Row]) -> Result<(), RowError> {
    let (columns, is_postgres) = (table.columns.len(), tx.is_postgres());
    if !rows.iter().all(|row| fits(&table.columns, row)) {
        let table = table.name.clone();
        return Err(RowError::Misfit { table });
    }
    for some in rows.chunks((VALUES_PER_INSERT / columns.max(1)).max(1)) {
        let places: Vec<String> = (0..some.len())
            .map(|row| {
                let places = (1..=columns).map(|column| format!("${}", row * columns + column));
                format!("({})", places.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            quoted(&table.name),
            table.column_list(),
            places.join(", ")
        );
        execute!(&mut *tx, {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (place, value) in some.iter().flatten().enumerate() {
                query = match (value, table.columns[place % columns].kind) {
                    (Some(Value::Integer(number)), _) => query.bind(*number),
                    (Some(Value::Text(text)), _) if is_postgres => query.bind(text.replace('\0', "")),
                    (Some(Value::Text(text)), _) => query.bind(text.clone()),
                    (None, Kind::Integer) => query.bind(None::<i64>),
                    (None, Kind::Text) => query.bind(None::<String>),
                };
            }
            query
        })?;
    }
    Ok(())
}

fn fits(columns: &[Column], row: &Row) -> bool {
    let fits = |(column, value): (&Column, &Option<Value>)| match value {
        None => true,
        Some(Value::Integer(_)) => column.kind == Kind::Integer,
        Some(Value::Text(_)) => column.kind == Kind::Text,
    };
    columns.len() == row.len() && columns.iter().zip(row).all(fits)
}

/// A name as it stands in a statement, whatever the database takes it for otherwise.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
