import { io } from 'socket.io-client';
import { backoffMs } from './backoff.ts';
import type { ConnectErrorData, ErrorCode, SocketAuth } from './contract.ts';
import type { ServerEvent } from './state/chats.ts';
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
const isFinal = (code: ErrorCode): boolean =>
  code === 'session_revoked' || code === 'user_deactivated' || code === 'token_missing';

export function createConnection(options: {
  url: string;
  transports: ('websocket' | 'polling')[];
  tokens: Tokens;
  /** Asked before each connect; undefined: with this token it must not be. */
  known: (token: string) => Omit<SocketAuth, 'token'> | undefined;
  onEvent: (event: ServerEvent) => void;
  onStatus: (state: ConnectionState, code?: ErrorCode) => void;
}): Connection {
  const { tokens, known, onEvent, onStatus } = options;
  let isOpen = false;
  let tried: string | undefined;
  let refused: string | undefined;
  /** Of connects that were refused, since the last one that was not. */
  let refusals = 0;
  let refreshed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const socket = io(`${options.url}/chat`, {
    forceNew: true,
    autoConnect: false,
    transports: options.transports,
    tryAllTransports: true,
    reconnectionDelay: 500,
    reconnectionDelayMax: 20_000,
    timeout: 10_000,
    auth: async (give) => {
      try {
        const token = await tokens.get(refused);
        if (!isOpen) return;
        if (token === undefined) return refuse('token_missing');
        tried = token;
        const more = known(token);
        if (more) give({ token, ...more });
      } catch {
        onStatus('offline');
        comeBack(backoffMs(refusals++));
      }
    },
  });

  function refuse(code: ErrorCode): void {
    socket.disconnect();
    onStatus('refused', code);
  }

  function comeBack(ms: number): void {
    socket.disconnect();
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (isOpen) socket.connect();
    }, ms);
  }

  socket.onAny((event, payload) => {
    if (event === 'chat.ready') {
      refusals = 0;
      refreshed = false;
    }
    onEvent({ event, payload } as ServerEvent);
  });
  socket.on('connect', () => {
    refused = undefined;
  });
  socket.on('disconnect', (reason) => {
    if (!isOpen) return;
    onStatus('offline');
    // Socket.IO's client does not come back after this one by itself.
    if (reason === 'io server disconnect') comeBack(backoffMs(refusals++));
  });
  socket.on('connect_error', (error: Error & { data?: ConnectErrorData }) => {
    if (!isOpen) return;
    const code = error.data?.code;
    // The network: Socket.IO's client tries again by itself.
    if (!code) return onStatus('offline');
    // The server may have another secret than yesterday: then one other token is good, or none is.
    if (isFinal(code) || (code === 'token_invalid' && refreshed)) return refuse(code);
    if (code === 'too_many_sockets') {
      onStatus('refused', code);
      return comeBack(tooManyMs * (1 + Math.random()));
    }
    onStatus('offline');
    if (code === 'token_expired' || code === 'token_invalid') {
      refused = tried;
      refreshed = code === 'token_invalid';
      return comeBack(refusals++ === 0 ? 0 : backoffMs(refusals));
    }
    comeBack(backoffMs(refusals++));
  });

  return {
    open() {
      if (isOpen) return;
      isOpen = true;
      refusals = 0;
      socket.connect();
    },
    close() {
      isOpen = false;
      clearTimeout(timer);
      socket.disconnect();
    },
    retry() {
      if (!isOpen || socket.connected) return;
      clearTimeout(timer);
      socket.disconnect().connect();
    },
  };
}
