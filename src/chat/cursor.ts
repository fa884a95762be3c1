import * as v from 'valibot';
import { ChatError } from '../shared/errors.ts';
import { uuidPattern } from '../shared/ids.ts';

/** Where a list page ended, for a client to hand back: not for it to read, and not believed until checked. */
export function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** @throws ChatError `validation_failed` for anything that `encodeCursor` did not make of such a position */
export function decodeCursor<const Schema extends v.GenericSchema>(
  schema: Schema,
  cursor: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(v.pipe(v.string(), v.regex(/^[\w-]{1,200}$/), json, schema), cursor);
  if (parsed.success) return parsed.output;
  throw new ChatError('validation_failed', undefined, {
    errors: [{ path: 'cursor', message: 'must be a nextCursor of the same list' }],
  });
}

const json = v.rawTransform<string, unknown>(({ dataset, addIssue, NEVER }) => {
  try {
    return JSON.parse(Buffer.from(dataset.value, 'base64url').toString());
  } catch {
    addIssue({ message: 'is not JSON' });
    return NEVER;
  }
});

/** A time of the database, which keeps milliseconds, as epoch milliseconds: what PostgreSQL can't read does not parse. */
export const instantPart = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(Date.parse('9999-12-31T23:59:59.999Z')),
  v.transform((ms) => new Date(ms).toISOString()),
);

export const idPart = v.pipe(v.string(), v.regex(uuidPattern));

export const counterPart = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
