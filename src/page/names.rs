//! Names by their places in the order in which they came up: what columns of names hold.

use std::collections::HashMap;

/// Names, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    all: Vec<String>,
    places: HashMap<String, u32>,
}

impl Names {
    /// The place of `name`; it is added behind the others where it is new.
    pub(super) fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    /// The place of `name` where it is known.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }

    /// The name at `place`; empty where there is none.
    pub(super) fn name(&self, place: u32) -> &str {
        self.all.get(place as usize).map_or("", String::as_str)
    }

    /// All names, by their places.
    pub(super) fn all(&self) -> &[String] {
        &self.all
    }
}
