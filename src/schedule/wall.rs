//! The wall times of a schedule, for what knows no calendar: cron, systemd, Kubernetes.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::after_close::AfterClose;
use super::cron::CronFields;
use super::plan::{Due, Schedule, When};
use crate::market::zone::{self, DAY_US};

/// Closes that tell when a market usually closes.
const CLOSES: usize = 260;
const MINUTE_US: i64 = 60_000_000;
/// Days in which a zone that changes its clocks does so.
const DAYS: i64 = 800;
const DAY_MINUTES: i64 = 1440;

/// Wall times in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wall {
    pub(super) fields: CronFields,
    pub(super) zone: Tz,
    /// What they do not say of the schedule; sentences.
    pub(super) notes: Vec<String>,
}

impl Wall {
    /// The wall times of `schedule` as it is after `now`, µs UTC; why there are none is a sentence.
    pub(super) fn of(schedule: &Schedule, now: i64) -> Result<Self, String> {
        match &schedule.when {
            When::Cron(cron) => Ok(Self { fields: cron.fields(), zone: schedule.zone, notes: Vec::new() }),
            When::AfterClose(after_close) => Self::after_close(schedule, after_close, now),
        }
    }

    /// The latest wall time after a usual close, on all days of the week that have one.
    fn after_close(schedule: &Schedule, after_close: &AfterClose, now: i64) -> Result<Self, String> {
        let zone = after_close.calendar.zone();
        let name = after_close.calendar.name();
        let (fires, end) = schedule.fires(now, CLOSES);
        // How many days after the trading date, and at which minute.
        let place = |at: i64, day: i32| {
            let wall = at + zone::offset_at(zone, at);
            (zone::day_of(wall) - day, wall.rem_euclid(DAY_US) / MINUTE_US)
        };
        let whole = fires.iter().filter(|fire| !fire.half_day);
        let places = whole.filter_map(|fire| Some((fire.session?, place(fire.at, fire.session?))));
        let latest = places.clone().map(|(_, place)| place).max();
        let Some((days, minute)) = latest else { return Err(beyond(name, end)) };
        let mut weekdays: Vec<u16> = places.map(|(session, _)| weekday(session + days)).collect();
        weekdays.sort_unstable();
        weekdays.dedup();
        let number = |minutes: i64| u16::try_from(minutes).unwrap_or_default();
        let fields = CronFields {
            minutes: vec![number(minute % 60)],
            hours: vec![number(minute / 60)],
            days: None,
            months: None,
            weekdays: (weekdays.len() < 7).then_some(weekdays),
        };
        let notes = vec![format!(
            "These are the wall times after the usual close of {name}: it starts on holidays too, which have no bars, and after \
             half-days no earlier than after other sessions."
        )];
        Ok(Self { fields, zone, notes })
    }

    /// The same times on clocks that show UTC, where the zone keeps its distance to UTC and all of them move alike.
    pub(super) fn in_utc(&self, now: i64) -> Option<CronFields> {
        let offset = zone::offset_at(self.zone, now);
        let keeps = (0..DAYS).all(|days| zone::offset_at(self.zone, now + days * DAY_US) == offset);
        let offset = (keeps && offset % MINUTE_US == 0).then_some(offset / MINUTE_US)?;
        let CronFields { minutes, hours, days, months, weekdays } = &self.fields;
        // A minute moves into an hour that is `carry` hours away; all of them must.
        let moved = |minute: u16| (i64::from(minute) - offset).div_euclid(60);
        let carry = moved(*minutes.first()?);
        if minutes.iter().any(|minute| moved(*minute) != carry) {
            return None;
        }
        let day_of = |hour: u16| (i64::from(hour) + carry).div_euclid(24);
        let every_hour = hours.len() == 24;
        let shift = if every_hour { 0 } else { day_of(*hours.first()?) };
        if !every_hour && hours.iter().any(|hour| day_of(*hour) != shift) {
            return None;
        }
        let any_day = days.is_none() && months.is_none() && weekdays.is_none();
        if !any_day && (every_hour || shift != 0 && (days.is_some() || months.is_some())) {
            return None;
        }
        let number = |value: i64| u16::try_from(value).unwrap_or_default();
        let turned = |values: &[u16], by: i64, of: i64| {
            let mut values: Vec<u16> =
                values.iter().map(|value| number((i64::from(*value) + by).rem_euclid(of))).collect();
            values.sort_unstable();
            values
        };
        Some(CronFields {
            minutes: turned(minutes, -offset.rem_euclid(60), 60),
            hours: turned(hours, carry.rem_euclid(DAY_MINUTES), 24),
            days: days.clone(),
            months: months.clone(),
            weekdays: weekdays.as_ref().map(|weekdays| turned(weekdays, shift, 7)),
        })
    }
}

