import { expect, test } from 'bun:test';
import { createPauses, type Pauses } from '../../client/src/backoff.ts';
import { createAsk } from '../../client/src/changes.ts';
import { ConfabError, memory } from '../../client/src/index.ts';
import { createOutbox, type Outbox } from '../../client/src/outbox.ts';
import { withEntries } from '../../client/src/outbox-entry.ts';
import type { Requests } from '../../client/src/request.ts';
import type { ChatMessage } from '../../client/src/types.ts';
import type { Message } from '../../src/shared/contract.ts';
import { eventually } from '../support/eventually.ts';

const chatId = 'chat';
const refused = (status?: number) =>
  new ConfabError(status ? 'internal_error' : 'offline', 'no', { ...(status && { status }) });
/** For longer than a test lasts, and ended by `wake` alone: what is refused for now was asked once until then. */
const forEver = (): Pauses => {
  const pauses = createPauses();
  return { ...pauses, wait: () => pauses.wait(3_600_000) };
};

/** An outbox that leads, before a server that answers as it is said; by itself it accepts. */
/** @param tabs the outboxes on the same storage */
function createWorld(
  unsavedMs = 30_000,
  storage = memory(),
  { tabs = [], pauses = createPauses() }: { tabs?: Outbox[]; pauses?: Pauses } = {},
) {
  const asked: { method: string; path: string; body: Record<string, unknown> }[] = [];
  const errors: (ConfabError | undefined)[] = [];
  const waits: Promise<void>[] = [];
  const ask: Requests['once'] = async (method, path, body) => {
    asked.push({ method, path, body: { ...body } });
    await waits.shift();
    const error = errors.shift();
    if (error) throw error;
    const clientMessageId = (body as { clientMessageId?: string } | undefined)?.clientMessageId;
    return { brokerMessageId: `id of ${clientMessageId}`, clientMessageId } as never;
  };
  const requests = { once: ask, patiently: ask, serverNow: Date.now };
  const outbox = createOutbox({
    ...{ storage: () => storage, requests, pauses },
    times: { unsavedMs },
    onChange: () => {},
    onStored(id, entry) {
      for (const tab of tabs) if (tab !== outbox) tab.told(id, entry);
    },
    ask: createAsk(requests, (_chatId, _kind, answer) => answer),
  });
  tabs.push(outbox);
  outbox.lead(true);
  return {
    outbox,
    asked,
    errors,
    ...{ waits, storage, pauses },
    states: () => outbox.of(chatId).map(({ state }) => state),
    saw: (clientMessageId: string) =>
      outbox.saw({ id: `id of ${clientMessageId}`, clientMessageId } as Message),
  };
}

test('one at a time, in order; what fails for now is repeated under its key, what fails for good is not', async () => {
  const { outbox, asked, errors, states, saw } = createWorld();
  errors.push(refused(), refused(503), refused(422));
  const ids = ['1', '2', '3'].map((content) => outbox.add(chatId, { content }));
  await eventually('all were tried', () => states().join() === 'failed,accepted,accepted');
  expect(asked.map(({ body }) => body.clientMessageId)).toEqual([ids[0], ids[0], ids[0], ids[1], ids[2]]);
  for (const id of ids.slice(1)) saw(id!);
  expect(states()).toEqual(['failed']);
  outbox.retry(ids[0]!);
  await eventually('it is tried again', () => states()[0] === 'accepted');
  expect(asked.at(-1)?.body.clientMessageId).toBe(ids[0]);
});

test('what was accepted and is not there is looked for and sent again under its key, ever more seldom, and never given up', async () => {
  const { outbox, asked, errors, states, saw } = createWorld(5);
  const lost = () => new ConfabError('message_not_found', 'no', { status: 404 });
  errors.push(undefined, lost(), undefined, lost());
  const id = outbox.add(chatId, { content: 'one' });
  await eventually('it is accepted', () => states()[0] === 'accepted');
  expect(asked).toHaveLength(1);
  outbox.ready(true);
  await eventually(
    'it was sent again twice',
    () => asked.filter(({ method }) => method === 'POST').length === 3,
  );
  expect(asked.slice(0, 4).map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'GET']);
  saw(id);
  expect(states()).toEqual([]);

  const other = createWorld(1);
  other.errors.push(...Array.from({ length: 6 }, () => [undefined, lost()]).flat());
  other.outbox.ready(true);
  const started = performance.now();
  other.outbox.add(chatId, { content: 'never there' });
  await eventually('it was lost six times', () => other.outbox.of(chatId)[0]?.losses === 6);
  await eventually('it is accepted', () => other.states()[0] === 'accepted');
  expect(performance.now() - started).toBeGreaterThanOrEqual(16 + 32);
  expect(new Set(other.asked.flatMap(({ body }) => body.clientMessageId ?? [])).size).toBe(1);
});

