import type { Config } from '../../shared/config.ts';
import type { LimitName, RateLimits, Take } from '../../shared/ports/admission.ts';
import { createPrivateName } from '../../shared/private-name.ts';
import { rateLimited, unlimited, windowSeconds } from '../../shared/rate-limits.ts';
import { createEmbeddedRateLimits } from '../embedded/admission.ts';
import type { AdmissionClient } from './admission-client.ts';
import { createBreaker } from './breaker.ts';
import { createTurns } from './turn.ts';

const windowMs = (limit: LimitName): number => windowSeconds[limit] * 1000;
/** What PTTL says of a key that has ended, and of one that never will. */
const [gone, endless] = [-2, -1];
/** So many of those who are over a limit are remembered; the others ask Redis each time. */
const mostRefused = 10_000;

/** Limits whose keys are ids of ours. The others' say who somebody is: email and network addresses. */
const limitsByOwnId: ReadonlySet<LimitName> = new Set(['user', 'lookup', 'invite']);
/** Their windows may have room again before they end: each refusal asks Redis. */
const givenBack: ReadonlySet<LimitName> = new Set(['login', 'guesses']);

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
 * @param secret the same in every process; names by which people are known are not in Redis, only their HMAC
 */
export function createRedisRateLimits(
  client: AdmissionClient,
  prefix: string,
  limits: Config['rateLimits'],
  secret: string,
  breaker = createBreaker(),
): RateLimits {
  if (!limits.enabled) return unlimited;
  const insurance = createEmbeddedRateLimits(limits);
  const privateName = createPrivateName(secret);
  const nameOf = ({ limit, key }: Take) =>
    `${prefix}:limit:${limit}:${limitsByOwnId.has(limit) ? key : privateName(key)}`;
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
    if (count.before === 0) await client.pexpire(key, windowMs(count.limit));
    if (counted <= limits[count.limit]) return;

    const leftMs = await client.pttl(key);
    if (leftMs === gone) {
      count.waitMs = 1;
      return;
    }
    // Who began the window may have died before it had an end.
    if (leftMs === endless) await client.pexpire(key, windowMs(count.limit));
    count.waitMs = leftMs === endless ? windowMs(count.limit) : Math.max(1, leftMs);
    if (givenBack.has(count.limit)) return;
    if (refused.size >= mostRefused) refused.clear();
    refused.set(key, Date.now() + count.waitMs);
  }

  async function giveOneBack(take: Take): Promise<void> {
    const name = nameOf(take);
    // What the window had before it ended is gone with it: nothing is left to give back, or an end to wait for.
    if ((await client.incrby(name, -(take.points ?? 1))) <= 0) await client.del(name);
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
      const named = takes.map((take) => ({
        limit: take.limit,
        points: take.points ?? 1,
        name: nameOf(take),
      }));
      if (refused.size > 0) refuse(named.map(({ name }) => refusedFor(name)));
      const { questions, answered } = turnNow();
      const taken = named.map(({ limit, points, name }) => {
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

    async count(take) {
      const count = { ...take, points: take.points ?? 1, before: 0, waitMs: 0 };
      const counted = await breaker.ask(async () => {
        await countOne([nameOf(take), count]);
        return count.before + count.points;
      });
      return counted ?? insurance.count(take);
    },

    async giveBack(takes) {
      const given = await breaker.ask(() => Promise.all(takes.map(giveOneBack)));
      if (given === undefined) await insurance.giveBack(takes);
    },
  };
}

/** @throws ChatError `rate_limited` when there is anything to wait for */
function refuse(waitsMs: readonly number[]): void {
  const waitMs = Math.max(...waitsMs);
  if (waitMs > 0) throw rateLimited(waitMs);
}
