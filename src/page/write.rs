//! A page as a file: there as a whole or not at all, and for those who may read the report.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::durable::{Disk, Growing, NotPublished, folder_of, temporary_of};
use crate::report::error::ReportError;

/// Writes `html` as `target`, in place of what has that name, with the rights of `like`, a file of the report.
pub(super) fn write(target: &Path, html: &str, like: Option<&Path>) -> Result<(), ReportError> {
    let folder = folder_of(target);
    let disk = Disk::system();
    let staged = || {
        disk.make_folders(folder)?;
        let temporary = temporary_of(target);
        disk.remove(&temporary)?;
        let mut file = Growing::create(&disk, &temporary, target)?;
        if let Some(attributes) = like.and_then(|like| fs::metadata(like).ok()) {
            file.allow(attributes.permissions().mode() & 0o666);
        }
        file.write_all(html.as_bytes())?;
        file.complete()
    };
    let staged = staged().map_err(|source| ReportError::page(target, source))?;
    staged.publish().map_err(|error| match error {
        NotPublished::Unnamed(source) => ReportError::page(target, source),
        NotPublished::NotDurable(source) => ReportError::NotDurable { folder: folder.to_path_buf(), source },
    })
}
