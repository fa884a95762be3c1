import type * as v from 'valibot';
import type { Told } from './told.ts';

/**
 * A kind of durable change: all that the program knows of it. Its verb writes rows under the chat's lock, with a number of the
 * chat's, and announces what it committed.
 */
export type ChangeKind<Payload = unknown, Row = unknown> = (RowsOfItsOwn | RowsOfChatChanges) & {
  readonly payload: v.GenericSchema<Payload>;
  /**
   * Whether a signed notification is passed on as it is. What says who takes part never is: gateways read it. One that is has a number of
   * its own: what shares a number with another is announced as a hint, for a gateway takes a second of one number for a repeat.
   */
  readonly believed: boolean;
  /** Whether rows like this one are told by one event, those of one number. */
  together?(row: Row): boolean;
  /** Of whom the payload says whether they are online. */
  userOf?(row: Row): string;
  tell(
    of: { chatId: string; eventSequence: number },
    rows: readonly [Row, ...Row[]],
    online: ReadonlySet<string>,
  ): Told<Payload>;
};

/** What says itself when it changed last. */
interface RowsOfItsOwn {
  /**
   * SQL of the rows, ascending by number, as `"eventSequence"` and a JSON `row`: those that in the chat `c` are numbered above
   * `w.after`, so many as `$3` says, and all of the last one's number. See `read-changes.ts`.
   */
  readonly rows: string;
}

/** What has a row in `chat_changes`, which its verb inserts, or moves on to the new number. */
interface RowsOfChatChanges {
  /** As it is written there, and in no other kind. */
  readonly changedKind: string;
  /** SQL of the JSON row of `changed.key` in the chat `c`, as it is now. */
  readonly row: string;
}

/** By the events' names. */
export type ChangeKinds = Readonly<Record<string, ChangeKind>>;
