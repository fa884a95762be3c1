/** Milliseconds since the epoch with fractions, never going back: the one clock of a history. */
export const now = (): number => performance.timeOrigin + performance.now();
