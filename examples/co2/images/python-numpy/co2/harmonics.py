"""Least squares: a polynomial for the trend, sines and cosines for the year."""

import numpy as np

import fit
import step


def time(first, count, offset=0):
    """Months as decades since 1980, so that powers stay small."""
    return (first + offset + np.arange(count) - 1980 * 12) / 120.0


def trend_columns(t, degree):
    return np.column_stack([t**power for power in range(degree + 1)])


def year_columns(t, harmonics):
    angle = 2 * np.pi * 10 * t
    columns = [wave(k * angle) for k in range(1, harmonics + 1) for wave in (np.cos, np.sin)]
    return np.column_stack(columns)


def solve(series, args):
    t = time(series.first, len(series.values))
    columns = np.hstack([trend_columns(t, args.degree), year_columns(t, args.harmonics)])
    weights, *_ = np.linalg.lstsq(columns, series.values, rcond=None)
    return weights[: args.degree + 1], weights[args.degree + 1 :]


def parts(t, trend, year, args):
    return trend_columns(t, args.degree) @ trend, year_columns(t, args.harmonics) @ year


def decompose(series, args):
    return parts(time(series.first, len(series.values)), *solve(series, args), args)


def forecast(series, months, args):
    t = time(series.first, months, offset=len(series.values))
    trend, seasonal = parts(t, *solve(series, args), args)
    return trend + seasonal


if __name__ == "__main__":
    fit.run("harmonics", decompose, forecast, [("--degree", int), ("--harmonics", int)])
