import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqplib from 'amqplib';
import { watchDepths } from '../../src/adapters/rabbitmq/depth-watch.ts';
import { createLink } from '../../src/adapters/rabbitmq/link.ts';
import { type BrokerConfig, parseConfig } from '../../src/shared/config.ts';
import { StartError } from '../../src/shared/start-error.ts';
import type { TlsFiles } from '../../src/shared/tls.ts';
import { brokerConfig } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { createWire } from '../support/half-dead.ts';
import { heardLog } from '../support/heard-log.ts';
import { failure, rabbitQueues } from '../support/rabbit-queues.ts';
import { nestedArrays, publishRaw } from '../support/raw-publish.ts';
import { tlsCertificate, tlsKey } from '../support/tls.ts';
import { createTlsFront } from '../support/tls-front.ts';
import { collect, numbered, publish, queueConformance } from './queue.ts';

const { servers, brokerAt, open, log, close } = await rabbitQueues();
afterAll(close, 30_000);

const shared = brokerAt(servers.rabbitmqUrl);
const port = Number(new URL(servers.rabbitmqUrl).port);
queueConformance('RabbitMQ', { open: async () => open(shared) });

describe('RabbitMQ: at start', () => {
  test('queues are quorum queues whose dead letters cannot get lost', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    await open(broker, { partitionCount: 2 }).sendQueue();
    // Declared again by hand: whatever differed would be refused.
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createChannel();
    await channel.assertQueue(`${broker.queuePrefix}.p1`, {
      arguments: {
        'x-queue-type': 'quorum',
        'x-single-active-consumer': true,
        'x-dead-letter-exchange': broker.deadLetterExchange,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
        'x-delivery-limit': 1_000_000_000,
      },
    });
    await connection.close();
  });

  test('a queue that differs on the broker is refused at once, with what mends it', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createChannel();
    await channel.assertQueue(`${broker.queuePrefix}.p0`, { durable: true });
    await connection.close();
    const { error, ms } = await failure(open(broker).sendQueue());
    expect(error).toMatchObject({ name: 'TopologyError' });
    expect(String(error)).toContain(`rabbitmqctl delete_queue ${broker.queuePrefix}.p0`);
    expect(String(error)).toContain('RABBITMQ_CHAT_QUEUE_PREFIX');
    expect(ms).toBeLessThan(15_000);
  });

  test('a broker that is not there is waited for as long as it was said, then named', async () => {
    const absent = open(brokerConfig('amqp://guest:secret@127.0.0.1:1/'), { waitMs: 600 });
    const { error, ms } = await failure(absent.partitionSource());
    expect(String(error)).toMatch(/RabbitMQ at 127\.0\.0\.1:1 was not there within 0\.6 s/);
    expect(String(error)).not.toContain('secret');
    expect(ms).toBeGreaterThan(500);
    expect(ms).toBeLessThan(5_000);
  });

  const front = createTlsFront(port);
  afterAll(async () => (await front).close());
  const encrypted = (tls: TlsFiles) => async (): Promise<Partial<BrokerConfig>> => ({
    ...{ hosts: [{ host: 'localhost', port: (await front).port }], encrypted: true, tls },
  });
  const http = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('hello') });
  afterAll(() => http.stop(true));
  const at = (other: number) => [{ host: '127.0.0.1', port: other }];

  test.each<[string, RegExp, () => Promise<Partial<BrokerConfig>>]>([
    ['a wrong password', /ACCESS_REFUSED - Login was refused/, async () => ({ password: 'wrong' })],
    ['a missing virtual host', /NOT_ALLOWED - vhost nowhere not found/, async () => ({ vhost: 'nowhere' })],
    ['another server', /does not speak AMQP/, async () => ({ hosts: at(http.port ?? 0) })],
    ['a port with TLS', /speaks TLS there/, async () => ({ hosts: at((await front).port) })],
    ['a port without TLS', /does not speak TLS/, async () => ({ encrypted: true })],
    ['an unknown authority', /self.signed certificate.*RABBITMQ_TLS_CA/, encrypted({})],
    [
      'another name',
      /does not match certificate/,
      async () => ({ ...(await encrypted({ ca: tlsCertificate })()), hosts: at((await front).port) }),
    ],
    [
      'an authority that is not there',
      /RABBITMQ_TLS_CA is neither PEM nor/,
      encrypted({ ca: '/not/there.pem' }),
    ],
    ['an authority that is none', /RABBITMQ_TLS_CA: .* holds no PEM/, encrypted({ ca: import.meta.path })],
    [
      'a mechanism that it does not have',
      /EXTERNAL is not provided/,
      async () => ({ mechanism: 'EXTERNAL' }),
    ],
  ])('%s is not waited for', async (_, reason, of) => {
    const { error, ms } = await failure(
      open({ ...shared, ...(await of()) }, { waitMs: 600_000 }).sendQueue(),
    );
    expect(error).toBeInstanceOf(StartError);
    expect(String(error)).toMatch(reason);
    expect(ms).toBeLessThan(15_000);
  });

  test('certificates are taken as PEM and as files, with ours where it is asked for', async () => {
    const asking = await createTlsFront(port, {
      ...{ requestCert: true, rejectUnauthorized: true, ca: tlsCertificate },
    });
    const folder = await mkdtemp(join(tmpdir(), 'confab-tls-'));
    const [ca, key] = [join(folder, 'ca.pem'), join(folder, 'key.pem')];
    await Promise.all([writeFile(ca, tlsCertificate), writeFile(key, tlsKey)]);
    const names = servers.createBrokerNames();
    const oneLine = tlsCertificate.replaceAll('\n', '\\n');
    for (const environment of [
      { RABBITMQ_URI: `amqps://localhost:${asking.port}?cacertfile=${ca}&certfile=${ca}&keyfile=${key}` },
      {
        ...{ RABBITMQ_HOST: `localhost:${asking.port}`, RABBITMQ_TLS_CA: oneLine },
        ...{ RABBITMQ_TLS_CERT: ca, RABBITMQ_TLS_KEY: tlsKey },
      },
    ]) {
      const { broker } = parseConfig({ ...environment, ...names });
      await publish(open(broker, { partitionCount: 1 }), 0, ['x']);
    }
    await rm(folder, { recursive: true });
    asking.close();
  });

  test('of several hosts the first that is there is taken, and another when it goes', async () => {
    const [one, other] = [createWire(port), createWire(port)];
    const { log: heard, lines } = heardLog();
    const broker = {
      ...brokerAt(servers.rabbitmqUrl),
      hosts: [1, one.port, other.port].flatMap(at),
    };
    const queue = open(broker, { partitionCount: 1, log: heard, waitMs: 5_000 });
    const send = await queue.sendQueue();
    const [taken, free] = one.connections() === 1 ? [one, other] : [other, one];
    expect(free.connections()).toBe(0);
    taken.refuse(true);
    taken.cut();
    await eventually('it is connected again', () => send.ready() && free.connections() === 1);
    await publish(queue, 0, ['x']);
    const lost = lines.find(({ msg }) => msg.startsWith(`lost RabbitMQ at 127.0.0.1:${taken.port}`));
    expect(lost).toMatchObject({ level: 'warn', reason: expect.stringMatching(/./) });
    expect(lines.map(({ msg }) => msg)).toContain(
      `RabbitMQ at 127.0.0.1:${free.port} is back (confab publisher)`,
    );
    await Promise.all([one.close(), other.close()]);
  });
});

