import type { Depths } from '../../adapters/rabbitmq/depths.ts';
import type { Database } from '../../db/database.ts';
import { readPartitioning, replacePartitioning } from '../../db/settings.ts';
import type { AuditOf } from '../../shared/audit.ts';
import { pause } from '../../shared/backoff.ts';
import { partitionHashName } from '../../shared/partition.ts';
import { StartError } from '../../shared/start-error.ts';

/**
 * Who else is connected to this database: an api would go on sending into the old partitions. The gateways know of no
 * partitions.
 */
const processesSql = `SELECT DISTINCT application_name AS name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'confab%'
  AND application_name NOT LIKE $1 || '%' AND application_name NOT LIKE '%gateway%' AND application_name NOT LIKE '%dlq%'
ORDER BY 1`;

const lookEveryMs = 500;

/**
 * Records another number of partitions once nothing waits in the old ones, nobody consumes them (a batch in hand is not
 * counted among those that wait) and no api or worker is connected.
 * @throws StartError after `waitMs`, with what was still there; nothing is changed then
 */
export async function repartition(dependencies: {
  database: Database;
  depths: (partitionCount: number) => Promise<Depths>;
  /** Rejects where an empty queue may not be empty. */
  assertLeaders: (partitionCount: number) => Promise<void>;
  /** This command's own name at the database. */
  ownName: string;
  count: number;
  waitMs: number;
  print: (line: string) => void;
  audit: AuditOf;
}): Promise<void> {
  const { database, depths, assertLeaders, ownName, count, waitMs, print, audit } = dependencies;
  const old = await readPartitioning(database);
  if (old?.count === count && old.hash === partitionHashName) {
    print(`There are ${count} partitions already.`);
    return;
  }
  if (old) await untilEmpty(old.count);
  await replacePartitioning(database, count);
  audit('partitions.changed', { before: old?.count ?? null, count });
  print(`Recorded: ${count} partitions${old ? ` instead of ${old.count}` : ''}.`);
  print(`Set RABBITMQ_CHAT_PARTITION_COUNT=${count} for every process, then start them.`);

  async function untilEmpty(oldCount: number): Promise<void> {
    const end = Date.now() + waitMs;
    let said = '';
    for (;;) {
      const { messages, consumers } = await depths(oldCount);
      const processes = await database.query<{ name: string }>(processesSql, [ownName]);
      const names = processes.map(({ name }) => name).join(', ');
      if (messages === 0 && consumers === 0 && names === '') return assertLeaders(oldCount);
      const state =
        messages > 0
          ? `Messages that wait in the ${oldCount} old partitions: ${messages}. Stop every api, leave the workers running.`
          : `The ${oldCount} old partitions are empty: stop every api and every worker now` +
            ` (${[names, `${consumers} consumers`].filter(Boolean).join('; ')}).`;
      if (state !== said) print(state);
      said = state;
      if (Date.now() >= end) {
        throw new StartError(`Given up after ${waitMs / 1000} s; nothing was changed. ${state}`);
      }
      await pause(Math.min(lookEveryMs, Math.max(0, end - Date.now())));
    }
  }
}
