import { ChatError } from './errors.ts';
import type { Metrics } from './metrics/metrics.ts';
import type { LimitName, RateLimits } from './ports/admission.ts';

/** Each limit, with the window in which its points count. */
export const windowSeconds: Readonly<Record<LimitName, number>> = {
  user: 60,
  read: 60,
  typing: 60,
  address: 60,
  login: 60,
  guesses: 900,
  lookup: 60,
  invite: 60,
  connect: 60,
};

export const limitNames = Object.keys(windowSeconds) as LimitName[];

export const unlimited: RateLimits = {
  consume: async () => {},
  count: async () => 0,
  giveBack: async () => {},
};

/** Counts those who are refused. */
export function createRefusalCount(metrics: Metrics): (limit: LimitName) => void {
  const counts = new Map(
    limitNames.map((limit) => [limit, metrics.counter('confab_rate_limited_total', { limit })]),
  );
  return (limit) => counts.get(limit)?.();
}

export function rateLimited(waitMs: number): ChatError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new ChatError('rate_limited', `Too many requests: try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });
}
