import { expect, test } from 'bun:test';
import {
  countUnread,
  type MessageTold,
  takeCounted,
  takeMembership,
  unreadOf,
} from '../../client/src/state/unread.ts';
import type { Membership, Message } from '../../src/shared/contract.ts';
import { createRandom } from '../../torture/random.ts';

const me = 'me';
/** Small, so that each history comes to them. */
const limits = { mostUnread: 6, mostLookedAt: 15 };
const longRun = 4;

/** The same numbers from the same seed: below what is asked for. */
const randomOf = (seed: number) => {
  const { next } = createRandom(seed);
  return (below: number) => Math.floor(next() * below);
};

/** One chat at the server, as far as the user's unread messages go: what the SQL says, in plain words. */
function createServer() {
  const messages: Message[] = [];
  let eventSequence = 0;
  let marker = 0;
  let version = 0;

  const isUnread = ({ senderId, messageType, deletedAt }: Message) =>
    senderId !== me && messageType !== 'system' && deletedAt === undefined;
  const mentionsMe = ({ mentions }: Message) =>
    mentions?.everyone === true || mentions?.userIds.includes(me) === true;
  /** The last states: a statement that writes may have begun before the last events. */
  const snapshots: { messages: readonly Message[]; eventSequence: number }[] = [];
  const keep = () => {
    snapshots.unshift({ messages: [...messages], eventSequence });
    snapshots.splice(4);
  };

  function settle(): void {
    const beyond = messages.slice(marker).findIndex(isUnread);
    const run = beyond < 0 ? messages.length - marker : beyond;
    if (run < longRun) return;
    marker += run;
    version += 1;
  }

  function membership(
    of: { messages: readonly Message[]; eventSequence: number } = { messages, eventSequence },
  ): Membership {
    const lookedAt = of.messages.slice(marker, marker + limits.mostLookedAt).filter(isUnread);
    return {
      ...{ chatId: 'chat', notify: 'all', mutedUntil: null, pinnedAt: null, archivedAt: null },
      ...{
        lastReadSequence: marker,
        version,
        lastSequence: of.messages.length,
        eventSequence: of.eventSequence,
      },
      unreadCount: Math.min(limits.mostUnread, lookedAt.length),
      unreadMentionCount: Math.min(limits.mostUnread, lookedAt.filter(mentionsMe).length),
    };
  }

  const change = (at: number, changed: Partial<Message>): MessageTold => {
    eventSequence += 1;
    const message = { ...messages[at]!, ...changed, version: eventSequence };
    messages[at] = message;
    keep();
    return { message, eventSequence };
  };

  return {
    length: () => messages.length,
    isDeleted: (at: number) => messages[at]?.deletedAt !== undefined,
    membership: () => membership(),
    /** As the chat is read, which settles. */
    shown(): Membership {
      settle();
      return membership();
    },
    say(of: Pick<Message, 'senderId' | 'messageType' | 'mentions'>): MessageTold {
      eventSequence += 1;
      const message = { sequence: messages.length + 1, ...of } as Message;
      messages.push(message);
      keep();
      return { message, eventSequence };
    },
    /** Somebody comes: a number that is about no message. */
    skip() {
      eventSequence += 1;
      keep();
    },
    edit: (at: number, mentions: Message['mentions']) => change(at, { mentions: mentions! }),
    erase(at: number) {
      const { sequence, senderId, messageType } = messages[at]!;
      messages[at] = { sequence, senderId, messageType } as Message;
      return change(at, { deletedAt: 'now' });
    },
    /** @param back of so many events the statement does not know */
    move(to: number, back: number): Membership {
      if (to !== marker) version += 1;
      marker = to;
      return membership(snapshots[back]);
    },
    marker: () => marker,
    /** Each message as it is now, under its creation and under its last change: what a client is told that was away. */
    changesAfter(cursor: number, creations: ReadonlyMap<number, number>): MessageTold[] {
      return messages
        .flatMap((message) => {
          const created = creations.get(message.sequence) ?? 0;
          const told = [{ message, eventSequence: created }];
          if (message.version !== undefined) told.push({ message, eventSequence: message.version });
          return told.filter((one) => one.eventSequence > cursor);
        })
        .sort((a, b) => a.eventSequence - b.eventSequence);
    },
    /** What scrolling through the history finds: all of it, however much. */
    scrolled: () => messages.slice(marker).filter(isUnread).length,
  };
}

type Server = ReturnType<typeof createServer>;

