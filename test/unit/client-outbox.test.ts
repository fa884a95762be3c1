import { expect, test } from 'bun:test';
import { createPauses } from '../../client/src/backoff.ts';
import { ConfabError, memory } from '../../client/src/index.ts';
import { createOutbox } from '../../client/src/outbox.ts';
import type { Requests } from '../../client/src/request.ts';
import type { Message } from '../../src/shared/contract.ts';
import { eventually } from '../support/eventually.ts';

const chatId = 'chat';
const refused = (status: number | undefined, more: { retryAfterMs?: number } = {}) =>
  new ConfabError(status === undefined ? 'offline' : 'internal_error', 'no', {
    ...(status === undefined ? {} : { status }),
    ...more,
  });

/** An outbox that leads, before a server that answers as it is said; by itself it accepts. */
function createWorld(unsavedMs = 30_000) {
  const asked: { method: string; path: string; body: Record<string, unknown> }[] = [];
  const errors: (ConfabError | undefined)[] = [];
  const ask: Requests['once'] = async (method, path, body) => {
    asked.push({ method, path, body: { ...body } });
    const error = errors.shift();
    if (error) throw error;
    const clientMessageId = (body as { clientMessageId?: string } | undefined)?.clientMessageId;
    return { brokerMessageId: `id of ${clientMessageId}`, clientMessageId } as never;
  };
  const storage = memory();
  const outbox = createOutbox({
    storage: () => storage,
    requests: { once: ask, patiently: ask, serverNow: Date.now },
    pauses: createPauses(),
    times: { unsavedMs },
    onChange: () => {},
    onStored: () => {},
    onMessage: (message) => outbox.saw(message),
  });
  outbox.lead(true);
  return {
    outbox,
    asked,
    errors,
    storage,
    states: () => outbox.of(chatId).map(({ state }) => state),
    saw: (clientMessageId: string) =>
      outbox.saw({ id: `id of ${clientMessageId}`, clientMessageId } as Message),
  };
}

test('one at a time, in order; what fails for now is repeated under its key, what fails for good is not', async () => {
  const { outbox, asked, errors, states, saw } = createWorld();
  errors.push(refused(undefined), refused(503), refused(422));
  const ids = ['1', '2', '3'].map((content) => outbox.add(chatId, { content }));
  await eventually('all were tried', () => states().join() === 'failed,accepted,accepted');
  expect(asked.map(({ body }) => body.clientMessageId)).toEqual([ids[0], ids[0], ids[0], ids[1], ids[2]]);
  for (const id of ids.slice(1)) saw(id!);
  expect(states()).toEqual(['failed']);
  outbox.retry(ids[0]!);
  await eventually('it is tried again', () => states()[0] === 'accepted');
  expect(asked.at(-1)?.body.clientMessageId).toBe(ids[0]);
});

test('a server is left alone for as long as it says, whatever wakes', async () => {
  const { outbox, asked, errors, states } = createWorld();
  errors.push(refused(429, { retryAfterMs: 300 }));
  const started = performance.now();
  outbox.add(chatId, { content: 'one' });
  await eventually('it has been refused', () => asked.length === 1);
  await eventually('it is accepted', () => states()[0] === 'accepted');
  expect(performance.now() - started).toBeGreaterThanOrEqual(299);
});

test('what was accepted and is not there is looked for, sent again under its key, and given up at last', async () => {
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

  const other = createWorld(5);
  other.errors.push(...Array.from({ length: 5 }, () => [undefined, lost()]).flat());
  other.outbox.ready(true);
  other.outbox.add(chatId, { content: 'never there' });
  await eventually('it has failed', () => other.states()[0] === 'failed');
  expect(other.outbox.of(chatId)[0]?.code).toBe('not_saved');
  expect(new Set(other.asked.flatMap(({ body }) => body.clientMessageId ?? [])).size).toBe(1);
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
