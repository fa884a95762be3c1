import { afterEach, expect, test } from 'bun:test';
import type { Socket } from 'bun';
import type { PushConnection } from '../../src/adapters/redis/push-connection.ts';
import { openPushLink, type PushLink } from '../../src/adapters/redis/push-link.ts';
import { eventually } from '../support/eventually.ts';
import { unheardOutages } from '../support/redis.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const acknowledgement = (channel: string) => `>3\r\n${bulk('subscribe')}${bulk(channel)}:1\r\n`;
const hello = `%1\r\n${bulk('proto')}:3\r\n`;
const greeting = `${hello}+PONG\r\n`;
const ping = `*1\r\n${bulk('PING')}`;

/** A server that greets, and does nothing else by itself. */
function fakeRedis({ greets = true } = {}) {
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => void sockets.push(socket),
      data(socket, piece) {
        heard.push(piece.toString());
        if (greets && piece.includes('PING')) socket.write(greeting);
      },
    },
  });
  undo.push(() => listener.stop(true));
  return {
    sockets,
    heard,
    port: listener.port,
    say: (text: string) => sockets.at(-1)?.write(text),
  };
}

function open(port: number, password?: string, acknowledgeTimeoutMs = 300) {
  const times = { connectTimeoutMs: 400, acknowledgeTimeoutMs };
  const link = openPushLink({
    redis: { host: 'localhost', port, password, db: 0 },
    outages: unheardOutages,
    times,
  });
  undo.push(() => link.close());
  return { link, ...listenTo(link) };
}

function listenTo(link: PushLink) {
  const ups: PushConnection[] = [];
  const messages: string[] = [];
  let downs = 0;
  const stop = link.listen({
    up: (connection) => void ups.push(connection),
    down: () => {
      downs += 1;
    },
    message: (channel, payload) => void messages.push(`${channel} ${payload}`),
  });
  return { ups, messages, downs: () => downs, stop };
}

/** Rejections are looked at later than they happen. */
const outcomeOf = (work: Promise<void>) =>
  work.then(
    () => 'done',
    (error: Error) => error.message,
  );

test('it greets with the password and its name, and is ready with the answer', async () => {
  const redis = fakeRedis();
  const { link, ups } = open(redis.port, 'sécret');
  await link.ready(5_000);
  const words = ['HELLO', '3', 'AUTH', 'default', 'sécret', 'SETNAME', 'confab-subscriber'];
  expect(redis.heard.join('')).toBe(`*7\r\n${words.map(bulk).join('')}${ping}`);
  expect(ups.length).toBe(1);
  const later = listenTo(link);
  expect(later.ups).toEqual(ups);
});

test('a command is done with the acknowledgement of its last channel, and not with that of another', async () => {
  const redis = fakeRedis();
  const { link, ups, messages } = open(redis.port);
  await link.ready(5_000);
  const done: string[] = [];
  const first = ups[0]!.subscribe(['a', 'b']).then(() => done.push('first'));
  const second = ups[0]!.unsubscribe(['c']).then(() => done.push('second'));
  await ups[0]!.subscribe([]);
  const unsubscribe = `*2\r\n${bulk('UNSUBSCRIBE')}${bulk('c')}`;
  await eventually('both are asked', () => redis.heard.join('').endsWith(unsubscribe));
  redis.say(`${acknowledgement('a')}:0\r\n>3\r\n${bulk('message')}${bulk('a')}${bulk('x')}`);
  await eventually('the first half is heard', () => messages.length === 1);
  expect(done).toEqual([]);
  redis.say(acknowledgement('b'));
  await first;
  expect(done).toEqual(['first']);
  redis.say(acknowledgement('c').replace('$9\r\nsubscribe', '$11\r\nunsubscribe'));
  await second;
});

test.each([
  ['an error', '-NOPERM this user has no permissions\r\n', 'Redis: NOPERM this user has no permissions'],
  [
    'what is no RESP',
    'HTTP/1.1 400 Bad Request\r\n',
    'Redis sent what a subscriber does not expect: type 72',
  ],
  ['too many acknowledgements', ['a', 'b'].map(acknowledgement).join(''), 'done'],
])('a connection on which comes %s is dropped, and made again', async (_, wrong, outcome) => {
  const redis = fakeRedis();
  const { link, ups, downs } = open(redis.port);
  await link.ready(5_000);
  const asked = outcomeOf(ups[0]!.subscribe(['a']));
  redis.say(wrong);
  expect(await asked).toBe(outcome);
  await eventually('it connects again', () => ups.length === 2);
  expect(downs()).toBe(1);
  expect(await outcomeOf(ups[0]!.subscribe(['b']))).not.toBe('done');
});