/** A device with what is on its way to it: events of the chat in their order, memberships in any. */
function createDevice(server: Server, random: (below: number) => number) {
  const unread = unreadOf(server.shown());
  let cursor = unread.membership.eventSequence;
  let events: MessageTold[] = [];
  let memberships: Membership[] = [];
  let online = true;
  let reads = 0;

  const hear = (event: MessageTold) => {
    takeCounted(unread, event, me);
    cursor = Math.max(cursor, event.eventSequence);
  };

  return {
    get reads() {
      return reads;
    },
    tell(event: MessageTold) {
      if (online) events.push(event);
    },
    give(membership: Membership) {
      // What is lost comes again at the next connect, by `membershipsSince`.
      if (online) memberships.push(membership);
    },
    step(creations: ReadonlyMap<number, number>) {
      const what = random(12);
      if (!online) {
        if (what > 3) return;
        online = true;
        for (const event of server.changesAfter(cursor, creations)) events.push(event);
        if (server.membership().version > unread.membership.version) memberships.push(server.membership());
      } else if (what === 0) {
        [online, events, memberships] = [false, [], []];
      } else if (what < 4 && memberships.length > 0) {
        takeMembership(unread, memberships.splice(random(memberships.length), 1)[0]!);
      } else if (what === 4 && cursor > 0) {
        // A repeat.
        for (const event of server.changesAfter(Math.max(0, cursor - 2), creations))
          if (event.eventSequence <= cursor) hear(event);
      } else if (events.length > 0) hear(events.shift()!);
    },
    settle(creations: ReadonlyMap<number, number>) {
      online = true;
      for (const event of server.changesAfter(cursor, creations)) hear(event);
      for (const membership of memberships) takeMembership(unread, membership);
      // `membershipsSince`.
      if (server.membership().version > unread.membership.version)
        takeMembership(unread, server.membership());
      if (countUnread(unread, me, limits).stale) {
        reads += 1;
        takeMembership(unread, server.shown());
      }
    },
    counted: () => countUnread(unread, me, limits),
    /** Without a membership from the server: by what it was told alone. */
    settleAlone(creations: ReadonlyMap<number, number>) {
      online = true;
      for (const membership of memberships) takeMembership(unread, membership);
      for (const event of server.changesAfter(cursor, creations)) hear(event);
      return unread.membership.version;
    },
  };
}

function play(seed: number, steps: number) {
  const random = randomOf(seed);
  const server = createServer();
  const creations = new Map<number, number>();
  const devices = [1, 2, 3].map(() => createDevice(server, random));
  const tellAll = (event: MessageTold) => {
    for (const device of devices) device.tell(event);
  };
  const giveAll = (membership: Membership) => {
    for (const device of devices) device.give(membership);
  };
  const someMentions = () =>
    [
      undefined,
      undefined,
      { userIds: [me] },
      { userIds: ['other'] },
      { userIds: [], everyone: true as const },
    ][random(5)];

  for (let step = 0; step < steps; step += 1) {
    const what = random(20);
    const at = random(Math.max(1, server.length()));
    if (what < 8) {
      const mentions = someMentions();
      const said = server.say({
        senderId: random(4) === 0 ? me : 'other',
        messageType: random(10) === 0 ? 'system' : 'text',
        ...(mentions ? { mentions } : {}),
      });
      creations.set(said.message.sequence, said.eventSequence);
      tellAll(said);
    } else if (what < 10 && server.length() > 0 && !server.isDeleted(at)) tellAll(server.erase(at));
    else if (what === 10 && server.length() > 0 && !server.isDeleted(at))
      tellAll(server.edit(at, someMentions()));
    else if (what === 11) server.skip();
    else if (what === 12) giveAll(server.move(Math.max(server.marker(), at), random(3)));
    else if (what === 13 && random(3) === 0) giveAll(server.move(at, random(3)));
    // Somebody reads the chat, and nobody else is told that it settled.
    else if (what === 14) devices[random(3)]!.give(server.shown());
    for (const device of devices) device.step(creations);
  }
  return { server, devices, creations };
}

test('of whatever was told in whatever order, each device counts what the server does, and what scrolling finds', () => {
  let reads = 0;
  let counted = 0;
  for (let seed = 1; seed <= 1_500; seed += 1) {
    const { server, devices, creations } = play(seed, 120);
    for (const device of devices) device.settle(creations);
    const { unreadCount, unreadMentionCount } = server.membership();
    for (const device of devices) {
      expect({ seed, ...device.counted() }).toEqual({ seed, unreadCount, unreadMentionCount, stale: false });
      reads += device.reads;
      counted += 1;
    }
    const { unreadCount: shown } = server.shown();
    // A marker that stands before few messages of others and many of one's own: the rest is not looked at.
    if (server.membership().lastSequence - server.marker() <= limits.mostLookedAt) {
      expect({ seed, shown }).toEqual({ seed, shown: Math.min(limits.mostUnread, server.scrolled()) });
    }
  }
  // Mostly it knows by itself.
  expect(reads / counted).toBeLessThan(0.6);
});

test('a device that has the newest membership, and is not stale, needs no other to count right', () => {
  let alone = 0;
  for (let seed = 5_000; seed < 6_500; seed += 1) {
    const { server, devices, creations } = play(seed, 60);
    for (const device of devices) {
      const version = device.settleAlone(creations);
      const { stale, ...counted } = device.counted();
      const { unreadCount, unreadMentionCount } = server.membership();
      if (stale || version !== server.membership().version) continue;
      alone += 1;
      expect({ seed, ...counted }).toEqual({ seed, unreadCount, unreadMentionCount });
    }
  }
  expect(alone).toBeGreaterThan(1_000);
});
