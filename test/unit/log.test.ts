import { expect, test } from 'bun:test';
import pino from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import { createLog, readableLine } from '../../src/shared/log.ts';
import { loggable } from '../../src/shared/loggable.ts';

const secret = 'what Ada wrote to Bob';

/** What a development log shows of an error. */
function shownOf(error: unknown): string {
  const line = { level: 'error', time: 0, process: 'api', msg: 'failed', err: loggable(error) };
  return readableLine(JSON.stringify(line));
}

test('in development a line is for people: time, level, process, message, fields', () => {
  const line = JSON.stringify({
    ...{ level: 'info', time: Date.UTC(2026, 1, 14, 12), process: 'api', msg: 'request' },
    ...{ status: 202, route: '/chats' },
  });
  expect(readableLine(line)).toMatch(/^\d\d:\d\d:\d\d info {2}api request status=202 route=\/chats\n$/);
});

test('a line of a process says which one, of which version, its level by name, and what it is part of', () => {
  const written: string[] = [];
  let work: object = {};
  const from = { process: 'api', instance: 'one of three', work: () => work };
  const log = createLog({ logLevel: 'info' }, from, { write: (line: string) => written.push(line) });
  log.info('listening');
  work = { trace_id: 'a trace', span_id: 'a span' };
  log.child({ partition: 3 }).warn({ requestId: 'a request' }, 'refused');
  const own = { process: 'api', instance: 'one of three', version: packageJson.version };
  expect(written.map((line) => JSON.parse(line))).toEqual([
    { ...own, level: 'info', time: expect.any(Number), msg: 'listening' },
    {
      ...own,
      ...work,
      level: 'warn',
      time: expect.any(Number),
      partition: 3,
      requestId: 'a request',
      msg: 'refused',
    },
  ]);
  // Whoever looks at one process knows which it is.
  expect(readableLine(written[0] ?? '')).toMatch(/^\S+ info {2}api listening\n$/);
});

test('an error brings what it says, its code and its stack, and so does its cause', () => {
  const cause = Object.assign(new TypeError('the socket is gone'), { code: 'ECONNRESET' });
  const shown = shownOf(new Error('no answer', { cause }));
  expect(shown).toMatch(
    /error api failed\nError no answer\n {4}at [\s\S]+\nTypeError ECONNRESET the socket is gone\n {4}at /,
  );
});

test('what a client wrote into a field breaks no line and steers no terminal', () => {
  const line = JSON.stringify({
    level: 'info',
    time: 0,
    msg: 'request',
    chatId: 'x\nerror forged \u001b[31m\u009b',
  });
  expect(readableLine(line)).toEndWith('request chatId="x\\nerror forged \\u001b[31m\\u009b"\n');
  expect(readableLine(line).match(/\n/g)).toHaveLength(1);
});

/** As the drivers make them. */
const errors: [string, Error][] = [
  [
    'Redis about a command',
    Object.assign(new Error('OOM command not allowed'), {
      command: { name: 'publish', args: ['chat:1', secret] },
    }),
  ],
  [
    'PGlite about a statement',
    Object.assign(new Error(`invalid input: ${secret}`), {
      severity: 'ERROR',
      code: '22P02',
      params: [secret],
    }),
  ],
  [
    'PostgreSQL about a row',
    Object.assign(new Error(`a row with ${secret}`), {
      severity: 'ERROR',
      code: '23514',
      detail: secret,
      where: secret,
    }),
  ],
  [
    'drizzle about a query',
    Object.assign(new Error(`Failed query, params: ${secret}`), { query: 'INSERT', params: [secret] }),
  ],
];
test.each(errors)('an error of %s is logged without the text of messages', (_, error) => {
  const written: string[] = [];
  const log = createLog({ logLevel: 'info' }, 'worker', { write: (line: string) => written.push(line) });
  log.warn({ err: error }, 'it failed');
  log.warn({ err: new Error('around it', { cause: error }) }, 'it failed');
  expect(written).toHaveLength(2);
  expect(written.join('')).not.toContain(secret);
  const { err } = JSON.parse(written[0] ?? '');
  expect(err).toMatchObject({ type: 'Error', stack: expect.stringContaining('    at ') });
  // The log has it at all where nothing keeps it out.
  const careless: string[] = [];
  pino({}, { write: (line: string) => careless.push(line) }).warn({ err: error }, 'it failed');
  expect(careless.join('')).toContain(secret);
});
