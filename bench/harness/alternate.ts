/** What one window of one contender gave, by name: `cpuUs`, `perSecond`, `p99Ms` … */
export type Sample = Record<string, number>;

export interface Contender {
  name: string;
  /** One window. */
  run(): Promise<Sample>;
  /** Fewer windows than the others have: peers are a matter of factors, not of per cents. */
  rounds?: number;
}

/**
 * Runs the contenders in turn, every second round in the reverse order, so that a slow change of the machine meets all of
 * them alike.
 * @returns the samples by contender, in the order of the rounds
 */
export async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  progress: (text: string) => void,
): Promise<Map<string, Sample[]>> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const { name, run, rounds: own = rounds } of order) {
      if (round >= own) continue;
      progress(`round ${round + 1}/${rounds}: ${name}`);
      samples.get(name)?.push(await run());
    }
  }
  return samples;
}

/** One measure of one contender, in the order of the rounds. */
export function valuesOf(
  samples: ReadonlyMap<string, Sample[]>,
  contender: string,
  measure: string,
): number[] {
  return (samples.get(contender) ?? []).map((sample) => {
    const value = sample[measure];
    if (value === undefined) throw new Error(`${contender} has measured no ${measure}`);
    return value;
  });
}
