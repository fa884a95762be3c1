import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '../../db/database.ts';
import { readMigrations } from '../../db/migration-files.ts';
import { missingOf } from '../../db/migration-record.ts';
import { openPglite } from '../../db/pglite.ts';
import { readPartitioning } from '../../db/settings.ts';
import { assertHasData, openIfFree } from '../../process/data-folder.ts';
import type { Config } from '../../shared/config.ts';
import type { PartitionStatus, Status } from './status.ts';

/** The first of each partition is its oldest. */
const waitingSql = `SELECT partition, count(*)::int AS waiting, (array_agg(body ORDER BY position))[1] AS oldest
FROM queued_messages GROUP BY partition`;

const answerWithinMs = 3_000;

/**
 * The single process: while it runs it alone can open its database, and says how it is; while it is stopped its queue is read.
 * @throws StartError where the folder has no data
 */
export async function lookAtFolder(folder: string, config: Pick<Config, 'host' | 'port'>): Promise<Status> {
  assertHasData(folder);
  const opened = await openIfFree(folder);
  if (!opened) return running(folder, config);
  try {
    return await stopped(folder);
  } finally {
    opened.close();
  }
}

const nothing = (): Status => ({
  at: new Date().toISOString(),
  ...{ servers: [], processes: [], partitions: [], deadLetters: null, notes: [], problems: [] },
});

async function running(folder: string, { host, port }: Pick<Config, 'host' | 'port'>): Promise<Status> {
  const owner = join(folder, 'owner');
  const [pid, { mtime }] = await Promise.all([readFile(owner, 'utf8'), stat(owner)]);
  const url = `http://${host === '::' ? 'localhost' : host}:${port}/readyz`;
  return {
    ...nothing(),
    processes: [
      {
        ...{ instance: `process ${pid}`, roles: ['api', 'worker', 'gateway'] },
        ...{ version: null, since: mtime.toISOString(), silentSeconds: null },
      },
    ],
    notes: [
      'It runs, and it alone can open its database: what waits in its queue can be seen while it is stopped.',
    ],
    problems: await problemsAt(url),
  };
}

async function problemsAt(url: string): Promise<string[]> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerWithinMs) });
    const {
      status,
      dependencies,
      problems = [],
    } = (await answer.json()) as {
      status: string;
      dependencies: Record<string, string>;
      problems?: string[];
    };
    if (status === 'ready') return [];
    const down = Object.keys(dependencies).filter((name) => dependencies[name] === 'down');
    return [
      `It says that it is ${status}: ${[...down.map((name) => `${name} is down`), ...problems].join('; ')}.`,
    ];
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    return [`${url} does not answer (${reason}): set HOST and PORT as the process has them.`];
  }
}

async function stopped(folder: string): Promise<Status> {
  // As it is: whoever looks migrates nothing.
  const database = await openPglite(join(folder, 'database'));
  try {
    return await read(database);
  } finally {
    await database.close();
  }
}

async function read(database: Database): Promise<Status> {
  const rows = await database.query<{ partition: number; waiting: number; oldest: string }>(waitingSql, []);
  const [dead] = await database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM dead_letters',
    [],
  );
  const { count } = (await readPartitioning(database)) ?? { count: 0 };
  const most = Math.max(count, ...rows.map((row) => row.partition + 1));
  const partitions = Array.from({ length: most }, (_, partition): PartitionStatus => {
    const row = rows.find((one) => one.partition === partition);
    const sentAt = row && sentAtOf(row.oldest);
    return {
      ...{ partition, owner: null, waiting: row?.waiting ?? 0 },
      oldestSeconds: sentAt === undefined ? null : Math.max(0, (Date.now() - Date.parse(sentAt)) / 1000),
    };
  });
  const missing = await missingOf(database, readMigrations());
  const problems =
    missing.length > 0
      ? [`The schema is behind by ${missing.length} migrations: the next start applies them.`]
      : [];
  return { ...nothing(), partitions, deadLetters: dead?.count ?? 0, notes: ['It is stopped.'], problems };
}

/** Undefined for a body that is none of ours. */
function sentAtOf(body: string): string | undefined {
  try {
    const { sentAt } = JSON.parse(body);
    return typeof sentAt === 'string' && !Number.isNaN(Date.parse(sentAt)) ? sentAt : undefined;
  } catch {
    return undefined;
  }
}
