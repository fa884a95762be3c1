import { deleteFromBroker } from '../harness/servers.ts';
import type { ChattersResult } from './children/chatters.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { startDeployment } from './harness/deployment.ts';
import { loadWindow, sendRequest, startHttpLoad, typingRequest, uniqueId } from './harness/http.ts';
import { openHttp } from './harness/http-client.ts';
import { populate, signTokens } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { purgeQueues } from './harness/servers.ts';
import { confabHellos, connectSockets } from './harness/sockets.ts';
import { ratiosOf, spreadOf } from './harness/statistics.ts';

const connections = 64;
const senders = 500;
const typists = 1_000;
const roomSize = 5;
const rooms = typists / roomSize;
/** As often as somebody who types on is told of. */
const everyMs = 3_000;
/** Less than half of what two cores deliver. */
const messagesASecond = 300;

/** What typing costs, and whom. */
export const typing: BenchPath = {
  name: 'typing',
  title: `PUT typing beside a send, ${connections} connections; messages while ${typists} people type in ${rooms} chats`,
  async run(bench) {
    await cost(bench);
    await beside(bench);
  },
};

async function cost(bench: Bench): Promise<void> {
  const { report, defer, rounds: times, seconds } = bench;
  report.progress('servers and data');
  const { environment } = await populate(bench, {
    users: senders,
    rooms: [{ firstChat: 1, chats: senders / 2, size: 2 }],
  });
  const api = await startConfab(bench, 'api', environment);
  const load = await startHttpLoad();
  defer(() => load.end());
  defer(() => deleteFromBroker(environment.RABBITMQ_URI, environment));
  const tokens = await signTokens(environment, 1, senders);
  let length = seconds(8);
  const window = async (status: number, requestOf: (chat: number, token: string) => string) => {
    const requests = tokens.map((token, at) => requestOf(1 + Math.floor(at / 2), token));
    const sample = await loadWindow(load, api, {
      ...{ port: api.port, connections, seconds: length, requests, status },
      ...(status === 202 ? { uniqueId } : {}),
    });
    if (status === 202) await purgeQueues(environment);
    return sample;
  };
  const type = (is: boolean) => () => window(204, (chat, token) => typingRequest(api.port, chat, token, is));
  const contenders = [
    { name: 'send', run: () => window(202, (chat, token) => sendRequest(api.port, chat, token)) },
    { name: 'typing, of which one in 3 s is told', run: type(true) },
    { name: 'typing no more, told each time', run: type(false) },
  ];
  await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
  length = seconds(2.5);
  const samples = await alternate(contenders, times, report.progress);
  const values = (name: string, measure: string) => valuesOf(samples, name, measure);
  report.table({
    title: `Through one api, ${connections} connections`,
    columns: ['', 'requests/s', 'CPU µs/request', 'p50 ms', 'p99 ms'],
    rows: contenders.map(({ name }) => [
      name,
      ...['perSecond', 'cpuUs', 'p50Ms', 'p99Ms'].map((measure) => spreadText(values(name, measure))),
    ]),
  });
  for (const { name } of contenders) {
    report.figure(`${name}, CPU µs/request`, values(name, 'cpuUs'));
    if (name === 'send') continue;
    const ratio = spreadOf(ratiosOf(values(name, 'cpuUs'), values('send', 'cpuUs'))).median;
    report.atMost(`CPU, ${name} / send`, ratio, 1);
  }
}

/** The typists are those who talk, and others beside them. */
async function beside(bench: Bench): Promise<void> {
  const { report, defer, rounds: times, seconds } = bench;
  const { environment, processes, chatters } = await startDeployment(bench, {
    users: typists,
    rooms: [{ firstChat: typists, chats: rooms, size: roomSize }],
  });
  await connectSockets(bench, processes.gateway.port, 'confab', await confabHellos(environment, typists));
  const tokens = await signTokens(environment, 1, typists);
  const requests = tokens.map((token, at) =>
    Buffer.from(typingRequest(processes.api.port, typists + Math.floor(at / roomSize), token, true)),
  );
  const opened = await Promise.all(Array.from({ length: 16 }, () => openHttp(processes.api.port)));
  defer(() => {
    for (const connection of opened) connection.close();
  });
  let turn = 0;

  /** Until it is told to stop. @returns how many there were */
  async function type(): Promise<() => Promise<number>> {
    let stopped = false;
    const startedAt = performance.now();
    let count = 0;
    const slots = opened.map(async (connection) => {
      while (!stopped) {
        const due = ((performance.now() - startedAt) / everyMs) * typists;
        const request = requests[turn % requests.length];
        if (!request || count >= due) {
          await Bun.sleep(1);
          continue;
        }
        turn += 1;
        count += 1;
        const answer = await connection.send(request);
        if (answer.status !== 204) throw new Error(`unexpected answer: ${answer.text().slice(0, 500)}`);
      }
    });
    return async () => {
      stopped = true;
      await Promise.all(slots);
      return count;
    };
  }

  const window = async (): Promise<Record<string, number>> => {
    const { p50Ms, p99Ms } = await chatters.call<ChattersResult>('open', {
      ...{ aSecond: messagesASecond, seconds: seconds(6) },
    });
    return { p50Ms, p99Ms };
  };
  const whileTyping = async () => {
    const stop = await type();
    const startedAt = performance.now();
    const sample = await window();
    const perSecond = ((await stop()) / (performance.now() - startedAt)) * 1000;
    return { ...sample, perSecond };
  };
  const contenders = [
    { name: 'nobody types', run: window },
    { name: 'all type', run: whileTyping },
  ];
  report.progress('warming');
  await chatters.call<ChattersResult>('closed', { slots: 128, seconds: seconds(8) });
  await alternate(contenders, 1, (text) => report.progress(`warming, ${text}`));
  const samples = await alternate(contenders, times, report.progress);
  const values = (name: string, measure: string) => valuesOf(samples, name, measure);
  report.table({
    title: `${messagesASecond} messages a second, ms from the POST to the recipient`,
    columns: ['', 'p50', 'p99'],
    rows: contenders.map(({ name }) => [
      name,
      ...['p50Ms', 'p99Ms'].map((measure) => spreadText(values(name, measure))),
    ]),
  });
  report.note(`typing, requests/s: ${spreadText(values('all type', 'perSecond'))}`);
  report.figure('nobody types, p99 ms', values('nobody types', 'p99Ms'));
  report.figure('all type, p99 ms', values('all type', 'p99Ms'));
  const ratio = spreadOf(ratiosOf(values('all type', 'p99Ms'), values('nobody types', 'p99Ms'))).median;
  report.atMost('p99 of messages, all type / nobody types', ratio, 1.1);
}
