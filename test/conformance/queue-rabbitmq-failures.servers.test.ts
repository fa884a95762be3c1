import { afterAll, describe, expect, test } from 'bun:test';
import type { Delivery } from '../../src/shared/ports/queue.ts';
import { eventually } from '../support/eventually.ts';
import { heardLog } from '../support/heard-log.ts';
import { failure, rabbitQueues } from '../support/rabbit-queues.ts';
import { numbered, publish } from './queue.ts';

const { servers, brokerAt, open, close } = await rabbitQueues();
afterAll(close, 30_000);

describe('RabbitMQ: failures', async () => {
  const own = await servers.createRabbitmq();
  const broker = brokerAt(own.url);

  test('with a shorter heartbeat the broker gives a consumer up sooner, and so a process that stood still gives up its batch', async () => {
    for (const [heartbeatSeconds, stillCurrent] of [
      [undefined, true],
      [1, false],
    ] as const) {
      const given = brokerAt(own.url);
      const queue = open(heartbeatSeconds === undefined ? given : { ...given, heartbeatSeconds });
      const verdicts: boolean[] = [];
      const source = await queue.partitionSource();
      await source.consume(0, { batchSize: 1, bufferedBatches: 1 }, async (_, current) => {
        if (verdicts.length === 0) Bun.sleepSync(1_100);
        verdicts.push(current());
        return 'done';
      });
      await publish(queue, 0, ['x']);
      await eventually('it came', () => verdicts.length > 0);
      expect(verdicts[0]).toBe(stillCurrent);
      await queue.close();
    }
  }, 20_000);

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
    const { log: heard, lines } = heardLog();
    const queue = open(broker, { log: heard });
    const send = await queue.sendQueue();
    await own.ctl('set_vm_memory_high_watermark', '0.00001');
    const first = await failure(send.publish({ id: '0', partition: 1, body: '{}' }));
    expect(first.error).toMatchObject({ code: 'broker_unavailable' });
    expect(first.ms).toBeLessThan(5_000);
    const second = await failure(send.publish({ id: '1', partition: 1, body: '{}' }));
    expect(second.error).toMatchObject({ code: 'broker_unavailable' });
    expect(second.error).toMatchObject({ cause: { message: expect.stringContaining('low on memory') } });
    // Whoever waits for a confirm does so for four seconds.
    expect(second.ms).toBeLessThan(1_000);
    expect(send.ready()).toBe(false);
    expect(send.problems()).toEqual(['RabbitMQ takes no messages now: low on memory']);
    for (let at = 0; at < 100; at += 1) await failure(send.publish({ id: '1', partition: 1, body: '{}' }));
    await own.ctl('set_vm_memory_high_watermark', '0.4');
    await eventually('the alarm is over', () => send.ready());
    expect(lines).toMatchObject([
      { level: 'warn', reason: 'low on memory', msg: 'RabbitMQ takes no messages now: blocked' },
      { level: 'info', msg: 'RabbitMQ takes messages again: unblocked' },
    ]);
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
