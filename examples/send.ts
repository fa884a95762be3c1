import axios from 'axios';

const API_BASE_URL = 'http://localhost:3000';
const accessToken = '<JWT_ACCESS_TOKEN>';
const chatId = '<CHAT_ID>';

// One id a message, kept until there is an answer: after a 503 or a lost connection the same body is sent again.
const body = { content: 'Hello from sender', clientMessageId: crypto.randomUUID() };

for (let attempt = 0; ; attempt += 1) {
  const answer = await axios
    .post(`${API_BASE_URL}/chats/${chatId}/messages`, body, {
      headers: { Authorization: `Bearer ${accessToken}` },
      validateStatus: () => true,
    })
    .catch(() => undefined);
  if (answer && answer.status !== 429 && answer.status < 500) {
    console.log(answer.status, answer.data.brokerMessageId, answer.data.clientMessageId);
    break;
  }
  // As long as the answer says; else up to 1 s, 2 s, 4 s, and so on to half a minute.
  const wait = Number(answer?.headers['retry-after'] ?? 0) || Math.random() * Math.min(30, 2 ** attempt);
  await new Promise((resolve) => setTimeout(resolve, 1_000 * wait));
}
