//! The words of the driver, without secrets.

use mongodb::error::{Error, ErrorKind};

use super::error::Words;
use super::redact::Secrets;

/// What the driver says, without secrets.
pub(super) fn words(secrets: &Secrets, error: &Error) -> Words {
    let (text, code) = match &*error.kind {
        ErrorKind::Command(command) => {
            (format!("{} ({}, {})", command.message, command.code_name, command.code), Some(command.code))
        }
        ErrorKind::InvalidArgument { message, .. }
        | ErrorKind::Authentication { message, .. }
        | ErrorKind::ServerSelection { message, .. }
        | ErrorKind::DnsResolve { message, .. } => (message.clone(), None),
        _ => (error.to_string(), None),
    };
    Words { text: secrets.hide(&text), code }
}
