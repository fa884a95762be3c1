import type { Config } from '../../shared/config.ts';
import type { LimitName, RateLimits, Take } from '../../shared/ports/admission.ts';
import { createPrivateName } from '../../shared/private-name.ts';
import { createRefusalCount, rateLimited, unlimited, windowSeconds } from '../../shared/rate-limits.ts';
import { createEmbeddedRateLimits } from '../embedded/admission.ts';
import type { AdmissionRedis, Count } from './redis-turn.ts';

/** So many of those who are over a limit are remembered; the others ask Redis each time. */
const mostRefused = 10_000;

/** Limits whose keys are ids of ours. The others' say who somebody is: email and network addresses. */
const limitsByOwnId: ReadonlySet<LimitName> = new Set(['user', 'read', 'typing', 'lookup', 'invite']);
/** Their windows may have room again before they end: each refusal asks Redis. */
const givenBack: ReadonlySet<LimitName> = new Set(['login', 'guesses']);

/**
 * Counts in Redis for all processes together, in windows that begin with their first request; while Redis is away, each
 * process counts for itself. Who is over one limit takes nothing from the others.
 * @param secret the same in every process; names by which people are known are not in Redis, only their HMAC
 */
export function createRedisRateLimits(
  { client, breaker, metrics, turnNow, count: countNow }: AdmissionRedis,
  prefix: string,
  limits: Config['rateLimits'],
  secret: string,
): RateLimits {
  if (!limits.enabled) return unlimited;
  const insurance = createEmbeddedRateLimits(limits, metrics);
  const countRefusal = createRefusalCount(metrics);
  const privateName = createPrivateName(secret);
  const nameOf = ({ limit, key }: Take) =>
    `${prefix}:limit:${limit}:${limitsByOwnId.has(limit) ? key : privateName(key)}`;
  /** Until when: a flood of those over the limit costs Redis nothing. */
  const refused = new Map<string, number>();
  const countOf = (limit: LimitName, points: number): Count => ({
    ...{ points, limit: limits[limit], windowMs: windowSeconds[limit] * 1000 },
    ...{ taken: undefined, leftMs: 0 },
  });

  async function giveOneBack(take: Take): Promise<void> {
    const name = nameOf(take);
    // What the window had before it ended is gone with it: nothing is left to give back, or an end to wait for.
    if ((await client.incrby(name, -(take.points ?? 1))) <= 0) await client.del(name);
  }

  /** Of one of those whose points were taken together: the first ones are let in. */
  function waitMsOf({
    count,
    place,
    limit,
    name,
  }: {
    count: Count;
    place: number;
    limit: LimitName;
    name: string;
  }) {
    const { taken = 0, points, leftMs } = count;
    if (taken - points + place <= count.limit) return 0;
    const waitMs = Math.max(1, leftMs);
    if (!givenBack.has(limit)) {
      if (refused.size >= mostRefused) refused.clear();
      refused.set(name, Date.now() + waitMs);
    }
    return waitMs;
  }

  function refusedFor(key: string): number {
    const until = refused.get(key);
    if (until === undefined) return 0;
    const waitMs = until - Date.now();
    if (waitMs <= 0) refused.delete(key);
    return Math.max(0, waitMs);
  }

  /** @throws ChatError `rate_limited` when there is anything to wait for */
  function refuse(takes: readonly Take[], waitsMs: readonly number[]): void {
    const waitMs = Math.max(...waitsMs);
    if (waitMs <= 0) return;
    const limit = takes[waitsMs.indexOf(waitMs)]?.limit;
    if (limit) countRefusal(limit);
    throw rateLimited(waitMs);
  }

  return {
    async consume(takes) {
      const named = takes.map((take) => ({ ...take, name: nameOf(take) }));
      if (refused.size > 0)
        refuse(
          takes,
          named.map(({ name }) => refusedFor(name)),
        );
      const { questions, answered } = turnNow();
      const places = named.map(({ limit, points = 1, name }) => {
        const count = questions.counts.get(name) ?? countOf(limit, 0);
        questions.counts.set(name, count);
        count.points += points;
        return { count, place: count.points, limit, name };
      });
      await answered;
      const unanswered = takes.filter((_, at) => places[at]?.count.taken === undefined);
      if (unanswered.length > 0) await insurance.consume(unanswered);
      refuse(takes, places.map(waitMsOf));
    },

    async count(take) {
      const count = countOf(take.limit, take.points ?? 1);
      await countNow(nameOf(take), count);
      return count.taken ?? insurance.count(take);
    },

    async giveBack(takes) {
      const given = await breaker.ask(() => Promise.all(takes.map(giveOneBack)));
      if (given === undefined) await insurance.giveBack(takes);
    },
  };
}
