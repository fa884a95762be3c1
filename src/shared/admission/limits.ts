import { ChatError } from '../errors.ts';
import type { LimitName, RateLimits } from './admission.ts';

export const limitNames: readonly LimitName[] = ['user', 'address', 'login', 'lookup'];

/** The window in which the points count. */
export const limitSeconds = 60;

export const unlimited: RateLimits = { consume: async () => {} };

export function rateLimited(waitMs: number): ChatError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new ChatError('rate_limited', `Too many requests: try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });
}

export interface CountedTake {
  limit: LimitName;
  key: string;
  points: number;
}

/** The same take named twice is one take of two points. */
export function countTakes(takes: readonly { limit: LimitName; key: string }[]): CountedTake[] {
  const counted: CountedTake[] = [];
  for (const { limit, key } of takes) {
    const same = counted.find((take) => take.limit === limit && take.key === key);
    if (same) same.points += 1;
    else counted.push({ limit, key, points: 1 });
  }
  return counted;
}
