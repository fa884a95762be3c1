import type * as v from 'valibot';
import type { ChangeHead } from '../shared/notifications/notifications.ts';

/** One durable change of a chat, ready to be told to anybody in it. */
export interface Told<Payload = unknown> extends ChangeHead {
  payload: Payload;
  /** Of a change that says who takes part: who does from here on, or goes on in another role. */
  came?: readonly string[];
  /** Who does not any longer: nothing that is numbered after this reaches them. */
  went?: readonly string[];
}

/** Rows of one number. */
export interface ChangedRows<Row> {
  chatId: string;
  eventSequence: number;
  rows: readonly [Row, ...Row[]];
}

/**
 * A kind of durable change: all that the program knows of it. Its verb writes the rows under the chat's lock, with a number
 * of the chat's, and then says so by `announce.ts`.
 */
export interface ChangeKind<Payload = unknown, Row = unknown> {
  readonly payload: v.GenericSchema<Payload>;
  /** Whether a signed notification is passed on as it is. What says who takes part never is: gateways read it. */
  readonly believed: boolean;
  /**
   * SQL of the rows, ascending by number, as `"eventSequence"` and a JSON `row`: those that in the chat `c` are numbered above
   * `w.after`, so many as `$3` says, and all of the last one's number. See `read-changes.ts`.
   */
  readonly rows: string;
  /** Whether two rows of one number are told by one event; each has its own where it is not given. */
  together?(one: Row, other: Row): boolean;
  /** Of whom the payload says whether they are online. */
  userOf?(row: Row): string;
  tell(changed: ChangedRows<Row>, online: ReadonlySet<string>): Told<Payload>;
}
