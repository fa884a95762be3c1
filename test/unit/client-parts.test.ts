import { afterAll, expect, jest, spyOn, test } from 'bun:test';
import { createClient } from '../../client/src/client.ts';
import { createConnection } from '../../client/src/connection.ts';
import { ConfabError, type KeyValueStorage } from '../../client/src/index.ts';
import { createKeeper } from '../../client/src/keeper.ts';
import { createMessageList } from '../../client/src/message-list.ts';
import type { Outbox } from '../../client/src/outbox.ts';
import { createPresence } from '../../client/src/presence.ts';
import { createReadMarks } from '../../client/src/read-marks.ts';
import { foldChat } from '../../client/src/state/chat.ts';
import { noChat } from '../../client/src/state/chat-state.ts';
import { foldChats, noChats } from '../../client/src/state/chats.ts';
import { local, memory } from '../../client/src/storage.ts';
import { createCell } from '../../client/src/store.ts';
import { createTyping } from '../../client/src/typing.ts';
import type { Chat, User } from '../../src/shared/contract.ts';
import { eventually } from '../support/eventually.ts';

test('a listener that throws is its own affair', () => {
  const report = spyOn(globalThis, 'reportError').mockImplementation(() => {});
  const cell = createCell(0);
  let heard = 0;
  cell.subscribe(() => {
    throw new Error('of a listener');
  });
  cell.subscribe(() => {
    heard += 1;
  });
  cell.set(1);
  expect([heard, report.mock.calls.length]).toEqual([1, 1]);
  report.mockRestore();
});

test('a read mark that does not come through is kept until there is a reason to try again', async () => {
  const told: number[] = [];
  let error: ConfabError | undefined = new ConfabError('offline', 'no');
  const marks = createReadMarks(async (sequence) => {
    told.push(sequence);
    if (error) throw error;
  });
  marks.mark(7);
  await eventually('it was tried', () => told.length === 1);
  await Bun.sleep(0);
  error = undefined;
  marks.again();
  expect(told).toEqual([7, 7]);
  const [dropped, refused] = [createReadMarks(() => Promise.reject(new ConfabError('offline', 'no'))), marks];
  dropped.mark(7);
  dropped.drop();
  await Bun.sleep(0);
  dropped.again();
  refused.again();
  expect(told).toEqual([7, 7]);
});

test('who types does so for 6 s when nothing more is told, and from each time on anew', () => {
  jest.useFakeTimers();
  try {
    const { store, take } = createTyping();
    const seen: (readonly string[])[] = [];
    store.subscribe(() => seen.push(store.getSnapshot()));
    const tell = (userId: string) => take({ chatId: 'c', userId, typing: true, expiresInMs: 6_000 });
    tell('bob');
    jest.advanceTimersByTime(3_000);
    tell('eve');
    tell('bob');
    jest.advanceTimersByTime(5_999);
    expect(store.getSnapshot().toSorted()).toEqual(['bob', 'eve']);
    tell('eve');
    jest.advanceTimersByTime(1);
    expect(store.getSnapshot()).toEqual(['eve']);
    jest.advanceTimersByTime(5_999);
    expect([store.getSnapshot(), seen.at(-1)]).toEqual([[], []]);
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test('presence is asked of those who begin to be watched, and of nobody twice', async () => {
  const asked: string[] = [];
  const ask = async (_: string, path: string) => {
    asked.push(path);
    return { data: [] } as never;
  };
  const { store } = createPresence({ once: ask, patiently: ask, serverNow: Date.now }, () => true);
  const ends = [store.watch(['a', 'b']).subscribe(() => {}), store.watch(['b', 'c']).subscribe(() => {})];
  await eventually('they are asked of', () => asked.length === 1);
  ends.push(store.watch(['c', 'd']).subscribe(() => {}));
  await eventually('the new one is', () => asked.length === 2);
  expect(asked).toEqual(['/presence?userIds=a,b,c', '/presence?userIds=d']);
  for (const end of ends) end();
});

test('where cookies are blocked nothing is kept, and nothing fails', async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'localStorage');
  const get = () => {
    throw new Error('SecurityError');
  };
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get });
  Object.defineProperty(globalThis, 'document', { configurable: true, value: {} });
  try {
    await local().set('key', 'value');
    expect(createClient({ url: 'http://localhost:1', getToken: () => undefined }).status).toBeDefined();
  } finally {
    Reflect.deleteProperty(globalThis, 'document');
    Reflect.deleteProperty(globalThis, 'localStorage');
    if (before) Object.defineProperty(globalThis, 'localStorage', before);
  }
});

