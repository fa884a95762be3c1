import { afterAll, describe, expect, test } from 'bun:test';
import { connect, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import pino from 'pino';
import { administer } from '../../harness/redis-forms.ts';
import { openRedis } from '../../src/adapters/redis/client.ts';
import { createRedisOutages } from '../../src/adapters/redis/outages.ts';
import { watchRedis } from '../../src/adapters/redis/watch.ts';
import type { RedisKind } from '../../src/commands/servers/redis.ts';
import type { Server } from '../../src/commands/servers/server.ts';
import { redisText } from '../../src/shared/config/redis-address.ts';
import { eventually } from '../support/eventually.ts';
import { openTestRedis, redisConfigOf } from '../support/redis.ts';
import { addressOf } from '../support/redis-forms.ts';
import { runningMs } from '../support/running-time.ts';
import { realServers } from '../support/servers.ts';
import { tlsCertificate, tlsKey } from '../support/tls.ts';

const servers = await realServers();
const undo: (() => unknown)[] = [];
afterAll(() => {
  for (const step of undo.reverse()) step();
});

/** A process's own view of a Redis, with what it says in its log. */
async function open(at: string | Record<string, string>) {
  const lines: { msg: string; reason?: string }[] = [];
  const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
  const redis = typeof at === 'string' ? redisConfigOf(at) : addressOf(at);
  const client = await openRedis(redis);
  const outages = createRedisOutages(log, redisText(redis));
  const watch = watchRedis({ client, redis, prefix: 'test', outages });
  undo.push(() => {
    watch.close();
    client.disconnect();
  });
  const said = () => lines.map(({ msg, reason = '' }) => `${msg.split(';')[0]} ${reason}`.trim());
  return { client, redis, watch, said };
}
type Opened = Awaited<ReturnType<typeof open>>;

/** Of a start that goes on without Redis: it says so once. */
async function startsWithout({ watch, said }: Opened, reason: RegExp): Promise<void> {
  expect(await watch.start()).toBe(false);
  expect(watch.isUp()).toBe(false);
  expect(said()).toEqual([expect.stringMatching(reason)]);
}

async function comesBack({ watch, said }: Opened): Promise<void> {
  await eventually('it is up', () => watch.isUp(), 6_000);
  expect(said().at(-1)).toBe('Redis is back');
}

describe('at the start', () => {
  test.concurrent('a Redis that is there is up, without a word', async () => {
    const opened = await open(servers.redisUrl);
    expect(await opened.watch.start()).toBe(true);
    expect(opened.watch.isUp()).toBe(true);
    expect(opened.said()).toEqual([]);
    const ttl = await opened.client.pttl('test:check');
    expect(ttl).toBeWithin(1, 10_001);
  });

  test.concurrent('one that is not there is gone on without, and used when it comes', async () => {
    const server = await servers.createRedis();
    await server.kill();
    const opened = await open(server.url);
    await startsWithout(opened, /^Redis is away .*ECONNREFUSED/);
    await server.restart();
    await comesBack(opened);
  });

  test.concurrent('one that takes connections and says nothing is gone on without', async () => {
    const server = await servers.createRedis();
    await server.pause();
    const opened = await open(server.url);
    await startsWithout(opened, /^Redis is away Command timed out/);
    await server.resume();
    await comesBack(opened);
  });

  const refusals: [string, () => Promise<string | Record<string, string>>, RegExp][] = [
    [
      'a wrong password',
      () => withPassword('right', 'wrong'),
      /WRONGPASS invalid username-password pair .*\(set REDIS_PASSWORD, and REDIS_USERNAME if it has one\)/,
    ],
    [
      'no password',
      () => withPassword('right', ''),
      /NOAUTH .*\(set REDIS_PASSWORD, and REDIS_USERNAME if it has one\)/,
    ],
    [
      'another database',
      async () => `${servers.redisUrl}/999`,
      /ERR DB index is out of range \(set REDIS_DB\)/,
    ],
    [
      'a user that may not do what is needed',
      async () => {
        const server = await servers.createRedis();
        await administer(server, ['ACL', 'SETUSER', 'default', '-eval']);
        return server.url;
      },
      /NOPERM this user has no permissions to run the 'eval' command \(give its user the right/,
    ],
    [
      'a Sentinel',
      async () => (await servers.createRedis('sentinel')).url,
      /ERR unknown command 'set'.*\(a Sentinel is no Redis/,
    ],
    [
      'a node of a cluster without slots',
      async () => (await servers.createRedis('cluster')).url,
      /CLUSTERDOWN .*\(a node of a cluster: set REDIS_CLUSTER=true\)/,
    ],
    [
      'a node of a cluster that has all slots',
      async () => {
        const server = await servers.createRedis('cluster');
        await administer(server, ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
        const admin = await openTestRedis(server.url);
        await eventually('the cluster is up', async () =>
          String(await admin.cluster('INFO')).includes('cluster_state:ok'),
        );
        admin.disconnect();
        return server.url;
      },
      /CROSSSLOT .*\(a node of a cluster: set REDIS_CLUSTER=true\)/,
    ],
    [
      'a single server where a cluster is asked for',
      async () => ({ REDIS_URL: servers.redisUrl, REDIS_CLUSTER: 'true' }),
      /cluster support disabled \(a single server: unset REDIS_CLUSTER\)/,
    ],
    [
      'a wrong password of a cluster',
      async () => ({ REDIS_URL: await withPassword('right', 'wrong', 'cluster'), REDIS_CLUSTER: 'true' }),
      /WRONGPASS .*\(set REDIS_PASSWORD/,
    ],
    [
      'a name that no Sentinel knows',
      async () => ({ REDIS_SENTINELS: hostOf((await servers.createRedis('sentinel')).url) }),
      /ERR No such master with that name \(set REDIS_SENTINEL_NAME\)/,
    ],
    [
      'a wrong password of the Sentinels',
      async () => {
        const sentinel = await servers.createRedis('sentinel');
        await administer(sentinel, ['ACL', 'SETUSER', 'default', 'resetpass', '>right']);
        return { REDIS_SENTINELS: hostOf(sentinel.url), REDIS_SENTINEL_PASSWORD: 'wrong' };
      },
      /WRONGPASS .*\(set REDIS_SENTINEL_PASSWORD\)/,
    ],
    [
      'a Redis where Sentinels are asked for',
      async () => ({ REDIS_SENTINELS: hostOf(servers.redisUrl) }),
      /ERR unknown command .*sentinel.*\(no Sentinel listens there: set REDIS_SENTINELS\)/,
    ],
    [
      'a port without TLS where it is asked for',
      async () => ({ REDIS_URL: servers.redisUrl.replace('redis:', 'rediss:') }),
      /TLS is not spoken there \(redis:\/\/ in REDIS_URL/,
    ],
    [
      'a certificate of an unknown authority',
      async () => ({ REDIS_HOST: 'localhost', REDIS_PORT: String(await tlsPort()), REDIS_TLS: 'true' }),
      /self.signed certificate \(REDIS_TLS_CA takes a CA of your own\)/i,
    ],
    [
      'a certificate of an unknown authority, in a cluster',
      async () => ({ REDIS_URL: `rediss://localhost:${await tlsPort()}`, REDIS_CLUSTER: 'true' }),
      /self.signed certificate \(REDIS_TLS_CA takes a CA of your own\)/i,
    ],
    [
      'a certificate for another name',
      async () => ({ REDIS_URL: `rediss://127.0.0.1:${await tlsPort()}`, REDIS_TLS_CA: tlsCertificate }),
      /\(REDIS_TLS_CA takes a CA of your own\)/i,
    ],
    [
      'a server of another kind',
      async () => {
        const http = Bun.serve({ port: 0, fetch: () => new Response('no') });
        undo.push(() => http.stop(true));
        return `redis://127.0.0.1:${http.port}`;
      },
      /Protocol error, got .*\(no Redis listens there/,
    ],
    [
      'a port with TLS',
      async () => {
        const port = await listen(createTlsServer({ key: tlsKey, cert: tlsCertificate }));
        return `redis://127.0.0.1:${port}`;
      },
      /Protocol error, got .*\(rediss:\/\/ in REDIS_URL, or REDIS_TLS=true\)/,
    ],
    [
      'a port with TLS that cuts whoever speaks without',
      async () => {
        const port = await listen(createTlsServer({ key: tlsKey, cert: tlsCertificate }));
        const front = createServer((socket) => {
          socket.on('error', () => {});
          socket.once('data', (piece) => {
            if (piece[0] !== firstByteOfTls) return socket.destroy();
            const tls = connect(port, '127.0.0.1');
            tls.write(piece);
            tls.on('error', () => socket.destroy());
            socket.pipe(tls).pipe(socket);
          });
        });
        return `redis://127.0.0.1:${await listen(front)}`;
      },
      /TLS is spoken there \(rediss:\/\/ in REDIS_URL, or REDIS_TLS=true\)/,
    ],
    [
      'a Redis before 6',
      async () => {
        // Such a server answers each command; of those that ioredis greets with it does not know the first.
        const old = createServer((socket) => {
          socket.on('error', () => {});
          socket.on('data', (piece) => {
            for (const [, command] of piece.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
              if (/hello/i.test(command ?? ''))
                socket.write('-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n');
              else if (/info/i.test(command ?? '')) socket.write('$9\r\nloading:0\r\n');
              else socket.write('+OK\r\n');
            }
          });
        });
        return `redis://127.0.0.1:${await listen(old)}`;
      },
      /ERR unknown command `HELLO`.*\(Redis 6 or later is needed\)/,
    ],
    [
      'one that takes connections from its own machine alone',
      async () => {
        const closed = createServer((socket) => {
          socket.on('error', () => {});
          socket.end('-DENIED Redis is running in protected mode because …\r\n');
        });
        return `redis://127.0.0.1:${await listen(closed)}`;
      },
      /DENIED Redis is running in protected mode/,
    ],
  ];
  test.concurrent.each(refusals)(
    '%s is refused at once, with the reason and what mends it',
    async (_, addressed, reason) => {
      const at = await addressed();
      const began = runningMs();
      const { watch, said, redis } = await open(at);
      const error = await watch.start().then(
        () => new Error('it started'),
        (refusal: Error) => refusal,
      );
      expect(error.message).toMatch(reason);
      expect(error.message).toStartWith(`Redis at ${redisText(redis)} can't be used: `);
      expect(error.message.split('\n')).toHaveLength(1);
      expect(error.message).not.toContain('wrong');
      expect(said()).toEqual([]);
      expect(runningMs() - began).toBeLessThan(6_000);
    },
  );
});

test.concurrent('one that is loading its data is gone on without, and used once it has', async () => {
  const [full, empty] = [await servers.createRedis(), await servers.createRedis()];
  const many = "for at = 1, 10000 do redis.call('SET', at, string.rep('x', 100)) end";
  await administer(full, ['CONFIG', 'SET', 'repl-diskless-sync-delay', '0'], ['EVAL', many, '0']);
  // 100 µs a key, and now and then a look at who asks.
  const slow = ['key-load-delay', '100', 'loading-process-events-interval-bytes', '1024'];
  await administer(
    empty,
    ['CONFIG', 'SET', 'replica-read-only', 'no', ...slow],
    ['REPLICAOF', '127.0.0.1', String(full.port)],
  );
  const admin = connect(empty.port, '127.0.0.1');
  let told = '';
  admin.on('data', (piece) => {
    told += piece;
  });
  await eventually('it loads', () => {
    admin.write('PING\r\n');
    return told.includes('LOADING');
  });
  const opened = await open(empty.url);
  await startsWithout(opened, /^Redis is away LOADING /);
  await comesBack(opened);
  expect(opened.said()).toHaveLength(2);
  admin.destroy();
});

test.concurrent('a connection that was made while there was a password does when there is none any more', async () => {
  const server = await servers.createRedis();
  const admin = await openTestRedis(server.url);
  undo.push(() => admin.disconnect());
  await admin.config('SET', 'requirepass', 'right');
  const passedOn = Promise.withResolvers<void>();
  const front = createServer(async (socket) => {
    const redis = connect(server.port, '127.0.0.1');
    redis.on('error', () => socket.destroy());
    socket.on('error', () => redis.destroy());
    redis.pipe(socket);
    await passedOn.promise;
    socket.pipe(redis);
  });
  const opened = await open(`redis://127.0.0.1:${await listen(front)}`);
  const clients = async () =>
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length;
  await eventually('it has come', async () => (await clients()) === 2);
  await admin.config('SET', 'requirepass', '');
  passedOn.resolve();
  expect(await opened.watch.start()).toBe(true);
});

describe('connected, and not doing what is needed', () => {
  const faults: [
    string,
    RegExp,
    (server: Server) => Promise<unknown>,
    (server: Server) => Promise<unknown>,
  ][] = [
    [
      'a replica',
      /^Redis is away READONLY /,
      (server) => administer(server, ['REPLICAOF', '127.0.0.1', '1']),
      (server) => administer(server, ['REPLICAOF', 'NO', 'ONE']),
    ],
    [
      'a full one',
      /^Redis is away OOM /,
      (server) => administer(server, ['CONFIG', 'SET', 'maxmemory', '1']),
      (server) => administer(server, ['CONFIG', 'SET', 'maxmemory', '0']),
    ],
    [
      'one that misses its replicas',
      /^Redis is away NOREPLICAS /,
      (server) => administer(server, ['CONFIG', 'SET', 'min-replicas-to-write', '1']),
      (server) => administer(server, ['CONFIG', 'SET', 'min-replicas-to-write', '0']),
    ],
  ];
  test.concurrent.each(faults)(
    '%s is away, with its reason, once; and back',
    async (_, reason, breakIt, mendIt) => {
      const server = await servers.createRedis();
      const opened = await open(server.url);
      expect(await opened.watch.start()).toBe(true);
      await breakIt(server);
      await eventually('it is seen', () => !opened.watch.isUp(), 3_000);
      const begun = performance.now();
      await eventually('it is looked at again', () => performance.now() - begun > 1_300);
      expect(opened.said()).toEqual([expect.stringMatching(reason)]);

      // Who starts now starts without it.
      const late = await open(server.url);
      await startsWithout(late, reason);
      await mendIt(server);
      await comesBack(opened);
      await comesBack(late);
      expect(opened.said()).toHaveLength(2);
    },
  );
});

const firstByteOfTls = 22;

const hostOf = (url: string): string => new URL(url).host;
const tlsPort = () => listen(createTlsServer({ key: tlsKey, cert: tlsCertificate }));

async function withPassword(right: string, given: string, kind: RedisKind = 'server'): Promise<string> {
  const server = await servers.createRedis(kind);
  await administer(server, ['CONFIG', 'SET', 'requirepass', right]);
  return given === '' ? server.url : `redis://:${encodeURIComponent(given)}@127.0.0.1:${server.port}`;
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  undo.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
