import { createPublicKey, type KeyObject } from 'node:crypto';
import type { JWK } from 'jose';

/** NIST SP 800-131A. */
const leastRsaBits = 2048;
/** FIPS 186-5, 5.1; with 1 anybody could sign, by 3 careless verifiers were fooled. */
const leastRsaExponent = 65_537n;

/**
 * The Ed25519 keys whose order divides eight, without the sign: by one of them signatures verify that nobody made
 * (https://eprint.iacr.org/2020/1244, table 6).
 */
const smallOrderKeys: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);

/** Why a public key in PEM is of no use; undefined where it is. */
export function publicKeyProblem(pem: string): string | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return 'cannot be read: it must be a public key in PEM (SPKI)';
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return rsaProblem(modulusLength, publicExponent);
  if (key.asymmetricKeyType !== 'ed25519') {
    return `holds a key of type ${key.asymmetricKeyType}: it must be Ed25519 or RSA`;
  }
  return hasSmallOrder(key.export({ type: 'spki', format: 'der' }).subarray(-32)) ? smallOrder : undefined;
}

/** Whether a key of a provider's set may verify anything: by a weak one somebody else may have signed. */
export function isStrongJwk({ kty, n = '', e = '', crv, x = '' }: JWK): boolean {
  if (kty === 'RSA') {
    const [modulus, exponent] = [integerOf(n), integerOf(e)];
    return rsaProblem(modulus.toString(2).length, exponent) === undefined;
  }
  if (kty === 'EC') return crv === 'P-256';
  return kty === 'OKP' && crv === 'Ed25519' && !hasSmallOrder(Buffer.from(x, 'base64url'));
}

const integerOf = (base64url: string): bigint =>
  BigInt(`0x0${Buffer.from(base64url, 'base64url').toString('hex')}`);

function rsaProblem(bits: number, exponent: bigint): string | undefined {
  if (bits < leastRsaBits) return `holds an RSA key of ${bits} bits: it must have at least ${leastRsaBits}`;
  return exponent < leastRsaExponent || exponent % 2n === 0n
    ? `holds an RSA key with the exponent ${exponent}: it must be ${leastRsaExponent} or more, and odd`
    : undefined;
}

const smallOrder = 'holds an Ed25519 key of small order, by which everybody can sign';

function hasSmallOrder(raw: Buffer): boolean {
  const unsigned = Buffer.from(raw);
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f;
  return smallOrderKeys.has(unsigned.toString('hex'));
}
