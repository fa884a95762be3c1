import { gapFilled } from '../src/gateway/fill-gap.ts';

export interface Filled {
  /** How often a gateway closed a gap by reading. */
  gaps: number;
  /** What it read for that, while sockets were connected. */
  rows: number;
}

/** From the logs of gateways. A line that a kill cut off, or that is not theirs, is passed over. */
export async function readFilled(logFiles: readonly string[]): Promise<Filled> {
  const filled: Filled = { gaps: 0, rows: 0 };
  for (const file of logFiles) {
    for (const line of (await Bun.file(file).text()).split('\n')) {
      if (!line.includes(gapFilled)) continue;
      const rows = rowsIn(line);
      if (rows === undefined) continue;
      filled.gaps += 1;
      filled.rows += rows;
    }
  }
  return filled;
}

function rowsIn(line: string): number | undefined {
  try {
    const { msg, rows } = JSON.parse(line);
    return msg === gapFilled && Number.isSafeInteger(rows) ? rows : undefined;
  } catch {
    return undefined;
  }
}
