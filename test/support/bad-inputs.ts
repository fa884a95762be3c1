import { describe, expect, test } from 'bun:test';
import type { ErrorCode, Problem } from '../../src/shared/contract.ts';

/** One row: what is wrong, the request that is wrong in this way, and the answer. */
export interface BadInput<World> {
  input: string;
  ask: (world: World) => BadRequest | Promise<BadRequest>;
  status: number;
  code: ErrorCode;
  /** With `validation_failed`: the path of an entry in `errors`. */
  path?: string;
}

export interface BadRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** Text goes as it is, anything else as JSON. */
  body?: unknown;
}

/** Each row a test: status, code, and the whole shape of the problem. */
export function testBadInputs<World>(
  name: string,
  rows: readonly BadInput<World>[],
  world: () => World,
  request: (path: string, init: RequestInit) => Response | Promise<Response>,
): void {
  describe(name, () => {
    test.each(rows.map((row) => [`${row.input} → ${row.status} ${row.code}`, row] as const))(
      '%s',
      async (_, row) => {
        const { method, path, headers, body } = await row.ask(world());
        const answer = await request(path, {
          method,
          headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
          ...(body === undefined ? {} : { body: bodyOf(body) }),
        });
        const problem = (await answer.json()) as Problem;
        expect({ status: answer.status, code: problem.code }).toEqual({ status: row.status, code: row.code });
        expect(answer.headers.get('content-type')).toBe('application/problem+json');
        expect(problem).toEqual({
          type: `urn:confab:error:${row.code}`,
          title: expect.any(String),
          status: row.status,
          code: row.code,
          detail: expect.any(String),
          requestId: answer.headers.get('x-request-id') ?? 'a request id',
          ...(row.code === 'validation_failed' ? { errors: expect.any(Array) } : {}),
        });
        if (row.path !== undefined) expect(problem.errors?.map(({ path }) => path)).toContain(row.path);
      },
    );
  });
}

function bodyOf(body: unknown): string | ReadableStream {
  return typeof body === 'string' || body instanceof ReadableStream ? body : JSON.stringify(body);
}
