import { expect, test } from 'bun:test';
import { type ChatInput, type ChatState, foldChat, noChat } from '../../client/src/index.ts';
import type { ChatChange, Message } from '../../src/shared/contract.ts';
import { createRandom, type Random } from '../../torture/random.ts';
import { asInput, chatId, createModel, type Model, me } from '../support/client-model.ts';

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
    state = foldChat(state, input);
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
    if (answer) fold(answer);
  };

  return {
    tell(change: ChatChange) {
      if (isOnline) events.push(asInput(change));
    },
    give(input: ChatInput) {
      if (isOnline) answers.push(input);
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
    } else if (random.next() < 0.1) {
      const membership = model.read();
      for (const device of devices) device.give({ kind: 'membership', membership });
    }
    for (const device of devices) device.step();
  }
  for (const device of devices) device.settle();
  return { model, devices };
}

const byUser = (a: { userId: string }, b: { userId: string }) => (a.userId < b.userId ? -1 : 1);

test('whatever is told, read, answered, repeated and reset, in whatever order, comes to what the database has', () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const { model, devices } = play(seed, 90);
    for (const { state } of devices) {
      const { item, messages, stale, cursor } = state();
      const { lastActivityAt: _, ...chat } = model.chat();
      expect({ seed, stale, cursor }).toEqual({ seed, stale: false, cursor: expect.any(Number) });
      const { lastActivityAt: __, ...shown } = item!;
      const { eventSequence, lastSequence, ...membership } = chat.membership;
      expect({
        seed,
        ...shown,
        lastMessage: shown.lastMessage && known(shown.lastMessage),
        eventSequence: chat.eventSequence,
        participants: shown.participants.toSorted(byUser),
        membership: { ...shown.membership, eventSequence, lastSequence },
      }).toEqual({
        seed,
        ...chat,
        participants: chat.participants.toSorted(byUser),
        membership: { ...membership, eventSequence, lastSequence },
        lastMessage: chat.lastMessage && known(chat.lastMessage),
      } as never);
      const window = messages.window!.map(({ message: { state: _, ...message } }) =>
        known(message as Message),
      );
      const first = window[0]?.sequence ?? 1;
      const { data } = model.page({ after: first - 1 }, window.length);
      expect({ seed, window }).toEqual({ seed, window: data.map(known) } as never);
      expect({ seed, last: messages.lastSequence }).toEqual({ seed, last: model.chat().lastSequence });
    }
  }
});

/** Of a reaction of more people than are named, nobody can know after a resume whether the user is among them. */
function known<Of extends Pick<Message, 'reactions'>>(message: Of): Of {
  if (!message.reactions) return message;
  const reactions = message.reactions.map(({ own, ...reaction }) =>
    own && (reaction.userIds.includes(me) || reaction.count === reaction.userIds.length)
      ? { ...reaction, own }
      : reaction,
  );
  return { ...message, reactions };
}
