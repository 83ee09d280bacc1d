//! How a person writes how fresh bars are to be.

use crate::bars::{DAY_US, Fresh};
use crate::market::Interval;
use crate::schema::moment::parse_duration;

/// Reads `2 sessions`, `1 session`, `90m`, `3d`. What is wrong comes with what to do about it.
///
/// # Errors
/// The text is neither, or sessions have no meaning for such bars.
pub fn parse_fresh(text: &str, interval: Interval, has_calendar: bool) -> Result<Fresh, (String, &'static str)> {
    let sessions = text.strip_suffix(" sessions").or_else(|| text.strip_suffix(" session"));
    if let Some(count) = sessions {
        let known = count.bytes().all(|byte| byte.is_ascii_digit()).then(|| count.parse::<u64>().ok()).flatten();
        let count = known.filter(|count| *count <= 100_000);
        let count =
            count.ok_or((format!("`{text}` is not a number of sessions"), "write for instance `2 sessions`"))?;
        return match interval {
            Interval::Week | Interval::Month => {
                Err((format!("bars of {interval} do not end with a session"), "write a span of time, e.g. `10d`"))
            }
            _ if !has_calendar => Err((
                "sessions need a calendar, and `[bars]` names none".to_owned(),
                "name one, e.g. `calendar = \"XNYS\"`, or write a span of time, e.g. `3d`",
            )),
            _ => Ok(Fresh::Sessions(count)),
        };
    }
    let help = "write for instance `2 sessions`, `90m` or `3d`";
    let span = parse_duration(text).map_err(|_| (format!("`{text}` does not say how old bars may be"), help))?;
    let micros = span.num_microseconds().unwrap_or(i64::MAX);
    Ok(match interval {
        Interval::Seconds(_) if has_calendar && micros < DAY_US => Fresh::Trading(micros),
        _ => Fresh::Elapsed(micros),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_spans_are_read() {
        let minutes = Interval::minutes(5);
        assert_eq!(parse_fresh("2 sessions", Interval::Day, true), Ok(Fresh::Sessions(2)));
        assert_eq!(parse_fresh("1 session", minutes, true), Ok(Fresh::Sessions(1)));
        assert_eq!(parse_fresh("90m", minutes, true), Ok(Fresh::Trading(5_400_000_000)));
        assert_eq!(parse_fresh("90m", minutes, false), Ok(Fresh::Elapsed(5_400_000_000)));
        assert_eq!(parse_fresh("3d", Interval::Day, true), Ok(Fresh::Elapsed(3 * DAY_US)));
        assert_eq!(parse_fresh("3d", minutes, true), Ok(Fresh::Elapsed(3 * DAY_US)));
    }

    #[test]
    fn what_says_nothing_of_such_bars_is_refused() {
        for (text, interval, calendar, problem) in [
            ("soon", Interval::Day, true, "does not say how old"),
            ("-1 sessions", Interval::Day, true, "not a number of sessions"),
            ("sessions", Interval::Day, true, "does not say how old"),
            ("two sessions", Interval::Day, true, "not a number of sessions"),
            ("2 sessions", Interval::Day, false, "need a calendar"),
            ("2 sessions", Interval::Week, true, "do not end with a session"),
        ] {
            let refused = parse_fresh(text, interval, calendar).unwrap_err();
            assert!(refused.0.contains(problem), "{text}: {refused:?}");
        }
    }
}
