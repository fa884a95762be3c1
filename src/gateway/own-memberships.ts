import { mostChanges } from '../changes/limits.ts';
import type { Database } from '../db/database.ts';
import { isDatabaseUnavailable } from '../db/errors.ts';
import type { UserVersions } from '../db/queries/memberships.ts';
import {
  type OwnMemberships as Own,
  type OwnMembershipsWanted,
  readOwnMemberships,
} from '../db/queries/own-memberships.ts';
import { fullJitterMs, pause } from '../shared/backoff.ts';
import type { Membership, MembershipEvent } from '../shared/contract.ts';
import type { Logger } from '../shared/log.ts';
import { createBatcher } from './batch.ts';
import { frameOf } from './fan-out.ts';
import type { Member } from './member.ts';
import { resetFrame } from './reset.ts';
import type { LocalUser, Users } from './users.ts';

export interface Known {
  told: number | undefined;
  announced: number;
}

/** Of a user who is not there. */
const nothing: Own = { version: 0, readReceipts: true, showPresence: true, memberships: [] };
/** How long one that is missing is waited for, before PostgreSQL is asked. */
const patienceMs = 100;
/** Users of one statement. */
const mostUsers = 200;

/**
 * What a user has read and set, told to all of their sockets. Its changes are numbered 1, 2, 3 … for each user, so a gateway
 * notices that one was not announced, or not heard, and reads what is missing.
 */
export interface OwnMemberships {
  /** After the user's topic is acknowledged. @param since of what the client knows */
  read(userId: string, since: number): Promise<Own>;
  /** How far the user's sockets have been told, and how often of the setting. */
  known(userId: string): Known | undefined;
  /** In the tick in which the member goes live: tells what was read, after that was `known`. */
  goesLive(member: Member, own: Own, known: Known | undefined): void;
  /** A membership as announced: told at once, after those that are held. */
  offer(userId: string, membership: Membership): void;
  /** The same, to be told with something else, or with the next one. */
  hold(userId: string, membership: Membership): void;
  /** Tells what is held. */
  release(userId: string): void;
  /** The sockets of the user have been told of this one with something else. */
  told(userId: string, version: number): void;
  /** What PostgreSQL says, asked after that was `known`. */
  compare(versions: UserVersions, known: Known | undefined): void;
}

export function createOwnMemberships(deps: {
  database: Database;
  users: Users;
  log: Logger;
}): OwnMemberships {
  const { database, users, log } = deps;
  const ownOf = createBatcher<OwnMembershipsWanted, Own | undefined>({
    load: (wanted) => readOwnMemberships(database, wanted, mostChanges),
    keyOf: ({ userId, since }) => `${userId} ${since}`,
    mostKeys: mostUsers,
  });

  /** Of a chat that a socket does not have it is told with the chat. */
  function tell(members: Iterable<Member>, { memberships }: Own): void {
    const frames = memberships?.map((one) => [one.chatId, membershipFrame(one)] as const);
    for (const member of members) {
      if (!frames) member.send(resetFrame({}));
      else for (const [chatId, frame] of frames) if (member.chats.has(chatId)) member.send(frame);
    }
  }

  const liveOf = (userId: string) => [...users.of(userId)].filter(({ live }) => live);

  /** Until the user's sockets know all that was heard of, or there are none. */
  async function catchUp(userId: string): Promise<void> {
    const user = users.local(userId);
    if (!user || user.catchingUp) return;
    user.catchingUp = true;
    try {
      for (let failures = 0; users.local(userId) === user && isBehind(user); ) {
        const { told: since, heard } = user;
        if (since === undefined) return;
        try {
          const own = await ownOf({ userId, since });
          if (!own || user.told === undefined) return;
          tell(liveOf(userId), own);
          // A socket that knows less has come meanwhile: once more, from there.
          if (user.told < since) continue;
          const more = user.heard !== heard;
          user.told = more ? Math.max(user.told, own.version) : own.version;
          user.heard = more ? Math.max(user.heard, own.version) : own.version;
          for (const version of user.early) if (version <= user.told) user.early.delete(version);
        } catch (error) {
          if (!isDatabaseUnavailable(error)) throw error;
          await pause(fullJitterMs(failures++));
        }
      }
    } finally {
      user.catchingUp = false;
    }
  }

  function look(userId: string): void {
    catchUp(userId).catch((error) => {
      log.error({ err: error }, "a user's memberships could not be read");
    });
  }

  /** What was announced by several, or is told with a chat, may come in another order, or be under way. */
  function lookSoon(userId: string, user: LocalUser): void {
    user.looking ??= setTimeout(() => {
      user.looking = undefined;
      if (users.local(userId) === user && isBehind(user)) look(userId);
    }, patienceMs);
  }

  function told(userId: string, version: number): void {
    const user = users.local(userId);
    if (!user) return;
    user.heard = Math.max(user.heard, version);
    if (user.told === undefined || version <= user.told) return;
    user.early.add(version);
    while (user.early.delete(user.told + 1)) user.told += 1;
    if (isBehind(user)) lookSoon(userId, user);
  }

  function hold(userId: string, membership: Membership): void {
    const user = users.local(userId);
    if (!user) return;
    user.held ??= [];
    user.held.push(membership);
  }

  function release(userId: string): void {
    const user = users.local(userId);
    if (!user?.held) return;
    const { held } = user;
    user.held = undefined;
    for (const membership of held) {
      const frame = membershipFrame(membership);
      for (const member of user) if (member.live) member.send(frame);
      told(userId, membership.version);
    }
  }

  function known(userId: string): Known | undefined {
    const user = users.local(userId);
    return user && { told: user.told, announced: user.announced };
  }

  /** What was announced while it was being read is newer. */
  const isNewest = (userId: string, before: Known | undefined): boolean =>
    users.local(userId)?.announced === before?.announced;

  return {
    read: async (userId, since) => (await ownOf({ userId, since })) ?? nothing,
    known,

    goesLive(member, own, before) {
      const user = users.local(member.userId);
      if (!user) return;
      if (isNewest(member.userId, before)) {
        // By itself, as it is live already: its user has not changed their mind.
        member.hides = !own.showPresence;
        users.setShown(member.userId, own);
      }
      const others = [...users.of(member.userId)].some((one) => one !== member && one.live);
      user.told = others && user.told !== undefined ? Math.min(user.told, own.version) : own.version;
      user.heard = Math.max(user.heard, own.version);
      tell([member], own);
      if (isBehind(user)) look(member.userId);
    },

    hold,
    release,

    offer(userId, membership) {
      hold(userId, membership);
      release(userId);
    },

    told,

    compare({ userId, ownVersion, ...shown }, before) {
      release(userId);
      const user = users.local(userId);
      if (isNewest(userId, before)) users.setShown(userId, shown);
      if (user?.told === undefined) return;
      const restored = before?.told !== undefined && ownVersion < before.told;
      user.heard = restored ? ownVersion : Math.max(user.heard, ownVersion);
      if (isBehind(user)) lookSoon(userId, user);
    },
  };
}

const membershipFrame = (membership: Membership): string =>
  frameOf('chat.membership', JSON.stringify({ membership } satisfies MembershipEvent));

/** It knows more than there is where the database was restored to an older state. */
const isBehind = ({ told, heard }: LocalUser): boolean => told !== undefined && told !== heard;
