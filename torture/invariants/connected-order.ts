import { around, type Evidence } from '../evidence.ts';
import type { ClientHistory, ClientRecord, Cursors } from '../history.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';
import { type Numbered, numberRows } from './number-rows.ts';
import { createShownMessages, type ShownMessages } from './shown-messages.ts';

/** What one connection has been shown of a chat. */
interface Place {
  /** Where it began: the cursor, or the number of `chat.created`. */
  start: number;
  /** The highest number shown. */
  last: number;
  /** Up to here nothing is missing, by events, the cursor or a chat object. */
  covered: number;
  /** After a reset without a number: the next event says where it goes on. */
  open: boolean;
}

interface Connection {
  state: 'closed' | 'connecting' | 'connected' | 'ready';
  places: Map<string, Place>;
  /** It was told to read everything again. */
  resetAll: boolean;
  begunAt: number;
}

type Numbers = Extract<ClientRecord, { kind: 'message' | 'participant' | 'reactions' | 'settings' }>;

/** I6 */
export function connectedOrder(evidence: Evidence): Verdict {
  const tally = createTally(
    'I6',
    'no connected client sees a repeat or a reversal, or misses the latest state of a row',
  );
  const rows = numberRows(evidence);
  const heads = new Map(evidence.history.database.chats.map((chat) => [chat.id, chat.lastNumber]));
  const shown = createShownMessages(evidence);
  for (const client of evidence.history.clients) judgeClient(tally, evidence, { rows, heads, shown }, client);
  return tally.verdict();
}

