import { UsageError } from '../operator/operate.ts';
import { parsed } from '../operator/parsed.ts';

export const dlqUsage = `bun run dlq list                      all dead letters: when, partition, reason
bun run dlq show <id>                 one of them with its payload
bun run dlq replay <id…> | --all      back into their own partitions, then forgotten here
bun run dlq drop <id…>                forgotten for good

replay takes --sign: you vouch for letters that have no signature of ours ("not signed", "the signature is not ours"),
because an older version or another database made them. Look at each first: who can write to RabbitMQ can have made it.

They are read from RabbitMQ as the environment names it; with --data-dir <folder> from the data of
\`bun run dev\`, which must be stopped for that.`;

export type DlqCommand = { dataDir: string | undefined } & (
  | { verb: 'list' }
  | { verb: 'show'; id: string }
  | { verb: 'replay'; ids: readonly string[] | 'all'; sign: boolean }
  | { verb: 'drop'; ids: readonly string[] }
);

/** @throws UsageError */
export function parseDlqArguments(argv: readonly string[]): DlqCommand {
  const { positionals, values } = parsed({
    args: [...argv],
    allowPositionals: true,
    options: { all: { type: 'boolean' }, sign: { type: 'boolean' }, 'data-dir': { type: 'string' } },
  });
  const [verb, ...ids] = positionals;
  const dataDir = values['data-dir'];
  if (values.all && verb !== 'replay') throw new UsageError('--all goes with replay only.');
  if (values.sign && verb !== 'replay') throw new UsageError('--sign goes with replay only.');
  switch (verb) {
    case 'list':
      if (ids.length > 0) throw new UsageError('list takes no ids.');
      return { verb, dataDir };
    case 'show': {
      const [id, ...more] = ids;
      if (id === undefined || more.length > 0) throw new UsageError('show takes one id.');
      return { verb, id, dataDir };
    }
    case 'replay': {
      const sign = values.sign ?? false;
      if (values.all) {
        if (ids.length > 0) throw new UsageError('replay takes ids or --all, not both.');
        return { verb, ids: 'all', sign, dataDir };
      }
      if (ids.length === 0) throw new UsageError('replay takes ids, or --all.');
      return { verb, ids, sign, dataDir };
    }
    case 'drop':
      if (ids.length === 0) throw new UsageError('drop takes ids.');
      return { verb, ids, dataDir };
    default:
      throw new UsageError(verb === undefined ? 'What is to be done?' : `There is no "${verb}".`);
  }
}
