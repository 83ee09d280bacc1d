#!/usr/bin/env python3
"""Times pymongoarrow's `find_arrow_all` on the fields a daily job needs. Needs pymongoarrow.

    peer_pymongoarrow.py mongodb://127.0.0.1:27017
"""

import argparse
import resource
import time

import pyarrow
from pymongo import MongoClient
from pymongoarrow.api import Schema, find_arrow_all

FIELDS = Schema({
    "symbol": pyarrow.string(),
    "data_source": pyarrow.string(),
    "trade_date": pyarrow.string(),
    **{name: pyarrow.float64() for name in ["open", "high", "low", "close", "volume", "amount"]},
})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri")
    parser.add_argument("--database", default="tradingagents")
    parser.add_argument("--collection", default="stock_daily_quotes")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    collection = MongoClient(arguments.uri)[arguments.database][arguments.collection]
    for _ in range(arguments.runs):
        start = time.monotonic()
        rows = find_arrow_all(collection, {}, schema=FIELDS).num_rows
        seconds = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{rows:,} documents in {seconds:.2f} s = {rows / seconds:,.0f} a second, peak {peak} MB")


if __name__ == "__main__":
    main()
