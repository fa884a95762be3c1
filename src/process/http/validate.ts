import * as v from 'valibot';
import { ChatError } from '../../shared/errors.ts';
import { textProblem } from '../../shared/message-extras.ts';

/* The edge: everything from outside passes a valibot strict object here, once. */

/** `uuidPattern` without a flag: a pattern in JSON Schema has none. */
const eitherCase = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** Any 8-4-4-4-12 hexadecimal; lower case from here on. */
export const uuid = v.pipe(
  v.string(),
  v.regex(eitherCase, 'must be 8-4-4-4-12 hexadecimal'),
  v.toLowerCase(),
  v.metadata({ examples: ['0198c0de-0000-7000-8000-000000000001'] }),
);

interface FieldProblem {
  path: string;
  message: string;
}

/** As they stand behind the question mark: a name may come several times. */
type GivenQuery = Readonly<Record<string, readonly string[]>>;

/**
 * That a route knows each parameter, one that knows none among them: a misspelt one would else be taken for its default.
 * @throws ChatError `validation_failed`
 */
export function assertKnown(given: GivenQuery, known: object): void {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  const errors = unknown.slice(0, maxProblems).map((path) => ({ path, message: 'is not a known parameter' }));
  throw new ChatError('validation_failed', undefined, { errors });
}

/** @throws ChatError `validation_failed` */
export function parseQuery<Output>(schema: v.GenericSchema<unknown, Output>, given: GivenQuery): Output {
  const input: Record<string, string | undefined> = {};
  const repeated: FieldProblem[] = [];
  for (const name in given) {
    input[name] = given[name]?.[0];
    if (given[name]?.length !== 1) repeated.push({ path: name, message: 'is given more than once' });
  }
  return parse(schema, input, repeated);
}

/**
 * @param known problems that the schema can't see
 * @throws ChatError `validation_failed`
 */
export function parse<Output>(
  schema: v.GenericSchema<unknown, Output>,
  input: unknown,
  known: readonly FieldProblem[] = [],
): Output {
  const problems = [...known];
  findUnstorable(input, '', 0, problems);
  const parsed = v.safeParse(schema, input);
  for (const issue of parsed.issues ?? []) {
    problems.push({ path: v.getDotPath(issue) ?? '', message: issueMessage(issue) });
  }
  if (!parsed.success || problems.length > 0) {
    throw new ChatError('validation_failed', undefined, { errors: problems.slice(0, maxProblems) });
  }
  return parsed.output;
}

const maxProblems = 20;

/** valibot's own messages quote the input, which may be a password. */
function issueMessage(issue: v.BaseIssue<unknown>): string {
  if (issue.type === 'strict_object' && issue.expected === 'never') return 'is not a known field';
  if (issue.type === 'strict_object' && issue.expected?.startsWith('"')) return 'is required';
  if (issue.type === 'picklist')
    return `must be ${issue.expected?.replaceAll(/[()]/g, '').replaceAll(' | ', ' or ')}`;
  if (issue.kind === 'schema' && issue.type !== 'custom')
    return `must be ${expectedNames[issue.expected ?? ''] ?? 'of another type'}`;
  return issue.message;
}

const expectedNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  Array: 'an array',
  Object: 'an object',
};

/** @throws ChatError `unsupported_media_type` */
function assertJson(given: Headers): void {
  const coding = given.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (coding !== '' && coding !== 'identity') {
    // RFC 9110, 12.5.3: so that a client can tell which of the two it is.
    const headers = { 'Accept-Encoding': 'identity' };
    throw new ChatError('unsupported_media_type', 'Send the body without a Content-Encoding.', { headers });
  }
  const mediaType = given.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json') {
    throw new ChatError('unsupported_media_type', 'Send the body as Content-Type: application/json.');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws ChatError `unsupported_media_type`, `malformed_json`, `validation_failed` for what is no object */
export function parseJson(headers: Headers, bytes: ArrayBuffer | undefined): object {
  assertJson(headers);
  let body: unknown;
  try {
    body = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    // The message of a SyntaxError quotes the body: it goes nowhere.
    if (error instanceof RangeError) throw tooDeep();
    throw new ChatError('malformed_json');
  }
  // strictObject() takes an array for an object.
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new ChatError('validation_failed', undefined, {
      errors: [{ path: '', message: 'must be an object' }],
    });
  }
  return body;
}

/**
 * Of our bodies the deepest are those with metadata: its 16 levels lie in one of a list in the body, and hold values. One more is the
 * schema's to name.
 */
const maxDepth = 20;

const tooDeep = (): ChatError =>
  new ChatError('validation_failed', undefined, { errors: [{ path: '', message: 'is nested too deeply' }] });

/**
 * What PostgreSQL's text or JSON's own rules could not carry through: NUL, and half of a surrogate pair.
 * @throws ChatError `validation_failed` before the schema recurses into anything too deep
 */
function findUnstorable(value: unknown, path: string, depth: number, problems: FieldProblem[]): void {
  if (depth > maxDepth) throw tooDeep();
  if (typeof value === 'string') {
    const message = textProblem(value);
    if (message !== undefined) problems.push({ path, message });
  } else if (value !== null && typeof value === 'object') {
    for (const key in value) {
      const item = (value as Record<string, unknown>)[key];
      if (textProblem(key) !== undefined)
        problems.push({ path, message: 'has a field with an unusable name' });
      findUnstorable(item, path === '' ? key : `${path}.${key}`, depth + 1, problems);
    }
  }
}
