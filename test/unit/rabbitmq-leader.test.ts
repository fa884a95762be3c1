import { expect, test } from 'bun:test';
import type { Channel } from 'amqplib';
import { askLeader } from '../../src/adapters/rabbitmq/leader.ts';

/**
 * Of an empty queue that nobody consumes, answered after so long each time: RabbitMQ answers like that for a leader, too.
 * @param ways how long it takes there and back without asking a leader
 */
function answeringAfter(waits: readonly number[], ways: readonly number[] = []) {
  const [left, leftWays] = [[...waits], [...ways]];
  const channel = {
    prefetch: () => Bun.sleep(leftWays.shift() ?? 0),
    async checkQueue() {
      await Bun.sleep(left.shift() ?? 0);
      return { messageCount: 0, consumerCount: 0 };
    },
  };
  return channel as unknown as Channel;
}
const empty = { messages: 0, consumers: 0 };

test('a leader is silent when RabbitMQ answers for it twice, not when something stood still once', async () => {
  expect(
    await Promise.all([
      askLeader(answeringAfter([0]), 'q'),
      askLeader(answeringAfter([300, 0]), 'q'),
      askLeader(answeringAfter([300, 300]), 'q'),
    ]),
  ).toEqual([empty, empty, undefined]);
});

test('a way that is long is no silence, and one that was long once hides none', async () => {
  expect(
    await Promise.all([
      askLeader(answeringAfter([300, 300], [250, 250, 250]), 'q'),
      askLeader(answeringAfter([300, 300], [250]), 'q'),
    ]),
  ).toEqual([empty, undefined]);
});
