import type * as v from 'valibot';
import packageJson from '../../package.json' with { type: 'json' };
import { problemMediaType } from '../process/http/problem.ts';
import type { Operation, ResponseDescription, Route } from '../process/http/route.ts';
import type { ErrorCode } from '../shared/contract.ts';
import { errorTable } from '../shared/errors.ts';
import { schemaObject } from './json-schema.ts';
import { actAsHeader } from './service-access.ts';

/** OpenAPI 3.1 of these routes, from the schemas that validate. */
export function createDocument(routes: readonly Route[]): object {
  const schemas: Record<string, object> = { Problem: problemSchema };
  const paths: Record<string, Record<string, object>> = {};
  const withService = routes.some(({ needs }) => needs?.security === 'serviceToken');
  for (const route of routes) {
    if (!route.operation) continue;
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: describe(route, route.operation, { schemas, withService }),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Confab',
      description:
        'A realtime chat backend. Errors are `application/problem+json` (RFC 9457) with a `code` of a closed list. What ' +
        'happens in a chat comes over Socket.IO, namespace `/chat`.',
      version: packageJson.version,
    },
    tags: [
      { name: 'auth', description: 'Registration, sign-in, sessions.' },
      { name: 'users', description: 'Who can be written to.' },
      { name: 'chats', description: 'Direct chats and groups.' },
      { name: 'participants', description: 'Who takes part in a chat.' },
      { name: 'messages', description: 'Sending and reading back.' },
      ...(withService ? [{ name: 'service', description: serviceDescription }] : []),
      { name: 'operation', description: 'Health and this document.' },
    ],
    components: {
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'From `POST /auth/login`, or from the outside identity provider.',
        },
        ...(withService ? serviceSchemes : {}),
      },
      schemas,
    },
    paths,
  };
}

const serviceDescription =
  'For your own backend alone, by `SERVICE_TOKEN`: no proxy lets these out. The same token with `X-Act-As: <userId>` opens every ' +
  'other route as that user, without a rate limit of theirs.';
const serviceSchemes = {
  serviceToken: {
    type: 'http',
    scheme: 'bearer',
    description: '`SERVICE_TOKEN`, of the host’s own backend.',
  },
  actAs: {
    type: 'apiKey',
    in: 'header',
    name: actAsHeader,
    description:
      'The id of the user as whom the backend acts, beside `SERVICE_TOKEN`; `service` where it may act by itself.',
  },
};

/** What any route may answer; also to a query that it does not know. */
const always: readonly ErrorCode[] = [
  'validation_failed',
  'rate_limited',
  'internal_error',
  'database_unavailable',
  'server_busy',
];
const withToken = {
  accessToken: [
    ...(['token_missing', 'token_invalid', 'token_expired', 'session_revoked', 'user_not_found'] as const),
    'user_deactivated',
  ],
  serviceToken: ['token_missing', 'token_invalid'],
  none: [],
} as const satisfies Record<string, readonly ErrorCode[]>;
/** Any of these is enough. */
const schemesOf = {
  accessToken: [{ accessToken: [] }, { serviceToken: [], actAs: [] }],
  serviceToken: [{ serviceToken: [] }],
  none: [],
};
const withBody: readonly ErrorCode[] = ['malformed_json', 'unsupported_media_type', 'body_too_large'];

/**
 * @param to.schemas where those with a name go
 * @param to.withService whether anybody has the service token
 */
function describe(
  route: Route,
  operation: Operation,
  { schemas, withService }: { schemas: Record<string, object>; withService: boolean },
): object {
  const { tag, responses, problems = [], ...described } = operation;
  const security = route.needs?.security ?? 'none';
  const codes = new Set<ErrorCode>([
    ...problems,
    ...(route.body ? withBody : []),
    ...(route.makes ? (['not_ready'] as const) : []),
    ...withToken[security],
    ...(tag === 'operation' ? (['internal_error'] as const) : always),
  ]);
  const successes = Object.entries(responses).map(([status, response]) => [
    status,
    responseObject(response, schemas),
  ]);
  const parameters = [...parametersOf('path', route.params), ...parametersOf('query', route.query)];
  return {
    ...described,
    tags: [tag],
    security: schemesOf[security].filter((schemes) => withService || !('serviceToken' in schemes)),
    responses: { ...Object.fromEntries(successes), ...problemResponses([...codes]) },
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body
      ? { requestBody: { required: true, ...jsonContent(schemaObject(route.body, schemas, 'input')) } }
      : {}),
  };
}

function responseObject(
  { description, type, schema }: ResponseDescription,
  schemas: Record<string, object>,
): object {
  if (!schema) return { description };
  const object = 'kind' in schema ? schemaObject(schema, schemas) : schema;
  return { description, content: { [type ?? 'application/json']: { schema: object } } };
}

const jsonContent = (schema: object) => ({ content: { 'application/json': { schema } } });

function parametersOf(place: 'path' | 'query', schema: v.GenericSchema | undefined): object[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemaObject(schema, {}, 'input');
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as { description?: string };
    return {
      in: place,
      name,
      schema: rest,
      ...(required.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
    };
  });
}

function problemResponses(codes: readonly ErrorCode[]): object {
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

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string', pattern: '^urn:confab:error:[a-z_]+$' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(errorTable) },
    detail: { type: 'string' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      description:
        'With `validation_failed`: one entry a bad field; `path` is dotted, empty for the body itself.',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
  examples: [
    {
      type: 'urn:confab:error:validation_failed',
      title: errorTable.validation_failed.title,
      status: 422,
      code: 'validation_failed',
      detail: errorTable.validation_failed.title,
      requestId: '0198c0de-0000-7000-8000-000000000002',
      errors: [{ path: 'content', message: 'is required' }],
    },
  ],
};
