import { expect, test } from 'bun:test';
import { isCrash } from '../../src/commands/torture/own-process.ts';

const ended = (log: string) => isCrash({ name: 'api 1', at: 0, code: 1, log });

test('an error that nobody caught is a crash', () => {
  const info = '{"level":30,"time":1,"process":"api","msg":"listening"}';
  const fatal =
    '{"level":60,"time":2,"process":"api","err":{},"msg":"an error nobody caught ends this process"}';
  expect(ended(`${info}\n${fatal}`)).toBe(true);
});

test('a refusal to start is none', () => {
  expect(ended('api does not start: no answer from RabbitMQ within 60 s')).toBe(false);
  expect(ended('')).toBe(false);
});