test('RabbitMQ: while none of several hosts can be used each says its reason once, not at each try', async () => {
  let tries = 0;
  const refusing = ['HTTP/1.1 400 Bad Request\r\n\r\n', ''].map((answer) =>
    Bun.listen({
      ...{ hostname: '127.0.0.1', port: 0 },
      socket: {
        open(socket) {
          tries += 1;
          socket.end(answer);
        },
        data() {},
      },
    }),
  );
  const hosts = refusing.map(({ port }) => ({ host: '127.0.0.1', port }));
  const { log: heard, lines } = heardLog();
  const link = createLink({ broker: { ...shared, hosts }, name: 'test', log: heard, waitMs: 5_000 });
  const leaving = new AbortController();
  const connecting = link.connected(leaving.signal);
  await eventually('each was tried some times', () => tries >= 8);
  const reasons = lines.map(({ reason }) => reason);
  expect(reasons).toHaveLength(2);
  expect(new Set(reasons).size).toBe(2);
  leaving.abort();
  await connecting;
  await link.close();
  for (const each of refusing) each.stop(true);
});

describe('RabbitMQ: publishing', () => {
  test('a message that no queue takes is not accepted', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 1 });
    const send = await queue.sendQueue();
    const outcomes = await Promise.allSettled([
      send.publish({ id: 'same', partition: 7, body: '{}' }),
      send.publish({ id: 'other', partition: 0, body: '{}' }),
      send.publish({ id: 'same', partition: 7, body: '{}' }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(outcomes[0]).toMatchObject({ reason: { code: 'broker_unavailable' } });
  });

  test('an exchange that is gone refuses, and is declared again', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 1 });
    const send = await queue.sendQueue();
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    await (await connection.createChannel()).deleteExchange(broker.exchange);
    await connection.close();
    const { error } = await failure(send.publish({ id: '0', partition: 0, body: '{}' }));
    expect(error).toMatchObject({ code: 'broker_unavailable' });
    await eventually('it is back', () => send.ready());
    await publish(queue, 0, ['1']);
    expect((await collect(queue, 0, 1)).map(({ id }) => id)).toEqual(['1']);
  });

  test('queues that are deleted are declared again, for those who publish and those who consume', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 2 });
    const send = await queue.sendQueue();
    const seen: string[] = [];
    await (await queue.partitionSource()).consume(0, { batchSize: 4, bufferedBatches: 1 }, async (batch) => {
      seen.push(...batch.map(({ id }) => id ?? ''));
      return 'done';
    });
    await publish(queue, 0, ['before']);
    await eventually('it came', () => seen.length === 1);
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createChannel();
    for (const partition of [0, 1]) await channel.deleteQueue(`${broker.queuePrefix}.p${partition}`);
    await connection.close();
    for (const partition of [0, 1]) {
      await eventually('it is accepted again', async () => {
        return !(await failure(send.publish({ id: 'after', partition, body: '{}' }))).error;
      });
    }
    await eventually('it came', () => seen.includes('after'));
  });

  test('a bound on the bytes of a queue refuses what is too much, at once', async () => {
    const broker = { ...brokerAt(servers.rabbitmqUrl), queueMaxBytes: 1_048_576 };
    const send = await open(broker, { partitionCount: 1 }).sendQueue();
    const large = () => failure(send.publish({ id: 'x', partition: 0, body: 'x'.repeat(256 * 1024) }));
    let filled = await large();
    for (let at = 0; at < 16 && !filled.error; at += 1) filled = await large();
    expect(filled).toMatchObject({ error: { cause: { message: expect.stringContaining('full') } } });
    expect(filled.ms).toBeLessThan(2_500);
    // Nor does another bound, or none, keep a process from starting.
    for (const queueMaxBytes of [2_097_152, undefined]) {
      await open({ ...broker, queueMaxBytes }, { partitionCount: 1 }).sendQueue();
    }
  });
});