test('an answer names what it answers as the server does, from its first try on and after a restart', async () => {
  const storage = memory();
  const { outbox, asked, errors, states, pauses } = createWorld(30_000, storage, { pauses: forEver() });
  errors.push(undefined, refused(429));
  const first = outbox.add(chatId, { content: 'one' });
  const answer = outbox.add(chatId, { content: 'two', replyTo: first });
  await eventually('the answer was tried', () => asked.length === 2 && states()[1] === 'queued');
  expect(asked[1]?.body.replyTo).toBe(`id of ${first}`);
  const again = createWorld(30_000, storage);
  await again.outbox.restore();
  await eventually('it is accepted', () => again.states()[1] === 'accepted');
  expect(again.asked.map(({ body }) => body)).toEqual([asked[1]!.body]);
  expect(again.outbox.of(chatId)[1]?.clientMessageId).toBe(answer);
  // After the pause it is the same request once more, and no other.
  pauses.wake();
  await eventually('it is accepted here, too', () => states()[1] === 'accepted');
  expect(asked.slice(1).map(({ body }) => body)).toEqual([asked[1]!.body, asked[1]!.body]);
});

test('what the server may have is known for such, and what it refused at once is not', async () => {
  const storage = memory();
  const { outbox, asked, errors, states } = createWorld(30_000, storage, { pauses: forEver() });
  outbox.lead(false);
  outbox.add(chatId, { content: 'one' });
  outbox.add('other', { content: 'two' });
  const tried = () => [...outbox.of(chatId), ...outbox.of('other')].map((one) => one.tried);
  expect(tried()).toEqual([false, false]);
  errors.push(refused(429), refused(403));
  outbox.lead(true);
  await eventually('both were tried', () => asked.length === 2 && states()[0] === 'queued');
  await eventually('one was refused', () => outbox.of('other')[0]?.state === 'failed');
  expect(tried()).toEqual([true, false]);
  const again = createWorld(30_000, storage);
  again.outbox.lead(false);
  await again.outbox.restore();
  expect(again.outbox.of(chatId)[0]).toMatchObject({ state: 'queued', tried: true });
});

test('what is no JSON is refused at once, and holds up nothing', async () => {
  const { outbox, states } = createWorld();
  const circle: Record<string, unknown> = {};
  circle.circle = circle;
  expect(() => outbox.add(chatId, { content: 'one', metadata: circle as never })).toThrow(TypeError);
  const id = outbox.add(chatId, { content: 'two' });
  const edit = outbox.doAfter(outbox.find(chatId, id)!, {
    kind: 'edit',
    edit: { metadata: circle as never },
  });
  expect(await edit.catch((error) => error)).toBeInstanceOf(TypeError);
  await eventually('it is accepted', () => states().join() === 'accepted');
});

test('an entry that cannot be read does not keep the others from being sent', async () => {
  const storage = memory();
  const before = createWorld(30_000, storage);
  before.outbox.lead(false);
  before.outbox.add(chatId, { content: 'one' });
  await storage.set('outbox/0', '{');
  const { outbox, states } = createWorld(30_000, storage);
  await outbox.restore();
  await eventually('it is accepted', () => states().join() === 'accepted');
});

test('what another tab wants while this one sends is not lost', async () => {
  const storage = memory();
  const tabs: Outbox[] = [];
  const leader = createWorld(30_000, storage, { tabs, pauses: forEver() });
  const other = createWorld(30_000, storage, { tabs });
  other.outbox.lead(false);
  leader.errors.push(refused(422), refused(429));
  const failed = leader.outbox.add(chatId, { content: 'failed' });
  await eventually('it has failed', () => leader.states()[0] === 'failed');
  const waiting = leader.outbox.add(chatId, { content: 'waits' });
  await eventually('it is left alone', () => leader.asked.length === 2 && leader.states()[1] === 'queued');
  await eventually('the other knows', () => other.states().join() === 'failed,queued');
  other.outbox.retry(failed);
  for (const [key, { outbox }] of [
    ['a', other],
    ['b', leader],
  ] as const)
    void outbox.doAfter(outbox.find(chatId, waiting)!, { kind: 'react', key, present: true });
  leader.pauses.wake();
  await eventually('both are accepted', () => leader.states().join() === 'accepted,accepted,queued,queued');
  leader.saw(waiting);
  await eventually('both are done', () => leader.outbox.of(chatId).length === 1);
  expect(
    leader.asked
      .slice(-2)
      .flatMap(({ path }) => path.at(-1) ?? [])
      .sort(),
  ).toEqual(['a', 'b']);
});

