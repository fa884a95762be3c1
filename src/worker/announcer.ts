import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Logger } from '../shared/log.ts';
import type { Notification, Notifier, Topic } from '../shared/ports/notifications.ts';

export interface Announcer {
  /**
   * Publishes what was committed, or remembers it; never throws and never waits for a Redis that is known to be away.
   * @returns whether it is published
   */
  announce(notifications: readonly Notification[]): Promise<boolean>;
  /** Tries once more what is still remembered, then gives up on it: gateways find it in PostgreSQL. */
  stop(): Promise<void>;
}

/** The most chats remembered while Redis is away; beyond that the oldest are left to the gateways' own comparison. */
const mostChats = 100_000;
/** Notifications of one publish while catching up. */
const catchUpSize = 500;

/**
 * Commits and acknowledgements do not wait for Redis. Of each chat the highest number is remembered: whoever gets it reads from
 * PostgreSQL what came up to there. Not what was said: it may have been edited or deleted since.
 */
export function createAnnouncer({ notifier, log }: { notifier: Notifier; log: Logger }): Announcer {
  const remembered = new Map<Topic, Notification>();
  const stopping = new AbortController();
  let catchingUp: Promise<void> | undefined;

  function remember(notifications: readonly Notification[]): void {
    for (const notification of notifications) {
      if (notification.head.kind !== 'change') continue;
      const known = remembered.get(notification.topic)?.head;
      if (known?.kind === 'change' && known.eventSequence > notification.head.eventSequence) continue;
      remembered.set(notification.topic, { ...notification, body: '' });
      const [oldest] = remembered.keys();
      if (remembered.size > mostChats && oldest !== undefined) remembered.delete(oldest);
    }
  }

  async function catchUp(): Promise<void> {
    for (let attempt = 0; remembered.size > 0 && !stopping.signal.aborted; attempt += 1) {
      await pause(fullJitterMs(attempt), stopping.signal);
      try {
        while (remembered.size > 0) await publishRemembered();
        log.info('Redis is back; everything committed meanwhile is announced');
      } catch {
        // Still away.
      }
    }
    catchingUp = undefined;
  }

  async function publishRemembered(): Promise<void> {
    const next = [...remembered.values().take(catchUpSize)];
    await notifier.publish(next);
    for (const notification of next) {
      if (remembered.get(notification.topic) === notification) remembered.delete(notification.topic);
    }
  }

  return {
    async announce(notifications) {
      if (notifications.length === 0) return true;
      if (catchingUp) {
        remember(notifications);
        return false;
      }
      try {
        await notifier.publish(notifications);
        return true;
      } catch (error) {
        log.warn({ err: error }, 'announcing failed; it is done when Redis is back');
        remember(notifications);
        if (remembered.size > 0) catchingUp ??= catchUp();
        return false;
      }
    },
    async stop() {
      stopping.abort();
      await catchingUp;
      try {
        while (remembered.size > 0) await publishRemembered();
      } catch {
        log.warn({ chats: remembered.size }, 'left without announcing: Redis is away');
        remembered.clear();
      }
    },
  };
}
