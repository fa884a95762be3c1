import {
  type ChangeAttempt,
  type ClientHistory,
  type History,
  type Interval,
  keyOf,
  type SentExtras,
} from './history.ts';
import type { DeadLetterRow, MessageRow, ParticipantRow } from './rows.ts';

/** Finds things in a history by what judges ask for; made once a run. */
export interface Evidence {
  history: History;
  /** By `keyOf`. */
  rowsByKey: ReadonlyMap<string, readonly MessageRow[]>;
  postsByKey: ReadonlyMap<string, KeyPosts>;
  /** Every dead letter that holds a send, by `keyOf`. */
  deadLettersByKey: ReadonlyMap<string, readonly DeadLetterRow[]>;
  /** Attempts to edit or delete, by the message's id. */
  changesById: ReadonlyMap<string, readonly ChangeAttempt[]>;
  rowsByChat: ReadonlyMap<string, readonly MessageRow[]>;
  /** The ids of chats of which nothing is to be left. */
  deleted: ReadonlySet<string>;
  /** By chat and user, with a blank between. */
  participants: ReadonlyMap<string, ParticipantRow>;
  /** Everything that is known about one key, for a violation's report. */
  about(key: string): unknown[];
}

/** Whether the message, as a client or the database shows it, is one that somebody had asked for. */
export function wasAsked(
  { postsByKey, changesById }: Pick<Evidence, 'postsByKey' | 'changesById'>,
  key: string,
  { id, content, version }: { id: string; content: string; version?: number | null },
): boolean {
  if (version === undefined || version === null)
    return postsByKey.get(key)?.contents.includes(content) === true;
  const asked = content === '' ? undefined : content;
  return changesById.get(id)?.some((attempt) => attempt.content === asked) === true;
}

/** The api's clock has whole milliseconds, ours has fractions. */
export const clockToleranceMs = 5;

/** What all attempts under one key come to. */
export interface KeyPosts {
  key: string;
  chatId: string;
  firstBegunAt: number;
  /** When the first 202 was there; undefined without one. */
  acceptedAt: number | undefined;
  /** Each attempt that was answered 202. */
  accepted: readonly Interval[];
  authenticated: boolean;
  contents: readonly string[];
  /** The same in all of them. */
  extras: SentExtras;
}

export function createEvidence(history: History): Evidence {
  const rowsByKey = Map.groupBy(history.database.messages, keyOf);
  const rowsByChat = Map.groupBy(history.database.messages, (row) => row.chatId);
  const postsByKey = gatherPosts(history);
  const deadLettersByKey = gatherDeadLetters(history.deadLetters);

  return {
    history,
    rowsByKey,
    postsByKey,
    deadLettersByKey,
    rowsByChat,
    deleted: new Set(history.database.chats.filter(({ deleted }) => deleted).map(({ id }) => id)),
    changesById: Map.groupBy(history.changes, ({ messageId }) => messageId),
    participants: new Map(history.database.participants.map((row) => [`${row.chatId} ${row.userId}`, row])),
    about: (key) => [
      ...history.posts.filter((post) => keyOf(post) === key).map((post) => ({ post })),
      ...(rowsByKey.get(key) ?? []).flatMap((row) => [
        { row },
        ...history.changes.filter(({ messageId }) => messageId === row.id),
      ]),
      ...(deadLettersByKey.get(key) ?? []).map((deadLetter) => ({ deadLetter })),
      ...history.clients.flatMap((client) =>
        client.records
          .filter((record) => concerns(record, key))
          .map((record) => ({ client: client.name, record })),
      ),
    ],
  };
}

/** A client's records around the one at `at`: its connection's beginning, what touched the chat, and the neighbours. */
export function around(client: ClientHistory, at: number, chatId?: string): unknown[] {
  let connection = at;
  while (connection > 0 && client.records[connection]?.kind !== 'connecting') connection -= 1;
  const kept = new Set([connection, at]);
  for (let near = Math.max(0, at - 3); near <= Math.min(client.records.length - 1, at + 3); near += 1) {
    kept.add(near);
  }
  let sameChat = 0;
  for (let before = at - 1; before > connection && sameChat < 8; before -= 1) {
    const record = client.records[before];
    if (record && 'chatId' in record && record.chatId === chatId) {
      kept.add(before);
      sameChat += 1;
    }
  }
  return [...kept]
    .sort((a, b) => a - b)
    .map((index) => ({ client: client.name, index, record: slim(client.records[index], chatId) }));
}

/** Cursors of other chats and long texts tell nothing. */
export function slim(
  record: ClientHistory['records'][number] | undefined,
  chatId: string | undefined,
): unknown {
  if (record?.kind === 'connecting') {
    const cursor = chatId === undefined ? undefined : record.cursors[chatId];
    return {
      ...record,
      cursors: {
        ...(chatId ? { [chatId]: cursor ?? null } : {}),
        others: Object.keys(record.cursors).length,
      },
    };
  }
  if (record?.kind === 'page')
    return { ...record, messages: record.messages.map(({ sequence }) => sequence) };
  return record;
}

function gatherPosts(history: History): Map<string, KeyPosts> {
  const byKey = new Map<string, KeyPosts & { contents: string[]; accepted: Interval[] }>();
  for (const post of history.posts) {
    const key = keyOf(post);
    const { begunAt: from, endedAt: to } = post;
    const accepted = post.status === 202 ? to : undefined;
    const known = byKey.get(key);
    if (!known) {
      byKey.set(key, {
        key,
        chatId: post.chatId,
        firstBegunAt: post.begunAt,
        acceptedAt: accepted,
        accepted: accepted === undefined ? [] : [{ from, to }],
        authenticated: post.authenticated,
        contents: [post.content],
        extras: post,
      });
      continue;
    }
    known.firstBegunAt = Math.min(known.firstBegunAt, post.begunAt);
    if (accepted !== undefined) {
      known.acceptedAt = Math.min(known.acceptedAt ?? accepted, accepted);
      known.accepted.push({ from, to });
    }
    known.authenticated ||= post.authenticated;
    if (!known.contents.includes(post.content)) known.contents.push(post.content);
  }
  return byKey;
}

function gatherDeadLetters(letters: readonly DeadLetterRow[]): Map<string, DeadLetterRow[]> {
  const byKey = new Map<string, DeadLetterRow[]>();
  for (const letter of letters) {
    const key = keyInBody(letter.body);
    if (key === undefined) continue;
    byKey.set(key, [...(byKey.get(key) ?? []), letter]);
  }
  return byKey;
}

function keyInBody(body: string): string | undefined {
  try {
    const { chatId, senderId, clientMessageId } = JSON.parse(body);
    if (typeof clientMessageId === 'string') return keyOf({ chatId, senderId, clientMessageId });
  } catch {
    // Poison that is not JSON, or null.
  }
  return undefined;
}

function concerns(record: ClientHistory['records'][number], key: string): boolean {
  if (record.kind === 'failed') return key.endsWith(record.clientMessageId) && key.startsWith(record.chatId);
  return record.kind === 'message' && keyOf({ chatId: record.chatId, ...record.message }) === key;
}
