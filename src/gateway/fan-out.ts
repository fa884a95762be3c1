import { eventFor } from '../changes/told.ts';
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
export const frameFor = (to: Member, change: Change) =>
  frameOf(eventFor(to.userId, change), to.hides && saysWho(change) ? unseen(change.body) : change.body);

/** Whether it says who takes part, and so of somebody whether they are online. */
const saysWho = ({ came, went }: Change): boolean => came !== undefined || went !== undefined;

/** The payload with nobody online. In a string of JSON the quotes would have a backslash before them. */
const unseen = (body: string): string => body.replaceAll('"online":true', '"online":false');

export interface FanOut {
  /** An empty room for a chat. */
  room(chatId: string): NativeRoom<Member>;
  /** Tells everybody in the room. @returns how many sockets that is */
  tell(room: NativeRoom<Member>, change: Change): number;
  /** The user's sockets in the room. */
  socketsIn(room: NativeRoom<Member>, userId: string): Member[];
}

/**
 * The hot path of the gateway: each frame is made once, whatever the number of sockets, and nothing
 * encodes it again. Measured by `bun run bench fan-out-big fan-out-small group-size`.
 */
export function createFanOut(deps: {
  publish: Publish;
  /** All local sockets of a user, in whatever rooms. */
  socketsOf: (userId: string) => Few<Member>;
}): FanOut {
  const { publish, socketsOf } = deps;

  const socketsIn: FanOut['socketsIn'] = (room, userId) =>
    [...socketsOf(userId)].filter((member) => room.has(member));

  return {
    room: (chatId) => new NativeRoom(`chat:${chatId}`, publish),

    socketsIn,

    tell(room, change) {
      const { event, actorId, actorEvent = event, onlyTo, body } = change;
      const frame = frameOf(event, body);
      if (onlyTo !== undefined) {
        const sockets = socketsIn(room, onlyTo);
        for (const member of sockets) member.send(frame);
        return sockets.length;
      }
      const { size } = room;
      const mayDiffer = saysWho(change) && body !== unseen(body);
      /** Who is told otherwise: the actor's sockets in the room, by another name, and who is not told who is online. */
      const apart = new Set<Member>();
      if (room.isTopic) {
        if (actorId !== undefined && actorEvent !== event)
          for (const member of socketsOf(actorId)) if (room.has(member)) apart.add(member);
        if (mayDiffer) for (const member of room) if (member.hides) apart.add(member);
        for (const member of room.others) if (!apart.has(member)) member.send(frame);
        room.publish(frame, apart);
      } else {
        for (const member of room) {
          if (member.userId === actorId || (mayDiffer && member.hides)) apart.add(member);
          else member.send(frame);
        }
      }
      for (const member of apart) member.send(frameFor(member, change));
      return size;
    },
  };
}
