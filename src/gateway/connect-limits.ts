import { chunks } from '../shared/chunks.ts';
import { networkOf } from '../shared/client-address.ts';
import type { ErrorCode } from '../shared/contract.ts';
import { ChatError } from '../shared/errors.ts';
import type { Metrics } from '../shared/metrics/metrics.ts';
import type { LimitName, RateLimits } from '../shared/ports/admission.ts';
import type { Presence } from '../shared/ports/presence.ts';
import { createRefusalCount, rateLimited } from '../shared/rate-limits.ts';
import type { Users } from './users.ts';

/** So many of those who are over a limit are remembered. */
const mostRefused = 10_000;
/** Users of one question. */
const mostUsers = 500;
/** Places to count in. */
const places = 65_536;
/** Drawn, so that nobody can find a key that shares a place with somebody else's. */
const [seed] = crypto.getRandomValues(new Uint32Array(1));

const strangers: ReadonlySet<ErrorCode> = new Set(['token_missing', 'token_invalid']);

/**
 * Connects are requests: those with a token of their user, those without one of their address. What an address opens before that
 * is known has a limit of its own, which is high: others may be behind it.
 */
export interface ConnectLimits {
  /**
   * For a connection that begins. Nobody waits for the count: it says what becomes of the next one, so that one over the limit
   * costs a look into a Map.
   * @returns how long to wait, in milliseconds; 0 for one that may begin
   */
  begin(address: string): number;
  /**
   * Of one whose token is none of ours: a request of its address. One that has expired is somebody's, and has to hear it.
   * @throws ChatError `rate_limited`, or the given one
   */
  refuse(error: unknown, address: string | undefined): Promise<never>;
  /** Before the user's socket is counted. @throws ChatError `too_many_sockets`, `rate_limited` */
  assertRoom(userId: string): void;
  /** Undefined where nothing has to be asked. @throws ChatError `rate_limited` */
  take(userId: string): Promise<void> | undefined;
  /**
   * Once the user's socket is counted, with those at other gateways. Undefined where there are none.
   * @throws ChatError `too_many_sockets`
   */
  assertRoomEverywhere(userId: string): Promise<void> | undefined;
}

export function createConnectLimits(deps: {
  rateLimits: RateLimits;
  presence: Presence;
  users: Users;
  maxSocketsPerUser: number;
  metrics: Metrics;
}): ConnectLimits {
  const { rateLimits, presence, users, maxSocketsPerUser, metrics } = deps;
  const countRefusal = createRefusalCount(metrics);
  const ofUsers = createCounting({ rateLimits, limit: 'user', atOnce: 5 });
  const ofAddresses = createCounting({ rateLimits, limit: 'connect', atOnce: 50 });
  // A whole /48 of IPv6, of which anybody may have one, has as much as four of its addresses.
  const ofNetworks = createCounting({ rateLimits, limit: 'connect', atOnce: 200, points: 50 });
  /** Users of this turn. */
  let asked: { userIds: string[]; answer: Promise<Map<string, number>> } | undefined;

  async function askElsewhere(userIds: readonly string[]): Promise<Map<string, number>> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    asked = undefined;
    const found = new Map<string, number>();
    for (const some of chunks(userIds, mostUsers)) {
      const sockets = await presence.elsewhere(some);
      for (const [of, userId] of some.entries()) found.set(userId, sockets[of]?.length ?? 0);
    }
    return found;
  }

  const tooMany = () =>
    new ChatError('too_many_sockets', `A user may have ${maxSocketsPerUser} sockets open at the same time.`);

  return {
    begin(address) {
      const network = networkOf(address);
      const waitMs = Math.max(ofAddresses.waitMs(address), ofNetworks.waitMs(network));
      if (waitMs > 0) {
        countRefusal('connect');
        return waitMs;
      }
      ofAddresses.take(address)?.catch(() => {});
      if (network !== address) ofNetworks.take(network)?.catch(() => {});
      return 0;
    },

    async refuse(error, address) {
      const stranger = error instanceof ChatError && strangers.has(error.code);
      if (stranger && address !== undefined) await rateLimits.consume([{ limit: 'address', key: address }]);
      throw error;
    },

    assertRoom(userId) {
      const waitMs = ofUsers.waitMs(userId);
      if (waitMs > 0) {
        countRefusal('user');
        throw rateLimited(waitMs);
      }
      if (users.of(userId).size >= maxSocketsPerUser) throw tooMany();
    },

    take: ofUsers.take,

    assertRoomEverywhere(userId) {
      if (presence.isAlone()) return undefined;
      if (!asked) {
        const userIds: string[] = [];
        asked = { userIds, answer: askElsewhere(userIds) };
      }
      asked.userIds.push(userId);
      return asked.answer.then((counts) => {
        const elsewhere = counts.get(userId) ?? 0;
        if (elsewhere > 0 && users.of(userId).size + elsewhere > maxSocketsPerUser) throw tooMany();
      });
    },
  };
}

interface Counting {
  /** How long the key has still to wait; 0 for one that was not refused. */
  waitMs(key: string): number;
  /** Undefined for most. @throws ChatError `rate_limited` */
  take(key: string): Promise<void> | undefined;
}

/**
 * Takes a point for each connect, several at once: to ask for each would be a fifth of a connect (measured), and a storm of those who
 * come back once asks nobody. Who shares a place with somebody may be the one to take the points of both.
 */
function createCounting(deps: {
  rateLimits: RateLimits;
  limit: LimitName;
  /** So many connects are taken at once. */
  atOnce: number;
  /** For these points, where a connect is not one. */
  points?: number;
}): Counting {
  const { rateLimits, limit, atOnce, points = atOnce } = deps;
  const counts = new Uint8Array(places);
  const refusedUntil = new Map<string, number>();

  async function takeAll(key: string): Promise<void> {
    try {
      await rateLimits.consume([{ limit, key, points }]);
    } catch (error) {
      if (error instanceof ChatError && error.retryAfterSeconds !== undefined) {
        if (refusedUntil.size >= mostRefused) refusedUntil.clear();
        refusedUntil.set(key, performance.now() + error.retryAfterSeconds * 1000);
      }
      throw error;
    }
  }

  return {
    waitMs(key) {
      if (refusedUntil.size === 0) return 0;
      const waitMs = (refusedUntil.get(key) ?? 0) - performance.now();
      if (waitMs > 0) return waitMs;
      refusedUntil.delete(key);
      return 0;
    },

    take(key) {
      const place = Bun.hash.xxHash32(key, seed) % places;
      const count = (counts[place] ?? 0) + 1;
      counts[place] = count % atOnce;
      return count === atOnce ? takeAll(key) : undefined;
    },
  };
}
