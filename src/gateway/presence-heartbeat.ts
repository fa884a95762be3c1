import type { Logger } from '../shared/log.ts';
import type { Presence } from '../shared/presence/presence.ts';
import type { Member } from './member.ts';

/** A third of what presence lives for without one. */
const heartbeatMs = 10_000;

export interface PresenceHeartbeat {
  changed(userId: string, members: ReadonlySet<Member>): void;
  /** Ends the heartbeat and forgets everybody. */
  leave(): Promise<void>;
}

/** Tells presence of changes when they happen, and of everything at each heartbeat: what got lost is mended by the next. */
export function createPresenceHeartbeat(deps: { presence: Presence; log: Logger }): PresenceHeartbeat {
  const { presence, log } = deps;
  const sockets = new Map<string, Set<string>>();
  let failing = false;
  let left = false;
  let lastWrite: Promise<unknown> = Promise.resolve();

  function write(work: () => Promise<void>): void {
    if (left) return;
    lastWrite = work().then(
      () => {
        failing = false;
      },
      (error) => {
        if (!failing) log.warn({ err: error }, 'presence was not written; the next heartbeat does it');
        failing = true;
      },
    );
  }

  const timer = setInterval(() => write(() => presence.heartbeat(sockets)), heartbeatMs);

  return {
    changed(userId, members) {
      const socketIds = new Set([...members].map((member) => member.socketId));
      if (socketIds.size === 0) sockets.delete(userId);
      else sockets.set(userId, socketIds);
      write(() => presence.update(userId, socketIds));
    },

    async leave() {
      clearInterval(timer);
      left = true;
      sockets.clear();
      await lastWrite;
      await presence.leave().catch((error) => log.warn({ err: error }, 'presence was not taken back'));
    },
  };
}
