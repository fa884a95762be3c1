import { timingSafeEqual } from 'node:crypto';

/**
 * Whom the host's own backend acts as: the id of a user, or itself. A proxy that lets people in sets it to `nobody`: nothing that
 * comes through it is the backend's, whatever it carries. Without the header a request is a user's: Kong strips it where a
 * client's `Connection` names it.
 */
export const actAsHeader = 'X-Act-As';
export const itself = 'service';
const nobody = 'nobody';

export interface ServiceAccess {
  /** Whether it comes from the backend, by `Authorization: Bearer <SERVICE_TOKEN>`. */
  isService(request: Request): boolean;
  /** As it is given; undefined for nobody. */
  actAs(request: Request): string | undefined;
}

/** @param tokens any of them is good */
export function createServiceAccess(tokens: readonly string[]): ServiceAccess {
  const expected = tokens.map(digest);

  return {
    isService(request) {
      const given = bearerToken(request);
      if (given === undefined || request.headers.get(actAsHeader) === nobody) return false;
      const hash = digest(given);
      // Digests have one length, and each is looked at: the comparison tells nothing by its time.
      return expected.map((one) => timingSafeEqual(hash, one)).includes(true);
    },

    actAs({ headers }) {
      const given = headers.get(actAsHeader);
      return given === null || given === nobody ? undefined : given;
    },
  };
}

/** RFC 6750; undefined for no or another scheme. */
export const bearerToken = ({ headers }: Request): string | undefined =>
  headers.get('authorization')?.match(/^Bearer +(.*[^ ]) *$/i)?.[1];

const digest = (token: string): Buffer => new Bun.CryptoHasher('sha256').update(token).digest();
