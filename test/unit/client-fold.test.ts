import { expect, test } from 'bun:test';
import { type ChatInput, type ChatState, foldChat, noChat } from '../../client/src/index.ts';
import { hasAfter } from '../../client/src/state/messages.ts';
import type { ChatChange, Message, MessageReactions } from '../../src/shared/contract.ts';
import { createRandom, type Random } from '../../torture/random.ts';
import { asInput, chatId, comparable, createModel, known, type Model, me } from '../support/client-model.ts';

/** A client of one chat, with what is on its way to it. */
function createDevice(model: Model, random: Random) {
  let state: ChatState = foldChat(noChat(chatId, me), { kind: 'shown', shown: true });
  /** Of the connection: in order. */
  let events: ChatInput[] = [];
  /** Answers: in any. */
  let answers: ChatInput[] = [];
  let isOnline = true;
  /** What it was told since the last reset, and may be told again. */
  let told: ChatInput[] = [];
  const fold = (input: ChatInput) => {
    const wasLatest = state.cursor !== undefined && state.messages.window && !hasAfter(state.messages);
    state = foldChat(state, input);
    // Nothing that is told is missing at the end of what is shown.
    if (wasLatest && input.kind === 'event' && hasAfter(state.messages))
      throw new Error('It is not the latest.');
    if (input.kind === 'reset') told = [];
    if (input.kind === 'event') told.push(input);
  };

  function askPage(): void {
    const { window } = state.messages;
    const [first, last] = [window?.[0]?.message.sequence, window?.at(-1)?.message.sequence];
    const { from } = random.pick([
      { from: undefined },
      { from: { before: first ?? 3 } },
      { from: { after: last ?? 1 } },
      { from: { after: random.integer(0, state.messages.lastSequence) } },
    ]);
    fold({ kind: 'asks' });
    const jump = random.next() < 0.3 || from === undefined;
    answers.push({ kind: 'page', page: model.page(from, random.integer(2, 6)), jump, epoch: state.epoch });
  }
  const askChat = () => answers.push({ kind: 'chat', chat: model.chat(), epoch: state.epoch });
  function askMessage(): void {
    const message = model.message(random.integer(0, model.number()));
    if (message) answers.push({ kind: 'message', message, at: state.cursor ?? 0, epoch: state.epoch });
  }
  function connect(): void {
    isOnline = true;
    if (state.cursor === undefined) askChat();
    else if (random.next() < 0.3) {
      events = [{ kind: 'reset' }];
    } else events = model.changesAfter(state.cursor).map(asInput);
    // `membershipsSince`.
    if (state.unread?.membership.version !== model.membership().version)
      events.push({ kind: 'membership', membership: model.membership() });
  }
  function disconnect(): void {
    [isOnline, events] = [false, []];
    if (state.cursor === undefined) fold({ kind: 'reset' });
    // Requests may be answered, or not.
    answers = answers.filter((one) => {
      if (random.next() < 0.5) return true;
      if (one.kind === 'page') fold({ kind: 'unanswered' });
      return false;
    });
  }
  const takeAnswer = () => {
    const [answer] = answers.splice(random.integer(0, answers.length - 1), 1);
    // Of some messages nobody knows what was known when they were asked for.
    const isVague = answer?.kind === 'message' && random.next() < 0.3;
    if (answer) fold(isVague ? { ...answer, at: 0, epoch: state.epoch } : answer);
  };

  return {
    tell(change: ChatChange) {
      if (isOnline) events.push(asInput(change));
    },
    give(input: ChatInput) {
      if (isOnline) answers.push(input);
    },
    reacted(reactions: MessageReactions) {
      if (isOnline) answers.push({ kind: 'reactions', reactions, epoch: state.epoch });
    },
    step() {
      const what = random.integer(0, 19);
      if (!isOnline) {
        if (what < 4) connect();
        else if (answers.length > 0) takeAnswer();
      } else if (what === 0) disconnect();
      else if (what < 4) askPage();
      else if (what === 4) askChat();
      else if (what === 5) askMessage();
      else if (what < 10 && answers.length > 0) takeAnswer();
      else if (what === 10 && told.length > 0) {
        // A repeat of what it has been told already.
        fold(random.pick(told));
      } else if (what === 11) fold({ kind: 'shown', shown: random.next() < 0.5 });
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
        else if (answers.length > 0) takeAnswer();
      }
      for (let reads = 0; state.stale && reads < 3; reads += 1) fold({ kind: 'chat', chat: model.chat() });
      if (state.messages.window) return;
      fold({ kind: 'asks' });
      fold({ kind: 'page', page: model.page(undefined, 5), jump: false, epoch: state.epoch });
    },
    state: () => state,
  };
}

