import { io } from 'socket.io-client';

// Kong, or `bun run dev`. Without Kong the gateway has an address of its own: http://localhost:3001.
const API_BASE_URL = 'http://localhost:3000';
const accessToken = '<JWT_ACCESS_TOKEN>';

export const chatSocket = io(`${API_BASE_URL}/chat`, {
  transports: ['websocket'],
  auth: {
    token: accessToken,
  },
});

chatSocket.on('connect', () => {
  console.log('Connected to chat socket:', chatSocket.id);
});

chatSocket.on('disconnect', () => {
  console.log('Disconnected from chat socket');
});

chatSocket.on('connect_error', (error: Error & { data?: { code: string } }) => {
  // token_expired, and once token_invalid: refresh, then chatSocket.connect(). session_revoked: sign in again.
  console.log('Not connected:', error.data?.code ?? error.message);
});

chatSocket.on('chat.message.new', (payload) => {
  const { chatId, message } = payload;
  console.log('New realtime message', chatId, message);
  // Update your chat state/store here
});
