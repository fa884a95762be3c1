import { expect, test } from 'bun:test';
import pino from 'pino';
import { createLifecycle } from '../../src/process/lifecycle.ts';

const log = pino({ level: 'silent' });

test('what was made last is undone first', async () => {
  const undone: string[] = [];
  const lifecycle = createLifecycle(log);
  for (const name of ['database', 'queue', 'server']) lifecycle.defer(name, () => undone.push(name));
  await lifecycle.stop();
  expect(undone).toEqual(['server', 'queue', 'database']);
});

test('a failing or hanging undo does not keep the others from running', async () => {
  const undone: string[] = [];
  const lifecycle = createLifecycle(log, 200);
  lifecycle.defer('database', () => undone.push('database'));
  lifecycle.defer('queue', () => new Promise(() => {}));
  lifecycle.defer('server', () => {
    throw new Error('already closed');
  });
  await lifecycle.stop();
  expect(undone).toEqual(['database']);
});

test('stopping twice undoes once', async () => {
  let times = 0;
  const lifecycle = createLifecycle(log);
  lifecycle.defer('server', () => {
    times += 1;
  });
  await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  expect(times).toBe(1);
});
