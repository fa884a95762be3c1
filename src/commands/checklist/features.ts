import type {
  ChangesPage,
  Chat,
  Membership,
  Message,
  Page,
  Participant,
  UnreadTotals,
} from '../../shared/contract.ts';
import { presence, reactions, typing } from './moments.ts';
import { service } from './service.ts';
import { createStage, holds, readAll, type Stage, type StageOptions } from './stage.ts';
import type { Outcome, Step } from './steps.ts';

/** What a chat has beside texts. */
type Feature = (stage: Stage) => Promise<Outcome>;

/** After the six steps, in this order, in a group of A's. Each stands on its own. */
const features: readonly (readonly [name: string, run: Feature])[] = [
  ['A answers, mentions B, and adds data', answer],
  ['A edits a message', edit],
  ['B reacts to a message, and takes it back', reactions],
  ['What A says is unread for B', unread],
  ['B reads, and A is told', read],
  ['B marks a message as unread', markUnread],
  ['B mutes, pins and archives the chat', settings],
  ['A types, and B is told', typing],
  ['A sees whether B is online', presence],
  ['A deletes a message', deletion],
  ['What changed is read without a socket', changes],
  ['B comes back and is told what was missed', resume],
  ['The backend speaks as A, and deletes it', service],
  ['A changes the group, and B leads it with A', lead],
  ['B leaves the group, and A deletes it', end],
];

export function featureSteps(options: StageOptions): Step[] {
  let opened: Promise<Stage> | undefined;
  const stage = () => {
    options.progress.further = true;
    opened ??= createStage(options);
    return opened;
  };
  return [
    { name: 'A makes a group with B', run: async () => `chat ${(await stage()).chatId}` },
    ...features.map(([name, run]) => ({ name, run: async () => run(await stage()) })),
  ];
}

async function answer({ a, b }: Stage): Promise<string> {
  const quoted = await a.say('What is quoted');
  const { id } = await a.say('An answer', {
    replyTo: quoted.id,
    mentions: { userIds: [b.id] },
    metadata: { checklist: { order: 7 } },
  });
  const { message } = await b.hears('chat.message.new', (event) => event.message.id === id);
  const { replyTo, mentions, metadata } = message;
  holds({
    'replyTo is the quoted message': replyTo?.messageId === quoted.id,
    'its preview is there':
      replyTo !== undefined && 'preview' in replyTo && replyTo.preview === quoted.content,
    'B is mentioned': mentions?.userIds.includes(b.id) === true,
    'metadata is kept': JSON.stringify(metadata) === '{"checklist":{"order":7}}',
  });
  return `quotes message ${quoted.sequence}`;
}

async function edit({ a, b }: Stage): Promise<string> {
  const { id } = await a.say('Before the edit');
  const edited: Message = await a.inChat('PATCH', `/messages/${id}`, { content: 'After the edit' });
  for (const who of [a, b]) {
    const { message } = await who.hears('chat.message.updated', (event) => event.message.id === id);
    holds({ 'the event has the message as it is now': message.content === 'After the edit' });
  }
  holds({ 'it says when': edited.editedAt !== undefined, 'it has a version': edited.version !== undefined });
  return `version ${edited.version}`;
}

async function unread({ a, b, chatId }: Stage): Promise<string> {
  await readAll(b);
  await a.say('One');
  await a.say('Two, to everyone', { mentions: { userIds: [], everyone: true } });
  const { unreadCount, unreadMentionCount } = await b.membership();
  const totals: UnreadTotals = await b.call('GET', '/chats/unread');
  holds({
    'two are unread': unreadCount === 2,
    'one of them mentions B': unreadMentionCount === 1,
    'the totals have the chat': totals.chatIds.includes(chatId) && totals.unreadMentions > 0,
    'it is among the unread ones': await isListed(b, chatId, 'unread'),
    'nothing of it is unread for A': (await a.membership()).unreadCount === 0,
  });
  return `2 messages, 1 mention; ${totals.unreadChats} unread chats in all`;
}

async function read({ a, b, chatId }: Stage): Promise<string> {
  const { sequence } = await a.say('To be read');
  const membership: Membership = await b.inChat('PUT', '/read', { sequence });
  holds({ 'nothing is unread': membership.unreadCount === 0 });
  await b.hears('chat.membership', (event) => event.membership.version === membership.version);
  const { data } = (await a.inChat('GET', '/participants')) as Page<Participant>;
  const shown = data.find(({ userId }) => userId === b.id)?.lastReadSequence;
  if (shown === undefined) return 'B is told; one of the two shows no receipts';
  holds({ 'the participants say how far B has read': shown === sequence });
  await a.hears(
    'chat.read',
    ({ chatId: of, reads }) =>
      of === chatId && reads.some((one) => one.userId === b.id && one.lastReadSequence === sequence),
  );
  return `up to message ${sequence}; A has its receipt`;
}

async function markUnread({ a, b }: Stage): Promise<string> {
  const { sequence } = await a.say('To be marked');
  await readAll(b);
  const membership: Membership = await b.inChat('PUT', '/unread', { sequence });
  await b.hears('chat.membership', (event) => event.membership.version === membership.version);
  holds({
    'the marker is before it': membership.lastReadSequence === sequence - 1,
    'it is unread': membership.unreadCount === 1,
  });
  return `from message ${sequence}`;
}

