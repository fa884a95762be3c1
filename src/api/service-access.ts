import { createTokenCheck } from '../process/http/bearer-token.ts';

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
  const hasToken = createTokenCheck(tokens);

  return {
    isService: (request) => request.headers.get(actAsHeader) !== nobody && hasToken(request),

    actAs({ headers }) {
      const given = headers.get(actAsHeader);
      return given === null || given === nobody ? undefined : given;
    },
  };
}
