import { around, type Evidence } from '../evidence.ts';
import type { ClientHistory, ClientRecord, FaultRecord, MembershipChange } from '../history.ts';
import { createTally, type Tally, type Verdict } from '../verdict.ts';

const leaveMs = 1_000;
const leaveWithoutHintsMs = 30_000;
/** So long after a fault connections may still be finding each other. */
const faultAftermathMs = 5_000;

/** I7 */
export function removedHearNothing(evidence: Evidence): Verdict {
  const tally = createTally(
    'I7',
    'nothing numbered after a removal reaches the removed, nor who types; they leave within 1 s',
  );
  const { history } = evidence;
  const changes = Map.groupBy(
    history.memberships.toSorted((a, b) => a.number - b.number),
    (change) => `${change.chatId} ${change.userId}`,
  );
  for (const client of history.clients) {
    judgeLeaks(tally, evidence, changes, client);
    judgeTyping(tally, client);
  }

  const clients = Map.groupBy(history.clients, (client) => client.userId);
  for (const timeline of changes.values()) {
    timeline.forEach((change, at) => {
      if (change.change !== 'removed') return;
      for (const client of clients.get(change.userId) ?? []) {
        judgeLeaving(tally, history.faults, client, change, timeline[at + 1]);
      }
    });
  }
  return tally.verdict();
}

function judgeLeaks(
  tally: Tally,
  evidence: Evidence,
  changes: ReadonlyMap<string, readonly MembershipChange[]>,
  client: ClientHistory,
): void {
  client.records.forEach((record, at) => {
    if (
      record.kind !== 'message' &&
      record.kind !== 'participant' &&
      record.kind !== 'settings' &&
      record.kind !== 'created'
    )
      return;
    const { chatId, number } = record;
    const timeline = changes.get(`${chatId} ${client.userId}`);
    const leak = (what: string) =>
      tally.violate(
        'leak',
        () => `${client.name} was sent number ${number} of chat ${chatId} ${what}`,
        () => [...(timeline ?? []), ...around(client, at, chatId)],
      );
    if (!timeline) {
      if (!evidence.participants.has(`${chatId} ${client.userId}`)) leak('without ever taking part in it');
      return;
    }
    tally.check();
    let next = 0;
    while (next < timeline.length && (timeline[next]?.number ?? 0) < number) next += 1;
    const before = timeline[next - 1];
    const after = timeline[next];
    const outside = before ? before.change === 'removed' : after?.change === 'added';
    if (!outside || after?.number === number) return;
    // Numbered while the user was out: whoever has come back may see it.
    const back = timeline.slice(next).find(({ change }) => change === 'added');
    if (back && record.at >= back.begunAt) return;
    leak(before ? `after the removal at ${before.number}` : 'before being added to it');
  });
}

/** Nobody is told of their own typing, nor of anybody's in a chat that they have been told to have left. */
function judgeTyping(tally: Tally, client: ClientHistory): void {
  const left = new Set<string>();
  client.records.forEach((record, at) => {
    if (record.kind === 'participant' && record.userId === client.userId) {
      if (record.added) left.delete(record.chatId);
      else left.add(record.chatId);
    } else if (record.kind === 'created') left.delete(record.chatId);
    if (record.kind !== 'typing') return;
    tally.check();
    const own = record.userId === client.userId;
    if (!own && !left.has(record.chatId)) return;
    tally.violate(
      own ? 'own typing' : 'typing leak',
      () => `${client.name} was told that ${record.userId} types in chat ${record.chatId}`,
      () => around(client, at, record.chatId),
    );
  });
}

function judgeLeaving(
  tally: Tally,
  faults: readonly FaultRecord[],
  client: ClientHistory,
  removal: MembershipChange,
  next: MembershipChange | undefined,
): void {
  const deadline = leavingDeadline(faults, removal);
  if (next && next.begunAt < deadline) return;
  const state = stateDuring(client.records, removal, deadline);
  if (!state.connected) return;
  tally.check();
  if (state.toldAt !== undefined && state.toldAt <= deadline) return;
  const late =
    state.toldAt === undefined
      ? 'was never told'
      : `was told after ${Math.round(state.toldAt - removal.endedAt)} ms`;
  tally.violate(
    'slow leaving',
    () => `${client.name} ${late} of its removal from chat ${removal.chatId}`,
    () => [
      removal,
      { deadline },
      ...client.records
        .filter((record) => record.at >= removal.begunAt - 5_000 && record.at <= deadline + 5_000)
        .filter((record) => !('chatId' in record) || record.chatId === removal.chatId)
        .map((record) => (record.kind === 'connecting' ? { ...record, cursors: 'left out' } : record)),
    ],
  );
}

/** 1 s, or as long as a gateway may be without hints: 30 s from the end of what kept it from them. */
function leavingDeadline(faults: readonly FaultRecord[], removal: MembershipChange): number {
  let deadline = removal.endedAt + leaveMs;
  for (const fault of faults.toSorted((a, b) => a.begunAt - b.begunAt)) {
    const over = Math.max(fault.endedAt + faultAftermathMs, fault.recoveredAt ?? 0);
    if (fault.begunAt > deadline || over < removal.begunAt) continue;
    deadline = Math.max(deadline, Math.max(over, removal.endedAt) + leaveWithoutHintsMs);
  }
  return deadline;
}

/**
 * Whether it was ready all the time from before the removal to the deadline, and when it was told. Who was added and
 * removed again behind a client's back is in a chat that the client never knew: there is nothing for it to leave.
 */
function stateDuring(
  records: readonly ClientRecord[],
  removal: MembershipChange,
  deadline: number,
): { connected: boolean; toldAt: number | undefined } {
  let ready = false;
  let knows = false;
  for (const record of records) {
    if (record.at > deadline) break;
    const told =
      record.kind === 'participant' &&
      !record.added &&
      record.chatId === removal.chatId &&
      record.number === removal.number;
    if (told) return { connected: true, toldAt: record.at };
    if ('chatId' in record && record.chatId === removal.chatId && record.kind !== 'failed') {
      knows = !(record.kind === 'participant' && !record.added && record.userId === removal.userId);
    }
    if (record.kind === 'ready') ready = record.at < removal.begunAt;
    else if (record.kind === 'disconnected' || record.kind === 'connecting') ready = false;
  }
  if (!ready || !knows) return { connected: false, toldAt: undefined };
  const late = records.find(
    (record) =>
      record.kind === 'participant' &&
      !record.added &&
      record.chatId === removal.chatId &&
      record.number === removal.number,
  );
  return { connected: true, toldAt: late?.at };
}
