import type { VisitorsOptions, Visits, WindowOptions, WindowResult } from './children/visitors.ts';
import type { Means, WorstOptions } from './children/worst.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { chatId, populate, signTokens } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const visitors = 8;
/** Attempts of whoever does their worst; more would take the cores that all of this shares. */
const aSecond = 200;
const means: readonly Means[] = ['address', 'network', 'user', 'email', 'neighbour'];
const visits = ['login', 'connect', 'send'] as const;

/** With the limits as they are by default. */
export const neighbours: BenchPath = {
  name: 'neighbours',
  title: `log-ins, connects and sends of ${visitors} people, beside somebody who does their worst ${aSecond} times a second`,
  async run(bench) {
    const { report, defer, rounds, seconds } = bench;
    report.progress('servers and people');
    const place = await populate(bench, { users: 2, rooms: [{ firstChat: 1, chats: 1, size: 2 }] });
    const { RATE_LIMIT_USER, RATE_LIMIT_ADDRESS, RATE_LIMIT_CONNECT, MAX_SOCKETS_PER_USER, ...others } =
      place.environment;
    const environment = { ...others, TRUST_PROXY: 'true' } as typeof others;
    const api = await startConfab(bench, 'api', environment);
    await startConfab(bench, 'worker', environment);
    const gateway = await startConfab(bench, 'gateway', environment);
    const people = await startChild({ name: 'visitors', command: bunChild('visitors.ts') });
    defer(() => people.end());
    const worst = await startChild({ name: 'somebody', command: bunChild('worst.ts') });
    defer(() => worst.end());
    const ports = { apiPort: api.port, gatewayPort: gateway.port };
    const emails = await people.call<string[]>('arrive', {
      ...ports,
      addresses: Array.from({ length: visitors }, (_, at) => `198.51.100.${at + 1}`),
    } satisfies VisitorsOptions);
    const [token = ''] = await signTokens(environment, 1, 1);

    const length = seconds(8);
    let window = 0;
    const run = async (by?: Means) => {
      window += 1;
      // Whose limits are used up by an earlier window would do less harm.
      const address = `203.0.113.${window % 250}`;
      const attack = by && {
        ...{ means: by, seconds: length + 1, aSecond, address, token, emails, ...ports },
        chatId: chatId(1),
      };
      if (by === 'neighbour') await people.call('moveTo', address);
      const under = attack ? worst.call('run', attack satisfies WorstOptions) : undefined;
      await Bun.sleep(1_000);
      const options: WindowOptions = { seconds: length, ...(by === 'neighbour' ? { address } : {}) };
      const result = await people.call<WindowResult>('window', options);
      await under;
      return Object.fromEntries(
        visits.flatMap((visit) => {
          const { failed, p50Ms, p99Ms }: Visits = result[visit];
          return [
            [`${visit} failed`, failed],
            [`${visit} p50`, p50Ms],
            [`${visit} p99`, p99Ms],
          ];
        }),
      );
    };
    const contenders = [
      { name: 'quiet', run: () => run() },
      ...means.map((name) => ({ name, run: () => run(name) })),
    ];
    await alternate(contenders.slice(0, 1), 1, (text) => report.progress(`warming, ${text}`));
    const samples = await alternate(contenders, rounds, report.progress);

    const values = (name: string, measure: string) => valuesOf(samples, name, measure);
    report.table({
      title: 'Of those who are honest: p99 in ms, and failures in all',
      columns: ['', ...visits.flatMap((visit) => [visit, 'failed'])],
      rows: contenders.map(({ name }) => [
        name,
        ...visits.flatMap((visit) => [
          spreadText(values(name, `${visit} p99`)),
          String(values(name, `${visit} failed`).reduce((sum, each) => sum + each, 0)),
        ]),
      ]),
    });
    for (const name of means) {
      for (const visit of visits) {
        const ratio = ratiosOf(values(name, `${visit} p99`), values('quiet', `${visit} p99`));
        report.atMost(`${visit} beside one ${name}, p99 / quiet`, spreadOf(ratio).median, 3);
      }
      const failed = visits.flatMap((visit) => values(name, `${visit} failed`));
      report.atMost(`failed beside one ${name}`, Math.max(...failed), 0);
    }
  },
};
