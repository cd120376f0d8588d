#!/usr/bin/env python3
"""Draws fits.svg from the data and the code of the steps: `python3 examples/co2/draw.py` (needs numpy)."""

import os
import pathlib
import sys
from types import SimpleNamespace

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = HERE / "images" / "python-numpy"
os.environ.setdefault("CO2_DATA", str(IMAGE / "data" / "co2.csv"))
sys.path.insert(0, str(IMAGE / "co2"))
sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

import harmonics  # noqa: E402
import holtwinters  # noqa: E402
import loess  # noqa: E402
import step  # noqa: E402

ARGS = SimpleNamespace(degree=3, harmonics=4, window=35)
HOLDOUT, ZOOM = 60, 96
FITS = [("harmonics", harmonics, "#c2571a"), ("loess", loess, "#0b7a75"), ("holtwinters", holtwinters, "#6a4fb3")]
INK, FAINT, DATA = "#333", "#ddd", "#8a8f98"


class Panel:
    """A rectangle with scales; what is drawn in it is collected as SVG."""

    def __init__(self, title, box, xs, ys, xticks, yticks):
        self.box, self.xs, self.ys, self.parts = box, xs, ys, []
        left, top, width, height = box
        self.parts.append(f'<text x="{left}" y="{top - 10}" font-weight="600">{title}</text>')
        for value, text in yticks:
            y = self.y(value)
            self.parts.append(f'<path d="M{left} {y:.1f}h{width}" stroke="{FAINT}"/>')
            self.parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for value, text in xticks:
            self.parts.append(f'<text x="{self.x(value):.1f}" y="{top + height + 16}" text-anchor="middle">{text}</text>')

    def x(self, value):
        left, _, width, _ = self.box
        return left + (value - self.xs[0]) / (self.xs[1] - self.xs[0]) * width

    def y(self, value):
        _, top, _, height = self.box
        return top + (self.ys[1] - value) / (self.ys[1] - self.ys[0]) * height

    def line(self, xs, ys, colour, width=1.5):
        points = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs, ys))
        self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def dots(self, xs, ys, colour):
        path = "".join(f"M{self.x(x):.1f} {self.y(y):.1f}h0" for x, y in zip(xs, ys))
        self.parts.append(f'<path d="{path}" stroke="{colour}" stroke-width="4" stroke-linecap="round"/>')

    def note(self, x, y, text, colour, anchor="start"):
        self.parts.append(f'<text x="{self.x(x):.1f}" y="{self.y(y):.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>')


def overview(series, years):
    trend, _ = loess.decompose(series, ARGS)
    ticks = [(y, y) for y in range(1960, 2001, 10)]
    panel = Panel("CO₂ at Mauna Loa, monthly means and the trend that loess sees (ppm)", (50, 34, 830, 190), (1958, 2002.2), (310, 376), ticks, [(v, v) for v in range(310, 371, 20)])
    panel.line(years, series.values, DATA, 1)
    panel.line(years, trend, FITS[1][2], 2)
    return panel


def forecasts(series, years):
    panel = Panel("The last five years, foretold from what came before (ppm)", (50, 278, 500, 200), (1994, 2002.1), (354, 378), [(y, y) for y in range(1994, 2003, 2)], [(v, v) for v in range(355, 376, 5)])
    panel.dots(years[-ZOOM:], series.values[-ZOOM:], DATA)
    known = step.Series(series.first, series.values[:-HOLDOUT], series.filled)
    for row, (name, module, colour) in enumerate(FITS):
        ahead = module.forecast(known, HOLDOUT, ARGS)
        error = step.rmse(series.values[-HOLDOUT:], ahead)
        panel.line(years[-HOLDOUT:], ahead, colour)
        panel.note(1994.15, 375.6 - 1.9 * row, f"{name}: off by {error:.2f} ppm", colour)
    panel.note(1994.15, 375.6 - 1.9 * len(FITS), "● measured", DATA)
    return panel


def cycles(series):
    panel = Panel("The mean year (ppm)", (610, 278, 270, 200), (0, 11), (-4.4, 4.4), list(enumerate("JFMAMJJASOND")), [(v, f"{v:+d}" if v else "0") for v in (-4, -2, 0, 2, 4)])
    for row, (name, module, colour) in enumerate(FITS):
        _, seasonal = module.decompose(series, ARGS)
        months = np.array([series.calendar_month(i) for i in range(len(seasonal))])
        cycle = [float(np.mean(seasonal[months == m])) for m in range(12)]
        panel.line(range(12), cycle, colour)
        panel.note(11, 3.75 - 0.7 * row, f"{name}: {max(cycle) - min(cycle):.2f}", colour, "end")
    return panel


def main():
    series = step.clean(1958, 2001, 2, 4)
    years = (series.first + np.arange(len(series.values)) + 0.5) / 12
    panels = [overview(series, years), forecasts(series, years), cycles(series)]
    body = "\n".join(part for panel in panels for part in panel.parts)
    (HERE / "fits.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 508" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="{INK}">\n<rect width="900" height="508" fill="#fff"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


main()
