import type { Logger } from '../shared/log.ts';
import type { Presence } from '../shared/ports/presence.ts';
import type { Member } from './member.ts';
import type { Few } from './small-set.ts';

/** A third of what presence lives for without one. */
const heartbeatMs = 10_000;

export interface PresenceHeartbeat {
  changed(userId: string, members: Few<Member>): void;
  /** Ends the heartbeat and forgets everybody. */
  leave(): Promise<void>;
}

/** Tells presence of changes when they happen, and of everything at each heartbeat: what got lost is mended by the next. */
export function createPresenceHeartbeat(deps: { presence: Presence; log: Logger }): PresenceHeartbeat {
  const { presence, log } = deps;
  /** The users' own sets, which change by themselves. */
  const online = new Map<string, Few<Member>>();
  let failing = false;
  let left = false;
  let lastWrite: Promise<unknown> = Promise.resolve();
  /** Users of this tick, with their own sets. */
  let touched = new Map<string, Few<Member>>();

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

  function socketIdsOf(members: Few<Member>): Set<string> {
    const ids = new Set<string>();
    for (const { socketId } of members) ids.add(socketId);
    return ids;
  }

  function beat(): Promise<void> {
    const sockets = new Map<string, ReadonlySet<string>>();
    for (const [userId, members] of online) sockets.set(userId, socketIdsOf(members));
    return presence.heartbeat(sockets);
  }
  async function update(): Promise<void> {
    const users = touched;
    touched = new Map();
    // The promises of one tick are one promise where it matters.
    const writes = new Set<Promise<void>>();
    for (const [userId, members] of users) writes.add(presence.update(userId, socketIdsOf(members)));
    await Promise.all(writes);
  }

  const timer = setInterval(() => write(beat), heartbeatMs);

  return {
    changed(userId, members) {
      if (members.size === 0) online.delete(userId);
      else online.set(userId, members);
      if (touched.size === 0) setImmediate(() => write(update));
      touched.set(userId, members);
    },

    async leave() {
      clearInterval(timer);
      left = true;
      online.clear();
      await lastWrite;
      await presence.leave().catch((error) => log.warn({ err: error }, 'presence was not taken back'));
    },
  };
}
