import { expect, test } from 'bun:test';
import { readableLine } from '../../src/shared/log.ts';

test('in development a line is for people: time, level, process, message, fields', () => {
  const line = JSON.stringify({
    ...{ level: 30, time: Date.UTC(2026, 1, 14, 12), process: 'api', msg: 'request' },
    ...{ status: 202, route: '/chats' },
  });
  expect(readableLine(line)).toMatch(/^\d\d:\d\d:\d\d info {2}api request status=202 route=\/chats\n$/);
});

test('an error brings its stack', () => {
  const line = JSON.stringify({
    level: 50,
    time: 0,
    process: 'api',
    msg: 'failed',
    err: { stack: 'Error: x\n    at y' },
  });
  expect(readableLine(line)).toEndWith('error api failed\nError: x\n    at y\n');
});
