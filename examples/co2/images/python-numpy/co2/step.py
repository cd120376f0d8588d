"""What the steps share: reading the measurements, cleaning them, and talking to Hearth.

Every step runs in a pod of its own. Tables come and go as artifacts, below /hearth/in and /hearth/out; small
results as outputs and arguments.
"""

import argparse
import csv
import hashlib
import json
import os
import sys
from dataclasses import dataclass

import numpy as np

DATA = os.environ.get("CO2_DATA", "/data/co2.csv")
OUTPUTS = os.environ.get("CO2_OUTPUTS", "/dev/termination-log")

# The exit codes of runtimes/CONTRACT.md that these steps use.
BAD_ARGUMENTS, BAD_DATA = 64, 65

PERIOD = 12


class Arguments(argparse.ArgumentParser):
    """A parser that ends with the contract's code for bad arguments."""

    def error(self, message):
        self.exit(BAD_ARGUMENTS, f"error: {message}\n")


def refuse(message):
    """Ends the step because of its data: such a failure is not tried again."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(BAD_DATA)


def emit(**outputs):
    """Hands the step's outputs to Hearth: one JSON object of at most 3 KiB."""
    text = json.dumps(outputs, separators=(",", ":"))
    if len(text.encode()) > 3072:
        refuse(f"outputs of {len(text.encode())} bytes are longer than 3072")
    with open(OUTPUTS, "w", encoding="utf-8") as file:
        file.write(text)


def sha256():
    with open(DATA, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def verify(expected):
    """Stops unless the file is the one that the workflow speaks of."""
    found = sha256()
    if found != expected:
        refuse(f"{DATA} has SHA-256 {found}, expected {expected}")


def weeks():
    """Yields (year, month, ppm or None) for each week of the file."""
    with open(DATA, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                year, month = int(row["date"][0:4]), int(row["date"][4:6])
                value = float(row["co2"]) if row["co2"] else None
            except (KeyError, TypeError, ValueError):
                refuse(f"line {number} of {DATA} is not 'YYYYMMDD,ppm'")
            yield year, month, value


def label(month):
    """A month's number, counted from year 0, as YYYY-MM."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


@dataclass
class Series:
    """Monthly means without a gap. `first` counts months from year 0."""

    first: int
    values: np.ndarray
    filled: int

    @property
    def start(self):
        return label(self.first)

    @property
    def end(self):
        return label(self.first + len(self.values) - 1)

    def calendar_month(self, index):
        return (self.first + index) % 12


def clean(first_year, last_year, min_weeks, max_gap):
    """Monthly means: months with too few measured weeks are gaps, and short gaps are bridged."""
    by_month = {}
    for year, month, value in weeks():
        if first_year <= year <= last_year and value is not None:
            by_month.setdefault(year * 12 + month - 1, []).append(value)
    known = sorted(m for m, values in by_month.items() if len(values) >= min_weeks)
    if not known:
        refuse("no month has enough measured weeks")
    longest = max((b - a - 1 for a, b in zip(known, known[1:])), default=0)
    if longest > max_gap:
        refuse(f"a gap of {longest} months is longer than the {max_gap} that may be bridged")
    months = np.arange(known[0], known[-1] + 1)
    means = [np.mean(by_month[m]) for m in known]
    return Series(known[0], np.interp(months, known, means), len(months) - len(known))


def write(path, series):
    """The series as a table: the middle of each month in years, the month, ppm with all digits."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["t", "month", "co2"])
        for month, value in enumerate(series.values, start=series.first):
            table.writerow([f"{(month + 0.5) / PERIOD:.6f}", label(month), repr(float(value))])


def table(path):
    """The series that `clean` wrote."""
    months, values = [], []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                year, month = row["month"].split("-")
                months.append(int(year) * 12 + int(month) - 1)
                values.append(float(row["co2"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        refuse(f"{path} is not a series as clean writes it: {error!r}")
    if not months or months != list(range(months[0], months[0] + len(months))):
        refuse(f"{path} has no months, or a gap between them")
    return Series(months[0], np.array(values), 0)


def rmse(expected, found):
    return float(np.sqrt(np.mean((np.asarray(expected) - np.asarray(found)) ** 2)))


def per_year(trend):
    """Mean growth of a monthly trend, in ppm a year."""
    return float((trend[-1] - trend[0]) / (len(trend) - 1) * PERIOD)


def peak_to_peak(seasonal, series):
    """Height of the mean seasonal cycle: highest calendar month less the lowest."""
    months = np.array([series.calendar_month(i) for i in range(len(seasonal))])
    cycle = [np.mean(seasonal[months == m]) for m in range(PERIOD)]
    return float(max(cycle) - min(cycle))
