import { type Evidence, slim } from '../evidence.ts';
import type { ClientHistory, SeenMessage } from '../history.ts';
import type { MessageRow, ParticipantRow } from '../rows.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

interface ChatView {
  /** By sequence. */
  messages: SeenMessage[];
  participants: Map<string, { active: boolean; leads: boolean; number: number }>;
  settings: { text: string; number: number };
  /** The number of this user's own last coming or going, and which it was. */
  member: { active: boolean; number: number };
}

/** I5 */
export function settledViews(evidence: Evidence): Verdict {
  const tally = createTally('I5', 'after settling, each client’s view equals the database');
  const { participants } = evidence.history.database;
  const settings = new Map(evidence.history.database.chats.map((chat) => [chat.id, chat.settings]));
  const activeByChat = Map.groupBy(
    participants.filter(({ active }) => active),
    ({ chatId }) => chatId,
  );
  const chatsByUser = new Map<string, Set<string>>();
  for (const { chatId, userId, active } of participants) {
    if (!active) continue;
    addTo(chatsByUser, userId, chatId);
  }
  for (const client of evidence.history.clients) {
    const view = viewOf(client);
    const chatIds = chatsByUser.get(client.userId) ?? new Set();
    for (const chatId of chatIds) {
      const chat = view.get(chatId);
      tally.check();
      if (!chat?.member.active) {
        violate(
          tally,
          client,
          chatId,
          'chat missing',
          `does not show chat ${chatId}, where its user takes part`,
        );
        continue;
      }
      compareMessages(tally, client, chatId, chat, evidence.rowsByChat.get(chatId) ?? []);
      compareParticipants(tally, client, chatId, chat, activeByChat.get(chatId) ?? []);
      if (chat.settings.text !== settings.get(chatId)) {
        violate(tally, client, chatId, 'other settings', `shows other settings of chat ${chatId}`);
      }
    }
    for (const [chatId, { member }] of view) {
      if (!member.active || chatIds.has(chatId)) continue;
      violate(tally, client, chatId, 'stale chat', `still shows chat ${chatId}, which its user has left`);
    }
  }
  return tally.verdict();
}

/** Of two states of a message the one with the higher version is the newer. */
function setMessage({ messages }: ChatView, message: SeenMessage): void {
  if ((messages[message.sequence]?.version ?? 0) <= (message.version ?? 0))
    messages[message.sequence] = message;
}

/** What a client shows that takes over whatever it is told, the higher number winning. */
export function viewOf(client: ClientHistory): Map<string, ChatView> {
  const view = new Map<string, ChatView>();
  const chatOf = (chatId: string): ChatView => {
    let chat = view.get(chatId);
    if (!chat) {
      chat = {
        messages: [],
        participants: new Map(),
        settings: { text: '', number: -1 },
        member: { active: true, number: 0 },
      };
      view.set(chatId, chat);
    }
    return chat;
  };
  const setParticipant = (
    chat: ChatView,
    userId: string,
    known: { active: boolean; leads: boolean; number: number },
  ) => {
    if ((chat.participants.get(userId)?.number ?? -1) <= known.number) chat.participants.set(userId, known);
  };
  const setSettings = (chat: ChatView, text: string, number: number) => {
    if (chat.settings.number <= number) chat.settings = { text, number };
  };
  for (const record of client.records) {
    if (record.kind === 'message') {
      setMessage(chatOf(record.chatId), record.message);
    } else if (record.kind === 'page') {
      const chat = chatOf(record.chatId);
      for (const message of record.messages) setMessage(chat, message);
    } else if (record.kind === 'participant') {
      const chat = chatOf(record.chatId);
      setParticipant(chat, record.userId, { ...record, active: record.added });
      if (record.userId === client.userId && record.number >= chat.member.number) {
        chat.member = { active: record.added, number: record.number };
      }
    } else if (record.kind === 'settings') {
      setSettings(chatOf(record.chatId), record.settings, record.number);
    } else if (record.kind === 'created' || record.kind === 'chat') {
      const chat = chatOf(record.chatId);
      const { number } = record;
      const now = new Set(record.userIds);
      for (const userId of chat.participants.keys()) {
        if (!now.has(userId)) setParticipant(chat, userId, { active: false, leads: false, number });
      }
      for (const userId of now) {
        setParticipant(chat, userId, { active: true, leads: record.leads.includes(userId), number });
      }
      setSettings(chat, record.settings, number);
      if (record.number >= chat.member.number) chat.member = { active: true, number: record.number };
    }
  }
  return view;
}

