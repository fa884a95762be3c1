import { partitionOf } from '../../src/shared/partition.ts';
import { chatId } from './population.ts';
import { partitionCount } from './servers.ts';

/** Who sends to where: a chat's number and the number of one of its members. */
export interface Address {
  chat: number;
  user: number;
}

/**
 * An address in each of the chats 1 to `count`, by partition: a batch is of one partition.
 * @param size members of a chat, as `seedChats` gives them from user 1 on
 * @param users how many there are, where they take part in several chats
 */
export function partitionChats(count: number, size: number, users = count * size): Address[][] {
  const partitions: Address[][] = Array.from({ length: partitionCount }, () => []);
  for (let chat = 1; chat <= count; chat += 1) {
    const user = 1 + (((chat - 1) * size + (chat % size)) % users);
    partitions[partitionOf(chatId(chat), partitionCount)]?.push({ chat, user });
  }
  return partitions;
}

/** As many for each partition, at random over its chats. */
export function spread(partitions: readonly Address[][], each: number): Address[] {
  return Array.from({ length: each }, () => partitions.map(pick)).flat();
}

export function pick(from: readonly Address[]): Address {
  const one = from[Math.floor(Math.random() * from.length)];
  if (!one) throw new Error('a partition without chats');
  return one;
}
