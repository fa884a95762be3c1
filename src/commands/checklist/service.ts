import type { SendAccepted } from '../../shared/contract.ts';
import { holds, readAll, type Stage } from './stage.ts';
import type { Outcome } from './steps.ts';

export async function service({ a, b, chatId, backend }: Stage): Promise<Outcome> {
  if (!backend) return { leftOut: 'it wants SERVICE_TOKEN in its environment, and the api’s own address' };
  await readAll(b);
  const path = `/chats/${chatId}/messages`;
  const sent = { content: 'Of the backend', messageType: 'system' };
  const { brokerMessageId: id }: SendAccepted = await backend('POST', path, sent, a.id);
  const { message } = await b.hears('chat.message.new', (event) => event.message.id === id);
  holds({
    'it is A’s': message.senderId === a.id,
    'it is a system message': message.messageType === 'system',
    'it is not unread': (await b.membership()).unreadCount === 0,
  });
  await backend('DELETE', `${path}/${id}`, undefined, 'service');
  const deleted = await b.hears('chat.message.deleted', (event) => event.message.id === id);
  holds({ 'nobody in the chat has deleted it': deleted.message.deletedBy === undefined });
  return `system message ${message.sequence}`;
}
