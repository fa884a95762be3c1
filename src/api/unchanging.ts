import { type Answer, empty } from '../process/http/answer.ts';
import type { Caller } from '../process/http/route.ts';
import { once } from '../shared/once.ts';

/** Answers with what is the same as long as the process runs, and with 304 to who has it already. */
export function unchanging(
  type: string,
  make: () => Promise<string | Uint8Array<ArrayBuffer>>,
  more: Record<string, string> = {},
): (caller: Caller) => Promise<Answer> {
  const made = once(async () => {
    const body = await make();
    return { body, etag: `"${Bun.hash(body).toString(36)}"` };
  });

  return async ({ request }) => {
    const { body, etag } = await made();
    // Whoever updates Confab asks for the same names: they are asked about each time, which costs a 304.
    const headers = { ...more, ETag: etag, 'Cache-Control': 'public, no-cache' };
    const known = request.headers.get('if-none-match')?.split(',') ?? [];
    if (known.some((tag) => [etag, `W/${etag}`, '*'].includes(tag.trim()))) return empty(304, headers);
    return { status: 200, body, type, headers };
  };
}
