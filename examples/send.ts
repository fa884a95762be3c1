import axios from 'axios';

const API_BASE_URL = 'http://localhost:3000';
const accessToken = '<JWT_ACCESS_TOKEN>';
const chatId = '<CHAT_ID>';

// One id a message, kept until there is an answer: after a 503 or a lost connection the same body is sent again.
const { status, data } = await axios.post(
  `${API_BASE_URL}/chats/${chatId}/messages`,
  { content: 'Hello from sender', clientMessageId: crypto.randomUUID() },
  { headers: { Authorization: `Bearer ${accessToken}` } },
);

console.log(status, data.brokerMessageId, data.clientMessageId);
