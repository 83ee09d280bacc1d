//! The name of a time zone.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::schema::diagnostic::nearest;
use crate::schema::section::SectionReader;

/// The zone that the key `zone` of `section` names.
pub(super) fn read_zone(section: &mut SectionReader<'_>, name: &str) -> Option<Tz> {
    let zone = name.parse().ok();
    if zone.is_none() {
        let help = match nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the IANA time zone database, e.g. `Asia/Shanghai`".to_owned(),
        };
        section.reject("zone", format!("unknown time zone `{name}`"), help);
    }
    zone
}
