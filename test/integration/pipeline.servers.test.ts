import { afterAll, describe, expect, test } from 'bun:test';
import { randomUUID } from 'node:crypto';
import amqplib from 'amqplib';
import { openPostgres } from '../../src/db/postgres.ts';
import { startCollector } from '../support/collector.ts';
import { startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, personWith } from '../support/people.ts';
import { redisKeys, searchServers } from '../support/places-of.ts';
import { testProcesses } from '../support/processes.ts';
import { openTestRedis } from '../support/redis.ts';
import { realServers } from '../support/servers.ts';
import { examplesSuite } from './examples.ts';
import { oddSendsSuite } from './odd-sends.ts';
import { pipelineSuite, serviceToken } from './pipeline.ts';
import { clientSpan, sendIn, tracedBy, tracingSuite } from './tracing.ts';

const servers = await realServers();
const processes = testProcesses();
const collector = startCollector();
afterAll(collector.stop);
const deployment = await startThreeProcesses({
  ...{ processes, servers },
  env: { SERVICE_TOKEN: serviceToken, ...tracedBy(collector) },
});

const placesOf = searchServers(servers, deployment);

describe('the pipeline in three processes', () => {
  pipelineSuite({ processes, deployment, placesOf });
  oddSendsSuite({ deployment, placesOf });
  tracingSuite({
    ...{ deployment, collector, env: deployment.env },
    services: { api: 'confab-api', worker: 'confab-worker', gateway: 'confab-gateway' },
  });

  test('a message that is sampled carries its trace through RabbitMQ and Redis, another one nothing', async () => {
    const {
      RABBITMQ_URI = '',
      RABBITMQ_CHAT_EXCHANGE: exchange = '',
      CHAT_NOTIFICATION_CHANNEL = '',
    } = deployment.env;
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    const ears = await bob.connect();
    const connection = await amqplib.connect(RABBITMQ_URI);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const partitions = Array.from(
      { length: 8 },
      (_, at) => `${deployment.env.RABBITMQ_CHAT_QUEUE_PREFIX}.p${at}`,
    );
    for (const partition of partitions) await channel.bindQueue(queue, exchange, partition);
    const headers: unknown[] = [];
    await channel.consume(queue, (message) => void headers.push(message?.properties.headers), {
      noAck: true,
    });
    const redis = await openTestRedis(servers.redisUrl);
    const heads: object[] = [];
    redis.on('message', (_, wire: string) =>
      heads.push(JSON.parse(wire.slice(0, wire.lastIndexOf(' ', wire.indexOf('\n'))))),
    );
    await redis.subscribe(`${CHAT_NOTIFICATION_CHANNEL}:chat:${chat.id}`);

    const client = clientSpan();
    await ada.send(chat.id, 'plain');
    await sendIn(clientSpan({ sampled: false }), ada, deployment, chat.id, 'unsampled');
    await sendIn(client, ada, deployment, chat.id, 'sampled');
    await ears.heard('sampled');
    await eventually('all is seen', () => headers.length >= 3 && heads.length >= 3);
    const carried = expect.stringMatching(new RegExp(`^00-${client.traceId}-[0-9a-f]{16}-01$`));
    expect(headers.map((each) => each ?? {})).toEqual([{}, {}, { traceparent: carried }]);
    const head = { version: 1, kind: 'change', chatId: chat.id, event: 'chat.message.new' };
    expect(heads.map((each) => 'traceparent' in each)).toEqual([false, false, true]);
    expect(heads[2]).toMatchObject({ ...head, traceparent: carried });
    ears.close();
    redis.disconnect();
    await connection.close();
  });

  test('a word in Redis is found wherever it is', async () => {
    const redis = await openTestRedis(servers.redisUrl);
    const word = `word-${randomUUID()}`;
    const long = `${'so '.repeat(500)}${word}${' so'.repeat(500)}`;
    await redis
      .pipeline()
      .set(`${word}:name`, '1')
      .set('found:text', long)
      .hset('found:hash', { [word]: 1, other: 2 })
      .hset('found:hash:value', { one: long })
      .rpush('found:list', 'one', long)
      .sadd('found:set', 'one', word)
      .zadd('found:sorted', 1, word)
      .xadd('found:stream', '*', 'field', long)
      .exec();
    const keys = ['hash', 'hash:value', 'list', 'set', 'sorted', 'stream', 'text'].map(
      (key) => `found:${key}`,
    );
    const expected = [...keys, `${word}:name`];
    expect((await redisKeys(servers.redisUrl, word)).toSorted()).toEqual(
      expected.map((key) => `Redis: ${key}`),
    );
    await redis.del(expected);
    redis.disconnect();
  });

  test('a line of the log says whose work it is about', async () => {
    const ada = await newPerson(deployment);
    const chat = await ada.newChat();
    const [first, second, third] = [clientSpan(), clientSpan(), clientSpan()];
    const clientMessageId = crypto.randomUUID();
    await sendIn(first, ada, deployment, chat.id, 'first', clientMessageId);
    // In a batch of its own the other one's trace is the batch's.
    await eventually('it is stored', async () => (await ada.history(chat.id)).length === 1);
    const other = await sendIn(second, ada, deployment, chat.id, 'another', clientMessageId);
    const nowhere = await sendIn(third, ada, deployment, crypto.randomUUID(), 'to no chat');
    const { brokerMessageId } = (await other.json()) as { brokerMessageId: string };
    const requestIdOf = ({ headers }: Response) => headers.get('x-request-id');
    const [api, worker] = [deployment.apis[0]?.process, deployment.workers[0]?.process];
    const request = new RegExp(
      `info  api request trace_id=${third.traceId} span_id=[0-9a-f]{16} requestId=${requestIdOf(nowhere)} .* status=404 `,
    );
    const conflict = new RegExp(
      `info  worker the clientMessageId was used for another message trace_id=${second.traceId} span_id=[0-9a-f]{16} ` +
        `requestId=${requestIdOf(other)} chatId=${chat.id} messageId=${brokerMessageId}\n`,
    );
    await eventually('the api tells it', () => request.test(api?.output() ?? ''));
    await eventually('the worker tells it', () => conflict.test(worker?.output() ?? ''));
  });

  test('an api that is set up so closes edits, and tells chats that are larger nothing of who has read', async () => {
    const strict = await deployment.start('api', {
      ...{ NODE_ENV: 'test', LOG_LEVEL: 'debug', MESSAGE_EDIT_WINDOW: '1h', CHAT_LIVE_MAX: '2' },
    });
    const at = { apiUrl: strict.url, socketUrl: deployment.socketUrl };
    const [ada, bob, eve] = [await newPerson(at), await newPerson(at), await newPerson(at)];
    const [pair, group] = [await ada.newChat(bob), await ada.newChat(bob, eve)];
    const adaHears = await ada.connect();
    const path = async (chatId: string) =>
      `/chats/${chatId}/messages/${(await bob.send(chatId, 'of long ago')).brokerMessageId}`;
    const paths = [await path(pair.id), await path(group.id)] as const;
    await eventually('they are stored', () => adaHears.news.length === 2);

    const database = openPostgres({ url: deployment.databaseUrl, applicationName: 'a test' });
    await database.query(
      `UPDATE messages SET sent_at = sent_at - interval '61 minutes' WHERE chat_id = $1::uuid`,
      [pair.id],
    );
    // In its log it has the name that the others know it by.
    const [processes] = await database.query<{ ids: string[] }>(
      'SELECT array_agg(id::text) AS ids FROM processes',
      [],
    );
    const lines = strict.process.output().split('\n').filter(Boolean);
    const { instance } = JSON.parse(lines[0] ?? '');
    expect(processes?.ids).toContain(instance);
    // By a message's id its line is found, and by that one's id of the request all the others.
    const accepted = lines
      .filter((line) => line.includes('"message accepted"'))
      .map((line) => JSON.parse(line));
    expect(accepted).toEqual(
      [pair, group].map(({ id: chatId }, at) =>
        expect.objectContaining({
          ...{ level: 'debug', chatId, messageId: paths[at]?.split('/').at(-1) },
          requestId: expect.stringMatching(/^\S+$/),
        }),
      ),
    );
    await database.close();
    const edit = async (url: string) => (await bob.call('PATCH', url, { content: 'edited' })).body;
    expect(await edit(paths[0])).toMatchObject({ code: 'edit_window_closed' });
    expect(await edit(paths[1])).toMatchObject({ content: 'edited' });
    const elsewhere = personWith(deployment, bob.id, bob.token);
    expect((await elsewhere.call('PATCH', paths[0], { content: 'edited' })).status).toBe(200);

    const told = () =>
      adaHears.events.flatMap(([name, { chatId }]) => (name === 'chat.read' ? [chatId] : []));
    for (const chatId of [group.id, pair.id]) await bob.call('PUT', `/chats/${chatId}/read`, { sequence: 1 });
    await eventually('the small one is told', () => told().length > 0);
    await eve.send(group.id, 'one more');
    await eventually('it is stored', () => adaHears.news.length === 3);
    await elsewhere.call('PUT', `/chats/${group.id}/read`, { sequence: 2 });
    await eventually('the larger one is told by an api that knows no such limit', () => told().length > 1);
    expect(told()).toEqual([pair.id, group.id]);
    adaHears.close();
    await strict.process.kill();
  }, 30_000);
});
describe('the examples in three processes', () => examplesSuite({ processes, deployment }));
