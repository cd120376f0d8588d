"""Seasonal and trend decomposition by loess (STL: Cleveland and others, 1990), not robust, all loess linear.

Loess is linear in the values that it smooths, so each smoother is a matrix made once.
"""

import numpy as np

import fit
import step
from step import PERIOD

PASSES = 5


def smoother(count, window, at):
    """The matrix that takes `count` values at 0, 1, 2, … to their local linear fit at the places `at`."""
    rows = np.zeros((len(at), count))
    size = min(window, count)
    positions = np.arange(count)
    for row, place in zip(rows, at):
        left = int(np.clip(np.clip(round(place), 0, count - 1) - (window + 1) // 2 + 1, 0, count - size))
        near = positions[left : left + size]
        distance = np.abs(near - place)
        reach = max(place - near[0], near[-1] - place) + max(window - count, 0) // 2
        weight = np.where(distance <= 0.999 * reach, (1 - (distance / reach) ** 3) ** 3, 0.0)
        weight = np.where(distance <= 0.001 * reach, 1.0, weight)
        weight /= weight.sum()
        centre = weight @ near
        spread = weight @ (near - centre) ** 2
        if np.sqrt(spread) > 0.001 * (count - 1):
            weight = weight * (1 + (place - centre) * (near - centre) / spread)
        row[left : left + size] = weight
    return rows


def odd_above(value):
    whole = int(np.ceil(value))
    return whole if whole % 2 else whole + 1


def moving_average(values, width):
    return np.convolve(values, np.ones(width) / width, mode="valid")


def stl(values, window):
    """(trend, seasonal) of monthly values; `window` years of a calendar month are seen at once."""
    count = len(values)
    trend_window = odd_above(1.5 * PERIOD / (1 - 1.5 / window))
    trend_smoother = smoother(count, trend_window, np.arange(count))
    low_smoother = smoother(count, odd_above(PERIOD), np.arange(count))
    years = [len(values[month::PERIOD]) for month in range(PERIOD)]
    cycle_smoothers = {n: smoother(n, window, np.arange(-1, n + 1)) for n in set(years)}
    trend = np.zeros(count)
    for _ in range(PASSES):
        flat = values - trend
        cycle = np.empty(count + 2 * PERIOD)
        for month, n in enumerate(years):
            cycle[month::PERIOD] = cycle_smoothers[n] @ flat[month::PERIOD]
        low = moving_average(moving_average(moving_average(cycle, PERIOD), PERIOD), 3)
        seasonal = cycle[PERIOD:-PERIOD] - low_smoother @ low
        trend = trend_smoother @ (values - seasonal)
    return trend, seasonal


def decompose(series, args):
    return stl(series.values, args.window)


def forecast(series, months, args):
    """The trend goes on as it went in its last five years, the last year's cycle repeats."""
    trend, seasonal = stl(series.values, args.window)
    recent = np.arange(len(trend) - 60, len(trend))
    line = np.polyfit(recent - len(trend), trend[recent], 1)
    ahead = np.arange(months)
    return np.polyval(line, ahead) + seasonal[-PERIOD:][ahead % PERIOD]


if __name__ == "__main__":
    fit.run("loess", decompose, forecast, [("--window", int)])
