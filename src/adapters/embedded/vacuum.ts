import type { Database } from '../../db/database.ts';
import type { Logger } from '../../shared/log.ts';

/** Whose rows change, or go. */
const tables = [
  ...['chats', 'chat_participants', 'chat_changes', 'messages', 'mentions', 'reactions', 'chats_to_purge'],
  ...['reactions_to_purge', 'users', 'sessions', 'refresh_tokens', 'queued_messages', 'dead_letters'],
];

export interface VacuumTimes {
  everyMs?: number;
  /** For so long nobody has asked anything: less than the worker leaves between two of its beats. */
  idleMs?: number;
}

/**
 * PGlite has no autovacuum: what a row was before each of its changes stayed in the folder for ever. One table at a time, so that
 * who comes meanwhile waits for one at most: 100,000 messages take 0.3 s.
 * @returns the same database, which is now watched
 */
export function vacuumWhenIdle(
  database: Database,
  log: Pick<Logger, 'warn'>,
  { everyMs = 3_600_000, idleMs = 1_000 }: VacuumTimes = {},
): { database: Database; stop(): Promise<void> } {
  let askedAt = performance.now();
  let isAsked = true;
  let dueAt = askedAt + everyMs;
  let running = Promise.resolve();

  const asked = <Answer>(answer: Answer): Answer => {
    askedAt = performance.now();
    isAsked = true;
    return answer;
  };

  async function vacuum(): Promise<void> {
    for (const table of tables) {
      if (stopped) return;
      await database.query(`VACUUM ${table}`, []);
    }
  }

  let stopped = false;
  const timer = setInterval(() => {
    const now = performance.now();
    if (!isAsked || now < dueAt || now < askedAt + idleMs) return;
    isAsked = false;
    dueAt = now + everyMs;
    running = vacuum().catch((error) => log.warn({ err: error }, 'the database could not be vacuumed'));
  }, idleMs);

  return {
    database: {
      ...database,
      get orm() {
        return asked(database.orm);
      },
      query: (text, parameters) => asked(database.query(text, parameters)),
      queryText: (text, parameters) => asked(database.queryText(text, parameters)),
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
