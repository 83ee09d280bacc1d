#!/usr/bin/env python3
"""The founding case at size: a collection in its real shape, 82,631 of whose dates are the numbers of rows, is checked,
planned, cleaned, and put back; counts and raw bytes are compared. Needs pymongo and a release build; fills nothing
itself:

    load.py URI --documents 1000000 --bad 82631 --compact 30000
    founding.py URI [--barkeep PATH]
"""

import argparse
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

JOBS = pathlib.Path(__file__).resolve().parents[2] / "jobs"


def digests(collection):
    """SHA-256 over all raw documents in the order of _id, and the set of their hashes."""
    whole, each = hashlib.sha256(), set()
    for document in collection.find().hint([("_id", 1)]).sort("_id", 1):
        whole.update(document.raw)
        each.add(hashlib.sha256(document.raw).digest())
    return whole.hexdigest(), each


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--barkeep", default=os.path.join(
        os.environ.get("CARGO_TARGET_DIR", os.path.expanduser("~/.cache/barkeep/target")), "release/barkeep"))
    arguments = parser.parse_args()
    database = MongoClient(arguments.uri, document_class=RawBSONDocument).tradingagents
    quotes, items = database.stock_daily_quotes, database.stock_daily_quotes_quarantine
    before, rows = digests(quotes)
    bad = {"trade_date": {"$regex": "^[0-9]{1,7}$"}}
    compact = {"trade_date": {"$regex": "^[0-9]{8}$"}}
    print(f"{len(rows):,} documents, {quotes.count_documents(bad):,} bad, {quotes.count_documents(compact):,} compact dates")

    with tempfile.TemporaryDirectory() as work:
        job = pathlib.Path(work, "job.toml")
        text = (JOBS / "clean-invalid-trade-date.toml").read_text()
        job.write_text(text.replace("rules/invalid", f"{JOBS}/rules/invalid").replace("../reports", f"{work}/reports"))
        environment = {**os.environ, "MONGODB_URI": arguments.uri}
        total = 0.0

        def barkeep(*command):
            nonlocal total
            start = time.monotonic()
            done = subprocess.run([arguments.barkeep, *command, "--format", "json"], env=environment, stdout=subprocess.PIPE)
            seconds = time.monotonic() - start
            total += seconds
            told = json.loads(done.stdout.splitlines()[0])
            extra = ""
            if told.get("seconds", {}).get("extract"):
                extra = f", extraction {told['rows']['read'] / told['seconds']['extract']:,.0f} documents a second"
            print(f"{command[0]:10} exit {done.returncode} in {seconds:.1f} s{extra}  {told.get('actions') or ''}")
            return told

        barkeep("check", str(job))
        told = barkeep("plan", str(job))
        words = next(step["command"] for step in told["next"] if " apply " in step["command"]).split()
        barkeep("apply", words[2], "--confirm", words[4])
        print(f"check, plan and apply: {total:.1f} s")
        _, left = digests(quotes)
        moved = {hashlib.sha256(item["raw"]).digest() for item in items.find({"state": "removed"}, {"raw": 1})}
        print(f"left {len(left):,}, moved {len(moved):,}, bad left {quotes.count_documents(bad):,}, "
              f"compact left {quotes.count_documents(compact):,}")
        assert left | moved == rows and not left & moved, "source + quarantine = before, byte for byte"
        barkeep("quarantine", "restore", str(job), "--rule", "invalid-trade-date", "--confirm", str(len(moved)))
        after, _ = digests(quotes)
        assert after == before, "the collection is what it was"
        print(f"restored: SHA-256 over all documents is the same, {after[:16]}…")
        print(f"peak memory of a barkeep process {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MB")
    items.drop()
    database.barkeep_runs.drop()


if __name__ == "__main__":
    main()
