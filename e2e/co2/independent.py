#!/usr/bin/env python3
"""An independent computation of what examples/co2 computes: the same quantities, another route.

It shares no code with the example and needs nothing but Python's standard library.

  quantity    the example                                    here
  harmonics   numpy's least squares by singular values,      modified Gram–Schmidt on Chebyshev polynomials
              powers of time, cosines and sines              and powers of a rotation
  loess       smoothers as matrices                          each point fitted on its own from its sorted neighbours
  holtwinters recursion in its weighted-mean form, weights   recursion in its error-correction form, weights by
              from a grid that closes in                     Nelder and Mead's simplex from three starts

  independent.py               prints the numbers with their tolerances (this is expected.json)
  independent.py --check FILE  ends with 1 when FILE says anything else
  independent.py --results FILE  lays a run's results (JSON; - for standard input) beside the numbers,
                               and ends with 1 when one of them is further off than its tolerance
"""

import argparse
import cmath
import csv
import datetime
import json
import math
import pathlib
import statistics
import sys

DATA = pathlib.Path(__file__).resolve().parents[2] / "examples/co2/images/python-numpy/data/co2.csv"

# The workflow's defaults.
MIN_WEEKS, HOLDOUT, DEGREE, HARMONICS, WINDOW = 2, 60, 3, 4, 35

# The outputs carry four decimals. Two searches for the weights of Holt and Winters end
# a little apart on a flat floor, and forecasts five years ahead feel that most.
EXACT, SEARCHED, SEARCHED_FORECAST = 0.0005, 0.002, 0.005


def monthly():
    """(months since 1958-01 of the first value, values); gaps are bridged by straight lines."""
    sums = {}
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day = datetime.datetime.strptime(row["date"], "%Y%m%d")
            if row["co2"]:
                sums.setdefault((day.year - 1958) * 12 + day.month - 1, []).append(float(row["co2"]))
    means = {m: statistics.fmean(v) for m, v in sums.items() if len(v) >= MIN_WEEKS}
    first, last = min(means), max(means)
    values = []
    for month in range(first, last + 1):
        if month in means:
            values.append(means[month])
            continue
        before = max(m for m in means if m < month)
        after = min(m for m in means if m > month)
        share = (month - before) / (after - before)
        values.append(means[before] * (1 - share) + means[after] * share)
    return first, values


# --- least squares -------------------------------------------------------------------------------


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def chebyshev(x):
    row = [1.0, x]
    while len(row) <= DEGREE:
        row.append(2 * x * row[-1] - row[-2])
    return row[: DEGREE + 1]


def rotation(month):
    turn = cmath.exp(2j * math.pi * month / 12)
    row = []
    for k in range(1, HARMONICS + 1):
        power = turn**k
        row += [power.real, power.imag]
    return row


def least_squares(rows, values):
    """Weights by modified Gram–Schmidt with back substitution."""
    columns = [list(c) for c in zip(*rows)]
    rest, n = list(values), len(columns)
    upper, right = [[0.0] * n for _ in range(n)], [0.0] * n
    for i, column in enumerate(columns):
        norm = math.sqrt(dot(column, column))
        unit = [x / norm for x in column]
        upper[i][i] = norm
        right[i] = dot(unit, rest)
        rest = [x - right[i] * u for x, u in zip(rest, unit)]
        for j in range(i + 1, n):
            upper[i][j] = dot(unit, columns[j])
            columns[j] = [x - upper[i][j] * u for x, u in zip(columns[j], unit)]
    weights = [0.0] * n
    for i in reversed(range(n)):
        weights[i] = (right[i] - sum(upper[i][j] * weights[j] for j in range(i + 1, n))) / upper[i][i]
    return weights


def harmonics(first, values, ahead):
    scale = len(values) - 1
    months = range(len(values) + ahead)
    rows = [(chebyshev(2 * m / scale - 1), rotation(first + m)) for m in months]
    weights = least_squares([a + b for a, b in rows[: len(values)]], values)
    trend = [sum(w * x for w, x in zip(weights, a)) for a, _ in rows]
    cycle = [sum(w * x for w, x in zip(weights[DEGREE + 1 :], b)) for _, b in rows]
    n = len(values)
    return trend[:n], cycle[:n], [t + c for t, c in zip(trend[n:], cycle[n:])]


