import { timingSafeEqual } from 'node:crypto';

/** What hono/jwt writes before each of our own tokens: `{"alg":"HS256","typ":"JWT"}`. */
const ownHeader = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9';
const signatureLength = 43;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Checks tokens as we sign them in this very tick: 5 µs, where WebCrypto takes 70 µs of two threads and several turns of
 * the loop for each. Only HS256, by what the header says to the letter.
 * @returns the payload; undefined for whatever is not a well-formed token of ours, which says nothing about it
 */
export function createOwnSignature(secret: string): (token: string) => unknown {
  // Copied for each token: the key is prepared once.
  const keyed = new Bun.CryptoHasher('sha256', secret);

  return (token) => {
    const dot = token.length - signatureLength - 1;
    if (!token.startsWith(`${ownHeader}.`) || token[dot] !== '.') return undefined;
    const payload = token.slice(ownHeader.length + 1, dot);
    if (payload === '' || payload.includes('.')) return undefined;
    const signature = keyed.copy().update(token.slice(0, dot)).digest('base64url');
    const given = Buffer.from(token.slice(dot + 1));
    if (given.length !== signatureLength || !timingSafeEqual(Buffer.from(signature), given)) return undefined;
    try {
      return JSON.parse(decoder.decode(Buffer.from(payload, 'base64url')));
    } catch {
      return undefined;
    }
  };
}
