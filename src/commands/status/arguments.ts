import { parsed } from '../operator/parsed.ts';

export const statusUsage = `bun run status                       what runs, and what waits
bun run status --watch               again every 2 s, until Ctrl-C
bun run status --json                the same for programs; with --watch a line each time

PostgreSQL, RabbitMQ and Redis are asked, as the environment names them; with --data-dir <folder> the data of
\`bun run dev\`. The status is 1 when something could not be asked, or is not as it should be.`;

export interface StatusCommand {
  watch: boolean;
  json: boolean;
  dataDir: string | undefined;
}

/** @throws UsageError */
export function parseStatusArguments(argv: readonly string[]): StatusCommand {
  const { values } = parsed({
    args: [...argv],
    options: {
      watch: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'data-dir': { type: 'string' },
    },
  });
  return { watch: values.watch, json: values.json, dataDir: values['data-dir'] };
}
