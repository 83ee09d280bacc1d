//! The faults, each a function that puts it in at one place, or says that it does not fit there.

pub(super) mod levels;
pub(super) mod prices;
pub(super) mod rows;
pub(super) mod times;
pub(super) mod volumes;
pub(super) mod whole;
