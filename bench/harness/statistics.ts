export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** @throws RangeError for no values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new RangeError('a spread of no values');
  return { median: percentile(sorted, 0.5), min, max };
}

/** Between the two nearest ranks. @param sorted ascending, at least one value */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new RangeError('a percentile of no values');
  return below + (above - below) * (place - Math.floor(place));
}

/** Value by value, of the same round: what disturbed the machine in a round disturbed both. */
export function ratiosOf(over: readonly number[], under: readonly number[]): number[] {
  const rounds = Math.min(over.length, under.length);
  return Array.from(
    { length: rounds },
    (_, round) => (over[round] ?? Number.NaN) / (under[round] ?? Number.NaN),
  );
}