function judgeClient(
  tally: Tally,
  evidence: Evidence,
  known: {
    rows: ReadonlyMap<string, Numbered>;
    heads: ReadonlyMap<string, number>;
    shown: ShownMessages;
  },
  client: ClientHistory,
): void {
  const { rows, heads, shown } = known;
  const { records, userId } = client;
  const connection = newConnection({}, 0);

  const violate = (at: number, kind: string, what: string, chatId?: string) =>
    tally.violate(
      kind,
      () => `${client.name}: ${what}`,
      () => around(client, at, chatId),
    );

  /** Rows between that this connection should have been shown. */
  const missing = (place: Place, chatId: string, before: number): number[] => {
    const numbered = rows.get(chatId) ?? [];
    const found: number[] = [];
    for (let number = Math.max(place.last, place.covered) + 1; number < before; number += 1) {
      const row = numbered[number];
      if (!row) continue;
      // Who came and went behind this client's back never was there for it.
      if ('participant' in row && !row.participant.active && row.participant.createdNumber > place.start) {
        continue;
      }
      tally.check();
      found.push(number);
    }
    return found;
  };

  const judgeRow = (at: number, record: Numbers): void => {
    const { chatId, number } = record;
    if (record.kind === 'reactions' || record.kind === 'settings') return;
    const row = rows.get(chatId)?.[number];
    if (record.kind === 'message') {
      for (const [kind, what] of shown.ofEvent(record, connection.begunAt)) violate(at, kind, what, chatId);
      if (record.changed) return;
      if (record.saved !== (record.message.senderId === userId)) {
        const name = record.saved ? 'chat.message.saved' : 'chat.message.new';
        violate(at, 'wrong event', `${name} with a message of ${record.message.senderId}`, chatId);
      }
      return;
    }
    const known = evidence.participants.get(`${chatId} ${record.userId}`);
    const current = known?.changedNumber === number && known.active === record.added;
    const superseded = known !== undefined && known.changedNumber > number && !row;
    if (!current && !superseded) {
      violate(at, 'phantom', `participant event number ${number} of chat ${chatId} is no row`, chatId);
    }
  };

  const judgeNumber = (at: number, record: Numbers): void => {
    const { chatId, number } = record;
    const leaves = record.kind === 'participant' && !record.added && record.userId === userId;
    let place = connection.places.get(chatId);
    if (!place) {
      if (leaves) return;
      if (!connection.resetAll) {
        violate(at, 'unannounced', `an event of chat ${chatId}, neither named nor announced`, chatId);
      }
      place = { start: number - 1, last: number - 1, covered: number - 1, open: true };
      connection.places.set(chatId, place);
    }
    if (number <= place.last) {
      const repeat = sawBefore(records, at, chatId, number);
      const kind = repeat ? 'repeat' : number <= place.start ? 'not after the cursor' : 'reversal';
      violate(at, kind, `number ${number} of chat ${chatId} after ${place.last}`, chatId);
      return;
    }
    if (!place.open && !leaves) {
      const gap = missing(place, chatId, number);
      if (gap.length > 0) {
        const numbers = gap.slice(0, 10).join(', ');
        violate(at, missKind(place), `number ${number} of chat ${chatId} came without ${numbers}`, chatId);
      }
    }
    place.last = number;
    place.open = false;
    if (leaves) connection.places.delete(chatId);
  };

  records.forEach((record, at) => {
    switch (record.kind) {
      case 'connecting':
        Object.assign(connection, newConnection(record.cursors, record.at));
        break;
      case 'connected':
        connection.state = 'connected';
        break;
      case 'ready':
        connection.state = 'ready';
        break;
      case 'disconnected':
      case 'refused':
        connection.state = 'closed';
        break;
      case 'message':
      case 'participant':
      case 'reactions':
      case 'settings':
        tally.check();
        if (connection.state === 'closed' || connection.state === 'connecting') {
          violate(at, 'not connected', `an event without a connection`, record.chatId);
        }
        judgeRow(at, record);
        judgeNumber(at, record);
        break;
      case 'page':
        for (const [kind, what] of shown.ofPage(record)) violate(at, kind, what, record.chatId);
        break;
      case 'created': {
        tally.check();
        const last = connection.places.get(record.chatId)?.last ?? 0;
        const covered = Math.max(record.number, connection.places.get(record.chatId)?.covered ?? 0);
        connection.places.set(record.chatId, { start: record.number, last, covered, open: false });
        break;
      }
      case 'reset': {
        if (record.chatId === undefined) {
          connection.resetAll = true;
          for (const place of connection.places.values()) place.open = true;
          break;
        }
        const place = connection.places.get(record.chatId) ?? { start: 0, last: 0, covered: 0, open: true };
        const number = record.number;
        connection.places.set(
          record.chatId,
          number === undefined
            ? { ...place, open: true }
            : { start: number, last: Math.min(place.last, number), covered: number, open: false },
        );
        break;
      }
      default:
        break;
    }
  });

  const end = records.length - 1;
  if (connection.state === 'connected') {
    violate(end, 'never ready', 'connected at the end, but it never came to chat.ready');
  }
  if (connection.state !== 'ready') return;
  for (const [chatId, place] of connection.places) {
    // Of a chat it has left it is told no more than that.
    if (place.open || !evidence.participants.get(`${chatId} ${userId}`)?.active) continue;
    const gap = missing(place, chatId, (heads.get(chatId) ?? 0) + 1);
    if (gap.length === 0) continue;
    const numbers = gap.slice(0, 10).join(', ');
    const at = records.findLastIndex((record) => 'chatId' in record && record.chatId === chatId);
    violate(
      Math.max(at, 0),
      missKind(place),
      `connected to the end, never saw ${numbers} of chat ${chatId}`,
      chatId,
    );
  }
}

/** Between the cursor and the first number shown, or later. */
const missKind = (place: Place): string => (place.last <= place.start ? 'miss at resume' : 'miss');

function newConnection(cursors: Cursors, begunAt: number): Connection {
  const places = Object.entries(cursors).map(([chatId, cursor]): [string, Place] => [
    chatId,
    { start: cursor, last: cursor, covered: cursor, open: false },
  ]);
  return { state: 'connecting', places: new Map(places), resetAll: false, begunAt };
}

const isNumbered = (record: ClientRecord): record is Numbers =>
  ['message', 'participant', 'reactions', 'settings'].includes(record.kind);

/** In this connection. */
function sawBefore(records: readonly ClientRecord[], at: number, chatId: string, number: number): boolean {
  for (let before = at - 1; before >= 0; before -= 1) {
    const record = records[before];
    if (!record || record.kind === 'connecting') return false;
    if (isNumbered(record) && record.number === number) {
      if (record.chatId === chatId) return true;
    }
  }
  return false;
}
