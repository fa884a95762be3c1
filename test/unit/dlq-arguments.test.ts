import { expect, test } from 'bun:test';
import { parseDlqArguments, UsageError } from '../../src/commands/dlq/arguments.ts';

test('each verb takes what the usage says', () => {
  const dataDir = undefined;
  expect(parseDlqArguments(['list'])).toEqual({ verb: 'list', dataDir });
  expect(parseDlqArguments(['list', '--data-dir', '.data'])).toEqual({ verb: 'list', dataDir: '.data' });
  expect(parseDlqArguments(['show', 'a'])).toEqual({ verb: 'show', id: 'a', dataDir });
  expect(parseDlqArguments(['replay', 'a', 'b'])).toEqual({ verb: 'replay', ids: ['a', 'b'], dataDir });
  expect(parseDlqArguments(['replay', '--all'])).toEqual({ verb: 'replay', ids: 'all', dataDir });
  expect(parseDlqArguments(['drop', 'a'])).toEqual({ verb: 'drop', ids: ['a'], dataDir });
});

test.each([
  [[]],
  [['purge']],
  [['list', 'a']],
  [['show']],
  [['show', 'a', 'b']],
  [['replay']],
  [['replay', 'a', '--all']],
  [['drop']],
  [['drop', '--all']],
  [['list', '--force']],
  [['list', '--data-dir']],
])('%j is no command', (argv) => {
  expect(() => parseDlqArguments(argv)).toThrow(UsageError);
});
