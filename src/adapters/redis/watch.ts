import { Cluster } from 'ioredis';
import { type RedisAddress, redisText } from '../../shared/config/redis-address.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { reasonOf } from '../../shared/loggable.ts';
import { StartError } from '../../shared/start-error.ts';
import { probeNode, type RedisClient } from './client.ts';
import type { RedisOutages } from './outages.ts';
import { askWhyCut, refusalOf } from './refusal.ts';

/** A Redis that is looked at all the time. */
export interface RedisWatch {
  /**
   * Resolves with the first outcome: whether Redis is there and does what is needed.
   * @throws StartError for what no waiting mends, with Redis's own reason
   */
  start(): Promise<boolean>;
  /** As of the last look, a second or two ago at most. */
  isUp(): boolean;
  close(): void;
}

const lookEveryMs = 1_000;
/** Longer than connecting and the first answer may take. */
const firstWithinMs = 6_000;
const keyMs = 10_000;
/** As announcements are published. */
const publish = `redis.call('PUBLISH', ARGV[1], '')`;

/**
 * Does every second what is asked of Redis all the time. A connection alone says little: a Sentinel, a node of a cluster, a
 * replica and a server that is full or loading take one, too. And a connection that nobody else uses is found to be silent
 * only because something is asked on it (`client.ts`).
 * @param options.client of role `commands`, whose errors nobody else hears
 */
export function watchRedis({
  client,
  redis,
  prefix,
  outages,
}: {
  client: RedisClient;
  redis: RedisAddress;
  prefix: string;
  outages: RedisOutages;
}): RedisWatch {
  const [key, keyOfOtherSlot] = [`${prefix}:check`, `${prefix}:check:other`];
  const first = Promise.withResolvers<void>();
  let up = false;
  let fault: unknown;
  let sentinelFault: Error | undefined;
  let started = false;
  let closed = false;
  /** Counts them. */
  let connection = 0;
  /** On which connection. */
  let looking: number | undefined;

  async function doWhatIsNeeded(): Promise<void> {
    // They travel together, and the first that fails says why: HELLO before Redis 6, MGET at a node of a cluster.
    await Promise.all([
      client.hello(2).catch(unlessUnneeded),
      client.set(key, '1', 'PX', keyMs),
      client instanceof Cluster ? assertWhole(client) : client.mget(key, keyOfOtherSlot),
      client.eval(publish, 0, key),
    ]);
  }

  function causeOf(error: unknown): unknown {
    if (error instanceof Error && 'lastNodeError' in error) return error.lastNodeError ?? error;
    return /^All sentinels /.test(reasonOf(error)) ? (sentinelFault ?? error) : error;
  }

  /** ioredis is not ready before Redis has loaded its data, and says nothing meanwhile. */
  async function assertLoaded(): Promise<void> {
    const persistence = await client.info('persistence');
    if (/^loading:1/m.test(persistence)) throw new Error('LOADING Redis is loading the dataset in memory');
  }

  async function look(): Promise<void> {
    if (client.status === 'connect') return assertLoaded().catch(lost);
    if (client.status !== 'ready') return;
    const lookedAt = connection;
    try {
      await doWhatIsNeeded();
      if (!closed && connection === lookedAt) found();
    } catch (error) {
      // Of a connection that is lost since it says nothing more.
      if (connection === lookedAt) lost(error);
    }
  }

  function lookAgain(): void {
    if (looking === connection) return;
    const now = connection;
    looking = now;
    void look().finally(() => {
      if (looking === now) looking = undefined;
    });
  }

  function found(): void {
    up = true;
    fault = undefined;
    if (started) outages.back('commands');
    first.resolve();
  }

  function lost(error: unknown): void {
    if (closed) return;
    up = false;
    fault = error;
    if (started) outages.away('commands', error);
    first.resolve();
  }

  client.on('error', (error) => lost(causeOf(error)));
  // Of one of several; that none is of use comes as an error, without a reason.
  client.on('sentinelError', (error: Error) => {
    sentinelFault = error;
  });
  client.on('close', () => {
    connection += 1;
    // An error came before it, or none ever does: the server has ended the connection.
    lost(fault ?? new Error(closedByServer));
  });
  client.on('ready', lookAgain);
  const timer = setInterval(lookAgain, lookEveryMs);
  timer.unref();

  return {
    async start() {
      const late = () => new Error(`it has not answered within ${firstWithinMs / 1000} s`);
      await withDeadline(first.promise, firstWithinMs, late).catch(lost);
      if (!up && !closed) {
        const why = await whyOf(fault, redis);
        const refusal = refusalOf(why, redis);
        if (refusal !== undefined) {
          throw new StartError(`Redis at ${redisText(redis)} can't be used: ${refusal}`);
        }
        if (!up && !closed) outages.away('commands', why);
      }
      started = true;
      return up;
    },
    isUp: () => up,
    close() {
      closed = true;
      clearInterval(timer);
      first.resolve();
    },
  };
}

/** What a client keeps to itself: why a node of a cluster can't be connected to, and what was said before the end. */
async function whyOf(fault: unknown, redis: RedisAddress): Promise<unknown> {
  const [node] = redis.nodes;
  if (!node || redis.kind === 'sentinel') return fault;
  const why = redis.kind === 'cluster' ? ((await probeNode(redis, node)) ?? fault) : fault;
  const said = isCut(why, redis) ? await askWhyCut(node, redis.encrypted) : undefined;
  return said === undefined ? why : new Error(said);
}

/** Part of a cluster may be gone, and the rest go on: each node is asked what it sees, and must be one of all that there are. */
async function assertWhole(cluster: Cluster): Promise<void> {
  const infos = await Promise.all(cluster.nodes('master').map((node) => node.cluster('INFO')));
  for (const info of infos) {
    const told = (name: string) => new RegExp(`^cluster_${name}:(\\w+)`, 'm').exec(String(info))?.[1];
    const [served, nodes] = [Number(told('slots_ok')), Number(told('size'))];
    if (served < allSlots || told('state') !== 'ok') {
      throw new Error(`CLUSTERDOWN ${served} of ${allSlots} slots are served`);
    }
    if (infos.length < nodes) throw new Error(`CLUSTERDOWN ${infos.length} of ${nodes} nodes answer`);
  }
}
const allSlots = 16_384;

/**
 * HELLO alone wants to know who asks where nobody else needs to: of a connection that was made while there still was a password.
 * Where there is one, all else is refused, too.
 */
function unlessUnneeded(error: Error): void {
  if (!error.message.startsWith('NOAUTH ')) throw error;
}

const closedByServer = 'the connection was closed';
function isCut(error: unknown, { encrypted }: RedisAddress): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return error.message === closedByServer || code === 'ECONNRESET' || (encrypted && code === 'ETIMEDOUT');
}
