import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ChatError } from '../../shared/errors.ts';
import type { ApiEnv } from '../env.ts';

export const maxBodyBytes = 64 * 1024;

const tooLarge = (): ChatError => new ChatError('body_too_large', `The body may have ${maxBodyBytes} bytes.`);

const countChunks = bodyLimit({
  maxSize: maxBodyBytes,
  onError: () => {
    throw tooLarge();
  },
});

/**
 * Reads the body whole; Hono keeps it for whoever asks. Counts what arrives of a chunked one.
 * @throws ChatError `body_too_large`
 */
export async function readBody(c: Context<ApiEnv>): Promise<void> {
  const length = c.req.header('content-length');
  if (length !== undefined && c.req.header('transfer-encoding') === undefined) {
    // The server reads no more of it than this. To look at `raw.body` would make a stream of it first.
    if (Number.parseInt(length, 10) > maxBodyBytes) throw tooLarge();
    await c.req.arrayBuffer();
    return;
  }
  await countChunks(c, async () => {
    if (c.req.raw.body) await c.req.arrayBuffer();
  });
}
