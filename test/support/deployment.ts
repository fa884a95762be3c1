import { join } from 'node:path';
import { answers, portVariable, type Role } from '../../harness/process.ts';
import { serverEnvironment as addresses } from '../../harness/servers.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import { eventually } from './eventually.ts';
import { makeDataFolder } from './pglite.ts';
import { type Processes, type RunningProcess, untilSays } from './processes.ts';
import { repository } from './repository.ts';
import { runningMs } from './running-time.ts';
import type { RealServers } from './servers.ts';

/** Confab as its users run it: real processes, at two addresses. */
export interface Deployment {
  readonly apiUrl: string;
  readonly socketUrl: string;
}

export interface Embedded extends Deployment {
  readonly process: RunningProcess;
  readonly dataDir: string;
  readonly env: Record<string, string>;
  /** From the start of the process until it was up. */
  readonly startedInMs: number;
}

/** `src/standalone.ts` on a free port and a folder that is new, or given: then it is made where it is not there. */
export async function startEmbedded(
  processes: Processes,
  { dataDir, env = {}, command = ['src/standalone.ts'] }: EmbeddedOptions = {},
): Promise<Embedded> {
  const folder = dataDir ?? join(await processes.folder(), 'data');
  if (dataDir === undefined) await makeDataFolder(folder);
  const port = await freePort();
  const own = { DATA_DIR: folder, PORT: String(port), LOG_LEVEL: 'warn', ...env };
  const started = runningMs();
  const process = processes.run(command, own);
  await untilSays(process, 'Confab is up', 60_000);
  const url = `http://localhost:${own.PORT}`;
  return {
    apiUrl: url,
    socketUrl: url,
    process,
    dataDir: folder,
    env: own,
    startedInMs: runningMs() - started,
  };
}

interface EmbeddedOptions {
  dataDir?: string;
  env?: Record<string, string>;
  command?: readonly string[];
}

export interface Member {
  readonly role: Role;
  readonly url: string;
  readonly process: RunningProcess;
  readonly env: Record<string, string>;
}

export interface ThreeProcesses extends Deployment {
  readonly databaseUrl: string;
  readonly apis: Member[];
  readonly workers: Member[];
  readonly gateways: Member[];
  /** The environment that all share. */
  readonly env: Record<string, string>;
  /** One more, up when this resolves. */
  start(role: Role, env?: Record<string, string>): Promise<Member>;
}

export interface ThreeProcessesOptions {
  processes: Processes;
  servers: RealServers;
  counts?: Partial<Record<Role, number>>;
  /** Over the test's own: addresses of servers of the test, limits. */
  env?: Record<string, string>;
}

/** The three entries on real servers, with a database and broker names of their own; up and ready when this resolves. */
export async function startThreeProcesses(options: ThreeProcessesOptions): Promise<ThreeProcesses> {
  const { processes, servers, counts = {} } = options;
  const env: Record<string, string> = {
    ...(await serverEnvironment(servers)),
    DATA_DIR: await processes.folder(),
    ...options.env,
  };
  const members: Record<Role, Member[]> = { api: [], worker: [], gateway: [] };

  const start = async (role: Role, own: Record<string, string> = {}): Promise<Member> => {
    const member = await startMember(processes, role, { ...env, ...own });
    members[role].push(member);
    return member;
  };
  const roles: Role[] = ['api', 'worker', 'gateway'];
  await Promise.all(roles.flatMap((role) => Array.from({ length: counts[role] ?? 1 }, () => start(role))));
  return {
    apiUrl: members.api[0]?.url ?? '',
    socketUrl: members.gateway[0]?.url ?? '',
    databaseUrl: env.DATABASE_URL ?? '',
    apis: members.api,
    workers: members.worker,
    gateways: members.gateway,
    env,
    start,
  };
}

/** What leads the entries to the test's servers, and to a part of them that is theirs alone. */
export async function serverEnvironment(servers: RealServers): Promise<Record<string, string>> {
  return {
    ...addresses({
      database: await servers.createDatabase(),
      redis: servers.redisUrl,
      rabbitmq: servers.rabbitmqUrl,
    }),
    ...servers.createBrokerNames(),
  };
}

const entry = { api: 'src/api.ts', worker: 'src/commands/worker.ts', gateway: 'src/gateway.ts' } as const;

/**
 * One process of a role, on a free port where none is said; resolves when it is ready.
 * @param root where the program is
 */
export async function startMember(
  processes: Processes,
  role: Role,
  env: Record<string, string>,
  root = repository,
): Promise<Member> {
  const port = env[portVariable[role]] ?? String(await freePort());
  const own = { LOG_LEVEL: 'info', ...env, [portVariable[role]]: port };
  const process = processes.run([join(root, entry[role])], own);
  const member = { role, url: `http://localhost:${port}`, process, env: own };
  await untilReady(member);
  return member;
}

export async function untilReady({ role, url, process }: Member): Promise<void> {
  const ready = async () => {
    if (!process.running()) throw new Error(`the ${role} ended:\n${process.output()}`);
    return answers(`${url}/readyz`, 5_000);
  };
  // Before the test itself is given up, which would say nothing of why.
  await eventually(`the ${role} is ready`, ready, 45_000).catch((cause: unknown) => {
    throw new Error(`the ${role} is not ready; it said:\n${process.output()}`, { cause });
  });
}
