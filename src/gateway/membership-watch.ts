import type { Database } from '../db/database.ts';
import { isDatabaseUnavailable } from '../db/errors.ts';
import type { MembershipState } from '../db/queries/memberships.ts';
import { readMembershipStates } from '../db/queries/memberships.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Chat } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import { type ChatOf, createdFrame } from './chats.ts';
import type { Member } from './member.ts';
import type { OwnMemberships } from './own-memberships.ts';
import { resetFrame } from './reset.ts';
import type { Sequencer } from './sequencer.ts';
import type { Users } from './users.ts';

const mostPairs = 1_000;

/**
 * Brings a user's local sockets to what PostgreSQL says of one membership: who was added gets the chat and is in, without
 * connecting again; who was removed is out. A hint only says when to look.
 */
export function createMembershipWatch(deps: {
  database: Database;
  chatOf: ChatOf;
  users: Users;
  ownMemberships: OwnMemberships;
  sequencer: () => Sequencer;
  log: Logger;
}): (userId: string, chatId: string) => void {
  const { database, chatOf, users, ownMemberships, sequencer, log } = deps;
  const stateOf = createBatcher<{ userId: string; chatId: string }, MembershipState | undefined>({
    load: async (pairs) => {
      const states = await readMembershipStates(database, pairs);
      const byPair = new Map(states.map((state) => [`${state.userId} ${state.chatId}`, state]));
      return pairs.map(({ userId, chatId }) => byPair.get(`${userId} ${chatId}`));
    },
    keyOf: ({ userId, chatId }) => `${userId} ${chatId}`,
    mostKeys: mostPairs,
  });

  async function look(userId: string, chatId: string): Promise<void> {
    const state = await stateOf({ userId, chatId });
    const members = [...users.of(userId)].filter((member) => member.live);
    if (!state) return forget(members, chatId);
    if (state.present) {
      const outside = members.filter((member) => !member.chats.has(chatId));
      if (outside.length > 0) await bringIn(outside, userId, chatId);
    } else {
      sequencer().removed(userId, chatId, state.changedEventSequence, state.head);
    }
  }

  /** PostgreSQL knows nothing of this membership: a database that was restored to an older state. */
  function forget(members: readonly Member[], chatId: string): void {
    for (const member of members) {
      if (!member.chats.has(chatId)) continue;
      sequencer().leave(member, chatId);
      member.send(resetFrame({ chatId }));
    }
  }

  async function bringIn(members: readonly Member[], userId: string, chatId: string): Promise<void> {
    const read = await holdAndRead(members, userId, chatId);
    // Removed again, and perhaps added since, which was not looked at while they held the chat.
    if (!read) {
      await pause(fullJitterMs(0));
      return look(userId, chatId);
    }
    const { chat, added } = read;
    const { lastSequence, eventSequence } = chat;
    const frame = createdFrame(chat);
    await Promise.all(
      members.map((member) => {
        if (member.closed || !member.chats.has(chatId)) return undefined;
        // Nothing to tell of a chat without messages, which is what most are when they are created.
        const enters = lastSequence === 0 && sequencer().enter(member, chatId, eventSequence);
        if (enters) return member.send(frame(eventSequence));
        // Where they were removed and added again since the chat was read, from what was read on.
        const from = lastSequence === 0 ? eventSequence : Math.min(added - 1, eventSequence);
        const expected = eventSequence - from;
        const introduction = { through: eventSequence, frame };
        return sequencer().join(member, chatId, from, { expected, introduction });
      }),
    );
    ownMemberships.told(userId, chat.membership.version);
  }

  /**
   * The chat, and the number of the adding: as read once they hold it, so that it is none that they were told of before a removal.
   * @returns undefined for who is not in it; as when it throws, they hold it no longer
   */
  async function holdAndRead(members: readonly Member[], userId: string, chatId: string) {
    let read: { chat: Chat; added: number } | undefined;
    try {
      await Promise.all(members.map((member) => sequencer().hold(member, [chatId], 0)));
      const [state, chat] = await Promise.all([stateOf({ userId, chatId }), chatOf({ chatId, userId })]);
      if (chat && state?.present) read = { chat, added: state.changedEventSequence };
      return read;
    } finally {
      if (!read) for (const member of members) sequencer().leave(member, chatId);
    }
  }

  async function lookUntilSeen(userId: string, chatId: string): Promise<void> {
    for (let attempt = 0; users.of(userId).size > 0; attempt += 1) {
      try {
        return await look(userId, chatId);
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        await pause(fullJitterMs(attempt));
      }
    }
  }

  return (userId, chatId) => {
    // Until a comparison has seen that this came to its end.
    users.setMembershipVersion(userId, undefined);
    for (const member of users.of(userId)) if (!member.live) member.stale = true;
    lookUntilSeen(userId, chatId).catch((error) => {
      log.error({ err: error, chatId }, 'a membership could not be looked at');
    });
  };
}
