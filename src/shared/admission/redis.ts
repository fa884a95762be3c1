import type { Config } from '../config.ts';
import type { Fact, FactAnswer, Facts, RateLimits } from './admission.ts';
import { factTtlMs } from './admission.ts';
import { createBreaker } from './breaker.ts';
import { createEmbeddedRateLimits } from './embedded.ts';
import { type CountedTake, countTakes, limitSeconds, rateLimited, unlimited } from './limits.ts';
import type { AdmissionClient } from './redis-client.ts';

const holds = '1';
const revoked = '0';
const limitMs = limitSeconds * 1000;

/** One key a fact; commands of one tick travel together. */
export function createRedisFacts(client: AdmissionClient, prefix: string, { ttlMs = factTtlMs } = {}): Facts {
  const breaker = createBreaker();
  const keyOf = (fact: Fact) => `${prefix}:fact:${fact}`;
  const onEach = (facts: readonly Fact[], command: (key: string) => Promise<unknown>) =>
    Promise.all(facts.map((fact) => command(keyOf(fact))));

  return {
    async read(facts) {
      if (facts.length === 0) return [];
      const values = await breaker.ask(() => client.mget(facts.map(keyOf)));
      return facts.map((_, at) => toAnswer(values?.[at]));
    },

    async fill(facts) {
      await breaker.ask(() => onEach(facts, (key) => client.set(key, holds, 'PX', ttlMs, 'NX')));
    },

    // Tried even while the breaker pauses: it is rare, and what it ends might still be believed elsewhere.
    async revoke(facts) {
      await breaker.askAnyway(() => onEach(facts, (key) => client.set(key, revoked, 'PX', ttlMs)));
    },

    // To "not known" and no further: the next question goes to PostgreSQL, so a restore that comes late allows nothing.
    async restore(facts) {
      await breaker.askAnyway(() => onEach(facts, (key) => client.del(key)));
    },
  };
}

function toAnswer(value: string | null | undefined): FactAnswer {
  if (value === holds) return true;
  return value === revoked ? false : undefined;
}

/** So many of those who are over a limit are remembered; the others ask Redis each time. */
const mostRefused = 10_000;

/**
 * Counts in Redis for all processes together, in windows that begin with their first request; while Redis is away, each
 * process counts for itself. A plain INCRBY a limit: by a Lua script, as libraries do it, Redis took 35 µs a send instead
 * of 15.
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

  /** @returns how long to wait, in milliseconds; 0 where it is within the limit */
  async function count({ limit, key, points }: CountedTake): Promise<number> {
    const name = `${prefix}:limit:${limit}:${key}`;
    const until = refused.get(name);
    if (until !== undefined) {
      const waitMs = until - Date.now();
      if (waitMs > 0) return waitMs;
      refused.delete(name);
    }
    const counted = await client.incrby(name, points);
    if (counted === points) await client.pexpire(name, limitMs);
    if (counted <= limits[limit]) return 0;

    const leftMs = await client.pttl(name);
    // Who began the window may have died before it had an end.
    if (leftMs < 0) await client.pexpire(name, limitMs);
    const waitMs = leftMs > 0 ? leftMs : limitMs;
    if (refused.size >= mostRefused) refused.clear();
    refused.set(name, Date.now() + waitMs);
    return waitMs;
  }

  return {
    async consume(takes) {
      const waits = await breaker.ask(() => Promise.all(countTakes(takes).map(count)));
      if (!waits) return insurance.consume(takes);
      const waitMs = Math.max(...waits);
      if (waitMs > 0) throw rateLimited(waitMs);
    },
  };
}
