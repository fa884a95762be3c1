import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { startDeployment, users } from './harness/deployment.ts';
import { spreadText } from './harness/report.ts';
import { slots, talk } from './harness/whole-way.ts';

/** Everything at once on this machine: api, worker, gateway, the three servers, and the users. */
export const pipeline: BenchPath = {
  name: 'pipeline',
  title: `the whole way, ${users} users in chats of 2, ${slots} messages under way, all processes on this machine`,
  async run(bench) {
    const { report, rounds } = bench;
    const deployment = await startDeployment(bench);
    report.progress('warming');
    const names = Object.keys((await talk(bench, deployment)).cpu);
    const window = async () => {
      const { cpu, ...others } = await talk(bench, deployment);
      return { ...cpu, ...others };
    };
    const samples = await alternate([{ name: 'all', run: window }], rounds, report.progress);

    const values = (measure: string) => valuesOf(samples, 'all', measure);
    report.table({
      title: 'The whole way: CPU µs a message',
      columns: ['', 'CPU µs/message'],
      rows: names.map((name) => [name, spreadText(values(name))]),
    });
    report.note(`messages/s: ${spreadText(values('perSecond'))}`);
    report.note(
      `POST to the recipient: p50 ${spreadText(values('p50Ms'))} ms, p99 ${spreadText(values('p99Ms'))} ms`,
    );
    report.figure('messages/s', values('perSecond'));
    for (const name of names) report.figure(`${name}, CPU µs/message`, values(name));
  },
};
