import { ChatError } from '../../shared/errors.ts';

const maxBodyBytes = 64 * 1024;

const tooLarge = (most: number): ChatError =>
  new ChatError('body_too_large', `The body may have ${most} bytes.`);

/**
 * Reads the body whole; counts what arrives of a chunked one.
 * @returns undefined where there is none
 * @throws ChatError `body_too_large`
 */
export function readBody(request: Request, most = maxBodyBytes): Promise<ArrayBuffer> | undefined {
  const { headers } = request;
  const length = headers.get('content-length');
  if (length === null || headers.has('transfer-encoding')) {
    return request.body ? readChunks(request.body, most) : undefined;
  }
  // The server reads no more of it than this. To look at `body` would make a stream of it first.
  if (Number.parseInt(length, 10) > most) throw tooLarge(most);
  return request.arrayBuffer();
}

async function readChunks(body: ReadableStream<Uint8Array>, most: number): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return Bun.concatArrayBuffers(chunks);
}
