import { expect, test } from 'bun:test';
import { createPauses } from '../../client/src/backoff.ts';
import { createTake } from '../../client/src/changes.ts';
import { type ChatsInput, type ChatsState, ConfabError, foldChats, noChats } from '../../client/src/index.ts';
import { cursorsOf } from '../../client/src/keeper.ts';
import { createMessageList } from '../../client/src/message-list.ts';
import type { Outbox } from '../../client/src/outbox.ts';
import { createParticipants } from '../../client/src/participants.ts';
import { createReader } from '../../client/src/reader.ts';
import type { Requests } from '../../client/src/request.ts';
import { chatIn, type ServerEvent } from '../../client/src/state/chats.ts';
import { windowLimits } from '../../client/src/state/messages.ts';
import { createUnreadTotal } from '../../client/src/unread-total.ts';
import type { Chat, Membership } from '../../src/shared/contract.ts';
import { createRandom, type Random } from '../../torture/random.ts';
import { comparable, createModel, type Model, me } from '../support/client-model.ts';
import { eventually } from '../support/eventually.ts';

/** A user's chats in a database; the user may be taken out of one, and be added again. */
function createServer(random: Random) {
  let version = 0;
  const models = ['a', 'b', 'c', 'd'].map((id) => createModel(random, id, () => ++version));
  const mine = () => models.filter((model) => model.isIn());
  const byId = (id: string) => models.find((model) => model.id === id)!;
  return {
    models,
    version: () => version,
    mine,
    byId,
    chat: (id: string): Chat | undefined => (byId(id).isIn() ? byId(id).chat() : undefined),
    list(cursor: string | null | undefined, limit: number) {
      const ids = mine().map(({ id }) => id);
      const from = ids.filter((id) => !cursor || id > cursor);
      const data = from.slice(0, limit).map((id) => byId(id).chat());
      return { data, nextCursor: from.length > limit ? data.at(-1)!.id : null };
    },
  };
}
type Server = ReturnType<typeof createServer>;

const told = (event: object): ChatsInput => ({ kind: 'told', ...(event as ServerEvent) });
const membershipTold = (membership: Membership) =>
  told({ event: 'chat.membership', payload: { membership } });
const createdTold = (model: Model) => told({ event: 'chat.created', payload: { chat: model.chat() } });
const resetTold = (payload: object) => told({ event: 'chat.sync.reset', payload });

function createDevice(server: Server, random: Random) {
  let state: ChatsState = noChats(me);
  /** Of the connection: in order. */
  let events: ChatsInput[] = [];
  /** Answers: in any. */
  let answers: ChatsInput[] = [];
  let isOnline = true;
  const fold = (input: ChatsInput) => {
    state = foldChats(state, input);
  };

  const listPage = (first: boolean): ChatsInput => {
    const cursor = first ? undefined : state.listed?.nextCursor;
    return { kind: 'page', ...server.list(cursor, random.integer(1, 3)), first, asked: state };
  };
  const pinned = (): ChatsInput => ({ kind: 'pinned', data: server.list(undefined, 2).data, asked: state });
  const chatAnswer = (id: string): ChatsInput => {
    const asked = chatIn(state, id);
    const { epoch } = asked;
    const chat = server.chat(id);
    return { kind: 'in', chatId: id, input: chat ? { kind: 'chat', chat, epoch } : { kind: 'gone', asked } };
  };

  function connect(): void {
    isOnline = true;
    const since = state.membershipsSince;
    const isKnown = state.listed !== undefined && since !== undefined;
    const cursors = isKnown ? cursorsOf(state) : {};
    fold({ kind: 'connects', cursors });
    if (isKnown) resume(cursors, since);
    events.push(told({ event: 'chat.ready', payload: { membershipVersion: server.version() } }));
  }
  /** As the server does: what has changed since, before it is ready. */
  function resume(cursors: Record<string, number>, since: number): void {
    for (const [id, cursor] of Object.entries(cursors)) {
      const model = server.byId(id);
      if (!model.isIn()) events.push(told(model.ownEvent()));
      else if (random.next() < 0.2) events.push(resetTold({ chatId: id, eventSequence: model.number() }));
      else events.push(...model.changesAfter(cursor).map(told));
    }
    for (const model of server.mine()) if (!Object.hasOwn(cursors, model.id)) events.push(createdTold(model));
    for (const model of server.mine())
      if (model.membership().version > since) events.push(membershipTold(model.membership()));
  }
  function disconnect(): void {
    [isOnline, events] = [false, []];
    fold({ kind: 'connects', cursors: cursorsOf(state) });
    answers = answers.filter(() => random.next() < 0.5);
  }
  const takeAnswer = () => {
    const [answer] = answers.splice(random.integer(0, answers.length - 1), 1);
    if (answer) fold(answer);
  };

  return {
    tell(input: ChatsInput) {
      if (isOnline) events.push(input);
    },
    give(id: string, membership: Membership) {
      const { epoch } = chatIn(state, id);
      if (isOnline)
        answers.push({ kind: 'in', chatId: id, input: { kind: 'membership', membership, epoch } });
    },
    step() {
      const what = random.integer(0, 13);
      if (!isOnline) {
        if (what < 4) connect();
        else takeAnswer();
      } else if (what === 0) disconnect();
      else if (what < 3) answers.push(listPage(what === 1 || !state.listed?.nextCursor));
      else if (what === 3)
        answers.push(random.next() < 0.5 ? pinned() : chatAnswer(random.pick(server.models).id));
      // What waited is lost.
      else if (what === 4) events = [resetTold({})];
      else if (what < 8) takeAnswer();
      else {
        const next = events.shift();
        if (next) fold(next);
      }
    },
    /** All that is on its way comes, and what has to be read is read. */
    settle() {
      if (!isOnline) connect();
      while (events.length + answers.length > 0) {
        const next = random.next() < 0.5 ? events.shift() : undefined;
        if (next) fold(next);
        else takeAnswer();
      }
      if (state.stale) fold(listPage(true));
      while (state.listed?.nextCursor) fold(listPage(false));
      for (const { id, stale } of state.chats.values()) if (stale) fold(chatAnswer(id));
    },
    state: () => state,
  };
}