function play(seed: number, steps: number) {
  const random = createRandom(seed);
  const model = createModel(random);
  const devices = [1, 2].map(() => createDevice(model, random));
  for (let step = 0; step < steps; step += 1) {
    if (random.next() < 0.4) {
      const change = model.change();
      if (change) for (const device of devices) device.tell(change);
      if (change?.event === 'chat.message.reactions' && change.payload.by?.[0]?.userId === me)
        devices[0]!.reacted(model.reactions(change.payload.messageId));
    } else if (random.next() < 0.1) {
      const membership = model.read();
      for (const device of devices) device.give({ kind: 'membership', membership });
    }
    for (const device of devices) device.step();
  }
  for (const device of devices) device.settle();
  return { model, devices };
}

test('whatever is told, read, answered, repeated and reset, in whatever order, comes to what the database has', () => {
  // Those at the end once came to something else.
  for (const seed of [...Array.from({ length: 200 }, (_, at) => at + 1), 28_971, 35_135]) {
    const { model, devices } = play(seed, 90);
    for (const { state } of devices) {
      const { item, messages, stale, cursor } = state();
      expect({ seed, stale, cursor }).toEqual({ seed, stale: false, cursor: expect.any(Number) });
      expect({ seed, ...comparable(item!) }).toEqual({ seed, ...comparable(model.chat()) });
      const window = messages.window!.map(({ message: { state: _, ...message } }) =>
        known(message as Message),
      );
      const first = window[0]?.sequence ?? 1;
      const { data } = model.page({ after: first - 1 }, window.length);
      expect({ seed, window }).toEqual({ seed, window: data.map(known) } as never);
      expect({ seed, last: messages.lastSequence }).toEqual({ seed, last: model.chat().lastSequence });
    }
  }
}, 60_000);

const fold = (state: ChatState, ...inputs: ChatInput[]): ChatState => inputs.reduce(foldChat, state);

/** A chat that was read, with its newest page, and a message of `react`'s. */
function readChat() {
  const model = createModel(createRandom(1));
  while (model.chat().lastSequence < 3) model.change();
  const empty = noChat(chatId, me);
  const { epoch } = empty;
  const state = fold(
    empty,
    { kind: 'chat', chat: model.chat(), epoch },
    { kind: 'asks' },
    { kind: 'page', page: model.page(undefined, 50), jump: false, epoch },
  );
  const message = (sequence: number) => state.messages.window![sequence - 1]!.message as Message;
  return { model, state, epoch, at: model.number(), message };
}
const told = (message: Message, sequence: number, eventSequence: number): ChatInput => ({
  kind: 'event',
  event: 'chat.message.new',
  payload: { chatId, message: { ...message, id: `new ${sequence}`, sequence }, eventSequence },
});

test('an answer that overtakes events does not stop the list', () => {
  const { state, epoch, at, message } = readChat();
  const end = state.messages.lastSequence;
  const reactions = [{ key: '👍', count: 1, userIds: [me], own: true as const }];
  const answer = { messageId: message(1).id, reactions, eventSequence: at + 2 };
  const next = fold(
    state,
    { kind: 'reactions', reactions: answer, epoch },
    told(message(1), end + 1, at + 1),
    told(message(1), end + 2, at + 3),
  );
  expect(next.messages.window!.map((one) => one.message.sequence).slice(-2)).toEqual([end + 1, end + 2]);
  expect(hasAfter(next.messages)).toBe(false);
});

