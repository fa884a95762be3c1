import { createLog } from '../../src/shared/log.ts';
import { openPushLink } from '../../src/shared/notifications/push-link.ts';
import { openRedis, redisReady } from '../../src/shared/redis.ts';

const log = createLog({ logLevel: 'silent' }, 'test');

/** A ready client of the product's own making; `host` and `port` may be those of a proxy. */
export async function openTestRedis(url: string) {
  const client = openRedis({ redis: partsOf(url), log });
  await redisReady(client, 5_000);
  return client;
}

/** As {@link openTestRedis}, for subscriptions. */
export async function openTestPushLink(url: string) {
  const link = openPushLink({ redis: partsOf(url), log });
  await link.ready(5_000);
  return link;
}

function partsOf(url: string) {
  const { hostname, port, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    password: password === '' ? undefined : password,
    db: Number(pathname.slice(1) || 0),
  };
}
