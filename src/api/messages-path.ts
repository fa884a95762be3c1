/** What stands for the address in the log. */
export const messagesRoute = '/chats/:chatId/messages';

const messagesUrl =
  /^https?:\/\/[^/[]*\/chats\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/messages(?:\?(.*))?$/;

/** Of an address as nearly every client writes it: the host no IPv6 address, the id in lower case, nothing escaped. */
export function messagesPath(url: string): { chatId: string; search: string | undefined } | undefined {
  const [, chatId, search] = messagesUrl.exec(url) ?? [];
  return chatId === undefined ? undefined : { chatId, search };
}
