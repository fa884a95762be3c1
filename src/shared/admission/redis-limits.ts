import type { Config } from '../config.ts';
import type { LimitName, RateLimits } from './admission.ts';
import { createBreaker } from './breaker.ts';
import { createEmbeddedRateLimits } from './embedded.ts';
import { limitSeconds, rateLimited, unlimited } from './limits.ts';
import type { AdmissionClient } from './redis-client.ts';
import { createTurns } from './turn.ts';

const limitMs = limitSeconds * 1000;
/** What PTTL says of a key that has ended, and of one that never will. */
const [gone, endless] = [-2, -1];
/** So many of those who are over a limit are remembered; the others ask Redis each time. */
const mostRefused = 10_000;

/** All that one turn takes of one limit of one user or address. */
interface Count {
  limit: LimitName;
  points: number;
  /** What was taken before these. */
  before: number;
  /** How long to wait once the limit is reached. */
  waitMs: number;
}

/**
 * Counts in Redis for all processes together, in windows that begin with their first request; while Redis is away, each
 * process counts for itself. Who is over one limit takes nothing from the others. A plain INCRBY for each key of a turn: by a Lua script for each request, as libraries do it,
 * Redis itself took 35 µs a send (measured), and now takes a third of it.
 */
export function createRedisRateLimits(
  client: AdmissionClient,
  prefix: string,
  limits: Config['rateLimits'],
): RateLimits {
  if (!limits.enabled) return unlimited;
  const breaker = createBreaker();
  const insurance = createEmbeddedRateLimits(limits);
  /** Until when: a flood of those over the limit costs Redis nothing. */
  const refused = new Map<string, number>();
  const turnNow = createTurns(
    () => ({ counts: new Map<string, Count>(), away: false }),
    async (turn) => {
      const counted = await breaker.ask(() => Promise.all([...turn.counts].map(countOne)));
      turn.away = counted === undefined;
    },
  );

  async function countOne([key, count]: [string, Count]): Promise<void> {
    const counted = await client.incrby(key, count.points);
    count.before = counted - count.points;
    if (count.before === 0) await client.pexpire(key, limitMs);
    if (counted <= limits[count.limit]) return;

    const leftMs = await client.pttl(key);
    if (leftMs === gone) {
      count.waitMs = 1;
      return;
    }
    // Who began the window may have died before it had an end.
    if (leftMs === endless) await client.pexpire(key, limitMs);
    count.waitMs = leftMs === endless ? limitMs : Math.max(1, leftMs);
    if (refused.size >= mostRefused) refused.clear();
    refused.set(key, Date.now() + count.waitMs);
  }

  function refusedFor(key: string): number {
    const until = refused.get(key);
    if (until === undefined) return 0;
    const waitMs = until - Date.now();
    if (waitMs <= 0) refused.delete(key);
    return Math.max(0, waitMs);
  }

  return {
    async consume(takes) {
      const named = takes.map(({ limit, key, points = 1 }) => ({
        limit,
        points,
        name: `${prefix}:limit:${limit}:${key}`,
      }));
      if (refused.size > 0) refuse(named.map(({ name }) => refusedFor(name)));
      const { questions, answered } = turnNow();
      const taken = named.map(({ limit, name, points }) => {
        const count = questions.counts.get(name) ?? { limit, points: 0, before: 0, waitMs: 0 };
        questions.counts.set(name, count);
        count.points += points;
        return { count, place: count.points };
      });
      await answered;
      if (questions.away) return insurance.consume(takes);
      refuse(
        taken.map(({ count, place }) => (count.before + place > limits[count.limit] ? count.waitMs : 0)),
      );
    },
  };
}

/** @throws ChatError `rate_limited` when there is anything to wait for */
function refuse(waitsMs: readonly number[]): void {
  const waitMs = Math.max(...waitsMs);
  if (waitMs > 0) throw rateLimited(waitMs);
}
