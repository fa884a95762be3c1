import type { Logger } from '../../shared/log.ts';
import { reasonOf } from '../../shared/loggable.ts';

/** The connections of a process to Redis. */
export type RedisRole = 'commands' | 'admission' | 'subscriber';

/** Says in the log when Redis goes and when it is back. */
export interface RedisOutages {
  /** The connection is lost, cannot be made, or does not do what is needed. */
  away(role: RedisRole, reason: unknown): void;
  back(role: RedisRole): void;
}

/** `WRONGPASS …`, `READONLY …`: what Redis itself says begins with a word in capitals. */
const ownWord = /^(?:Redis: )?([A-Z]+) /;

/**
 * One line for an outage, whichever connections it takes along, and one when all of them are back. What Redis itself says in
 * between is another reason, and another line, once for each: of a server that cannot be reached every connection
 * tells in words of its own.
 */
export function createRedisOutages(log: Logger, address: string): RedisOutages {
  const away = new Set<RedisRole>();
  /** Of this outage. */
  const said = new Set<string>();

  return {
    away(role, error) {
      const reason = reasonOf(error);
      const word = ownWord.exec(reason)?.[1] ?? '';
      const isNews = away.size === 0 || (word !== '' && !said.has(word));
      away.add(role);
      said.add(word);
      if (isNews) log.warn({ reason, role, address }, 'Redis is away; going on without it and trying again');
    },
    back(role) {
      if (!away.delete(role) || away.size > 0) return;
      said.clear();
      log.info({ address }, 'Redis is back');
    },
  };
}
