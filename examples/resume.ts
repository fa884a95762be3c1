import { io } from 'socket.io-client';

// Kong, or `bun run dev`. Without Kong the gateway has an address of its own: http://localhost:3001.
const API_BASE_URL = 'http://localhost:3000';
const SOCKET_BASE_URL = 'http://localhost:3000';
let tokens = { accessToken: '<JWT_ACCESS_TOKEN>', refreshToken: '<JWT_REFRESH_TOKEN>' };

// The tabs of a browser share the session: what one of them has refreshed, the others find here. Empty it at a log-in.
const { localStorage: shared } = globalThis as { localStorage?: { tokens?: string } };
const newest = () => {
  if (shared?.tokens) tokens = JSON.parse(shared.tokens);
  return tokens;
};

// What this client knows: of each chat the highest eventSequence it has seen. Keep it with the messages it belongs to.
// The chats heard of last are the last in it, and a thousand of them are enough: of the others the list tells.
const cursors: Record<string, number> = {};
const mostCursors = 1_000;
function seen(chatId: string, eventSequence: number) {
  delete cursors[chatId];
  cursors[chatId] = eventSequence;
  const [oldest, ...others] = Object.keys(cursors);
  if (oldest && others.length >= mostCursors) delete cursors[oldest];
}
let tried = '';

export const chatSocket = io(`${SOCKET_BASE_URL}/chat`, {
  transports: ['websocket'],
  // Called before every connect, so that each one goes on where the last one ended.
  auth: (give) => {
    tried = newest().accessToken;
    give({ token: tried, cursors });
  },
});

chatSocket.onAny((event, { chatId, chat, participant, eventSequence }) => {
  if (event === 'chat.created') seen(chat.id, chat.eventSequence);
  if (chatId && eventSequence) seen(chatId, eventSequence);
  // Out of the chat, or it is not there any more.
  const left = event === 'chat.participant.removed' && participant.userId === '<USER_ID>';
  if (chatId && (left || (event === 'chat.sync.reset' && !eventSequence))) delete cursors[chatId];
});

chatSocket.on('chat.sync.reset', ({ chatId }) => {
  // Too much was missed to be sent: read this chat and its history by REST, or without a chatId the list, and forget the
  // cursors of chats that are not in it.
  console.log('Read again', chatId ?? 'all chats');
});

// Of connects that were refused, since the last one that was not.
let refusals = 0;
let refreshed = false;
chatSocket.on('connect', () => {
  refusals = 0;
  refreshed = false;
});

chatSocket.on('connect_error', async (error: Error & { data?: { code: string } }) => {
  const code = error.data?.code;
  if (!code) return; // The network: the client tries again by itself.
  if (code === 'too_many_sockets') {
    // Another tab may be closed by then, and what a lost network left behind is.
    await seconds(30 * (1 + Math.random()));
    return chatSocket.connect();
  }
  // The server may have another secret than yesterday: then one refresh makes the token valid, or nothing does.
  const mayRefresh = code === 'token_expired' || (code === 'token_invalid' && !refreshed);
  if (!mayRefresh) return console.log(/^(token|session)/.test(code) ? 'Sign in again' : error.message);
  // At once; the next time after 1 to 2 s, then 2 to 4 s, and so on to a minute.
  await seconds(refusals && Math.min(30, 2 ** (refusals - 1)) * (1 + Math.random()));
  refusals += 1;
  if (newest().accessToken === tried) {
    const response = await fetch(`${API_BASE_URL}/auth/refresh`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ refreshToken: tokens.refreshToken }),
    }).catch(() => undefined);
    if (response?.status === 401) return console.log('Sign in again');
    if (response?.ok) {
      tokens = (await response.json()) as typeof tokens;
      if (shared) shared.tokens = JSON.stringify(tokens);
      refreshed = true;
    } else await seconds(Number(response?.headers.get('Retry-After') ?? 0));
  }
  chatSocket.connect();
});

function seconds(wait: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1_000 * wait));
}
