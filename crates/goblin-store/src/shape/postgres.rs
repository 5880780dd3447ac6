//! How PostgreSQL describes its tables (<https://www.postgresql.org/docs/current/catalogs.html>).

use crate::error::StoreError;
use crate::shape::{Column, ForeignKey, Index, Shape};
use crate::sql::{Link, query};

const COLUMNS: &str = "
    SELECT c.relname::TEXT AS table_name, a.attname::TEXT AS name,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name, a.attnotnull AS required,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_value,
           CASE WHEN a.attcollation <> t.typcollation THEN l.collname::TEXT END AS collation_name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE c.relnamespace = $1::BIGINT::OID AND c.relkind IN ('r', 'p')
    ORDER BY c.relname, a.attnum";

const INDEXES: &str = "
    SELECT t.relname::TEXT AS table_name, i.relname::TEXT AS name, x.indisunique AS only_once,
           x.indisprimary AS is_primary, pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS condition,
           COALESCE(a.attname::TEXT, 'an expression') AS column_name
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = x.indrelid AND t.relkind IN ('r', 'p')
    CROSS JOIN LATERAL unnest(x.indkey::SMALLINT[]) WITH ORDINALITY AS k (number, place)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
    WHERE t.relnamespace = $1::BIGINT::OID
    ORDER BY t.relname, i.relname, k.place";

const FOREIGN_KEYS: &str = "
    SELECT t.relname::TEXT AS table_name, f.conname::TEXT AS name, r.relname::TEXT AS target_table,
           f.confdeltype::TEXT AS on_delete, f.confupdtype::TEXT AS on_update,
           a.attname::TEXT AS source, b.attname::TEXT AS target
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class t ON t.oid = f.conrelid
    JOIN pg_catalog.pg_class r ON r.oid = f.confrelid
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (source, target, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.source
    JOIN pg_catalog.pg_attribute b ON b.attrelid = r.oid AND b.attnum = k.target
    WHERE f.contype = 'f' AND t.relnamespace = $1::BIGINT::OID
    ORDER BY t.relname, f.conname, k.place";

/// Every table of a schema, which is named by its number.
pub(crate) async fn read(link: &mut Link, place: i64) -> Result<Shape, StoreError> {
    let mut shape = Shape::default();
    for row in &query(COLUMNS).bind(place).fetch_all(link).await? {
        let column = Column {
            name: row.get("name")?,
            type_name: row.get("type_name")?,
            required: row.get("required")?,
            default: row.get("default_value")?,
            collation: row.get("collation_name")?,
        };
        shape
            .table(&row.get::<String>("table_name")?)
            .columns
            .push(column);
    }
    for row in &query(INDEXES).bind(place).fetch_all(link).await? {
        let table = shape.table(&row.get::<String>("table_name")?);
        let column: String = row.get("column_name")?;
        if row.get("is_primary")? {
            table.primary_key.push(column);
            continue;
        }
        let (unique, condition) = (row.get("only_once")?, row.get("condition")?);
        let index = table.indexes.entry(row.get("name")?).or_insert(Index {
            columns: Vec::new(),
            unique,
            condition,
        });
        index.columns.push(column);
    }
    read_foreign_keys(link, place, &mut shape).await?;
    Ok(shape)
}

async fn read_foreign_keys(link: &mut Link, place: i64, shape: &mut Shape) -> Result<(), StoreError> {
    let rows = query(FOREIGN_KEYS).bind(place).fetch_all(link).await?;
    let mut keys: Vec<((String, String), ForeignKey)> = Vec::new();
    for row in &rows {
        let known_by: (String, String) = (row.get("table_name")?, row.get("name")?);
        if keys.last().is_none_or(|(last, _)| *last != known_by) {
            let key = ForeignKey {
                columns: Vec::new(),
                table: row.get("target_table")?,
                target: Vec::new(),
                on_delete: action(&row.get::<String>("on_delete")?).to_owned(),
                on_update: action(&row.get::<String>("on_update")?).to_owned(),
            };
            keys.push((known_by, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(row.get("source")?);
            key.target.push(row.get("target")?);
        }
    }
    for ((table, _), key) in keys {
        shape.table(&table).foreign_keys.insert(key);
    }
    Ok(())
}

/// The words for the catalog's letters, as SQLite writes them.
fn action(letter: &str) -> &'static str {
    match letter {
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        "r" => "RESTRICT",
        _ => "NO ACTION",
    }
}
