import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  cert: string;
  key: string;
}

export interface Authority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  /**
   * A certificate of this authority.
   * @param names DNS names and IPv4 addresses that it is good for
   */
  issue(commonName: string, names?: readonly string[], validDays?: number): Certificate;
}

/** A certificate authority for one test: X.509 by hand, as Node and Bun only read it. */
export function createAuthority(commonName = 'Test authority'): Authority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const sign = (subject: string, of: KeyObject, extensions: readonly Buffer[], validDays: number) =>
    certificate({ subject, issuer: commonName, of, extensions, validDays, signedWith: privateKey });
  return {
    cert: sign(commonName, publicKey, [basicConstraints(true)], 10),
    issue(name, names = [], validDays = 10) {
      const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      const extensions = [basicConstraints(false), ...(names.length > 0 ? [alternativeNames(names)] : [])];
      return {
        cert: sign(name, own.publicKey, extensions, validDays),
        key: String(own.privateKey.export({ type: 'pkcs8', format: 'pem' })),
      };
    },
  };
}

function certificate(given: {
  subject: string;
  issuer: string;
  of: KeyObject;
  extensions: readonly Buffer[];
  validDays: number;
  signedWith: KeyObject;
}): string {
  const day = 86_400_000;
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    commonNameOf(given.issuer),
    // An hour ago, or long ago where it is to have expired.
    sequence(
      time(Date.now() - (given.validDays > 0 ? day / 24 : 100 * day)),
      time(Date.now() + given.validDays * day),
    ),
    commonNameOf(given.subject),
    Buffer.from(given.of.export({ type: 'spki', format: 'der' })),
    tagged(0xa3, sequence(...given.extensions)),
  );
  const signature = createSign('SHA256').update(body).sign(given.signedWith);
  const der = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

const basicConstraints = (isAuthority: boolean): Buffer =>
  sequence(
    oid('551d13'),
    tagged(0x01, Buffer.from([0xff])),
    tagged(0x04, isAuthority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence()),
  );

const alternativeNames = (names: readonly string[]): Buffer =>
  sequence(
    oid('551d11'),
    tagged(
      0x04,
      sequence(
        ...names.map((name) =>
          /^[\d.]+$/.test(name)
            ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
            : tagged(0x82, Buffer.from(name)),
        ),
      ),
    ),
  );

const commonNameOf = (name: string): Buffer =>
  sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(name)))));

const time = (at: number): Buffer =>
  tagged(0x18, Buffer.from(`${new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')}`));

const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, 'hex'));

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
