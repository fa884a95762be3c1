import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import type { Fact, FactAnswer, Facts, LimitName, RateLimits } from './admission.ts';
import { factTtlMs } from './admission.ts';
import { createBreaker } from './breaker.ts';
import { createEmbeddedRateLimits } from './embedded.ts';
import { countTakes, limitNames, limitSeconds, rateLimited, unlimited } from './limits.ts';
import type { AdmissionClient } from './redis-client.ts';

const holds = '1';
const revoked = '0';

/**
 * One key a fact. Every command touches one key, so a cluster may hold them; commands of one tick travel together.
 */
export function createRedisFacts(client: AdmissionClient, prefix: string, { ttlMs = factTtlMs } = {}): Facts {
  const breaker = createBreaker();
  const keyOf = (fact: Fact) => `${prefix}:fact:${fact}`;
  const onEach = (facts: readonly Fact[], command: (key: string) => Promise<unknown>) =>
    Promise.all(facts.map((fact) => command(keyOf(fact))));

  return {
    async read(facts) {
      const values = await breaker.ask(() => Promise.all(facts.map((fact) => client.get(keyOf(fact)))));
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

/** Counts in Redis for all processes together; while it is away, each process counts for itself. */
export function createRedisRateLimits(
  client: AdmissionClient,
  prefix: string,
  limits: Config['rateLimits'],
): RateLimits {
  if (!limits.enabled) return unlimited;
  const breaker = createBreaker();
  const insurance = createEmbeddedRateLimits(limits);
  const limiterOf = (name: LimitName) =>
    new RateLimiterRedis({
      storeClient: client,
      keyPrefix: `${prefix}:limit:${name}`,
      points: limits[name],
      duration: limitSeconds,
      // Who is over the limit is refused from memory until the window ends: a flood costs Redis nothing.
      inMemoryBlockOnConsumed: limits[name],
      rejectIfRedisNotReady: true,
    });
  const limiters = Object.fromEntries(limitNames.map((name) => [name, limiterOf(name)])) as Record<
    LimitName,
    RateLimiterRedis
  >;

  return {
    async consume(takes) {
      const results = await breaker.ask(() =>
        Promise.all(
          countTakes(takes).map(({ limit, key, points }) =>
            limiters[limit].consume(key, points).then(allowed, refusedOrFailed),
          ),
        ),
      );
      if (!results) return insurance.consume(takes);
      const waits = results.filter((result) => result !== undefined);
      if (waits.length > 0) throw rateLimited(Math.max(...waits.map((wait) => wait.msBeforeNext)));
    },
  };
}

const allowed = () => undefined;

function refusedOrFailed(reason: unknown): RateLimiterRes {
  if (reason instanceof RateLimiterRes) return reason;
  throw reason;
}
