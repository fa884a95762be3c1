import { io, type Socket } from 'socket.io-client';
import type { ServerToClientEvents } from '../../shared/contract.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { StepFailure } from './client.ts';

type Event = keyof ServerToClientEvents;
export type PayloadOf<Name extends Event> = Parameters<ServerToClientEvents[Name]>[0];

const connectWithinMs = 10_000;

/** A connected socket that keeps what it is sent. */
export interface Listener {
  /** In their order. */
  events: { name: string; payload: unknown }[];
  /** The payloads of those of one name. */
  heard<Name extends Event>(name: Name): PayloadOf<Name>[];
  close(): void;
}

/**
 * @param auth beside the token
 * @throws StepFailure when `/chat` does not let it in
 */
export async function listenAs(
  name: string,
  socketUrl: string,
  token: string,
  auth: object = {},
): Promise<Listener> {
  const { origin, pathname } = new URL(socketUrl);
  const socket: Socket<ServerToClientEvents> = io(`${origin}/chat`, {
    path: `${pathname.replace(/\/$/, '')}/socket.io/`,
    transports: ['websocket'],
    auth: { ...auth, token },
    reconnection: false,
    forceNew: true,
  });
  const events: Listener['events'] = [];
  socket.onAny((event, payload) => events.push({ name: event, payload }));

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on('connect', resolve);
  socket.on('connect_error', (error: Error & { data?: { code?: string; detail?: string } }) => {
    const said = error.data?.code === undefined ? error.message : `${error.data.code}: ${error.data.detail}`;
    reject(new StepFailure(`${name} can't connect to ${socketUrl}/chat (${said})`));
  });
  const late = () =>
    new StepFailure(`${name} is not connected to ${socketUrl}/chat after ${connectWithinMs / 1000} s`);
  try {
    await withDeadline(promise, connectWithinMs, late);
    return {
      events,
      heard: <Name extends Event>(name: Name) =>
        events.flatMap((event) => (event.name === name ? [event.payload as PayloadOf<Name>] : [])),
      close: () => socket.disconnect(),
    };
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}
