import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Cluster, Redis, type RedisOptions } from 'ioredis';
import { fullJitterMs } from '../../shared/backoff.ts';
import type { RedisAddress } from '../../shared/config/redis-address.ts';
import type { ServerNode } from '../../shared/config/server-address.ts';
import { readTls, type TlsFiles } from '../../shared/tls.ts';

/** What everything is asked of but subscriptions: of a server, or of all nodes of a cluster. */
export type RedisClient = Redis | Cluster;

/** No command is waited for longer. */
const commandTimeoutMs = 1_000;
/** Thousands of channels are subscribed at once. */
const subscribeTimeoutMs = 5_000;
const connectTimeoutMs = 4_000;
const mostRetryMs = 1_000;
/**
 * A connection that owes an answer and brings nothing for so long is given up. A command's own deadline does not do it: by that
 * alone a Redis that had gone silent was never noticed (150 s), and every command that nobody waited for any more was kept.
 */
const silentAfterMs = 5_000;
/** How long a connection that is given up may take to end in good order; a silent one never does. */
const disconnectTimeoutMs = 500;
/** How often a cluster is asked who has which slots: a failover is over when its clients know. */
const slotsRefreshMs = 2_000;
/**
 * What could not be written is tried again, perhaps at another node; together sooner than a request gives up, for the other
 * nodes have answered.
 */
const [mostTries, nextTryMs] = [3, 30];

const retryAfterMs = (attempt: number): number => 50 + fullJitterMs(attempt, 50, mostRetryMs);

/**
 * Connects at once and again after every loss. A command that cannot be written fails at once, one that is not answered
 * fails soon, and none is sent twice, but in a cluster: whoever asks knows what to do without Redis. Whoever opens it listens to its errors
 * (`watch.ts`).
 * @throws StartError when a certificate cannot be read
 */
export async function openRedis(redis: RedisAddress): Promise<RedisClient> {
  const { tls, readAgain } = await certificatesOf(redis);
  const options = { ...commonOptions(redis, tls), connectionName: 'confab-commands' };
  if (redis.kind !== 'cluster') {
    const client = new Redis({
      ...options,
      ...addressOptions(redis, tls),
      enableOfflineQueue: false,
      retryStrategy: retryAfterMs,
    });
    return client.on('close', readAgain);
  }
  const client = new Cluster([...redis.nodes], {
    redisOptions: options,
    // By its name, which stands in its certificate.
    dnsLookup: (address, done) => done(null, address),
    enableOfflineQueue: false,
    // For what has to be asked key by key.
    enableAutoPipelining: true,
    // `watch.ts` says why one is not.
    enableReadyCheck: false,
    slotsRefreshTimeout: commandTimeoutMs,
    slotsRefreshInterval: slotsRefreshMs,
    retryDelayOnFailover: nextTryMs,
    maxRedirections: mostTries,
    clusterRetryStrategy: retryAfterMs,
  });
  return client.on('-node', readAgain);
}

/**
 * For subscriptions, which are its listener's to make again after every loss. In a cluster it stands at any node: what is
 * published at one comes to all.
 * @param commands knows the nodes
 */
export async function openSubscriberRedis(redis: RedisAddress, commands: RedisClient): Promise<Redis> {
  const { tls, readAgain } = await certificatesOf(redis);
  const client = new Redis({
    ...commonOptions(redis, tls),
    ...(commands instanceof Cluster
      ? { Connector: connectorTo(() => nodesOf(commands) ?? redis.nodes, tls) }
      : addressOptions(redis, tls)),
    connectionName: 'confab-subscriber',
    commandTimeout: subscribeTimeoutMs,
    enableOfflineQueue: false,
    autoResubscribe: false,
    retryStrategy: retryAfterMs,
  });
  return client.on('close', readAgain);
}

function commonOptions({ username, password, db }: RedisAddress, tls: TlsFiles | undefined) {
  return {
    // A user without a password gets in with any.
    ...(username === undefined ? {} : { username, password: '' }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    db,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: disconnectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    socketTimeout: silentAfterMs,
    maxLoadingRetryTime: mostRetryMs,
    // A command that a user of few rights may not have.
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
  } satisfies RedisOptions;
}

function addressOptions(redis: RedisAddress, tls: TlsFiles | undefined) {
  const { kind, nodes, sentinelName, sentinelPassword } = redis;
  if (kind === 'server') return { ...nodes[0] };
  return {
    sentinels: [...nodes],
    name: sentinelName,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: commandTimeoutMs,
    sentinelRetryStrategy: retryAfterMs,
  };
}

/**
 * In a cluster a command has one key, and ioredis sends what goes to one node together. What cannot be answered is undefined: a
 * node may be away, and the others are not.
 * @throws what one of them was refused with, when all are
 */
export async function askEach<Key, Answer>(
  keys: readonly Key[],
  ask: (key: Key) => Promise<Answer>,
): Promise<(Answer | undefined)[]> {
  const settled = await Promise.allSettled(keys.map(async (key) => ask(key)));
  const [first] = settled;
  if (first?.status === 'rejected' && settled.every(({ status }) => status === 'rejected'))
    throw first.reason;
  return settled.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
}

/** @returns why a node can't be connected to; undefined where it can */
export async function probeNode(redis: RedisAddress, { host, port }: ServerNode): Promise<unknown> {
  const { tls } = await certificatesOf(redis);
  const client = new Redis({
    ...{ ...commonOptions(redis, tls), host, port },
    ...{ lazyConnect: true, retryStrategy: null },
  });
  let fault: unknown;
  client.on('error', (error) => {
    fault ??= error;
  });
  await client.connect().catch((error: unknown) => {
    fault ??= error;
  });
  client.disconnect();
  return fault;
}

/** Certificates are renewed under running processes: what is read again serves the next connection. */
async function certificatesOf({ encrypted, tls: files }: RedisAddress) {
  if (!encrypted) return { tls: undefined, readAgain() {} };
  const tls = await readTls('REDIS_TLS', files);
  const readAgain = () => {
    readTls('REDIS_TLS', files).then(
      (read) => Object.assign(tls, read),
      // Half written, perhaps: those that were good are kept.
      () => {},
    );
  };
  return { tls, readAgain };
}

function nodesOf(cluster: Cluster): ServerNode[] | undefined {
  const nodes = cluster.nodes().map(({ options: { host = '', port = 0 } }) => ({ host, port }));
  return nodes.length > 0 ? nodes : undefined;
}

/** Begins with any node, and goes on to the next with every connection. */
function connectorTo(nodes: () => readonly ServerNode[], tls: TlsFiles | undefined) {
  let turn = Math.floor(Math.random() * 1_000);
  return class extends AbstractConnector {
    constructor() {
      super(disconnectTimeoutMs);
    }
    async connect() {
      this.connecting = true;
      const known = nodes();
      const { host, port } = known[turn++ % known.length] as ServerNode;
      const stream = tls ? connectTls({ host, port, ...tls }) : connectTcp({ host, port });
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };
}
