import type { Database } from '../db/database.ts';
import { silentProcesses } from '../db/queries/silent-processes.ts';
import type { Logger } from '../shared/log.ts';
import { deadAfterMs } from '../shared/ports/registry.ts';

/**
 * Whether an envelope without a signature may be one of an api from before signatures. Such an api writes no beat, but it
 * reads this database, under the name that it had then; its workers' beats say no version.
 */
export interface UnsignedRule {
  /** Asks the database each time: there is nothing to ask about once all apis sign. */
  believed(): Promise<boolean>;
  /** With each beat: ends the time in which they are believed, or begins it anew. */
  look(): Promise<void>;
}

/** How long no api from before may have been there: what it sent last is in its queue, or nowhere. */
const defaultQuietMs = 10 * 60_000;
/** Then it is over even if the queues were never empty: who can write to them could keep them so. */
const defaultMostQuietMs = 24 * 60 * 60_000;

const olderIsThere = `(
  EXISTS (SELECT FROM (${silentProcesses}) silent WHERE name = 'confab-api')
  OR EXISTS (
    SELECT FROM processes WHERE program_version IS NULL AND seen_at > now() - interval '${deadAfterMs} milliseconds'
  )
)`;
const askSql = `SELECT ${olderIsThere} AS older, EXISTS (SELECT FROM settings WHERE key = 'signed_since') AS signed`;
const endSql = `INSERT INTO settings (key, value)
SELECT 'signed_since', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') WHERE NOT ${olderIsThere}
ON CONFLICT (key) DO NOTHING
RETURNING key`;
const beginSql = `DELETE FROM settings WHERE key = 'signed_since' RETURNING key`;

/**
 * From the moment that the queues were empty, with no older process there for a while, whatever has no signature is forged,
 * and `signed_since` in the settings says so to all. An older process that is started again (a way back) takes it away: an older
 * worker by its first beat, also where no newer one is there to see it (a trigger of `processes`). Then
 * what is accepted is stored, as long as it is there and until the queues have been empty again.
 */
export function createUnsignedRule(dependencies: {
  database: Pick<Database, 'query'>;
  /** Messages that wait in the queues. */
  waiting: () => Promise<number>;
  log: Logger;
  quietMs?: number;
  mostQuietMs?: number;
}): UnsignedRule {
  const { database, waiting, log } = dependencies;
  const { quietMs = defaultQuietMs, mostQuietMs = defaultMostQuietMs } = dependencies;
  let asking: Promise<{ believed: boolean; older: boolean }> | undefined;
  let looking: Promise<void> | undefined;
  let quietSince = performance.now();
  let told = false;

  async function ask(): Promise<{ believed: boolean; older: boolean }> {
    const asked = database.query<{ older: boolean; signed: boolean }>(askSql, []);
    const [row] = await asked.catch((error: unknown) => {
      // While nobody could look nobody was seen, and an older api is back at the database only when it is asked for something.
      quietSince = performance.now();
      throw error;
    });
    const { older = false, signed = true } = row ?? {};
    if (older) quietSince = performance.now();
    if (older && signed && (await database.query(beginSql, [])).length > 0) {
      log.warn('an older api is there: messages without a signature are stored again');
    }
    return { believed: older || !signed, older };
  }

  /** One question for all partitions that have one. */
  function askOnce(): Promise<{ believed: boolean; older: boolean }> {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function lookNow(): Promise<void> {
    const { believed, older } = await askOnce();
    if (believed && !told) log.info('until all apis sign, messages without a signature are stored as well');
    told ||= believed;
    const quiet = performance.now() - quietSince;
    if (!believed || older || quiet < quietMs) return;
    if (quiet < mostQuietMs && (await waiting()) > 0) return;
    if ((await database.query(endSql, [])).length > 0) {
      log.info(
        'all apis sign, and the queues were empty: from now on a message without a signature is refused',
      );
    }
  }

  return {
    believed: async () => (await askOnce()).believed,
    look() {
      looking ??= lookNow()
        // The next beat looks again.
        .catch((error: unknown) => log.debug({ err: error }, 'whether older apis are there is not known now'))
        .finally(() => {
          looking = undefined;
        });
      return looking;
    },
  };
}
