import { Cluster } from 'ioredis';
import { createBreaker } from '../breaker.ts';
import type { Config } from '../config.ts';
import { askEach, type RedisClient } from '../redis.ts';
import type { LimitName, RateLimits, Take } from './admission.ts';
import { createEmbeddedRateLimits } from './embedded.ts';
import { rateLimited, unlimited, windowSeconds } from './limits.ts';
import { createPrivateName } from './private-name.ts';
import { createTurns } from './turn.ts';

const windowMs = (limit: LimitName): number => windowSeconds[limit] * 1000;
/** So many of those who are over a limit are remembered; the others ask Redis each time. */
const mostRefused = 10_000;

/** Limits whose keys are ids of ours. The others' say who somebody is: email and network addresses. */
const limitsByOwnId: ReadonlySet<LimitName> = new Set(['user', 'lookup', 'invite']);
/** Their windows may have room again before they end: each refusal asks Redis. */
const givenBack: ReadonlySet<LimitName> = new Set(['login', 'guesses']);

/**
 * Of each key: what has been taken in its window with these points, and when that ends. A window begins with the first points.
 * ARGV: the points, the limit and the window's milliseconds of each.
 */
const takePoints = `
local answers = {}
for at = 1, #KEYS do
  local points, limit, window = tonumber(ARGV[3 * at - 2]), tonumber(ARGV[3 * at - 1]), ARGV[3 * at]
  local taken, left = redis.call('INCRBY', KEYS[at], points), 0
  if taken > limit then left = redis.call('PTTL', KEYS[at]) end
  if taken == points or left < 0 then
    redis.call('PEXPIRE', KEYS[at], window)
    left = tonumber(window)
  end
  answers[at] = { taken, left }
end
return answers`;

interface ScriptedClient {
  takePoints(
    keys: number,
    ...keysAndNumbers: (string | number)[]
  ): Promise<[taken: number, leftMs: number][]>;
}

/** What is asked here. */
export type LimitClient = Pick<RedisClient, 'defineCommand' | 'incrby' | 'del'>;

/** All that one turn takes of one limit of one user or address. */
interface Count {
  limit: LimitName;
  points: number;
  /** With these points; undefined where Redis has not answered. */
  taken: number | undefined;
  /** How long to wait once the limit is reached. */
  waitMs: number;
}

/**
 * Counts in Redis for all processes together, in windows that begin with their first request; while Redis is away, each
 * process counts for itself. Who is over one limit takes nothing from the others. One script for all that a turn takes: one for each request, as
 * libraries do it, took Redis itself 35 µs a send (measured), and a fifth of that together.
 * @param secret the same in every process; names by which people are known are not in Redis, only their HMAC
 */
export function createRedisRateLimits(
  client: LimitClient,
  prefix: string,
  limits: Config['rateLimits'],
  secret: string,
  breaker = createBreaker(),
): RateLimits {
  if (!limits.enabled) return unlimited;
  client.defineCommand('takePoints', { lua: takePoints });
  const scripted = client as unknown as ScriptedClient;
  const insurance = createEmbeddedRateLimits(limits);
  const privateName = createPrivateName(secret);
  const nameOf = ({ limit, key }: Take) =>
    `${prefix}:limit:${limit}:${limitsByOwnId.has(limit) ? key : privateName(key)}`;
  /** Until when: a flood of those over the limit costs Redis nothing. */
  const refused = new Map<string, number>();
  const turnNow = createTurns(
    () => new Map<string, Count>(),
    async (counts) => {
      await breaker.ask(() => takeAll([...counts]));
    },
  );

  async function takeAll(counts: readonly [string, Count][]): Promise<void> {
    if (client instanceof Cluster) await askEach(counts, (count) => takeTogether([count]));
    else await takeTogether(counts);
  }

  async function takeTogether(counts: readonly [string, Count][]): Promise<void> {
    const numbers = counts.flatMap(([, { limit, points }]) => [points, limits[limit], windowMs(limit)]);
    const answers = await scripted.takePoints(counts.length, ...counts.map(([key]) => key), ...numbers);
    counts.forEach(([key, count], at) => {
      const [taken, leftMs] = answers[at] ?? [0, 0];
      count.taken = taken;
      if (taken <= limits[count.limit]) return;
      count.waitMs = Math.max(1, leftMs);
      if (givenBack.has(count.limit)) return;
      if (refused.size >= mostRefused) refused.clear();
      refused.set(key, Date.now() + count.waitMs);
    });
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
      const { questions: counts, answered } = turnNow();
      const places = named.map(({ limit, points, name }) => {
        const count = counts.get(name) ?? { limit, points: 0, taken: undefined, waitMs: 0 };
        counts.set(name, count);
        count.points += points;
        return { count, place: count.points };
      });
      await answered;
      const unanswered = takes.filter((_, at) => places[at]?.count.taken === undefined);
      if (unanswered.length > 0) await insurance.consume(unanswered);
      refuse(
        places.map(({ count: { limit, points, taken = 0, waitMs }, place }) =>
          taken - points + place > limits[limit] ? waitMs : 0,
        ),
      );
    },

    async count(take) {
      const count: Count = { limit: take.limit, points: take.points ?? 1, taken: undefined, waitMs: 0 };
      await breaker.ask(() => takeTogether([[nameOf(take), count]]));
      return count.taken ?? insurance.count(take);
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
