//! How SQLite describes its tables (<https://www.sqlite.org/pragma.html>).

use crate::error::StoreError;
use crate::shape::{Column, ForeignKey, Index, Shape, Table};
use crate::sql::{Link, query};

/// Every table that is not SQLite's own.
pub(crate) async fn read(link: &mut Link) -> Result<Shape, StoreError> {
    let mut shape = Shape::default();
    let tables = query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .fetch_all(link)
        .await?;
    for row in &tables {
        let name: String = row.get("name")?;
        if !name.starts_with("sqlite_") {
            *shape.table(&name) = read_table(link, &name).await?;
        }
    }
    Ok(shape)
}

async fn read_table(link: &mut Link, name: &str) -> Result<Table, StoreError> {
    let mut table = Table::default();
    let columns = query(
        "SELECT name, type AS type_name, \"notnull\" AS required, dflt_value, pk FROM pragma_table_info($1)
         ORDER BY cid",
    )
    .bind(name)
    .fetch_all(link)
    .await?;
    let mut key: Vec<(i64, String)> = Vec::new();
    for row in &columns {
        let column = Column {
            name: row.get("name")?,
            type_name: row.get("type_name")?,
            required: row.get::<i64>("required")? != 0,
            default: row.get("dflt_value")?,
            collation: None,
        };
        let place: i64 = row.get("pk")?;
        if place > 0 {
            key.push((place, column.name.clone()));
        }
        table.columns.push(column);
    }
    key.sort();
    table.primary_key = key.into_iter().map(|(_, name)| name).collect();
    read_indexes(link, name, &mut table).await?;
    read_foreign_keys(link, name, &mut table).await?;
    Ok(table)
}

async fn read_indexes(link: &mut Link, name: &str, table: &mut Table) -> Result<(), StoreError> {
    let indexes = query(
        "SELECT l.name AS name, l.\"unique\" AS only_once, l.origin AS origin, m.sql AS text
         FROM pragma_index_list($1) AS l LEFT JOIN sqlite_master AS m ON m.type = 'index' AND m.name = l.name",
    )
    .bind(name)
    .fetch_all(link)
    .await?;
    for row in &indexes {
        if row.get::<String>("origin")? == "pk" {
            continue;
        }
        let index: String = row.get("name")?;
        let columns = query("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
            .bind(&index)
            .fetch_all(link)
            .await?;
        let columns = columns.iter().map(|row| {
            let column: Option<String> = row.get("name")?;
            Ok(column.unwrap_or_else(|| "an expression".to_owned()))
        });
        let made = Index {
            columns: columns.collect::<Result<_, StoreError>>()?,
            unique: row.get::<i64>("only_once")? != 0,
            condition: condition(row.get("text")?),
        };
        table.indexes.insert(index, made);
    }
    Ok(())
}

/// The condition in the statement that made a partial index. SQLite keeps it only there.
fn condition(statement: Option<String>) -> Option<String> {
    let words: Vec<String> = statement?.split_whitespace().map(str::to_owned).collect();
    let at = words.iter().position(|w| w.eq_ignore_ascii_case("where"))?;
    Some(words[at + 1..].join(" "))
}

async fn read_foreign_keys(link: &mut Link, name: &str, table: &mut Table) -> Result<(), StoreError> {
    let rows = query(
        "SELECT id, \"table\" AS target_table, \"from\" AS source, COALESCE(\"to\", '') AS target, on_delete, on_update
         FROM pragma_foreign_key_list($1) ORDER BY id, seq",
    )
    .bind(name)
    .fetch_all(link)
    .await?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for row in &rows {
        let id: i64 = row.get("id")?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let key = ForeignKey {
                columns: Vec::new(),
                table: row.get("target_table")?,
                target: Vec::new(),
                on_delete: row.get("on_delete")?,
                on_update: row.get("on_update")?,
            };
            keys.push((id, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(row.get("source")?);
            key.target.push(row.get("target")?);
        }
    }
    table.foreign_keys = keys.into_iter().map(|(_, key)| key).collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_of_a_partial_index_is_read_from_its_statement() {
        let partial = "CREATE INDEX a ON t (x)\n  WHERE  x IS NOT\nNULL".to_owned();
        assert_eq!(condition(Some(partial)).as_deref(), Some("x IS NOT NULL"));
        assert_eq!(condition(Some("CREATE INDEX a ON t (x)".to_owned())), None);
        assert_eq!(condition(None), None);
    }
}
