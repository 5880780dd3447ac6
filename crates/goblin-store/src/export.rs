//! Everything kept of one person as one ZIP archive: each table as JSON, each chat as Markdown to be read.
//!
//! The archive is made while it is sent: a few rows at a time are in memory, however much there is. It is not of one
//! moment; what changes meanwhile may be in it or not.

mod archive;
mod markdown;

use archive::Archive;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_core::Stream;
use goblin_core::clock::Timestamp;
use goblin_core::conversation::{Chat, Turn};
use goblin_core::owner::Owner;
use serde_json::{Map, Value};

use crate::attachments::fill_attachments;
use crate::backup::Kind;
use crate::chat_rows::{chat_columns, chat_from};
use crate::error::StoreError;
use crate::personal::{PERSONAL, PROFILE, Personal};
use crate::schema::NEWEST;
use crate::shape::{Shape, fresh_shape};
use crate::sql::{Query, Row, query};
use crate::store::Store;
use crate::turn_rows::{turn_columns, turn_from};

/// Most rows read at once.
const ROWS: i64 = 200;
/// The same of tables whose rows may be long.
const LONG_ROWS: i64 = 16;

const README: &str = "Everything this goblin keeps of one person.

chats/    each chat, to be read
files/    each file attached to a question, as it is
data/     the same and everything else as JSON, one file for each kind: chats, turns, traces (why answers came
          from where they came from), responses kept for programs, usage, sign-ins, links, and what was done to the
          account (audit)

Times are UTC. What only opens doors (passwords, cookies, keys) is left out: it is kept as hashes.
";

/// Where reading goes on: after this number and this id.
struct Place {
    at: i64,
    id: String,
}

impl Store {
    /// The archive of everything kept of `owner`, as it is made. It ends with an error when the database does.
    pub fn export(&self, owner: &Owner) -> impl Stream<Item = Result<Vec<u8>, StoreError>> + Send + use<> {
        let (store, owner) = (self.clone(), owner.clone());
        async_stream::try_stream! {
            let mut archive = Archive::begin();
            archive.file("README.txt", README.as_bytes())?;
            archive.file("data/account.json", &pretty(&store.profile(&owner).await?)?)?;
            let shape = fresh_shape(NEWEST).await?;
            for one in PERSONAL.iter().filter(|one| !one.shown.is_empty()) {
                let columns = columns_of(&shape, one.table, one.shown)?;
                archive.start(&format!("data/{}.json", one.table))?;
                let (mut chat, mut begin) = (String::new(), "[\n");
                // Turns are read chat by chat, which an index helps with; everything else by its owner.
                loop {
                    if one.table == "turns" {
                        let Some(found) = store.chat_after(&owner, &chat).await? else { break };
                        chat = found.id;
                    }
                    let mut place = Some(Place { at: i64::MIN, id: String::new() });
                    while let Some(from) = place {
                        let rows = store.rows_after(one, &owner, &chat, &from).await?;
                        for row in &rows {
                            archive.write(begin.as_bytes())?;
                            begin = ",\n";
                            archive.write(&line(&shown(row, &columns)?)?)?;
                        }
                        place = next_place(one, &rows)?;
                        yield archive.take();
                    }
                    if one.table != "turns" {
                        break;
                    }
                }
                archive.write(if begin == "[\n" { b"[]\n" } else { b"\n]\n" })?;
            }
            let mut chat = String::new();
            while let Some(found) = store.chat_after(&owner, &chat).await? {
                chat.clone_from(&found.id);
                archive.start(&format!("chats/{}", markdown::file_name(&found)))?;
                archive.write(markdown::head(&found).as_bytes())?;
                let (mut turn, mut more) = (String::new(), true);
                while more {
                    let turns = store.turns_after(&chat, &turn).await?;
                    more = turns.len() >= LONG_ROWS.unsigned_abs() as usize;
                    for found in turns {
                        let follows = found.parent.as_deref().unwrap_or_default() == turn;
                        archive.write(markdown::turn(&found, follows).as_bytes())?;
                        turn = found.id;
                    }
                    yield archive.take();
                }
            }
            let mut file = String::new();
            while let Some((id, name, content)) = store.file_after(&owner, &file).await? {
                archive.file(&format!("files/{id} {}", markdown::plain_name(&name)), &content)?;
                file = id;
                yield archive.take();
            }
            yield archive.end()?;
        }
    }

