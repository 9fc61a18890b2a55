//! `COPY … TO STDOUT`: rows as lines of text or CSV.

use super::result::{Failure, next_row};
use super::sql::ast::CopyFormat;
use super::sql::execution::Execution;
use super::sql::plan::Output;
use super::sql::value::Value;
use super::wire::Wire;
use bytes::Bytes;
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use pgwire::messages::data::FORMAT_CODE_TEXT;
use tokio_util::sync::CancellationToken;

/// Sends all rows; how many there were.
pub(super) async fn send(
    wire: &mut Wire,
    mut execution: Execution,
    outputs: &[Output],
    format: CopyFormat,
    cancel: &CancellationToken,
) -> Result<u64, Failure> {
    let columns = i16::try_from(outputs.len()).unwrap_or(i16::MAX);
    let formats = vec![FORMAT_CODE_TEXT; outputs.len()];
    wire.send(Message::CopyOutResponse(CopyOutResponse::new(0, columns, formats))).await?;
    if format == (CopyFormat::Csv { header: true }) {
        let names = outputs.iter().map(|output| quoted(&output.name));
        wire.send(data(&names.collect::<Vec<_>>(), ",")).await?;
    }
    let mut count = 0;
    while let Some(row) = next_row(&mut execution, cancel, wire).await? {
        let message = match format {
            CopyFormat::Text => data(&row.iter().map(escaped).collect::<Vec<_>>(), "\t"),
            CopyFormat::Csv { .. } => data(&row.iter().map(csv).collect::<Vec<_>>(), ","),
        };
        wire.send(message).await?;
        count += 1;
    }
    wire.send(Message::CopyDone(CopyDone::new())).await?;
    Ok(count)
}

fn data(fields: &[String], separator: &str) -> Message {
    Message::CopyData(CopyData::new(Bytes::from(fields.join(separator) + "\n")))
}

fn escaped(value: &Value) -> String {
    if *value == Value::Null {
        return "\\N".to_owned();
    }
    let text = value.to_text();
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// Null is nothing, and nothing is quoted.
fn csv(value: &Value) -> String {
    if *value == Value::Null { String::new() } else { quoted(&value.to_text()) }
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && text != "\\." && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
