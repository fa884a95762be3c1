import { treeCpuMicroseconds } from '../../harness/usage.ts';
import type { ChattersResult } from '../children/chatters.ts';
import type { Sample } from './alternate.ts';
import type { Bench } from './bench.ts';
import type { Deployment } from './deployment.ts';

/** Messages under way: enough to keep every process busy. */
export const slots = 128;

/** A window in which users of a deployment talk as much as they can: processor time a message, by process and by server. */
export async function talk(
  { servers, seconds }: Pick<Bench, 'servers' | 'seconds'>,
  { processes, chatters }: Pick<Deployment, 'processes' | 'chatters'>,
): Promise<{ cpu: Sample; perSecond: number; p50Ms: number; p99Ms: number }> {
  const look = (): Sample => ({
    api: processes.api.cpuMicroseconds(),
    worker: processes.worker.cpuMicroseconds(),
    gateway: processes.gateway.cpuMicroseconds(),
    PostgreSQL: treeCpuMicroseconds(servers.postgres.pid()),
    RabbitMQ: treeCpuMicroseconds(servers.rabbitmq.pid()),
    Redis: treeCpuMicroseconds(servers.redis.pid()),
    users: chatters.cpuMicroseconds(),
  });
  const before = look();
  const {
    delivered,
    seconds: took,
    p50Ms,
    p99Ms,
  } = await chatters.call<ChattersResult>('closed', {
    slots,
    seconds: seconds(3),
  });
  const used = Object.entries(look()).map(([name, us]) => [name, (us - (before[name] ?? 0)) / delivered]);
  return { cpu: Object.fromEntries(used), perSecond: delivered / took, p50Ms, p99Ms };
}
