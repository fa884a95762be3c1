import { timingSafeEqual } from 'node:crypto';

/** What hono/jwt writes before each token, to the letter. */
const headerText = (fields: object): string =>
  Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', ...fields })).toString('base64url');
const signatureLength = 43;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The `kid` of tokens signed with the secret: it names it, and tells no more of it than a signature does. */
export const keyIdOf = (secret: string): string =>
  new Bun.CryptoHasher('sha256', secret).update('kid').digest('base64url').slice(0, 8);

/**
 * Checks tokens as we sign them in this very tick: 5 µs, where WebCrypto takes 70 µs of two threads and several turns of
 * the loop for each. Only HS256, by what the header says to the letter, which names the secret. Before there were key ids
 * it did not: then each is tried.
 * @returns the payload; undefined for whatever is not a well-formed token of ours, which says nothing about it
 */
export function createOwnSignature(secrets: readonly string[]): (token: string) => unknown {
  // Copied for each token: the keys are prepared once.
  const keyedBy = (secret: string) => new Bun.CryptoHasher('sha256', secret);
  const byHeader = new Map<string, Bun.CryptoHasher[]>([[headerText({}), secrets.map(keyedBy)]]);
  for (const secret of secrets) byHeader.set(headerText({ kid: keyIdOf(secret) }), [keyedBy(secret)]);

  return (token) => {
    const dot = token.length - signatureLength - 1;
    const headerEnd = token.indexOf('.');
    const keys = byHeader.get(token.slice(0, headerEnd));
    if (!keys || token[dot] !== '.') return undefined;
    const payload = token.slice(headerEnd + 1, dot);
    if (payload === '' || payload.includes('.')) return undefined;
    const given = Buffer.from(token.slice(dot + 1));
    if (given.length !== signatureLength) return undefined;
    const signed = token.slice(0, dot);
    const isSignedBy = (keyed: Bun.CryptoHasher) =>
      timingSafeEqual(Buffer.from(keyed.copy().update(signed).digest('base64url')), given);
    if (!keys.some(isSignedBy)) return undefined;
    try {
      return JSON.parse(decoder.decode(Buffer.from(payload, 'base64url')));
    } catch {
      return undefined;
    }
  };
}
