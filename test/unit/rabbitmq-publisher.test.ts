import { expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { createPublisher } from '../../src/shared/queue/rabbitmq-publisher.ts';

/** A broker that returns and confirms what the test says, in the order of the publishes. */
async function world() {
  const confirms: ((error: unknown) => void)[] = [];
  const channel = Object.assign(new EventEmitter(), {
    publish: (...given: unknown[]) => confirms.push(given[4] as (error: unknown) => void),
  });
  const connection = Object.assign(new EventEmitter(), {
    connection: { stream: { write: () => true } },
    createConfirmChannel: async () => channel,
  });
  const publisher = createPublisher();
  await publisher.attach(connection as unknown as ChannelModel);
  return {
    publish: (messageId: string) => publisher.publish('exchange', 'key', Buffer.alloc(0), { messageId }),
    giveBack: (messageId: string) => channel.emit('return', { properties: { messageId } }),
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
    const { publish, giveBack, confirm, drain } = await world();
    const outcomes = Promise.allSettled(['same', 'other', 'same', 'same'].map(publish));
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
  const { publish, giveBack, confirm } = await world();
  const first = publish('same');
  giveBack('same');
  confirm(0);
  await expect(first).rejects.toMatchObject({ code: 'broker_unavailable' });
  const second = publish('same');
  confirm(1);
  await second;
});
