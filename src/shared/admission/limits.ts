import { ChatError } from '../errors.ts';
import type { LimitName, RateLimits, Take } from './admission.ts';

export const limitNames: readonly LimitName[] = ['user', 'address', 'login', 'lookup', 'invite'];

/** The window in which the points count. */
export const limitSeconds = 60;

export const unlimited: RateLimits = { consume: async () => {} };

export function rateLimited(waitMs: number): ChatError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new ChatError('rate_limited', `Too many requests: try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });
}

/** The same take named twice is one take of both points. */
export function countTakes(takes: readonly Take[]): Required<Take>[] {
  const counted: Required<Take>[] = [];
  for (const { limit, key, points = 1 } of takes) {
    const same = counted.find((take) => take.limit === limit && take.key === key);
    if (same) same.points += points;
    else counted.push({ limit, key, points });
  }
  return counted;
}
