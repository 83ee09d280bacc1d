//! What findings and rows are known by, the same from run to run.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::frame::{Frame, Layout};
use super::program::Program;
use crate::checks::Finding;

/// Identity of a finding: job, rule, row or gap, field and cause.
pub(super) fn identity(program: &Program, rule: usize, finding: &Finding, row_key: &str) -> String {
    let field = finding.field.as_deref().unwrap_or_default();
    let cause = finding.cause.unwrap_or_default();
    digest(&[program.job.as_str(), program.rule_id(rule), row_key, field, cause].map(str::as_bytes))
}

/// The rows with the timestamp of `row`, or all rows without one.
pub(super) fn tied(time: &[i64], rows: usize, row: usize) -> Range<usize> {
    match time.get(row) {
        Some(timestamp) => {
            time.partition_point(|other| other < timestamp)..time.partition_point(|other| other <= timestamp)
        }
        None => time.len()..rows,
    }
}

/// What a row says: its timestamp as read or as text, and the numbers `fields`, bit for bit.
pub(super) fn content(layout: &Layout, fields: &[usize], frame: &Frame, row: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(9 * (1 + fields.len()));
    match frame.time_of(layout, row) {
        Some(time) => content.extend(time.to_le_bytes()),
        None => {
            let text = &layout.time_text;
            let texts = [text.value, text.other, layout.raw].map(|column| frame.text(column, row));
            content.extend(texts.into_iter().flatten().flat_map(str::bytes));
        }
    }
    for index in fields {
        content.extend(frame.number(*index, row).map_or([0xff; 9], |value| {
            let mut bytes = [0; 9];
            bytes[..8].copy_from_slice(&value.to_le_bytes());
            bytes
        }));
    }
    content
}

/// First 32 hexadecimal digits of the SHA-256 over the parts, each with its length in front.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    hash.finalize()[..16].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
