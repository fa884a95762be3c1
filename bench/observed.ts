import { alternate, type Contender, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { startDeployment } from './harness/deployment.ts';
import { spreadText } from './harness/report.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';
import { slots, talk } from './harness/whole-way.ts';

/** What they run before the program; and the same once more, for what two deployments differ by. */
const preloads = { unobserved: 'unobserved.ts', 'as it is': undefined, 'once more': undefined };
const own = ['api', 'worker', 'gateway'] as const;
const all = [...own, 'PostgreSQL', 'RabbitMQ', 'Redis'] as const;
const total = 'in all';
/** What metrics may cost of all that a message takes. */
const most = 1.02;

/** What metrics cost: the program as it is, beside the same without anything that measures; nobody reads what is measured meanwhile. */
export const observed: BenchPath = {
  name: 'observed',
  title: `what metrics cost of the whole way, ${slots} messages under way: with them, and without`,
  onlyByName: true,
  async run(bench) {
    const { report, rounds } = bench;
    const contenders: Contender[] = [];
    for (const [name, preload] of Object.entries(preloads)) {
      const deployment = await startDeployment(bench, undefined, preload);
      const run = async () => {
        const { cpu } = await talk(bench, deployment);
        return { ...cpu, [total]: all.reduce((sum, each) => sum + (cpu[each] ?? Number.NaN), 0) };
      };
      report.progress(`warming: ${name}`);
      await run();
      contenders.push({ name, run });
    }
    const samples = await alternate(contenders, rounds, report.progress);

    const ratios = (name: string, measure: string) =>
      ratiosOf(valuesOf(samples, name, measure), valuesOf(samples, 'unobserved', measure));
    report.table({
      title: 'CPU µs a message; the median of the ratios to the same round without metrics',
      columns: ['', 'unobserved', 'as it is', 'ratio', 'once more', 'ratio'],
      rows: [total, ...own].map((measure) => [
        measure,
        spreadText(valuesOf(samples, 'unobserved', measure)),
        ...['as it is', 'once more'].flatMap((name) => [
          spreadText(valuesOf(samples, name, measure)),
          spreadOf(ratios(name, measure)).median.toFixed(3),
        ]),
      ]),
    });
    // Of both: half of the noise.
    const both = [...ratios('as it is', total), ...ratios('once more', total)];
    report.figure('with metrics / without', both);
    report.atMost('processor time of a message, with metrics / without', spreadOf(both).median, most);
  },
};
