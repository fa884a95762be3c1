import type { Delivery } from '../shared/ports/queue.ts';

/**
 * The name an operator calls a dead letter by: the message's own id, else (no id, or none that fits a command line)
 * one made of its body, so that the same poison put twice keeps one name.
 */
export function deadLetterId({ id, body }: Pick<Delivery, 'id' | 'body'>): string {
  if (id !== undefined && /^[\w.:][\w.:-]{0,99}$/.test(id)) return id;
  return `poison-${new Bun.CryptoHasher('sha256').update(body).digest('hex').slice(0, 24)}`;
}
