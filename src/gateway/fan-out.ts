import { eventFor } from '../changes/tell.ts';
import type { ServerToClientEvents } from '../shared/contract.ts';
import type { Change } from './change.ts';
import type { Member } from './member.ts';
import { NativeRoom, type Publish } from './native-room.ts';
import type { Few } from './small-set.ts';

/**
 * The Engine.IO message of a Socket.IO event in `/chat`, from a payload that is JSON text already: nothing is parsed or
 * encoded, and over a WebSocket it is sent as it is.
 */
export function frameOf(event: keyof ServerToClientEvents, body: string): string {
  return `42/chat,["${event}",${body}]`;
}

/** The change as this one socket is told of it. */
export const frameFor = ({ userId }: Member, change: Change): string =>
  frameOf(eventFor(userId, change), change.body);

export interface FanOut {
  /** An empty room for a chat. */
  room(chatId: string): NativeRoom<Member>;
  /** Tells everybody in the room. */
  tell(room: NativeRoom<Member>, change: Change): void;
}

/**
 * The hot path of the gateway: each frame is made once, whatever the number of sockets, and neither Socket.IO nor the
 * engine sees it. Measured by `bun run bench fan-out-big fan-out-small group-size`.
 */
export function createFanOut(deps: {
  publish: Publish;
  /** All local sockets of a user, in whatever rooms. */
  socketsOf: (userId: string) => Few<Member>;
}): FanOut {
  const { publish, socketsOf } = deps;

  /** @param leftOut members of the room */
  function tellBig(room: NativeRoom<Member>, frame: string, leftOut: readonly Member[]): void {
    for (const member of room.others) if (!leftOut.includes(member)) member.send(frame);
    room.publish(frame, leftOut);
  }

  return {
    room: (chatId) => new NativeRoom(`chat:${chatId}`, publish),

    tell(room, { event, actorId, actorEvent = event, body }) {
      const frame = frameOf(event, body);
      let ownFrame: string | undefined;
      if (room.isTopic) {
        const own: Member[] = [];
        if (actorId !== undefined && actorEvent !== event)
          for (const member of socketsOf(actorId)) if (room.has(member)) own.push(member);
        tellBig(room, frame, own);
        if (own.length === 0) return;
        ownFrame = frameOf(actorEvent, body);
        for (const member of own) member.send(ownFrame);
        return;
      }
      for (const member of room) {
        if (member.userId !== actorId) {
          member.send(frame);
        } else {
          ownFrame ??= frameOf(actorEvent, body);
          member.send(ownFrame);
        }
      }
    },
  };
}
