import { expect, test } from 'bun:test';
import { deriveBrokerMessageId, newId, uuidPattern } from '../../src/shared/ids.ts';
import { partitionOf } from '../../src/shared/partition.ts';

const chat = '0199aa00-0000-7000-8000-000000000001';
const sender = '0199aa00-0000-7000-8000-000000000002';
const key = '11111111-1111-1111-1111-111111111111';

test('a broker message id is a UUIDv8 and never changes for its key', () => {
  const id = deriveBrokerMessageId(chat, sender, key);
  expect(id).toBe('e201cbcc-8c5e-8522-984a-b26fb8939429');
  expect(id).toMatch(uuidPattern);
});

test('chat, sender and key each change the broker message id', () => {
  const other = newId();
  const ids = [
    deriveBrokerMessageId(chat, sender, key),
    deriveBrokerMessageId(other, sender, key),
    deriveBrokerMessageId(chat, other, key),
    deriveBrokerMessageId(chat, sender, other),
  ];
  expect(new Set(ids).size).toBe(4);
});

test('the partition of a chat never changes', () => {
  expect(partitionOf(chat, 8)).toBe(2);
  expect(partitionOf(sender, 8)).toBe(7);
});

test('chats spread evenly over the partitions', () => {
  const counts = new Array<number>(8).fill(0);
  for (let at = 0; at < 8_000; at += 1) {
    const partition = partitionOf(newId(), 8);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(850);
  expect(Math.max(...counts)).toBeLessThan(1_150);
});
