import type { MiddlewareHandler } from 'hono';
import { resolver, uniqueSymbol } from 'hono-openapi';
import * as v from 'valibot';
import { ChatError } from '../shared/errors.ts';
import type { ApiEnv } from './env.ts';

/*
 * The edge: everything from outside passes a valibot strict object here, once. The middlewares carry their schema under
 * hono-openapi's symbol, so that the document is made from what validates. Its own `validator()` is not used: it takes a
 * body of any other type for an empty one, and answers in its own words.
 */

type Schema = v.GenericSchema<unknown, object>;
type Validates<Target extends 'json' | 'query' | 'param', S extends Schema> = MiddlewareHandler<
  ApiEnv,
  string,
  // biome-ignore lint/complexity/noBannedTypes: Hono's own "no input", intersected with those of other middlewares
  { in: {}; out: Record<Target, v.InferOutput<S>> }
>;

/** `uuidPattern` without a flag: a pattern in JSON Schema has none. */
const eitherCase = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** Any 8-4-4-4-12 hexadecimal; lower case from here on. */
export const uuid = v.pipe(
  v.string(),
  v.regex(eitherCase, 'must be 8-4-4-4-12 hexadecimal'),
  v.toLowerCase(),
  v.metadata({ examples: ['0198c0de-0000-7000-8000-000000000001'] }),
);

/**
 * `c.req.valid('json')`.
 * @throws ChatError `unsupported_media_type`, `malformed_json`, `validation_failed`
 */
export function jsonBody<const S extends Schema>(schema: S): Validates<'json', S> {
  return describe('json', schema, async (c, next) => {
    assertJson(c.req.raw.headers);
    c.req.addValidatedData('json', parse(schema, parseJson(await c.req.arrayBuffer())));
    await next();
  });
}

/**
 * `c.req.valid('query')`. What the schema does not name, `knownQuery` has refused before.
 * @throws ChatError `validation_failed`
 */
export function query<const S extends Schema & Entries>(schema: S): Validates<'query', S> {
  const validating = describe('query', schema, async (c, next) => {
    const given = Object.entries(c.req.queries());
    const repeated = given.filter(([, values]) => values.length > 1);
    const problems = repeated.map(([path]) => ({ path, message: 'is given more than once' }));
    const input = Object.fromEntries(given.map(([name, values]) => [name, values[0]]));
    c.req.addValidatedData('query', parse(schema, input, problems));
    await next();
  });
  return Object.assign(validating, { [parameters]: Object.keys(schema.entries) });
}

/** All our queries are objects, whatever is checked of them as a whole. */
interface Entries {
  entries: Record<string, unknown>;
}
const parameters = Symbol('parameters');

/** The names that a handler takes in a query. */
export const parametersOf = (handler: object): readonly string[] =>
  parameters in handler ? (handler[parameters] as readonly string[]) : [];

/**
 * `c.req.valid('param')`.
 * @throws ChatError `validation_failed`
 */
export function params<const S extends Schema>(schema: S): Validates<'param', S> {
  return describe('param', schema, async (c, next) => {
    c.req.addValidatedData('param', parse(schema, c.req.param()));
    await next();
  });
}

function describe<Target extends 'json' | 'query' | 'param', S extends Schema>(
  target: Target,
  schema: S,
  middleware: MiddlewareHandler<ApiEnv>,
): Validates<Target, S> {
  const openapi = { target, ...resolver(schema, { options: { typeMode: 'input' } }) };
  return Object.assign(middleware, { [uniqueSymbol]: openapi }) as unknown as Validates<Target, S>;
}

/**
 * @param known problems that the schema can't see
 * @throws ChatError `validation_failed`
 */
export function parse<S extends Schema>(
  schema: S,
  input: unknown,
  known: readonly { path: string; message: string }[] = [],
): v.InferOutput<S> {
  const problems = [...known, ...unstorable(input)];
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
  if (issue.kind === 'schema') return `must be ${expectedNames[issue.expected ?? ''] ?? 'of another type'}`;
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

/** @throws ChatError `malformed_json`, `validation_failed` for what is no object */
export function parseJson(bytes: ArrayBuffer): object {
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

/** Our deepest body has three levels. */
const maxDepth = 16;

const tooDeep = (): ChatError =>
  new ChatError('validation_failed', undefined, { errors: [{ path: '', message: 'is nested too deeply' }] });

/**
 * What PostgreSQL's text or JSON's own rules could not carry through: NUL, and half of a surrogate pair.
 * @throws ChatError `validation_failed` before the schema recurses into anything too deep
 */
function unstorable(input: unknown): { path: string; message: string }[] {
  const problems: { path: string; message: string }[] = [];
  const visit = (value: unknown, path: string, depth: number): void => {
    if (depth > maxDepth) throw tooDeep();
    if (typeof value === 'string') {
      const message = textProblem(value);
      if (message !== undefined) problems.push({ path, message });
    } else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        const below = path === '' ? key : `${path}.${key}`;
        if (textProblem(key) !== undefined)
          problems.push({ path, message: 'has a field with an unusable name' });
        visit(item, below, depth + 1);
      }
    }
  };
  visit(input, '', 0);
  return problems;
}

function textProblem(value: string): string | undefined {
  if (value.includes('\0')) return 'must not hold NUL (U+0000)';
  if (!value.isWellFormed()) return 'must not hold half of a surrogate pair';
  return undefined;
}
