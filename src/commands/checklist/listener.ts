import { io, type Socket } from 'socket.io-client';
import type { MessageEvent, ServerToClientEvents } from '../../shared/contract.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { StepFailure } from './client.ts';

const connectWithinMs = 10_000;

/** A connected socket that keeps what it is sent. */
export interface Listener {
  received: MessageEvent[];
  saved: MessageEvent[];
  failed: { code: string; clientMessageId: string }[];
  /** All of them, in their order. */
  events: { name: string; payload: unknown }[];
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
  const listener: Listener = {
    ...{ received: [], saved: [], failed: [], events: [] },
    close: () => socket.disconnect(),
  };
  socket.onAny((event, payload) => listener.events.push({ name: event, payload }));
  socket.on('chat.message.new', (event) => listener.received.push(event));
  socket.on('chat.message.saved', (event) => listener.saved.push(event));
  socket.on('chat.message.failed', (event) => listener.failed.push(event));

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
    return listener;
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}
