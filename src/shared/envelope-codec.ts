import type { SendEnvelope } from './contract.ts';
import { createSigner, signatureCharacters } from './signature.ts';

export type EnvelopeVersion = SendEnvelope['version'];

/** What this program can write and read, ascending. A worker leaves a higher one in the queue, so an api writes what all read. */
export const envelopeVersions: readonly [EnvelopeVersion, ...EnvelopeVersion[]] = [1, 2, 3];

/** Whose a body is: `ours` was made by a process that has the key, to the letter; `none` says nothing about itself. */
export type Signature = 'ours' | 'foreign' | 'none';

export interface EnvelopeCodec {
  /** JSON of the envelope, with its signature as the last field. */
  seal(envelope: SendEnvelope): string;
  signatureOf(body: string): Signature;
  /** Signs what others wrote, for somebody who vouches for it; what is no JSON object stays as it is. */
  vouch(body: string): string;
}

const field = ',"signature":"';
const end = '"}';
const signedLength = field.length + signatureCharacters + end.length;

/**
 * Who can write to the queue must not be able to speak as anybody, so each body is signed: the HMAC-SHA256 of everything
 * before the comma of its last field. It stands in the body, where it goes wherever the body goes, through dead letters and
 * back; and there a worker from before signatures reads past it.
 * @param key the same in every process: `envelopeKey()`
 */
export function createEnvelopeCodec(key: string): EnvelopeCodec {
  const sign = createSigner(key);

  function signed(json: string): string {
    const open = json.slice(0, -1);
    return `${open}${field}${sign(open)}${end}`;
  }

  function signatureOf(body: string): Signature {
    const at = body.length - signedLength;
    if (at < 0 || !body.startsWith(field, at) || !body.endsWith(end)) return 'none';
    const given = body.slice(at + field.length, -end.length);
    return given === sign(body.slice(0, at)) ? 'ours' : 'foreign';
  }

  return {
    seal: (envelope) => signed(JSON.stringify(envelope)),
    signatureOf,

    vouch(body) {
      if (signatureOf(body) === 'ours') return body;
      const { signature, ...rest } = objectOf(body);
      return Object.keys(rest).length === 0 ? body : signed(JSON.stringify(rest));
    },
  };
}

function objectOf(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