/// Day of the week, 0 Sunday.
fn weekday(day: i32) -> u16 {
    // 1970-01-01 was a Thursday.
    u16::try_from((day + 4).rem_euclid(7)).unwrap_or_default()
}

fn beyond(name: &str, end: Option<Due>) -> String {
    let last = match end {
        Some(Due::BeyondCalendar(Some(last))) => NaiveDate::from_epoch_days(last).map(|date| date.to_string()),
        _ => None,
    };
    match last {
        Some(last) => format!("the calendar {name} is known until {last} only, and no session comes after that"),
        None => format!("the calendar {name} has no session"),
    }
}

/// Five fields as cron reads them.
pub(super) fn pattern(fields: &CronFields) -> String {
    let CronFields { minutes, hours, days, months, weekdays } = fields;
    let of = |values: Option<&Vec<u16>>| values.map_or_else(|| "*".to_owned(), |values| ranges(values));
    let all = |values: &Vec<u16>, count: usize| if values.len() == count { "*".to_owned() } else { ranges(values) };
    [all(minutes, 60), all(hours, 24), of(days.as_ref()), of(months.as_ref()), of(weekdays.as_ref())].join(" ")
}

/// Numbers in ascending order, three and more in a row as a range.
fn ranges(values: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *value => *last = *value,
            _ => runs.push((*value, *value)),
        }
    }
    let written = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Cron;

    fn utc(cron: &str, zone: Tz) -> Option<String> {
        let fields = Cron::parse(cron).unwrap().fields();
        // 2026-01-05.
        Wall { fields, zone, notes: Vec::new() }.in_utc(20_458 * DAY_US).map(|fields| pattern(&fields))
    }

    #[test]
    fn times_are_said_in_utc_only_where_that_is_true_all_year() {
        for (cron, zone, expected) in [
            ("30 18 * * MON-FRI", Tz::Asia__Shanghai, Some("30 10 * * 1-5")),
            ("30 6 * * MON-FRI", Tz::Asia__Shanghai, Some("30 22 * * 0-4")),
            ("0 18 * * 1-5", Tz::Asia__Kolkata, Some("30 12 * * 1-5")),
            ("0,45 18 * * 1-5", Tz::Asia__Kolkata, None),
            ("30 6,18 * * 1-5", Tz::Asia__Shanghai, None),
            ("30 6 1 * *", Tz::Asia__Shanghai, None),
            ("30 18 1 * *", Tz::Asia__Shanghai, Some("30 10 1 * *")),
            ("30 18 * * 1-5", Tz::America__New_York, None),
            ("*/15 * * * *", Tz::Asia__Shanghai, Some("0,15,30,45 * * * *")),
            ("0 * * * 1-5", Tz::Asia__Shanghai, None),
            ("0 3 * * *", Tz::UTC, Some("0 3 * * *")),
        ] {
            assert_eq!(utc(cron, zone).as_deref(), expected, "{cron} {zone}");
        }
    }

    #[test]
    fn patterns_are_written_with_ranges() {
        let written = |text: &str| pattern(&Cron::parse(text).unwrap().fields());
        assert_eq!(written("5 0,1,2 * JAN,FEB SUN"), "5 0-2 * 1,2 0");
        assert_eq!(written("@hourly"), "0 * * * *");
    }
}
