import type { MiddlewareHandler } from 'hono';
import { addressOf } from '../../shared/client-address.ts';
import { createForwardedWarning } from '../../shared/forwarded-warning.ts';
import type { Logger } from '../../shared/log.ts';
import type { ApiEnv } from '../env.ts';

/** The address that limits are counted for. */
export function clientAddress(trustProxy: boolean, log: Logger): MiddlewareHandler<ApiEnv> {
  const warn = createForwardedWarning({ trustProxy, log });
  return (c, next) => {
    warn(c.req.raw);
    c.set('address', addressOf(c.req.raw, c.env?.server, trustProxy));
    return next();
  };
}
