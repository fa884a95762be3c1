import { Cluster } from 'ioredis';
import type { Metrics } from '../../shared/metrics/metrics.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import { askEach, type RedisClient } from './client.ts';
import { measureRedis } from './measure.ts';
import { createTurns, type Turn } from './turn.ts';

/** What admission asks of Redis beside its script. */
export type AdmissionClient = Pick<RedisClient, 'defineCommand' | 'get' | 'set' | 'del' | 'incrby'>;

/** Points of one limit of one user or address, as many as one turn takes. */
export interface Count {
  points: number;
  limit: number;
  windowMs: number;
  /** In its window, with these; undefined where Redis has not answered. */
  taken: number | undefined;
  /** Until the window ends. */
  leftMs: number;
}

/** All that the requests of one turn of the event loop ask. */
export interface Questions {
  facts: string[];
  /** In the order of the facts; fewer where Redis has not answered. */
  values: (string | null | undefined)[];
  /** By key. */
  counts: Map<string, Count>;
}

export interface AdmissionRedis {
  readonly client: AdmissionClient;
  readonly breaker: Breaker;
  readonly metrics: Metrics;
  turnNow(): Turn<Questions>;
  /** By itself. */
  count(key: string, count: Count): Promise<void>;
}

/**
 * KEYS: of facts, then of limits. ARGV: the number of facts, then of each limit the points, the limit and the window's
 * milliseconds. Answers: the facts' values, then of each limit what has been taken in its window, and when that ends; it begins with its
 * first points.
 */
const admit = `
local facts = tonumber(ARGV[1])
local answers = {}
for from = 1, facts, 1000 do
  local values = redis.call('MGET', unpack(KEYS, from, math.min(from + 999, facts)))
  for at = 1, #values do answers[from + at - 1] = values[at] end
end
for at = facts + 1, #KEYS do
  local number = 3 * (at - facts) - 1
  local points, window = tonumber(ARGV[number]), ARGV[number + 2]
  local taken, left = redis.call('INCRBY', KEYS[at], points), 0
  if taken > tonumber(ARGV[number + 1]) then left = redis.call('PTTL', KEYS[at]) end
  if taken == points or left < 0 then
    redis.call('PEXPIRE', KEYS[at], window)
    left = tonumber(window)
  end
  answers[2 * at - facts - 1] = taken
  answers[2 * at - facts] = left
end
return answers`;

type Answers = (string | number | null)[];

interface ScriptedClient {
  admit(keys: number, ...keysAndNumbers: (string | number)[]): Promise<Answers>;
  admitOne(key: string, ...numbers: number[]): Promise<Answers>;
}

/**
 * One script a turn, one for each node in a cluster, for all that is asked of facts and limits. Commands of their own took
 * the api 5 µs a turn more, and a script for each request, as libraries of limits have it, Redis itself 35 µs a request (measured).
 */
export function createAdmissionRedis(
  client: AdmissionClient,
  metrics: Metrics,
  breaker = createBreaker(),
): AdmissionRedis {
  const measured = measureRedis(metrics, 'admit');
  metrics.read('confab_redis_breaker_open', () => (breaker.isOpen() ? 1 : 0));
  client.defineCommand('admit', { lua: admit });
  // In a cluster ioredis goes by the first argument, which has to be the key.
  client.defineCommand('admitOne', { lua: admit, numberOfKeys: 1 });
  const scripted = client as unknown as ScriptedClient;

  async function ask(questions: Questions): Promise<void> {
    const { facts, counts } = questions;
    if (client instanceof Cluster) {
      // With one key each; those of a node go together.
      const [values] = await Promise.all([
        askEach(facts, (key) => client.get(key)),
        askEach([...counts], ([key, count]) => takeOne(key, count)),
      ]);
      questions.values = values;
      return;
    }
    const numbers = [...counts.values()].flatMap(({ points, limit, windowMs }) => [points, limit, windowMs]);
    const keys = [...facts, ...counts.keys()];
    const answers = await scripted.admit(keys.length, ...keys, facts.length, ...numbers);
    let at = facts.length;
    for (const count of counts.values()) {
      note(count, answers[at], answers[at + 1]);
      at += 2;
    }
    questions.values = answers.slice(0, facts.length) as (string | null)[];
  }

  async function takeOne(key: string, count: Count): Promise<void> {
    const [taken, leftMs] = await scripted.admitOne(key, 0, count.points, count.limit, count.windowMs);
    note(count, taken, leftMs);
  }

  const turnNow = createTurns(
    (): Questions => ({ facts: [], values: [], counts: new Map() }),
    async (questions) => {
      await breaker.ask(() => measured(() => ask(questions)));
    },
  );
  return {
    ...{ client, breaker, metrics },
    turnNow,
    async count(key, count) {
      await breaker.ask(() => takeOne(key, count));
    },
  };
}

function note(count: Count, taken: unknown, leftMs: unknown): void {
  count.taken = Number(taken);
  count.leftMs = Number(leftMs);
}
