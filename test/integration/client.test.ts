import { expect, test } from 'bun:test';
import { createClient } from '../../client/src/client.ts';
import type { ClientOptions, ConfabClient, KeyValueStorage } from '../../client/src/index.ts';
import { ConfabError, memory } from '../../client/src/index.ts';
import { createOwnTokens } from '../../src/auth/tokens.ts';
import { type Embedded, startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';

const processes = testProcesses();
const secret = 'a secret of this test, longer than 32 bytes';
let deployment: Embedded = await startEmbedded(processes, { env: { JWT_SECRET: secret } });
// One after the other: the server checks few passwords at a time.
const ada = await newPerson(deployment, 'ada');
const bob = await newPerson(deployment, 'bob');
const carol = await newPerson(deployment, 'carol');

/** Each test has one of its own. */
async function newGroup(): Promise<string> {
  const { body } = await ada.call('POST', '/chats', { participantUserIds: [bob.id], isGroup: true });
  return body.id;
}

const stateOf = (client: ConfabClient) => client.status.getSnapshot().state;

async function open(person: Pick<Person, 'token'>, more: Partial<ClientOptions> = {}, unsavedMs = 30_000) {
  const client = createClient(
    { url: deployment.apiUrl, getToken: () => person.token, ...more },
    { unsavedMs },
  );
  client.connect();
  await eventually('it is ready', () => stateOf(client) === 'ready');
  return client;
}

/** As a screen does that shows it. */
function shown(client: ConfabClient, chatId: string) {
  const chat = client.chat(chatId);
  const ends = [chat.messages, chat.typing, chat.reads, chat.participants].map((store) =>
    store.subscribe(() => {}),
  );
  const items = () => chat.messages.getSnapshot().items;
  return {
    chat,
    items,
    contents: () => items().map(({ content }) => content),
    byContent: (content: string) => items().find((one) => one.content === content)!,
    states: () => items().map(({ state }) => state),
    hide() {
      for (const end of ends) end();
    },
  };
}

const saved = (chat: ReturnType<typeof shown>, contents: string[]) =>
  eventually(`${contents} are saved`, () => {
    const isSame = JSON.stringify(chat.contents()) === JSON.stringify(contents);
    return isSame && chat.states().every((state) => state === 'saved');
  });

async function conversation(more: Partial<ClientOptions> = {}) {
  const id = await newGroup();
  const [adas, bobs] = await Promise.all([open(ada, more), open(bob)]);
  const [hers, his] = [shown(adas, id), shown(bobs, id)];
  await eventually(
    'they see the chat',
    () => !!hers.chat.info.getSnapshot() && !!his.chat.info.getSnapshot(),
  );
  const end = () => {
    hers.hide();
    his.hide();
    adas.disconnect();
    bobs.disconnect();
  };
  return { id, adas, bobs, hers, his, end };
}

test('two people go through everything', async () => {
  const { id, adas, bobs, hers, his, end } = await conversation();
  expect(adas.user.getSnapshot()?.id).toBe(ada.id);
  hers.chat.send({ content: 'one' });
  hers.chat.send({ content: 'two', mentions: { userIds: [bob.id] }, metadata: { order: 7 } });
  expect(hers.contents()).toEqual(['one', 'two']);
  await Promise.all([saved(hers, ['one', 'two']), saved(his, ['one', 'two'])]);
  await eventually('they are unread', () => bobs.unread.getSnapshot().mentions === 1);
  expect(bobs.unread.getSnapshot()).toEqual({ chats: 1, mentions: 1 });
  expect(his.byContent('two').metadata).toEqual({ order: 7 });
  expect(his.chat.membership.getSnapshot()).toMatchObject({ unreadCount: 2, unreadMentionCount: 1 });

  his.chat.markRead();
  await eventually('they are read', () => bobs.unread.getSnapshot().chats === 0);
  await eventually('she sees it', () => hers.chat.reads.getSnapshot().get(bob.id) === 2);
  await his.chat.markUnread(2);
  expect(his.chat.membership.getSnapshot()).toMatchObject({ unreadCount: 1, lastReadSequence: 1 });

  his.chat.keystroke();
  await eventually('he types', () => hers.chat.typing.getSnapshot().includes(bob.id));
  his.chat.send({ content: 'three', replyTo: his.byContent('one').id });
  await saved(hers, ['one', 'two', 'three']);
  expect(hers.chat.typing.getSnapshot()).toEqual([]);
  expect(hers.byContent('three').replyTo).toMatchObject({ preview: 'one' });

  await hers.chat.edit(hers.byContent('one').id, { content: 'first' });
  expect(hers.contents()).toEqual(['first', 'two', 'three']);
  await saved(his, ['first', 'two', 'three']);
  expect(his.byContent('three').replyTo).toMatchObject({ preview: 'first' });

  await his.chat.react(his.byContent('first').id, '👍', true);
  expect(his.byContent('first').reactions).toEqual([{ key: '👍', count: 1, userIds: [bob.id], own: true }]);
  await eventually('she sees that he likes it', () => hers.byContent('first').reactions?.[0]?.count === 1);
  expect(hers.byContent('first').reactions?.[0]?.own).toBeUndefined();
  await his.chat.react(his.byContent('first').id, '👍', false);
  await eventually('not any more', () => hers.byContent('first').reactions === undefined);

  // One of his devices shows no more than the list, in which the answer is the last message.
  const phone = await open(bob);
  const inList = ({ chats }: ConfabClient) =>
    chats.getSnapshot().items.find((chat) => chat.id === id)?.lastMessage;
  await eventually('it lists it', () => inList(phone)?.replyTo !== undefined);
  expect([phone, bobs].map((client) => inList(client)?.replyTo)).toMatchObject(
    Array(2).fill({ preview: 'first' }),
  );
  const quoted = hers.byContent('first').id;
  await hers.chat.delete(quoted);
  expect(hers.byContent('three').replyTo).toEqual({ messageId: quoted, deleted: true });
  await eventually('it is gone', () => his.items()[0]?.deletedAt !== undefined);
  expect(his.byContent('three').replyTo).toEqual({ messageId: quoted, deleted: true });
  await eventually('it is gone from the list', () => 'deleted' in (inList(phone)?.replyTo ?? {}));
  for (const client of [adas, bobs, phone]) {
    expect(inList(client)).toMatchObject({ content: 'three', replyTo: { messageId: quoted, deleted: true } });
  }
  phone.disconnect();

  expect(hers.chat.participants.getSnapshot().map(({ userId }) => userId)).toContain(bob.id);
  const refused = await his.chat
    .edit(hers.byContent('two').id, { content: 'not mine' })
    .catch((error) => error);
  expect(refused).toBeInstanceOf(ConfabError);
  expect(refused).toMatchObject({ code: 'not_allowed', status: 403 });

  await his.chat.setMembership({ pinned: true });
  expect(bobs.chats.getSnapshot().items[0]?.membership.pinnedAt).toBeString();
  const group = await adas.createChat({ participantUserIds: [bob.id], isGroup: true, name: 'Group' });
  await adas.chat(group.id).addParticipants([carol.id]);
  expect(adas.chat(group.id).info.getSnapshot()?.participantCount).toBe(3);
  await eventually('he has it', () => bobs.chat(group.id).info.getSnapshot()?.participantCount === 3);
  await bobs.chat(group.id).leave();
  expect(bobs.chat(group.id).info.getSnapshot()).toBeUndefined();
  expect(bobs.chats.getSnapshot().items.map(({ id }) => id)).not.toContain(group.id);
  await eventually('she sees it', () => adas.chat(group.id).info.getSnapshot()?.participantCount === 2);
  end();
}, 30_000);

test('of what is not saved yet edits and reactions wait; what is refused for good can be discarded', async () => {
  const { hers, his, end } = await conversation();
  const { clientMessageId } = hers.chat.send({ content: 'draft' });
  await hers.chat.edit(clientMessageId, { content: 'better' });
  await hers.chat.react(clientMessageId, '🎉', true);
  expect(hers.contents()).toEqual(['better']);
  await saved(his, ['better']);
  await eventually('both are done', () => his.items()[0]?.reactions?.[0]?.userIds[0] === ada.id);

  hers.chat.send({ content: '   ' });
  await eventually('it has failed', () => hers.items()[1]?.state === 'failed');
  expect(hers.items()[1]?.failure?.code).toBe('validation_failed');
  hers.items()[1]?.failure?.discard();
  expect(hers.contents()).toEqual(['better']);
  end();
}, 30_000);

test('one connection for who mounts twice; none for nobody', async () => {
  let asked = 0;
  const getToken = () => {
    asked += 1;
    return ada.token;
  };
  const client = createClient({ url: deployment.apiUrl, getToken });
  client.connect();
  client.disconnect();
  client.connect();
  await eventually('it is ready', () => stateOf(client) === 'ready');
  expect(asked).toBe(1);
  client.disconnect();
  client.disconnect();
  await eventually('it is idle', () => stateOf(client) === 'idle');
  const nobody = createClient({ url: deployment.apiUrl, getToken: () => undefined });
  nobody.connect();
  await eventually('it is refused', () => stateOf(nobody) === 'refused');
  expect(nobody.status.getSnapshot().code).toBe('token_missing');
  nobody.disconnect();
}, 30_000);

test('a token expires in the middle: another one is asked for once, and nothing is lost', async () => {
  const id = await newGroup();
  const { sign } = await createOwnTokens({
    secret,
    issuer: 'confab',
    audience: 'confab',
    accessTtlSeconds: 1,
  });
  const { sub: userId, sid: sessionId } = JSON.parse(atob(ada.token.split('.')[1]!));
  const short = await sign({ userId, sessionId });
  const expired: (string | undefined)[] = [];
  const client = await open(ada, {
    getToken: (why) => {
      expired.push(why.expired);
      return why.expired === undefined ? short : ada.token;
    },
  });
  const hers = shown(client, id);
  await eventually('it has expired', () => expired.length > 1);
  await bob.send(id, 'meanwhile');
  hers.chat.send({ content: 'after' });
  await eventually('it is ready again', () => stateOf(client) === 'ready');
  await eventually('both are there', () => hers.contents().toSorted().join() === 'after,meanwhile');
  expect(expired).toEqual([undefined, short]);
  hers.hide();
  client.disconnect();
}, 30_000);

/** Two tabs: two clients on one storage. */
async function tabs(person: Pick<Person, 'token'>, id: string, storage: KeyValueStorage) {
  const both = await Promise.all([open(person, { storage }), open(person, { storage })]);
  return both.map((client) => ({ client, ...shown(client, id) }));
}

test('two tabs on one storage agree, and each message is there once', async () => {
  const { id, his, end } = await conversation();
  const [one, two] = await tabs(bob, id, memory());
  one!.chat.send({ content: 'from one' });
  await eventually('the other shows it', () => two!.contents().includes('from one'));
  two!.chat.send({ content: 'from two' });
  for (const tab of [one!, two!]) await saved(tab, ['from one', 'from two']);
  await saved(his, ['from one', 'from two']);
  one!.chat.draft.set('not sent');
  one!.client.disconnect();
  two!.client.disconnect();
  await eventually('they are idle', () => [one!, two!].every(({ client }) => stateOf(client) === 'idle'));
  end();
}, 30_000);

test('the server is killed, and comes back to three messages, and to one of a tab that was closed meanwhile', async () => {
  const storage = memory();
  const { id, adas, hers, his, end } = await conversation({ storage });
  hers.chat.send({ content: 'before' });
  await saved(his, ['before']);
  await deployment.process.kill();
  await eventually('she is offline', () => stateOf(adas) === 'offline');
  for (const content of ['1', '2', '3']) hers.chat.send({ content });
  expect(hers.contents()).toEqual(['before', '1', '2', '3']);
  expect(hers.states().slice(1)).not.toContain('saved');
  hers.chat.draft.set('unfinished');
  // The tab is closed, and another one opened, while the server is away.
  adas.disconnect();
  await eventually('it is closed', () => stateOf(adas) === 'idle');
  await Bun.sleep(0);
  const again = createClient({ url: deployment.apiUrl, getToken: () => ada.token, storage });
  again.connect();
  const anew = shown(again, id);
  await eventually('all of it is there', () => anew.contents().join() === 'before,1,2,3');
  expect(anew.chat.draft.getSnapshot()).toBe('unfinished');
  expect(again.chats.getSnapshot().items.map((one) => one.id)).toContain(id);

  deployment = await startEmbedded(processes, { dataDir: deployment.dataDir, env: deployment.env });
  await eventually('they have come', () => his.contents().length === 4, 30_000);
  await saved(anew, ['before', '1', '2', '3']);
  await saved(his, ['before', '1', '2', '3']);
  await eventually('nothing is left to send', async () =>
    (await storage.keys('')).every((key) => !key.includes('outbox')),
  );
  anew.hide();
  again.disconnect();
  end();
}, 60_000);

test('what was sent in another life and is saved is not sent again, though nothing else is new', async () => {
  const { id, his, end } = await conversation();
  for (const content of ['one', 'two']) await ada.send(id, content);
  await saved(his, ['one', 'two']);
  end();
  const storage = memory();
  const before = await open(ada, { storage });
  await eventually('it is kept', async () => (await storage.keys('')).some((key) => key.endsWith('/head')));
  before.disconnect();
  const head = (await storage.keys('')).find((key) => key.endsWith('/head'))!;
  const { clientMessageId, id: messageId } = his.byContent('one');
  const key = head.replace(/head$/, `outbox/${clientMessageId}`);
  const what = { kind: 'send', message: { content: 'one' } };
  const entry = { id: clientMessageId, clientMessageId, messageId, chatId: id, order: 1, what };
  await storage.set(key, JSON.stringify({ ...entry, losses: 0, tried: true, state: 'accepted' }));
  const after = await open(ada, { storage }, 20);
  await eventually('it is done', async () => (await storage.get(key)) === undefined);
  after.disconnect();
}, 30_000);
