import { io } from 'socket.io-client';

// Kong, or `bun run dev`. Without Kong the gateway has an address of its own: http://localhost:3001.
const API_BASE_URL = 'http://localhost:3000';
const SOCKET_BASE_URL = 'http://localhost:3000';
let tokens = { accessToken: '<JWT_ACCESS_TOKEN>', refreshToken: '<JWT_REFRESH_TOKEN>' };

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

export const chatSocket = io(`${SOCKET_BASE_URL}/chat`, {
  transports: ['websocket'],
  // Called before every connect, so that each one goes on where the last one ended.
  auth: (give) => give({ token: tokens.accessToken, cursors }),
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

// After a refusal the client does not try again by itself. The pauses grow, so that no mistake becomes a flood.
let pauseMs = 100;
chatSocket.on('chat.ready', () => {
  pauseMs = 100;
});

chatSocket.on('connect_error', async (error: Error & { data?: { code: string } }) => {
  if (chatSocket.active) return; // The network, or a server that is away: the client tries again by itself.
  const code = error.data?.code ?? '';
  if (code === 'session_revoked') return console.log('Sign in again');
  if (code === 'token_expired' || code === 'token_invalid') {
    const response = await fetch(`${API_BASE_URL}/auth/refresh`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ refreshToken: tokens.refreshToken }),
    }).catch(() => undefined);
    if (response?.status === 401) return console.log('Sign in again');
    if (response?.ok) tokens = (await response.json()) as typeof tokens;
  }
  // For `too_many_sockets`, too: another tab may be closed by then.
  setTimeout(() => chatSocket.connect(), pauseMs * (0.5 + Math.random()));
  pauseMs = Math.min(2 * pauseMs, 60_000);
});
