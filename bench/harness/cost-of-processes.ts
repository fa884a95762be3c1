import { Redis } from 'ioredis';
import { treeCpuMicroseconds } from '../../harness/usage.ts';
import type { Bench } from './bench.ts';
import { startConfab } from './process.ts';
import { short } from './report.ts';
import type { BenchDatabase, Environment } from './servers.ts';

const roles = ['api', 'worker', 'gateway'] as const;
/** Of each role at once, to see what one of them costs. */
const added = 4;

/** Of one more that has nothing to do: what it holds open, and what its beats and looks take. */
export async function costOfProcesses(
  bench: Bench,
  { sql }: BenchDatabase,
  environment: Environment,
): Promise<void> {
  const { report, servers, seconds } = bench;
  const redis = new Redis({ host: environment.REDIS_HOST, port: Number(environment.REDIS_PORT) });
  const lines = async (...args: string[]) => (await servers.rabbitmq.ctl(...args)).trim().split('\n').length;
  const look = async (): Promise<Record<string, number>> => {
    const pids = {
      PostgreSQL: servers.postgres.pid(),
      RabbitMQ: servers.rabbitmq.pid(),
      Redis: servers.redis.pid(),
    };
    const cpu = () => Object.entries(pids).map(([name, pid]) => [name, treeCpuMicroseconds(pid)] as const);
    const before = new Map(cpu());
    const startedAt = performance.now();
    await Bun.sleep(seconds(8) * 1000);
    const ms = performance.now() - startedAt;
    const used = cpu().map(([name, us]) => [`${name}, ms/s`, (us - (before.get(name) ?? 0)) / ms] as const);
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'confab %'`;
    return {
      'connections to PostgreSQL': row?.count ?? 0,
      'to RabbitMQ': await lines('list_connections', 'name'),
      'channels there': await lines('list_channels', 'name'),
      'to Redis': ((await redis.client('LIST')) as string).trim().split('\n').length,
      ...Object.fromEntries(used),
    };
  };
  try {
    report.progress('what a process costs the servers: none more');
    const base = await look();
    const rows: string[][] = [];
    for (const role of roles) {
      report.progress(`what a process costs the servers: ${added} more of ${role}`);
      const more = await Promise.all(
        Array.from({ length: added }, () => startConfab(bench, role, environment)),
      );
      const after = await look();
      await Promise.all(more.map((each) => each.stop()));
      rows.push([
        role,
        ...Object.entries(after).map(([name, value]) => short((value - (base[name] ?? 0)) / added)),
      ]);
    }
    report.table({
      title: 'One more process that has nothing to do',
      columns: ['', ...Object.keys(base)],
      rows,
    });
  } finally {
    redis.disconnect();
  }
}
