import { createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { isStrongJwk } from '../shared/config/key-strength.ts';

/** Asymmetric ones alone: a public key taken for an HMAC secret would let anybody sign. */
export const outsideAlgorithms = ['EdDSA', 'RS256', 'ES256'] as const;
export type OutsideAlgorithm = (typeof outsideAlgorithms)[number];

/** A provider's keys; finds the one of a token's header. */
export type KeySet = ReturnType<typeof createLocalJWKSet>;

/** A hundred times what providers have. */
const mostBytes = 512 * 1024;

/**
 * Asks an identity provider for its keys (RFC 7517), once, and follows it nowhere else.
 * @throws Error with the reason, also for a set in which no key can be used
 */
export async function readKeySet(url: URL, timeoutMs: number): Promise<KeySet> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      headers: { Accept: 'application/jwk-set+json, application/json' },
      redirect: 'manual',
      signal,
    });
    if (response.status !== 200) throw new Error(`it answers ${response.status}`);
    return await toKeySet(await textOf(response));
  } catch (error) {
    if (signal.aborted) throw new Error(`it has not answered within ${timeoutMs / 1000} s`, { cause: error });
    throw error;
  }
}

async function textOf({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new Error(`its answer has more than ${mostBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

async function toKeySet(text: string): Promise<KeySet> {
  let set: JSONWebKeySet;
  let keys: KeySet;
  try {
    set = JSON.parse(text);
    keys = createLocalJWKSet({ keys: set.keys.filter(isStrongJwk) });
  } catch (cause) {
    throw new Error('its answer is no set of keys', { cause });
  }
  for (const { kid } of set.keys) {
    for (const alg of outsideAlgorithms) {
      if (await finds(keys, kid === undefined ? { alg } : { alg, kid })) return keys;
    }
  }
  throw new Error(`none of its ${set.keys.length} keys is one to check ${outsideAlgorithms.join(', ')} with`);
}

function finds(keys: KeySet, header: { alg: string; kid?: string }): Promise<boolean> {
  return keys(header).then(
    () => true,
    (error) => error instanceof errors.JWKSMultipleMatchingKeys,
  );
}
