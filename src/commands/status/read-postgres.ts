import type { Database } from '../../db/database.ts';
import { reasonOf } from '../../db/errors.ts';
import { readMigrations } from '../../db/migration-files.ts';
import { missingOf, recordTable } from '../../db/migration-record.ts';
import { openPostgres } from '../../db/postgres.ts';
import { silentProcesses } from '../../db/queries/silent-processes.ts';
import { SchemaError } from '../../db/schema-error.ts';
import { readPartitioning } from '../../db/settings.ts';
import type { Config } from '../../shared/config.ts';
import { deadAfterMs, type Oldest } from '../../shared/ports/registry.ts';
import type { ProcessStatus, ServerStatus } from './status.ts';

export interface PostgresReading {
  server: ServerStatus;
  /** Undefined where the schema has no place for it. */
  partitionCount?: number | undefined;
  processes: ProcessStatus[];
  /** By instance: how old its oldest message was, of each partition, with its last beat. */
  oldestSeconds: Map<string, Map<number, number>>;
  problems: string[];
}

const processesSql = `SELECT id::text AS instance, to_json(roles) AS roles, program_version AS version,
  round(extract(epoch FROM now() - seen_at)::numeric, 1)::float8 AS "silentSeconds",
  (extract(epoch FROM seen_at) * 1000)::float8 AS "seenAt", fingerprints -> 'oldest' AS oldest
FROM processes WHERE seen_at > now() - interval '${deadAfterMs} milliseconds' ORDER BY processes.roles, id`;

/** A role that may not look has rows without anything in them. */
const standbysSql = `SELECT application_name AS name, sync_state AS sync,
  extract(epoch FROM replay_lag)::float8 AS lag FROM pg_stat_replication WHERE sync_state IS NOT NULL ORDER BY 1`;

interface ProcessRow extends ProcessStatus {
  seenAt: number;
  oldest: Oldest | null;
}

/** Not `confab …`: `bun run repartition` waits until nobody of that name is connected. */
const applicationName = 'status of confab';

/** @throws Error with PostgreSQL's own reason where it cannot be asked */
export async function readPostgres(config: Config['database']): Promise<PostgresReading> {
  const database = openPostgres({
    ...config,
    applicationName,
    maxConnections: 2,
    // Nothing is set, which might be another's behind a pooler.
    pooling: 'transaction',
  });
  try {
    return await read(database);
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  } finally {
    await database.close();
  }
}

async function read(database: Database): Promise<PostgresReading> {
  const [server] = await database.query<{ server_version: string }>('SHOW server_version', []);
  const standbys = await database.query<{ name: string; sync: string; lag: number | null }>(standbysSql, []);
  const schema = await readSchema(database);
  const reading: PostgresReading = {
    server: {
      name: 'PostgreSQL',
      version: server?.server_version ?? null,
      notes: [
        ...(schema.newest === undefined ? [] : [`schema ${schema.newest}`]),
        ...standbys.map(
          ({ name, sync, lag }) =>
            `standby ${name} (${sync})${lag === null ? '' : ` ${lag.toFixed(1)} s behind`}`,
        ),
      ],
    },
    processes: [],
    oldestSeconds: new Map(),
    problems: schema.problems,
  };
  if (!schema.hasProcesses) return reading;

  const rows = await database.query<ProcessRow>(processesSql, []);
  const older = await database.query<{ name: string }>(silentProcesses, []);
  for (const { seenAt, oldest, ...row } of rows) {
    reading.processes.push({ ...row, since: startedAt(row.instance) });
    const ages = Object.entries(oldest ?? {}).map(
      ([partition, sentAt]) => [Number(partition), secondsBetween(sentAt, seenAt)] as const,
    );
    reading.oldestSeconds.set(row.instance, new Map(ages));
  }
  for (const { name } of older)
    reading.processes.push({
      ...{ instance: name, roles: [name.replace(/^confab-/, '')] },
      ...{ version: null, since: null, silentSeconds: null },
    });
  reading.partitionCount = (await readPartitioning(database))?.count;
  return reading;
}

async function readSchema(database: Database) {
  const known = readMigrations();
  const problems: string[] = [];
  try {
    const missing = await missingOf(database, known);
    if (missing.length > 0)
      problems.push(
        `The schema is behind by ${missing.length} of ${known.length} migrations: run \`bun run migrate\`.`,
      );
    if (missing.length === known.length) return { newest: undefined, hasProcesses: false, problems };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    problems.push(error.message);
  }
  const [state] = await database.query<{ newest: string; processes: string | null }>(
    `SELECT max(name) AS newest, to_regclass('processes')::text AS processes FROM ${recordTable}`,
    [],
  );
  return { newest: state?.newest, hasProcesses: typeof state?.processes === 'string', problems };
}

/** An instance's id is a UUIDv7, made when it starts. */
function startedAt(instance: string): string | null {
  const ms = Number.parseInt(instance.replaceAll('-', '').slice(0, 12), 16);
  return instance.charAt(14) === '7' ? new Date(ms).toISOString() : null;
}

/** The clock of an api may be ahead. */
const secondsBetween = (sentAt: string, at: number): number =>
  Math.max(0, Math.round((at - Date.parse(sentAt)) / 100) / 10);
