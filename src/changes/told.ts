import type { ChatChange } from '../shared/contract.ts';
import type { ChangeHead } from '../shared/ports/notifications.ts';

/** One durable change of a chat, ready to be told to anybody in it. */
export interface Told<Payload = unknown> extends ChangeHead {
  payload: Payload;
  /** Of a change that says who takes part: who does from here on, or goes on in another role. */
  came?: readonly string[];
  /** Nobody else in the chat is told. */
  onlyTo?: string;
  /** Who does not any longer: nothing that is numbered after this reaches them. */
  went?: readonly string[];
}

/** The name by which this user's own devices are told. */
export const eventFor = (userId: string, { event, actorId, actorEvent = event }: ChangeHead) =>
  userId === actorId ? actorEvent : event;

/** The change as this one user is told of it. */
export const changeFor = (userId: string, told: Told): ChatChange =>
  // Which payload a name has the table of kinds says.
  ({ event: eventFor(userId, told), payload: told.payload }) as ChatChange;
