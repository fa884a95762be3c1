import type { Role } from '../../harness/process.ts';
import type { ChattersOptions } from '../children/chatters.ts';
import type { Bench } from './bench.ts';
import { bunChild, type Child, startChild } from './child.ts';
import { sendRequest, uniqueId } from './http.ts';
import { type Population, populate, signTokens } from './population.ts';
import { type ConfabProcess, startConfab } from './process.ts';
import type { BenchDatabase, Environment } from './servers.ts';
import { confabHello } from './sockets.ts';

/** The three processes on the three servers, and users of chats of two who talk over them. */
export interface Deployment {
  environment: Environment;
  database: BenchDatabase;
  processes: { api: ConfabProcess; worker: ConfabProcess; gateway: ConfabProcess };
  chatters: Child;
}

export const users = 400;
const connections = 64;

/**
 * @param others in the same database, from user 1 on: the users who talk are the first of them
 * @param preload see `spawnConfab`
 */
export async function startDeployment(
  bench: Bench,
  others: Population = { users, rooms: [] },
  preload?: string,
): Promise<Deployment> {
  const { report } = bench;
  report.progress('servers and data');
  const { database, environment } = await populate(bench, {
    users: others.users,
    rooms: [{ firstChat: 1, chats: users / 2, size: 2 }, ...others.rooms],
  });
  const start = (role: Role) => startConfab(bench, role, environment, {}, preload);
  const processes = {
    api: await start('api'),
    worker: await start('worker'),
    gateway: await start('gateway'),
  };
  const ports = { apiPort: processes.api.port, gatewayPorts: [processes.gateway.port] };
  const chatters = await startChatters(bench, environment, { ...ports, firstUser: 1 });
  return { environment, database, processes, chatters };
}

/** So many users from this one on, two in each chat. */
export async function startChatters(
  { defer }: Pick<Bench, 'defer'>,
  environment: Environment,
  { firstUser, ...ports }: Pick<ChattersOptions, 'apiPort' | 'gatewayPorts'> & { firstUser: number },
): Promise<Child> {
  const chatters = await startChild({ name: 'chatters', command: bunChild('chatters.ts') });
  defer(() => chatters.end());
  const tokens = await signTokens(environment, firstUser, users);
  const chatOf = (at: number) => Math.floor((firstUser + 1 + at) / 2);
  const options: ChattersOptions = {
    ...ports,
    hellos: tokens.map(confabHello),
    requests: tokens.map((token, at) => sendRequest(ports.apiPort, chatOf(at), token)),
    uniqueId,
    connections,
  };
  await chatters.call('connect', options);
  return chatters;
}
