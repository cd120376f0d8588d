"""Turns weeks into months without a gap, and leaves them as a table."""

import step


def main():
    parser = step.Arguments(description=__doc__)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--first-year", type=int, required=True)
    parser.add_argument("--last-year", type=int, required=True)
    parser.add_argument("--min-weeks", type=int, required=True, help="measured weeks that make a month")
    parser.add_argument("--max-gap", type=int, required=True, help="longest gap that is bridged, in months")
    parser.add_argument("--to", required=True, help="where the table is written")
    args = parser.parse_args()
    step.verify(args.sha256)
    series = step.clean(args.first_year, args.last_year, args.min_weeks, args.max_gap)
    print(f"{series.start} to {series.end}: {len(series.values)} months, {series.filled} bridged")
    step.write(args.to, series)
    step.emit(
        start=series.start,
        end=series.end,
        months=len(series.values),
        filled=series.filled,
    )


main()
