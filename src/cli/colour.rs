//! What the terminal can show.

use std::io::{self, IsTerminal};

/// Whether stderr is a terminal that may be coloured.
pub(crate) fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && colour_wanted()
}

/// Whether the person and the terminal take colours.
pub(crate) fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !dumb()
}

/// Whether the terminal cannot do more than show text: it has neither colours nor a cursor that moves.
pub(crate) fn dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// Whether the locale (`LC_ALL`, `LC_CTYPE`, `LANG`) is one of UTF-8, and the terminal is not dumb.
pub(crate) fn is_utf8() -> bool {
    let set =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok()).find(|text| !text.is_empty());
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    !dumb && set.is_some_and(|text| text.to_lowercase().replace('-', "").contains("utf8"))
}
