import { expect, test } from 'bun:test';
import { EventEmitter } from 'node:events';
import type { Channel } from 'amqplib';
import { openChannel } from '../../src/adapters/rabbitmq/channel.ts';

/** A connection whose channel opens when the test says so. */
function world() {
  const opening = Promise.withResolvers<Channel>();
  const closed = Promise.withResolvers<void>();
  const channel = Object.assign(new EventEmitter(), {
    async close() {
      closed.resolve();
    },
  }) as unknown as Channel;
  return { opening, closed, channel, open: () => opening.promise };
}

test('a channel that opens in time is handed out', async () => {
  const { opening, channel, open } = world();
  opening.resolve(channel);
  expect(await openChannel(open)).toBe(channel);
});

test('a channel that opens too late is closed, and what the broker says of it ends nothing', async () => {
  const { opening, closed, channel, open } = world();
  await expect(openChannel(open, 20)).rejects.toThrow('took too long');
  opening.resolve(channel);
  await closed.promise;
  expect(() => channel.emit('error', new Error('CHANNEL_ERROR'))).not.toThrow();
});

test('a channel that cannot be opened says why', async () => {
  const { opening, open } = world();
  opening.reject(new Error('the connection is closed'));
  await expect(openChannel(open)).rejects.toThrow('the connection is closed');
});