test('what another tab deletes while this one is sending it is deleted once it is saved', async () => {
  const storage = memory();
  const tabs: Outbox[] = [];
  const [leader, other] = [createWorld(30_000, storage, { tabs }), createWorld(30_000, storage, { tabs })];
  other.outbox.lead(false);
  const answered = Promise.withResolvers<void>();
  leader.waits.push(answered.promise);
  const ids = ['sending', 'waiting'].map((content) => leader.outbox.add(chatId, { content }));
  await eventually('it is being sent', () => leader.states()[0] === 'sending');
  await eventually('the other knows of both', () => other.states().length === 2);
  await other.outbox.doAfter(other.outbox.find(chatId, ids[0]!)!, { kind: 'delete' });
  // The one that was not tried yet is not sent at all.
  await other.outbox.doAfter(other.outbox.find(chatId, ids[1]!)!, { kind: 'delete' });
  answered.resolve();
  await eventually('it is accepted', () => leader.states()[0] === 'accepted');
  leader.saw(ids[0]!);
  await eventually('nothing is left', async () => (await storage.keys('')).length === 0);
  const path = `/chats/chat/messages/id of ${ids[0]}`;
  expect(leader.asked.filter(({ method }) => method !== 'GET')).toMatchObject([
    { method: 'POST', body: { clientMessageId: ids[0] } },
    { method: 'DELETE', path },
  ]);
  expect(leader.states()).toEqual([]);
});

test('what another tab has done is done, whatever the storage still shows here', async () => {
  const storage = memory();
  const before = new Map<string, string | undefined>();
  // As between two processes of a browser: what was there first is all that is read.
  const late = {
    ...storage,
    async get(key: string) {
      if (!before.has(key)) before.set(key, await storage.get(key));
      return before.get(key);
    },
  };
  const tabs: Outbox[] = [];
  const [leader, other] = [createWorld(30_000, storage, { tabs }), createWorld(30_000, late, { tabs })];
  other.outbox.lead(false);
  const id = leader.outbox.add(chatId, { content: 'one' });
  await eventually('it is accepted', () => leader.states()[0] === 'accepted');
  await eventually('the other knows', () => other.states()[0] === 'accepted');
  leader.saw(id);
  await eventually('nothing of it is left in either', () => other.states().length === 0);
});

test('what the server refuses of what waited is told, tried again or left', async () => {
  const { outbox, asked, storage, states, saw, errors } = createWorld();
  const id = outbox.add(chatId, { content: 'one' });
  await outbox.doAfter(outbox.find(chatId, id)!, { kind: 'edit', edit: { content: 'two' } });
  await eventually('it is accepted', () => states()[0] === 'accepted');
  errors.push(refused(409), refused(409));
  saw(id);
  const own = { senderId: 'me', clientMessageId: id } as const;
  const saved = { ...own, id: `id of ${id}`, content: 'one', state: 'saved' } as ChatMessage;
  const shown = () => withEntries([saved], outbox.of(chatId), 'me', outbox)[0];
  expect(shown()).toMatchObject({ id: `id of ${id}`, content: 'two', state: 'saved' });
  await eventually('it is refused', () => shown()?.state === 'failed');
  expect(shown()).toMatchObject({ content: 'two', failure: { code: 'internal_error' } });
  shown()?.failure?.retry();
  expect(shown()?.state).toBe('saved');
  await eventually('it is refused again', () => asked.length === 3 && shown()?.state === 'failed');
  errors.push(refused(409));
  await outbox.doAfter(outbox.find(chatId, id)!, { kind: 'delete' });
  expect(shown()).toMatchObject({ content: '' });
  await eventually('that is refused', () => asked.at(-1)?.method === 'DELETE' && shown()?.state === 'failed');
  shown()?.failure?.discard();
  expect(shown()).toBe(saved);
  await eventually('nothing is left', async () => (await storage.keys('')).length === 0);
});

test('after somebody else has signed in nothing of the one before holds up what they send', async () => {
  const { outbox, asked, errors, states } = createWorld(30_000, memory(), { pauses: forEver() });
  errors.push(refused(429));
  outbox.add(chatId, { content: 'one' });
  await eventually('it is left alone', () => asked.length === 1 && states()[0] === 'queued');
  outbox.forget();
  outbox.lead(true);
  outbox.add(chatId, { content: 'of another' });
  await eventually('it is accepted', () => states().join() === 'accepted');
});

test('what waits for a message is done after it in order, and goes with it', async () => {
  const { outbox, asked, storage, states, saw, errors } = createWorld();
  const id = outbox.add(chatId, { content: 'one' });
  await outbox.doAfter(outbox.find(chatId, id)!, { kind: 'edit', edit: { content: 'two' } });
  await outbox.doAfter(outbox.find(chatId, id)!, { kind: 'react', key: '👍', present: true });
  await eventually('it is accepted', () => states()[0] === 'accepted');
  saw(id);
  await eventually('nothing is left', async () => (await storage.keys('')).length === 0);
  const path = `/chats/chat/messages/id of ${id}`;
  expect(asked.slice(1)).toEqual([
    { method: 'PATCH', path, body: { content: 'two' } },
    { method: 'PUT', path: `${path}/reactions/${encodeURIComponent('👍')}`, body: {} },
  ]);
  errors.push(refused(422));
  const bad = outbox.add(chatId, { content: '' });
  await outbox.doAfter(outbox.find(chatId, bad)!, { kind: 'edit', edit: { content: 'better' } });
  await eventually('it has failed', () => states()[0] === 'failed');
  expect(asked.filter(({ method }) => method === 'PATCH')).toHaveLength(1);
});
