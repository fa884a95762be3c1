import { Redis } from 'ioredis';
import { untilReady } from '../src/commands/servers/ready.ts';
import type { RedisKind } from '../src/commands/servers/redis.ts';
import type { Server } from '../src/commands/servers/server.ts';

export type CreateRedis = (kind?: RedisKind) => Promise<Server>;

const until = (what: string, check: () => Promise<boolean>) =>
  untilReady({ what, check, deadlineMs: 20_000 });
const nodeText = ({ port }: Server): string => `127.0.0.1:${port}`;

/** Runs commands at one server, as its user `default`. */
export async function administer(
  server: Pick<Server, 'host' | 'port'> & { password?: string },
  ...commands: string[][]
): Promise<unknown[]> {
  const { host, port, password } = server;
  const admin = new Redis({ host, port, ...(password ? { password } : {}), enableReadyCheck: false });
  // Told to whoever asked.
  admin.on('error', () => {});
  try {
    return await Promise.all(commands.map(([name = '', ...words]) => admin.call(name, ...words)));
  } finally {
    admin.disconnect();
  }
}

/** A server with a replica, and three Sentinels that know both by the name `chat`. */
export async function startSentinels(createRedis: CreateRedis) {
  const password = 'the password of Redis';
  const [master, replica] = await Promise.all([createRedis(), createRedis()]);
  for (const server of [master, replica]) {
    await administer(
      server,
      ['CONFIG', 'SET', 'masterauth', password, 'repl-diskless-sync-delay', '0', 'requirepass', password],
      ...(server === replica ? [['REPLICAOF', '127.0.0.1', String(master.port)]] : []),
      ['CONFIG', 'REWRITE'],
    );
  }
  // They look every 10 s for replicas that were not there when they began.
  await until('the replica follows', async () => {
    const { host, port } = replica;
    const [info] = await administer({ host, port, password }, ['INFO', 'replication']);
    return String(info).includes('master_link_status:up');
  });
  const sentinels = await Promise.all(Array.from({ length: 3 }, () => createRedis('sentinel')));
  for (const sentinel of sentinels) {
    await administer(
      sentinel,
      ['SENTINEL', 'MONITOR', 'chat', '127.0.0.1', String(master.port), '2'],
      ['SENTINEL', 'SET', 'chat', 'auth-pass', password],
      ['SENTINEL', 'SET', 'chat', 'down-after-milliseconds', '1000'],
      ['SENTINEL', 'SET', 'chat', 'failover-timeout', '3000'],
    );
  }
  await until('the Sentinels know each other and the replica', async () => {
    const known = await Promise.all(
      sentinels.map(async (sentinel) => {
        const [fields] = await administer(sentinel, ['SENTINEL', 'MASTER', 'chat']);
        const text = JSON.stringify(fields);
        return text.includes('"num-slaves","1"') && text.includes('"num-other-sentinels","2"');
      }),
    );
    return known.every(Boolean);
  });
  const environment = {
    REDIS_SENTINELS: sentinels.map(nodeText).join(','),
    REDIS_SENTINEL_NAME: 'chat',
    REDIS_PASSWORD: password,
  };
  return { master, replica, sentinels, environment };
}

/** Of so many masters, each with so many replicas. */
export async function startCluster(createRedis: CreateRedis, { masters = 3, replicas = 0 } = {}) {
  const count = masters * (1 + replicas);
  const nodes = await Promise.all(Array.from({ length: count }, () => createRedis('cluster')));
  const ids: string[] = [];
  const [first] = nodes;
  if (!first) throw new Error('a cluster has nodes');
  const [bus] = await administer(first, ['CONFIG', 'GET', 'cluster-port']);
  const [, busPort] = bus as string[];
  for (const [at, node] of nodes.entries()) {
    const share = (part: number) => String(Math.floor((16_384 * part) / masters));
    const [, id] = await administer(
      node,
      ['CONFIG', 'SET', 'cluster-node-timeout', '1000', 'repl-diskless-sync-delay', '0'],
      ['CLUSTER', 'MYID'],
      ['CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(busPort)],
      ['CONFIG', 'SET', 'cluster-require-full-coverage', 'no'],
      ['CONFIG', 'REWRITE'],
      ...(at < masters ? [['CLUSTER', 'ADDSLOTSRANGE', share(at), String(Number(share(at + 1)) - 1)]] : []),
    );
    ids.push(String(id));
  }
  const isWhole = async (node: Server) => {
    const [info] = await administer(node, ['CLUSTER', 'INFO']);
    const text = String(info);
    return ['cluster_state:ok', 'cluster_slots_ok:16384', `cluster_known_nodes:${count}`].every((part) =>
      text.includes(part),
    );
  };
  await until('the nodes know each other', async () =>
    (await Promise.all(nodes.map(isWhole))).every(Boolean),
  );
  for (const [at, node] of nodes.entries()) {
    if (at >= masters) await administer(node, ['CLUSTER', 'REPLICATE', ids[at % masters] ?? '']);
  }
  await until('the replicas follow', async () => {
    const followed = await Promise.all(
      nodes.slice(masters).map(async (node) => String((await administer(node, ['INFO', 'replication']))[0])),
    );
    return followed.every((text) => text.includes('master_link_status:up'));
  });
  const environment = { REDIS_CLUSTER: 'true', REDIS_HOST: nodes.slice(0, 2).map(nodeText).join(',') };
  return { nodes, environment };
}
