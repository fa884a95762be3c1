import * as v from 'valibot';
import type { Membership, MembershipSettings, UnreadTotals } from '../../shared/contract.ts';
import { counter, id, isoInstant } from '../../shared/schemas.ts';

const notify = v.picklist(['all', 'mentions', 'none']);

const wholeNumber = (least: number) => {
  const message = `must be a whole number, not below ${least}`;
  return v.pipe(v.number(), v.safeInteger(message), v.minValue(least, message));
};

export const readBody = v.pipe(
  v.strictObject({
    sequence: v.pipe(wholeNumber(0), v.description('Of the last message that was read.')),
    version: v.optional(
      v.pipe(
        wholeNumber(0),
        v.description('Of the membership that is known: if it has changed since, nothing is read.'),
      ),
    ),
  }),
  v.metadata({ ref: 'MarkRead' }),
);

export const unreadBody = v.pipe(
  v.strictObject({ sequence: v.pipe(wholeNumber(1), v.description('Of the first message that is unread.')) }),
  v.metadata({ ref: 'MarkUnread' }),
);

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

/** As every time here, or without its milliseconds. */
const instant = v.pipe(
  v.string(),
  v.check((text) => timePattern.test(text) && isDate(text), 'must be a time as in ISO 8601, in UTC'),
  v.metadata({ format: 'date-time', examples: ['2026-02-14T12:00:00.000Z'] }),
);

/** 30 February is none, and PostgreSQL has no year 0. */
function isDate(text: string): boolean {
  const date = new Date(text);
  return (
    !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 19) === text.slice(0, 19) && text >= '0001'
  );
}

export const membershipBody: v.GenericSchema<unknown, MembershipSettings> = v.pipe(
  v.strictObject({
    notify: v.optional(notify),
    mutedUntil: v.optional(v.nullable(instant)),
    pinned: v.optional(v.boolean()),
    archived: v.optional(v.boolean()),
  }),
  v.metadata({ ref: 'SetMembership' }),
);

export const membershipSchema: v.GenericSchema<Membership> = v.pipe(
  v.object({
    chatId: id,
    lastReadSequence: counter,
    unreadCount: v.pipe(counter, v.description('100 stands for more than 99.')),
    unreadMentionCount: counter,
    notify,
    mutedUntil: v.nullable(isoInstant),
    pinnedAt: v.nullable(isoInstant),
    archivedAt: v.nullable(isoInstant),
    version: counter,
    lastSequence: counter,
    eventSequence: counter,
  }),
  v.metadata({ ref: 'Membership' }),
);

export const unreadTotalsSchema: v.GenericSchema<UnreadTotals> = v.pipe(
  v.object({ unreadChats: counter, unreadMentions: counter, chatIds: v.array(id) }),
  v.metadata({ ref: 'UnreadTotals' }),
);
