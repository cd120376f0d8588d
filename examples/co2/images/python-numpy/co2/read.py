"""Reads the weekly measurements, checks that the file is the expected one, and sums it up by year."""

import step


def main():
    parser = step.Arguments(description=__doc__)
    parser.add_argument("--sha256", required=True, help="the file's expected SHA-256")
    args = parser.parse_args()
    step.verify(args.sha256)

    years = {}
    for year, _, value in step.weeks():
        years.setdefault(year, []).append(value)
    lines = ["year,weeks,missing,mean,min,max"]
    for year, values in years.items():
        known = [v for v in values if v is not None]
        if not known:
            step.refuse(f"{year} has no measured week")
        mean = sum(known) / len(known)
        lines.append(f"{year},{len(values)},{len(values) - len(known)},{mean:.2f},{min(known)},{max(known)}")
    print("\n".join(lines))
    total = sum(len(values) for values in years.values())
    missing = sum(value is None for values in years.values() for value in values)
    print(f"{total} weeks, {missing} of them without a value")
    step.emit(sha256=args.sha256, weeks=total, missing=missing, years="\n".join(lines))


main()
