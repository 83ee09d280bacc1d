#!/usr/bin/env python3
"""Makes the embedded calendar tables from the Python package `exchange_calendars`, and compares them with it.

    pip install exchange_calendars==4.13.2 "pandas<3"
    scripts/calendars.py            # writes src/market/data/exchanges.txt, golden_rows.csv and golden_digests.csv
    scripts/calendars.py --check    # expands exchanges.txt again and compares every row with the package
    scripts/calendars.py --check --rust   # and lets the program expand it, and compares those rows too

pandas 3 is refused: with it 4.13.2 loses the weekend sessions of XBOM, XKRX and XMOS without a word, and cannot make
ASEX, XBEL, XBSE, XCYS and XTAE at all.

The form of `exchanges.txt` is described in `src/market/data/README.md`.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

FIRST, LAST = date(1990, 1, 1), date(2027, 12, 31)
VERSION = "4.13.2"
DATA = Path(__file__).resolve().parent.parent / "src/market/data"
# Calendars that the program has as formulas.
FORMULAS = {"24/7", "24/5"}
CLOSED = "closed"
# What one exception costs in the table, and what a change of the usual hours does.
EXCEPTION, CHANGE = 1, 6


def package():
    warnings.filterwarnings("ignore")
    import exchange_calendars
    import pandas

    if exchange_calendars.__version__ != VERSION:
        sys.exit(f"exchange_calendars is {exchange_calendars.__version__}, and {VERSION} is wanted")
    if int(pandas.__version__.split(".")[0]) > 2:
        sys.exit(f"pandas is {pandas.__version__}, with which weekend sessions are lost; install \"pandas<3\"")
    return exchange_calendars, pandas


def names(xc):
    return [name for name in xc.get_calendar_names(include_aliases=False) if name not in FORMULAS]


class Schedule:
    """The sessions of one calendar as the package has them: day -> (open, close, pause start, pause end) in UTC."""

    def __init__(self, xc, pd, name):
        kind = xc.calendar_utils._default_calendar_factories[name]
        low, high = kind.bound_min(), kind.bound_max()
        self.name = name
        self.first = max(FIRST, low.date()) if low is not None else FIRST
        self.last = min(LAST, high.date()) if high is not None else LAST
        calendar = xc.get_calendar(name, start=pd.Timestamp(self.first), end=pd.Timestamp(self.last))
        self.zone = str(calendar.tz)
        self.rows = {}
        for day, row in calendar.schedule.iterrows():
            times = [row["open"], row["close"], row["break_start"], row["break_end"]]
            self.rows[day.date()] = tuple(None if pd.isna(time) else time.to_pydatetime() for time in times)

    def lines(self):
        """The sessions as rows of the golden files."""
        return [line(self.name, day, *row) for day, row in sorted(self.rows.items())]

    def hours(self, day):
        """The hours of `day` as the table writes them."""
        if day not in self.rows:
            return CLOSED
        opens, closes, pause, resumes = self.rows[day]
        clock = lambda time: local_clock(time, self.zone, day)
        if pause is None:
            return f"{clock(opens)}-{clock(closes)}"
        return f"{clock(opens)}-{clock(pause)},{clock(resumes)}-{clock(closes)}"


def line(name, day, opens, closes, pause, resumes):
    text = lambda time: time.strftime("%Y-%m-%dT%H:%MZ") if time else ""
    return f"{name},{day},{text(opens)},{text(closes)},{text(pause)},{text(resumes)}"


def local_clock(time, zone, day):
    """`09:30`, `<17:00` on the evening before, `24:00` and more after midnight."""
    local = time.astimezone(ZoneInfo(zone))
    if local.second:
        sys.exit(f"{day}: {local} has seconds")
    minutes = (local.date() - day).days * 1440 + local.hour * 60 + local.minute
    sign, minutes = ("<", minutes + 1440) if minutes < 0 else ("", minutes)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def usual(days, hours):
    """For each of `days` the hours that are usual then, with the fewest exceptions and changes."""
    states = [text for text, _ in Counter(hours).most_common(24)]
    cost = {state: 0 for state in states}
    back = []
    for text in hours:
        best = min(states, key=lambda state: (cost[state], states.index(state)))
        came, new = {}, {}
        for state in states:
            stays = cost[state] <= cost[best] + CHANGE
            came[state] = state if stays else best
            new[state] = min(cost[state], cost[best] + CHANGE) + (0 if state == text else EXCEPTION)
        back.append(came)
        cost = new
    state = min(states, key=lambda one: (cost[one], states.index(one)))
    found = []
    for came in reversed(back):
        found.append(state)
        state = came[state]
    return dict(zip(days, reversed(found)))


def regimes(schedule, days):
    """`[(first day, {weekday: hours})]`: the changes of all weekdays that can begin together do."""
    by_weekday = {}
    for weekday in range(1, 8):
        own = [day for day in days if day.isoweekday() == weekday]
        by_weekday[weekday] = usual(own, [schedule.hours(day) for day in own])
    # A change is in force from some day after the last of the hours before it to the first of the new ones.
    changes = []
    for weekday, found in by_weekday.items():
        before = None
        for day, hours in found.items():
            if before and found[before] != hours:
                changes.append((before + timedelta(1), day, weekday, hours))
            before = day
    current = {weekday: next(iter(found.values()), CLOSED) for weekday, found in by_weekday.items()}
    result = [(days[0], dict(current))]
    changes.sort(key=lambda change: change[1])
    while changes:
        at = changes[0][1]
        together = [change for change in changes if change[0] <= at]
        changes = [change for change in changes if change[0] > at]
        # On a day before a change's own first, the old hours hold: the earliest date all of them allow.
        for _, _, weekday, hours in together:
            current[weekday] = hours
        result.append((max(change[0] for change in together), dict(current)))
    return result


def table(schedule):
    """The section of one calendar."""
    days = [schedule.first + timedelta(n) for n in range((schedule.last - schedule.first).days + 1)]
    found = regimes(schedule, days)
    body = []
    for first, week in found:
        groups = {}
        for weekday, hours in week.items():
            if hours != CLOSED:
                groups.setdefault(hours, []).append(str(weekday))
        body.append(" ".join([f"hours {first}"] + [f"{''.join(group)} {hours}" for hours, group in groups.items()]))
    closed, other, at = {}, {}, 0
    for day in days:
        while at + 1 < len(found) and found[at + 1][0] <= day:
            at += 1
        hours = schedule.hours(day)
        if hours == found[at][1][day.isoweekday()]:
            continue
        if hours == CLOSED:
            closed.setdefault(day.year, []).append(f"{day:%m%d}")
        else:
            other.setdefault(hours, []).append(f"{day:%Y%m%d}")
    body += [f"closed {year} {' '.join(found)}" for year, found in closed.items()]
    body += [f"other {hours} {' '.join(found)}" for hours, found in sorted(other.items())]
    return [f"{schedule.zone} {schedule.first} {schedule.last}"] + body


def expand(text):
    """The rows of every calendar in `text`, by name."""
    sections, body = {}, None
    for row in text.splitlines():
        if row.startswith("["):
            name, _, rest = row[1:].partition("]")
            if rest.startswith(" = "):
                sections[name] = (name, sections[rest[3:]][1])
            else:
                body = [rest.strip()]
                sections[name] = (name, body)
        elif row and not row.startswith(("#", "alias ")):
            body.append(row)
    return {name: expand_one(name, body) for name, body in sections.values()}


def expand_one(name, body):
    zone, first, last = body[0].split()
    first, last = date.fromisoformat(first), date.fromisoformat(last)
    changes, closed, other = [], set(), {}
    for row in body[1:]:
        kind, head, *rest = row.split()
        if kind == "hours":
            week = {}
            for group, hours in zip(rest[::2], rest[1::2]):
                week.update({int(weekday): hours for weekday in group})
            changes.append((date.fromisoformat(head), week))
        elif kind == "closed":
            closed |= {datetime.strptime(head + text, "%Y%m%d").date() for text in rest}
        else:
            other.update({datetime.strptime(text, "%Y%m%d").date(): head for text in rest})
    rows, day = [], first
    while day <= last:
        week = [week for begins, week in changes if begins <= day][-1]
        hours = other.get(day) or (None if day in closed else week.get(day.isoweekday()))
        if hours:
            rows.append(expand_session(name, zone, day, hours))
        day += timedelta(1)
    return rows


def expand_session(name, zone, day, hours):
    def at(clock):
        evening = clock.startswith("<")
        hour, minute = map(int, clock.lstrip("<").split(":"))
        date_, hour = day + timedelta(hour // 24 - evening), hour % 24
        local = datetime(date_.year, date_.month, date_.day, hour, minute, tzinfo=ZoneInfo(zone))
        return local.astimezone(ZoneInfo("UTC"))

    stretches = [tuple(at(clock) for clock in stretch.split("-")) for stretch in hours.split(",")]
    pause = (stretches[0][1], stretches[1][0]) if len(stretches) > 1 else (None, None)
    return line(name, day, stretches[0][0], stretches[-1][1], *pause)


def sample(schedule):
    """Rows that a mistake in the expansion would most likely change: the ends, changes of hours, odd days."""
    days = sorted(schedule.rows)
    usual_hours = Counter(schedule.hours(day) for day in days)
    odd = [day for day in days if usual_hours[schedule.hours(day)] < len(days) / 50]
    weekend = [day for day in days if day.isoweekday() > 5]
    first_of = {schedule.hours(day): day for day in reversed(days)}
    chosen = {days[0], days[-1], *list(first_of.values())[:6], *odd[:2], *odd[-2:], *weekend[:1], *weekend[-1:]}
    for text in ["2024-03-08", "2024-03-11", "2024-03-29", "2024-04-02", "2024-11-01", "2024-11-04"]:
        chosen |= {date.fromisoformat(text)} & set(days)
    return [line(schedule.name, day, *schedule.rows[day]) for day in sorted(chosen)]


def digest(rows):
    return hashlib.sha256("".join(row + "\n" for row in rows).encode()).hexdigest()


def write(xc, pd):
    aliases = xc.calendar_utils._default_calendar_aliases
    head = [
        f"# Sessions of exchange_calendars {VERSION}, made by scripts/calendars.py; the form is described in README.md.",
        *(f"alias {alias} {name}" for alias, name in aliases.items()),
    ]
    text, seen = list(head), {}
    golden = ["calendar,session,open_utc,close_utc,break_start_utc,break_end_utc"]
    digests = ["calendar,sessions,sha256"]
    for name in names(xc):
        schedule = Schedule(xc, pd, name)
        body = table(schedule)
        same = seen.setdefault(tuple(body), name)
        text += [f"[{name}] = {same}"] if same != name else [f"[{name}] {body[0]}", *body[1:]]
        golden += sample(schedule)
        rows = schedule.lines()
        digests.append(f"{name},{len(rows)},{digest(rows)}")
        print(name, len(rows), "sessions", len(body), "lines")
    for file, lines in [("exchanges.txt", text), ("golden_sessions.csv", golden), ("golden_digests.csv", digests)]:
        (DATA / file).write_text("\n".join(lines) + "\n")


def check(xc, pd, rust):
    expanded = expand((DATA / "exchanges.txt").read_text())
    digests = dict(row.rsplit(",", 1) for row in (DATA / "golden_digests.csv").read_text().splitlines()[1:])
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        total = 0
        for name in names(xc):
            rows = Schedule(xc, pd, name).lines()
            total += len(rows)
            differ = sum(one != other for one, other in zip(rows, expanded[name])) + abs(len(rows) - len(expanded[name]))
            differ += digests.get(f"{name},{len(rows)}") != digest(rows)
            wrong += differ
            if differ:
                print(f"{name}: {differ} rows differ")
            (Path(folder) / f"{name}.csv").write_text("\n".join(rows) + "\n")
        print(f"{len(names(xc))} calendars, {total} sessions compared: {wrong} differ")
        if rust:
            command = ["cargo", "test", "--locked", "--lib", "market::built_in::tests::every_session_of_the_package"]
            done = subprocess.run([*command, "--", "--nocapture"], env={**os.environ, "BARKEEP_SESSIONS": folder})
            wrong += done.returncode
    sys.exit(1 if wrong else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--rust", action="store_true", help="with --check, expand with the program as well")
    options = parser.parse_args()
    if options.check:
        check(*package(), options.rust)
    else:
        write(*package())


if __name__ == "__main__":
    main()
