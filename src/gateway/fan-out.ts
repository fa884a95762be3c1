import type { ServerToClientEvents } from '../shared/contract.ts';
import type { Change } from './change.ts';
import type { Member } from './member.ts';

/** The Socket.IO packet of an event in `/chat`, from a payload that is JSON text already: nothing is parsed or encoded. */
export function frameOf(event: keyof ServerToClientEvents, body: string): string {
  return `2/chat,["${event}",${body}]`;
}

/** The change as this one socket is told of it: senders see their own messages as saved. */
export function frameFor(member: Member, change: Change): string {
  if (change.kind === 'participant') return frameOf(participantEvent(change.present), change.body);
  return frameOf(change.senderId === member.userId ? 'chat.message.saved' : 'chat.message.new', change.body);
}

const participantEvent = (present: boolean) =>
  present ? ('chat.participant.added' as const) : ('chat.participant.removed' as const);

/** Tells a whole room: the hot path of the gateway. Each frame is made once, whatever the number of sockets. */
export function fanOut(room: ReadonlySet<Member>, change: Change): void {
  if (change.kind === 'participant') {
    const frame = frameOf(participantEvent(change.present), change.body);
    for (const member of room) member.send(frame);
    return;
  }
  const frame = frameOf('chat.message.new', change.body);
  let saved: string | undefined;
  for (const member of room) {
    if (member.userId !== change.senderId) {
      member.send(frame);
    } else {
      saved ??= frameOf('chat.message.saved', change.body);
      member.send(saved);
    }
  }
}
