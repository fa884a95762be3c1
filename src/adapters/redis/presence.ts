import { chunks } from '../../shared/chunks.ts';
import { newId } from '../../shared/ids.ts';
import type { Presence } from '../../shared/ports/presence.ts';
import { createBreaker } from './breaker.ts';
import type { RedisClient } from './client.ts';

/** A gateway that dies is forgotten after this. */
const presenceTtlMs = 25_000;
/**
 * How long the list of gateways keeps one that is silent. Only the expiry of its hash says that it is gone; this is
 * cleaning, and generous because it compares the clocks of two machines.
 */
const listedMs = 10 * 60_000;
/** Fields of one command. */
const mostFields = 1_000;
/** How long the list of the other gateways is good for who asks what is there. */
const othersMs = 1_000;
/** Users of one command. */
const mostUsers = 500;

/**
 * One hash a gateway's life, `userId → JSON of its socket ids`, and a sorted set of the gateways by the time they were last
 * seen. Every command touches one key. A life begins with this call, so each process makes its own; the api only reads.
 * @param client of role `commands`
 */
export function createRedisPresence(
  client: RedisClient,
  prefix: string,
  { ttlMs = presenceTtlMs } = {},
): Presence {
  const life = newId();
  const gatewaysKey = `${prefix}:presence:gateways`;
  const socketsKey = (gateway: string) => `${prefix}:presence:sockets:${gateway}`;
  const ownKey = socketsKey(life);
  /** As last read: asked in the same round trip as the list itself. */
  let knownGateways: string[] = [];
  const breaker = createBreaker();

  /** The gateways but this one; undefined until they have been asked for. */
  let others: string[] | undefined;
  let othersReadAt = Number.NEGATIVE_INFINITY;

  const seen = () => client.zadd(gatewaysKey, Date.now(), life);

  /** Of this tick: a storm of connects goes in a few commands. */
  let changed = new Map<string, ReadonlySet<string>>();
  let written: Promise<void> | undefined;

  async function writeChanged(): Promise<void> {
    const users = [...changed];
    changed = new Map();
    written = undefined;
    const online = users.filter(([, ids]) => ids.size > 0);
    const gone = users.filter(([, ids]) => ids.size === 0).map(([userId]) => userId);
    await Promise.all([
      ...chunks(online, mostFields).map((some) => client.hset(ownKey, ...fieldsOf(some))),
      ...chunks(gone, mostFields).map((some) => client.hdel(ownKey, ...some)),
      client.pexpire(ownKey, ttlMs),
      seen(),
      refreshOthers(),
    ]);
  }

  async function askGateways(gateways: readonly string[], userIds: readonly string[], found: Set<string>) {
    await Promise.all(
      gateways.flatMap((gateway) =>
        chunks(userIds, mostUsers).map(async (some) => {
          const values = await client.hmget(socketsKey(gateway), ...some);
          some.forEach((userId, at) => {
            if (values[at] != null) found.add(userId);
          });
        }),
      ),
    );
  }

  async function askAll(userIds: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>();
    const asked = knownGateways;
    // Commands of one tick travel together; a gateway that is new to us costs a second round trip, once.
    const [gateways] = await Promise.all([
      client.zrange(gatewaysKey, '0', '-1'),
      askGateways(asked, userIds, found),
    ]);
    knownGateways = gateways;
    const unasked = gateways.filter((gateway) => !asked.includes(gateway));
    if (unasked.length > 0) await askGateways(unasked, userIds, found);
    return found;
  }

  async function readOthers(): Promise<string[]> {
    othersReadAt = performance.now();
    const gateways = await client.zrange(gatewaysKey, '0', '-1');
    others = gateways.filter((gateway) => gateway !== life);
    return others;
  }

  const isStale = () => performance.now() - othersReadAt >= othersMs;
  const refreshOthers = () => (isStale() ? breaker.ask(readOthers) : undefined);
  const knownOthers = () => (others === undefined || isStale() ? readOthers() : others);

  /** Those that each of the users has there. */
  async function socketsAt(gateway: string, userIds: readonly string[]): Promise<string[][]> {
    const values = await client.hmget(socketsKey(gateway), ...userIds);
    return values.map((ids) => (ids === null ? [] : JSON.parse(ids)));
  }

  return {
    async heartbeat(sockets) {
      void refreshOthers();
      const write = client.multi().del(ownKey);
      for (const some of chunks([...sockets], mostFields)) {
        write.hset(ownKey, ...fieldsOf(some));
      }
      write.pexpire(ownKey, ttlMs);
      const oldest = Date.now() - listedMs;
      const [results] = await Promise.all([
        write.exec(),
        seen(),
        client.zremrangebyscore(gatewaysKey, '-inf', oldest),
      ]);
      for (const [error] of results ?? []) if (error) throw error;
    },

    update(userId, socketIds) {
      changed.set(userId, socketIds);
      written ??= new Promise<void>((resolve) => setImmediate(resolve)).then(writeChanged);
      return written;
    },

    async online(userIds) {
      if (userIds.length === 0) return new Set();
      const found = await breaker.ask(() => askAll(userIds));
      return found ?? new Set();
    },

    async offline(userIds) {
      const found = await breaker.ask(() => askAll(userIds));
      return found && userIds.filter((userId) => !found.has(userId));
    },

    isAlone() {
      return others?.length === 0;
    },

    async elsewhere(userIds) {
      const found = userIds.map((): string[] => []);
      await breaker.ask(async () => {
        const ask = async (gateway: string) => {
          const sockets = await socketsAt(gateway, userIds);
          sockets.forEach((ids, at) => {
            found[at]?.push(...ids);
          });
        };
        await Promise.all((await knownOthers()).map(ask));
      });
      return found;
    },

    async leave() {
      await Promise.all([client.del(ownKey), client.zrem(gatewaysKey, life)]);
    },
  };
}

/** Names and values by turns, as they go to Redis: an object of them would be made, and taken apart again, for 2 µs a user. */
function fieldsOf(users: readonly [string, ReadonlySet<string>][]): string[] {
  const fields: string[] = [];
  for (const [userId, ids] of users) fields.push(userId, JSON.stringify([...ids]));
  return fields;
}
