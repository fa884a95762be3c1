import amqplib from 'amqplib';
import { Redis } from 'ioredis';
import { openPostgres } from '../src/db/postgres.ts';
import { storeMessages } from '../src/db/queries/store-messages.ts';
import type { ChattersResult } from './children/chatters.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { bunChild, startChild } from './harness/child.ts';
import { type Deployment, startDeployment } from './harness/deployment.ts';
import { content } from './harness/filled-queue.ts';
import { sendRequest } from './harness/http.ts';
import { openHttp } from './harness/http-client.ts';
import { chatId, userId } from './harness/population.ts';
import { short, spreadText } from './harness/report.ts';
import { percentile, spreadOf } from './harness/statistics.ts';

const messages = 100;
const slots = 128;

/** From the POST to the recipient's socket. */
export const endToEnd: BenchPath = {
  name: 'end-to-end',
  title: 'POST to the recipient, one at a time against the sum of idle hops; then at half of the maximum',
  async run(bench) {
    const { report, rounds, seconds } = bench;
    const deployment = await startDeployment(bench);
    const { chatters } = deployment;
    const hops = await openHops(bench, deployment);

    const oneAtATime = () => chatters.call<ChattersResult>('closed', { slots: 1, count: messages });
    report.progress('warming');
    // One at a time, code would stay uncompiled for hours.
    await chatters.call<ChattersResult>('closed', { slots, seconds: seconds(10) });
    await oneAtATime();
    for (const { measure } of hops) await repeat(measure);

    const whole: number[] = [];
    const sums: number[] = [];
    const medians = new Map(hops.map(({ name }) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round += 1) {
      report.progress(`round ${round + 1}/${rounds}`);
      let sum = 0;
      for (const { name, measure, share } of hops) {
        const median = (await repeat(measure)) * share;
        medians.get(name)?.push(median);
        sum += median;
      }
      sums.push(sum);
      whole.push((await oneAtATime()).p50Ms);
    }

    report.progress('the maximum');
    const most = await chatters.call<ChattersResult>('closed', { slots, seconds: seconds(4) });
    const aSecond = most.delivered / most.seconds / 2;
    const half: ChattersResult[] = [];
    for (let round = 0; round < rounds; round += 1) {
      report.progress(`half of the maximum, round ${round + 1}/${rounds}`);
      half.push(await chatters.call<ChattersResult>('open', { aSecond, seconds: seconds(3) }));
    }
    const p99 = half.map(({ p99Ms }) => p99Ms);

    report.table({
      title: 'End to end, ms',
      columns: ['', 'median (min … max)'],
      rows: [
        ...[...medians].map(([name, values]) => [`hop: ${name}`, spreadText(values)]),
        ['sum of the hops', spreadText(sums)],
        ['POST to the recipient, one at a time, p50', spreadText(whole)],
        [`at ${short(aSecond)}/s, half of the maximum, p50`, spreadText(half.map(({ p50Ms }) => p50Ms))],
        [`at ${short(aSecond)}/s, half of the maximum, p99`, spreadText(p99)],
      ],
    });
    report.figure('one at a time, p50 ms', whole);
    report.figure('sum of idle hops, ms', sums);
    report.figure('at half of the maximum, p99 ms', p99);
    const p50 = spreadOf(whole).median;
    report.atMost('p50 / sum of hop medians', p50 / spreadOf(sums).median, 1.5);
    report.note(`p50 one at a time: ${short(p50)} ms (aim ≤ 3)`);
    report.atMost('p99 at half of the maximum / p50 one at a time', spreadOf(p99).median / p50, 5);
  },
};

interface Hop {
  name: string;
  measure: () => Promise<unknown>;
  /** One half where what can be measured is there and back, and only one way is on the way of a message. */
  share: number;
}

/** The median of so many, one after the other. */
async function repeat(measure: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let at = 0; at < messages; at += 1) {
    const startedAt = performance.now();
    await measure();
    took.push(performance.now() - startedAt);
  }
  return percentile(
    took.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Each hop as bare as it gets, on the same servers, between processes that do nothing else. */
async function openHops({ defer }: Bench, { database, environment }: Deployment): Promise<Hop[]> {
  const far = await startChild({ name: 'hops', command: bunChild('hops.ts') });
  defer(() => far.end());
  const port = await far.call<number>('port');

  const http = await openHttp(port);
  defer(() => http.close());
  const request = Buffer.from(sendRequest(port, 1, 'token'));

  const redis = new Redis({ host: environment.REDIS_HOST, port: Number(environment.REDIS_PORT) });
  const subscriber = redis.duplicate();
  defer(() => {
    redis.disconnect();
    subscriber.disconnect();
  });
  const channel = `${environment.CHAT_NOTIFICATION_CHANNEL}:hops`;
  await subscriber.subscribe(channel);
  let heard = () => {};
  subscriber.on('message', () => heard());

  const amqp = await amqplib.connect(environment.RABBITMQ_URI);
  defer(() => amqp.close());
  const publishing = await amqp.createConfirmChannel();
  const consuming = await amqp.createChannel();
  const queue = `${environment.RABBITMQ_CHAT_QUEUE_PREFIX}.hops`;
  await consuming.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  defer(() => consuming.deleteQueue(queue));
  let consumed = () => {};
  await consuming.consume(queue, (message) => {
    if (message) consuming.ack(message);
    consumed();
  });

  const postgres = openPostgres({ url: database.url, applicationName: 'confab bench', maxConnections: 1 });
  defer(() => postgres.close());

  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  defer(() => socket.close());
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  const body = Buffer.alloc(450, 'x');

  return [
    { name: 'HTTP, one way', share: 0.5, measure: () => http.send(request) },
    {
      name: 'Redis, four GETs',
      share: 1,
      measure: () => redis.pipeline([...'abcd'].map((key) => ['get', key])).exec(),
    },
    {
      name: 'RabbitMQ, publish to consumer',
      share: 1,
      measure: () =>
        new Promise<void>((resolve) => {
          consumed = resolve;
          publishing.publish('', queue, body, { persistent: true, mandatory: true });
        }),
    },
    {
      name: 'PostgreSQL, store one message',
      share: 1,
      measure: () =>
        storeMessages(postgres, [
          {
            brokerMessageId: crypto.randomUUID(),
            chatId: chatId(1),
            senderId: userId(1),
            clientMessageId: crypto.randomUUID(),
            content,
            sentAt: new Date().toISOString(),
          },
        ]),
    },
    {
      name: 'Redis, publish to subscriber',
      share: 1,
      measure: () =>
        new Promise<void>((resolve) => {
          heard = resolve;
          redis.publish(channel, body);
        }),
    },
    {
      name: 'WebSocket, one way',
      share: 0.5,
      measure: () =>
        new Promise((resolve) => {
          socket.addEventListener('message', resolve, { once: true });
          socket.send(body);
        }),
    },
  ];
}
