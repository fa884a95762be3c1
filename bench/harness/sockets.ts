import type { Bench } from './bench.ts';
import { bunChild, type Child, startChild } from './child.ts';
import { signTokens } from './population.ts';
import type { Environment } from './servers.ts';

const concurrency = 100;

export async function connectSockets(
  bench: Pick<Bench, 'defer'>,
  port: number,
  kind: 'bare' | 'peer' | 'confab',
  hellos: string[],
): Promise<Child> {
  const sockets = await startChild({ name: `sockets of ${kind}`, command: bunChild('sockets.ts') });
  bench.defer(() => sockets.end());
  await sockets.call('connect', { port, hellos, concurrency, ...protocols[kind] });
  return sockets;
}

export const protocols = {
  upgrade: { path: '/', greeting: '', ready: '' },
  bare: { path: '/', greeting: '', ready: 'ok' },
  peer: { path: '/socket.io/?EIO=4&transport=websocket', greeting: '0', ready: '40/chat,' },
  confab: { path: '/socket.io/?EIO=4&transport=websocket', greeting: '0', ready: '42/chat,["chat.ready"' },
};

export const bareHellos = (memberships: readonly (readonly number[])[]): string[] =>
  memberships.map((chats, at) => JSON.stringify({ user: at + 1, chats }));
export const peerHellos = (memberships: readonly (readonly number[])[]): string[] =>
  bareHellos(memberships).map((auth) => `40/chat,${auth}`);
export async function confabHellos(environment: Environment, count: number): Promise<string[]> {
  const tokens = await signTokens(environment, 1, count);
  return tokens.map(confabHello);
}
export const confabHello = (token: string): string => `40/chat,${JSON.stringify({ token })}`;
