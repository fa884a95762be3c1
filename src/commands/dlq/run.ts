import type { AuditOf } from '../../shared/audit.ts';
import type { DeadLetter, DeadLetterStore } from '../../shared/ports/queue.ts';
import type { DlqCommand } from './arguments.ts';

export interface Print {
  out(line: string): void;
  err(line: string): void;
}

/**
 * Returns the exit status: 1 when an id is not there.
 * @param vouch signs a body in the name of who typed the command
 */
export async function runDlq(
  command: DlqCommand,
  store: DeadLetterStore,
  vouch: () => Promise<(body: string) => string>,
  print: Print,
  audit: AuditOf,
): Promise<number> {
  switch (command.verb) {
    case 'list': {
      const letters = await store.list();
      for (const letter of letters) print.out(line(letter));
      print.err(letters.length === 1 ? '1 dead letter' : `${letters.length} dead letters`);
      return 0;
    }
    case 'show': {
      const letter = (await store.list()).find(({ id }) => id === command.id);
      if (!letter) return missing([command.id], [], print);
      show(letter, print);
      return 0;
    }
    case 'replay': {
      const signed = command.sign;
      const replayed = await told(store.replay(command.ids, signed ? await vouch() : undefined), {
        each: (id) => print.out(`replayed ${id}`),
        end: (ids) => audit('dlq.replayed', { ids, signed }),
      });
      if (command.ids === 'all') {
        if (replayed.length === 0) print.err('There are no dead letters.');
        return 0;
      }
      return missing(command.ids, replayed, print);
    }
    case 'drop': {
      const dropped = await told(store.drop(command.ids), {
        each: (id) => print.out(`dropped ${id}`),
        end: (ids) => audit('dlq.dropped', { ids }),
      });
      return missing(command.ids, dropped, print);
    }
  }
}

/** @param on.end told of all, or of those until it failed */
async function told(
  ids: AsyncIterable<string>,
  on: { each: (id: string) => void; end: (ids: readonly string[]) => void },
): Promise<string[]> {
  const all: string[] = [];
  try {
    for await (const id of ids) {
      all.push(id);
      on.each(id);
    }
  } finally {
    on.end(all);
  }
  return all;
}

function missing(wanted: readonly string[], found: readonly string[], print: Print): number {
  const absent = wanted.filter((id) => !found.includes(id));
  for (const id of absent) print.err(`There is no dead letter ${id}: \`bun run dlq list\` shows all.`);
  return absent.length === 0 ? 0 : 1;
}

function line({ id, partition, reason, deadLetteredAt }: DeadLetter): string {
  return `${id}  ${deadLetteredAt}  p${partition}  ${printable(reason)}`;
}

function show(letter: DeadLetter, print: Print): void {
  const envelope = parsed(letter.body);
  const sentAt = typeof envelope?.sentAt === 'string' ? envelope.sentAt : 'not known';
  print.out(`id             ${letter.id}`);
  print.out(`reason         ${printable(letter.reason)}`);
  print.out(`partition      ${letter.partition}`);
  print.out(`accepted       ${printable(sentAt)}`);
  print.out(`dead-lettered  ${letter.deadLetteredAt}`);
  print.out('');
  print.out(printable(envelope ? JSON.stringify(envelope, undefined, 2) : letter.body));
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** What others wrote goes to a terminal: its control characters as escapes, line feeds and tabs as they are. */
function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
