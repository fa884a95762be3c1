import type { Logger } from '../shared/log.ts';

/**
 * Says once that a request has come through a proxy that is not trusted. Where it is the operator's own, all who come through
 * it share one address, and its limit.
 */
export function createProxyNotice(log: Logger): (headers: Headers) => void {
  let said = false;
  return (headers) => {
    if (said || !headers.has('x-forwarded-for')) return;
    said = true;
    log.warn(
      'a request came with X-Forwarded-For, which is not believed: behind a proxy of your own set TRUST_PROXY=true, ' +
        'else all its clients share the limit of one address',
    );
  };
}