test('what is older than what was read is not what comes next: it may have been changed, and that is not told again', () => {
  const { model, epoch, at, message } = readChat();
  const page = model.page({ after: 0 }, 2);
  const late = told(message(3), 3, at - 1);
  const asks: ChatInput = { kind: 'asks' };
  const read: ChatInput = { kind: 'page', page, jump: false, epoch };
  const chat: ChatInput = { kind: 'chat', chat: model.chat(), epoch };
  for (const inputs of [
    [chat, asks, read, late],
    [asks, late, read, chat],
  ]) {
    const { messages } = fold(noChat(chatId, me, epoch), ...inputs);
    expect(messages.window!.map((one) => one.message.sequence)).toEqual([1, 2]);
    expect(hasAfter(messages)).toBe(true);
  }
});

test('an answer says which reactions are one’s own, also after an event of the same number that does not', () => {
  const { state, epoch, at, message } = readChat();
  const { id: messageId, sequence } = message(1);
  const reactions = [{ key: '👍', count: 30, userIds: ['user-1'] }];
  const next = fold(
    state,
    {
      ...{ kind: 'event', event: 'chat.message.reactions' },
      payload: { chatId, messageId, sequence, reactions, eventSequence: at + 1 },
    },
    {
      kind: 'reactions',
      reactions: { messageId, reactions: [{ ...reactions[0]!, own: true }], eventSequence: at + 1 },
      epoch,
    },
  );
  expect(next.messages.window![0]!.message.reactions).toEqual([{ ...reactions[0]!, own: true }]);
});

test('a change of a later version counts by its number alone', () => {
  const { state, at } = readChat();
  const unknown = { kind: 'event', event: 'chat.pinned', payload: { chatId, eventSequence: at + 1 } };
  const next = fold(state, unknown as unknown as ChatInput);
  expect(next).toEqual({ ...state, cursor: at + 1, toldAt: at + 1, item: next.item });
});

test('who is out is told of nothing older, and is in again by what is newer than the question', () => {
  const { model, state, epoch, at, message } = readChat();
  const further = fold(state, told(message(1), state.messages.lastSequence + 1, at + 5));
  const out = fold(further, { kind: 'gone', asked: further });
  expect(out).toMatchObject({ goneAt: at + 5, stale: false, item: undefined });
  expect(fold(out, { kind: 'chat', chat: { ...model.chat(), eventSequence: at + 5 } }).item).toBeUndefined();
  // Only who takes part in it is told from where on it goes on.
  const resets = [{}, { at: at + 5 }, { at: at + 6 }].map((from) => fold(out, { kind: 'reset', ...from }));
  expect(resets.map(({ stale }) => stale)).toEqual([false, false, true]);
  const chat = { ...model.chat(), eventSequence: at + 7 };
  expect(fold(out, { kind: 'chat', chat, epoch }).item).toBeUndefined();
  const again = fold(out, { kind: 'chat', chat });
  expect(again.item?.id).toBe(chatId);
  expect(fold(again, { kind: 'gone', asked: out })).toBe(again);
});

test('parts that nothing has changed are the same objects', () => {
  const { state, at, message } = readChat();
  const own = { ...message(1), senderId: me };
  const next = fold(state, told(own, state.messages.lastSequence + 1, at + 1));
  expect(next.item).not.toBe(state.item);
  expect(next.item!.participants).toBe(state.item!.participants);
  expect(next.item!.membership).toBe(state.item!.membership);
});

test('a page says that there is more after it, also where the chat is not read yet', () => {
  const { model } = readChat();
  const empty = noChat(chatId, me);
  const page = model.page({ after: 0 }, 2);
  const next = fold(empty, { kind: 'asks' }, { kind: 'page', page, jump: true, epoch: empty.epoch });
  expect(hasAfter(next.messages)).toBe(true);
});
