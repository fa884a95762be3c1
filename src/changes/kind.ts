import type * as v from 'valibot';
import type { Told } from './told.ts';

/**
 * A kind of durable change: all that the program knows of it. Its verb writes rows under the chat's lock, with a number of the
 * chat's, and announces what it committed.
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
  /** Whether rows of one number are told by one event. */
  readonly together?: boolean;
  /** Of whom the payload says whether they are online. */
  userOf?(row: Row): string;
  tell(
    of: { chatId: string; eventSequence: number },
    rows: readonly [Row, ...Row[]],
    online: ReadonlySet<string>,
  ): Told<Payload>;
}

/** By the events' names. */
export type ChangeKinds = Readonly<Record<string, ChangeKind>>;
