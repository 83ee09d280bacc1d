//! Formats that are not read, each with the line that makes a file which is.

use std::path::Path;

use super::SourceError;

/// A format that is not read.
pub(super) struct Unread {
    what: &'static str,
    endings: &'static [&'static str],
    magic: &'static [&'static [u8]],
    /// The line that makes a file which is read; `{path}` is the file.
    way_out: &'static str,
}

/// Excel workbooks, also known by what is in them.
pub(super) const XLSX: Unread = Unread {
    what: "an Excel workbook",
    endings: &[".xlsx", ".xlsm", ".xlsb"],
    magic: &[],
    way_out: "`pandas.read_excel(\"{path}\").to_parquet(\"bars.parquet\")` writes the same rows as Parquet",
};

const UNREAD: &[Unread] = &[
    XLSX,
    Unread {
        what: "an Excel workbook of the old kind",
        endings: &[".xls"],
        magic: &[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
        way_out: "`pandas.read_excel(\"{path}\").to_parquet(\"bars.parquet\")` writes the same rows as Parquet",
    },
    Unread {
        what: "HDF5",
        endings: &[".h5", ".hdf5", ".hdf"],
        magic: &[b"\x89HDF\r\n\x1a\n"],
        way_out: "`pandas.read_hdf(\"{path}\").to_parquet(\"bars.parquet\")` writes the same rows as Parquet",
    },
    Unread {
        what: "a pickle of Python",
        endings: &[".pkl", ".pickle"],
        magic: &[b"\x80\x04\x95", b"\x80\x05\x95"],
        way_out: "`pandas.read_pickle(\"{path}\").to_parquet(\"bars.parquet\")` writes the same rows as Parquet",
    },
    Unread {
        what: "a tar archive",
        endings: &[".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"],
        magic: &[],
        way_out: "`tar -xf {path}` unpacks its files, and `path` can name those",
    },
];

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// The error for a file whose name says that it is not read.
pub(super) fn by_name(path: &Path) -> Option<SourceError> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let unread = UNREAD.iter().find(|unread| unread.endings.iter().any(|ending| name.ends_with(ending)))?;
    Some(error(path, unread))
}

/// The error for a file whose first bytes say that it is not read.
pub(super) fn by_bytes(path: &Path, head: &[u8]) -> Option<SourceError> {
    let tar = head.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1));
    let known = |unread: &&Unread| {
        unread.magic.iter().any(|magic| head.starts_with(magic)) || (tar && unread.endings.contains(&".tar"))
    };
    UNREAD.iter().find(known).map(|unread| error(path, unread))
}

/// The error for the file at `path`.
pub(super) fn error(path: &Path, unread: &Unread) -> SourceError {
    let way_out = unread.way_out.replace("{path}", &path.display().to_string());
    SourceError::Unread { path: path.to_path_buf(), what: unread.what, way_out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_first_bytes_tell_what_is_not_read() {
        for (name, line) in [
            ("a.xlsx", "`pandas.read_excel(\"a.xlsx\")"),
            ("A.XLS", "read_excel"),
            ("a.h5", "`pandas.read_hdf(\"a.h5\").to_parquet(\"bars.parquet\")`"),
            ("a.pkl", "read_pickle"),
            ("a.csv.tar.gz", "`tar -xf a.csv.tar.gz`"),
        ] {
            let error = by_name(Path::new(name)).unwrap().to_string();
            assert!(error.contains(line), "{error}");
        }
        assert!(by_name(Path::new("a.csv.gz")).is_none());
        let tar = [&[b'x'; 257][..], b"ustar\0"].concat();
        for head in [&b"\x89HDF\r\n\x1a\n"[..], b"\x80\x04\x95abc", &tar] {
            assert!(by_bytes(Path::new("a.csv"), head).is_some());
        }
        assert!(by_bytes(Path::new("a.csv"), b"symbol,date\n").is_none());
    }
}
