import type { Redis } from 'ioredis';
import { type AdmissionTimes, openAdmissionRedis } from '../../src/adapters/redis/admission-client.ts';
import { type Breaker, createBreaker } from '../../src/adapters/redis/breaker.ts';
import { openRedis } from '../../src/adapters/redis/client.ts';
import type { RedisOutages } from '../../src/adapters/redis/outages.ts';
import { openPushLink } from '../../src/adapters/redis/push-link.ts';
import { eventually } from './eventually.ts';

/** Nobody reads of them. */
export const unheardOutages: RedisOutages = { away() {}, back() {} };

/** A ready client of the product's own making; `host` and `port` may be those of a proxy. */
export async function openTestRedis(url: string): Promise<Redis> {
  const client = openRedis(redisConfigOf(url));
  client.on('error', () => {});
  await eventually('Redis is ready', () => client.status === 'ready');
  return client;
}

/** As {@link openTestRedis}, for subscriptions. */
export async function openTestPushLink(url: string) {
  const link = openPushLink({ redis: redisConfigOf(url), outages: unheardOutages });
  await link.ready(5_000);
  return link;
}

/** As {@link openTestRedis}, for admission; it may not be ready. */
export function openTestAdmission(url: string, times?: AdmissionTimes) {
  return openAdmissionRedis({
    redis: redisConfigOf(url),
    outages: unheardOutages,
    ...(times ? { times } : {}),
  });
}

/** For tests of what Redis answers: on a machine that is busy, that it answers late is not what they are about. */
export const patientBreaker = (): Breaker => createBreaker(10_000);

export function redisConfigOf(url: string) {
  const { hostname, port, password, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    password: password === '' ? undefined : decodeURIComponent(password),
    db: Number(pathname.slice(1) || 0),
  };
}
