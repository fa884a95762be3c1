import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../../shared/config.ts';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import type { FactAnswer, Facts, LimitName, RateLimits } from '../../shared/ports/admission.ts';
import { factTtlMs } from '../../shared/ports/admission.ts';
import {
  createRefusalCount,
  limitNames,
  rateLimited,
  unlimited,
  windowSeconds,
} from '../../shared/rate-limits.ts';

const sweepFrom = 10_000;

/** In this process alone. */
export function createEmbeddedFacts({ ttlMs = factTtlMs } = {}): Facts {
  const known = new Map<string, { holds: boolean; expiresAt: number }>();
  let sweepAt = sweepFrom;

  function read(fact: string): FactAnswer {
    const entry = known.get(fact);
    if (!entry) return undefined;
    if (entry.expiresAt > Date.now()) return entry.holds;
    known.delete(fact);
    return undefined;
  }

  function write(fact: string, holds: boolean, ms = ttlMs): void {
    known.set(fact, { holds, expiresAt: Date.now() + ms });
    if (known.size >= sweepAt) sweep();
  }

  // Needs no timer: each sweep waits until the facts have doubled since the one before.
  function sweep(): void {
    const now = Date.now();
    for (const [fact, { expiresAt }] of known) if (expiresAt <= now) known.delete(fact);
    sweepAt = Math.max(sweepFrom, known.size * 2);
  }

  return {
    read: async (facts) => facts.map(read),
    async fill(facts) {
      for (const fact of facts) if (read(fact) === undefined) write(fact, true);
    },
    async revoke(facts) {
      for (const fact of facts) write(fact, false);
    },
    async restore(facts) {
      for (const fact of facts) known.delete(fact);
    },
    async isNew(what, ms) {
      if (read(what)) return false;
      write(what, true, ms);
      return true;
    },
    async forget(what) {
      known.delete(what);
    },
  };
}

export function createEmbeddedRateLimits(limits: Config['rateLimits'], metrics: Metrics): RateLimits {
  if (!limits.enabled) return unlimited;
  const countRefusal = createRefusalCount(metrics);
  const limiterOf = (name: LimitName) =>
    new RateLimiterMemory({ keyPrefix: name, points: limits[name], duration: windowSeconds[name] });
  const limiters = Object.fromEntries(limitNames.map((name) => [name, limiterOf(name)])) as Record<
    LimitName,
    RateLimiterMemory
  >;

  return {
    async consume(takes) {
      const results = await Promise.allSettled(
        takes.map(({ limit, key, points = 1 }) => limiters[limit].consume(key, points)),
      );
      let longest: { limit: LimitName; waitMs: number } | undefined;
      for (const [at, { limit }] of takes.entries()) {
        const result = results[at];
        if (result?.status !== 'rejected') continue;
        if (!(result.reason instanceof RateLimiterRes)) throw result.reason;
        const waitMs = result.reason.msBeforeNext;
        if (waitMs >= (longest?.waitMs ?? 0)) longest = { limit, waitMs };
      }
      if (!longest) return;
      countRefusal(longest.limit);
      throw rateLimited(longest.waitMs);
    },
    async count({ limit, key, points = 1 }) {
      return (await limiters[limit].penalty(key, points)).consumedPoints;
    },
    async giveBack(takes) {
      await Promise.all(takes.map(({ limit, key, points = 1 }) => limiters[limit].reward(key, points)));
    },
  };
}
