import { treeCpuMicroseconds } from '../harness/usage.ts';
import type { ChattersResult } from './children/chatters.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { startDeployment, users } from './harness/deployment.ts';
import { spreadText } from './harness/report.ts';

/** Enough under way to keep every process busy. */
const slots = 128;

/** Everything at once on this machine: api, worker, gateway, the three servers, and the users. */
export const pipeline: BenchPath = {
  name: 'pipeline',
  title: `the whole way, ${users} users in chats of 2, ${slots} messages under way, all processes on this machine`,
  async run(bench) {
    const { report, servers, rounds, seconds } = bench;
    const { processes, chatters } = await startDeployment(bench);
    const cpu = (): Record<string, number> => ({
      api: processes.api.cpuMicroseconds(),
      worker: processes.worker.cpuMicroseconds(),
      gateway: processes.gateway.cpuMicroseconds(),
      PostgreSQL: treeCpuMicroseconds(servers.postgres.pid()),
      RabbitMQ: treeCpuMicroseconds(servers.rabbitmq.pid()),
      Redis: treeCpuMicroseconds(servers.redis.pid()),
      users: chatters.cpuMicroseconds(),
    });
    const window = async () => {
      const before = cpu();
      const result = await chatters.call<ChattersResult>('closed', { slots, seconds: seconds(3) });
      const after = cpu();
      const sample: Record<string, number> = {
        perSecond: result.delivered / result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
      };
      for (const name of Object.keys(after)) {
        sample[name] = ((after[name] ?? 0) - (before[name] ?? 0)) / result.delivered;
      }
      return sample;
    };
    report.progress('warming');
    await window();
    const samples = await alternate([{ name: 'all', run: window }], rounds, report.progress);

    const values = (measure: string) => valuesOf(samples, 'all', measure);
    report.table({
      title: 'The whole way: CPU µs a message',
      columns: ['', 'CPU µs/message'],
      rows: Object.keys(cpu()).map((name) => [name, spreadText(values(name))]),
    });
    report.note(`messages/s: ${spreadText(values('perSecond'))}`);
    report.note(
      `POST to the recipient: p50 ${spreadText(values('p50Ms'))} ms, p99 ${spreadText(values('p99Ms'))} ms`,
    );
    report.figure('messages/s', values('perSecond'));
    for (const name of Object.keys(cpu())) report.figure(`${name}, CPU µs/message`, values(name));
  },
};
