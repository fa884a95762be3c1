import type { Guard } from '../src/commands/servers/guard.ts';
import type { EmbeddedArguments } from './arguments.ts';
import { NotReadyError } from './embedded-kills.ts';
import { makeEmbeddedReport, printEmbeddedReport } from './embedded-report.ts';
import { runEmbedded } from './embedded-run.ts';

/** `bun run torture --embedded`: whether what `bun run dev` starts can be killed at any moment. */
export async function tortureEmbedded(
  given: EmbeddedArguments,
  options: { guard: Guard; folder: string; root: string; print: (line: string) => void },
): Promise<boolean> {
  const { seed, report: file } = given;
  const write = async (report: object) => {
    if (file !== undefined) await Bun.write(file, `${JSON.stringify(report, undefined, 2)}\n`);
  };
  try {
    const report = makeEmbeddedReport(seed, await runEmbedded({ ...options, ...given }));
    printEmbeddedReport(report, options.print);
    await write(report);
    return report.passed;
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error;
    options.print(`✗ E1  it does not start again (seed ${seed})\n${error.message}`);
    await write({ seed, passed: false, failure: error.message });
    return false;
  }
}
