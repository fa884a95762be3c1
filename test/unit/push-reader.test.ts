import { describe, expect, test } from 'bun:test';
import { createPushReader } from '../../src/adapters/redis/push-reader.ts';

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const message = (channel: string, payload: string) =>
  `>3\r\n${bulk('message')}${bulk(channel)}${bulk(payload)}`;
const acknowledgement = (kind: 'subscribe' | 'unsubscribe', channel: string) =>
  `>3\r\n${bulk(kind)}${bulk(channel)}:12\r\n`;
/** What Redis 7.0 answers to HELLO 3, with a module. */
const greeting =
  `%7\r\n${bulk('server')}${bulk('redis')}${bulk('version')}${bulk('7.0.15')}${bulk('proto')}:3\r\n${bulk('id')}:9\r\n` +
  `${bulk('mode')}${bulk('standalone')}${bulk('role')}${bulk('master')}` +
  `${bulk('modules')}*1\r\n%2\r\n${bulk('name')}${bulk('search')}${bulk('ver')}:1\r\n`;

function reader() {
  const events: unknown[] = [];
  const read = createPushReader({
    message: (channel, payload) => events.push([channel, payload]),
    acknowledged: () => events.push('acknowledged'),
    answered: (error) => events.push(error ? error.message : 'answered'),
  });
  return { events, read };
}

function readAll(wire: string, pieceBytes = Number.POSITIVE_INFINITY): unknown[] {
  const { events, read } = reader();
  const bytes = Buffer.from(wire);
  for (let at = 0; at < bytes.length; at += pieceBytes) read(bytes.subarray(at, at + pieceBytes));
  return events;
}

const wire = [
  greeting,
  acknowledgement('subscribe', 'p:chat:ä'),
  message('p:chat:ä', '{"content":"line\r\nfeed, 😀"}\n>3\r\n'),
  '+OK\r\n',
  ':1\r\n',
  message('p:heartbeat', ''),
  acknowledgement('unsubscribe', 'p:chat:ä'),
  '-NOPERM no permission for ü\r\n',
  '_\r\n',
  '*0\r\n',
  message('last', 'one'),
].join('');
const expected = [
  'answered',
  'acknowledged',
  ['p:chat:ä', '{"content":"line\r\nfeed, 😀"}\n>3\r\n'],
  'answered',
  'answered',
  ['p:heartbeat', ''],
  'acknowledged',
  'Redis: NOPERM no permission for ü',
  'answered',
  'answered',
  ['last', 'one'],
];

test('frames are told in order, all in one piece', () => {
  expect(readAll(wire)).toEqual(expected);
});

test.each([1, 2, 3, 7, 64])('frames are told in order, in pieces of %d bytes', (pieceBytes) => {
  expect(readAll(wire, pieceBytes)).toEqual(expected);
});

test('frames are told in order, cut in two anywhere', () => {
  const bytes = Buffer.from(wire);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { events, read } = reader();
    read(bytes.subarray(0, cut));
    read(bytes.subarray(cut));
    expect(events).toEqual(expected);
  }
});

test('a frame is told as soon as it is whole', () => {
  const { events, read } = reader();
  const bytes = Buffer.from(message('a', 'b') + message('c', 'd'));
  read(bytes.subarray(0, bytes.length - 1));
  expect(events).toEqual([['a', 'b']]);
  read(bytes.subarray(bytes.length - 1));
  expect(events).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
});

test('what was told stays when the piece is written over', () => {
  const { events, read } = reader();
  const bytes = Buffer.from(message('channel', 'payload'));
  read(bytes);
  bytes.fill(0);
  expect(events).toEqual([['channel', 'payload']]);
});

test('a long message in many pieces is put together once', () => {
  const { events, read } = reader();
  const payload = 'x'.repeat(8 * 1024 * 1024);
  const bytes = Buffer.from(message('a', payload));
  const concat = Buffer.concat;
  let copied = 0;
  Buffer.concat = (list, total) => {
    copied += total ?? 0;
    return concat(list, total);
  };
  try {
    for (let at = 0; at < bytes.length; at += 1_000) read(bytes.subarray(at, at + 1_000));
  } finally {
    Buffer.concat = concat;
  }
  expect(events).toEqual([['a', payload]]);
  expect(copied).toBeLessThan(2 * bytes.length);
});

describe('what is not expected is an error', () => {
  test.each([
    ['another push', `>3\r\n${bulk('smessage')}${bulk('a')}${bulk('b')}`],
    ['a push with a pattern', `>4\r\n${bulk('pmessage')}${bulk('a*')}${bulk('a')}${bulk('b')}`],
    ['a push of no parts', '>0\r\n'],
    ['a push whose kind is no string', '>3\r\n:1\r\n'],
    ['a payload that is no string', `>3\r\n${bulk('message')}${bulk('a')}:1\r\n`],
    ['an acknowledgement without a number', `>3\r\n${bulk('subscribe')}${bulk('a')}${bulk('1')}`],
    ['an acknowledgement of no channel', `>3\r\n${bulk('unsubscribe')}_\r\n:0\r\n`],
    ['an unknown type', 'HTTP/1.1 400 Bad Request\r\n'],
    ['an empty line', '\r\n'],
    ['a length that is none', '$x\r\n'],
    ['an empty length', '$\r\n'],
    ['a negative length', '$-1\r\n'],
    ['a length of many digits', '>12345678901\r\n'],
    ['a length whose line feed is missing', '$1\rx'],
    ['a string longer than told', `>3\r\n$7\r\nmessages\r\n`],
    ['a string without its line feed', '$1\r\nx\rx'],
    ['a line feed alone', '+OK\n'],
    ['a line without an end', `+${'x'.repeat(5_000)}`],
    ['a message of 33 MiB', `>3\r\n${bulk('message')}${bulk('a')}$${33 * 1024 * 1024}\r\n`],
    ['a long answer', `$${65 * 1024}\r\n`],
  ])('%s', (_, wrong) => {
    expect(() => readAll(wrong)).toThrow('a subscriber does not expect');
    expect(() => readAll(message('a', 'b') + wrong, 1)).toThrow('a subscriber does not expect');
  });
});
