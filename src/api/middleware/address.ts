import type { MiddlewareHandler } from 'hono';
import { addressOf } from '../../shared/client-address.ts';
import type { ApiEnv } from '../env.ts';

/** The address that limits are counted for. */
export function clientAddress(trustProxy: boolean): MiddlewareHandler<ApiEnv> {
  return (c, next) => {
    c.set('address', addressOf(c.req.raw, c.env?.server, trustProxy));
    return next();
  };
}