# --- loess ---------------------------------------------------------------------------------------


def local_line(values, place, window):
    """The local linear fit at `place` from the `window` nearest values."""
    near = sorted(range(len(values)), key=lambda i: abs(i - place))[:window]
    reach = max(abs(i - place) for i in near) + max(window - len(values), 0) // 2
    weighted = []
    for i in near:
        share = abs(i - place) / reach
        if share <= 0.999:
            weighted.append((1.0 if share <= 0.001 else (1 - share**3) ** 3, i - place, values[i]))
    s0 = math.fsum(w for w, _, _ in weighted)
    s1 = math.fsum(w * x for w, x, _ in weighted)
    s2 = math.fsum(w * x * x for w, x, _ in weighted)
    t0 = math.fsum(w * y for w, _, y in weighted)
    t1 = math.fsum(w * x * y for w, x, y in weighted)
    return (s2 * t0 - s1 * t1) / (s0 * s2 - s1 * s1)


def running_mean(values, width):
    return [statistics.fmean(values[i : i + width]) for i in range(len(values) - width + 1)]


def loess_parts(values):
    n = len(values)
    trend_window = math.ceil(18 / (1 - 1.5 / WINDOW))
    trend_window += 1 - trend_window % 2
    trend, seasonal = [0.0] * n, []
    for _ in range(5):
        cycle = [0.0] * (n + 24)
        for month in range(12):
            line = [values[i] - trend[i] for i in range(month, n, 12)]
            for year in range(-1, len(line) + 1):
                cycle[month + 12 * (year + 1)] = local_line(line, year, WINDOW)
        low = running_mean(running_mean(running_mean(cycle, 12), 12), 3)
        seasonal = [cycle[i + 12] - local_line(low, i, 13) for i in range(n)]
        flat = [v - s for v, s in zip(values, seasonal)]
        trend = [local_line(flat, i, trend_window) for i in range(n)]
    return trend, seasonal


def loess(first, values, ahead):
    del first
    trend, seasonal = loess_parts(values)
    line = statistics.linear_regression(range(-60, 0), trend[-60:])
    return trend, seasonal, [line.intercept + line.slope * h + seasonal[-12:][h % 12] for h in range(ahead)]


# --- Holt and Winters ----------------------------------------------------------------------------


def smooth(values, weights):
    alpha, beta, gamma = weights
    first, second = statistics.fmean(values[:12]), statistics.fmean(values[12:24])
    slope = (second - first) / 12
    level = first - 6.5 * slope
    raw = [statistics.fmean(values[m + 12 * y] - first - slope * (m + 12 * y - 5.5) for y in (0, 1)) for m in range(12)]
    cycle = [r - statistics.fmean(raw) for r in raw]
    squares, levels, seasonals = 0.0, [], []
    for i, value in enumerate(values):
        error = value - level - slope - cycle[i % 12]
        squares += error * error
        level += slope + alpha * error
        slope += alpha * beta * error
        cycle[i % 12] += gamma * error
        levels.append(level)
        seasonals.append(cycle[i % 12])
    return squares, levels, seasonals, slope, cycle


def simplex(cost, start):
    """Nelder and Mead's search."""
    points = [start] + [[x + (0.1 if i == j else 0) for j, x in enumerate(start)] for i in range(len(start))]
    ranked = sorted((cost(p), p) for p in points)
    for _ in range(600):
        worst = ranked[-1][1]
        middle = [statistics.fmean(c) for c in zip(*(p for _, p in ranked[:-1]))]

        def tried(factor):
            point = [m + factor * (m - w) for m, w in zip(middle, worst)]
            return cost(point), point

        new = tried(1)
        if new[0] < ranked[0][0]:
            new = min(new, tried(2))
        elif new[0] >= ranked[-2][0]:
            new = min(tried(0.5), tried(-0.5))
        if new[0] < ranked[-1][0]:
            ranked[-1] = new
        else:
            best = ranked[0][1]
            shrunk = [[(x + b) / 2 for x, b in zip(p, best)] for _, p in ranked[1:]]
            ranked[1:] = [(cost(p), p) for p in shrunk]
        ranked.sort()
        if ranked[-1][0] - ranked[0][0] < 1e-12:
            break
    return ranked[0]


