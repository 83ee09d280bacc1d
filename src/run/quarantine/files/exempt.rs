//! Which rows of files a person put back, so that they stay.

use std::collections::HashMap;

use super::of_job::{FilesOfJob, failed};
use crate::durable::{Disk, hex};
use crate::quarantine::files;
use crate::quarantine::item::{Exempt, Item, State};
use crate::quarantine::plan::{Place, Plan, PlanFile, PlanRow, SourceIdentity};
use crate::run::failure::Failure;

/// Whether a person put any row back.
pub(super) fn any_restored(of_job: &FilesOfJob) -> Result<bool, Failure> {
    let listed = files::items(of_job.place()).map_err(failed)?;
    Ok(listed.items.iter().any(|item| item.state == State::Restored))
}

/// Which rows of `plan` were put back by a person and are rejected by nothing but the rules that took them then. Rows
/// are known by their content, as often as they were put back.
pub(super) fn exempt(of_job: &FilesOfJob, plan: &Plan) -> Result<Vec<Exempt>, Failure> {
    let listed = files::items(of_job.place()).map_err(failed)?;
    let mut restored: HashMap<(String, String), Vec<Item>> = HashMap::new();
    for item in listed.items.into_iter().filter(|item| item.state == State::Restored) {
        restored.entry((item.source.clone(), item.sha256.clone())).or_default().push(item);
    }
    if restored.is_empty() {
        return Ok(Vec::new());
    }
    let hashes = hashes_of(&of_job.disk, plan)?;
    let mut exempt = Vec::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let (Some((file, _)), Some(sha256)) = (place_of(plan, row), &hashes[index]) else { continue };
        let Some(items) = restored.get_mut(&(file.path.display().to_string(), sha256.clone())) else { continue };
        let taken_by = |item: &Item| {
            let known = |id: &str, hash: &str| item.reasons.iter().any(|taken| taken.id == id && taken.hash == hash);
            plan.reasons(row).iter().all(|reason| known(&reason.id, &reason.hash))
        };
        if let Some(found) = items.iter().position(taken_by) {
            exempt.push(Exempt { row: index, restored_at: items.remove(found).restored_at });
        }
    }
    Ok(exempt)
}

/// SHA-256 (hex) of the bytes of each row of a plan: as planned, or, for rows of Parquet, read again. `None` where the
/// file does not read; its rows are not known then.
fn hashes_of(disk: &Disk, plan: &Plan) -> Result<Vec<Option<String>>, Failure> {
    let mut hashes: Vec<Option<String>> = plan.rows.iter().map(|row| row.sha256.clone()).collect();
    let SourceIdentity::Files(sources) = &plan.head.source else { return Ok(hashes) };
    for (number, file) in sources.iter().enumerate() {
        let of_file = |(index, row): (usize, &PlanRow)| match row.at {
            Place::Row { file, row: at } if file == number && row.sha256.is_none() => Some((at, index)),
            _ => None,
        };
        let mut rows: Vec<(u64, usize)> = plan.rows.iter().enumerate().filter_map(of_file).collect();
        rows.sort_unstable();
        if rows.is_empty() {
            continue;
        }
        let numbers: Vec<u64> = rows.iter().map(|(row, _)| *row).collect();
        for ((_, index), hash) in rows.into_iter().zip(files::row_hashes(disk, &file.path, &numbers).map_err(failed)?) {
            hashes[index] = Some(hex(&hash));
        }
    }
    Ok(hashes)
}

/// The file and the number of a row of a plan; `None` in a plan of something else.
pub(super) fn place_of<'p>(plan: &'p Plan, row: &PlanRow) -> Option<(&'p PlanFile, u64)> {
    match (&row.at, &plan.head.source) {
        (Place::Row { file, row }, SourceIdentity::Files(files)) => Some((files.get(*file)?, *row)),
        _ => None,
    }
}
