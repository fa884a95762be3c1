import { expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { createPublisher } from '../../src/adapters/rabbitmq/publisher.ts';
import { createLog } from '../../src/shared/log.ts';
import { createMetrics } from '../../src/shared/metrics/metrics.ts';
import { eventually } from '../support/eventually.ts';

/** A broker that returns and confirms what the test says, in the order of the publishes. */
async function world() {
  const confirms: ((error: unknown) => void)[] = [];
  const channels: EventEmitter[] = [];
  const createConfirmChannel = async () => {
    const channel = Object.assign(new EventEmitter(), {
      publish: (...given: unknown[]) => confirms.push(given[4] as (error: unknown) => void),
      checkQueue: async () => {},
      close: async () => {},
    });
    channels.push(channel);
    return channel;
  };
  const connection = Object.assign(new EventEmitter(), {
    connection: { stream: { write: () => true } },
    createConfirmChannel,
  });
  const publisher = createPublisher({
    metrics: createMetrics(),
    log: createLog({ logLevel: 'silent' }, 'test'),
    away: () => undefined,
    repair: async () => {},
  });
  await publisher.attach(connection as unknown as ChannelModel);
  const outlet = publisher.outlet({
    exchange: 'exchange',
    routingKey: 'key',
    queue: 'queue',
    label: 'the queue',
  });
  const publish = (messageId: string) => outlet.publish(Buffer.alloc(0), { messageId });
  const written = (count: number) => eventually(`${count} are written`, () => confirms.length === count);
  // The first goes alone; from the second on several go at once.
  const first = [publish('first'), publish('second')];
  for (const at of first.keys()) {
    await written(at + 1);
    confirms[at]!(null);
  }
  await Promise.all(first);
  confirms.length = 0;
  return {
    publish,
    written,
    giveBack: (messageId: string) =>
      channels.at(-1)!.emit('return', {
        fields: { exchange: 'exchange', routingKey: 'key' },
        properties: { messageId },
      }),
    confirm: (at: number) => confirms[at]!(null),
    drain: publisher.drain,
  };
}

test('what is returned is refused with all that are under way with its id, in whatever order they end', async () => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 3, 1],
  ]) {
    const { publish, written, giveBack, confirm, drain } = await world();
    const outcomes = Promise.allSettled(['same', 'other', 'same', 'same'].map(publish));
    await written(4);
    const [first = 0, ...rest] = order;
    confirm(first);
    giveBack('same');
    for (const at of rest) confirm(at);
    expect((await outcomes).map(({ status }) => status)).toEqual(
      [0, 1, 2, 3].map((at) => (at === first || at === 1 ? 'fulfilled' : 'rejected')),
    );
    await drain();
  }
});

test('what was returned once may be sent again', async () => {
  const { publish, written, giveBack, confirm } = await world();
  const first = publish('same');
  await written(1);
  giveBack('same');
  confirm(0);
  await expect(first).rejects.toMatchObject({ code: 'broker_unavailable' });
  const second = publish('same');
  confirm(1);
  await second;
});

test('draining waits each time, not the first time alone', async () => {
  const { publish, written, confirm, drain } = await world();
  for (const at of [0, 1]) {
    const sent = publish('x');
    await written(at + 1);
    let drained = false;
    const draining = drain().then(() => (drained = true));
    await Bun.sleep(0);
    expect(drained).toBe(false);
    confirm(at);
    await Promise.all([sent, draining]);
  }
});

test('of one queue no more is under way than leaves the connection to the others; the rest follows in order', async () => {
  const { publish, written, confirm } = await world();
  const sent = Array.from({ length: 200 }, (_, at) => publish(String(at)));
  await written(32);
  for (let at = 0; at < 200; at += 1) {
    await written(Math.min(200, 32 + at));
    confirm(at);
  }
  await Promise.all(sent);
});