def holtwinters(first, values, ahead):
    del first

    def cost(weights):
        return smooth(values, weights)[0] if all(0 <= w <= 1 for w in weights) else math.inf

    starts = ([0.3, 0.1, 0.1], [0.6, 0.02, 0.3], [0.8, 0.3, 0.5])
    _, weights = min(simplex(cost, start) for start in starts)
    _, levels, seasonals, slope, cycle = smooth(values, weights)
    n = len(values)
    return levels, seasonals, [levels[-1] + slope * (h + 1) + cycle[(n + h) % 12] for h in range(ahead)]


# --- the numbers ---------------------------------------------------------------------------------


def numbers(fit, first, values):
    trend, seasonal, _ = fit(first, values, 0)
    growth = (trend[-1] - trend[0]) / (len(trend) - 1) * 12
    cycle = [statistics.fmean(s for i, s in enumerate(seasonal) if (first + i) % 12 == m) for m in range(12)]
    _, _, ahead = fit(first, values[:-HOLDOUT], HOLDOUT)
    error = math.sqrt(statistics.fmean((a - b) ** 2 for a, b in zip(values[-HOLDOUT:], ahead)))
    return {"growth": growth, "amplitude": max(cycle) - min(cycle), "error": error}


def expected():
    first, values = monthly()
    # Facts that anybody finds in print: about 1.3 ppm a year over these years, a cycle of about 6 ppm.
    plain = (statistics.fmean(values[-12:]) - statistics.fmean(values[9:21])) / 42
    assert 1.2 < plain < 1.4, plain
    rows, found = [], {}
    for fit in (harmonics, loess, holtwinters):
        name = fit.__name__
        found[name] = numbers(fit, first, values)
        assert abs(found[name]["growth"] - plain) < 0.1 and 5.5 < found[name]["amplitude"] < 6.5, found
        for key, value in found[name].items():
            exact = name != "holtwinters"
            tolerance = EXACT if exact else SEARCHED_FORECAST if key == "error" else SEARCHED
            rows.append({"result": f"{name}.{key}", "value": round(value, 4), "tolerance": tolerance})
    best = min(found, key=lambda name: found[name]["error"])
    growths = [f["growth"] for f in found.values()]
    for key, value, tolerance in (
        ("growth", statistics.median(growths), SEARCHED),
        ("spread", max(growths) - min(growths), SEARCHED),
        ("amplitude", statistics.median(f["amplitude"] for f in found.values()), SEARCHED),
        ("error", found[best]["error"], SEARCHED_FORECAST),
    ):
        rows.append({"result": key, "value": round(value, 4), "tolerance": tolerance})
    return {
        "command": "python3 e2e/co2/independent.py",
        "exact": [
            {"result": "best", "value": best},
            {"result": "months", "value": len(values)},
        ],
        "close": rows,
    }


def look_up(results, path):
    for key in path.split("."):
        results = results.get(key) if isinstance(results, dict) else None
    return results


def compare(results, wanted):
    """Prints each result beside its number; whether all are within their tolerance."""
    good = True
    for row in wanted["exact"] + wanted["close"]:
        value, found = row["value"], look_up(results, row["result"])
        if "tolerance" in row:
            near = isinstance(found, (int, float)) and abs(found - value) <= row["tolerance"]
            note = f"within {row['tolerance']}" if near else f"NOT within {row['tolerance']}"
        else:
            near = found == value
            note = "equal" if near else "NOT equal"
        good &= near
        print(f"{row['result']:<22} {found!s:>10}  independent {value!s:>10}  {note}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--results", type=argparse.FileType(encoding="utf-8"), metavar="FILE")
    args = parser.parse_args()
    found = expected()
    if args.results is not None:
        sys.exit(0 if compare(json.load(args.results), found) else 1)
    if args.check is None:
        print(json.dumps(found, indent=2))
    elif json.loads(args.check.read_text(encoding="utf-8")) != found:
        print(f"{args.check} differs; this is what it should say:\n{json.dumps(found, indent=2)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