function compareMessages(
  tally: Tally,
  client: ClientHistory,
  chatId: string,
  { messages }: ChatView,
  rows: readonly MessageRow[],
): void {
  tally.check(rows.length);
  const bySequence: MessageRow[] = [];
  for (const row of rows) {
    bySequence[row.sequence] = row;
    const seen = messages[row.sequence];
    if (!seen) {
      violate(tally, client, chatId, 'loss', `never saw message ${row.sequence} of chat ${chatId}`, row);
    } else if (!sameMessage(seen, row)) {
      const kind = 'other message';
      violate(
        ...([tally, client, chatId, kind] as const),
        `shows another message ${row.sequence} of chat ${chatId}`,
        row,
      );
    }
  }
  messages.forEach((seen, sequence) => {
    if (bySequence[sequence]) return;
    violate(tally, client, chatId, 'phantom', `shows message ${sequence} of chat ${chatId}: no row`, seen);
  });
}

const sameMessage = (seen: SeenMessage, row: MessageRow): boolean =>
  sameKey(seen, row) && sameWords(seen, row) && (seen.version ?? null) === (row.version ?? null);

/** What is not changed but with the version; what is quoted of another message changes with that one. */
export const sameWords = (seen: SeenMessage, row: MessageRow): boolean =>
  seen.content === row.content &&
  (seen.replyTo?.messageId ?? null) === (row.quoted ?? null) &&
  Bun.deepEquals(seen.mentions ?? null, row.mentions ?? null);

/** What no change of a message changes. */
export const sameKey = (seen: SeenMessage, row: MessageRow): boolean =>
  seen.id === row.id &&
  seen.sequence === row.sequence &&
  seen.senderId === row.senderId &&
  seen.clientMessageId === row.clientMessageId &&
  seen.sentAt === row.sentAt;

function compareParticipants(
  tally: Tally,
  client: ClientHistory,
  chatId: string,
  { participants }: ChatView,
  active: readonly ParticipantRow[],
): void {
  tally.check(active.length);
  const there = new Set(active.map(({ userId }) => userId));
  for (const { userId, leads } of active) {
    const known = participants.get(userId);
    if (!known?.active) {
      violate(tally, client, chatId, 'participant missing', `does not show ${userId} in chat ${chatId}`);
    } else if (known.leads !== leads) {
      violate(tally, client, chatId, 'other role', `shows ${userId} in another role in chat ${chatId}`);
    }
  }
  for (const [userId, known] of participants) {
    if (!known.active || there.has(userId)) continue;
    violate(tally, client, chatId, 'stale row', `still shows ${userId}, who has left chat ${chatId}`);
  }
}

/** With what this client heard of the chat around that number (at the end, where there is none), and its connections. */
function violate(
  tally: Tally,
  client: ClientHistory,
  chatId: string,
  kind: string,
  what: string,
  row?: MessageRow | SeenMessage,
): void {
  tally.violate(
    kind,
    () => `${client.name} ${what}`,
    () => {
      const records = client.records.filter((record) =>
        'chatId' in record ? record.chatId === chatId : true,
      );
      const number = row && 'number' in row ? row.number : Number.POSITIVE_INFINITY;
      const after = records.findIndex((record) => 'number' in record && Number(record.number) >= number);
      const middle = after < 0 ? records.length : after;
      return [
        ...(row ? [{ row }] : []),
        ...records.slice(Math.max(0, middle - 12), middle + 4).map((record) => slim(record, chatId)),
      ];
    },
  );
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values) values.add(value);
  else map.set(key, new Set([value]));
}