const membership = (chatId: string) => ({
  ...{
    chatId,
    lastReadSequence: 0,
    unreadCount: 0,
    unreadMentionCount: 0,
    notify: 'all' as const,
    version: 1,
  },
  ...{ mutedUntil: null, pinnedAt: null, archivedAt: null, lastSequence: 0, eventSequence: 0 },
});
const chatOf = (id: string, at: number, name: string): Chat =>
  ({
    ...{ id, name, isGroup: true, participants: [], participantCount: 0, lastMessage: null, lastSequence: 0 },
    ...{ eventSequence: 0, lastActivityAt: new Date(at).toISOString(), membership: membership(id) },
  }) as unknown as Chat;

test('what is kept of chats has a limit: the newest are kept, and the list is read where some are not', async () => {
  const data = Array.from({ length: 50 }, (_, at) => chatOf(String(at), 1_000 - at, 'x'.repeat(50_000)));
  const asked = noChats('me');
  const state = foldChats(asked, { kind: 'page', data, nextCursor: 'more', first: true, asked });
  const storage = memory();
  const user = { id: 'me' } as User;
  const deps = { storage: () => storage, leads: () => true, state: () => state, user: () => user };
  const keeper = createKeeper(deps);
  const kept = async () =>
    (await storage.keys('chat/')).map((key) => Number(key.slice(5))).sort((a, b) => a - b);
  keeper.note(data.map(({ id }) => id));
  await keeper.flush();
  const first = await kept();
  expect(first).toEqual(Array.from({ length: first.length }, (_, at) => at));
  expect(first.length).toBeLessThan(40);
  expect(first.length).toBeGreaterThan(30);
  await keeper.makeRoom();
  expect((await kept()).length).toBeLessThanOrEqual(first.length / 2);
  const restored = await createKeeper(deps).restore(noChats(''));
  const down = data[(await kept()).length - 1]?.lastActivityAt;
  expect(restored?.state).toMatchObject({ listed: { down }, stale: true });
});

const tokenOf = (sub: string): string => `.${btoa(JSON.stringify({ sub }))}.`;
/** Of a socket that opens, if the tests ask for it, and then says nothing. */
let opens = false;
function handshake(url: string): Response | Promise<Response> {
  if (!opens) return new Response('', { status: 503 });
  if (url.includes('sid=')) return new Promise(() => {});
  const limits = { pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };
  return new Response(`0${JSON.stringify({ sid: 'sid', upgrades: [], ...limits })}`);
}
/** It knows who somebody is; there is no socket, and what is sent is not answered, or with 503. */
const server = Bun.serve({
  port: 0,
  fetch({ url, method, headers }) {
    if (method === 'POST' && !url.includes('/busy/')) return new Promise<never>(() => {});
    if (url.includes('/socket.io/')) return handshake(url);
    if (!url.endsWith('/auth/me')) return new Response('', { status: 503 });
    return Response.json({ id: JSON.parse(atob(headers.get('Authorization')!.split('.')[1]!)).sub });
  },
});
afterAll(() => server.stop(true));
const url = server.url.origin;

function clientOn(storage: KeyValueStorage, getToken: () => string | undefined) {
  const client = createClient({ url, getToken, storage, transports: ['polling'] });
  return { client, state: () => client.status.getSnapshot().state };
}

test('a reset takes what is kept with it, in other tabs too, and the next one starts', async () => {
  const storage = memory();
  let subject = 'ada';
  const [one, two] = [0, 1].map(() => clientOn(storage, () => tokenOf(subject)));
  for (const tab of [one!, two!]) tab.client.connect();
  one!.client.chat('c').draft.set('not sent');
  two!.client.chat('c').send({ content: 'not sent' });
  await eventually('both know who it is', () => [one!, two!].every((tab) => tab.client.user.getSnapshot()));
  await eventually('it is kept', async () =>
    (await storage.keys('')).some((key) => key.includes('/outbox/')),
  );
  subject = 'bob';
  await one!.client.reset();
  expect((await storage.keys('')).filter((key) => key.includes('/ada'))).toEqual([]);
  for (const tab of [one!, two!])
    await eventually('it is bob', () => tab.client.user.getSnapshot()?.id === 'bob');
  expect(two!.client.chat('c').messages.getSnapshot().items).toEqual([]);
  expect(one!.client.chat('c').draft.getSnapshot()).toBe('');
  for (const tab of [one!, two!]) tab.client.disconnect();
});

