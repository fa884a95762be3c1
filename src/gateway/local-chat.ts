import type { Change } from './change.ts';
import type { HeldBack } from './held-back.ts';
import type { Member } from './member.ts';
import type { NativeRoom } from './native-room.ts';

/** A chat with at least one local socket. */
export interface LocalChat {
  readonly id: string;
  /** *G*: the last `eventSequence` delivered to the room; undefined until the first socket enters. */
  delivered: number | undefined;
  /** The sockets that are told. */
  readonly room: NativeRoom<Member>;
  /** Those in the room and those on their way; the last one to leave ends the chat here, and with it *G*. */
  readonly holders: Set<Member>;
  /** The highest number hinted that is not delivered yet; 0 for none. */
  hinted: number;
  filling: boolean;
  /** What came too early; from the first time on. */
  heldBack: HeldBack | undefined;
  /** Resolves when its topic is acknowledged. */
  readonly subscribed: Promise<void>;
  /** When that was, on the sequencer's own clock. */
  subscribedAt: number | undefined;
  /** What was delivered in `(tailAfter, delivered]`, kept while sockets join by reading. */
  tail: Change[];
  tailAfter: number;
  joining: number;
}

export const newLocalChat = (id: string, room: NativeRoom<Member>, subscribed: Promise<void>): LocalChat => ({
  id,
  room,
  subscribed,
  delivered: undefined,
  holders: new Set(),
  hinted: 0,
  filling: false,
  heldBack: undefined,
  subscribedAt: undefined,
  tail: [],
  tailAfter: 0,
  joining: 0,
});