test('RabbitMQ: how much waits is looked at now and then, and what nobody works off is named', async () => {
  const broker = brokerAt(servers.rabbitmqUrl);
  const queue = open(broker, { partitionCount: 3 });
  await publish(queue, 1, numbered(7));
  await (await queue.deadLetterSink()).put({
    delivery: { id: 'x', body: '{}', partition: 0 },
    reason: 'none',
  });
  const { log: heard, lines } = heardLog();
  const link = createLink({ broker, name: 'test', log, waitMs: 5_000 });
  await link.open();
  const watch = watchDepths({ link, broker, partitionCount: 3, log: heard, everyMs: 50 });
  await eventually('it is named', () => watch.problems().length > 0);
  expect(watch.problems()).toEqual(['partition 1: messages wait, and nobody consumes it']);
  expect(watch.depth()).toEqual({ waiting: 7, deadLetters: 1 });
  await collect(queue, 1, 7);
  await eventually('it is well', () => watch.problems().length === 0 && watch.depth()?.waiting === 0);
  expect(lines.map(({ level, partition }) => [level, partition])).toEqual([
    ['warn', 1],
    ['info', 1],
  ]);
  watch.stop();
  await link.close();
});

describe('RabbitMQ: dead letters', () => {
  test('bytes that are no text are kept as they were, through death and replay', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 2 });
    const sink = await queue.deadLetterSink();
    const source = await queue.partitionSource();
    const bytes = Buffer.from([0xff, 0x00, 0xfe, 0x7b]);
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createConfirmChannel();
    channel.publish(broker.exchange, `${broker.queuePrefix}.p1`, bytes);
    await channel.waitForConfirms();
    const consumer = await source.consume(1, { batchSize: 1, bufferedBatches: 1 }, async (batch) => {
      for (const delivery of batch) await sink.put({ delivery, reason: 'not JSON' });
      return 'done';
    });
    const store = await queue.deadLetterStore();
    await eventually('it is dead', async () => (await store.list()).length === 1);
    await consumer.close();
    const [letter] = await store.list();
    expect(letter).toMatchObject({ partition: 1, reason: 'not JSON' });
    expect(letter!.id).toMatch(/^poison-/);
    expect(await Array.fromAsync(store.replay([letter!.id]))).toEqual([letter!.id]);
    const back: Buffer[] = [];
    await channel.consume(`${broker.queuePrefix}.p1`, (message) => message && back.push(message.content));
    await eventually('it is back', () => back.length === 1);
    expect(back[0]).toEqual(bytes);
    await connection.close();
  });

  test('whatever strangers send, no client library among it, is dead-lettered, listed and replayed', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 1 });
    const [sink, source, store] = [
      await queue.deadLetterSink(),
      await queue.partitionSource(),
      await queue.deadLetterStore(),
    ];
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createChannel();
    const partition = `${broker.queuePrefix}.p0`;
    // As characters three times as long, and then no id of AMQP.
    const messageId = Buffer.alloc(255, 0xff);
    await publishRaw(connection, channel, { queue: partition, messageId, body: 'id' });
    await publishRaw(connection, channel, {
      queue: partition,
      headers: nestedArrays(1_000),
      body: 'headers',
    });
    const seen: string[] = [];
    await source.consume(0, { batchSize: 1, bufferedBatches: 1 }, async (batch) => {
      for (const delivery of batch) {
        await sink.put({ delivery, reason: 'not signed' });
        seen.push(delivery.body);
      }
      return 'done';
    });
    await eventually('they are dead', () => seen.length === 2);

    const inBroker = { valueOf: 1, toString: 1 };
    for (const [body, headers] of Object.entries({
      'a time that is none': { 'x-confab-dead-lettered-at': '\u001b[2J' },
      'a death without a time': { 'x-death': [null] },
      'a death after all days': { 'x-death': [{ time: { value: 1e300 } }] },
      'what is no number': { 'x-confab-partition': inBroker, 'x-death': [{ time: { value: inBroker } }] },
    })) {
      channel.publish(broker.deadLetterExchange, '', Buffer.from(body), { headers });
    }
    await publishRaw(connection, channel, { queue: broker.deadLetterQueue, messageId, body: 'another id' });
    const all = 7;
    await eventually('all are listed', async () => (await store.list()).length === all);
    for (const { partition, deadLetteredAt } of await store.list()) {
      expect(partition).toBe(0);
      expect(deadLetteredAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    }
    expect(await Array.fromAsync(store.replay('all'))).toHaveLength(all);
    await connection.close();
  });

  test('what the broker itself gave up on is listed with its reason and partition', async () => {
    const broker = brokerAt(servers.rabbitmqUrl);
    const queue = open(broker, { partitionCount: 2 });
    await publish(queue, 1, ['rejected']);
    const connection = await amqplib.connect(servers.rabbitmqUrl);
    const channel = await connection.createChannel();
    await channel.consume(`${broker.queuePrefix}.p1`, (message) => message && channel.reject(message, false));
    const store = await queue.deadLetterStore();
    await eventually('it is dead', async () => (await store.list()).length === 1);
    expect(await store.list()).toMatchObject([
      { id: 'rejected', partition: 1, reason: 'given up by the broker: rejected' },
    ]);
    expect(Math.abs(Date.parse((await store.list())[0]!.deadLetteredAt) - Date.now())).toBeLessThan(60_000);
    await connection.close();
  });
});
