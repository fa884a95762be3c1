import { expect, test } from 'bun:test';
import { createAcknowledgements } from '../../src/adapters/rabbitmq/acknowledgements.ts';
import { eventually } from '../support/eventually.ts';

function open(options: { waitMs?: number; acknowledge?: (last: number) => void } = {}) {
  const acknowledged: number[] = [];
  const refused: unknown[] = [];
  const acknowledgements = createAcknowledgements<number>({
    acknowledge: options.acknowledge ?? ((last) => acknowledged.push(last)),
    most: 4,
    onRefused: (error) => refused.push(error),
    waitMs: options.waitMs ?? 60_000,
  });
  return { acknowledgements, acknowledged, refused };
}

test('what waits is acknowledged by its last', async () => {
  const { acknowledgements, acknowledged } = open({ waitMs: 5 });
  acknowledgements.done(1, 1, 'leisure');
  acknowledgements.done(3, 2, 'leisure');
  expect(acknowledged).toEqual([]);
  await eventually('the wait is over', () => acknowledged.length > 0);
  acknowledgements.done(4, 1, 'leisure');
  await eventually('the next wait is over', () => acknowledged.length > 1);
  expect(acknowledged).toEqual([3, 4]);
});

test('so many messages do not wait', () => {
  const { acknowledgements, acknowledged } = open();
  acknowledgements.done(3, 3, 'leisure');
  expect(acknowledged).toEqual([]);
  acknowledgements.done(4, 1, 'leisure');
  acknowledgements.done(8, 4, 'leisure');
  expect(acknowledged).toEqual([4, 8]);
});

test('a batch that may not be repeated waits for nothing, and takes along what waits', () => {
  const { acknowledgements, acknowledged } = open();
  acknowledgements.done(1, 1, 'leisure');
  acknowledgements.done(2, 1, 'once');
  acknowledgements.flush();
  expect(acknowledged).toEqual([2]);
});

test('flushing acknowledges once; what is dropped never is', () => {
  const { acknowledgements, acknowledged } = open();
  acknowledgements.done(1, 1, 'leisure');
  acknowledgements.flush();
  acknowledgements.flush();
  acknowledgements.done(2, 1, 'leisure');
  acknowledgements.drop();
  acknowledgements.flush();
  expect(acknowledged).toEqual([1]);
});

test('a channel that is closing throws into the timer: that is told, not thrown', async () => {
  const closing = new Error('Channel closing');
  const { acknowledgements, refused } = open({
    waitMs: 1,
    acknowledge: () => {
      throw closing;
    },
  });
  acknowledgements.done(1, 1, 'leisure');
  await eventually('it is told', () => refused.length > 0);
  expect(refused).toEqual([closing]);
});
