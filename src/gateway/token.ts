/** What a CONNECT says, with the headers of the request before it. */
export interface Handshake {
  auth: Record<string, unknown>;
  headers: { authorization?: string | undefined };
}

const bearer = /^Bearer +(\S+)$/i;

/** `auth.token`, else the Bearer token of the handshake's `Authorization` header. */
export function tokenOf({ auth, headers }: Handshake): string | undefined {
  const token: unknown = auth?.token;
  if (typeof token === 'string' && token !== '') return token;
  return bearer.exec(headers.authorization ?? '')?.[1];
}
