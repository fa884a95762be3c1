import type { RateLimits } from '../shared/admission/admission.ts';
import { ChatError } from '../shared/errors.ts';
import type { Presence } from '../shared/presence/presence.ts';
import { createBatcher } from './batch.ts';
import type { Users } from './users.ts';

/** So many of the addresses that are over their limit are remembered. */
const mostRefused = 10_000;
/** Users of one question. */
const mostUsers = 500;

/** Connects are requests: they take from the same limits. */
export interface ConnectLimits {
  /**
   * Takes a point of the address for a connection that begins. Nobody waits for the count: it says what becomes of the next
   * one, so that one over the limit costs a look into a Map.
   * @returns how long to wait, in milliseconds; 0 for one that may begin
   */
  begin(address: string): number;
  /**
   * Before the user's socket is counted.
   * @throws ChatError `too_many_sockets`
   */
  assertRoom(userId: string): void;
  /**
   * Once it is: takes a point of the user, and counts the sockets at other gateways.
   * @throws ChatError `rate_limited`, `too_many_sockets`
   */
  take(userId: string): Promise<void>;
}

export function createConnectLimits(deps: {
  rateLimits: RateLimits;
  presence: Presence;
  users: Users;
  maxSocketsPerUser: number;
}): ConnectLimits {
  const { rateLimits, presence, users, maxSocketsPerUser } = deps;
  const refusedUntil = new Map<string, number>();
  const elsewhere = createBatcher<string, number>({
    load: (userIds) => presence.elsewhere(userIds),
    keyOf: (userId) => userId,
    mostKeys: mostUsers,
  });

  function remember(address: string, error: unknown): void {
    if (!(error instanceof ChatError) || error.retryAfterSeconds === undefined) return;
    if (refusedUntil.size >= mostRefused) refusedUntil.clear();
    refusedUntil.set(address, performance.now() + error.retryAfterSeconds * 1000);
  }

  const tooMany = () =>
    new ChatError('too_many_sockets', `A user may have ${maxSocketsPerUser} sockets open at the same time.`);

  return {
    begin(address) {
      const waitMs = (refusedUntil.get(address) ?? 0) - performance.now();
      if (waitMs > 0) return waitMs;
      refusedUntil.delete(address);
      rateLimits
        .consume([{ limit: 'address', key: address }])
        .catch((error: unknown) => remember(address, error));
      return 0;
    },

    assertRoom(userId) {
      if (users.of(userId).size >= maxSocketsPerUser) throw tooMany();
    },

    async take(userId) {
      const [others] = await Promise.all([
        elsewhere(userId),
        rateLimits.consume([{ limit: 'user', key: userId }]),
      ]);
      if (others > 0 && users.of(userId).size + others > maxSocketsPerUser) throw tooMany();
    },
  };
}
