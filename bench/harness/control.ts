import { createInterface } from 'node:readline';

/** What a child of the bench can be asked to do; arguments and answers are JSON. */
export type Handlers = Record<string, (argument: never) => unknown>;

/**
 * The child's end: one JSON object a line on standard input, one answer a line on standard output. When the input ends, so
 * does the child: none outlives the bench. Runs in Bun and in Node.
 */
export function serveControl(handlers: Handlers): void {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const { id, method, argument } = JSON.parse(line);
    const answer = (rest: object) => process.stdout.write(`${JSON.stringify({ id, ...rest })}\n`);
    try {
      const handler = handlers[method];
      if (!handler) throw new Error(`no method ${method}`);
      answer({ result: (await handler(argument as never)) ?? null });
    } catch (error) {
      answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  lines.on('close', () => process.exit(0));
  process.stdout.write(`${JSON.stringify({ id: 0, result: null })}\n`);
}
