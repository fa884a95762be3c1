import { expect, test } from 'bun:test';
import type { ChannelModel } from 'amqplib';
import { createLeaving } from '../../src/adapters/rabbitmq/leaving.ts';

function connectionOf() {
  const ends: string[] = [];
  const stream = { destroy: (error: Error) => ends.push(error.message) };
  return { ends, connection: { connection: { stream } } as unknown as ChannelModel };
}

test('the only node is kept to', () => {
  const { connection, ends } = connectionOf();
  expect(createLeaving(1).leave(connection, true, 'it does not work')).toBe(false);
  expect(ends).toEqual([]);
});

test('of several one that has worked is left at once, one that never did not right after another', () => {
  const { connection, ends } = connectionOf();
  const { leave } = createLeaving(3);
  expect(leave(connection, false, 'first')).toBe(true);
  expect(leave(connection, false, 'second')).toBe(false);
  expect(leave(connection, true, 'third')).toBe(true);
  expect(leave(connection, true, 'fourth')).toBe(true);
  expect(ends).toEqual(['first', 'third', 'fourth']);
});