async function settings({ b, chatId }: Stage): Promise<string> {
  const set = (given: object): Promise<Membership> => b.inChat('PATCH', '/membership', given);
  const mutedUntil = new Date(Date.now() + 3_600_000).toISOString();
  const membership = await set({ notify: 'mentions', mutedUntil, pinned: true });
  await b.hears('chat.membership', (event) => event.membership.version === membership.version);
  holds({
    'it is as B said': membership.notify === 'mentions' && membership.mutedUntil === mutedUntil,
    'it is among the pinned ones': await isListed(b, chatId, 'pinned'),
  });
  await set({ archived: true });
  holds({
    'it is among the archived ones': await isListed(b, chatId, 'archived'),
    'it is in no other list': !(await isListed(b, chatId)),
  });
  await set({ notify: 'all', mutedUntil: null, pinned: false, archived: false });
  holds({ 'it is back': await isListed(b, chatId) });
  return 'and takes it back';
}

async function deletion({ a, b }: Stage): Promise<string> {
  await readAll(b);
  const { id, sequence } = await a.say('To be deleted', { metadata: { gone: true } });
  const before = await b.membership();
  await a.inChat('DELETE', `/messages/${id}`);
  for (const who of [a, b]) {
    const { message } = await who.hears('chat.message.deleted', (event) => event.message.id === id);
    holds({ 'nothing of it is left': message.content === '' && message.metadata === undefined });
  }
  const left: Message = await b.inChat('GET', `/messages/${id}`);
  const after = await b.membership();
  holds({
    'its place is left': left.sequence === sequence && left.content === '' && left.deletedBy === a.id,
    'it is not unread any more': before.unreadCount === 1 && after.unreadCount === 0,
  });
  return `message ${sequence}`;
}

async function changes({ a, b, chatId }: Stage): Promise<string> {
  const { id } = await a.say('To be changed');
  const { eventSequence } = (await b.call('GET', `/chats/${chatId}`)) as Chat;
  await a.inChat('PATCH', `/messages/${id}`, { content: 'Changed' });
  const live = await b.hears('chat.message.updated', (event) => event.message.id === id);
  const page: ChangesPage = await b.inChat('GET', `/changes?after=${eventSequence}`);
  holds({
    'they are what the socket was sent': Bun.deepEquals(page.data, [
      { event: 'chat.message.updated', payload: live },
    ]),
    'they reach as far': page.eventSequence === live.eventSequence,
  });
  return `${page.data.length} after number ${eventSequence}`;
}

async function resume({ a, b, chatId }: Stage): Promise<string> {
  const membership = await readAll(b);
  const { id } = await a.say('While B was away');
  await a.inChat('DELETE', `/messages/${id}`);
  const { version } = await readAll(b);
  const back = await b.connect({
    cursors: { [chatId]: membership.eventSequence },
    membershipsSince: membership.version,
  });
  const { membershipVersion } = await b.hears('chat.ready', () => true, back);
  const [told] = back.heard('chat.membership');
  holds({
    'the message comes deleted, at both of its numbers':
      back.heard('chat.message.new').length > 0 && back.heard('chat.message.deleted').length > 0,
    'without its words': !JSON.stringify(back.events).includes('While B was away'),
    'B’s membership comes too': told?.membership.version === version && membershipVersion >= version,
  });
  return `${back.events.length} events`;
}

async function lead({ a, b }: Stage): Promise<string> {
  const changed: Chat = await a.inChat('PATCH', '', { name: 'Changed', metadata: { order: 7 } });
  const { chat } = await b.hears('chat.updated', (event) => event.eventSequence === changed.eventSequence);
  holds({ 'the event has the chat as it is now': chat.name === 'Changed' && chat.metadata?.order === 7 });
  await a.inChat('PATCH', `/participants/${b.id}`, { role: 'admin' });
  await b.hears('chat.participant.added', ({ participant }) => participant.role === 'admin');
  await b.inChat('PATCH', '', { posting: 'admins' });
  await a.hears('chat.updated', (event) => event.chat.posting === 'admins');
  await b.say('Of an admin');
  return 'name, metadata, role, posting';
}

async function end({ a, b, chatId }: Stage): Promise<string> {
  await b.inChat('DELETE', `/participants/${b.id}`);
  await a.hears('chat.participant.removed', (event) => event.participant.userId === b.id);
  await a.inChat('DELETE', '');
  await a.hears('chat.participant.removed', (event) => event.participant.userId === a.id);
  holds({ 'it is in A’s list no more': !(await isListed(a, chatId)) });
  return 'nothing of it is left in their lists';
}

/** Among the first: it is the newest. */
async function isListed(who: Stage['b'], chatId: string, filter?: string): Promise<boolean> {
  const page: Page<Chat> = await who.call('GET', `/chats?limit=100${filter ? `&filter=${filter}` : ''}`);
  return page.data.some(({ id }) => id === chatId);
}