test('whoever waits for an acknowledgement is told of the loss, and of the lateness', async () => {
  const redis = fakeRedis();
  const { link, ups } = open(redis.port);
  await link.ready(5_000);
  const asked = [ups[0]!.subscribe(['a']), ups[0]!.unsubscribe(['b'])].map(outcomeOf);
  await eventually('they are asked', () => redis.heard.join('').includes(bulk('b')));
  redis.sockets[0]!.end();
  expect(await Promise.all(asked)).toEqual(Array(2).fill('the connection to Redis was closed'));
  await eventually('it connects again', () => ups.length === 2);
  expect(await outcomeOf(ups[1]!.subscribe(['a']))).toBe('Redis did not acknowledge SUBSCRIBE in time');
  await eventually('a silent connection is dropped', () => ups.length === 3);
});

test('a server that does not answer the greeting is given up, and tried again', async () => {
  const redis = fakeRedis({ greets: false });
  const { link, ups, downs } = open(redis.port);
  await expect(link.ready(10)).rejects.toThrow('Redis was not ready within 10 ms');
  await eventually('it tries again', () => redis.sockets.length === 2);
  redis.say(greeting);
  await link.ready(5_000);
  expect(ups.length).toBe(1);
  expect(downs()).toBe(0);
});

test.each([
  ['does not know the password', '-WRONGPASS invalid username-password pair\r\n'],
  ['is loading its data', `${hello}-LOADING Redis is loading the dataset in memory\r\n`],
])('a server that %s is tried again', async (_, refusal) => {
  const redis = fakeRedis({ greets: false });
  const { link, ups } = open(redis.port);
  await eventually('it is asked', () => redis.heard.join('').endsWith(ping));
  redis.say(refusal);
  await eventually('it is asked again', () => redis.heard.join('').split(ping).length === 3);
  expect(ups).toEqual([]);
  redis.say(greeting);
  await link.ready(5_000);
});

test('a server that comes later is found', async () => {
  const gone = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = gone;
  gone.stop(true);
  const { link } = open(port);
  await expect(link.ready(300)).rejects.toThrow('not ready');
  const listener = Bun.listen({
    hostname: '127.0.0.1',
    port,
    socket: { data: (socket, piece) => void (piece.includes('PING') && socket.write(greeting)) },
  });
  undo.push(() => listener.stop(true));
  await link.ready(5_000);
});

test('commands larger than a socket takes arrive whole', async () => {
  const redis = fakeRedis();
  const { link, ups } = open(redis.port, undefined, 10_000);
  await link.ready(5_000);
  const channels = Array.from({ length: 4_500 }, (_, at) => `${at}:${'x'.repeat(4_000)}`);
  const asked = ups[0]!.subscribe(channels);
  const wire = redis.heard;
  const bytes = () => wire.reduce((sum, piece) => sum + piece.length, 0);
  const expected = channels.map(bulk).join('').length;
  await eventually('all of it arrives', () => bytes() > expected);
  const all = wire.join('').replace(/^.*PING\r\n/s, '');
  expect([...(all.match(/\*\d+\r\n\$9\r\nSUBSCRIBE\r\n/g) ?? [])]).toEqual([
    ...Array(4).fill('*1001\r\n$9\r\nSUBSCRIBE\r\n'),
    '*501\r\n$9\r\nSUBSCRIBE\r\n',
  ]);
  expect(all.replace(/\*\d+\r\n\$9\r\nSUBSCRIBE\r\n/g, '')).toBe(channels.map(bulk).join(''));
  redis.say(channels.map((_, at) => acknowledgement(String(at))).join(''));
  await asked;
});

test('closed, it tells nobody anything and does not come back', async () => {
  const redis = fakeRedis();
  const { link, ups, downs, stop } = open(redis.port);
  await link.ready(5_000);
  const asked = outcomeOf(ups[0]!.subscribe(['a']));
  stop();
  link.close();
  expect(await asked).toBe('closed');
  const early = open(redis.port);
  early.link.close();

  // Longer than the longest first pause: another one is dropped and comes back, after the shortest at least.
  const other = open(redis.port);
  for (let at = 1; at <= 4; at += 1) {
    await eventually('it connects', () => other.ups.length === at);
    other.ups.at(-1)!.drop(new Error('by the test'));
  }
  await eventually('it connects again', () => other.ups.length === 5);
  expect(downs()).toBe(0);
  expect(ups.length).toBe(1);
  expect(early.ups).toEqual([]);
  expect(redis.heard.join('').split(ping).length - 1).toBe(1 + 5);
});
