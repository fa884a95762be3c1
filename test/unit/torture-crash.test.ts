import { expect, test } from 'bun:test';
import { isCrash } from '../../harness/process.ts';

const ended = (log: string, code = 1) => isCrash({ name: 'api 1', at: 0, code, log });
const info = '{"level":"info","time":1,"process":"api","msg":"listening"}';
const refusal = 'api does not start: no answer from RabbitMQ within 60 s';
const fatal =
  '{"level":"fatal","time":2,"process":"api","err":{},"msg":"an error nobody caught ends this process"}';
const olderFatal = fatal.replace('"fatal"', '60');

test('a refusal to start is no crash, whatever was logged before', () => {
  expect(ended(refusal)).toBe(false);
  expect(ended(`${info}\n${refusal}`)).toBe(false);
});

test.each([
  ['an error that nobody caught', `${info}\n${fatal}`, 1],
  ['one beside a refusal', `${fatal}\n${refusal}`, 1],
  ['one of an older version beside a refusal', `${olderFatal}\n${refusal}`, 1],
  ['a signal', info, 139],
  ['a signal after a refusal', refusal, 134],
  ['a runtime that aborts', 'panic(main thread): Segmentation fault at address 0x0', 132],
  ['a message of the runtime alone', 'error: Cannot find module', 1],
  ['an end without a word', '', 1],
  ['an end as if all were well', info, 0],
  ['a refusal that was only logged', '{"level":"info","time":1,"msg":"api does not start: no"}', 1],
])('%s is a crash', (_, log, code) => {
  expect(ended(log, code)).toBe(true);
});
