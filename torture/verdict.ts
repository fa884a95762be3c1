/** E1 and E2 are the single process's own. */
export type Invariant = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14}` | 'E1' | 'E2';

export interface Violation {
  what: string;
  /** The records around it. */
  history: readonly unknown[];
}

export interface Verdict {
  invariant: Invariant;
  promise: string;
  /** How many things were held against it; none at all proves nothing. */
  checked: number;
  violations: number;
  first?: Violation;
  /** How often each kind of violation occurred. */
  kinds: Readonly<Record<string, number>>;
}

export interface Tally {
  check(count?: number): void;
  /** `kind` groups them; `around` is called for the first one only. */
  violate(kind: string, what: () => string, around: () => readonly unknown[]): void;
  verdict(): Verdict;
}

export function createTally(invariant: Invariant, promise: string): Tally {
  let checked = 0;
  let violations = 0;
  let first: Violation | undefined;
  const kinds: Record<string, number> = {};
  return {
    check(count = 1) {
      checked += count;
    },
    violate(kind, what, around) {
      violations += 1;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      first ??= { what: what(), history: around() };
    },
    verdict: () => ({ invariant, promise, checked, violations, kinds, ...(first ? { first } : {}) }),
  };
}
