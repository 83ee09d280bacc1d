//! Names of files, and which of them would outlast a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::inode::{Actor, Ino};
use super::random::Random;
use crate::durable::folder_of;

/// What has a name: all names are whole paths, folders among them.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) now: BTreeMap<PathBuf, Ino>,
    durable: BTreeMap<PathBuf, Ino>,
    pending: Vec<Renaming>,
}

/// A change of names that happens as one, and that no `sync_folder` has made durable yet.
#[derive(Debug)]
struct Renaming {
    by: Actor,
    names: Vec<(PathBuf, Option<Ino>)>,
}

impl Renaming {
    fn folders(&self) -> impl Iterator<Item = &Path> {
        self.names.iter().map(|(name, _)| folder_of(name))
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Ino> {
        self.now.get(path).copied()
    }

    pub(super) fn of(&self, ino: Ino) -> Vec<PathBuf> {
        self.now.iter().filter(|(_, other)| **other == ino).map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn inside<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a Path> {
        self.now.keys().map(PathBuf::as_path).filter(move |name| folder_of(name) == folder && *name != folder)
    }

    pub(super) fn change(&mut self, by: Actor, names: Vec<(PathBuf, Option<Ino>)>) {
        set(&mut self.now, &names);
        self.pending.push(Renaming { by, names });
    }

    /// Makes the names in a folder durable, and what happened before them in folders that share a step with it.
    pub(super) fn sync(&mut self, folder: &Path) {
        let mut folders = BTreeSet::from([folder.to_owned()]);
        let mut synced = vec![false; self.pending.len()];
        for (index, renaming) in self.pending.iter().enumerate().rev() {
            if renaming.folders().any(|folder| folders.contains(folder)) {
                synced[index] = true;
                folders.extend(renaming.folders().map(Path::to_owned));
            }
        }
        for (renaming, synced) in std::mem::take(&mut self.pending).into_iter().zip(synced) {
            if synced {
                set(&mut self.durable, &renaming.names);
            } else {
                self.pending.push(renaming);
            }
        }
    }

    pub(super) fn sync_all(&mut self) {
        self.pending.clear();
        self.durable.clone_from(&self.now);
    }

    /// What a power cut leaves: of each folder, the last changes that were not synced are lost. Returns the files
    /// whose making is lost, with their makers.
    pub(super) fn cut_power(&mut self, random: &mut Random) -> Vec<(Ino, Actor)> {
        let often = [0, 1, 2, 4, 8][random.index(5)];
        let mut lost = BTreeSet::new();
        let mut unmade = Vec::new();
        for renaming in std::mem::take(&mut self.pending) {
            let gone = renaming.folders().any(|folder| lost.contains(folder)) || (often > 0 && random.once_in(often));
            if gone {
                lost.extend(renaming.folders().map(Path::to_owned));
                unmade.extend(renaming.names.iter().filter_map(|(_, ino)| Some(((*ino)?, renaming.by))));
            } else {
                set(&mut self.durable, &renaming.names);
            }
        }
        let before = std::mem::take(&mut self.durable);
        for (name, ino) in &before {
            // Parents come before what lies in them; what lies in a lost folder is out of reach.
            let above = folder_of(name);
            if above == name || self.durable.contains_key(above) {
                self.durable.insert(name.clone(), *ino);
            }
        }
        self.now.clone_from(&self.durable);
        // Only the first lost change of a file that has no name any more can have made it.
        let mut made = BTreeSet::new();
        unmade.retain(|(ino, _)| made.insert(*ino) && !self.now.values().any(|named| named == ino));
        unmade
    }
}

fn set(map: &mut BTreeMap<PathBuf, Ino>, names: &[(PathBuf, Option<Ino>)]) {
    for (name, ino) in names {
        match ino {
            Some(ino) => map.insert(name.clone(), *ino),
            None => map.remove(name),
        };
    }
}

/// One way to write each path: from the root, without `.`.
pub(super) fn whole(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| !matches!(part, Component::CurDir | Component::RootDir));
    std::iter::once(Component::RootDir).chain(parts).collect()
}
