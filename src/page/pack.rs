//! The block of data of a page: JSON with an array a column, gzip, base64.

use std::io::{self, BufWriter, Write};

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Serialize, Serializer};

/// A quick level: a higher one takes four times as long for a tenth less.
const LEVEL: u32 = 5;

/// Writes one JSON object, member by member, compressed as it grows.
pub(super) struct Packer {
    out: BufWriter<GzEncoder<Vec<u8>>>,
    /// Objects that are open, and whether each has a member yet.
    open: Vec<bool>,
}

impl Packer {
    /// Begins the object.
    pub(super) fn new() -> io::Result<Self> {
        let mut packer = Self {
            out: BufWriter::with_capacity(1 << 16, GzEncoder::new(Vec::new(), Compression::new(LEVEL))),
            open: vec![false],
        };
        packer.out.write_all(b"{")?;
        Ok(packer)
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        let comma = self.open.last_mut().is_some_and(|has| std::mem::replace(has, true));
        if comma {
            self.out.write_all(b",")?;
        }
        serde_json::to_writer(&mut self.out, name)?;
        self.out.write_all(b":")
    }

    /// A member.
    pub(super) fn value(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.name(name)?;
        Ok(serde_json::to_writer(&mut self.out, value)?)
    }

    /// A member that is an array. Numbers that JSON does not know are `null`.
    pub(super) fn column<T: Serialize>(&mut self, name: &str, values: impl IntoIterator<Item = T>) -> io::Result<()> {
        self.name(name)?;
        Ok(serde_json::Serializer::new(&mut self.out).collect_seq(values)?)
    }

    /// A member that is an array of the steps from value to value, in `unit`; `null` where there is no value.
    pub(super) fn steps(&mut self, name: &str, values: &[Option<i64>], unit: i64) -> io::Result<()> {
        let mut before = 0;
        self.column(
            name,
            values.iter().map(|value| {
                let value = (*value)? / unit;
                Some(value - std::mem::replace(&mut before, value))
            }),
        )
    }

    /// Begins a member that is an object; [`Packer::end`] ends it.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        self.name(name)?;
        self.open.push(false);
        self.out.write_all(b"{")
    }

    /// Ends what [`Packer::begin`] began.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.open.pop();
        self.out.write_all(b"}")
    }

    /// The text of the block.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.out.write_all(b"}")?;
        let packed = self.out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        Ok(BASE64.encode(&packed))
    }
}

/// The largest unit, in µs, that all times are whole multiples of: a day, a minute, a second, a millisecond, or 1.
pub(super) fn unit<'a>(times: impl Iterator<Item = &'a Option<i64>> + Clone) -> i64 {
    let units = [86_400_000_000, 60_000_000, 1_000_000, 1_000];
    let fits = |unit: &i64| times.clone().flatten().all(|time| time % unit == 0);
    units.into_iter().find(fits).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(block: &str) -> serde_json::Value {
        let bytes = BASE64.decode(block.as_bytes()).unwrap();
        let mut json = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut json).unwrap();
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_block_is_one_object_of_columns() {
        let mut packer = Packer::new().unwrap();
        packer.value("run", &serde_json::json!({ "id": "</script>\"" })).unwrap();
        packer.begin("findings").unwrap();
        packer.column("lo", [Some(1.5), None, Some(f64::NAN)]).unwrap();
        packer.steps("time", &[Some(120), None, Some(60), Some(180)], 60).unwrap();
        packer.end().unwrap();
        packer.begin("none").unwrap();
        packer.end().unwrap();
        packer.column("last", ["x"]).unwrap();
        let block = packer.finish().unwrap();
        // Nothing of the data is in the document as it is.
        assert!(block.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
        let expected = serde_json::json!({
            "run": { "id": "</script>\"" },
            "findings": { "lo": [1.5, null, null], "time": [2, null, -1, 2] },
            "none": {},
            "last": ["x"],
        });
        assert_eq!(unpacked(&block), expected);
    }

    #[test]
    fn times_are_counted_in_the_largest_unit_that_fits() {
        let day = 86_400_000_000;
        let of = |times: &[Option<i64>]| unit(times.iter());
        assert_eq!(of(&[Some(day), None, Some(-3 * day)]), day);
        assert_eq!(of(&[Some(day), Some(day + 60_000_000)]), 60_000_000);
        assert_eq!(of(&[Some(1_000_000)]), 1_000_000);
        assert_eq!(of(&[Some(5_000)]), 1_000);
        assert_eq!(of(&[Some(7)]), 1);
        assert_eq!(of(&[None]), day);
    }
}
