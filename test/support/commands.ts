import { expect } from 'bun:test';
import { finish } from '../../harness/process.ts';
import type { Finished } from '../../src/commands/servers/finished.ts';
import { repository } from './repository.ts';

/** Runs one of the project's commands as a user does, without the `.env` of whoever runs the tests. */
export const runCommand = (
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> => finish([`src/commands/${file}`, ...args], { cwd: repository, env });

/** What a command has written to the stream `audit`, which has to be all that it wrote to standard error. */
export const audited = ({ err }: Finished): Record<string, unknown>[] => {
  const lines = err.split('\n').filter(Boolean);
  const others = lines.filter((line) => !line.startsWith('{"') || JSON.parse(line).stream !== 'audit');
  expect(others).toEqual([]);
  return lines.map((line) => JSON.parse(line));
};

const operator = expect.stringMatching(/^.+@.+$/);

/** What an operator does with dead letters, on either ground; `letters` are there already, in this order. */
export async function dlqSession(
  dlq: (...args: string[]) => Promise<Finished>,
  [first, second, third]: readonly [string, string, string],
): Promise<void> {
  const list = await dlq('list');
  expect(list.status).toBe(0);
  expect(list.out.trim().split('\n')).toHaveLength(3);
  expect(list.out).toMatch(
    new RegExp(`^${first}  \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z  p\\d  not_participant$`, 'm'),
  );

  const show = await dlq('show', first);
  expect(show.status).toBe(0);
  expect(show.out).toContain('reason         not_participant');
  expect(show.out).toContain('accepted       2026-02-14T12:00:00.000Z');
  expect(show.out).toContain('"content": "let me in"');

  const unreadable = await dlq('show', third);
  expect(unreadable).toMatchObject({ status: 0 });
  expect(unreadable.out).toContain('not JSON \\x1b[31m');

  const unknown = await dlq('show', 'unknown');
  expect(unknown).toMatchObject({ status: 1, out: '' });
  expect(unknown.err).toContain('There is no dead letter unknown');

  const drop = await dlq('drop', second);
  expect(drop).toMatchObject({ status: 0, out: `dropped ${second}\n` });
  expect(audited(drop)).toMatchObject([{ event: 'dlq.dropped', operator, ids: [second] }]);
  expect(await dlq('drop', second)).toMatchObject({ status: 1, out: '' });
  expect(await dlq('replay', first)).toMatchObject({ status: 0, out: `replayed ${first}\n` });
  expect(await dlq('replay', first)).toMatchObject({ status: 1, out: '' });
  const replay = await dlq('replay', '--all');
  expect(replay).toMatchObject({ status: 0, out: `replayed ${third}\n` });
  expect(audited(replay)).toMatchObject([{ event: 'dlq.replayed', operator, ids: [third], signed: false }]);
  const nothing = await dlq('replay', '--all');
  expect(nothing).toMatchObject({ status: 0, out: '', err: 'There are no dead letters.\n' });
  expect(await dlq('list')).toMatchObject({ status: 0, out: '' });
}
