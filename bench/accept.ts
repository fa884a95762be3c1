import { deleteFromBroker } from '../harness/servers.ts';
import { openRabbitMq } from '../src/adapters/rabbitmq/rabbitmq.ts';
import { parseConfig } from '../src/shared/config.ts';
import { createLog } from '../src/shared/log.ts';
import { createMetrics } from '../src/shared/metrics/metrics.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { loadWindow, sendRequest, startHttpLoad, uniqueId } from './harness/http.ts';
import { populate, signTokens } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { type Environment, partitionCount, purgeQueues } from './harness/servers.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const connections = 64;
const users = 500;
const chatSize = 2;

/** From the POST to the 202. */
export const accept: BenchPath = {
  name: 'accept',
  title: `POST to 202, ${connections} connections; against bare Bun.serve, JSON.parse and a confirmed publish`,
  async run(bench) {
    const { report, servers, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const { database, environment } = await populate(bench, {
      users,
      rooms: [{ firstChat: 1, chats: users / chatSize, size: chatSize }],
    });
    const floorEnvironment = servers.environment(database);
    await declare(floorEnvironment);
    const api = await startConfab(bench, 'api', environment);
    const floor = await startChild({
      name: 'floor of accept',
      command: bunChild('bare-accept.ts'),
      env: floorEnvironment,
    });
    defer(() => floor.end());
    const floorPort = await floor.call<number>('port');
    const load = await startHttpLoad();
    defer(() => load.end());
    defer(() => deleteFromBroker(environment.RABBITMQ_URI, environment));
    defer(() => deleteFromBroker(floorEnvironment.RABBITMQ_URI, floorEnvironment));
    const tokens = await signTokens(environment, 1, users);

    let length = seconds(8);
    const window = async (server: { cpuMicroseconds(): number }, port: number, of: Environment) => {
      const requests = tokens.map((token, at) => sendRequest(port, 1 + Math.floor(at / chatSize), token));
      const sample = await loadWindow(load, server, {
        port,
        connections,
        seconds: length,
        requests,
        uniqueId,
        status: 202,
      });
      await purgeQueues(of);
      return sample;
    };
    const contenders = [
      { name: 'floor', run: () => window(floor, floorPort, floorEnvironment) },
      { name: 'api', run: () => window(api, api.port, environment) },
    ];
    // Compiled code, and facts in Redis: it takes some 30,000 requests until the compiler has nothing more to do.
    await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
    length = seconds(2.5);
    const samples = await alternate(contenders, rounds, report.progress);

    const values = (name: string, measure: string) => valuesOf(samples, name, measure);
    report.table({
      title: `Accepting, ${connections} connections`,
      columns: ['', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms'],
      rows: contenders.map(({ name }) => [
        name,
        ...['perSecond', 'cpuUs', 'p50Ms', 'p99Ms'].map((measure) => spreadText(values(name, measure))),
      ]),
    });
    for (const { name } of contenders) {
      report.figure(`${name}, requests/s`, values(name, 'perSecond'));
      report.figure(`${name}, CPU µs/request`, values(name, 'cpuUs'));
      report.figure(`${name}, p99 ms`, values(name, 'p99Ms'));
    }
    const ratio = (measure: string) =>
      spreadOf(ratiosOf(values('api', measure), values('floor', measure))).median;
    report.note(`CPU a request, api / floor: ${ratio('cpuUs').toFixed(2)}`);
    report.atLeast('requests/s, api / floor', ratio('perSecond'), 0.75);
    report.atMost('p99, api / floor', ratio('p99Ms'), 1.3);
  },
};

/** The floor's queues, of the very same kind. */
async function declare(environment: Environment): Promise<void> {
  const { broker } = parseConfig(environment);
  const log = createLog({ logLevel: 'warn' }, 'bench');
  const queue = openRabbitMq({ metrics: createMetrics(), broker, partitionCount, log, waitMs: 10_000 });
  await queue.sendQueue();
  await queue.close();
}
