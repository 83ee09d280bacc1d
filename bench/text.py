#!/usr/bin/env python3
"""Bars as text: barkeep's whole check beside DuckDB's reader, on the same files in one run.

text.py WORK [--rows 6000000] [--rounds 5] [--small 5000]

WORK/ref holds the bars that gen.py made. Writes them as CSV, NDJSON, gzipped CSV and one JSON document, checks each with
the six reference rules, and lets DuckDB read every value of the same file. Also checks a folder of small files, one a
symbol. Medians of wall and CPU seconds, and the largest peak of memory.
"""
import argparse, os, pathlib, resource, statistics, subprocess, sys, time

import duckdb

ap = argparse.ArgumentParser()
ap.add_argument("work", type=pathlib.Path)
ap.add_argument("--rows", type=int, default=6_000_000)
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--small", type=int, default=5000)
a = ap.parse_args()
here = pathlib.Path(__file__).parent
cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
barkeep = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", cache / "barkeep/target")) / "release/barkeep"
if not barkeep.exists():
    sys.exit(f"text.py: no {barkeep}; run cargo build --release")
text = a.work / "text"
text.mkdir(exist_ok=True)
files = {
    "csv": ("bars.csv", "(header)", "read_csv"),
    "ndjson": ("bars.ndjson", "(format json)", "read_json"),
    "csv.gz": ("bars.csv.gz", "(header, compression gzip)", "read_csv"),
    "json": ("bars.json", "(format json, array true)", "read_json"),
}


# Here the date is the timestamp itself.
rules = text / "rules.toml"
rules.write_text((here / "reference_rules.toml").read_text().replace('field = "trade_date"\n', ""))


def write_files():
    bars = f"(SELECT symbol, trade_date, open, high, low, close, volume FROM '{a.work}/ref/*.parquet'"
    for name, options, _ in files.values():
        if not (text / name).exists():
            duckdb.sql("SET preserve_insertion_order = true")
            duckdb.sql(f"COPY {bars} LIMIT {a.rows}) TO '{text / name}' {options}")
    small = text / "small"
    if not small.exists():
        small.mkdir()
        rows = duckdb.sql(f"SELECT * FROM {bars}) ORDER BY symbol LIMIT {a.small * 20}").df()
        for number in range(a.small):
            part = rows[number * 20 : number * 20 + 20].assign(symbol=f"S{number:05}")
            part.to_csv(small / f"S{number:05}.csv", index=False)


def job(name, path):
    at = text / f"{name.replace('.', '-')}.toml"
    at.write_text(f'''name = "{at.stem}"
rules = ["{rules}"]
[source.files]
path = "{path}"
[bars]
series = ["symbol"]
interval = "1d"
calendar = "weekdays"
time = {{ field = "trade_date", formats = ["%Y-%m-%d"] }}
[report]
dir = "{text / "reports"}"
''')
    return at


def measured(command):
    """Wall seconds, CPU seconds and peak MiB of a command and of nothing else."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"{command} ended with {status}: {said.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(name, commands):
    ended = {who: [] for who in commands}
    for _ in range(a.rounds):
        for who, command in commands.items():
            ended[who].append(measured(command))
    for who, rounds in ended.items():
        wall, cpu, peak = zip(*rounds)
        print(f"{name:8} {who:8} {statistics.median(wall):6.2f} s   CPU {statistics.median(cpu):6.2f} s   {max(peak):6.0f} MiB", flush=True)


write_files()
for name, (file, _, reader) in files.items():
    size = ", maximum_object_size = 2000000000" if name == "json" else ""
    sums = "count(*), count(symbol), max(trade_date), sum(open), sum(high), sum(low), sum(close), sum(volume)"
    query = f"import duckdb; duckdb.sql(\"SELECT {sums} FROM {reader}('{text / file}'{size})\").fetchall()"
    compare(name, {
        "barkeep": [barkeep, "check", job(name, text / file), "--no-report"],
        "duckdb": [sys.executable, "-c", query],
    })
compare("small", {"barkeep": [barkeep, "check", job("small", text / "small"), "--no-report"]})
