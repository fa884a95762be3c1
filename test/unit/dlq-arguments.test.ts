import { expect, test } from 'bun:test';
import { parseDlqArguments } from '../../src/commands/dlq/arguments.ts';
import { UsageError } from '../../src/commands/operator/operate.ts';

test('each verb takes what the usage says', () => {
  const dataDir = undefined;
  expect(parseDlqArguments(['list'])).toEqual({ verb: 'list', dataDir });
  expect(parseDlqArguments(['list', '--data-dir', '.data'])).toEqual({ verb: 'list', dataDir: '.data' });
  expect(parseDlqArguments(['show', 'a'])).toEqual({ verb: 'show', id: 'a', dataDir });
  const replay = { verb: 'replay', sign: false, dataDir } as const;
  expect(parseDlqArguments(['replay', 'a', 'b'])).toEqual({ ...replay, ids: ['a', 'b'] });
  expect(parseDlqArguments(['replay', '--all'])).toEqual({ ...replay, ids: 'all' });
  expect(parseDlqArguments(['replay', 'a', '--sign'])).toEqual({ ...replay, ids: ['a'], sign: true });
  expect(parseDlqArguments(['replay', '--all', '--sign'])).toEqual({ ...replay, ids: 'all', sign: true });
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
  [['drop', 'a', '--sign']],
  [['list', '--sign']],
  [['list', '--force']],
  [['list', '--data-dir']],
])('%j is no command', (argv) => {
  expect(() => parseDlqArguments(argv)).toThrow(UsageError);
});
