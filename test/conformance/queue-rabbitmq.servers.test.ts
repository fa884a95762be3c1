import { afterAll, describe, expect, test } from 'bun:test';
import amqplib from 'amqplib';
import pino from 'pino';
import type { BrokerConfig } from '../../src/shared/config.ts';
import type { Delivery, Queue } from '../../src/shared/queue/queue.ts';
import { openRabbitMq } from '../../src/shared/queue/rabbitmq.ts';
import { brokerConfig } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { realServers } from '../support/servers.ts';
import { partitionCount as allPartitions, collect, numbered, publish, queueConformance } from './queue.ts';

const servers = await realServers();
const log = pino({ level: 'silent' });
const opened: Queue[] = [];
afterAll(async () => {
  for (const each of opened) await each.close();
}, 30_000);

const brokerAt = (url: string): BrokerConfig => brokerConfig(url, servers.createBrokerNames());

function open(broker: BrokerConfig, { partitionCount = allPartitions, waitMs = 20_000 } = {}): Queue {
  const queue = openRabbitMq({ broker, partitionCount, log, waitMs });
  opened.push(queue);
  return queue;
}

const shared = brokerAt(servers.rabbitmqUrl);
queueConformance('RabbitMQ', { open: async () => open(shared) });

/** What a rejected promise gave, and after how long. */
async function failure(work: Promise<unknown>): Promise<{ error: unknown; ms: number }> {
  const began = performance.now();
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, ms: performance.now() - began };
}

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
    expect(ms).toBeLessThan(5_000);
  });

  test('a broker that is not there is waited for as long as it was said, then named', async () => {
    const absent = open(brokerConfig('amqp://guest:secret@127.0.0.1:1/'), { waitMs: 600 });
    const { error, ms } = await failure(absent.partitionSource());
    expect(String(error)).toMatch(/RabbitMQ at 127\.0\.0\.1:1 was not there within 0\.6 s/);
    expect(String(error)).not.toContain('secret');
    expect(ms).toBeGreaterThan(500);
    expect(ms).toBeLessThan(5_000);
  });

  test('a wrong password is not waited for', async () => {
    const { error } = await failure(open({ ...shared, password: 'wrong' }, { waitMs: 600_000 }).sendQueue());
    expect(String(error)).toMatch(/refuses: .*ACCESS.REFUSED/);
  }, 20_000);
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
    expect(await store.replay([letter!.id])).toEqual([letter!.id]);
    const back: Buffer[] = [];
    await channel.consume(`${broker.queuePrefix}.p1`, (message) => message && back.push(message.content));
    await eventually('it is back', () => back.length === 1);
    expect(back[0]).toEqual(bytes);
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

