import { expect, test } from 'bun:test';
import { nestedArrays } from '../support/raw-publish.ts';

/** Not one of the modules that the package exports. */
const { decodeFields } = (await import(new URL('lib/codec.js', import.meta.resolve('amqplib')).href)) as {
  decodeFields(table: Buffer): Record<string, unknown>;
};

test('headers are read however deep they are: else a message ends the connection of whoever gets it, each time', () => {
  // As many levels as a frame holds.
  const read = decodeFields(Buffer.concat([nestedArrays(26_000), Buffer.from('\u0004lastt\u0001')]));
  expect(Object.keys(read)).toEqual(['nested', 'last']);
  expect(read.last).toBe(true);
  expect(decodeFields(nestedArrays(4))).toEqual({ nested: [[[[]]]] });
});
