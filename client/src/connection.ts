import { io } from 'socket.io-client';
import { backoffMs } from './backoff.ts';
import type { ConnectErrorData, ErrorCode, SocketAuth } from './contract.ts';
import type { ServerEvent } from './state/chats.ts';
import { createTimers } from './timers.ts';
import type { Tokens } from './tokens.ts';
import type { ConnectionState } from './types.ts';

export interface Connection {
  open(): void;
  close(): void;
  /** There is a reason to try at once. */
  retry(): void;
}

/** Until another socket may be closed, and what a lost network left behind is. */
const tooManyMs = 30_000;

/** What no pause and no other token mends. */
const isFinal = (code?: ErrorCode): code is ErrorCode =>
  code === 'session_revoked' || code === 'user_deactivated' || code === 'token_missing';

export function createConnection(options: {
  url: string;
  transports: ('websocket' | 'polling')[];
  tokens: Tokens;
  /** Asked before each connect. */
  known: () => Omit<SocketAuth, 'token'>;
  onEvent: (event: ServerEvent) => void;
  onStatus: (state: ConnectionState, code?: ErrorCode) => void;
}): Connection {
  const { url, transports, tokens, known, onEvent, onStatus } = options;
  let isOpen = false;
  /** Of what asks for a token: the last one alone counts. */
  let asks = 0;
  let [tried, refused]: [string?, string?] = [];
  /** Of connects, since the last one that became ready; and whether another token was good for nothing in them. */
  let [failures, refreshed] = [0, false];
  const timers = createTimers();

  // All pauses are made here.
  const socket = io(`${url}/chat`, {
    forceNew: true,
    autoConnect: false,
    reconnection: false,
    transports,
    tryAllTransports: true,
    timeout: 10_000,
    auth: async (give) => {
      const own = ++asks;
      const token = await tokens.get(refused).catch(() => null);
      if (own !== asks) return;
      if (token === undefined) return refuse('token_missing');
      if (token === null) return comeBack();
      tried = token;
      give({ token, ...known() });
    },
  });

  function refuse(code: ErrorCode): void {
    socket.disconnect();
    onStatus('refused', code);
  }

  function comeBack(ms = backoffMs(failures++)): void {
    socket.disconnect();
    onStatus('offline');
    timers.set(connect, ms);
  }

  function connect(): void {
    if (isOpen) socket.connect();
  }

  socket.onAny((event, payload) => {
    if (event === 'chat.ready') [failures, refreshed] = [0, false];
    onEvent({ event, payload } as ServerEvent);
  });
  socket.on('connect', () => {
    refused = undefined;
  });
  socket.on('disconnect', () => {
    if (isOpen) comeBack();
  });
  socket.on('connect_error', ({ data }: Error & { data?: ConnectErrorData }) => {
    if (!isOpen) return;
    const code = data?.code;
    const isToken = code === 'token_expired' || code === 'token_invalid';
    // The server may have another secret than yesterday: then one other token is good, or none is.
    if (isFinal(code) || (code === 'token_invalid' && refreshed)) return refuse(code);
    if (isToken) [refused, refreshed] = [tried, code === 'token_invalid'];
    if (code === 'too_many_sockets') {
      refuse(code);
      timers.set(connect, tooManyMs * (1 + Math.random()));
    } else comeBack(isToken && failures++ === 0 ? 0 : undefined);
  });

  return {
    open() {
      if (isOpen) return;
      isOpen = true;
      failures = 0;
      connect();
    },
    close() {
      isOpen = false;
      asks += 1;
      timers.clear();
      socket.disconnect();
    },
    retry() {
      if (!isOpen || socket.connected) return;
      timers.clear();
      socket.disconnect();
      connect();
    },
  };
}
