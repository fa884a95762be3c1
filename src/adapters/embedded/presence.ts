import type { Presence } from '../../shared/ports/presence.ts';

/** Within one process: the gateway and the api hold the same object, and it ends with them. */
export function createEmbeddedPresence(): Presence {
  const sockets = new Map<string, ReadonlySet<string>>();

  return {
    async heartbeat(all) {
      sockets.clear();
      for (const [userId, socketIds] of all) sockets.set(userId, new Set(socketIds));
    },
    async update(userId, socketIds) {
      if (socketIds.size === 0) sockets.delete(userId);
      else sockets.set(userId, new Set(socketIds));
    },
    async online(userIds) {
      return new Set(userIds.filter((userId) => sockets.has(userId)));
    },
    async offline(userIds) {
      return userIds.filter((userId) => !sockets.has(userId));
    },
    // There is one gateway in a process.
    isAlone: () => true,
    elsewhere: async (userIds) => userIds.map(() => []),
    async leave() {
      sockets.clear();
    },
  };
}