describe('RabbitMQ: failures', async () => {
  const own = await servers.createRabbitmq();
  const broker = brokerAt(own.url);

  test('a batch whose connection died is abandoned: its verdict does not count, and it comes again in order', async () => {
    const queue = open(broker);
    await publish(queue, 0, numbered(8));
    const batches: Delivery[][] = [];
    const gate = Promise.withResolvers<void>();
    await (await queue.partitionSource()).consume(0, { batchSize: 4, bufferedBatches: 1 }, async (batch) => {
      batches.push([...batch]);
      if (batches.length === 1) await gate.promise;
      return 'done';
    });
    await eventually('a batch is in hand', () => batches.length === 1);
    await own.ctl('close_all_connections', 'test');
    const other = open(broker);
    const source = await other.partitionSource();
    const elsewhere: string[] = [];
    const second = await source.consume(0, { batchSize: 4, bufferedBatches: 1 }, async (batch) => {
      elsewhere.push(...batch.map(({ id }) => id ?? ''));
      return 'done';
    });
    await eventually('another has all of it', () => elsewhere.length === 8);
    expect(elsewhere).toEqual(numbered(8));
    gate.resolve();
    await second.close();
    await publish(other, 0, ['8']);
    await eventually('the first is back and gets only what is new', () => batches.length > 1);
    expect(batches.slice(1).flat()).toMatchObject([{ id: '8' }]);
    await queue.close();
    await other.close();
  }, 30_000);

  test('a few messages that are done are forgotten by the broker while their consumer stays', async () => {
    const queue = open(broker);
    const messagesThere = async () => {
      const table = await own.ctl('list_queues', '--no-table-headers', 'name', 'messages');
      return table.match(new RegExp(`${broker.queuePrefix}\\.p3\\s+(\\d+)`))?.[1];
    };
    const gate = Promise.withResolvers<void>();
    let handled = 0;
    await (await queue.partitionSource()).consume(3, { batchSize: 64, bufferedBatches: 1 }, async (batch) => {
      await gate.promise;
      handled += batch.length;
      return 'done';
    });
    await publish(queue, 3, numbered(3));
    await eventually('they wait', async () => (await messagesThere()) === '3');
    gate.resolve();
    await eventually('they are handled', () => handled === 3);
    await eventually('they are gone', async () => (await messagesThere()) === '0', 10_000);
    await queue.close();
  }, 30_000);

  test('a broker in alarm refuses at once, and takes messages again when the alarm is over', async () => {
    const queue = open(broker);
    const send = await queue.sendQueue();
    await own.ctl('set_vm_memory_high_watermark', '0.00001');
    const first = await failure(send.publish({ id: '0', partition: 1, body: '{}' }));
    expect(first.error).toMatchObject({ code: 'broker_unavailable' });
    expect(first.ms).toBeLessThan(5_000);
    const second = await failure(send.publish({ id: '1', partition: 1, body: '{}' }));
    expect(second.error).toMatchObject({ code: 'broker_unavailable' });
    expect(second.ms).toBeLessThan(50);
    expect(send.ready()).toBe(false);
    await own.ctl('set_vm_memory_high_watermark', '0.4');
    await eventually('the alarm is over', () => send.ready());
    await publish(queue, 1, ['2']);
    await queue.close();
  }, 30_000);

  test('a full queue refuses', async () => {
    const queue = open(broker);
    const send = await queue.sendQueue();
    await own.ctl(
      'set_policy',
      'full',
      `${broker.queuePrefix}.p2`,
      '{"max-length":3}',
      '--apply-to',
      'queues',
    );
    await eventually('it is full', async () => {
      const { error } = await failure(send.publish({ id: 'full', partition: 2, body: '{}' }));
      return (error as { code?: string } | undefined)?.code === 'broker_unavailable';
    });
    await publish(queue, 3, ['room elsewhere']);
    await own.ctl('clear_policy', 'full');
    await queue.close();
  }, 30_000);

  test('a frozen broker is answered for within 5 s; afterwards everything goes on', async () => {
    const queue = open(broker);
    const send = await queue.sendQueue();
    await own.pause();
    const { error, ms } = await failure(send.publish({ id: '0', partition: 4, body: '{}' }));
    await own.resume();
    expect(error).toMatchObject({ code: 'broker_unavailable' });
    expect(ms).toBeLessThan(5_000);
    await eventually('it goes on', async () => {
      return !(await failure(send.publish({ id: '1', partition: 4, body: '{}' }))).error;
    });
    await queue.close();
  }, 30_000);

  test('a broker that is killed keeps what it confirmed; publishing and consuming come back by themselves', async () => {
    const queue = open(broker);
    const send = await queue.sendQueue();
    const seen: string[] = [];
    await publish(queue, 5, numbered(20));
    await own.kill();
    const { error, ms } = await failure(send.publish({ id: 'lost', partition: 5, body: '{}' }));
    expect(error).toMatchObject({ code: 'broker_unavailable' });
    expect(ms).toBeLessThan(5_000);
    const source = queue.partitionSource();
    source.catch(() => {});
    await own.restart();
    await (await source).consume(5, { batchSize: 4, bufferedBatches: 1 }, async (batch) => {
      seen.push(...batch.map(({ id }) => id ?? ''));
      return 'done';
    });
    await eventually('what was confirmed is there', () => seen.length >= 20, 20_000);
    expect(seen.filter((id) => id !== 'lost')).toEqual(numbered(20));
    await eventually('publishing is back', () => send.ready(), 20_000);
    await publish(queue, 5, ['20']);
    await eventually('consuming goes on', () => seen.includes('20'));
    await queue.close();
  }, 60_000);
});
