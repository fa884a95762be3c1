import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createOwnProcess, type OwnProcess, portVariable } from '../harness/process.ts';
import { serverEnvironment } from '../harness/servers.ts';
import type { Guard } from '../src/commands/servers/guard.ts';
import type { Trio } from '../src/commands/servers/launcher.ts';
import { freePort } from '../src/commands/servers/ports.ts';
import { type Balancer, createBalancer } from './balancer.ts';
import type { LinkName, OwnKind, ServerKind } from './fault.ts';
import { createLink, createTcpProxy, type Link, type TcpProxy } from './tcp-proxy.ts';

/** Two api, two worker and two gateway processes on three servers, with a proxy between every two that talk. */
export interface Deployment {
  readonly servers: Trio;
  readonly own: Record<OwnKind, readonly OwnProcess[]>;
  /** Of each link name, the one of the first process and the one of the second. */
  readonly links: Record<LinkName, readonly Link[]>;
  readonly apiUrl: string;
  readonly gatewayUrl: string;
  /** The same gateways by a way of its own, for clients that are to be paused. */
  readonly slowGatewayUrl: string;
  readonly slowLinks: readonly Link[];
  /** What the processes are started with, but with the servers' own addresses. */
  readonly environment: Record<string, string>;
  /** The token secret of all of them. */
  readonly secret: string;
  /** Of the host's backend. */
  readonly serviceToken: string;
  /** Starts all six; throws when one of them does not answer. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const serversOf: Record<OwnKind, readonly ServerKind[]> = {
  api: ['postgres', 'redis', 'rabbitmq'],
  worker: ['postgres', 'redis', 'rabbitmq'],
  gateway: ['postgres', 'redis'],
};
const stopDeadlineMs = 10_000;

export async function createDeployment(options: {
  guard: Guard;
  folder: string;
  root: string;
  servers: Trio;
  /** Added to the environment of all processes. */
  extra?: Record<string, string>;
}): Promise<Deployment> {
  const { guard, root, servers } = options;
  const folder = join(options.folder, 'logs');
  await mkdir(folder, { recursive: true });
  const [secret, serviceToken] = [secretText(), secretText()];
  const environment: Record<string, string> = {
    NODE_ENV: 'production',
    HOST: 'localhost',
    // Each process has an address of its own here, and clients come back by themselves.
    SHUTDOWN_DELAY: '0',
    LOG_LEVEL: 'warn',
    DATA_DIR: join(options.folder, 'data'),
    ...serverEnvironment({
      database: servers.postgres.url,
      redis: servers.redis.url,
      rabbitmq: servers.rabbitmq.url,
    }),
    JWT_SECRET: secret,
    SERVICE_TOKEN: serviceToken,
    RATE_LIMIT_ENABLED: 'false',
    CHAT_WORKER_ENABLED: 'false',
    ...options.extra,
  };
  const proxies: TcpProxy[] = [];
  const proxyTo = (link: Link): number => {
    const proxy = createTcpProxy(() => [link]);
    proxies.push(proxy);
    return proxy.port;
  };
  const links: Partial<Record<LinkName, Link[]>> = {};
  const addLink = (name: LinkName, port: number): Link => {
    const link = createLink(port);
    links[name] = [...(links[name] ?? []), link];
    return link;
  };

  const own: Record<OwnKind, OwnProcess[]> = { api: [], worker: [], gateway: [] };
  for (const kind of ['api', 'worker', 'gateway'] as const) {
    for (const index of [0, 1]) {
      const env = { ...environment };
      for (const server of serversOf[kind]) {
        const port = proxyTo(addLink(`${kind}-${server}` as LinkName, servers[server].port));
        Object.assign(env, addressOf(server, servers[server].url, port));
      }
      const port = await freePort();
      env[portVariable[kind]] = String(port);
      if (kind === 'worker') env.CHAT_WORKER_ENABLED = 'true';
      // There they say what they filled.
      if (kind === 'gateway') env.LOG_LEVEL = 'info';
      own[kind][index] = createOwnProcess({
        ...{ guard, port, env, folder, cwd: root },
        name: `${kind} ${index + 1}`,
        command: [process.execPath, '--no-env-file', join(root, `src/${kind}.ts`)],
      });
    }
  }

  const balancers: Balancer[] = [];
  const balance = (backends: readonly Link[]): string => {
    const balancer = createBalancer(backends);
    balancers.push(balancer);
    return `http://127.0.0.1:${balancer.port}`;
  };
  const slowLinks = own.gateway.map(({ port }) => createLink(port));
  const apiUrl = balance(own.api.map(({ port }) => addLink('clients-api', port)));
  const gatewayUrl = balance(own.gateway.map(({ port }) => addLink('clients-gateway', port)));
  const slowGatewayUrl = balance(slowLinks);

  return {
    servers,
    own,
    links: links as Record<LinkName, Link[]>,
    apiUrl,
    gatewayUrl,
    slowGatewayUrl,
    slowLinks,
    environment,
    secret,
    serviceToken,
    async start() {
      const all = Object.values(own).flat();
      const started = await Promise.all(all.map((each) => each.start(60_000)));
      const dead = all.filter((_, at) => !started[at]);
      if (dead.length === 0) return servers.rabbitmq.flush();
      const logs = dead.flatMap((each) => each.unwantedExits().map(({ log }) => `${each.name}: ${log}`));
      const names = dead.map(({ name }) => name).join(', ');
      throw new Error(`These did not start: ${names}. Their logs are in ${folder}.\n${logs.join('\n')}`);
    },
    async close() {
      const all = Object.values(own).flat();
      for (const each of all) each.thaw();
      await Promise.all(all.map((each) => each.stop(stopDeadlineMs)));
      await Promise.all([...balancers, ...proxies].map((each) => each.close()));
    },
  };
}

const secretText = (): string => randomBytes(48).toString('base64url');

function addressOf(server: ServerKind, url: string, port: number): Record<string, string> {
  const address = Object.assign(new URL(url), { port: String(port) }).href;
  if (server === 'postgres') return { DATABASE_URL: address };
  return server === 'redis' ? { REDIS_PORT: String(port) } : { RABBITMQ_URI: address };
}
