import * as v from 'valibot';
import { uuid } from '../../process/http/validate.ts';

/** A whole number in a query string. */
export const digits = v.pipe(v.string(), v.regex(/^\d{1,16}$/, 'must be a whole number, not below 0'));

const limitMessage = 'must be a whole number from 1 to 100';

/** Items a page. */
export const limit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,2}$/, limitMessage),
    v.transform(Number),
    v.maxValue(100, limitMessage),
    v.description('Items a page, 1 to 100.'),
  ),
  '50',
);

/** A chat's `sequence`. */
export const sequence = v.pipe(
  digits,
  v.transform(Number),
  v.safeInteger('is beyond any sequence'),
  v.description('The sequence of a message, which is not in the page.'),
);

const mostUserIds = 100;

export const userIdsInQuery = v.pipe(
  v.string(),
  v.transform((text) => text.split(',')),
  v.maxLength(mostUserIds, `must name at most ${mostUserIds}`),
  v.array(uuid),
  v.description(`Ids of users, 1 to ${mostUserIds}, with commas between them.`),
);

/** Cursors of lists say nothing to a client; the verb that made one checks it. */
const cursor = v.optional(v.pipe(v.string(), v.description('The nextCursor of the page before.')));

export const listQuery = v.strictObject({ limit, cursor });

/** `{data, nextCursor}` with the name it has in the document. */
export function pageOf<const Item extends v.GenericSchema>(item: Item, ref: string) {
  return v.pipe(v.object({ data: v.array(item), nextCursor: v.nullable(v.string()) }), v.metadata({ ref }));
}