function play(seed: number, steps: number) {
  const random = createRandom(seed);
  const server = createServer(random);
  const devices = [1, 2].map(() => createDevice(server, random));
  const tell = (input: ChatsInput) => {
    for (const device of devices) device.tell(input);
  };
  for (let step = 0; step < steps; step += 1) {
    const model = random.pick(server.models);
    const what = random.next();
    if (!model.isIn()) {
      if (what < 0.3) {
        model.join();
        tell(createdTold(model));
      } else if (what < 0.5) model.change();
    } else if (what < 0.5) {
      const change = model.change();
      if (change) tell(told(change));
    } else if (what < 0.55) {
      model.leave();
      tell(told(model.ownEvent()));
    } else if (what < 0.65) {
      const membership = model.read();
      tell(membershipTold(membership));
      devices[0]!.give(model.id, membership);
    }
    for (const device of devices) device.step();
  }
  for (const device of devices) device.settle();
  return { server, devices };
}

test('lists, pages, chats, memberships and resets, in whatever order, come to the chats that the database has', () => {
  // Those at the end once came to something else.
  for (const seed of [...Array.from({ length: 150 }, (_, at) => at + 1), 11_659, 23_170, 34_278]) {
    const { server, devices } = play(seed, 60);
    for (const { state } of devices) {
      const { items, stale } = state();
      expect({ seed, stale, all: [...state().chats.values()].filter((one) => one.stale) }).toEqual({
        ...{ seed, stale: false, all: [] },
      });
      const shown = items.map(comparable).toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect({ seed, shown }).toEqual({
        seed,
        shown: server.mine().map((model) => comparable(model.chat())),
      });
    }
  }
}, 60_000);

/** A server that answers when it is told to. */
function createAnswers() {
  const waiting: { path: string; answer: (body: object) => void; refuse: (error: Error) => void }[] = [];
  const paths: string[] = [];
  const ask = ((_, path) =>
    new Promise<never>((answer, refuse) => {
      paths.push(path);
      waiting.push({ path, answer: answer as (body: object) => void, refuse });
    })) as Requests['once'];
  return {
    requests: { once: ask, patiently: ask, serverNow: Date.now } satisfies Requests,
    paths,
    async next() {
      await eventually('it is asked', () => waiting.length > 0);
      return waiting.shift()!;
    },
  };
}

function createWorld(whose = me) {
  const answers = createAnswers();
  const world = { ...answers, state: noChats(whose), isRunning: true };
  const fold = (input: ChatsInput) => {
    world.state = foldChats(world.state, input);
  };
  const state = () => world.state;
  const reader = createReader({
    ...{ requests: answers.requests, pauses: createPauses(), fold, take: createTake(state, fold), state },
    ...{ isRunning: () => world.isRunning, onLoading: () => {} },
  });
  return Object.assign(world, { reader, fold });
}
const aChat = (changes: Partial<Chat> = {}): Chat => {
  const model = createModel(createRandom(1), 'x');
  return { ...model.chat(), ...changes };
};
const mentioned = (unreadMentionCount: number): Chat => {
  const chat = aChat();
  const counts = { unreadCount: unreadMentionCount, unreadMentionCount };
  return { ...chat, membership: { ...chat.membership, ...counts } };
};