test('who was refused and signs in again connects, and has what was kept', async () => {
  let token: string | undefined = tokenOf('ada');
  const storage = memory();
  const { client, state } = clientOn(storage, () => token);
  client.connect();
  await eventually('it is known who it is', () => client.user.getSnapshot()?.id === 'ada');
  const chat = client.chat('c');
  chat.send({ content: 'not sent' });
  client.disconnect();
  await eventually('it is idle', () => state() === 'idle');
  token = undefined;
  const { client: again, state: stateAgain } = clientOn(storage, () => token);
  again.connect();
  await eventually('it is refused', () => stateAgain() === 'refused');
  token = tokenOf('ada');
  again.disconnect();
  again.connect();
  await eventually('it is not any more', () => again.user.getSnapshot()?.id === 'ada');
  expect(
    again
      .chat('c')
      .messages.getSnapshot()
      .items.map(({ content }) => content),
  ).toEqual(['not sent']);
  again.disconnect();
});

test('the first page is asked for until it is there, as long as somebody looks', async () => {
  let asked = 0;
  const page = { data: [], page: { eventSequence: 0, hasBefore: false, hasAfter: false } };
  const ask = async () => {
    asked += 1;
    if (asked <= 2) throw new ConfabError('offline', 'no');
    return page as never;
  };
  let state = noChat('c', 'me');
  const list = createMessageList({
    ...{ chatId: 'c', me: () => 'me', state: () => state, pauses: { wait: async () => {}, wake() {} } },
    fold(input) {
      state = foldChat(state, input);
    },
    outbox: { of: () => [] } as unknown as Outbox,
    requests: { once: ask, patiently: ask, serverNow: Date.now },
  });
  const end = list.subscribe(() => {});
  await eventually('it is there', () => state.messages.window !== undefined);
  expect(asked).toBe(3);
  end();
});

test('a full storage makes room for what waits to be sent', async () => {
  const storage = memory();
  let full = true;
  const small: KeyValueStorage = {
    ...storage,
    async set(key, value) {
      if (key.includes('/outbox/') && full) {
        full = false;
        throw new Error('QuotaExceededError');
      }
      await storage.set(key, value);
    },
  };
  const { client } = clientOn(small, () => tokenOf('ada'));
  client.connect();
  await eventually('it is known who it is', () => client.user.getSnapshot() !== undefined);
  client.chat('c').send({ content: 'kept' });
  await eventually('it is kept', async () =>
    (await storage.keys('')).some((key) => key.includes('/outbox/')),
  );
  client.disconnect();
});

test('of several questions for a token the last one connects, and none after the end', async () => {
  opens = true;
  const asked: PromiseWithResolvers<string>[] = [];
  const [told, statuses]: [string[], string[]] = [[], []];
  const connection = createConnection({
    url,
    transports: ['polling'],
    tokens: {
      get() {
        const given = Promise.withResolvers<string>();
        asked.push(given);
        return given.promise;
      },
      ...{ life: () => 0, offer() {}, forget() {} },
    },
    known() {
      told.push('known');
      return {};
    },
    onEvent() {},
    onStatus: (state) => statuses.push(state),
  });
  connection.open();
  for (let questions = 1; questions <= 3; questions += 1) {
    await eventually('a token is asked for', () => asked.length === questions);
    if (questions < 3) connection.retry();
  }
  asked[0]!.resolve('first');
  asked[1]!.resolve('second');
  await Bun.sleep(0);
  expect(told).toEqual([]);
  connection.close();
  asked[2]!.reject(new Error('too late'));
  await Bun.sleep(0);
  expect([told, statuses]).toEqual([[], []]);
  opens = false;
});

test('after a reset it still hears that the network is back', async () => {
  const [added, removed] = [spyOn(globalThis, 'addEventListener'), spyOn(globalThis, 'removeEventListener')];
  const { client } = clientOn(memory(), () => tokenOf('ada'));
  client.connect();
  await client.reset();
  const times = ({ mock }: typeof added | typeof removed) =>
    mock.calls.filter(([name]) => String(name) === 'online').length;
  expect(times(added) - times(removed)).toBe(1);
  client.disconnect();
  await eventually('it does not listen any more', () => times(added) === times(removed));
  added.mockRestore();
  removed.mockRestore();
});

test('what may be on the server is deleted there, and what was never sent is gone', async () => {
  const { client } = clientOn(memory(), () => tokenOf('ada'));
  const chat = client.chat('busy');
  const items = () => chat.messages.getSnapshot().items;
  await chat.delete(chat.send({ content: 'never sent' }).clientMessageId);
  expect(items()).toEqual([]);
  const { clientMessageId } = chat.send({ content: 'perhaps' });
  client.connect();
  const states: string[] = [];
  chat.messages.subscribe(() => states.push(items()[0]?.state ?? ''));
  await eventually('it was tried', () => states.includes('sending') && states.at(-1) === 'queued');
  await chat.delete(clientMessageId);
  expect(items()).toMatchObject([{ content: '', deletedAt: expect.any(String) }]);
  client.disconnect();
});
