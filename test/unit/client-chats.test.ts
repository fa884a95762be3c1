import { expect, test } from 'bun:test';
import { createPauses } from '../../client/src/backoff.ts';
import { type ChatsInput, type ChatsState, ConfabError, foldChats, noChats } from '../../client/src/index.ts';
import { cursorsOf } from '../../client/src/keeper.ts';
import { createParticipants } from '../../client/src/participants.ts';
import { createReader } from '../../client/src/reader.ts';
import type { Requests } from '../../client/src/request.ts';
import { chatIn, type ServerEvent } from '../../client/src/state/chats.ts';
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
      if (model.membership().version > since)
        events.push(membershipTold(model.membership()));
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
      const what = random.integer(0, 15);
      if (!isOnline) {
        if (what < 4) connect();
        else takeAnswer();
      } else if (what === 0) disconnect();
      else if (what < 3) answers.push(listPage(what === 1 || !state.listed?.nextCursor));
      else if (what === 3)
        answers.push(random.next() < 0.5 ? pinned() : chatAnswer(random.pick(server.models).id));
      else if (what === 4 && random.next() < 0.3) events.push(resetTold({}));
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
  for (let seed = 1; seed <= 200; seed += 1) {
    const { server, devices } = play(seed, 80);
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
});