test('what one user asked for does not become the next one’s', async () => {
  const world = createWorld('ada');
  world.reader.look();
  (await world.next()).answer({ data: [], nextCursor: null });
  const list = await world.next();
  world.state = noChats('bob');
  list.answer({ data: [aChat()], nextCursor: null });
  const again = await world.next();
  expect(world.state.chats.size).toBe(0);
  again.answer({ data: [], nextCursor: null });
  await eventually('it is read', () => world.state.listed !== undefined);
  expect(world.state.items).toEqual([]);
});

test('a list that was asked before a chat was reset does not hide what was missed', async () => {
  const world = createWorld();
  const chat = aChat({ eventSequence: 10 });
  world.fold(createdTold({ chat: () => chat } as Model));
  world.reader.look();
  (await world.next()).answer({ data: [], nextCursor: null });
  const list = await world.next();
  world.fold(resetTold({ chatId: 'x', eventSequence: 700 }));
  list.answer({ data: [chat], nextCursor: null });
  const again = await world.next();
  expect(again.path).toBe('/chats/x');
  expect(world.state.chats.get('x')?.cursor).toBeUndefined();
  // A proxy says so, not the server.
  again.refuse(new ConfabError('internal_error', 'no', { status: 404 }));
  await Promise.resolve();
  expect(world.state.chats.get('x')?.goneAt).toBeUndefined();
  world.isRunning = false;
});

test('what was asked before a connect says neither that the list is read nor up to which version', () => {
  const asked = noChats(me);
  let state = foldChats(asked, { kind: 'connects', cursors: {} });
  state = foldChats(state, { kind: 'page', data: [], nextCursor: null, first: true, asked });
  expect(state).toMatchObject({ stale: true, listed: undefined });
  state = foldChats(state, told({ event: 'chat.ready', payload: { membershipVersion: 4 } }));
  const membership = { ...aChat().membership, version: 5 };
  state = foldChats(state, { kind: 'in', chatId: 'x', input: { kind: 'membership', membership, epoch: {} } });
  expect(state.membershipsSince).toBe(4);
  expect(foldChats(state, membershipTold(membership)).membershipsSince).toBe(5);
});

test('what a later version tells, or tells without anything, does no harm', () => {
  const { fold, state } = createWorld();
  for (const payload of [undefined, 'text', { chatId: 'x' }])
    fold(told({ event: 'chat.of.tomorrow', payload }));
  expect(state.chats.size).toBe(0);
});

test('mentions in chats that are not held are counted once, also when one becomes held', async () => {
  const world = createWorld();
  const total = createUnreadTotal({ requests: world.requests, state: () => world.state, now: Date.now });
  const server = { unreadChats: 1, unreadMentions: 2, chatIds: ['x'] };
  world.fold({ kind: 'page', data: [], nextCursor: null, first: true, asked: world.state });
  const asked = total.ask();
  (await world.next()).answer(server);
  await asked;
  expect(total.store.getSnapshot()).toEqual({ chats: 1, mentions: 2 });
  world.fold(createdTold({ chat: () => mentioned(2) } as Model));
  total.refresh();
  (await world.next()).answer(server);
  await eventually('it is counted', () => total.store.getSnapshot().mentions === 2);
  expect(total.store.getSnapshot()).toEqual({ chats: 1, mentions: 2 });
});

test('who is shown again after a change of users holds as much as before', () => {
  const world = createWorld('');
  const list = createMessageList({
    ...{ chatId: 'x', me: () => world.state.me, requests: world.requests, pauses: createPauses() },
    ...{ outbox: { of: () => [] } as unknown as Outbox, state: () => chatIn(world.state, 'x') },
    fold: (input) => world.fold({ kind: 'in', chatId: 'x', input }),
  });
  const end = list.subscribe(() => {});
  world.state = noChats(me);
  list.refresh();
  expect(chatIn(world.state, 'x').messages.limit).toBe(windowLimits.shown);
  world.fold({ kind: 'in', chatId: 'x', input: { kind: 'shown', shown: true } });
  end();
});

test('after a connect only the participants that somebody looks at are read again', async () => {
  const { requests, paths, next } = createAnswers();
  const participants = createParticipants({ chatId: 'x', me: () => me, requests, canLoad: () => true });
  const loaded = participants.people.load();
  (await next()).answer({ data: aChat().participants, nextCursor: null });
  await loaded;
  participants.refresh();
  expect(paths).toHaveLength(1);
  const end = participants.people.subscribe(() => {});
  (await next()).answer({ data: [], nextCursor: null });
  await eventually('it is read', () => participants.people.getSnapshot().length === 0);
  participants.refresh();
  expect(paths).toHaveLength(3);
  end();
});
