import { type DescribeRouteOptions, describeRoute, resolver } from 'hono-openapi';
import type * as v from 'valibot';
import type { ErrorCode } from '../shared/contract.ts';
import { errorTable } from '../shared/errors.ts';
import { problemMediaType } from './problem.ts';

type Responses = NonNullable<DescribeRouteOptions['responses']>;

/** What any route may answer; also to a query that it does not know. */
const always: readonly ErrorCode[] = [
  'validation_failed',
  'rate_limited',
  'internal_error',
  'database_unavailable',
  'server_busy',
];
const withToken: readonly ErrorCode[] = [
  'token_missing',
  'token_invalid',
  'token_expired',
  'session_revoked',
];
/** What `jsonBody()` throws, and the limit before it. */
const withBody: readonly ErrorCode[] = [
  'malformed_json',
  'unsupported_media_type',
  'body_too_large',
  'validation_failed',
];

export interface RouteDescription {
  operationId: string;
  summary: string;
  description?: string;
  tag: 'auth' | 'users' | 'chats' | 'messages' | 'participants' | 'operation';
  /** Which credential the route wants: a user's access token, the service token, or none. */
  security: 'accessToken' | 'serviceToken' | 'none';
  /** Whether it reads a JSON body. */
  body?: boolean;
  responses: Responses;
  /** Beside those that follow from `security` and `body` and those that any route may answer. */
  problems?: readonly ErrorCode[];
}

/** Puts a route into the document; every error it may answer is listed with its codes. */
export function describe(route: RouteDescription) {
  const { operationId, summary, description, tag, security, body, responses, problems = [] } = route;
  const codes = new Set<ErrorCode>([
    ...problems,
    ...(body ? withBody : []),
    ...(security === 'accessToken' ? withToken : []),
    ...(security === 'serviceToken' ? (['token_missing', 'token_invalid'] as const) : []),
    ...(tag === 'operation' ? (['internal_error'] as const) : always),
  ]);
  return describeRoute({
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    tags: [tag],
    security: security === 'none' ? [] : [{ [security]: [] }],
    responses: { ...responses, ...problemResponses([...codes]) },
  });
}

/** A JSON answer of a route. */
export function jsonResponse(description: string, schema: v.GenericSchema): Responses[string] {
  return { description, content: { 'application/json': { schema: resolver(schema) } } };
}

/** An answer without a body. */
export const emptyResponse = (description: string): Responses[string] => ({ description });

function problemResponses(codes: readonly ErrorCode[]): Responses {
  const byStatus = Map.groupBy(codes, (code) => errorTable[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, sameStatus]) => [
      String(status),
      {
        description: sameStatus.map((code) => `\`${code}\`: ${errorTable[code].title}.`).join(' '),
        ...(status === 429 || status === 503 ? { headers: retryAfter } : {}),
        content: {
          [problemMediaType]: {
            schema: {
              allOf: [
                { $ref: '#/components/schemas/Problem' },
                {
                  type: 'object',
                  properties: { status: { const: status }, code: { enum: [...sameStatus] } },
                },
              ],
            },
          },
        },
      },
    ]),
  );
}

const retryAfter = {
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' as const, minimum: 1 } },
};
