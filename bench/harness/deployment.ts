import type { ChattersOptions } from '../children/chatters.ts';
import type { Bench } from './bench.ts';
import { bunChild, type Child, startChild } from './child.ts';
import { sendRequest, uniqueId } from './http.ts';
import { type Population, populate, signTokens } from './population.ts';
import { type ConfabProcess, startConfab } from './process.ts';
import type { BenchDatabase, Environment } from './servers.ts';
import { confabHellos } from './sockets.ts';

/** The three processes on the three servers, and users of chats of two who talk over them. */
export interface Deployment {
  environment: Environment;
  database: BenchDatabase;
  processes: { api: ConfabProcess; worker: ConfabProcess; gateway: ConfabProcess };
  chatters: Child;
}

export const users = 400;
const connections = 64;

/** @param others in the same database, from user 1 on: the users who talk are the first of them */
export async function startDeployment(
  bench: Bench,
  others: Population = { users, rooms: [] },
): Promise<Deployment> {
  const { report, defer } = bench;
  report.progress('servers and data');
  const { database, environment } = await populate(bench, {
    users: others.users,
    rooms: [{ firstChat: 1, chats: users / 2, size: 2 }, ...others.rooms],
  });
  const processes = {
    api: await startConfab(bench, 'api', environment),
    worker: await startConfab(bench, 'worker', environment),
    gateway: await startConfab(bench, 'gateway', environment),
  };
  const chatters = await startChild({ name: 'chatters', command: bunChild('chatters.ts') });
  defer(() => chatters.end());
  const tokens = await signTokens(environment, 1, users);
  const options: ChattersOptions = {
    apiPort: processes.api.port,
    gatewayPort: processes.gateway.port,
    hellos: await confabHellos(environment, users),
    requests: tokens.map((token, at) => sendRequest(processes.api.port, 1 + Math.floor(at / 2), token)),
    uniqueId,
    connections,
  };
  await chatters.call('connect', options);
  return { environment, database, processes, chatters };
}
