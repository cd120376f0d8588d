"""Holt and Winters: additive triple exponential smoothing.

The three smoothing weights are those with the smallest one-step error, found on a grid that closes in
on its best point; all points of a grid are smoothed at once.
"""

import numpy as np

import fit
import step
from step import PERIOD

POINTS = 9
ROUNDS = 12


def smooth(values, alpha, beta, gamma):
    """Levels, slopes and cycles after each month, and the squared one-step errors, for vectors of weights."""
    shape = np.shape(alpha)
    first, second = np.mean(values[:PERIOD]), np.mean(values[PERIOD : 2 * PERIOD])
    slope = np.full(shape, (second - first) / PERIOD)
    # The line through the two yearly means, one month before the series.
    level = np.full(shape, first - slope * (PERIOD + 1) / 2)
    line = first + (np.arange(2 * PERIOD) - (PERIOD - 1) / 2) * (second - first) / PERIOD
    start = (values[: 2 * PERIOD] - line).reshape(2, PERIOD).mean(axis=0)
    cycle = [np.full(shape, s) for s in start - start.mean()]
    squares = np.zeros(shape)
    levels, seasonals = [], []
    for i, value in enumerate(values):
        season = cycle[i % PERIOD]
        error = value - (level + slope + season)
        squares = squares + error**2
        following = alpha * (value - season) + (1 - alpha) * (level + slope)
        cycle[i % PERIOD] = gamma * (value - level - slope) + (1 - gamma) * season
        slope = beta * (following - level) + (1 - beta) * slope
        level = following
        levels.append(level)
        seasonals.append(cycle[i % PERIOD])
    return levels, seasonals, slope, cycle, squares


def weights(values):
    """The smoothing weights (level, slope, cycle) with the smallest one-step error."""
    centre, reach = np.full(3, 0.5), 0.5
    for _ in range(ROUNDS):
        axes = [np.unique(np.clip(np.linspace(c - reach, c + reach, POINTS), 0, 1)) for c in centre]
        alpha, beta, gamma = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
        squares = smooth(values, alpha, beta, gamma)[-1]
        best = int(np.argmin(squares))
        centre = np.array([alpha[best], beta[best], gamma[best]])
        reach *= 0.5
    return centre


def decompose(series, args):
    del args
    found = weights(series.values)
    print("weights of level, slope and cycle: " + ", ".join(f"{w:.4f}" for w in found))
    levels, seasonals, *_ = smooth(series.values, *found)
    return np.array(levels), np.array(seasonals)


def forecast(series, months, args):
    del args
    levels, _, slope, cycle, _ = smooth(series.values, *weights(series.values))
    count = len(series.values)
    return np.array([levels[-1] + slope * (h + 1) + cycle[(count + h) % PERIOD] for h in range(months)])


if __name__ == "__main__":
    fit.run("holtwinters", decompose, forecast)
