//! Rows as messages: their description, and each row in the form that was asked for.

use super::error::{SqlError, code};
use super::sql::execution::{Execution, Step};
use super::sql::plan::Output;
use super::sql::value::{Type, Value};
use super::wire::Wire;
use bytes::{BufMut as _, BytesMut};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{DataRow, FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, FieldDescription, RowDescription};
use std::io;
use tokio_util::sync::CancellationToken;

/// After so many steps without a row others get a turn, and a request to cancel is seen.
const STEPS: usize = 256;

/// Why something could not be carried out.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client is told.
    Sql(SqlError),
    /// There is nobody to tell.
    Io(io::Error),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// In which form columns are sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Formats(Vec<i16>);

impl Formats {
    /// None: all as text; one: all of them so; else one for each column.
    pub(super) fn new(codes: Vec<i16>, columns: usize) -> Result<Self, SqlError> {
        if codes.len() > 1 && codes.len() != columns {
            let wrong = format!("bind message has {} result formats but query has {columns} columns", codes.len());
            return Err(SqlError::new(code::PROTOCOL, wrong));
        }
        if let Some(unknown) = codes.iter().find(|code| ![FORMAT_CODE_TEXT, FORMAT_CODE_BINARY].contains(code)) {
            return Err(SqlError::new(code::INVALID_VALUE, format!("unsupported format code: {unknown}")));
        }
        Ok(Self(codes))
    }

    pub(super) fn of(&self, column: usize) -> i16 {
        match self.0.as_slice() {
            [] => FORMAT_CODE_TEXT,
            [all] => *all,
            codes => codes.get(column).copied().unwrap_or(FORMAT_CODE_TEXT),
        }
    }
}

/// The columns of a result: name and type.
pub(super) fn description(columns: &[(&str, Type)], formats: &Formats) -> Message {
    let fields = columns.iter().enumerate().map(|(index, (name, ty))| {
        let name = name.replace('\0', "\u{fffd}");
        FieldDescription::new(name, 0, 0, ty.oid(), ty.size(), -1, formats.of(index))
    });
    Message::RowDescription(RowDescription::new(fields.collect()))
}

pub(super) fn columns(outputs: &[Output]) -> Vec<(&str, Type)> {
    outputs.iter().map(|output| (output.name.as_str(), output.ty)).collect()
}

pub(super) fn row(values: &[Value], columns: &[(&str, Type)], formats: &Formats) -> Message {
    let mut data = BytesMut::new();
    for (index, (value, (_, ty))) in values.iter().zip(columns).enumerate() {
        if *value == Value::Null {
            data.put_i32(-1);
            continue;
        }
        let bytes =
            if formats.of(index) == FORMAT_CODE_BINARY { value.to_binary(*ty) } else { value.to_text().into_bytes() };
        data.put_i32(i32::try_from(bytes.len()).unwrap_or(0));
        data.put_slice(&bytes);
    }
    Message::DataRow(DataRow::new(data, i16::try_from(values.len()).unwrap_or(i16::MAX)))
}

/// The next row of a query, after the pause it may have to make; none: there are no more.
pub(super) async fn next_row(
    execution: &mut Execution,
    cancel: &CancellationToken,
    wire: &mut Wire,
) -> Result<Option<Vec<Value>>, Failure> {
    let canceled = || SqlError::new(code::CANCELED, "canceling statement due to user request");
    for steps in 1.. {
        if cancel.is_cancelled() {
            return Err(canceled().into());
        }
        match execution.step()? {
            Step::Row(row, pause) => {
                if !pause.is_zero() {
                    // What is there already need not wait as well.
                    wire.flush().await?;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = cancel.cancelled() => return Err(canceled().into()),
                    }
                }
                return Ok(Some(row));
            }
            Step::End => return Ok(None),
            Step::Busy if steps % STEPS == 0 => tokio::task::yield_now().await,
            Step::Busy => {}
        }
    }
    Ok(None)
}
