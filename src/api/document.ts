import type { Hono } from 'hono';
import { generateSpecs } from 'hono-openapi';
import packageJson from '../../package.json' with { type: 'json' };
import { errorTable } from '../shared/errors.ts';
import type { ApiEnv } from './env.ts';

/** OpenAPI 3.1 of all that is mounted, from the schemas that validate. */
export async function createDocument(api: Hono<ApiEnv>): Promise<object> {
  const document = await generateSpecs(api, {
    excludeStaticFile: false,
    defaultValidationErrorResponse: false,
    documentation: {
      info: {
        title: 'Confab',
        version: packageJson.version,
        description:
          'A realtime chat backend. Errors are `application/problem+json` (RFC 9457) with a `code` of a closed list. What ' +
          'happens in a chat comes over Socket.IO, namespace `/chat`.',
      },
      tags: [
        { name: 'auth', description: 'Registration, sign-in, sessions.' },
        { name: 'users', description: 'Who can be written to.' },
        { name: 'chats', description: 'Direct chats and groups.' },
        { name: 'participants', description: 'Who takes part in a chat.' },
        { name: 'messages', description: 'Sending and reading back.' },
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
          serviceToken: {
            type: 'http',
            scheme: 'bearer',
            description: '`SERVICE_TOKEN`, for the operator’s own backend.',
          },
        },
        schemas: { Problem: problemSchema },
      },
    },
  });
  return document;
}

const problemSchema = {
  type: 'object' as const,
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string' as const, pattern: '^urn:confab:error:[a-z_]+$' },
    title: { type: 'string' as const },
    status: { type: 'integer' as const },
    code: { type: 'string' as const, enum: Object.keys(errorTable) },
    detail: { type: 'string' as const },
    requestId: { type: 'string' as const },
    errors: {
      type: 'array' as const,
      description:
        'With `validation_failed`: one entry a bad field; `path` is dotted, empty for the body itself.',
      items: {
        type: 'object' as const,
        required: ['path', 'message'],
        properties: { path: { type: 'string' as const }, message: { type: 'string' as const } },
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
