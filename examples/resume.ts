import { io } from 'socket.io-client';

// Kong, or `bun run dev`. Without Kong the gateway has an address of its own: http://localhost:3001.
const API_BASE_URL = 'http://localhost:3000';
const SOCKET_BASE_URL = 'http://localhost:3000';
let tokens = { accessToken: '<JWT_ACCESS_TOKEN>', refreshToken: '<JWT_REFRESH_TOKEN>' };

// What this client knows: of each chat the highest eventSequence it has seen. Keep it with the messages it belongs to.
const cursors: Record<string, number> = {};

export const chatSocket = io(`${SOCKET_BASE_URL}/chat`, {
  transports: ['websocket'],
  // Called before every connect, so that each one goes on where the last one ended.
  auth: (give) => give({ token: tokens.accessToken, cursors }),
});

chatSocket.onAny((event, { chatId, chat, participant, eventSequence }) => {
  if (event === 'chat.created') cursors[chat.id] = chat.eventSequence;
  if (chatId && eventSequence) cursors[chatId] = eventSequence;
  // Out of the chat, or it is not there any more.
  const left = event === 'chat.participant.removed' && participant.userId === '<USER_ID>';
  if (chatId && (left || (event === 'chat.sync.reset' && !eventSequence))) delete cursors[chatId];
});

chatSocket.on('chat.sync.reset', ({ chatId }) => {
  // Too much was missed to be sent: read this chat and its history, or without a chatId the list, by REST.
  console.log('Read again', chatId ?? 'all chats');
});

chatSocket.on('connect_error', async (error: Error & { data?: { code: string } }) => {
  if (error.data?.code === 'session_revoked') return console.log('Sign in again');
  if (error.data?.code !== 'token_expired') return; // The network: the client tries again by itself.
  const response = await fetch(`${API_BASE_URL}/auth/refresh`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ refreshToken: tokens.refreshToken }),
  }).catch(() => undefined);
  if (response?.status === 401) return console.log('Sign in again');
  if (response?.ok) tokens = (await response.json()) as typeof tokens;
  setTimeout(() => chatSocket.connect(), response?.ok ? 0 : 1_000);
});
