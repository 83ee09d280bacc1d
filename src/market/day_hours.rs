//! The local hours of a trading day, as tables, patches and jobs write them: `09:30-16:00`; stretches of trading
//! around breaks, `09:00-11:30,12:30-15:00`; `<17:00-16:00` where trading opens on the evening before; and a closing
//! auction after the last stretch, `09:00-15:25+15:30`.

use chrono_tz::Tz;

use super::session::{MAX_BREAKS, Session};
use super::zone::{self, Local};

/// Seconds of a day.
const DAY: i32 = 86_400;

/// Hours of a trading day, in seconds from the midnight that begins the trading date on the clocks of its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayHours {
    /// Trading without a break as (start, end), in order; `count` of them are used.
    stretches: [(i32, i32); MAX_BREAKS + 1],
    count: usize,
    auction_end: i32,
}

impl DayHours {
    /// Reads hours; stretches are separated by commas or blanks.
    ///
    /// # Errors
    /// What is wrong with `text`, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (trading, auction) = match text.split_once('+') {
            Some((trading, auction)) => (trading, Some(clock(auction.trim())?)),
            None => (text, None),
        };
        let mut hours = Self { stretches: [(0, 0); MAX_BREAKS + 1], count: 0, auction_end: 0 };
        for stretch in trading.split([',', ' ']).filter(|stretch| !stretch.is_empty()) {
            let (start, end) =
                stretch.split_once('-').ok_or_else(|| format!("`{stretch}` is not like `09:30-16:00`"))?;
            let (start, end) = (clock(start)?, clock(end)?);
            if start >= end {
                return Err(format!(
                    "`{stretch}` ends before it begins; an evening before the trading date is `<17:00`"
                ));
            }
            if hours.count > 0 && start <= hours.close() {
                return Err(format!("`{stretch}` begins before the trading before it ends"));
            }
            let Some(place) = hours.stretches.get_mut(hours.count) else {
                return Err(format!("`{text}` has more than {MAX_BREAKS} breaks"));
            };
            *place = (start, end);
            hours.count += 1;
        }
        if hours.count == 0 {
            return Err(format!("`{text}` has no hours like `09:30-16:00`"));
        }
        hours.auction_end = auction.unwrap_or(hours.close());
        if hours.auction_end < hours.close() || hours.auction_end - hours.open() > DAY {
            return Err(format!("`{text}` is longer than a day, or its auction ends before the close"));
        }
        Ok(hours)
    }

    /// From the open to the end, in seconds from the midnight that begins the trading date.
    pub(super) fn span(&self) -> (i32, i32) {
        (self.open(), self.auction_end)
    }

    fn open(&self) -> i32 {
        self.stretches[0].0
    }

    fn close(&self) -> i32 {
        self.stretches.get(self.count.wrapping_sub(1)).map_or(i32::MIN, |(_, end)| *end)
    }

    /// How long trading goes on, without breaks, in seconds.
    pub(super) fn trading_time(&self) -> i32 {
        self.stretches[..self.count].iter().map(|(start, end)| end - start).sum()
    }

    /// These hours with a closing auction that is as long as that of `usual`.
    pub(super) fn with_auction_of(self, usual: &Self) -> Self {
        let auction_end = self.auction_end.max(self.close() + usual.auction_end - usual.close());
        Self { auction_end, ..self }
    }

    /// These hours on `day` in `zone`; `None` where clocks there skip or repeat one of them.
    pub(super) fn session(&self, zone: Tz, day: i32, half_day: bool) -> Option<Session> {
        let utc = |seconds: i32| match zone::from_local(zone, day, i64::from(seconds) * 1_000_000) {
            Local::At(instant) => Some(instant),
            Local::Skipped | Local::Repeated(..) | Local::OutOfRange => None,
        };
        let mut session = Session { half_day, ..Session::new(day, utc(self.open())?, utc(self.close())?) };
        for pair in self.stretches[..self.count].windows(2) {
            session.breaks.push(session.open, utc(pair[0].1)?, utc(pair[1].0)?).then_some(())?;
        }
        if self.auction_end > self.close() {
            session.auction_end = utc(self.auction_end)?;
        }
        Some(session)
    }
}

/// Seconds of `09:30`; `<17:00` is on the day before, `25:30` on the day after.
fn clock(text: &str) -> Result<i32, String> {
    let (text_of_day, before) = text.strip_prefix('<').map_or((text, 0), |rest| (rest, DAY));
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let time = text_of_day.split_once(':').filter(|(hour, minute)| digits(hour) && digits(minute));
    let time = time.and_then(|(hour, minute)| Some((hour.parse::<i32>().ok()?, minute.parse::<i32>().ok()?)));
    match time {
        Some((hour @ 0..=47, minute @ 0..=59)) => Ok(hour * 3_600 + minute * 60 - before),
        _ => Err(format!("`{text}` is not a time like `09:30`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<(i32, i32)>, i32) {
        let hours = DayHours::parse(text).unwrap();
        let minutes = |(start, end): &(i32, i32)| (start / 60, end / 60);
        (hours.stretches[..hours.count].iter().map(minutes).collect(), hours.auction_end / 60)
    }

    #[test]
    fn stretches_evenings_and_auctions_are_read() {
        assert_eq!(parsed("09:30-16:00"), (vec![(570, 960)], 960));
        assert_eq!(parsed("09:00-11:30,12:30-15:25+15:30"), (vec![(540, 690), (750, 925)], 930));
        assert_eq!(parsed("09:00-11:30 12:30-15:00"), parsed("09:00-11:30,12:30-15:00"));
        assert_eq!(parsed("<17:00-16:00+16:15"), (vec![(-420, 960)], 975));
        assert_eq!(parsed("20:00-26:30"), (vec![(1_200, 1_590)], 1_590));
        assert_eq!(parsed("00:00-24:00"), (vec![(0, 1_440)], 1_440));
        assert_eq!(DayHours::parse("<21:00-<23:00,09:00-11:30").unwrap().trading_time(), 4 * 3_600 + 1_800);
    }

    #[test]
    fn what_is_no_hours_is_refused_with_the_text() {
        for (text, problem) in [
            ("", "`` has no hours like `09:30-16:00`"),
            ("closed", "`closed` is not like `09:30-16:00`"),
            ("9:30-16:00", "`9:30` is not a time like `09:30`"),
            ("09:30-48:00", "`48:00` is not a time like `09:30`"),
            ("17:00-16:00", "`17:00-16:00` ends before it begins; an evening before the trading date is `<17:00`"),
            ("09:00-12:00,11:00-15:00", "`11:00-15:00` begins before the trading before it ends"),
            ("09:00-12:00,12:00-15:00", "`12:00-15:00` begins before the trading before it ends"),
            ("<09:00-16:00", "`<09:00-16:00` is longer than a day, or its auction ends before the close"),
            ("09:00-16:00+15:30", "`09:00-16:00+15:30` is longer than a day, or its auction ends before the close"),
            (
                "01:00-02:00,03:00-04:00,05:00-06:00,07:00-08:00,09:00-10:00,11:00-12:00",
                "`01:00-02:00,03:00-04:00,05:00-06:00,07:00-08:00,09:00-10:00,11:00-12:00` has more than 4 breaks",
            ),
        ] {
            assert_eq!(DayHours::parse(text).unwrap_err(), problem);
        }
    }
}
