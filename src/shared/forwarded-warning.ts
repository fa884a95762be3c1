import type { Logger } from './log.ts';

/** Says once that there is a proxy whose word is not taken: then all of its clients share the limits of one address. */
export function createForwardedWarning({ trustProxy, log }: { trustProxy: boolean; log: Logger }) {
  let said = trustProxy;

  return (request: Request): void => {
    if (said || !request.headers.has('x-forwarded-for')) return;
    said = true;
    log.warn(
      'X-Forwarded-For arrives and TRUST_PROXY is false: if a proxy of yours sends it, set TRUST_PROXY=true; until then ' +
        'everybody behind it counts as one address',
    );
  };
}
