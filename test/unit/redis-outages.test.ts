import { expect, test } from 'bun:test';
import pino from 'pino';
import { createRedisOutages } from '../../src/adapters/redis/outages.ts';

function open() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: {} }, { write: (line) => void lines.push(JSON.parse(line)) });
  const said = () => lines.splice(0).map(({ msg, reason }) => (reason === undefined ? msg : reason));
  return { ...createRedisOutages(log, 'redis:6379'), said };
}

test('an outage is one line, whichever connections it takes along, and its end one more', () => {
  const { away, back, said } = open();
  away('admission', new Error('Connection closed'));
  away('commands', new Error('connect ECONNREFUSED 127.0.0.1:6379'));
  away('subscriber', new Error('the connection to Redis was closed'));
  away('commands', new Error('connect ECONNREFUSED 127.0.0.1:6379'));
  expect(said()).toEqual(['Connection closed']);
  back('commands');
  back('subscriber');
  expect(said()).toEqual([]);
  back('admission');
  back('admission');
  expect(said()).toEqual(['Redis is back']);
  away('subscriber', new Error('the subscriber does not hear itself'));
  expect(said()).toEqual(['the subscriber does not hear itself']);
});

test('what Redis itself says is said once an outage, whoever hears it', () => {
  const { away, back, said } = open();
  away('commands', new Error('Socket timeout'));
  away('commands', new Error('LOADING Redis is loading the dataset in memory'));
  away('subscriber', new Error('Redis: LOADING Redis is loading the dataset in memory'));
  away('commands', new Error("READONLY You can't write against a read only replica."));
  away('commands', new Error('LOADING Redis is loading the dataset in memory'));
  expect(said()).toEqual([
    'Socket timeout',
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
  ]);
  back('commands');
  back('subscriber');
  away('commands', new Error('LOADING Redis is loading the dataset in memory'));
  expect(said()).toEqual(['Redis is back', 'LOADING Redis is loading the dataset in memory']);
});

test('a connection that was never lost is not back', () => {
  const { back, said } = open();
  back('commands');
  expect(said()).toEqual([]);
});
