import type { Socket } from 'socket.io';

const bearer = /^Bearer +(\S+)$/i;

/** `auth.token`, else the Bearer token of the handshake's `Authorization` header. */
export function tokenOf({ auth, headers }: Socket['handshake']): string | undefined {
  const token: unknown = auth?.token;
  if (typeof token === 'string' && token !== '') return token;
  return bearer.exec(headers.authorization ?? '')?.[1];
}
