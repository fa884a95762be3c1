import { createLog } from '../../src/shared/log.ts';
import { openRedis, redisReady } from '../../src/shared/redis.ts';

const log = createLog({ logLevel: 'silent' }, 'test');

/** A ready client of the product's own making; `host` and `port` may be those of a proxy. */
export async function openTestRedis(url: string, role: 'commands' | 'subscriber') {
  const { hostname, port, password, pathname } = new URL(url);
  const client = openRedis({
    redis: {
      host: hostname,
      port: Number(port),
      password: password === '' ? undefined : password,
      db: Number(pathname.slice(1) || 0),
    },
    role,
    log,
  });
  await redisReady(client, 5_000);
  return client;
}
