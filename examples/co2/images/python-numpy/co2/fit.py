"""What the three fits share: the cleaned series in, three numbers out."""

import step


def run(name, fit, forecast, arguments=()):
    """`fit(series, args)` gives (trend, seasonal); `forecast(series, months, args)` the months that follow."""
    parser = step.Arguments(description=f"CO₂ fit: {name}")
    parser.add_argument("--series", required=True, help="the table that clean left")
    parser.add_argument("--holdout", type=int, required=True, help="months")
    for flag, kind in arguments:
        parser.add_argument(flag, type=kind, required=True)
    args = parser.parse_args()

    series = step.table(args.series)
    months = len(series.values)
    if not 1 <= args.holdout <= months - 60:
        step.refuse(f"a hold-out of {args.holdout} months leaves too little of {months}")

    trend, seasonal = fit(series, args)
    known = step.Series(series.first, series.values[: -args.holdout], series.filled)
    ahead = forecast(known, args.holdout, args)
    growth = step.per_year(trend)
    amplitude = step.peak_to_peak(seasonal, series)
    error = step.rmse(series.values[-args.holdout :], ahead)

    print(f"{name}: {months} months, {series.start} to {series.end}")
    print(f"  growth              {growth:8.3f} ppm a year")
    print(f"  seasonal amplitude  {amplitude:8.3f} ppm, peak to peak")
    print(f"  forecast error      {error:8.3f} ppm over the last {args.holdout} months, not seen by the fit")
    step.emit(
        growth=round(growth, 4),
        amplitude=round(amplitude, 4),
        error=round(error, 4),
    )