    /// What is shown of the person's own row.
    async fn profile(&self, owner: &Owner) -> Result<Value, StoreError> {
        let columns = PROFILE.join(", ");
        let row = Query::made(format!(
            "SELECT {columns} FROM users WHERE tenant_id = $1 AND id = $2"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .fetch_optional(&mut self.read().await?)
        .await?;
        let columns = columns_of(&fresh_shape(NEWEST).await?, "users", PROFILE)?;
        shown(&row.ok_or(StoreError::NotFound("user"))?, &columns)
    }

    /// The rows of a table that follow a place; of turns, those of a chat.
    async fn rows_after(
        &self,
        one: &Personal,
        owner: &Owner,
        chat: &str,
        from: &Place,
    ) -> Result<Vec<Row>, StoreError> {
        let Personal { table, id, .. } = one;
        let whose = match *table {
            "turns" => "tenant_id = $1 AND user_id = $2 AND chat_id = $3",
            "audit" => "tenant_id = $1 AND (user_id = $2 OR target = $2) AND $3 = $3",
            _ => "tenant_id = $1 AND user_id = $2 AND $3 = $3",
        };
        let columns = one.shown.join(", ");
        let (after, order) = match one.at {
            Some(at) => (format!("({at}, {id}) > ($4, $5)"), format!("{at}, {id}")),
            None => (format!("$4 = $4 AND {id} > $5"), (*id).to_owned()),
        };
        let is_long = matches!(*table, "turns" | "traces" | "responses");
        Query::made(format!(
            "SELECT {columns} FROM {table} WHERE {whose} AND {after} ORDER BY {order} LIMIT $6"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(chat.to_owned())
        .bind(from.at)
        .bind(from.id.clone())
        .bind(if is_long { LONG_ROWS } else { ROWS })
        .fetch_all(&mut self.read().await?)
        .await
    }

    async fn chat_after(&self, owner: &Owner, id: &str) -> Result<Option<Chat>, StoreError> {
        let row = query(concat!(
            "SELECT ",
            chat_columns!(),
            " FROM chats WHERE tenant_id = $1 AND user_id = $2 AND id > $3 ORDER BY id LIMIT 1"
        ))
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(id.to_owned())
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.as_ref().map(chat_from).transpose()
    }

    async fn file_after(
        &self,
        owner: &Owner,
        id: &str,
    ) -> Result<Option<(String, String, Vec<u8>)>, StoreError> {
        let row = query(
            "SELECT id, name, content FROM attachments
             WHERE tenant_id = $1 AND user_id = $2 AND id > $3 ORDER BY id LIMIT 1",
        )
        .bind(&owner.tenant)
        .bind(&owner.user)
        .bind(id.to_owned())
        .fetch_optional(&mut self.read().await?)
        .await?;
        row.map(|row| Ok((row.get("id")?, row.get("name")?, row.get("content")?)))
            .transpose()
    }

    async fn turns_after(&self, chat: &str, id: &str) -> Result<Vec<Turn>, StoreError> {
        let mut link = self.read().await?;
        let rows = query(concat!(
            "SELECT ",
            turn_columns!(),
            " FROM turns WHERE chat_id = $1 AND id > $2 ORDER BY id LIMIT $3"
        ))
        .bind(chat.to_owned())
        .bind(id.to_owned())
        .bind(LONG_ROWS)
        .fetch_all(&mut link)
        .await?;
        let mut turns: Vec<Turn> = rows.iter().map(turn_from).collect::<Result<_, _>>()?;
        fill_attachments(&mut link, &mut turns).await?;
        Ok(turns)
    }
}

fn next_place(one: &Personal, rows: &[Row]) -> Result<Option<Place>, StoreError> {
    let Some(last) = rows.last() else { return Ok(None) };
    let at = one.at.map(|at| last.get(at)).transpose()?;
    Ok(Some(Place {
        at: at.unwrap_or(i64::MIN),
        id: last.get(one.id)?,
    }))
}

/// Columns with the kinds of their values, as the migrations make them.
fn columns_of(
    shape: &Shape,
    table: &str,
    names: &[&'static str],
) -> Result<Vec<(&'static str, Kind)>, StoreError> {
    let columns = shape.tables.get(table).map(|table| table.columns.as_slice());
    let kind = |name: &&'static str| {
        let column = columns
            .unwrap_or_default()
            .iter()
            .find(|column| column.name == **name);
        let kind = column.and_then(|column| Kind::of_type(&column.type_name));
        let kind = kind.ok_or_else(|| StoreError::Unreadable(format!("{table}.{name}: no such column")))?;
        Ok((*name, kind))
    };
    names.iter().map(kind).collect()
}

/// A row as JSON: times as people write them, JSON as JSON.
fn shown(row: &Row, columns: &[(&'static str, Kind)]) -> Result<Value, StoreError> {
    let mut object = Map::new();
    for (column, kind) in columns {
        let (name, value) = match kind {
            Kind::Text => {
                let text: Option<String> = row.get(column)?;
                match (column.strip_suffix("_json"), text) {
                    (Some(name), Some(text)) => {
                        (name, serde_json::from_str(&text).unwrap_or(Value::String(text)))
                    }
                    (name, text) => (
                        name.or(column.strip_suffix("_text")).unwrap_or(column),
                        text.into(),
                    ),
                }
            }
            Kind::Number => {
                let number: Option<i64> = row.get(column)?;
                let is_time = *column == "at" || column.ends_with("_at") || column.ends_with("_until");
                let time = number.filter(|_| is_time).map(|at| Timestamp(at).to_rfc3339());
                (*column, time.map_or(number.into(), Value::from))
            }
            Kind::Switch => (*column, row.get::<Option<bool>>(column)?.into()),
            Kind::Real => (*column, row.get::<Option<f64>>(column)?.into()),
            Kind::Bytes => {
                let bytes = row.get::<Option<Vec<u8>>>(column)?;
                (*column, bytes.map(|bytes| BASE64_STANDARD.encode(bytes)).into())
            }
        };
        object.insert(name.to_owned(), value);
    }
    Ok(Value::Object(object))
}

fn line(value: &Value) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value)
        .map_err(|e| StoreError::Unreadable(format!("a row cannot be written as JSON: {e}")))
}

fn pretty(value: &Value) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(value)
        .map_err(|e| StoreError::Unreadable(format!("a row cannot be written as JSON: {e}")))
}
