"""Lays the fits side by side: they must agree on the growth, and the best forecast is named."""

import statistics

import step


def one_fit(text):
    name, *numbers = text.split(":")
    growth, amplitude, error = map(float, numbers)
    return name, growth, amplitude, error


def main():
    parser = step.Arguments(description=__doc__)
    parser.add_argument("--fit", type=one_fit, action="append", required=True, help="NAME:GROWTH:AMPLITUDE:ERROR")
    parser.add_argument("--max-spread", type=float, required=True, help="of the growths, in ppm a year")
    args = parser.parse_args()

    print(f"{'fit':<12} {'ppm a year':>11} {'cycle, ppm':>11} {'error, ppm':>11}")
    for name, growth, amplitude, error in args.fit:
        print(f"{name:<12} {growth:>11.3f} {amplitude:>11.3f} {error:>11.3f}")
    growths = [growth for _, growth, _, _ in args.fit]
    spread = max(growths) - min(growths)
    if not spread <= args.max_spread:
        step.refuse(f"the growths differ by {spread:.3f} ppm a year, more than {args.max_spread}")
    growth = statistics.median(growths)
    amplitude = statistics.median(amplitude for _, _, amplitude, _ in args.fit)
    best, _, _, error = min(args.fit, key=lambda fit: fit[3])
    print(f"median growth {growth:.3f} ppm a year (they differ by {spread:.3f}), cycle {amplitude:.2f} ppm; best forecast: {best}")
    step.emit(
        best=best,
        growth=round(growth, 4),
        spread=round(spread, 4),
        amplitude=round(amplitude, 4),
        error=round(error, 4),
    )


main()
